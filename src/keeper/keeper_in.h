/* What the files of the keeper share. */
#pragma once
#include "keeper/keeper.h"
#include "records/jobs.h"
#include "records/store.h"
#include "wire/keep.h"

#include <pthread.h>

#define CONN_MAX  64
#define USER_MAX  64
#define USERS_MAX 512
#define JOB_MAX   4 /* long requests at once */

/* The machine's users, read before the sandbox closes /etc: who is at the other end of a socket. */
struct keeper_user {
	uint32_t uid;
	char name[USER_MAX];
};

struct keeper_conn {
	int fd;            /* -1 = free */
	uint64_t visit;    /* how often this place was used */
	bool busy;         /* a job works for it */
	bool waits;        /* its request waits until a job is done */
	char user[USER_MAX];
	uint8_t *in, *out;
	size_t in_n, in_cap, out_n, out_at, out_cap;
};

struct keeper {
	struct store *store;
	struct serving_writer *serving;
	struct lists *lists;
	char dir[3072], portal_user[USER_MAX], home_user[USER_MAX];
	int listen_fd, epoll_fd, stop_fd, job_fd, lock_fd, hold_fd;
	struct keeper_conn conn[CONN_MAX];
	uint8_t *body, *bad, *frame;  /* of the reply being made */
	union packed *packed;
	struct store_change *changes;
	struct sweep sweep;
	struct keeper_user *users;
	size_t user_n;
	uint64_t malformed, tick_ms;
	uint64_t repack_seq;   /* the change whose subscriptions are being packed anew; 0 = none */
	int64_t repack_after;  /* so far */
	bool more;             /* it goes on as soon as nobody asks */
	uint64_t duty_ms;      /* when duties were looked at last */
	struct jobs *jobs;     /* bulk jobs */
	uint64_t jobs_due_ms;  /* when the next step of one is; UINT64_MAX: there is none */
	struct keeper_job *job[JOB_MAX];
	struct store *spare[JOB_MAX];  /* readers that rest: opening one takes longer than most questions */
	pthread_mutex_t job_lock;
	bool stop;
};

/* One request on its way to its answer. */
struct ask {
	struct keeper *k;
	const struct keep *req;
	struct keep *rep;
	struct who who;
	struct say *say;
	struct wr *body, *bad;
	enum object object;
	char next[ROW_ROOM]; /* what KEEP_NEXT shows */
};

/* publish.c: bring the serving copy up to the records. Rebuilds it when it is behind the feed. Where a
 * change touches many subscriptions, one step of it: `more` says that there are others. */
enum err MUST_USE keeper_publish(struct keeper *k, char why[256]);
enum err MUST_USE keeper_open_serving(struct keeper *k, char why[256]);

/* answer.c: one request, answered. Never fails: what is wrong stands in the reply. */
void keeper_answer(struct keeper *k, const char *user, const struct keep *req, struct wr *out);
uint64_t keeper_wall_ms(void);

/* holds.c: data_dir/holds.sock, where home asks for greylistings; hold_fd is readable; once a second. */
enum err MUST_USE keeper_holds_open(struct keeper *k, char why[256]);
void keeper_holds_hear(struct keeper *k);
void keeper_holds_tick(struct keeper *k);

/* lists.c: bulk equipment lists. */
enum err MUST_USE keeper_lists_open(struct keeper *k, const struct keeper_conf *conf, char why[256]);
void keeper_lists_close(struct keeper *k);
const struct serving_lists *keeper_lists_now(const struct keeper *k);
enum err MUST_USE keeper_lists_publish(struct keeper *k); /* nothing if they are */
enum err MUST_USE keeper_lists_answer(struct keeper *k, const struct ask *a);

/* job.c: is it a request that may take long? */
bool keeper_job_wanted(const struct keep *req);
/* Begin it, for the connection that asked in this frame. ERR_AGAIN: JOB_MAX are under way. */
enum err MUST_USE keeper_job(struct keeper *k, struct keeper_conn *c, struct view frame);
/* job_fd is readable: hand each reply that is ready (n 0: it failed) to `answer`. */
void keeper_jobs_done(struct keeper *k,
		      void (*answer)(struct keeper *k, struct keeper_conn *c, struct view reply));
/* Give up what is under way. */
void keeper_jobs_end(struct keeper *k);

/* narrow.c: the user that a connection becomes which narrows itself; no system has it. */
#define KEEPER_PORTAL "(portal)"
#define KEEPER_API    "(api)"
const char *keeper_narrows(const struct keep *req); /* to whom; NULL: it is no such request */
bool keeper_allows(const char *user, const struct keep *req);
enum err MUST_USE keeper_narrow(struct ask *a);

/* bulk.c: bulk jobs. */
enum err MUST_USE keeper_bulk_open(struct keeper *k, const struct keeper_conf *conf, char why[256]);
enum err MUST_USE keeper_bulk(struct ask *a);
void keeper_bulk_step(struct keeper *k);	   /* one, if it is due */
int keeper_bulk_wait(const struct keeper *k, int most); /* milliseconds until it is, at most so many */

/* duty.c: what is due; may a tenant's data be used. Once an hour: what is late becomes an event. */
enum err MUST_USE keeper_duties(struct ask *a);
enum err MUST_USE keeper_may(struct ask *a);
void keeper_duty_tick(struct keeper *k, uint64_t now_ms);

/* note.c: an entry of the journal about what is no record. */
enum err MUST_USE keeper_note(struct ask *a);

/* serve.c */
enum err MUST_USE keeper_listen(struct keeper *k, const char *group, char why[256]);
void keeper_hang_up(struct keeper_conn *c);
void keeper_users(struct keeper *k);
