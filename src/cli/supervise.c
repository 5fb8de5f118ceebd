#include "cli/supervise.h"

#include "cli/args.h"
#include "cli/house.h"
#include "cli/lend.h"
#include "cli/notify.h"
#include "records/room.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

/* Neither the role nor anyone can change the size of a page under who reads it. */
static bool open_page(struct seat *s)
{
	char path[32];

	s->page_fd = memfd_create("merlon-page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s->page_fd < 0 || ftruncate(s->page_fd, sizeof(struct role_page)) != 0 ||
	    fcntl(s->page_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		return false;
	snprintf(path, sizeof path, "/proc/self/fd/%d", s->page_fd);
	s->page_ro = open(path, O_RDONLY | O_CLOEXEC);
	return s->page_ro >= 0;
}

static bool open_seat(struct seat *s)
{
	int pair[2];

	s->line_fd = -1;
	if (!open_page(s) || !said_open(s) ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
		return false;
	s->event_in = pair[0];
	s->event_out = pair[1];
	return true;
}

/* A role gets its own page, its end of the events, its line; watch all others' to read. */
static enum err start_child(struct house *h, struct seat *s, char why[256])
{
	int keep[CHILD_FDS * 4];
	size_t n = 0;
	enum err err;

	for (size_t i = 0; i < h->seat_n && s->role->sees; i++) {
		keep[n++] = h->seat[i].page_ro;
		keep[n++] = h->seat[i].event_out;
	}
	keep[n++] = s->page_fd;
	keep[n++] = s->event_in;
	keep[n++] = s->said_in;
	if (s->line_fd >= 0)
		keep[n++] = s->line_fd;
	h->starting = s;
	err = child_start(&s->child, s->role->name, keep, n, role_body, h);
	if (err)
		snprintf(why, 256, "%s: cannot start a process: %s", s->role->name,
			 strerror(errno));
	if (s->line_fd >= 0)
		close(s->line_fd);
	s->line_fd = -1;
	return err;
}

/* Start, and wait until it is ready to serve. */
static enum err start_role(struct house *h, struct seat *s, char why[256])
{
	struct child_message m;
	enum err err;

	if (s->role->asks && certify_wanted(&h->conf) && !certify_line(h, s))
		fprintf(stderr, "merlon: %s: there is no signer yet\n", s->role->name);
	err = start_child(h, s, why);
	if (err)
		return err;
	err = child_hear(s->child.control, &m, START_MS);
	said_relay(s);
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
		said_relay(s);
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

static enum err seat_role(struct house *h, const struct role *r, char why[256])
{
	struct seat *s = &h->seat[h->seat_n];

	s->role = r;
	if (!open_seat(s)) {
		snprintf(why, 256, "%s: %s", r->name, strerror(errno));
		return ERR_IO;
	}
	h->seat_n++;
	return ERR_OK;
}

/* Do the roles that were asked for, alone, speak TLS? Else its key is nothing that they may read. */
static bool speaks_tls(const struct house *h, const struct conf *c)
{
	bool home = false;

	for (size_t i = 0; i < c->home_listen.n; i++)
		home |= strncmp(c->home_listen.text[i], "tls:", 4) == 0;
	for (size_t i = 0; i < h->how->role_n; i++) {
		if (strcmp(h->how->role[i], "edge") == 0 ||
		    (home && strcmp(h->how->role[i], "home") == 0))
			return true;
	}
	return h->how->role_n == 0;
}

static enum err read_conf(const struct house *h, struct conf *c, char why[256])
{
	enum err err = conf_read(h->how->file, c, why);

	if (!err && !speaks_tls(h, c))
		c->tls_chain[0] = c->tls_key[0] = c->tls_ca[0] = c->tls_crl[0] = 0;
	return err;
}

static enum err seat_roles(struct house *h, char why[256])
{
	enum err err = ERR_OK;
	size_t n = h->how->role_n ? h->how->role_n : h->conf.roles.n;

	for (size_t i = 0; i < n && i < ROLE_MAX - 1 && !err; i++) {
		const char *name = h->how->role_n ? h->how->role[i] : h->conf.roles.text[i];
		const struct role *r = role_find(name);

		if (!r) {
			snprintf(why, 256,
				 "roles: %.60s is not a role: watch, keeper, home, edge, portal, inspect",
				 name);
			return ERR_CONFIG;
		}
		if (strcmp(r->name, "signer") != 0)
			err = seat_role(h, r, why);
	}
	if (!err && certify_wanted(&h->conf))
		err = seat_role(h, role_find("signer"), why);
	qsort(h->seat, h->seat_n, sizeof *h->seat, by_order);
	return err;
}

/* All open first, then all serve: nothing is half-started. The signer and the keeper alone serve early, for
 * the others open what these give out. */
static enum err start_all(struct house *h, char why[256])
{
	enum err err = seat_roles(h, why);

	for (size_t i = 0; i < h->seat_n && !err; i++) {
		err = start_role(h, &h->seat[i], why);
		if (!err && h->seat[i].role->early && !go(&h->seat[i]))
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
	said_relay(s);
	s->child.pid = 0;
	s->up = false;
	fprintf(stderr, "merlon: %s ended: %s; starting it again\n", s->role->name, end);
	usleep(RESTART_MS * 1000);
	/* Its certificate's file may be a newer one than the signer's key. */
	if (s->role->asks && certify_wanted(&h->conf) && certify_signer(h, &h->conf, why) != ERR_OK)
		fprintf(stderr, "merlon: %s\n", why);
	if (start_role(h, s, why) != ERR_OK || !go(s))
		fprintf(stderr, "merlon: %s: %s\n", s->role->name, why);
	else if (strcmp(s->role->name, "signer") == 0)
		certify_again(h);
}

/* To each role the text of the file: it takes over what may change. */
static void send_conf(struct house *h)
{
	char text[65536];
	size_t n = 0;
	FILE *f = fopen(h->how->file, "re");
	int fd;

	if (f) {
		n = fread(text, 1, sizeof text, f);
		fclose(f);
	}
	fd = child_memfd("merlon-reload", (struct view){(uint8_t *)text, n});
	for (size_t i = 0; i < h->seat_n && fd >= 0; i++)
		child_say(h->seat[i].child.control, CHILD_RELOAD, SAY_CONF, &fd, 1);
	if (fd >= 0)
		close(fd);
}

/* Certificates come first: when they are refused, all stays as it was. */
static enum err reload_checked(struct house *h, struct conf *c, char why[256])
{
	const char *key;
	enum err err = h->how->file ? read_conf(h, c, why) : ERR_CONFIG;

	if (!h->how->file)
		snprintf(why, 256, "there is no configuration file");
	if (err)
		return err;
	if (!c->tls_chain[0] != !h->conf.tls_chain[0]) {
		fprintf(stderr, "merlon: tls.chain: with or without TLS takes effect after a restart\n");
		memcpy(c->tls_chain, h->conf.tls_chain, sizeof c->tls_chain);
		memcpy(c->tls_key, h->conf.tls_key, sizeof c->tls_key);
		memcpy(c->tls_ca, h->conf.tls_ca, sizeof c->tls_ca);
		memcpy(c->tls_crl, h->conf.tls_crl, sizeof c->tls_crl);
	} else if (certify_wanted(&h->conf)) {
		err = certify_all(h, c, why);
	}
	key = err ? NULL : conf_needs_restart(conf_rows, conf_row_n, &h->conf, c);
	if (key)
		fprintf(stderr, "merlon: %s: a change takes effect after a restart\n", key);
	return err;
}

static void reload(struct house *h)
{
	static struct conf c;
	char why[256];

	if (reload_checked(h, &c, why) != ERR_OK) {
		fprintf(stderr, "merlon: not reloaded: %s\n", why);
		return;
	}
	conf_take(conf_rows, conf_row_n, &h->conf, &c); /* for roles that start again */
	send_conf(h);
	fprintf(stderr, "merlon: configuration reloaded\n");
}

/* A watch that is not ours gets what one of ours would have. A signer is shown beside edge's alone. */
static void lend_seats(struct house *h)
{
	struct lent rows[ROLE_MAX];
	bool edge = false;
	size_t n = 0;

	for (size_t i = 0; i < h->seat_n; i++) {
		if (h->seat[i].role->sees)
			return;
		edge |= strcmp(h->seat[i].role->name, "edge") == 0;
	}
	for (size_t i = 0; i < h->seat_n; i++) {
		const struct seat *s = &h->seat[i];

		if (edge || strcmp(s->role->name, "signer") != 0)
			rows[n++] = (struct lent){s->role->name, s->page_ro, s->event_out};
	}
	if (h->conf.watch_socket[0])
		lend(&h->lent, h->conf.watch_socket, rows, n);
}

/* Until a signal says stop. */
static void mind(struct house *h, int signals)
{
	struct signalfd_siginfo info;
	struct pollfd p[2 * ROLE_MAX + 2];

	for (;;) {
		lend_seats(h);
		p[0] = (struct pollfd){.fd = signals, .events = POLLIN};
		for (size_t i = 0; i < h->seat_n; i++)
			p[i + 1] = (struct pollfd){.fd = h->seat[i].child.pidfd, .events = POLLIN};
		for (size_t i = 0; i < h->seat_n; i++)
			p[h->seat_n + i + 2] =
			    (struct pollfd){.fd = h->seat[i].said_out, .events = POLLIN};
		p[h->seat_n + 1] = (struct pollfd){.fd = h->lists, .events = POLLIN};
		if (poll(p, 2 * h->seat_n + 2, 1000) <= 0)
			continue;
		if (p[h->seat_n + 1].revents)
			lists_heard(h);
		for (size_t i = 0; i < h->seat_n; i++) {
			if (p[h->seat_n + i + 2].revents)
				said_relay(&h->seat[i]);
		}
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
	int signals = signals_open();
	enum err err;

	h.how = how;
	h.lent = -1;
	err = read_conf(&h, &h.conf, why);
	if (!err && how->data_dir)
		err = conf_move(&h.conf, how->data_dir, why);
	if (!err)
		err = prepare_data(&h.conf, h.site_key, why);
	records_room = (size_t)h.conf.stores_room_gb << 30; /* the roles' processes inherit it */
	if (!err)
		err = start_all(&h, why);
	if (err) {
		fprintf(stderr, "merlon: %s\n", why[0] ? why : err_text(err));
		stop_all(&h);
		return EXIT_CONFIG;
	}
	lists_begin(&h);
	if (how->up)
		how->up(&h.conf, how->ctx);
	notify_systemd("READY=1");
	mind(&h, signals);
	notify_systemd("STOPPING=1");
	fprintf(stderr, "\nmerlon: stopping\n");
	stop_all(&h);
	return EXIT_DONE;
}
