/* Address room of the LMDB stores: how long their files may grow. No memory and no disk is taken for it;
 * 64 GiB hold a hundred million subscriptions. One for the process, as its configuration says
 * (stores.room), set before a store is opened. */
#pragma once
#include <stddef.h>

extern size_t records_room; /* bytes */
