#include "watch/watch.h"

#include "base/log.h"
#include "loop/http.h"
#include "watch/door.h"
#include "watch/events.h"
#include "watch/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define PAGE_MAX (2 * 1024 * 1024)
#define DATAGRAM 8192
#define BATCH_MAX 256 /* datagrams of one role a wake-up: none starves the others */

struct watch {
	struct watch_conf conf;
	struct endpoint listen;
	struct loop *loop;
	struct events *events;
	struct http *http;
	struct door *door;
	pthread_mutex_t lock; /* of conf.role: pages are made on the thread of http */
	uint64_t refused, unwritten;
};

static unsigned int page_of(const struct watch *me, const char *path, struct wr *w,
			    const char **type)
{
	bool ready;

	if (strcmp(path, "/metrics") == 0) {
		*type = "text/plain; version=0.0.4; charset=utf-8";
		text_metrics(&me->conf, w);
		return 200;
	}
	if (strcmp(path, "/live.json") == 0) {
		*type = "application/json";
		text_live(&me->conf, w);
		return 200;
	}
	if (strcmp(path, "/healthz") == 0) {
		wr_view(w, VIEW("ok\n"));
		return 200;
	}
	if (strcmp(path, "/readyz") == 0) {
		ready = text_ready(&me->conf);
		wr_view(w, ready ? VIEW("ready\n") : VIEW("not ready\n"));
		return ready ? 200 : 503;
	}
	wr_view(w, VIEW("see /metrics, /live.json, /healthz, /readyz\n"));
	return 404;
}

static unsigned int page(void *ctx, const char *path, struct wr *w, const char **type)
{
	struct watch *me = ctx;
	unsigned int status;

	pthread_mutex_lock(&me->lock);
	status = page_of(me, path, w, type);
	pthread_mutex_unlock(&me->lock);
	return status;
}

/* Each role speaks for itself: the line must name the role whose socket it came by, once. log_write puts the
 * name third; a quote within a text would be escaped. */
static bool speaks_for_itself(const struct watch *me, int fd, struct view line)
{
	char head[64];
	size_t n, at = 0, commas = 0;

	for (size_t i = 0; i < me->conf.role_n; i++) {
		if (me->conf.role[i].events_fd == fd)
			at = i;
	}
	n = (size_t)snprintf(head, sizeof head, ",\"role\":\"%s\"", me->conf.role[at].name);
	for (size_t i = 0; i < line.n && commas < 2; i++) {
		if (line.p[i] != ',' || ++commas < 2)
			continue;
		return line.n - i > n && memcmp(line.p + i, head, n) == 0 &&
		       !memmem(line.p + i + n, line.n - i - n, ",\"role\":", 8);
	}
	return false;
}

static void take_events(void *ctx, int fd)
{
	struct watch *me = ctx;
	uint8_t line[DATAGRAM];

	for (int i = 0; i < BATCH_MAX; i++) {
		ssize_t n = recv(fd, line, sizeof line, MSG_DONTWAIT);
		enum err err;

		if (n < 0)
			return;
		err = speaks_for_itself(me, fd, (struct view){line, (size_t)n}) ?
			      events_add(me->events, (struct view){line, (size_t)n}) :
			      ERR_VALUE;
		me->refused += err == ERR_VALUE;
		me->unwritten += err == ERR_IO;
	}
}

static void every_100_ms(void *ctx)
{
	struct watch *me = ctx;

	if (events_flush(me->events) != ERR_OK)
		return; /* nothing is lost yet: what waits is tried again */
}

/* Our own events cannot go through ourselves: straight into the file, by standard error's way. */
static void every_second(void *ctx)
{
	struct watch *me = ctx;

	if (me->refused + me->unwritten == 0)
		return;
	LOG(LOG_ERROR, "watch.events_lost", kv_num("refused", me->refused),
	    kv_num("unwritten", me->unwritten));
	me->refused = 0;
	me->unwritten = 0;
}

static enum err open_door(struct watch *w, char why[256])
{
	struct door_conf c = {w->conf.door, w->conf.guest, w->conf.guest_n, &w->conf,
			      &w->lock,	    w->loop,	   take_events,	    w};

	return door_open(&w->door, &c, why);
}

static enum err open_all(struct watch *w, char why[256])
{
	static const struct loop_limits limits = {
	    .conn_max = 1, .frame_max = 4096, .out_max = 4096, .handshake_ms = 1000};
	struct http_conf http = {&w->listen, PAGE_MAX, page, w};
	char text[128];
	enum err err;

	snprintf(text, sizeof text, "tcp:%.100s", w->conf.listen);
	if (endpoint_parse(view_of(text), &w->listen) != ERR_OK) {
		snprintf(why, 256, "watch.listen: %.100s is not ADDRESS:PORT", w->conf.listen);
		return ERR_CONFIG;
	}
	w->loop = loop_new(&limits);
	if (!w->loop) {
		snprintf(why, 256, "watch: out of memory");
		return ERR_FULL;
	}
	err = events_open(&w->events, w->conf.events, w->conf.to_syslog, why);
	if (!err)
		err = http_start(&w->http, &http, why);
	for (size_t i = 0; i < w->conf.role_n && !err; i++) {
		if (w->conf.role[i].page)
			err = loop_watch(w->loop, w->conf.role[i].events_fd, take_events, w);
	}
	return err || !w->conf.door ? err : open_door(w, why);
}

enum err watch_start(struct watch **out, const struct watch_conf *conf, char why[256])
{
	struct watch *w = calloc(1, sizeof *w);
	enum err err;

	*out = NULL;
	if (!w) {
		snprintf(why, 256, "watch: out of memory");
		return ERR_FULL;
	}
	w->conf = *conf;
	pthread_mutex_init(&w->lock, NULL);
	err = open_all(w, why);
	if (err) {
		watch_free(w);
		return err;
	}
	loop_every(w->loop, 100, every_100_ms, w);
	loop_every(w->loop, 1000, every_second, w);
	*out = w;
	return ERR_OK;
}

void watch_run(struct watch *w)
{
	loop_run(w->loop);
	for (size_t i = 0; i < w->conf.role_n; i++) {
		if (w->conf.role[i].page)
			take_events(w, w->conf.role[i].events_fd); /* what the others said last */
	}
}

void watch_stop(struct watch *w)
{
	loop_stop(w->loop);
}

void watch_free(struct watch *w)
{
	if (w->http)
		http_stop(w->http);
	door_close(w->door);
	events_close(w->events);
	if (w->loop)
		loop_free(w->loop);
	free(w);
}
