/* Files that hold a secret: read only when nobody else can. */
#pragma once
#include "base/bytes.h"

/* Open a plain file that belongs to root or to us and is readable by its owner alone (0600, 0400). NULL with
 * the descriptor in `fd`; else what is wrong with it (valid until the next call). */
const char *secret_file_open(const char *path, int *fd);

/* Make a file of that kind, new, durable with its name. ERR_EXISTS; ERR_IO with errno. */
enum err MUST_USE secret_file_make(const char *path, struct view text);

/* Make durable what was done to names beside `path`. */
bool secret_file_settle(const char *path);
