/* The serving copy: what signalling needs of the records, packed, in LMDB; one writer (keeper),
 * many lock-free readers in other processes (design.md, 'Serving copy': MDB_NOLOCK readers, a held
 * sliding read transaction, the published transaction number in a counter page). */
#pragma once
#include "judge/book.h"

/* --- the writer: keeper only --- */
struct serving_writer;

/* Opens or creates `dir`/serving.mdb and its page `dir`/serving.page. ERR_IO, ERR_CORRUPT (another
 * BOOK_VERSION or damaged: the keeper then deletes the file and builds it anew). */
enum err MUST_USE serving_create(struct serving_writer **w, const char *dir, char why[256]);
void serving_finish(struct serving_writer *w);
/* Delete a serving copy that is damaged or of another version (no writer may be open), and tell its
 * readers: their serving_renew says ERR_CORRUPT, and their role must be started anew. ERR_IO.
 * The new copy opens (serving_open) from its first commit or tick on: fill it in one batch. */
enum err MUST_USE serving_remove(const char *dir);

/* One batch: begin, puts and deletes, then commit, which publishes it. `feed` is the number of the
 * last change of the records that the batch contains. A change says what a reader of the feed must
 * look at. */
enum change_kind {
	CHANGE_SUB = 1, CHANGE_PROFILE, CHANGE_NETWORK, CHANGE_RULE, CHANGE_EQUIP, CHANGE_RANGE,
	CHANGE_HOST, CHANGE_AGREEMENT
};
struct change {
	uint64_t seq;    /* 1.., without gaps */
	uint64_t id;     /* IMSI, profile id, PLMN, rule id, IMEI, range start, IMEI, agreement id */
	uint32_t kind;   /* enum change_kind */
	uint32_t was;    /* CHANGE_SUB: life before; else 0 */
};
/* Drops a batch that was begun and not committed. May sleep up to 3 s, once, after a writer that
 * died. */
enum err MUST_USE serving_begin(struct serving_writer *w);
enum err MUST_USE serving_put_sub(struct serving_writer *w, const struct sub_row *r);
enum err MUST_USE serving_put_profile(struct serving_writer *w, const struct profile_row *r);
enum err MUST_USE serving_put_network(struct serving_writer *w, const struct network_row *r);
enum err MUST_USE serving_put_rule(struct serving_writer *w, const struct rule_row *r);
enum err MUST_USE serving_put_equip(struct serving_writer *w, const struct equip_row *r);
enum err MUST_USE serving_put_range(struct serving_writer *w, const struct range_row *r);
enum err MUST_USE serving_put_host(struct serving_writer *w, const struct host_row *r);
enum err MUST_USE serving_put_agreement(struct serving_writer *w, const struct agreement_row *r);
/* OK also when there was none. */
enum err MUST_USE serving_delete(struct serving_writer *w, enum change_kind kind, uint64_t id);
/* Into the ring. A number beyond the next (a rebuild) empties the ring: readers compare everything.
 * ERR_EXISTS: not above serving_feed. */
enum err MUST_USE serving_change(struct serving_writer *w, const struct change *c);
/* Fails with the first error of the batch, which is then as if never begun. */
enum err MUST_USE serving_commit(struct serving_writer *w);
/* Would serving_begin sleep now? */
bool serving_waits(const struct serving_writer *w);
/* The last change contained; 0 = empty. And slide the held transaction (call every second). */
uint64_t serving_feed(const struct serving_writer *w);

/* Which generation of the bulk equipment lists is in force (records/equip_set.h), and the one before
 * it, for a start that finds the newer one damaged. Generation 0: none. */
struct serving_lists {
	uint64_t generation, old_generation;
	uint8_t digest[32], old_digest[32]; /* EQUIP_DIGEST */
};
/* Part of a batch, as a row is. */
enum err MUST_USE serving_put_lists(struct serving_writer *w, const struct serving_lists *l);
/* What the last batch named. */
const struct serving_lists *serving_lists(const struct serving_writer *w);
void serving_tick(struct serving_writer *w, uint64_t now_ms);

/* --- a reader: any role; one a thread, sharing one environment --- */
struct serving;       /* the environment: one a process */
struct serving_read;  /* one a thread */

/* Opens read-only, without any lock file. Waits for nothing: ERR_NOT_FOUND when the keeper has made
 * none. */
enum err MUST_USE serving_open(struct serving **s, const char *dir, char why[256]);
void serving_close(struct serving *s);
struct serving_read *serving_reader(struct serving *s);
void serving_read_free(struct serving_read *r);

/* Begin a batch: the newest published state. Rows stay valid until the next call. ERR_AGAIN when no
 * whole state could be had (the old one stays until 2 s of age); ERR_CORRUPT: serving_remove.
 * `now_ms` is loop_now: monotonic. A process must not sleep 5 s inside a batch. */
enum err MUST_USE serving_renew(struct serving_read *r, uint64_t now_ms);
/* Was the state younger than 2 s the whole time? If not, what was read in this batch is to be
 * redone. */
bool serving_valid(const struct serving_read *r, uint64_t now_ms);

/* A newer generation of the bulk equipment lists, as a descriptor (borrowed) that somebody opened for
 * us. Reads and checks all of the file, and waits until no reader uses an older one: on a thread of
 * its own, off the messages' way. Readers take it over at the begin of a batch, when the serving
 * copy names it. ERR_CORRUPT: refused, what was in force stays. */
enum err MUST_USE serving_offer_lists(struct serving *s, int fd, char why[256]);
/* The generation that this reader looks into; 0 = none. */
uint64_t serving_lists_now(const struct serving_read *r);

/* Milliseconds since the writer's last tick: the age of the copy, for its alarm. */
uint64_t serving_age_ms(const struct serving *s);

/* The look-ups, for the judge and for home. Lives in `r`. */
const struct book *serving_book(struct serving_read *r);

/* The feed: the last change contained; the changes after `after`, at most `max`. `*lost`: the ring
 * has run over the cursor, compare everything. Returns how many. */
uint64_t serving_last(struct serving_read *r);
size_t serving_changes(struct serving_read *r, uint64_t after, struct change *out, size_t max,
		       bool *lost);

/* Every subscription, in IMSI order, from the first above `after`: for a full compare. */
size_t serving_scan(struct serving_read *r, uint64_t after, struct sub_row *out, size_t max);
