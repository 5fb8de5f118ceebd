/* The socket: clients come, ask whole frames, and are answered one after another. Nothing a
 * client sends can do more than end its own connection. */
#include "keeper/keeper_in.h"

#include "base/log.h"
#include "base/metric.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_MIN   (64 * 1024)
#define EVENTS_MAX 32
#define TICK_MS    1000
#define SWEEP_ROWS 500
#define FEED_KEEP  1000000
#define MARK_LISTEN CONN_MAX
#define MARK_STOP   (CONN_MAX + 1)
#define MARK_JOB    (CONN_MAX + 2)
#define MARK_HOLD   (CONN_MAX + 3)

static enum err watch(struct keeper *k, int fd, uint32_t mark, uint32_t events, int op)
{
	struct epoll_event e = { .events = events, .data.u32 = mark };

	return epoll_ctl(k->epoll_fd, op, fd, &e) == 0 ? ERR_OK : ERR_IO;
}

/* Who may connect: the owner, or the group named. */
static enum err allow(const char *path, const char *group, char why[256])
{
	struct group *g = group ? getgrnam(group) : NULL;

	if (group && !g) {
		snprintf(why, 256, "keeper: no group \"%.100s\"", group);
		return ERR_CONFIG;
	}
	if (chmod(path, g ? 0660 : 0600) == 0 && (!g || chown(path, (uid_t)-1, g->gr_gid) == 0))
		return ERR_OK;
	snprintf(why, 256, "%.180s: %s", path, strerror(errno));
	return ERR_IO;
}

enum err keeper_listen(struct keeper *k, const char *group, char why[256])
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	enum err err = ERR_OK;
	mode_t mask;

	if ((size_t)snprintf(to.sun_path, sizeof to.sun_path, "%s/keeper.sock", k->dir) >=
	    sizeof to.sun_path) {
		snprintf(why, 256, "%.180s/keeper.sock: path too long for a socket", k->dir);
		return ERR_CONFIG;
	}
	k->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	k->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	k->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	k->job_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	unlink(to.sun_path); /* ours: whoever else had it would hold the lock of the serving copy */
	mask = umask(0177);
	if (k->listen_fd < 0 || k->epoll_fd < 0 || k->stop_fd < 0 || k->job_fd < 0 ||
	    bind(k->listen_fd, (struct sockaddr *)&to, sizeof to) != 0 ||
	    listen(k->listen_fd, 64) != 0) {
		snprintf(why, 256, "%.180s: %s", to.sun_path, strerror(errno));
		err = ERR_IO;
	}
	umask(mask);
	if (!err)
		err = allow(to.sun_path, group, why);
	if (!err)
		err = watch(k, k->listen_fd, MARK_LISTEN, EPOLLIN, EPOLL_CTL_ADD);
	if (!err)
		err = watch(k, k->job_fd, MARK_JOB, EPOLLIN, EPOLL_CTL_ADD);
	if (!err)
		err = watch(k, k->hold_fd, MARK_HOLD, EPOLLIN, EPOLL_CTL_ADD);
	return err ? err : watch(k, k->stop_fd, MARK_STOP, EPOLLIN, EPOLL_CTL_ADD);
}

void keeper_hang_up(struct keeper_conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->in);
	free(c->out);
	*c = (struct keeper_conn){ .fd = -1, .visit = c->visit + 1 };
}

static void add_user(struct keeper *k, const struct passwd *p)
{
	struct keeper_user *u = &k->users[k->user_n];

	if (!p || k->user_n == USERS_MAX || !view_text(view_of(p->pw_name), u->name, USER_MAX))
		return;
	u->uid = p->pw_uid;
	k->user_n++;
}

/* Ourselves first: a directory service may not list its users. */
void keeper_users(struct keeper *k)
{
	struct passwd *p;

	add_user(k, getpwuid(getuid()));
	setpwent();
	while (k->user_n < USERS_MAX && (p = getpwent()))
		add_user(k, p);
	endpwent();
}

static bool user_of(const struct keeper *k, int fd, char user[USER_MAX])
{
	struct ucred who;
	socklen_t n = sizeof who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0)
		return false;
	snprintf(user, USER_MAX, "uid-%u", who.uid);
	for (size_t i = 0; i < k->user_n; i++) {
		if (k->users[i].uid != who.uid)
			continue;
		memcpy(user, k->users[i].name, USER_MAX);
		break;
	}
	return true;
}

static void come(struct keeper *k)
{
	struct keeper_conn *c = k->conn;
	int fd = accept4(k->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	while (c < k->conn + CONN_MAX && c->fd >= 0)
		c++;
	if (c == k->conn + CONN_MAX || !user_of(k, fd, c->user) ||
	    watch(k, fd, (uint32_t)(c - k->conn), EPOLLIN, EPOLL_CTL_ADD)) {
		LOG(LOG_NOTE, "keeper.full", KV("connections", CONN_MAX));
		close(fd);
		return;
	}
	c->fd = fd;
}

static bool grow(uint8_t **p, size_t *cap, size_t need)
{
	size_t to = *cap ? *cap : READ_MIN;
	uint8_t *more;

	while (to < need)
		to *= 2;
	if (to == *cap)
		return true;
	more = realloc(*p, to);
	if (!more)
		return false;
	*p = more;
	*cap = to;
	return true;
}

/* Write what waits; then listen again. While a client does not take its answers it is not read
 * either. */
static bool flush(struct keeper *k, struct keeper_conn *c)
{
	while (c->out_at < c->out_n) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_n - c->out_at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return (errno == EAGAIN || errno == EWOULDBLOCK) &&
			       !watch(k, c->fd, (uint32_t)(c - k->conn), EPOLLOUT, EPOLL_CTL_MOD);
		c->out_at += (size_t)n;
	}
	if (c->out_n > 0 && watch(k, c->fd, (uint32_t)(c - k->conn), EPOLLIN, EPOLL_CTL_MOD))
		return false;
	c->out_n = c->out_at = 0;
	return true;
}

static bool malformed(struct keeper *k, const struct keeper_conn *c, enum err err)
{
	k->malformed++;
	metric_add(M_KEEPER_MALFORMED, 0, 1);
	LOG(LOG_NOTE, "keeper.malformed", KV("user", (const char *)c->user), KV("error", err_text(err)));
	return false;
}

static bool reply(struct keeper *k, struct keeper_conn *c, struct view v)
{
	if (!grow(&c->out, &c->out_cap, v.n))
		return false;
	memcpy(c->out, v.p, v.n);
	c->out_n = v.n;
	return flush(k, c);
}

/* While a job works for a client, or one is waited for, the client is not read. */
static bool begin_job(struct keeper *k, struct keeper_conn *c, const struct keep *req, struct view frame)
{
	struct keep rep = { .op = req->op, .reply = true, .id = req->id };
	struct wr w = { .p = k->frame, .cap = KEEP_FRAME_MAX };
	enum err err = keeper_job(k, c, frame);

	c->waits = err == ERR_AGAIN;
	if (!err || c->waits)
		return !watch(k, c->fd, (uint32_t)(c - k->conn), 0, EPOLL_CTL_MOD);
	keep_put_num(&rep, KEEP_STATUS, err);
	keep_put_text(&rep, KEEP_REASON, view_of(err_text(err)));
	keep_emit(&w, &rep);
	return !w.err && reply(k, c, wr_done(&w));
}

/* Answer every whole frame that is there. False: the connection ends. */
static bool serve(struct keeper *k, struct keeper_conn *c)
{
	size_t at = 0;

	while (c->out_n == 0 && !c->busy && !c->waits) {
		struct view in = { c->in + at, c->in_n - at };
		size_t n = keep_frame(in);
		struct wr w = { .p = k->frame, .cap = KEEP_FRAME_MAX };
		struct keep req;
		enum err err;

		if (n == SIZE_MAX)
			return malformed(k, c, ERR_HEADER);
		if (n == 0 || n > in.n)
			break;
		err = keep_parse(&req, view_first(in, n));
		if (err || req.reply)
			return malformed(k, c, err ? err : ERR_NOT_ALLOWED);
		if (keeper_job_wanted(&req)) {
			if (!begin_job(k, c, &req, view_first(in, n)))
				return false;
			at += c->waits ? 0 : n;
			continue;
		}
		at += n;
		if (keeper_narrows(&req) && keeper_allows(c->user, &req))
			snprintf(c->user, sizeof c->user, "%s", keeper_narrows(&req));
		keeper_answer(k, c->user, &req, &w);
		if (w.err || !reply(k, c, wr_done(&w)))
			return false;
	}
	memmove(c->in, c->in + at, c->in_n - at);
	c->in_n -= at;
	return true;
}

static bool hear(struct keeper *k, struct keeper_conn *c)
{
	ssize_t n;

	if (c->in_n >= KEEP_FRAME_MAX || !grow(&c->in, &c->in_cap, c->in_n + READ_MIN))
		return false;
	n = recv(c->fd, c->in + c->in_n, c->in_cap - c->in_n, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	c->in_n += (size_t)n;
	return serve(k, c);
}

/* A job is done: its reply, and what the client has asked meanwhile. */
static void job_answer(struct keeper *k, struct keeper_conn *c, struct view v)
{
	bool ok = v.n > 0 && !watch(k, c->fd, (uint32_t)(c - k->conn), EPOLLIN, EPOLL_CTL_MOD) &&
		  reply(k, c, v) && (c->out_n > 0 || serve(k, c));

	if (!ok)
		keeper_hang_up(c);
}

static void serve_waiting(struct keeper *k)
{
	for (struct keeper_conn *c = k->conn; c < k->conn + CONN_MAX; c++) {
		if (c->fd < 0 || !c->waits)
			continue;
		c->waits = false;
		if (watch(k, c->fd, (uint32_t)(c - k->conn), EPOLLIN, EPOLL_CTL_MOD) || !serve(k, c))
			keeper_hang_up(c);
	}
}

static void event(struct keeper *k, const struct epoll_event *e)
{
	struct keeper_conn *c = &k->conn[e->data.u32 < CONN_MAX ? e->data.u32 : 0];
	bool ok = true;

	if (e->data.u32 == MARK_STOP) {
		k->stop = true;
		return;
	}
	if (e->data.u32 == MARK_JOB) {
		keeper_jobs_done(k, job_answer);
		serve_waiting(k);
		return;
	}
	if (e->data.u32 == MARK_HOLD) {
		keeper_holds_hear(k);
		return;
	}
	if (e->data.u32 == MARK_LISTEN) {
		come(k);
		return;
	}
	if (c->fd < 0)
		return;
	if (c->busy || c->waits) /* it is not read: it has gone */
		ok = false;
	else if (e->events & EPOLLOUT)
		ok = flush(k, c) && (c->out_n > 0 || serve(k, c));
	else
		ok = hear(k, c);
	if (!ok)
		keeper_hang_up(c);
}

/* Once a second: a copy that is late, the held read transaction, and some rows of the sweep. */
static void tick(struct keeper *k)
{
	uint64_t now = keeper_wall_ms();
	char why[256];

	if (now - k->tick_ms < TICK_MS)
		return;
	k->tick_ms = now;
	if (k->serving && !serving_waits(k->serving) && keeper_publish(k, why))
		LOG(LOG_ERROR, "keeper.late", KV("error", (const char *)why));
	if (k->serving)
		serving_tick(k->serving, now);
	keeper_holds_tick(k);
	keeper_duty_tick(k, now);
	metric_add(M_RECORDS_TAMPERED, 0, store_sweep(k->store, &k->sweep, SWEEP_ROWS));
	store_prune(k->store, FEED_KEEP);
}

static void go_on(struct keeper *k)
{
	char why[256];

	if (keeper_publish(k, why)) {
		k->more = false; /* the tick tries again */
		LOG(LOG_ERROR, "keeper.late", KV("error", (const char *)why));
	}
}

void keeper_run(struct keeper *k)
{
	struct epoll_event events[EVENTS_MAX];

	while (!k->stop) {
		int n = epoll_wait(k->epoll_fd, events, EVENTS_MAX,
				   k->more ? 0 : keeper_bulk_wait(k, TICK_MS));

		for (int i = 0; i < n; i++)
			event(k, &events[i]);
		if (k->more && n == 0)
			go_on(k);
		else if (!k->more)
			keeper_bulk_step(k);
		tick(k);
	}
}

void keeper_stop(struct keeper *k)
{
	uint64_t one = 1;
	ssize_t n = write(k->stop_fd, &one, sizeof one);

	(void)n; /* the counter cannot be full: nobody else writes it */
}
