/* The portal's dealings with the keeper, on a thread of its own, for the keeper may be slow: which
 * platforms there are, read each second; what the journal is to hold. */
#pragma once
#include "crypto/jws.h"

#define CLERK_KEY 73
#define CLERK_TEXT 2049

struct platform {
	char name[64], sector[64];
	uint32_t tenant;
	struct jws_key *key; /* NULL: it has none: it can neither ask nor acknowledge */
};
struct platforms {
	size_t n;
	struct platform *row;
};
const struct platform *platforms_find(const struct platforms *p, struct view name); /* NULL: none */
void platforms_free(struct platforms *p);					    /* NULL is fine */
/* From the keeper's lists (JSON). NULL: not of that form, out of memory. */
struct platforms *platforms_read(struct view tenants, struct view list);

struct clerk_job {
	char mode[16], key[CLERK_KEY], text[CLERK_TEXT];
	uint32_t place, serial; /* the asker's own */
	enum err err;		/* when it is done */
};

struct clerk;
/* Connect, and read the platforms once. ERR_IO with one clear line. */
enum err MUST_USE clerk_open(struct clerk **c, const char *socket, char why[256]);
/* An entry of the journal, at once and here: before clerk_start. */
enum err MUST_USE clerk_note_now(struct clerk *c, const char *mode, const char *key, struct view text,
				 char why[256]);
bool clerk_start(struct clerk *c);
void clerk_close(struct clerk *c);

/* Queue a job; false: too many wait. Any of the following on the loop's thread. */
bool clerk_note(struct clerk *c, const struct clerk_job *job);
int clerk_fd(const struct clerk *c);			 /* readable: something is done */
bool clerk_done(struct clerk *c, struct clerk_job *job); /* the next that is; false: none */
struct platforms *clerk_platforms(struct clerk *c);	 /* newer ones, now the caller's; NULL: none */
/* The keeper has gone, and cannot be reached from in here any more. */
bool clerk_lost(const struct clerk *c);
