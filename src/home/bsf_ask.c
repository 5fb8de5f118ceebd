/* Between Ub's thread and home's loop: one question at a time. */
#include "home/bsf_in.h"
#include "home/worker.h"

#include "base/log.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 100 /* how often a waiting thread looks whether home stops */

bool bsf_ask(struct bsf *b, struct bsf_ask *ask)
{
	const uint64_t one = 1;
	struct timespec until;
	bool done;

	pthread_mutex_lock(&b->lock);
	b->ask = *ask;
	b->state = BSF_ASKED;
	if (write(b->ask_fd, &one, sizeof one) != sizeof one)
		b->ask.result = RESULT_UNABLE; /* it is woken all the same: the counter is not zero */
	while (b->state != BSF_DONE && !atomic_load(&b->stop)) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += LOOK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&b->answered, &b->lock, &until);
	}
	done = b->state == BSF_DONE;
	*ask = b->ask;
	secret_wipe(&b->ask, sizeof b->ask);
	b->state = BSF_IDLE;
	pthread_mutex_unlock(&b->lock);
	return done;
}

/* The vector, and whether it waits for a commit: the difference of a genuine AUTS must outlive a crash.
 */
static enum bsf_state make_vector(struct bsf *b, const struct home_rows *rows)
{
	struct home_worker *w = b->w;
	struct bsf_ask *a = &b->ask;
	struct view auts = {a->rand_auts, a->resync ? sizeof a->rand_auts : 0};
	struct auth_result r;
	struct aka_key key;
	enum bsf_state next = BSF_DONE;
	enum err err;

	authenticate_gba(&w->self, &w->means, rows, worker_key(w, rows, a->imsi, &key), auts, &r);
	secret_wipe(&key, sizeof key);
	a->result = r.result;
	a->resynced = r.resynced;
	a->v = r.utran[0];
	if (!r.result && r.store) {
		err = reg_put(w->reg, &r.reg, BSF_TOKEN);
		a->result = err ? RESULT_NO_VECTORS : RESULT_OK;
		next = err ? BSF_DONE : BSF_COMMITTING;
	}
	secret_wipe(&r, sizeof r);
	return next;
}

void bsf_asked(void *ctx, int fd)
{
	struct bsf *b = ctx;
	struct home_worker *w = b->w;
	struct home_rows rows;
	struct reg_row reg;
	uint64_t n;

	if (read(fd, &n, sizeof n) != sizeof n)
		return;
	pthread_mutex_lock(&b->lock);
	if (b->state == BSF_ASKED) {
		worker_renew(w);
		b->ask.result = RESULT_UNABLE;
		b->state = BSF_DONE;
		if (w->fresh) {
			rows = worker_rows(w, b->ask.imsi, &reg);
			w->means.wall_ms = loop_wall(w->loop);
			b->ask.result = gba_check(&rows, w->means.wall_ms);
			if (!b->ask.result && b->ask.vector)
				b->state = make_vector(b, &rows);
		}
		if (b->state == BSF_DONE)
			pthread_cond_signal(&b->answered);
	}
	pthread_mutex_unlock(&b->lock);
}

void bsf_durable(struct bsf *b, enum err err)
{
	pthread_mutex_lock(&b->lock);
	if (b->state == BSF_COMMITTING) {
		if (err)
			b->ask.result = RESULT_UNABLE;
		b->state = BSF_DONE;
		pthread_cond_signal(&b->answered);
	}
	pthread_mutex_unlock(&b->lock);
}
