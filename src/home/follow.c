/* What the loop does about the change feed. */
#include "home/worker.h"

#include "base/log.h"
#include "base/metric.h"

void follow_feed(struct home_worker *w)
{
	struct feed_means means = {w, send_look, w->read, w->reg};
	uint64_t last;

	if (!w->fresh)
		return;
	if (w->feed.again_ms && loop_now(w->loop) >= w->feed.again_ms) {
		w->feed.again_ms = 0;
		feed_want_all(&w->feed);
	}
	w->feed.moved |= feed_step(&w->feed, &means, FEED_PER_STEP);
	last = serving_last(w->read);
	metric_set(M_HOME_FEED_LAG, 0, last > w->feed.cursor ? last - w->feed.cursor : 0);
}

/* A cursor that could not be put is put with the next change; it is only where a restart begins. */
void keep_cursor(struct home_worker *w)
{
	if (w->feed.moved && reg_put_cursor(w->reg, w->feed.cursor, 0))
		LOG(LOG_NOTE, "home.cursor_waits", KV("cursor", w->feed.cursor));
	w->feed.moved = false;
}
