/* What the supervisor's files share: the roles of one configuration as processes. */
#pragma once
#include "cli/supervise.h"
#include "loop/child.h"

struct seat {
	const struct role *role;
	struct child child;
	int page_fd, page_ro;	 /* the page of figures: the role's own end; watch's, which only reads */
	int event_in, event_out; /* event_in: the role's end; event_out: watch's */
	int said_in, said_out;	 /* a pipe for what it prints: its end, ours */
	uint64_t said_ms;	 /* since when said_n */
	size_t said_n;
	int line_fd;		 /* while it starts: its line to the signer; else -1 */
	bool up;
};

struct house {
	const struct supervise *how;
	struct conf conf;
	uint8_t site_key[16];
	struct seat seat[ROLE_MAX];
	size_t seat_n;
	const struct seat *starting;
	int lent; /* connection to a watch elsewhere, or -1 */
	int lists; /* supervise_lists.c: readable when there is a new generation; -1: never */
};

/* role_body.c: what a role's process does, from start to end; for child_start. `ctx` is the house. */
int role_body(void *ctx, int control);

/* --- supervise_lists.c: bulk equipment lists on their way to roles whose sandbox opens no file --------- */

/* Look out for new generations below data_dir, and hand the newest one that is there to each role that
 * looks into them: it may have come between a role's start and now. */
void lists_begin(struct house *h);
/* h->lists is readable: hand over what is new. */
void lists_heard(struct house *h);

/* said.c: print what a role printed, so that it holds no file of ours; a flood is cut off. */
bool said_open(struct seat *s);
void said_relay(struct seat *s);

/* --- certify.c: certificates, and the lines between the signer and who asks it ---------------------- */

/* Words that go with CHILD_RELOAD, and what descriptors. */
#define SAY_CONF	 "configuration" /* the configuration */
#define SAY_KEYS	 "keys"		 /* to the signer: the configuration, chain, key; it answers */
#define SAY_CERTIFICATES "certificates"	 /* the configuration, chain, CAs, CRL if any; it answers */
#define SAY_FORGET	 "forget"	 /* to the signer: older keys are of no use any more */
#define SAY_LISTS	 "lists"	 /* a generation of the bulk equipment lists */
#define SAY_LINE	 "line "	 /* and a role's name: one end of a line; to both */

/* Does this configuration have a signer? */
bool certify_wanted(const struct conf *c);
/* A line for a role that is about to start: into line_fd, and to the signer. */
bool certify_line(struct house *h, struct seat *s);
/* The signer takes what the files hold now, if it is not the same. */
enum err MUST_USE certify_signer(struct house *h, const struct conf *c, char why[256]);
/* The signer, then all who ask it. ERR_CONFIG with one clear line: nobody, or not all, took it over. */
enum err MUST_USE certify_all(struct house *h, const struct conf *c, char why[256]);
/* The signer was started again: new lines, and the certificates that go with its key. */
void certify_again(struct house *h);
