/* The keeper, asked without waiting: connections that were opened before the sandbox closed, each with
 * its requests in order, answered in that order (wire/keep.h). */
#pragma once
#include "portal/api.h"

struct desk;
/* Connect, and give up what is not for the API (KEEP_NARROW). ERR_IO with one clear line. */
enum err MUST_USE desk_open(struct desk **d, const char *socket, struct loop *loop, char why[256]);
void desk_close(struct desk *d); /* NULL is fine */
/* Queue a request; it goes with desk_flush. `done` is called once, with the reply (borrowed), or with
 * NULL when the keeper is gone. False: too many wait, or it does not fit: `done` is not called. */
bool desk_ask(struct desk *d, enum lane lane, struct keep *req,
	      void (*done)(void *ctx, uint64_t tag, const struct keep *rep), void *ctx, uint64_t tag);
void desk_flush(struct desk *d);
/* Called after answers came: what they led to can be sent. */
void desk_after(struct desk *d, void (*fn)(void *ctx), void *ctx);
bool desk_lost(const struct desk *d);
