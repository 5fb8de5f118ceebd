#include "inspect/inspect_in.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FRAGS 64
#define FLOOR 16 /* requests at once that a gateway carries however slow it is */
#define STUCK 20 /* watchdogs, before we would rather be started again */

enum err inspect_pair_parse(const char *text, struct inspect_pair *to)
{
	const char *between = strchr(text, '=');
	size_t n = between ? (size_t)(between - text) : strlen(text);

	*to = (struct inspect_pair){ 0 };
	if (n == 0 || !view_text((struct view){ (const uint8_t *)text, n }, to->a, sizeof to->a))
		return ERR_CONFIG;
	if (!between)
		return ERR_OK;
	return between[1] && view_text(view_of(between + 1), to->b, sizeof to->b) &&
		       strcmp(to->a, to->b) != 0
		   ? ERR_OK
		   : ERR_CONFIG;
}

enum err inspect_prefix_parse(const char *text, struct allow_prefix *to)
{
	char address[ADDRESS_TEXT], *end;
	const char *slash = strchr(text, '/');
	bool six = strchr(text, ':') != NULL;
	unsigned long most = six ? 128 : 32, bits = most;

	*to = (struct allow_prefix){ 0 };
	if (!view_text(view_first(view_of(text), slash ? (size_t)(slash - text) : SIZE_MAX), address,
		       sizeof address))
		return ERR_CONFIG;
	if (slash) {
		bits = strtoul(slash + 1, &end, 10);
		if (*end || end == slash + 1 || bits > most)
			return ERR_CONFIG;
	}
	if (!six)
		to->address[10] = to->address[11] = 0xff;
	to->bits = (uint8_t)(six ? bits : bits + 96);
	return inet_pton(six ? AF_INET6 : AF_INET, address, to->address + (six ? 0 : 12)) == 1 ? ERR_OK :
												 ERR_CONFIG;
}

/* --- what the pipe has done for it ------------------------------------------------------------- */

static void send_out(void *ctx, unsigned int side, struct view frame)
{
	struct inspect_worker *w = ctx;
	struct nic_frame f = { .p = (uint8_t *)(uintptr_t)frame.p, .n = (uint32_t)frame.n };

	if (w->nic[1])
		(void)nic_write(w->nic[side], &f);
}

static enum pipe_word signalling(void *ctx, unsigned int side, const struct packet *p, struct wr *answer)
{
	struct inspect_worker *w = ctx;

	return signalling_take(w->role->signalling, side, p, w->now_ms, w->wall_ms, answer);
}

static enum drop content(void *ctx, const struct session_hit *hit, const struct packet *p)
{
	struct inspect_worker *w = ctx;

	return content_packet(w->content, p, &hit->is, hit->up, w->wall_ms * 1000) == CONTENT_DROP ?
	       DROP_CONTENT : DROP_NOT;
}

static void dropped(void *ctx, enum drop why, const struct session_hit *hit, const struct packet *p)
{
	struct inspect_worker *w = ctx;

	if (why != DROP_SIGNALLING) /* told by signalling_tell */
		notes_add(&w->notes, why, hit, p);
}

/* --- opening ---------------------------------------------------------------------------------- */

static enum err open_wire(struct inspect_worker *w, const struct inspect_pair *p, char why[256])
{
	const struct inspect_conf *c = w->role->conf;
	enum err err;

	if (!p->b[0])
		return ERR_OK;
	if (c->fail_open)
		return nic_wire(&w->heart, p->a, p->b, c->watchdog_ms, why);
	err = nic_unwire(p->a, why);
	return err ? err : nic_unwire(p->b, why);
}

static struct content *open_content(struct inspect_worker *w, bool tap)
{
	struct content_conf c = {
		.book = serving_book(w->read), .passive = tap, .told = inspect_found, .ctx = w
	};

	memcpy(c.key, w->role->conf->key, HASH_KEY);
	return content_new(&c);
}

static enum err open_worker(struct inspect_role *r, size_t i, char why[256])
{
	const struct inspect_conf *c = r->conf;
	const struct inspect_pair *p = &c->pair[i];
	struct inspect_worker *w = &r->worker[i];
	struct nic_conf nic = { p->a, c->driver, c->ring_mb, !p->b[0], NULL };
	struct pipe_ops ops = { send_out, signalling, content, dropped, w };
	struct pipe_conf pipe = { .sessions = r->sessions, .allow = c->allow, .frags = FRAGS, .mark = c->mark,
				  .plain = c->plain };
	enum err err;

	w->role = r;
	memcpy(pipe.allow.key, c->key, HASH_KEY);
	w->read = serving_reader(r->serving);
	w->pipe = pipe_new(&pipe, &ops);
	w->content = w->read ? open_content(w, !p->b[0]) : NULL;
	if (!w->read || !w->pipe || !w->content) {
		snprintf(why, 256, "inspect: out of memory");
		return ERR_FULL;
	}
	err = open_wire(w, p, why);
	nic.heart = w->heart;
	if (!err)
		err = nic_open(&w->nic[0], &nic, why);
	nic.name = p->b;
	return err || !p->b[0] ? err : nic_open(&w->nic[1], &nic, why);
}

/* They outlive us: devices go on after a restart. */
static enum err open_sessions(struct inspect_role *r, char why[256])
{
	const struct inspect_conf *c = r->conf;
	char path[512];
	int fd;

	snprintf(path, sizeof path, "%.400s/" INSPECT_SESSIONS, c->data_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) {
		r->sessions = sessions_map(fd, c->sessions, c->idle_s, c->key);
		close(fd);
	}
	if (r->sessions)
		return ERR_OK;
	snprintf(why, 256, "%.150s: the table of sessions: %s", path, strerror(errno));
	return ERR_IO;
}

static enum err open_all(struct inspect_role *r, char why[256])
{
	const struct inspect_conf *c = r->conf;
	struct signalling_conf s = { .categories = c->categories,
				     .gateway = { .ceiling = c->concurrency,
						  .rate = c->capacity,
						  .floor =
						      c->concurrency < FLOOR ? c->concurrency : FLOOR } };
	enum err err = serving_open(&r->serving, c->data_dir, why);

	if (err)
		return err;
	memcpy(s.key, c->key, sizeof s.key);
	err = open_sessions(r, why);
	if (err)
		return err;
	s.sessions = r->sessions;
	s.read = serving_reader(r->serving);
	if (!s.read) {
		snprintf(why, 256, "inspect: out of memory");
		return ERR_FULL;
	}
	err = signalling_new(&r->signalling, &s, why);
	for (size_t i = 0; i < c->pair_n && !err; i++) {
		err = open_worker(r, i, why);
		r->worker_n = i + 1;
	}
	return err;
}

enum err inspect_start(struct inspect_role **to, const struct inspect_conf *conf, char why[256])
{
	struct inspect_role *r = calloc(1, sizeof *r);
	enum err err;

	*to = NULL;
	if (!r) {
		snprintf(why, 256, "inspect: out of memory");
		return ERR_FULL;
	}
	r->conf = conf;
	err = open_all(r, why);
	if (err)
		inspect_free(r);
	else
		*to = r;
	return err;
}

void inspect_free(struct inspect_role *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->worker_n; i++) {
		struct inspect_worker *w = &r->worker[i];

		nic_close(w->nic[0]);
		nic_close(w->nic[1]);
		nic_heart_free(w->heart);
		pipe_free(w->pipe);
		if (w->content)
			content_free(w->content);
		if (w->read)
			serving_read_free(w->read);
	}
	signalling_free(r->signalling);
	if (r->sessions)
		sessions_free(r->sessions);
	if (r->serving)
		serving_close(r->serving);
	free(r);
}

/* --- running ---------------------------------------------------------------------------------- */

/* A worker that hangs has lost its wire to the kernel long ago; who starts us again gets it back. */
static void look_after(struct inspect_role *r)
{
	uint64_t now = inspect_clock_ms(CLOCK_MONOTONIC);

	for (size_t i = 0; i < r->worker_n; i++) {
		uint64_t last = atomic_load(&r->worker[i].alive_ms);

		if (last == 0 || now - last < (uint64_t)r->conf->watchdog_ms * STUCK)
			continue;
		LOG(LOG_ERROR, "inspect.worker_stuck", kv_num("worker", i), kv_num("ms", now - last));
		_exit(1);
	}
}

void inspect_run(struct inspect_role *r)
{
	const struct timespec while_ = { .tv_nsec = 200000000 };
	uint64_t told_ms = 0;
	size_t n = 0;

	while (n < r->worker_n &&
	       pthread_create(&r->worker[n].thread, NULL, inspect_work, &r->worker[n]) == 0)
		n++;
	if (n < r->worker_n)
		LOG(LOG_ERROR, "inspect.worker_missing", kv_num("worker", n));
	while (!atomic_load(&r->stop)) {
		uint64_t now = inspect_clock_ms(CLOCK_MONOTONIC);

		look_after(r);
		if (now - told_ms >= 1000) {
			signalling_tell(r->signalling);
			told_ms = now;
		}
		nanosleep(&while_, NULL);
	}
	for (size_t i = 0; i < n; i++)
		pthread_join(r->worker[i].thread, NULL);
	signalling_tell(r->signalling);
}

void inspect_stop(struct inspect_role *r)
{
	atomic_store(&r->stop, true);
}
