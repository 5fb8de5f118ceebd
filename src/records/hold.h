/* A file whose lock says who uses a store: one process at a time. */
#pragma once
#include "base/bytes.h"

/* Open or make `path`, and lock it for as long as `*fd` stays open (the caller's). A holder is waited
 * for HOLD_MS: it may be a predecessor whose supervisor was killed, on its way out. ERR_EXISTS:
 * another holds it; ERR_IO. May block. */
#define HOLD_MS 3000
enum err MUST_USE hold_file(const char *path, int *fd);
