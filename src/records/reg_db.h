/* Inside of the registrations: what the workers' side (reg.c) and the committer (reg_commit.c)
 * share. */
#pragma once
#include "records/reg.h"
#include "records/serving_db.h"

#include <pthread.h>

#define REG_MAGIC      0x4d45524c52474431u
#define REG_WORKERS    64
#define REG_QUEUE      8192 /* puts of one worker that wait: for the commit, or for its reg_done */
#define REG_BUCKETS    16384

/* One queued put. Its worker's from reg_done to reg_put, the committer's from there to the ring. */
struct reg_put {
	struct reg_row row;       /* imsi 0: the cursor, in `seq` */
	uint64_t seq, token;
	struct reg_worker *worker;
	struct reg_put *next;     /* in the queue, oldest first */
	struct reg_put *older;    /* in the overlay bucket */
	enum err err;
};

struct reg_worker {
	struct reg *reg;
	MDB_txn *txn;             /* reset between look-ups */
	int fd;                   /* eventfd */
	struct reg_put *slots, *free; /* `free` is the worker's alone */
	struct reg_put **ring;    /* done puts; as long as there are slots, so never full */
	_Atomic uint32_t head, tail; /* the committer writes head, the worker tail */
	_Atomic bool signalled;
	uint64_t read_imsi, read_fails; /* last row read out of the overlay, and `fails` then */
};

struct reg {
	MDB_env *env;
	MDB_dbi rows, meta;
	int lock_fd;
	pthread_t committer;
	bool running, stop, asleep; /* stop, asleep: under `lock` */
	pthread_mutex_t lock;     /* all below */
	pthread_cond_t wake;
	struct reg_put *first, **last;   /* the queue */
	struct reg_put *bucket[REG_BUCKETS]; /* the overlay: puts not yet durable, newest first */
	size_t overlay_n;
	uint64_t cursor, cursor_durable;
	uint64_t fails;           /* commits that failed */
	struct reg_worker *worker[REG_WORKERS];
	size_t worker_n;
};

/* reg_open with a bound on the file's size, for tests of a full disk. */
enum err MUST_USE reg_open_sized(struct reg **r, const char *dir, size_t map_bytes, char why[256]);

/* The committer thread; `arg` is the struct reg. Ends when `stop` is set and the queue is empty. */
void *reg_commit_run(void *arg);

#define REG_ROW_OLD offsetof(struct reg_row, vlr) /* bytes of a row of the first version */

/* A row as the file has it. False: it is none. */
static inline bool reg_unpack(MDB_val v, struct reg_row *row)
{
	if (v.mv_size != sizeof *row && v.mv_size != REG_ROW_OLD)
		return false;
	memset(row, 0, sizeof *row);
	memcpy(row, v.mv_data, v.mv_size);
	return true;
}

static inline struct reg_put **reg_bucket(struct reg *r, uint64_t imsi)
{
	return &r->bucket[(imsi * 0x9e3779b97f4a7c15u) >> 50];
}
