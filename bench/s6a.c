/* A load generator that costs little, and the bare echo to hold beside it.
 *
 *   s6a echo PORT                     send back every byte that comes: the limit of the loopback
 *   s6a load PORT OPTION=VALUE...     Diameter requests over TCP to 127.0.0.1:PORT
 *     mix=air|ecr|attach|echo   what a device does; attach is AIR, ULR, ECR one after another;
 *                               echo sends AIRs to something that sends them back
 *     window=N                  devices at work at once (closed loop)
 *     rate=N                    devices a second instead (open loop: timed from when one was due)
 *     conns=N seconds=N first=IMSI cards=N
 *     host=NAME realm=NAME      Origin-Host is NAME with a number, of that realm
 *     plmn=MCCMNC               Visited-PLMN-Id
 *
 * One line of JSON: answers, a second, refused, own CPU, and for each command p50 and p99 in us. */
#include "base/bcd.h"
#include "s6a.h"
#include "wire/dia.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

_Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static int sock(void)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

int dial(int port)
{
	struct sockaddr_in at = loopback(port);
	int fd = sock();

	if (connect(fd, (struct sockaddr *)&at, sizeof at))
		die("connect");
	return fd;
}

/* --- the echo ------------------------------------------------------------------------------- */

static void echo_one(int fd)
{
	static uint8_t bytes[65536];
	ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT), sent;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(fd);
		return;
	}
	for (ssize_t at = 0; at < n; at += sent) {
		sent = send(fd, bytes + at, (size_t)(n - at), MSG_NOSIGNAL);
		if (sent < 0) {
			close(fd);
			return;
		}
	}
}

static int echo(int port)
{
	struct sockaddr_in at = loopback(port);
	struct epoll_event e = { .events = EPOLLIN }, got[64];
	int fd = sock(), ep = epoll_create1(EPOLL_CLOEXEC), n;

	if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 64))
		die("listen");
	e.data.fd = fd;
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
	while ((n = epoll_wait(ep, got, 64, -1)) >= 0 || errno == EINTR) {
		for (int i = 0; i < n; i++) {
			if (got[i].data.fd != fd) {
				echo_one(got[i].data.fd);
				continue;
			}
			e.data.fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
			if (e.data.fd >= 0)
				epoll_ctl(ep, EPOLL_CTL_ADD, e.data.fd, &e);
		}
	}
	return 1;
}

/* --- what is asked -------------------------------------------------------------------------- */

static bool option(struct load *l, const char *text)
{
	static const char *const mixes[] = { "air", "ecr", "attach", "echo" };
	const char *value = strchr(text, '=');
	const struct {
		const char *name;
		uint64_t *number;
		const char **words;
	} known[] = {
		{ "window", &l->window, NULL }, { "rate", &l->rate, NULL },
		{ "conns", &l->conn_n, NULL },	{ "seconds", &l->seconds, NULL },
		{ "first", &l->first, NULL },	{ "cards", &l->cards, NULL },
		{ "host", NULL, &l->host },	{ "realm", NULL, &l->realm },
		{ "plmn", NULL, &l->plmn },
	};

	if (!value)
		return false;
	value++;
	for (size_t i = 0; strncmp(text, "mix=", 4) == 0 && i < 4; i++) {
		if (strcmp(value, mixes[i]) == 0) {
			l->mix = (enum mix)i;
			return true;
		}
	}
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		size_t n = strlen(known[i].name);

		if (strncmp(text, known[i].name, n) != 0 || text[n] != '=')
			continue;
		if (known[i].words)
			*known[i].words = value;
		else
			*known[i].number = strtoull(value, NULL, 10);
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	static struct load l = { .window = 64,
				 .conn_n = 4,
				 .seconds = 5,
				 .first = 999705000000000,
				 .cards = 5000,
				 .host = "mme",
				 .realm = "epc.mnc001.mcc001.3gppnetwork.org",
				 .plmn = "00101" };

	if (argc == 3 && strcmp(argv[1], "echo") == 0)
		return echo(atoi(argv[2]));
	if (argc < 3 || strcmp(argv[1], "load") != 0) {
		fprintf(stderr, "s6a echo PORT | s6a load PORT [OPTION=VALUE...]\n");
		return 2;
	}
	for (int i = 3; i < argc; i++) {
		if (!option(&l, argv[i])) {
			fprintf(stderr, "s6a: what is '%s'?\n", argv[i]);
			return 2;
		}
	}
	if (l.window > WINDOW_MAX || l.conn_n < 1 || l.conn_n > CONN_MAX || l.cards < 2 * l.window) {
		fprintf(stderr, "s6a: window is at most %d, conns at most %d, cards at least twice the window\n",
			WINDOW_MAX, CONN_MAX);
		return 2;
	}
	l.port = atoi(argv[2]);
	return load(&l);
}
