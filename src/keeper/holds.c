/* Greylistings by home: it says by datagram which SIM it saw in which device, and says it again until the
 * records show it; so nothing is answered here. Whether the profile wants a case opened is decided by the
 * records alone (store_hold): home can ask for nothing else. And cases end by themselves. */
#include "keeper/keeper_in.h"

#include "base/log.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BATCH 64
#define FRAME 256

/* Home's user may send: by the group that it shares with the data directory, or by its own. */
static void allow(const struct keeper *k, const char *path)
{
	const struct passwd *p = k->home_user[0] ? getpwnam(k->home_user) : NULL;
	gid_t gid = p ? p->pw_gid : (gid_t)strtoul(k->home_user, NULL, 10); /* it may be a bare number */

	if (chmod(path, 0660) != 0 || (gid != 0 && geteuid() == 0 && chown(path, (uid_t)-1, gid) != 0))
		LOG(LOG_ERROR, "keeper.holds_shut", KV("path", path), KV("error", strerror(errno)));
}

enum err keeper_holds_open(struct keeper *k, char why[256])
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int yes = 1;
	mode_t mask;

	if ((size_t)snprintf(at.sun_path, sizeof at.sun_path, "%s/holds.sock", k->dir) >=
	    sizeof at.sun_path) {
		snprintf(why, 256, "%.180s/holds.sock: path too long for a socket", k->dir);
		return ERR_CONFIG;
	}
	k->hold_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	unlink(at.sun_path); /* ours: the lock is held */
	mask = umask(0177);
	if (k->hold_fd < 0 || setsockopt(k->hold_fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) != 0 ||
	    bind(k->hold_fd, (struct sockaddr *)&at, sizeof at) != 0) {
		snprintf(why, 256, "%.180s: %s", at.sun_path, strerror(errno));
		umask(mask);
		return ERR_IO;
	}
	umask(mask);
	allow(k, at.sun_path);
	return ERR_OK;
}

static bool may_ask(const struct keeper *k, const struct ucred *who)
{
	if (who->uid == geteuid() || who->uid == 0)
		return true;
	for (size_t i = 0; i < k->user_n; i++) {
		if (k->users[i].uid == who->uid)
			return k->home_user[0] && strcmp(k->users[i].name, k->home_user) == 0;
	}
	return who->uid == strtoul(k->home_user, NULL, 10);
}

/* The next frame of somebody who may ask; its length, 0: there is none. */
static size_t hear(struct keeper *k, uint8_t frame[FRAME])
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} control;

	for (;;) {
		struct iovec part = { frame, FRAME };
		struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
				    .msg_controllen = sizeof control };
		ssize_t n = recvmsg(k->hold_fd, &m, 0);
		struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
		struct ucred who;

		if (n < 0)
			return 0;
		if (!c || c->cmsg_type != SCM_CREDENTIALS || (m.msg_flags & MSG_TRUNC))
			continue;
		memcpy(&who, CMSG_DATA(c), sizeof who);
		if (may_ask(k, &who))
			return (size_t)n;
		k->malformed++;
	}
}

static enum err open_case(struct keeper *k, struct view frame)
{
	struct who who = { VIEW("home"), 0, keeper_wall_ms(), { 0 } };
	struct say s = { "" };
	struct keep req;
	enum err err = keep_parse(&req, frame);

	if (err || req.reply || req.op != KEEP_HOLD) {
		k->malformed++;
		return ERR_OK;
	}
	err = store_hold(k->store, &who, req.text[KEEP_KEY], req.text[KEEP_NAME], &s);
	if (err)
		LOG(LOG_NOTE, "keeper.hold_refused", kv_id("imsi", bcd_of(req.text[KEEP_KEY])),
		    KV("reason", s.text[0] ? (const char *)s.text : err_text(err)), KV_CLAUSE("R-5.7.3.b"));
	return err == ERR_IO || err == ERR_FULL ? err : ERR_OK;
}

static void publish(struct keeper *k)
{
	char why[256];

	if (keeper_publish(k, why))
		LOG(LOG_ERROR, "keeper.late", KV("error", (const char *)why));
}

void keeper_holds_hear(struct keeper *k)
{
	uint8_t frame[FRAME];
	size_t n = hear(k, frame);
	enum err err;

	if (n == 0 || store_begin(k->store))
		return;
	err = open_case(k, (struct view){ frame, n });
	for (int i = 1; i < BATCH && !err && (n = hear(k, frame)) > 0; i++)
		err = open_case(k, (struct view){ frame, n });
	if (err)
		store_rollback(k->store);
	else if (!store_commit(k->store))
		publish(k);
}

void keeper_holds_tick(struct keeper *k)
{
	struct who who = { VIEW("keeper"), 0, keeper_wall_ms(), { 0 } };

	if (store_holds_end(k->store, &who) > 0)
		publish(k);
}
