#include "records/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_S 600

struct client {
	int fd;
	uint32_t id;
	uint8_t *out, *in;
};

static enum err connect_to(int *fd, const char *path, char why[256])
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = WAIT_S };

	if (strlen(path) >= sizeof to.sun_path) {
		snprintf(why, 256, "%.180s: path too long for a socket", path);
		return ERR_CONFIG;
	}
	memcpy(to.sun_path, path, strlen(path) + 1);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd >= 0 && connect(*fd, (struct sockaddr *)&to, sizeof to) == 0 &&
	    setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0)
		return ERR_OK;
	snprintf(why, 256, "%.160s: %s (is merlon running?)", path, strerror(errno));
	return ERR_IO;
}

enum err client_open(struct client **out, const char *path, char why[256])
{
	struct client *c = calloc(1, sizeof *c);
	enum err err = ERR_FULL;

	*out = NULL;
	if (c) {
		c->fd = -1;
		c->out = malloc(KEEP_FRAME_MAX);
		c->in = malloc(KEEP_FRAME_MAX);
	}
	if (c && c->out && c->in)
		err = connect_to(&c->fd, path, why);
	else
		snprintf(why, 256, "out of memory");
	if (err) {
		client_close(c);
		return err;
	}
	*out = c;
	return ERR_OK;
}

void client_close(struct client *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	free(c->out);
	free(c->in);
	free(c);
}

int client_fd(const struct client *c)
{
	return c->fd;
}

static enum err send_all(struct client *c, struct view v)
{
	while (v.n > 0) {
		ssize_t n = send(c->fd, v.p, v.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_IO;
		v = (struct view){ v.p + n, v.n - (size_t)n };
	}
	return ERR_OK;
}

static enum err receive(struct client *c, struct keep *rep)
{
	size_t have = 0, want = 0;

	while (want == 0 || have < want) {
		ssize_t n = recv(c->fd, c->in + have, (want ? want : KEEP_HEAD) - have, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_IO;
		have += (size_t)n;
		if (want == 0)
			want = keep_frame((struct view){ c->in, have });
		if (want == SIZE_MAX)
			return ERR_HEADER;
	}
	return keep_parse(rep, (struct view){ c->in, want });
}

enum err client_call(struct client *c, struct keep *req, struct keep *rep, char why[256])
{
	struct wr w = { .p = c->out, .cap = KEEP_FRAME_MAX };
	enum err err;

	req->id = ++c->id;
	keep_emit(&w, req);
	err = w.err ? w.err : send_all(c, wr_done(&w));
	if (!err)
		err = receive(c, rep);
	if (!err && (!rep->reply || rep->id != req->id || !keep_has(rep, KEEP_STATUS)))
		err = ERR_HEADER;
	if (err)
		snprintf(why, 256, "keeper: %s", err == ERR_IO ? "the connection ended" : err_text(err));
	return err;
}
