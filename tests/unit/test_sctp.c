/* SCTP between two processes: by the kernel, by usrsctp over raw IP (as root, in a network of its own),
 * and in UDP. What the machine cannot do is skipped, and says so. */
#include "loop/child.h"
#include "loop/inside.h"
#include "loop/loop.h"
#include "loop/sandbox.h"
#include "unit/test.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGES 500
#define SIZE_MAX_SENT 20000

static const struct loop_limits limits = { .conn_max = 8, .frame_max = 65536, .out_max = 4 << 20,
					  .handshake_ms = 3000 };

struct seen {
	struct loop *loop;
	struct conn *conn;
	size_t up_n, down_n, got_n, sent_n, wrong_n;
	bool echo;
	int half_way; /* >= 0: tell there, and wait for the word to go on */
	char address[48], why[64];
};

/* Sizes that need one chunk, many, or barely two. */
static size_t size_of(size_t i)
{
	static const size_t sizes[] = { 20, 300, 1400, 1500, 4096, SIZE_MAX_SENT, 1 };

	return sizes[i % (sizeof sizes / sizeof *sizes)];
}

static void send_some(struct seen *s)
{
	static uint8_t bytes[SIZE_MAX_SENT];

	while (s->sent_n < MESSAGES && s->sent_n < s->got_n + 16) {
		size_t n = size_of(s->sent_n);

		memset(bytes, (int)(s->sent_n & 0xff), n);
		check(conn_write(s->conn, (struct view){ bytes, n }));
		s->sent_n++;
	}
}

static size_t no_frame(struct view in)
{
	return in.n;
}

static void up(void *ctx, struct conn *c)
{
	struct seen *s = ctx;

	s->up_n++;
	s->conn = c;
	check(conn_info(c).link == LINK_SCTP);
	view_text(conn_info(c).address, s->address, sizeof s->address);
	if (!s->echo)
		send_some(s);
}

static void message(void *ctx, struct conn *c, struct view v)
{
	struct seen *s = ctx;

	if (s->echo) {
		check(conn_write(c, v));
		return;
	}
	s->wrong_n += v.n != size_of(s->got_n) || v.p[0] != (s->got_n & 0xff) ||
		      v.p[v.n - 1] != (s->got_n & 0xff);
	s->got_n++;
	if (s->half_way >= 0 && s->got_n == MESSAGES / 2) {
		struct child_message m;

		child_say(s->half_way, CHILD_READY, NULL, NULL, 0);
		check_eq(child_hear(s->half_way, &m, 5000), ERR_OK);
	}
	if (s->got_n == MESSAGES)
		conn_close(c);
	else
		send_some(s);
}

static void down(void *ctx, struct conn *c, const char *why)
{
	struct seen *s = ctx;

	(void)c;
	s->down_n++;
	snprintf(s->why, sizeof s->why, "%s", why);
	loop_stop(s->loop);
}

static const struct conn_ops ops = { no_frame, up, message, down };

/* --- the two processes ---------------------------------------------------------------------- */

struct pair {
	const char *listen, *dial;
	void (*cut)(void); /* done when half of the messages have passed */
};

static int server(void *ctx, int control)
{
	const struct pair *p = ctx;
	struct seen s = { .half_way = -1, .echo = true, .loop = loop_new(&limits) };
	struct endpoint e;
	char why[256], degraded[128];

	if (endpoint_parse(view_of(p->listen), &e) || loop_listen(s.loop, &e, NULL, false, &ops, &s, why)) {
		child_say(control, CHILD_FAILED, why, NULL, 0);
		return 3;
	}
	if (sandbox_enter(&(struct sandbox){ .user = "65533" }, degraded, why)) {
		child_say(control, CHILD_FAILED, why, NULL, 0);
		return 3;
	}
	child_say(control, CHILD_READY, NULL, NULL, 0);
	loop_run(s.loop);
	loop_free(s.loop);
	printf("  server: %zu up, %zu down, peer %s, %s\n", s.up_n, s.down_n, s.address, s.why);
	return s.up_n == 1 && s.down_n == 1 && strcmp(s.why, "closed by the peer") == 0 ? 0 : 1;
}

static int client(void *ctx, int control)
{
	const struct pair *p = ctx;
	struct seen s = { .half_way = p->cut ? control : -1, .loop = loop_new(&limits) };
	struct endpoint e;
	char why[256], degraded[128];

	check_eq(endpoint_parse(view_of(p->dial), &e), ERR_OK);
	check_eq(loop_prepare(&e, why), ERR_OK);
	/* The kernel's needs a socket for each dial; usrsctp has all it needs. */
	check_eq(sandbox_enter(&(struct sandbox){ .user = "65533", .network = sctp_kernel_has() },
			       degraded, why), ERR_OK);
	check(loop_connect(s.loop, &e, NULL, &ops, &s, NULL));
	loop_run(s.loop);
	loop_free(s.loop);
	printf("  client: %zu of %d back, %zu wrong, %s\n", s.got_n, MESSAGES, s.wrong_n, s.why);
	return s.got_n == MESSAGES && s.wrong_n == 0 && s.up_n == 1 && s.down_n == 1 ? 0 : 1;
}

static void talk(const struct pair *p)
{
	struct pair copy = *p;
	struct child_message m;
	struct child a, b;
	char end[96];
	int status;

	check_eq(child_start(&a, "server", NULL, 0, server, &copy), ERR_OK);
	check_eq(child_hear(a.control, &m, 5000), ERR_OK);
	if (m.word != CHILD_READY)
		printf("  %s\n", m.text);
	fflush(stdout);
	check_eq(m.word, CHILD_READY);
	check_eq(child_start(&b, "client", NULL, 0, client, &copy), ERR_OK);
	if (p->cut) {
		check_eq(child_hear(b.control, &m, 5000), ERR_OK);
		check_eq(m.word, CHILD_READY);
		p->cut();
		check(child_say(b.control, CHILD_GO, NULL, NULL, 0));
	}
	child_end(&b, 15000, &status, end);
	check_eq(status, 0);
	child_end(&a, 5000, &status, end);
	check_eq(status, 0);
}

/* 127.0.0.2 and .3 are one path, 127.0.1.2 and .3 another. */
static const uint32_t addresses[] = { 0x7f000001, 0x7f000002, 0x7f000003, 0x7f000102, 0x7f000103 };

/* Address i of the loopback device, alone in its net; 0 takes it away again. */
static void set_address(int fd, uint32_t i, uint32_t address)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct ifreq r = { 0 };

	snprintf(r.ifr_name, IFNAMSIZ, i ? "lo:%u" : "lo", i);
	a.sin_addr.s_addr = htonl(address);
	memcpy(&r.ifr_addr, &a, sizeof a);
	check(ioctl(fd, SIOCSIFADDR, &r) == 0);
	if (address == 0)
		return;
	check(ioctl(fd, SIOCGIFFLAGS, &r) == 0);
	r.ifr_flags |= IFF_UP | IFF_RUNNING;
	check(ioctl(fd, SIOCSIFFLAGS, &r) == 0);
	a.sin_addr.s_addr = htonl(0xffffffff);
	memcpy(&r.ifr_addr, &a, sizeof a);
	check(ioctl(fd, SIOCSIFNETMASK, &r) == 0);
}

/* A network of our own; the host's is left alone. */
static bool own_network(void)
{
	int fd;

	if (geteuid() != 0 || unshare(CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	for (uint32_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
		set_address(fd, i, addresses[i]);
	close(fd);
	return true;
}

static void lose_first_path(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	set_address(fd, 1, 0);
	set_address(fd, 2, 0);
	close(fd);
}

TEST(messages_keep_their_bounds_over_the_kernels_sctp)
{
	static const struct pair p = { "sctp:127.0.0.1:28681", "sctp:127.0.0.1:28681", NULL };

	if (!sctp_kernel_has()) {
		printf("  skipped: this kernel has no SCTP (socket: %s)\n", strerror(errno));
		return;
	}
	talk(&p);
}

TEST(messages_keep_their_bounds_over_usrsctp_in_udp)
{
	static const struct pair p = { "sctp:127.0.0.1:28682?udp=29899/29900",
				       "sctp:127.0.0.1:28682?udp=29900/29899", NULL };

	talk(&p);
}

static const struct pair multi = { "sctp:127.0.0.2,127.0.1.2:3869",
				   "sctp:127.0.0.2,127.0.1.2:3869?from=127.0.0.3,127.0.1.3", NULL };

static int in_own_network(void *ctx, int control)
{
	static const struct pair single = { "sctp:127.0.0.1:3868",
					    "sctp:127.0.0.1:3868?from=127.0.0.2", NULL };

	(void)ctx;
	(void)control;
	if (!own_network())
		return 77;
	talk(&single);
	talk(&multi);
	return 0;
}

static int in_network_that_breaks(void *ctx, int control)
{
	struct pair broken = multi;

	(void)ctx;
	(void)control;
	if (!own_network())
		return 77;
	broken.cut = lose_first_path;
	talk(&broken);
	return 0;
}

static int status_of(int (*body)(void *ctx, int control))
{
	struct child c;
	char end[96];
	int status;

	check_eq(child_start(&c, "network", NULL, 0, body, NULL), ERR_OK);
	child_end(&c, 40000, &status, end);
	if (status == 77)
		printf("  skipped: not root, or no network of our own\n");
	return status == 77 ? 0 : status;
}

TEST(messages_keep_their_bounds_over_usrsctp_on_ip_by_one_path_or_two)
{
	if (sctp_kernel_has())
		printf("  skipped: the kernel's SCTP is used here\n");
	else
		check_eq(status_of(in_own_network), 0);
}

/* About once in thirteen times usrsctp gives up the association when an address goes away under it, and
 * the peers have to connect anew; so it has three tries to show that it need not. */
TEST(messages_survive_the_loss_of_a_path_over_usrsctp_on_ip)
{
	int status = 1;

	for (int tries = 0; tries < 3 && status != 0 && !sctp_kernel_has(); tries++)
		status = status_of(in_network_that_breaks);
	if (sctp_kernel_has())
		printf("  skipped: the kernel's SCTP is used here\n");
	else
		check_eq(status, 0);
}

static int unprivileged(void *ctx, int control)
{
	struct loop *l = loop_new(&limits);
	struct endpoint e;
	char why[256];

	(void)ctx;
	if (geteuid() == 0 && setresuid(65533, 65533, 65533))
		return 1;
	if (endpoint_parse(VIEW("sctp:127.0.0.1:3868"), &e) ||
	    loop_listen(l, &e, NULL, false, &ops, NULL, why) != ERR_IO)
		return 2;
	child_say(control, CHILD_FAILED, why, NULL, 0);
	loop_free(l);
	return 0;
}

TEST(without_the_right_to_sctp_one_line_says_what_is_needed)
{
	struct child_message m;
	struct child c;
	char end[96];
	int status;

	if (sctp_kernel_has()) {
		printf("  skipped: the kernel's SCTP needs no right\n");
		return;
	}
	check_eq(child_start(&c, "nobody", NULL, 0, unprivileged, NULL), ERR_OK);
	check_eq(child_hear(c.control, &m, 5000), ERR_OK);
	printf("  %s\n", m.text);
	check(strcmp(m.text, "sctp:127.0.0.1:3868: SCTP needs the kernel's, or root, or ?udp=PORT: "
			     "operation not permitted") == 0);
	child_end(&c, 5000, &status, end);
	check_eq(status, 0);
}

static int shared_port(void *ctx, int control)
{
	struct loop *a = loop_new(&limits), *b = loop_new(&limits);
	struct endpoint e;
	char why[256];

	(void)ctx;
	(void)control;
	check_eq(endpoint_parse(VIEW("sctp:127.0.0.1:28684?udp=29901"), &e), ERR_OK);
	check_eq(loop_listen(a, &e, NULL, true, &ops, NULL, why), ERR_OK);
	check_eq(loop_listen(b, &e, NULL, true, &ops, NULL, why), ERR_OK);
	check_eq(loop_listen(b, &e, NULL, false, &ops, NULL, why), ERR_IO);
	check(strstr(why, "address already in use"));
	e.udp = e.udp_peer = 29902;
	check_eq(loop_listen(b, &e, NULL, false, &ops, NULL, why), ERR_IO);
	check(strstr(why, "a process has one UDP port"));
	loop_free(b);
	loop_free(a);
	return 0;
}

TEST(two_workers_may_listen_at_one_sctp_port)
{
	struct child c;
	char end[96];
	int status;

	check_eq(child_start(&c, "shared", NULL, 0, shared_port, NULL), ERR_OK);
	child_end(&c, 10000, &status, end);
	check_eq(status, 0);
}

static int no_answer(void *ctx, int control)
{
	struct loop_limits quick = limits;
	struct seen s = { 0 };
	struct endpoint e;

	(void)ctx;
	(void)control;
	quick.handshake_ms = 300;
	s.loop = loop_new(&quick);
	check_eq(endpoint_parse(VIEW("sctp:127.0.0.1:28685?udp=29903/29904"), &e), ERR_OK);
	check(loop_connect(s.loop, &e, NULL, &ops, &s, NULL));
	loop_run(s.loop);
	loop_free(s.loop);
	printf("  %s\n", s.why);
	return s.down_n == 1 && s.up_n == 0 ? 0 : 1;
}

TEST(a_dial_that_nobody_answers_ends_in_time)
{
	struct child c;
	char end[96];
	int status;

	check_eq(child_start(&c, "dial", NULL, 0, no_answer, NULL), ERR_OK);
	child_end(&c, 5000, &status, end);
	check_eq(status, 0);
}

TESTS(T(messages_keep_their_bounds_over_the_kernels_sctp),
      T(messages_keep_their_bounds_over_usrsctp_in_udp),
      T(messages_keep_their_bounds_over_usrsctp_on_ip_by_one_path_or_two),
      T(messages_survive_the_loss_of_a_path_over_usrsctp_on_ip),
      T(without_the_right_to_sctp_one_line_says_what_is_needed),
      T(two_workers_may_listen_at_one_sctp_port), T(a_dial_that_nobody_answers_ends_in_time))
