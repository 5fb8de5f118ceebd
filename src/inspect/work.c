/* A worker: reads the frames of its two interfaces in batches, and sends on what may go on. */
#include "inspect/inspect_in.h"

#include "base/log.h"
#include "base/metric.h"

#include <poll.h>
#include <time.h>

#define BATCH 256
#define RENEW_MS 20
#define WAIT_MS 20 /* at most without a beat of the heart */

uint64_t inspect_clock_ms(int clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static const struct book *book_of(const struct inspect_worker *w)
{
	return w->read ? serving_book(w->read) : &book_empty;
}

static void begin(struct inspect_worker *w)
{
	w->now_ms = inspect_clock_ms(CLOCK_MONOTONIC);
	w->wall_ms = inspect_clock_ms(CLOCK_REALTIME);
	if (w->read && w->now_ms - w->renewed_ms >= RENEW_MS) {
		if (serving_renew(w->read, w->now_ms) != ERR_OK)
			metric_add(M_SERVING_STALE, 0, 1);
		content_book(w->content, book_of(w));
		w->renewed_ms = w->now_ms;
	}
	pipe_batch(w->pipe, book_of(w), w->now_ms, w->wall_ms / 1000);
}

static void look_ahead(const struct pipe *p, const struct nic_frame *f, size_t n)
{
	struct view v[PIPE_AHEAD];
	size_t k = n < PIPE_AHEAD ? n : PIPE_AHEAD;

	for (size_t i = 0; i < k; i++)
		v[i] = (struct view){ f[i].p, f[i].n };
	pipe_ahead(p, v, k);
}

static size_t one_side(struct inspect_worker *w, unsigned int side)
{
	struct nic_frame f[BATCH];
	size_t n = w->nic[side] ? nic_read(w->nic[side], f, BATCH) : 0;

	for (size_t i = 0; i < n; i++) {
		enum pipe_act act;

		if (i % PIPE_AHEAD == 0)
			look_ahead(w->pipe, f + i, n - i);
		act = pipe_frame(w->pipe, side, f[i].p, f[i].n, PACKET_ETHERNET);
		if (act == PIPE_PASS && w->nic[1])
			(void)nic_write(w->nic[!side], &f[i]);
	}
	if (n > 0)
		nic_done(w->nic[side]);
	return n;
}

static void flush(struct inspect_worker *w)
{
	for (size_t i = 0; i < 2; i++) {
		if (w->nic[i])
			nic_flush(w->nic[i]);
	}
}

/* While the heart stood still the kernel has forwarded what came: it must not go out again. */
static void discard(struct inspect_worker *w)
{
	struct nic_frame f[BATCH];

	for (size_t i = 0; i < 2; i++) {
		while (w->nic[i] && nic_read(w->nic[i], f, BATCH) > 0)
			nic_done(w->nic[i]);
	}
}

static void beat(struct inspect_worker *w)
{
	uint64_t now = inspect_clock_ms(CLOCK_MONOTONIC), last = atomic_load(&w->alive_ms);

	if (w->heart && (last == 0 || now - last > w->role->conf->watchdog_ms)) {
		discard(w);
		if (last > 0)
			LOG(LOG_NOTE, "inspect.woke", kv_num("ms", now - last));
	}
	atomic_store(&w->alive_ms, now);
	if (w->heart)
		nic_beat(w->heart);
}

static void wait_for_frames(struct inspect_worker *w)
{
	struct pollfd p[2] = { { .fd = nic_fd(w->nic[0]), .events = POLLIN },
			       { .fd = -1, .events = POLLIN } };

	if (w->nic[1])
		p[1].fd = nic_fd(w->nic[1]);
	(void)poll(p, 2, WAIT_MS);
}

static void tell_nics(struct inspect_worker *w)
{
	for (size_t i = 0; i < 2; i++) {
		struct nic_counts now, *old = &w->nic_told[i];

		if (!w->nic[i])
			continue;
		nic_counts(w->nic[i], &now);
		metric_add(M_INSPECT_LOST, 0, now.lost - old->lost);
		metric_add(M_INSPECT_LOST, 1, now.full - old->full);
		metric_add(M_INSPECT_LOST, 2, now.long_ - old->long_);
		*old = now;
	}
}

void inspect_tell(struct inspect_worker *w)
{
	const struct pipe_counts *now = pipe_counts(w->pipe), *old = &w->told;

	metric_add(M_INSPECT_FRAMES, 0, now->control - old->control);
	metric_add(M_INSPECT_FRAMES, 1, now->user - old->user);
	metric_add(M_INSPECT_FRAMES, 2, now->plain - old->plain);
	metric_add(M_INSPECT_FRAMES, 3, now->other - old->other);
	metric_add(M_INSPECT_OCTETS, 0, now->octets - old->octets);
	metric_add(M_INSPECT_PASSED, 0, now->passed - old->passed);
	for (unsigned int i = 1; i < DROP_N; i++)
		metric_add(M_INSPECT_DROPPED, i, now->drop[i] - old->drop[i]);
	w->told = *now;
	tell_nics(w);
	notes_flush(&w->notes);
}

void *inspect_work(void *ctx)
{
	struct inspect_worker *w = ctx;

	while (!atomic_load(&w->role->stop)) {
		size_t n;

		beat(w);
		begin(w);
		n = one_side(w, 0) + one_side(w, 1);
		flush(w);
		if (w->now_ms - w->said_ms >= 1000) {
			inspect_tell(w);
			w->said_ms = w->now_ms;
		}
		if (n == 0)
			wait_for_frames(w);
	}
	if (w->heart)
		nic_stop(w->heart);
	inspect_tell(w);
	return NULL;
}
