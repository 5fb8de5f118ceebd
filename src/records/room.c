#include "records/room.h"

size_t records_room = (size_t)64 << 30;
