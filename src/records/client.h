/* A client of the keeper's socket, for cli and audit: one call, one answer, blocking. */
#pragma once
#include "wire/keep.h"

struct client;

/* `path`: data_dir/keeper.sock. ERR_IO with one clear line in `why` when no keeper answers there. */
enum err MUST_USE client_open(struct client **c, const char *path, char why[256]);
void client_close(struct client *c);
/* Its socket, for who does without client_call. */
int client_fd(const struct client *c);

/* Ask, and wait for the answer (at most 10 minutes). ERR_IO, ERR_HEADER: the connection is of no
 * more use. OK: `rep` is the keeper's answer, whatever it says: its KEEP_STATUS is an enum err.
 * `rep` borrows from the client until the next call. */
enum err MUST_USE client_call(struct client *c, struct keep *req, struct keep *rep, char why[256]);
static inline enum err client_status(const struct keep *rep)
{
	return rep->num[KEEP_STATUS] < ERR_COUNT ? (enum err)rep->num[KEEP_STATUS] : ERR_VALUE;
}
