#include "watch/watch.h"

#include "base/log.h"
#include "base/metric.h"
#include "loop/http.h"
#include "watch/alarm.h"
#include "watch/db.h"
#include "watch/door.h"
#include "watch/events.h"
#include "watch/second.h"
#include "watch/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define PAGE_MAX (2 * 1024 * 1024)
#define DATAGRAM 8192
#define LIVE_MAX (512 * 1024)
#define BATCH_MAX 256 /* datagrams of one role a wake-up: none starves the others */

struct watch {
	struct watch_conf conf;
	struct endpoint listen;
	struct loop *loop;
	struct events *events;
	struct db *db; /* NULL: no store is wanted */
	struct alarms *alarms;
	struct second *second;
	uint8_t *room; /* of the live page, for the store */
	struct http *http;
	struct door *door;
	pthread_mutex_t lock; /* of conf.role: pages are made on the thread of http */
	uint64_t refused, unwritten, said;
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

static uint64_t wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* The store may lack what the file has; it is counted. Somebody's right to be forgotten comes as an event. */
static void keep(struct watch *me, struct view line)
{
	struct event_line e;

	line.n -= line.n > 0 && line.p[line.n - 1] == '\n';
	if (line_parse(line, &e) != ERR_OK)
		return;
	if (view_eq(e.name, VIEW("records.erased")) && view_eq(e.role, VIEW("keeper")) && me->db)
		metric_add(M_WATCH_STORED, 2, db_forget(me->db, e.subject));
	if (me->db)
		metric_add(M_WATCH_STORED, db_add(me->db, &e, line) == ERR_OK ? 0 : 1, 1);
	alarms_event(me->alarms, &e, line);
}

/* Our own events cannot go through a socket of ours. */
static void news(void *ctx, const struct alarm_news *n)
{
	struct watch *me = ctx;
	uint64_t now = wall_us();
	uint8_t line[1024];
	struct event_line e;
	int len = snprintf((char *)line, sizeof line,
			   "{\"time\":%llu.%06llu,\"seq\":%llu,\"role\":\"watch\",\"level\":\"%s\","
			   "\"event\":\"watch.alarm_%s\",\"alarm\":\"%s\",\"severity\":\"%s\","
			   "\"clause\":\"%s\",\"subject\":\"%.*s\",\"number\":%llu}\n",
			   (unsigned long long)(now / 1000000), (unsigned long long)(now % 1000000),
			   (unsigned long long)me->said++, n->open ? "error" : "note",
			   n->open ? "raised" : "cleared", n->name, n->severity, n->clause,
			   (int)n->subject.n, (const char *)n->subject.p, (unsigned long long)n->id);
	struct view v = {line, len > 0 && (size_t)len < sizeof line ? (size_t)len : 0};

	if (v.n == 0 || events_add(me->events, v) != ERR_OK) {
		me->unwritten++;
		return;
	}
	v.n--;
	if (me->db && line_parse(v, &e) == ERR_OK)
		metric_add(M_WATCH_STORED, db_add(me->db, &e, v) == ERR_OK ? 0 : 1, 1);
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
		if (err != ERR_VALUE)
			keep(me, (struct view){line, (size_t)n});
	}
}

static void every_100_ms(void *ctx)
{
	struct watch *me = ctx;

	if (me->db && db_flush(me->db) != ERR_OK)
		me->unwritten++;
	if (events_flush(me->events) != ERR_OK)
		return; /* nothing is lost yet: what waits is tried again */
}

/* What the last second was, and what is now, for those who read the store. */
static void store_second(struct watch *me, uint64_t now_us)
{
	struct wr w = {.p = me->room, .cap = LIVE_MAX};
	bool lost = false;

	if (second_take(me->second, &me->conf, &w) && !w.err)
		lost |= db_second(me->db, now_us / 1000000, wr_done(&w)) != ERR_OK;
	w = (struct wr){.p = me->room, .cap = LIVE_MAX};
	text_live(&me->conf, &w);
	if (!w.err)
		lost |= db_live(me->db, now_us / 1000000, wr_done(&w)) != ERR_OK;
	me->unwritten += lost;
	db_prune(me->db, now_us);
}

/* What we lose cannot go through ourselves: by standard error's way. */
static void every_second(void *ctx)
{
	struct watch *me = ctx;
	uint64_t now_us = wall_us();

	alarms_tick(me->alarms, now_us);
	metric_set(M_WATCH_ALARMS, 0, alarms_open(me->alarms));
	if (me->db)
		store_second(me, now_us);
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

static enum err open_store(struct watch *w, char why[256])
{
	const struct db_conf c = {w->conf.store, w->conf.keep_days, w->conf.store_mb, w->conf.history_h};
	struct alarms_conf a = {.roles = &w->conf,
				.disk = w->conf.store,
				.disk_free = w->conf.disk_free,
				.news = news,
				.ctx = w};
	enum err err = w->conf.store && w->conf.store[0] ? db_open(&w->db, &c, why) : ERR_OK;

	if (err)
		return err;
	a.db = w->db;
	w->alarms = alarms_new(&a);
	w->second = second_new();
	w->room = malloc(LIVE_MAX);
	if (w->alarms && w->second && w->room) {
		struct wr nothing = {0};

		(void)second_take(w->second, &w->conf, &nothing); /* what the first second is compared with */
		return ERR_OK;
	}
	snprintf(why, 256, "watch: out of memory");
	return ERR_FULL;
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
		err = open_store(w, why);
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
	alarms_free(w->alarms);
	second_free(w->second);
	db_close(w->db);
	free(w->room);
	events_close(w->events);
	if (w->loop)
		loop_free(w->loop);
	free(w);
}
