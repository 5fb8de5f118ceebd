/* The system of record: the data model in SQLite (WAL, foreign keys, synchronous=FULL), its
 * change feed and its journal. One writer: the keeper. Whatever is changed here is changed in one
 * transaction together with its change row and its journal entry; every row carries a MAC under a
 * key that only the keeper has, so that a row changed behind Merlon's back is found (R-3.1.c).
 * Blocking; one thread. */
#pragma once
#include "records/model.h"
#include "records/serving.h"

struct store;

/* Opens or makes `dir`/records.db and `dir`/keeper.key. ERR_KEY: rows but no key, or a wrong one.
 * ERR_CORRUPT: no SQLite file of ours. `why`: one clear line. */
enum err MUST_USE store_open(struct store **st, const char *dir, char why[256]);
void store_close(struct store *st);
/* How much of the database is kept in memory, MiB (64 after store_open). */
void store_cache(struct store *st, unsigned int mb);

/* A second look at the same records, as they are now and whatever is changed meanwhile: reading,
 * verifying and backing up, in another thread than the store's own. Changes nothing. ERR_IO,
 * ERR_FULL. store_close ends it; store_interrupt, from any thread, ends what it is doing with ERR_IO. */
enum err MUST_USE store_reader(struct store **st, const struct store *of, char why[256]);
void store_interrupt(struct store *st);
/* Between two uses of a reader: it sees nothing, and holds nothing up. Then it sees the records as they are
 * then. ERR_IO. */
void store_reader_rest(struct store *st);
enum err MUST_USE store_reader_again(struct store *st);

/* One transaction. Rollback undoes all since begin. */
enum err MUST_USE store_begin(struct store *st);
enum err MUST_USE store_commit(struct store *st);
void store_rollback(struct store *st);

/* Who asks, and when; `approval`: the pending request that this one approves, 0 = none. */
struct who {
	struct view actor;
	uint64_t approval;
	uint64_t now_ms;
	struct view tenant; /* what is not this tenant's is not there for them; empty: all is */
};

enum edit_mode { EDIT_SET, EDIT_CREATE, EDIT_CHANGE, EDIT_DELETE };
#define EDIT_PAIRS 32
struct edit {
	enum object object;
	enum edit_mode mode;          /* SET: create or change; CREATE: ERR_EXISTS when it is there */
	struct view key;
	const struct view *pair;      /* "name=value" */
	size_t pair_n;
	uint64_t version;             /* of the record as the asker knows it; 0: any. Else ERR_VERSION */
};

/* Carry out one edit within a transaction. ERR_APPROVAL: it needs a second person (R-5.1.f); it
 * is then kept as a pending request whose number is `*approval` and is carried out when another
 * actor sends the same with who.approval; commit to keep it. Any other error leaves all as it
 * was, the reason in `s`. */
enum err MUST_USE store_edit(struct store *st, const struct who *who, const struct edit *e,
			     uint64_t *approval, struct say *s);
/* Carry out the pending request `who->approval`; the same as repeating it. */
enum err MUST_USE store_approve(struct store *st, const struct who *who, struct say *s);

/* Within a transaction: the SIM `imsi` was seen in the device `imei` (14 digits). Opens a case by its
 * profile; nothing when the subscription is greylisted already. ERR_REFUSED, ERR_NOT_FOUND: the records
 * give no reason to, said in `s`. */
enum err MUST_USE store_hold(struct store *st, const struct who *who, struct view imsi, struct view imei,
			     struct say *s);
/* End the cases whose time has come, in a transaction of its own; how many. */
size_t store_holds_end(struct store *st, const struct who *who);

/* A CSV block within a transaction: `header` names the columns, each line of `lines` is a row,
 * the first of them is line `line` of its file; `fixed` are "name=value" for every row. A bad row
 * is told to `bad` with its line and reason, and leaves nothing; the others are made. ERR_IO,
 * ERR_FULL: the whole block is to be rolled back. Secret columns (k, opc, op, topc) are refused
 * with a reason: they never enter the keeper. */
struct import {
	enum object object;
	enum edit_mode mode;
	struct view header, lines;
	uint64_t line;
	const struct view *fixed;
	size_t fixed_n;
	void (*bad)(void *ctx, uint64_t line, const char *reason);
	/* What is done with a row; NULL: store_edit. */
	enum err (*edit)(void *ctx, const struct who *who, const struct edit *e, struct say *s);
	void *ctx;
	uint64_t done, refused;
};
enum err MUST_USE store_import(struct store *st, const struct who *who, struct import *in, struct say *s);

/* Reading. JSON into `w`. ERR_NOT_FOUND. */
struct reader {
	struct view tenant; /* as in struct who */
	bool hidden;	    /* F_HIDE columns too */
};
enum err MUST_USE store_get(struct store *st, enum object o, struct view key, const struct reader *as,
			    struct wr *w, struct say *s);
/* One page, in the order of its key or of `sort` (a field; "-field": from the end; rows in which it is empty
 * are left out): rows behind `after` that meet every filter "name=value" ("value*": begins with), at most
 * `max` and as many as fit. JSON array, or CSV lines when `csv`. `find`: the beginning of a number of the
 * record (big tables), a part of any text (small ones). `tenant`: as in struct who. `next`: what the page
 * after this one is asked with when there may be more, else empty. A page of JSON that would take too long
 * has fewer rows, and a `next`. */
struct page {
	enum object object;
	struct view after, sort, find, tenant;
	const struct view *filter;
	size_t filter_n, max;
	bool csv, hidden; /* hidden: F_HIDE columns too; CSV has them always */
	char next[ROW_ROOM];
	size_t n;
};
enum err MUST_USE store_list(struct store *st, struct page *p, struct wr *w, struct say *s);
void store_csv_header(enum object o, struct wr *w);
/* The journal after `after`, and pending approvals: JSON arrays. `*last`: the last number
 * written. */
struct story {
	enum object object;
	struct view key; /* the entries about this record, but for the one that made it; empty: all */
};
enum err MUST_USE store_journal(struct store *st, const struct story *of, uint64_t after, size_t max,
				struct wr *w, uint64_t *last);
/* Those of `tenant`'s records; empty: all. */
enum err MUST_USE store_approvals(struct store *st, uint64_t now_ms, struct view tenant, struct wr *w);

/* An entry about what is no record, in a transaction of its own: `action` was done to `key` of `object`;
 * `detail` is JSON, or empty. */
enum err MUST_USE store_note(struct store *st, const struct who *who, struct view action, struct view object,
			     struct view key, struct view detail);

/* May the data of this tenant's devices (of `imsi` alone, or empty) be used for `purpose` (of PURPOSES) in
 * the country `mcc` (or empty)? ERR_REFUSED with the reason: no agreement in force (R-4.b), a consent
 * withdrawn or missing (R-4.d), forbidden there (R-1.3.c). What an override allows is written into the
 * journal. */
struct use {
	struct view tenant, purpose, imsi, mcc;
};
enum err MUST_USE store_may(struct store *st, const struct who *who, const struct use *u, struct say *s);

/* What is due, and what is missing, as a JSON array, of one tenant if it is not empty: deadlines of
 * incidents (R-5.8.3.g), assessments (R-2.h), agreements and requests (R-4.a, R-4.b), nominations to look at
 * again. Each that is late, but for what is missing, is told to `late`. */
enum err MUST_USE store_duties(struct store *st, uint64_t now_s, struct view tenant, struct wr *w,
			       void (*late)(void *ctx, const char *duty, struct view key, uint64_t due_s),
			       void *ctx);

struct store_status {
	uint64_t feed;           /* the last change */
	uint64_t oldest;         /* the oldest change still kept */
	uint64_t n[OBJ_N];
	uint64_t journal_seq;
	uint8_t journal_head[32];
};
void store_status(struct store *st, struct store_status *to);

/* The change feed: at most `max` changes after `after`, without gaps, in commit order. `*err` as
 * it went. */
struct store_change {
	struct change change;
	bool repack;   /* CHANGE_PROFILE: its subscriptions' packed rows change too */
};
size_t store_changes(struct store *st, uint64_t after, struct store_change *out, size_t max, enum err *err);
/* The record that a change of store_changes is about, packed: without reading it where this process
 * wrote it a moment ago. As store_pack. */
union packed;
enum err MUST_USE store_pack_change(struct store *st, const struct store_change *c, union packed *to);
void store_prune(struct store *st, uint64_t keep); /* drop changes but the last `keep` */

/* Packed rows. ERR_NOT_FOUND: deleted. ERR_CORRUPT: changed behind our back, logged; not to be
 * published. */
union packed {
	struct sub_row sub;
	struct profile_row profile;
	struct network_row network;
	struct rule_row rule;
	struct equip_row equip;
	struct range_row range;
	struct host_row host;
	struct agreement_row agreement;
};
enum err MUST_USE store_pack(struct store *st, enum change_kind kind, uint64_t id, union packed *to);
/* Packed rows in record order above *after, of one profile only if `profile` is not 0; tampered
 * ones are left out (logged). Advances *after; 0 = the end. */
size_t store_pack_all(struct store *st, enum change_kind kind, uint32_t profile, int64_t *after,
		      union packed *to, size_t max);

/* The generation of the bulk equipment lists in force; zeros: none. ERR_CORRUPT: changed behind our
 * back. */
enum err MUST_USE store_lists_get(struct store *st, struct serving_lists *to);
/* Another one, in a transaction of its own with its entry in the journal: `source` is where it came
 * from, `detail` what it is (JSON). */
enum err MUST_USE store_lists_put(struct store *st, const struct who *who, const struct serving_lists *l,
				  struct view source, struct view detail);

/* MAC of every row, the seal of every table (a row deleted or an old one put back), the journal's
 * chain and its anchored head. */
struct store_verdict {
	uint64_t rows, tampered;
	uint64_t tables;        /* whose seal does not fit */
	uint64_t journal_n, journal_bad; /* the first entry that does not fit; 0 = none */
	bool head_ok;
	char first[SAY_MAX];    /* the first thing found */
};
enum err MUST_USE store_verify(struct store *st, struct store_verdict *to);

/* Does journal.head, kept outside the database, name an entry that the journal holds? Quick. */
bool store_head_ok(struct store *st);

/* A slow sweep: the MACs of the next `max` rows, going round all tables. How many were tampered
 * with; each is logged (R-3.1.c). Begin with a zeroed cursor. */
struct sweep {
	enum object object;
	int64_t after;
};
size_t store_sweep(struct store *st, struct sweep *at, size_t max);

/* A copy of the live records and of what proves them into the folder `to`, which is made. */
enum err MUST_USE store_backup(struct store *st, const char *to, struct say *s);
