/* The line to the signer: ask, wait a little, never longer. */
#include "loop/sign.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define AWAY_MS 250 /* nobody asks a signer again that has just not answered */

struct sign_line {
	pthread_mutex_t lock;
	int fd;
	uint32_t serial;
	uint64_t away_until;
	uint8_t room[SIGN_MESSAGE_MAX];
};

static _Thread_local const char *last;

const char *sign_why(void)
{
	return last;
}

void sign_why_clear(void)
{
	last = NULL;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

struct sign_line *sign_line_new(int fd)
{
	struct sign_line *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	pthread_mutex_init(&l->lock, NULL);
	l->fd = fd;
	return l;
}

void sign_line_free(struct sign_line *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

void sign_line_take(struct sign_line *l, int fd)
{
	pthread_mutex_lock(&l->lock);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = fd;
	l->away_until = 0;
	pthread_mutex_unlock(&l->lock);
}

static enum err away(struct sign_line *l, const char *why)
{
	l->away_until = now_ms() + AWAY_MS;
	last = why;
	return ERR_AGAIN;
}

static enum err hear(struct sign_line *l, uint64_t until, struct sign_reply *reply)
{
	struct pollfd p = { l->fd, POLLIN, 0 };
	uint64_t now;
	ssize_t n;

	while ((now = now_ms()) < until) {
		if (poll(&p, 1, (int)(until - now)) <= 0)
			continue;
		n = recv(l->fd, l->room, sizeof l->room, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return away(l, "the signer has ended; the supervisor starts it again");
		if (sign_parse_reply((struct view){ l->room, (size_t)n }, reply) == ERR_OK &&
		    reply->serial == l->serial)
			return ERR_OK; /* any other is for a caller who waits no more */
	}
	return away(l, "the signer does not answer in time");
}

/* Answers that came too late would fill the line. */
static void drain(struct sign_line *l)
{
	for (int i = 0; i < 1000 && recv(l->fd, l->room, sizeof l->room, MSG_DONTWAIT) > 0; i++)
		;
}

static enum err ask(struct sign_line *l, const struct sign_request *r, uint8_t *signature, size_t *n)
{
	struct wr w = { .p = l->room, .cap = sizeof l->room };
	struct sign_request mine = *r;
	struct sign_reply reply;
	enum err err;

	if (now_ms() < l->away_until)
		return ERR_AGAIN;
	if (l->fd >= 0)
		drain(l);
	mine.serial = ++l->serial;
	sign_emit_request(&w, &mine);
	if (w.err)
		return ERR_LENGTH;
	last = NULL;
	if (l->fd < 0 || send(l->fd, w.p, w.n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return away(l, "there is no signer; the supervisor starts it again");
	err = hear(l, now_ms() + SIGN_WAIT_MS, &reply);
	if (err)
		return err;
	if (reply.answer != SIGN_SIGNED) {
		last = sign_answer_text(reply.answer);
		return ERR_REFUSED;
	}
	memcpy(signature, reply.signature.p, reply.signature.n);
	*n = reply.signature.n;
	return ERR_OK;
}

enum err sign_ask(struct sign_line *l, const struct sign_request *r, uint8_t *signature, size_t *n)
{
	struct timespec t;
	enum err err;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += SIGN_WAIT_MS * 1000000l;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	last = "the signer is busy, or away; the supervisor starts it again";
	if (pthread_mutex_clocklock(&l->lock, CLOCK_MONOTONIC, &t) != 0)
		return ERR_AGAIN;
	err = ask(l, r, signature, n);
	pthread_mutex_unlock(&l->lock);
	return err;
}
