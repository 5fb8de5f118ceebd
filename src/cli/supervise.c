#include "cli/supervise.h"

#include "base/log.h"
#include "cli/args.h"
#include "loop/child.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_MS 120000 /* a big store takes its time */
#define STOP_MS 6000
#define RESTART_MS 1000

struct seat {
	const struct role *role;
	struct child child;
	int page_fd, event_in, event_out; /* event_in: the role's end; event_out: watch's */
	bool up;
};

struct house {
	const struct supervise *how;
	struct conf conf;
	uint8_t site_key[16];
	struct seat seat[ROLE_MAX];
	size_t seat_n;
	const struct seat *starting;
};

/* --- inside a role's process ------------------------------------------------------------------ */

struct listener {
	struct role_env *env;
	int control;
};

static void take_over(struct role_env *e, const struct conf *c)
{
	log_show((enum log_level)c->log_level);
	log_clear_identities(c->log_identities == 1);
	if (e->role->reload)
		e->role->reload(e, c);
}

/* Hears the supervisor while the role works: stop, reload. */
static void *listen_to_supervisor(void *ctx)
{
	struct listener *l = ctx;
	struct child_message m;
	struct conf c;
	char why[256], *text;
	size_t n;

	while (child_hear(l->control, &m, -1) == ERR_OK) {
		if (m.word == CHILD_STOP || m.word == CHILD_GONE)
			break;
		if (m.word != CHILD_RELOAD || m.fd_n != 1)
			continue;
		text = child_read(m.fds[0], 65536, &n);
		close(m.fds[0]);
		if (text &&
		    conf_parse((struct view){(uint8_t *)text, n}, "reload", &c, why) == ERR_OK)
			take_over(l->env, &c);
		free(text);
	}
	l->env->role->stop(l->env);
	return NULL;
}

static void *map_page(int fd, int prot)
{
	void *p = mmap(NULL, sizeof(struct role_page), prot, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static bool map_pages(struct house *h, const struct seat *mine, struct role_env *e)
{
	e->page = map_page(mine->page_fd, PROT_READ | PROT_WRITE);
	if (e->page) /* what a killed one left there counts no more */
		memset(e->page, 0, sizeof *e->page);
	for (size_t i = 0; i < h->seat_n; i++) {
		struct seat *s = &h->seat[i];

		e->watch.role[i] = (struct watch_role){
		    s->role->name, map_page(s->page_fd, PROT_READ), s->event_out};
		if (!e->watch.role[i].page)
			return false;
	}
	e->watch.role_n = h->seat_n;
	return e->page != NULL;
}

/* A user of the role's own where the system has one; else the common one; else the number that a
 * role without a user gets. Empty: stay. */
static const char *user_of(const struct house *h, const struct role *r, char name[64])
{
	snprintf(name, 64, "%.40s-%s", h->conf.user, r->name);
	if (!h->conf.user[0] || getuid() != 0)
		return NULL;
	if (getpwnam(name))
		return name;
	if (getpwnam(h->conf.user))
		return h->conf.user;
	snprintf(name, 64, "%u", 61184u + r->order);
	return name;
}

static enum err enter_sandbox(struct house *h, struct role_env *e, char why[256])
{
	char name[64], degraded[128] = "", stores[CONF_TEXT_MAX];
	const char *dir = e->role->stores && conf_stores(&h->conf, stores) ? stores : h->conf.data_dir;
	struct sandbox box = {.user = user_of(h, e->role, name),
			      .network = e->role->network,
			      .threads = true,
			      .write_dir = e->role->writes ? dir : NULL};
	enum err err = box.user ? prepare_owner(dir, e->role->own, box.user, why) : ERR_OK;

	if (!err)
		err = sandbox_enter(&box, degraded, why);
	if (!err && degraded[0])
		LOG(LOG_NOTE, "role.sandbox_less", kv_text("what", degraded));
	return err;
}

static int body(void *ctx, int control)
{
	struct house *h = ctx;
	const struct seat *s = h->starting;
	struct role_env *e = calloc(1, sizeof *e);
	struct listener l = {e, control};
	struct child_message m;
	pthread_t thread;
	char why[256] = "out of memory";
	enum err err = ERR_FULL;

	signal(SIGINT, SIG_IGN); /* Ctrl-C is the supervisor's to hear */
	log_init(s->role->name, h->site_key, (enum log_level)h->conf.log_level);
	log_clear_identities(h->conf.log_identities == 1);
	log_to(s->event_in);
	if (e && map_pages(h, s, e)) {
		e->role = s->role;
		e->conf = h->conf;
		e->demo = h->how->demo;
		memcpy(e->site_key, h->site_key, sizeof e->site_key);
		metric_map(&e->page->metrics);
		err = s->role->open(e, why);
	}
	if (!err)
		err = enter_sandbox(h, e, why);
	if (err) {
		child_say(control, CHILD_FAILED, why, NULL, 0);
		return EXIT_CONFIG;
	}
	child_say(control, CHILD_READY, NULL, NULL, 0);
	if (child_hear(control, &m, -1) != ERR_OK || m.word != CHILD_GO)
		return EXIT_FAILED;
	__atomic_store_n(&e->page->live.ready, 1, __ATOMIC_RELAXED);
	LOG(LOG_NOTE, "role.up", kv_text("name", s->role->name));
	if (pthread_create(&thread, NULL, listen_to_supervisor, &l) != 0)
		return EXIT_FAILED;
	s->role->run(e);
	__atomic_store_n(&e->page->live.ready, 0, __ATOMIC_RELAXED);
	LOG(LOG_NOTE, "role.down", kv_text("name", s->role->name));
	return EXIT_DONE;
}

/* --- the supervisor --------------------------------------------------------------------------- */

static bool open_seat(struct seat *s)
{
	int pair[2];

	s->page_fd = memfd_create("merlon-page", MFD_CLOEXEC);
	if (s->page_fd < 0 || ftruncate(s->page_fd, sizeof(struct role_page)) != 0)
		return false;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
		return false;
	s->event_in = pair[0];
	s->event_out = pair[1];
	return true;
}

/* Start, and wait until it is ready to serve. */
static enum err start_role(struct house *h, struct seat *s, char why[256])
{
	int keep[CHILD_FDS * 4];
	size_t n = 0;
	struct child_message m;
	enum err err;

	for (size_t i = 0; i < h->seat_n; i++) {
		keep[n++] = h->seat[i].page_fd;
		if (strcmp(s->role->name, "watch") == 0)
			keep[n++] = h->seat[i].event_out;
	}
	keep[n++] = s->event_in;
	h->starting = s;
	err = child_start(&s->child, s->role->name, keep, n, body, h);
	if (err) {
		snprintf(why, 256, "%s: cannot start a process: %s", s->role->name,
			 strerror(errno));
		return err;
	}
	err = child_hear(s->child.control, &m, START_MS);
	if (!err && m.word == CHILD_READY)
		return ERR_OK;
	snprintf(why, 256, "%.250s", !err && m.word == CHILD_FAILED ? m.text : "");
	if (!why[0])
		snprintf(why, 256, "%s: ended before it was ready", s->role->name);
	return ERR_CONFIG;
}

static bool go(struct seat *s)
{
	s->up = child_say(s->child.control, CHILD_GO, NULL, NULL, 0);
	return s->up;
}

static void stop_all(struct house *h)
{
	char end[96];
	int status;

	for (size_t i = h->seat_n; i-- > 0;) {
		struct seat *s = &h->seat[i];

		if (s->child.pid <= 0)
			continue;
		s->child.stopping = true;
		child_say(s->child.control, CHILD_STOP, NULL, NULL, 0);
		child_end(&s->child, STOP_MS, &status, end);
		if (status != 0 && s->up)
			fprintf(stderr, "merlon: %s: %s\n", s->role->name, end);
		s->child.pid = 0;
	}
}

static int by_order(const void *a, const void *b)
{
	const struct seat *x = a, *y = b;

	return x->role->order - y->role->order;
}

static enum err seat_roles(struct house *h, char why[256])
{
	for (size_t i = 0; i < h->conf.roles.n; i++) {
		struct seat *s = &h->seat[h->seat_n];

		s->role = role_find(h->conf.roles.text[i]);
		if (!s->role) {
			snprintf(why, 256, "roles: %.60s is not a role: watch, keeper, home, edge",
				 h->conf.roles.text[i]);
			return ERR_CONFIG;
		}
		if (!open_seat(s)) {
			snprintf(why, 256, "%s: %s", s->role->name, strerror(errno));
			return ERR_IO;
		}
		h->seat_n++;
	}
	qsort(h->seat, h->seat_n, sizeof *h->seat, by_order);
	return ERR_OK;
}

/* All open first, then all serve: nothing is half-started. The keeper alone serves early, for the
 * others open what it publishes. */
static enum err start_all(struct house *h, char why[256])
{
	enum err err = seat_roles(h, why);

	for (size_t i = 0; i < h->seat_n && !err; i++) {
		err = start_role(h, &h->seat[i], why);
		if (!err && strcmp(h->seat[i].role->name, "keeper") == 0 && !go(&h->seat[i]))
			err = ERR_IO;
	}
	for (size_t i = 0; i < h->seat_n && !err; i++) {
		if (!h->seat[i].up && !go(&h->seat[i]))
			err = ERR_IO;
	}
	return err;
}

/* A role that ended by itself comes back; its partners find it again. */
static void restart(struct house *h, struct seat *s)
{
	char why[256], end[96];
	int status;

	if (!child_ended(&s->child, &status, end))
		return;
	s->child.pid = 0;
	s->up = false;
	fprintf(stderr, "merlon: %s ended: %s; starting it again\n", s->role->name, end);
	usleep(RESTART_MS * 1000);
	if (start_role(h, s, why) != ERR_OK || !go(s))
		fprintf(stderr, "merlon: %s: %s\n", s->role->name, why);
}

static void read_conf(struct house *h, struct conf *c, enum err *err, char why[256])
{
	*err = conf_read(h->how->file, c, why);
}

static void reload(struct house *h)
{
	struct conf c;
	char why[256], text[65536];
	const char *key;
	enum err err;
	size_t n = 0;
	int fd;
	FILE *f;

	read_conf(h, &c, &err, why);
	if (err || !h->how->file) {
		fprintf(stderr, "merlon: not reloaded: %s\n",
			err ? why : "there is no configuration file");
		return;
	}
	key = conf_needs_restart(conf_rows, conf_row_n, &h->conf, &c);
	if (key)
		fprintf(stderr, "merlon: %s: a change takes effect after a restart\n", key);
	conf_take(conf_rows, conf_row_n, &h->conf, &c); /* for roles that start again */
	f = fopen(h->how->file, "re");
	if (f) {
		n = fread(text, 1, sizeof text, f);
		fclose(f);
	}
	fd = child_memfd("merlon-reload", (struct view){(uint8_t *)text, n});
	for (size_t i = 0; i < h->seat_n && fd >= 0; i++)
		child_say(h->seat[i].child.control, CHILD_RELOAD, "configuration", &fd, 1);
	if (fd >= 0)
		close(fd);
	fprintf(stderr, "merlon: configuration reloaded\n");
}

/* Until a signal says stop. */
static void mind(struct house *h, int signals)
{
	struct signalfd_siginfo info;
	struct pollfd p[ROLE_MAX + 1];

	for (;;) {
		p[0] = (struct pollfd){.fd = signals, .events = POLLIN};
		for (size_t i = 0; i < h->seat_n; i++)
			p[i + 1] = (struct pollfd){.fd = h->seat[i].child.pidfd, .events = POLLIN};
		if (poll(p, h->seat_n + 1, 5000) <= 0)
			continue;
		for (size_t i = 0; i < h->seat_n; i++) {
			if (p[i + 1].revents)
				restart(h, &h->seat[i]);
		}
		if (!(p[0].revents & POLLIN) || read(signals, &info, sizeof info) != sizeof info)
			continue;
		if (info.ssi_signo != SIGHUP)
			return;
		reload(h);
	}
}

static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int supervise(const struct supervise *how)
{
	static struct house h;
	char why[256] = "";
	enum err err = conf_read(how->file, &h.conf, why);
	int signals = signals_open();

	h.how = how;
	if (!err && how->data_dir)
		err = conf_move(&h.conf, how->data_dir, why);
	if (!err)
		err = prepare_data(&h.conf, h.site_key, why);
	if (!err)
		err = start_all(&h, why);
	if (err) {
		fprintf(stderr, "merlon: %s\n", why[0] ? why : err_text(err));
		stop_all(&h);
		return EXIT_CONFIG;
	}
	if (how->up)
		how->up(&h.conf, how->ctx);
	mind(&h, signals);
	fprintf(stderr, "\nmerlon: stopping\n");
	stop_all(&h);
	return EXIT_DONE;
}
