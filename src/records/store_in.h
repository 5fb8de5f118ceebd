/* What the files of the store share. */
#pragma once
#include "crypto/digest.h"
#include "records/store.h"

#include <sodium.h>
#include <sqlite3.h>

/* 1: no table `layout`; otherwise the same. */
#define STORE_FORMAT 2
#define MAC_BYTES    crypto_auth_hmacsha256_BYTES
#define HASH_BYTES   crypto_hash_sha256_BYTES

enum stmt_kind { ST_KEY, ST_ID, ST_INSERT, ST_DELETE, ST_AFTER, ST_N };

/* How many rows a table has, and their MACs folded into one: a deleted row, or an old one put
 * back, shows. */
struct seal {
	uint64_t n, next_id;
	uint8_t sum[MAC_BYTES];
	bool dirty;
};

/* An UPDATE of just the columns that change: an index of one that does not is left alone. */
#define UPDATES 8
struct update {
	enum object object;
	uint32_t columns;   /* bits; 0 = free */
	sqlite3_stmt *q;
};

struct store {
	sqlite3 *db;
	char dir[3072];
	uint8_t key[crypto_auth_hmacsha256_KEYBYTES];
	sqlite3_stmt *row[OBJ_N][ST_N];
	struct update update[UPDATES]; /* the statements used last */
	unsigned int update_next;
	sqlite3_stmt *change, *journal, *subs_of, *batch_of;
	struct seal seal[OBJ_N];
	uint64_t feed, journal_seq;
	uint8_t journal_head[HASH_BYTES];
	bool open;          /* a transaction is */
	bool reader;        /* store_reader's: one long reading transaction */
	bool anchor;        /* what journal.head said before it began, and whether it was ours */
	uint64_t anchor_seq;
	uint8_t anchor_head[HASH_BYTES];
	bool anchored;      /* journal.head was written and synced once by this process */
	/* The profile and the tenant read last, for blocks of subscriptions; "" = none. */
	char profile_name[NAME_MAX_BYTES], profile_tenant[NAME_MAX_BYTES];
	uint32_t profile_id, tenant_id;
	uint8_t profile_prio;
	bool profile_tamper;
	char tenant_name[NAME_MAX_BYTES];
	/* Of the tenant asked for last, its critical subscriptions; "" = none. */
	char quota_tenant[NAME_MAX_BYTES];
	uint64_t quota_n;
	bool batches_known, batches; /* are there ranges of a partition (join_batch)? */
	struct row blank[OBJ_N];     /* with every default: row_init, once */
	struct row absent[OBJ_N];    /* F_LATER columns as rows have them that were written before */
	int format;                  /* of the store when it was opened; 0 = there was none */
	unsigned int migrated, renumbered; /* columns that were added; whose choices have other numbers */
	struct digest *mac, *chain;  /* of rows, under the key; of the journal */
	/* What the last transactions changed, as it was written: what is published right after
	 * need not be read again. */
	struct store_change *fresh;  /* changes fresh_first.. of the feed */
	struct sub_row *fresh_sub;   /* of each, its row; imsi 0: read it */
	uint64_t fresh_first;
	size_t fresh_n;
	uint64_t job;      /* edits are rows of this job; 0: of none */
	bool job_approved; /* a second person agreed to it */
	bool agreed;       /* edits follow from one that two people agreed to */
};
#define FRESH_MAX 16384

/* store.c */
enum err MUST_USE store_sql(struct store *st, const char *sql);
sqlite3_stmt *store_prepare(struct store *st, const char *sql); /* NULL: logged */
enum err MUST_USE store_load_state(struct store *st);
#define ANCHOR_TEXT (2 * (HASH_BYTES + MAC_BYTES) + 32)
/* The line of journal.head for an entry; its length. */
int store_anchor(const struct store *st, uint64_t seq, const uint8_t head[HASH_BYTES],
		 char text[ANCHOR_TEXT]);
/* What journal.head says. False: it is missing, or not by our key. */
bool store_anchor_read(const struct store *st, uint64_t *seq, uint8_t head[HASH_BYTES]);

/* store_layout.c. In the transaction that makes the tables: those that are missing, the columns that are,
 * st->absent. ERR_CORRUPT with the reason: tables of a newer Merlon, or not as any Merlon made them. */
enum err MUST_USE store_layout(struct store *st, char why[256]);
/* Then, when rows can be read and written: choices whose numbers have moved, by their names; what was done
 * goes into the journal. */
enum err MUST_USE store_layout_settle(struct store *st, uint64_t now_ms, char why[256]);

/* store_edit.c: what an edit would come to, changing nothing. OK: `look` is told; else it would be
 * refused. */
struct trial {
	const struct row *was, *is; /* either may be NULL */
	bool same;                  /* nothing changes */
	bool second;                /* a second person must agree */
};
enum err MUST_USE store_try(struct store *st, const struct who *who, const struct edit *e,
			    void (*look)(void *ctx, const struct trial *t), void *ctx, struct say *s);

/* store_keys.c: keys, a line each, of the records of the page's tenant that meet its filters ("value*":
 * begins with) among the next `max` behind `after`; `next`: the last one looked at, empty when that was
 * all. */
enum err MUST_USE store_keys(struct store *st, struct page *p, struct wr *w, struct say *s);

/* store_row.c: rows, MACs and seals */
enum err MUST_USE store_find(struct store *st, enum object o, struct view key, struct row *r);
enum err MUST_USE store_find_id(struct store *st, enum object o, int64_t id, struct row *r);
enum err MUST_USE store_insert(struct store *st, struct row *r, struct say *s);
enum err MUST_USE store_update(struct store *st, const struct row *old, struct row *r, struct say *s);
enum err MUST_USE store_remove(struct store *st, const struct row *r, struct say *s);
void store_take_row(struct store *st, sqlite3_stmt *q, enum object o, struct row *r);
void store_tampered(const struct row *r);
void store_seal_mac(const struct store *st, enum object o, uint8_t mac[MAC_BYTES]);
enum err MUST_USE store_seals_write(struct store *st);

/* store_rule.c: what a record may be, and when a second person is needed */
enum err MUST_USE rule_judge(struct store *st, const struct row *old, const struct row *new,
			     struct say *s);
/* True when the step from old to new (either may be NULL) needs approval; the reason in `s`. */
bool rule_four_eyes(struct store *st, const struct row *old, const struct row *new, uint64_t now_ms,
		    struct say *s);
unsigned int rule_prio(struct store *st, const struct row *sub);

/* store_quota.c: would the tenant have more critical subscriptions than it may (R-5.6.1.m)? `old` may be
 * NULL. And what was written, after it was. */
enum err MUST_USE quota_judge(struct store *st, const struct row *old, const struct row *new, struct say *s);
void quota_changed(struct store *st, const struct row *old, const struct row *new);

/* store_hold.c: what a case may be, whether it needs a second person, and its effect on the subscription,
 * in the transaction that writes it. `old` or `new` may be NULL. */
enum err MUST_USE hold_judge(struct store *st, const struct row *old, const struct row *new, struct say *s);
bool hold_four_eyes(struct store *st, const struct row *old, const struct row *new);
enum err MUST_USE hold_apply(struct store *st, const struct who *who, const struct row *old,
			     const struct row *new, struct say *s);

/* store_user.c: which people there may be, and what an API key may stand for. `old` or `new` of a
 * user may be NULL. */
enum err MUST_USE user_judge(struct store *st, const struct row *old, const struct row *new, struct say *s);
enum err MUST_USE api_key_judge(struct store *st, const struct row *new, struct say *s);

/* store_scope.c: what is a tenant's. */
enum column_of_all scope_column(enum object o); /* that names its tenant; COL_N: none */
bool scope_has(struct store *st, struct view tenant, const struct row *r); /* tenant empty: always */
/* May `who` do that to the record as it is (NULL: there is none)? ERR_NOT_FOUND, ERR_VERSION, said in `s`. */
enum err MUST_USE scope_before(struct store *st, const struct who *who, const struct edit *e,
			       const struct row *old, struct say *s);

/* store_read.c */
void store_put_json(struct wr *w, const struct row *r, bool hidden);
void store_put_csv(struct wr *w, const struct row *r);
/* store_edit.c: the next line of a pending request. */
struct view request_line(struct view *left);

/* store_batch.c: a new subscription belongs to the partition of its range's batch. */
enum err MUST_USE batch_join(struct store *st, struct row *new, struct say *s);

/* store_care.c: what clause 4 asks for (alarms, assessments, consents, incidents ...): what they may be and
 * by whom; and what follows from one, in its transaction. `old` or `new` may be NULL. */
enum err MUST_USE care_judge(struct store *st, const struct who *who, const struct row *old,
			     const struct row *new, struct say *s);
enum err MUST_USE care_apply(struct store *st, const struct who *who, const struct row *old,
			     const struct row *new, struct say *s);
/* What needs a second person; NULL: nothing. */
const char *care_four_eyes(const struct row *old, const struct row *new);
/* Who made it, who changes it, when: of any record; borrows the actor's name. */
void care_sign(const struct who *who, const struct row *old, struct row *new);

/* store_log.c: journal and change feed */
struct entry {
	struct view actor, action, object, key, detail;
	uint64_t at_ms;
};
enum err MUST_USE store_journal_add(struct store *st, const struct entry *e);
enum err MUST_USE store_journal_hash(struct store *st, const uint8_t before[HASH_BYTES], uint64_t seq,
				     const struct entry *e, uint8_t to[HASH_BYTES]);
enum err MUST_USE store_change_add(struct store *st, const struct row *old, const struct row *new);
void store_fresh_drop(struct store *st);

/* store_feed.c: a subscription's row as it will be served, of a row just written. */
enum err MUST_USE store_pack_sub(struct store *st, const struct row *r, struct sub_row *to);
/* The profile of that name into st->profile_*; ERR_NOT_FOUND, ERR_CORRUPT (tampered with), ERR_IO. */
enum err MUST_USE store_profile_of(struct store *st, struct view name);
