/* Registrations: who serves the SIM now. LMDB, one writer (home). Durable before the answer: one
 * committer thread gathers what all workers queued and commits it once (group commit), and only
 * then are the completions handed back. A row queued is seen by its own process's readers at once.
 * */
#pragma once
#include "judge/book.h"

#define REG_HOST 96

enum reg_flag {
	REG_MME = 1,          /* registered in an MME (S6a) */
	REG_SGSN = 2,         /* registered in an SGSN (S6d) */
	REG_PURGED_MME = 4,
	REG_PURGED_SGSN = 8,
	REG_VLR = 16,         /* registered for circuit-switched services (MAP D, GSUP) */
	REG_PURGED_VLR = 32,
	REG_AAA = 64,         /* of the row reg_aaa(): registered in an AAA server (SWx) */
	REG_HOLD_WANTED = 128, /* greylisted for the device in `imei`, but not in the records yet */
};
#define REG_SERVED (REG_MME | REG_SGSN | REG_VLR)

struct reg_node {
	char host[REG_HOST], realm[REG_HOST];
	uint64_t plmn;
	uint64_t at_ms;       /* last update, since 1970 */
	uint64_t features;    /* as the node sent them: Feature-List 1 in the low half, 2 high */
};

struct reg_row {
	uint64_t imsi;
	uint64_t imei;        /* as last reported */
	int64_t dif;          /* AUTS difference (crypto/sqn.h) */
	struct reg_node mme, sgsn;
	uint32_t profile, profile_version, sub_version; /* what the node was last told */
	uint32_t told;        /* digest of the Subscription-Data last sent */
	uint8_t flags;        /* enum reg_flag */
	uint8_t rat;
	uint8_t told_life;    /* enum life */
	uint8_t spare[5];
	struct reg_node vlr;  /* last: rows of before it was there end here, and are still read */
};

static const uint8_t reg_kinds[] = { REG_MME, REG_SGSN, REG_VLR };

/* The part of a row for one kind of node (REG_MME, REG_SGSN, REG_VLR), and its flag 'purged'. */
static inline struct reg_node *reg_node(struct reg_row *row, uint8_t kind)
{
	return kind == REG_MME ? &row->mme : kind == REG_SGSN ? &row->sgsn : &row->vlr;
}

static inline const struct reg_node *reg_node_of(const struct reg_row *row, uint8_t kind)
{
	return kind == REG_MME ? &row->mme : kind == REG_SGSN ? &row->sgsn : &row->vlr;
}

static inline uint8_t reg_purged(uint8_t kind)
{
	return kind == REG_MME ? REG_PURGED_MME : kind == REG_SGSN ? REG_PURGED_SGSN : REG_PURGED_VLR;
}

/* Access that is not 3GPP's (SWx) has a registration of its own, a row under reg_aaa(imsi): an IMSI fills at
 * most 15 of the 16 nibbles, and the last says which of the two it is. Few SIMs have one, it is told other
 * things, and the rows of all others stay as small as they are. */
static inline uint64_t reg_aaa(uint64_t imsi)
{
	return (imsi & ~(uint64_t)15) | 0xa;
}

static inline bool reg_is_aaa(uint64_t key)
{
	return (key & 15) == 0xa;
}

static inline uint64_t reg_imsi(uint64_t key) /* of either row */
{
	return reg_is_aaa(key) ? key | 15 : key;
}

static inline const struct reg_node *reg_aaa_node(const struct reg_row *row)
{
	return &row->mme;
}

struct reg;
enum err MUST_USE reg_open(struct reg **r, const char *dir, char why[256]);
void reg_close(struct reg *r); /* commits what is queued first */

/* One a worker thread. `done_fd` becomes readable when completions wait. */
struct reg_worker;
struct reg_worker *reg_worker(struct reg *r);
int reg_done_fd(const struct reg_worker *w);

/* Look up; copies into `row`. ERR_NOT_FOUND. Sees queued rows of every worker. */
enum err MUST_USE reg_get(struct reg_worker *w, uint64_t imsi, struct reg_row *row);

/* Queue a row; `token` comes back through reg_done when it is durable, with OK, or with an error
 * when the commit failed (disk full: ERR_IO), in which case the row is as if never put.
 * ERR_FULL: queue full. A commit that fails takes with it all that was queued meanwhile, cursors
 * too. ERR_IO at once: the row that reg_get last gave for this IMSI was queued, and has failed
 * since. */
enum err MUST_USE reg_put(struct reg_worker *w, const struct reg_row *row, uint64_t token);

/* Take one completion; false when there is none. */
bool reg_done(struct reg_worker *w, uint64_t *token, enum err *err);

/* The feed cursor of home, and other small named numbers: read at once, put like a row. */
uint64_t reg_cursor(struct reg_worker *w);
enum err MUST_USE reg_put_cursor(struct reg_worker *w, uint64_t seq, uint64_t token);

/* Registered rows in IMSI order above `after`: for full compares, resets and profile changes. */
size_t reg_scan(struct reg_worker *w, uint64_t after, struct reg_row *out, size_t max);
