/* Requests that take long: each in a thread of its own, on a second connection to the records, so that
 * changes, and short questions, go on meanwhile. */
#include "keeper/keeper_in.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct keeper_job {
	struct keeper *owner;
	struct keeper k; /* the records as they were, and room for one reply */
	size_t conn;
	uint64_t visit;  /* of that connection: it may be another's when the job is done */
	char user[USER_MAX];
	uint8_t *in;     /* the request */
	size_t in_n;
	struct wr out;
	pthread_t thread;
	bool done;       /* under the owner's lock */
};

/* Many rows may have to be looked at: those that meet a filter may lie anywhere. Tables that no file is
 * imported into have some hundred. */
static bool long_list(const struct keep *req)
{
	static const char *const big[] = { "subscription", "equipment", "host", "hold" };

	if (req->pair_n == 0 && !keep_has(req, KEEP_TENANT) && !keep_has(req, KEEP_SORT) &&
	    !keep_has(req, KEEP_FIND))
		return false;
	for (size_t i = 0; i < sizeof big / sizeof *big; i++) {
		if (view_eq(req->text[KEEP_OBJECT], view_of(big[i])))
			return true;
	}
	return false;
}

bool keeper_job_wanted(const struct keep *req)
{
	return req->op == KEEP_VERIFY || req->op == KEEP_BACKUP || req->op == KEEP_EXPORT ||
	       (req->op == KEEP_LIST && long_list(req));
}

static void job_free(struct keeper_job *j)
{
	store_close(j->k.store);
	free(j->k.body);
	free(j->k.bad);
	free(j->k.frame);
	free(j->in);
	free(j);
}

static void *work(void *ctx)
{
	struct keeper_job *j = ctx;
	struct keeper *k = j->owner;
	uint64_t one = 1;
	struct keep req;

	if (keep_parse(&req, (struct view){ j->in, j->in_n }) == ERR_OK) /* it was before */
		keeper_answer(&j->k, j->user, &req, &j->out);
	pthread_mutex_lock(&k->job_lock);
	j->done = true;
	pthread_mutex_unlock(&k->job_lock);
	if (write(k->job_fd, &one, sizeof one) != sizeof one)
		LOG(LOG_ERROR, "keeper.job", KV("error", strerror(errno)));
	return NULL;
}

static bool job_room(struct keeper_job *j, struct view frame)
{
	j->in = malloc(frame.n);
	j->k.body = malloc(KEEP_BODY_MAX);
	j->k.bad = malloc(KEEP_BODY_MAX);
	j->k.frame = malloc(KEEP_FRAME_MAX);
	if (!j->in || !j->k.body || !j->k.bad || !j->k.frame)
		return false;
	memcpy(j->in, frame.p, frame.n);
	j->in_n = frame.n;
	j->out = (struct wr){ .p = j->k.frame, .cap = KEEP_FRAME_MAX };
	return true;
}

static enum err job_begin(struct keeper *k, struct keeper_job *j, struct view frame)
{
	char why[256];
	enum err err = job_room(j, frame) ? ERR_OK : ERR_FULL;

	memcpy(j->k.dir, k->dir, sizeof j->k.dir);
	memcpy(j->k.portal_user, k->portal_user, sizeof j->k.portal_user);
	for (int i = 0; i < JOB_MAX && !j->k.store; i++) {
		j->k.store = k->spare[i];
		k->spare[i] = NULL;
	}
	if (!err)
		err = j->k.store ? store_reader_again(j->k.store) : store_reader(&j->k.store, k->store, why);
	if (err)
		LOG(LOG_ERROR, "keeper.job", KV("error", err_text(err)));
	else if (pthread_create(&j->thread, NULL, work, j) != 0)
		err = ERR_FULL;
	return err;
}

enum err keeper_job(struct keeper *k, struct keeper_conn *c, struct view frame)
{
	struct keeper_job **at = k->job, *j;
	enum err err;

	while (at < k->job + JOB_MAX && *at)
		at++;
	j = at < k->job + JOB_MAX ? calloc(1, sizeof *j) : NULL;
	if (!j)
		return ERR_AGAIN;
	j->owner = k;
	j->conn = (size_t)(c - k->conn);
	j->visit = c->visit;
	memcpy(j->user, c->user, sizeof j->user);
	err = job_begin(k, j, frame);
	if (err) {
		job_free(j);
		return err;
	}
	*at = j;
	c->busy = true;
	return ERR_OK;
}

/* Its reader is the next one's. */
static void keep_reader(struct keeper *k, struct keeper_job *j)
{
	for (int i = 0; i < JOB_MAX && j->k.store; i++) {
		if (k->spare[i])
			continue;
		store_reader_rest(j->k.store);
		k->spare[i] = j->k.store;
		j->k.store = NULL;
	}
}

/* One that is done, to be answered; NULL: none. Gives it. */
static struct keeper_job *take_done(struct keeper *k)
{
	struct keeper_job *j = NULL;

	pthread_mutex_lock(&k->job_lock);
	for (int i = 0; i < JOB_MAX && !j; i++) {
		if (!k->job[i] || !k->job[i]->done)
			continue;
		j = k->job[i];
		k->job[i] = NULL;
	}
	pthread_mutex_unlock(&k->job_lock);
	return j;
}

void keeper_jobs_done(struct keeper *k,
		      void (*answer)(struct keeper *k, struct keeper_conn *c, struct view reply))
{
	struct keeper_job *j;
	uint64_t count;
	ssize_t n = read(k->job_fd, &count, sizeof count);

	(void)n; /* spurious: there is nothing to take then */
	while ((j = take_done(k))) {
		struct keeper_conn *c = &k->conn[j->conn];

		pthread_join(j->thread, NULL);
		if (c->fd >= 0 && c->visit == j->visit && c->busy) {
			c->busy = false;
			answer(k, c, j->out.err ? (struct view){ 0 } : wr_done(&j->out));
		}
		keep_reader(k, j);
		job_free(j);
	}
}

void keeper_jobs_end(struct keeper *k)
{
	for (int i = 0; i < JOB_MAX; i++) {
		if (!k->job[i])
			continue;
		store_interrupt(k->job[i]->k.store);
		pthread_join(k->job[i]->thread, NULL);
		job_free(k->job[i]);
		k->job[i] = NULL;
	}
	for (int i = 0; i < JOB_MAX; i++) {
		store_close(k->spare[i]);
		k->spare[i] = NULL;
	}
}
