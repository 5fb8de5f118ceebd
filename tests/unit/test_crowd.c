/* Strangers: how many there may be, who goes first, and that the known do not feel them (R-5.6.1.c). */
#include "base/metric.h"
#include "loop/loop.h"
#include "unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CUT_LIMIT  0 /* label values of M_LOOP_CLOSED */
#define CUT_TIME   1
#define CUT_OUTPUT 3

static const struct loop_limits limits = { .conn_max = 12, .frame_max = 65536, .out_max = 8 << 20,
					   .handshake_ms = 400, .stranger_max = 6,
					   .stranger_address_max = 3, .address_max = 5,
					   .out_total_max = 6 << 20 };

/* A message is its length in three octets, itself included; 'P' proves who sends it, 'F' asks for much. */
static size_t frame(struct view in)
{
	size_t n;

	if (in.n < 3)
		return 0;
	n = (size_t)in.p[0] << 16 | (size_t)in.p[1] << 8 | in.p[2];
	return n < 4 ? SIZE_MAX : n;
}

static void up(void *ctx, struct conn *c)
{
	(void)ctx;
	(void)c;
}

static void message(void *ctx, struct conn *c, struct view v)
{
	static const uint8_t much[65536];

	(void)ctx;
	if (v.p[3] == 'P')
		conn_proven(c);
	for (int i = 0; v.p[3] == 'F' && i < 15; i++)
		(void)conn_write(c, (struct view){ much, sizeof much });
	if (v.p[3] != 'F')
		(void)conn_write(c, v);
}

static void down(void *ctx, struct conn *c, const char *why)
{
	const char **last = ctx;

	(void)c;
	*last = why;
}

static const struct conn_ops ops = { frame, up, message, down };

struct server {
	struct loop *loop;
	struct endpoint at;
	pthread_t thread;
	const char *why;
};

static void *run(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void serve(struct server *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char text[64], why[256];

	check(bind(fd, (struct sockaddr *)&a, n) == 0 && getsockname(fd, (struct sockaddr *)&a, &n) == 0);
	close(fd);
	snprintf(text, sizeof text, "tcp:127.0.0.1:%u", ntohs(a.sin_port));
	check_eq(endpoint_parse(view_of(text), &s->at), ERR_OK);
	s->loop = loop_new(&limits);
	check(s->loop);
	check_eq(loop_listen(s->loop, &s->at, NULL, false, &ops, &s->why, why), ERR_OK);
	check(pthread_create(&s->thread, NULL, run, s->loop) == 0);
}

static void stop(struct server *s)
{
	loop_stop(s->loop);
	pthread_join(s->thread, NULL);
	loop_free(s->loop);
}

/* From 127.0.0.`from`. */
static int dial(const struct server *s, int from)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(s->at.port) }, b = a;
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	b.sin_addr.s_addr = htonl(0x7f000000u + (uint32_t)from);
	b.sin_port = 0;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	check(bind(fd, (struct sockaddr *)&b, sizeof b) == 0);
	check(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
	return fd;
}

static bool served(int fd, char word)
{
	const uint8_t m[4] = { 0, 0, 4, (uint8_t)word };
	uint8_t got[4];

	return send(fd, m, 4, MSG_NOSIGNAL) == 4 && recv(fd, got, 4, MSG_WAITALL) == 4;
}

static bool ended(int fd)
{
	uint8_t b[65536];
	ssize_t n;

	while ((n = recv(fd, b, sizeof b, 0)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}

static uint64_t cut(uint32_t why)
{
	return metric_get(M_LOOP_CLOSED, why);
}

TEST(a_newcomer_pushes_out_the_oldest_stranger_of_its_address)
{
	struct server s = { 0 };
	uint64_t before = cut(CUT_LIMIT);
	int fd[5], other;

	serve(&s);
	other = dial(&s, 9);
	check(served(other, 'x'));
	for (int i = 0; i < 5; i++) {
		fd[i] = dial(&s, 1);
		check(served(fd[i], 'x')); /* a message alone proves nothing */
	}
	check(ended(fd[0]) && ended(fd[1]));
	for (int i = 2; i < 5; i++)
		check(served(fd[i], 'x'));
	check(served(other, 'x'));
	check_eq(cut(CUT_LIMIT), before + 2);
	for (int i = 0; i < 5; i++)
		close(fd[i]);
	close(other);
	stop(&s);
}

TEST(who_is_proven_stays_whoever_comes)
{
	struct server s = { 0 };
	int fd[40], known[2];

	serve(&s);
	known[0] = dial(&s, 1);
	known[1] = dial(&s, 2);
	check(served(known[0], 'P') && served(known[1], 'P'));
	for (int i = 0; i < 40; i++) {
		fd[i] = dial(&s, 10 + i);
		check(served(known[i % 2], 'x'));
	}
	for (int i = 0; i < 34; i++)
		check(ended(fd[i]));
	check(served(fd[39], 'P'));
	check(served(known[0], 'x') && served(known[1], 'x') && served(fd[39], 'x'));
	for (int i = 0; i < 40; i++)
		close(fd[i]);
	close(known[0]);
	close(known[1]);
	stop(&s);
}

TEST(one_address_does_not_get_all_the_room)
{
	struct server s = { 0 };
	uint64_t before = cut(CUT_LIMIT);
	int fd[7], other;

	serve(&s);
	for (int i = 0; i < 5; i++) {
		fd[i] = dial(&s, 1);
		check(served(fd[i], 'P'));
	}
	fd[5] = dial(&s, 1);
	check(ended(fd[5]));
	check_eq(cut(CUT_LIMIT), before + 1);
	other = dial(&s, 2);
	check(served(other, 'P'));
	close(fd[0]);
	check(served(fd[1], 'x')); /* the end of the first is heard before this */
	fd[6] = dial(&s, 1);
	check(served(fd[6], 'x'));
	for (int i = 1; i < 7; i++)
		close(fd[i]);
	close(other);
	stop(&s);
}

TEST(a_message_that_begins_must_end)
{
	struct server s = { 0 };
	uint64_t before = cut(CUT_TIME);
	int fd;

	serve(&s);
	fd = dial(&s, 1);
	check(served(fd, 'P'));
	check(send(fd, "\0\1\0x", 4, MSG_NOSIGNAL) == 4);
	for (int i = 0; i < 20 && cut(CUT_TIME) == before; i++) {
		(void)!send(fd, "x", 1, MSG_NOSIGNAL); /* a byte now and then does not help */
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	}
	check(ended(fd));
	close(fd);
	stop(&s);
	check_eq(cut(CUT_TIME), before + 1);
	check(strcmp(s.why, "no message in time") == 0);
}

TEST(what_waits_for_those_who_do_not_read_is_bounded)
{
	struct server s = { 0 };
	uint64_t before = cut(CUT_OUTPUT);
	int fd[3], reader, small = 4096;

	serve(&s);
	reader = dial(&s, 9);
	check(served(reader, 'P'));
	for (int i = 0; i < 3; i++) {
		fd[i] = dial(&s, 1 + i);
		setsockopt(fd[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
		check(served(fd[i], 'P'));
	}
	for (int k = 0; k < 200 && cut(CUT_OUTPUT) == before; k++) {
		for (int i = 0; i < 3; i++)
			(void)!send(fd[i], "\0\0\4F", 4, MSG_NOSIGNAL);
		check(served(reader, 'x'));
	}
	check(cut(CUT_OUTPUT) > before);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	close(reader);
	stop(&s);
}

TEST(who_never_reads_is_cut_in_time)
{
	struct server s = { 0 };
	uint64_t before = cut(CUT_OUTPUT);
	int fd, small = 4096;

	serve(&s);
	fd = dial(&s, 1);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	check(served(fd, 'P'));
	for (int i = 0; i < 5; i++) /* more than the kernel takes, less than the bound */
		(void)!send(fd, "\0\0\4F", 4, MSG_NOSIGNAL);
	for (int i = 0; i < 60 && cut(CUT_OUTPUT) == before; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	check_eq(cut(CUT_OUTPUT), before + 1);
	close(fd);
	stop(&s);
	check(strcmp(s.why, "reads nothing") == 0);
}

TESTS(T(a_newcomer_pushes_out_the_oldest_stranger_of_its_address), T(who_is_proven_stays_whoever_comes),
      T(one_address_does_not_get_all_the_room), T(a_message_that_begins_must_end),
      T(what_waits_for_those_who_do_not_read_is_bounded), T(who_never_reads_is_cut_in_time))
