/* The pages: what the build of web/ made, read once into memory. */
#pragma once
#include "loop/web.h"

struct files;
/* Everything below `dir`, at most 32 MiB; NULL: there is none, said in `why`. */
struct files *files_open(const char *dir, char why[256]);
void files_free(struct files *f); /* NULL is fine */
/* Answer a GET or HEAD. Names with a hash (assets/) may be kept for ever; what is no file is the page
 * itself, whose script knows the path. */
void files_request(const struct files *f, struct web_call *call, const struct web_request *q);
