/* The loop over TCP, with real sockets on the loopback. */
#include "base/metric.h"
#include "loop/loop.h"
#include "unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 4096

static const struct loop_limits limits = { .conn_max = 8, .frame_max = FRAME_MAX, .out_max = 65536,
					  .handshake_ms = 300 };

/* A message is a length octet pair, itself included, and as many bytes as it says. */
static size_t frame(struct view in)
{
	size_t n;

	if (in.n < 2)
		return 0;
	n = (size_t)in.p[0] << 8 | in.p[1];
	return n < 2 ? SIZE_MAX : n;
}

/* What a test saw: each thing that happened, as text. */
struct seen {
	struct loop *loop;
	struct conn *conn;
	const char *why;
	size_t up_n, down_n, message_n, byte_n, batch_n, end_n;
	bool echo, stop_at_down;
	size_t stop_at_messages, flood, batch_message_n, batch_message_max;
	uint8_t last[FRAME_MAX];
	size_t last_n;
};

static void up(void *ctx, struct conn *c)
{
	struct seen *s = ctx;

	s->conn = c;
	s->up_n++;
}

static void message(void *ctx, struct conn *c, struct view v)
{
	struct seen *s = ctx;

	check_eq(s->batch_n, s->end_n + 1);
	s->message_n++;
	if (++s->batch_message_n > s->batch_message_max)
		s->batch_message_max = s->batch_message_n;
	s->byte_n += v.n;
	memcpy(s->last, v.p, v.n);
	s->last_n = v.n;
	if (s->echo)
		check(conn_write(c, v));
	for (size_t i = 0; i < s->flood && conn_write(c, v); i++)
		;
	if (s->stop_at_messages && s->message_n == s->stop_at_messages)
		loop_stop(s->loop);
}

static void down(void *ctx, struct conn *c, const char *why)
{
	struct seen *s = ctx;

	(void)c;
	s->why = why;
	s->down_n++;
	if (s->stop_at_down)
		loop_stop(s->loop);
}

static const struct conn_ops ops = { frame, up, message, down };

static void begin(void *ctx)
{
	((struct seen *)ctx)->batch_n++;
	((struct seen *)ctx)->batch_message_n = 0;
}

static void end(void *ctx)
{
	((struct seen *)ctx)->end_n++;
}

/* A loop that listens at a free port of `address`, in a thread of its own. */
struct server {
	struct seen seen;
	struct endpoint at;
	pthread_t thread;
};

static void *run(void *arg)
{
	loop_run(arg);
	return NULL;
}

static uint16_t free_port(bool v6)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
	struct sockaddr_in b = { .sin_family = AF_INET };
	socklen_t n = v6 ? sizeof a : sizeof b;
	struct sockaddr *at = v6 ? (struct sockaddr *)&a : (struct sockaddr *)&b;
	int fd = socket(at->sa_family, SOCK_STREAM, 0);

	check(bind(fd, at, n) == 0);
	check(getsockname(fd, at, &n) == 0);
	close(fd);
	return ntohs(v6 ? a.sin6_port : b.sin_port);
}

static void serve_limited(struct server *s, const char *address, const struct loop_limits *limit)
{
	char text[64], why[256];

	s->seen.loop = loop_new(limit);
	check(s->seen.loop);
	snprintf(text, sizeof text, "tcp:%s:%u", address, free_port(address[0] == '['));
	check_eq(endpoint_parse(view_of(text), &s->at), ERR_OK);
	check_eq(loop_listen(s->seen.loop, &s->at, NULL, false, &ops, &s->seen, why), ERR_OK);
	loop_batch(s->seen.loop, begin, end, &s->seen);
	check(pthread_create(&s->thread, NULL, run, s->seen.loop) == 0);
}

static void serve(struct server *s, const char *address)
{
	serve_limited(s, address, &limits);
}

static void stop(struct server *s)
{
	loop_stop(s->seen.loop);
	pthread_join(s->thread, NULL);
	loop_free(s->seen.loop);
}

static int dial(const struct server *s)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(s->at.port) };
	struct sockaddr_in b = { .sin_family = AF_INET, .sin_port = htons(s->at.port) };
	struct timeval patience = { .tv_sec = 5 };
	bool v6 = inet_pton(AF_INET6, s->at.address[0], &a.sin6_addr) == 1;
	struct sockaddr *to = v6 ? (struct sockaddr *)&a : (struct sockaddr *)&b;
	int fd;

	inet_pton(AF_INET, s->at.address[0], &b.sin_addr);
	fd = socket(to->sa_family, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	check(connect(fd, to, v6 ? sizeof a : sizeof b) == 0);
	return fd;
}

static void say(int fd, const void *p, size_t n)
{
	check(send(fd, p, n, MSG_NOSIGNAL) == (ssize_t)n);
}

static void expect(int fd, const void *p, size_t n)
{
	uint8_t got[FRAME_MAX * 4];

	check(n <= sizeof got);
	check(recv(fd, got, n, MSG_WAITALL) == (ssize_t)n);
	check(memcmp(got, p, n) == 0);
}

static bool ended(int fd)
{
	uint8_t b;
	ssize_t n = recv(fd, &b, 1, 0);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

TEST(endpoints_are_read_and_written)
{
	static const struct {
		const char *text;
		enum err err;
	} cases[] = {
		{ "tcp:127.0.0.1:3868", ERR_OK },
		{ "tls:[::1]:5658", ERR_OK },
		{ "sctp:10.0.0.1,10.0.1.1:3868", ERR_OK },
		{ "sctp:10.0.0.1,[2001:db8::1]:3868", ERR_OK },
		{ "sctp:127.0.0.1:3868?udp=9900/9899", ERR_OK },
		{ "tcp:127.0.0.1:3868?udp=9900/9899", ERR_VALUE },
		{ "tcp:10.0.0.1,10.0.1.1:3868", ERR_VALUE },
		{ "tcp:127.0.0.1", ERR_VALUE },
		{ "tcp:127.0.0.1:", ERR_VALUE },
		{ "tcp:127.0.0.1:65536", ERR_VALUE },
		{ "tcp:127.0.0.1:x", ERR_VALUE },
		{ "tcp::3868", ERR_VALUE },
		{ "tcp:::1:3868", ERR_VALUE },
		{ "tcp:host:3868", ERR_VALUE },
		{ "udp:127.0.0.1:3868", ERR_VALUE },
		{ "sctp:1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5:1", ERR_VALUE },
		{ "sctp:127.0.0.1:1?udp=", ERR_VALUE },
		{ "", ERR_VALUE },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct endpoint e;
		char text[ENDPOINT_TEXT];

		printf("  %s\n", cases[i].text);
		check_eq(endpoint_parse(view_of(cases[i].text), &e), cases[i].err);
		if (cases[i].err)
			continue;
		endpoint_text(&e, text);
		check(strcmp(text, cases[i].text) == 0);
	}
}

TEST(a_frame_split_at_any_byte_arrives_whole)
{
	static const uint8_t two[] = { 0, 5, 'a', 'b', 'c', 0, 7, 'd', 'e', 'f', 'g', 'h' };
	struct server s = { .seen = { .echo = true } };

	serve(&s, "127.0.0.1");
	for (size_t at = 1; at < sizeof two; at++) {
		int fd = dial(&s);

		setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &(int){ 1 }, sizeof(int));
		say(fd, two, at);
		pause_ms(3);
		say(fd, two + at, sizeof two - at);
		expect(fd, two, sizeof two);
		close(fd);
	}
	stop(&s);
	check_eq(s.seen.message_n, 2 * (sizeof two - 1));
	check_eq(s.seen.up_n, sizeof two - 1);
	check_eq(s.seen.down_n, sizeof two - 1);
}

TEST(a_hundred_pipelined_frames_are_one_batch_or_few)
{
	uint8_t all[100 * 8] = { 0 };
	struct server s = { .seen = { .echo = true } };
	int fd;

	for (size_t i = 0; i < 100; i++)
		memcpy(all + i * 8, (const uint8_t[]){ 0, 8, (uint8_t)i, 1, 2, 3, 4, 5 }, 8);
	serve(&s, "[::1]");
	fd = dial(&s);
	say(fd, all, sizeof all);
	expect(fd, all, sizeof all);
	close(fd);
	stop(&s);
	check_eq(s.seen.message_n, 100);
	check(s.seen.batch_n <= 4);
	check_eq(s.seen.batch_n, s.seen.end_n);
}

TEST(a_flooding_connection_gets_64_kib_a_wake_up_and_no_more)
{
	static uint8_t all[32 * FRAME_MAX];
	struct server s = { 0 };
	int fd;

	for (size_t i = 0; i < sizeof all; i += 64)
		all[i + 1] = 64;
	serve(&s, "127.0.0.1");
	fd = dial(&s);
	for (int i = 0; i < 20; i++)
		say(fd, all, sizeof all);
	shutdown(fd, SHUT_WR);
	check(ended(fd));
	close(fd);
	stop(&s);
	check_eq(s.seen.byte_n, 20 * sizeof all);
	/* and what was taken in before it, in the same batch, which is less than 64 frames */
	check(s.seen.batch_message_max < 65536 / 64 + 64);
}

TEST(a_peer_that_has_sent_all_still_gets_its_answers)
{
	uint8_t all[50 * 8] = { 0 };
	struct server s = { .seen = { .echo = true } };
	int fd;

	for (size_t i = 0; i < 50; i++)
		all[i * 8 + 1] = 8;
	serve(&s, "127.0.0.1");
	fd = dial(&s);
	say(fd, all, sizeof all);
	shutdown(fd, SHUT_WR);
	expect(fd, all, sizeof all);
	check(ended(fd));
	close(fd);
	stop(&s);
	check(strcmp(s.seen.why, "closed by the peer") == 0);
}

TEST(the_longest_frame_passes_and_one_byte_more_does_not)
{
	static uint8_t big[FRAME_MAX + 1];
	struct server s = { .seen = { .echo = true } };
	uint64_t before = metric_get(M_LOOP_CLOSED, 2);
	int fd;

	serve(&s, "127.0.0.1");
	big[0] = FRAME_MAX >> 8;
	fd = dial(&s);
	say(fd, big, FRAME_MAX);
	expect(fd, big, FRAME_MAX);
	big[1] = 1;
	say(fd, big, FRAME_MAX);
	check(ended(fd));
	close(fd);
	stop(&s);
	check_eq(metric_get(M_LOOP_CLOSED, 2), before + 1);
	check(strcmp(s.seen.why, "message too long") == 0);
}

TEST(bytes_that_are_no_message_close_the_connection)
{
	struct server s = { 0 };
	int fd;

	serve(&s, "127.0.0.1");
	fd = dial(&s);
	say(fd, "\0\1x", 3);
	check(ended(fd));
	close(fd);
	stop(&s);
	check(strcmp(s.seen.why, "not a message") == 0);
	check_eq(s.seen.message_n, 0);
}

TEST(who_does_not_read_is_closed_when_too_much_waits)
{
	static uint8_t big[FRAME_MAX] = { FRAME_MAX >> 8, 0 };
	struct server s = { .seen = { .flood = 10000 } };
	int fd;

	serve(&s, "127.0.0.1");
	fd = dial(&s);
	say(fd, big, sizeof big);
	pause_ms(100);
	stop(&s);
	close(fd);
	check_eq(s.seen.down_n, 1);
	check(strcmp(s.seen.why, "too much output waits") == 0);
}

TEST(a_peer_that_dribbles_its_first_message_is_closed)
{
	struct server s = { 0 };
	struct timespec a, b;
	int fd;

	serve(&s, "127.0.0.1");
	clock_gettime(CLOCK_MONOTONIC, &a);
	fd = dial(&s);
	say(fd, "\0", 1);
	pause_ms(150);
	say(fd, "\10", 1);
	check(ended(fd));
	clock_gettime(CLOCK_MONOTONIC, &b);
	close(fd);
	stop(&s);
	check(b.tv_sec - a.tv_sec < 2);
	check(strcmp(s.seen.why, "no message in time") == 0);
}

TEST(a_peer_that_has_spoken_may_be_silent)
{
	struct server s = { .seen = { .echo = true } };
	int fd;

	serve(&s, "127.0.0.1");
	fd = dial(&s);
	say(fd, "\0\3x", 3);
	expect(fd, "\0\3x", 3);
	pause_ms(600);
	say(fd, "\0\3y", 3);
	expect(fd, "\0\3y", 3);
	close(fd);
	stop(&s);
}

TEST(more_connections_than_allowed_are_closed_and_counted)
{
	struct server s = { .seen = { .echo = true } };
	uint64_t before = metric_get(M_LOOP_CLOSED, 0);
	int fd[10];

	serve(&s, "127.0.0.1");
	for (int i = 0; i < 10; i++) {
		fd[i] = dial(&s);
		pause_ms(5);
		if (i < 8) {
			say(fd[i], "\0\3x", 3);
			expect(fd[i], "\0\3x", 3);
		}
	}
	check(ended(fd[8]) && ended(fd[9]));
	check_eq(metric_get(M_LOOP_CLOSED, 0), before + 2);
	close(fd[0]);
	pause_ms(20);
	fd[0] = dial(&s);
	say(fd[0], "\0\3x", 3);
	expect(fd[0], "\0\3x", 3);
	for (int i = 0; i < 10; i++)
		close(fd[i]);
	stop(&s);
}

TEST(a_busy_port_is_one_clear_line)
{
	struct server s = { 0 };
	struct loop *l = loop_new(&limits);
	char why[256], want[ENDPOINT_TEXT + 64], text[ENDPOINT_TEXT];

	serve(&s, "127.0.0.1");
	check_eq(loop_listen(l, &s.at, NULL, false, &ops, NULL, why), ERR_IO);
	endpoint_text(&s.at, text);
	snprintf(want, sizeof want, "%s: address already in use", text);
	check(strcmp(why, want) == 0);
	loop_free(l);
	stop(&s);
}

TEST(two_workers_may_share_a_port)
{
	struct loop *a = loop_new(&limits), *b = loop_new(&limits);
	struct endpoint e = { .link = LINK_TCP, .address_n = 1, .address = { "127.0.0.1" } };
	char why[256];

	e.port = free_port(false);
	check_eq(loop_listen(a, &e, NULL, true, &ops, NULL, why), ERR_OK);
	check_eq(loop_listen(b, &e, NULL, true, &ops, NULL, why), ERR_OK);
	loop_free(a);
	loop_free(b);
}

TEST(a_dialled_connection_knows_its_user_and_both_addresses)
{
	struct server s = { .seen = { .echo = true } };
	struct seen me = { .stop_at_messages = 1, .loop = loop_new(&limits) };
	struct conn_info info;
	struct conn *c;
	uint32_t id;

	serve(&s, "127.0.0.1");
	loop_batch(me.loop, begin, end, &me);
	c = loop_connect(me.loop, &s.at, NULL, &ops, &me, &s);
	check(c && conn_user(c) == &s && me.up_n == 0);
	check(conn_write(c, (struct view){ (const uint8_t *)"\0\4ab", 4 }));
	id = conn_id(c);
	check(id != 0 && conn_find(me.loop, id) == c);
	info = conn_info(c);
	check(info.outbound && view_eq(info.address, VIEW("127.0.0.1")) && info.port == s.at.port);
	loop_run(me.loop);
	check_eq(me.up_n, 1);
	check_eq(me.down_n, 1);
	check(me.last_n == 4 && memcmp(me.last, "\0\4ab", 4) == 0);
	check(conn_find(me.loop, id) == NULL);
	loop_free(me.loop);
	stop(&s);
}

TEST(a_refused_dial_ends_with_down)
{
	struct seen me = { .stop_at_down = true, .loop = loop_new(&limits) };
	struct endpoint e = { .link = LINK_TCP, .address_n = 1, .address = { "127.0.0.1" } };

	e.port = free_port(false);
	check(loop_connect(me.loop, &e, NULL, &ops, &me, NULL));
	check_eq(me.down_n, 0);
	loop_run(me.loop);
	check_eq(me.up_n, 0);
	check_eq(me.down_n, 1);
	check(strcmp(me.why, "Connection refused") == 0);
	loop_free(me.loop);
}

static void close_it(void *c)
{
	conn_close(c);
}

TEST(what_was_written_before_close_arrives)
{
	static uint8_t big[FRAME_MAX * 8];
	struct server s = { 0 };
	struct seen me = { .stop_at_down = true, .loop = loop_new(&limits) };
	struct conn *c;

	for (size_t i = 0; i < 8; i++)
		big[i * FRAME_MAX] = FRAME_MAX >> 8;
	serve(&s, "127.0.0.1");
	c = loop_connect(me.loop, &s.at, NULL, &ops, &me, NULL);
	check(conn_write(c, (struct view){ big, sizeof big }));
	loop_every(me.loop, 50, close_it, c);
	loop_run(me.loop);
	stop(&s);
	loop_free(me.loop);
	check_eq(s.seen.byte_n, sizeof big);
	check(strcmp(s.seen.why, "closed by the peer") == 0);
	check(strcmp(me.why, "closed") == 0);
}

static void count(void *ctx)
{
	struct seen *s = ctx;

	if (++s->batch_n == 5)
		loop_stop(s->loop);
}

static void drained(void *ctx, int fd)
{
	char b[8];

	check(read(fd, b, sizeof b) == 1);
	((struct seen *)ctx)->message_n++;
}

TEST(timers_and_watched_descriptors_are_served)
{
	struct seen me = { .loop = loop_new(&limits) };
	uint64_t began = loop_now(me.loop);
	int fds[2];

	check(pipe(fds) == 0);
	for (int i = 0; i < 100; i++) { /* a watch that is over gives its place back */
		check_eq(loop_watch(me.loop, fds[0], drained, &me), ERR_OK);
		loop_unwatch(me.loop, fds[0]);
	}
	check_eq(loop_watch(me.loop, fds[0], drained, &me), ERR_OK);
	check(write(fds[1], "x", 1) == 1);
	loop_every(me.loop, 20, count, &me);
	loop_run(me.loop);
	check_eq(me.message_n, 1);
	check(loop_now(me.loop) - began >= 100);
	check(loop_wall(me.loop) > 1700000000000ull);
	loop_free(me.loop);
	close(fds[0]);
	close(fds[1]);
}

TESTS(T(endpoints_are_read_and_written), T(a_frame_split_at_any_byte_arrives_whole),
      T(a_hundred_pipelined_frames_are_one_batch_or_few),
      T(a_flooding_connection_gets_64_kib_a_wake_up_and_no_more),
      T(a_peer_that_has_sent_all_still_gets_its_answers),
      T(the_longest_frame_passes_and_one_byte_more_does_not),
      T(bytes_that_are_no_message_close_the_connection),
      T(who_does_not_read_is_closed_when_too_much_waits),
      T(a_peer_that_dribbles_its_first_message_is_closed), T(a_peer_that_has_spoken_may_be_silent),
      T(more_connections_than_allowed_are_closed_and_counted), T(a_busy_port_is_one_clear_line),
      T(two_workers_may_share_a_port), T(a_dialled_connection_knows_its_user_and_both_addresses),
      T(a_refused_dial_ends_with_down), T(what_was_written_before_close_arrives),
      T(timers_and_watched_descriptors_are_served))
