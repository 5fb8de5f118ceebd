/* Processes under a supervisor, and the pages it shows. */
#include "loop/child.h"
#include "loop/http.h"
#include "loop/sandbox.h"
#include "unit/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static int obedient(void *ctx, int control)
{
	struct child_message m;
	char *text;
	size_t n;

	if (!child_say(control, CHILD_READY, ctx, NULL, 0))
		return 1;
	while (child_hear(control, &m, 5000) == ERR_OK && m.word != CHILD_STOP) {
		text = m.word == CHILD_RELOAD && m.fd_n == 1 ? child_read(m.fds[0], 1000, &n) : NULL;
		if (!text || write(m.fds[0], "x", 1) != -1)
			return 2;
		child_say(control, CHILD_FAILED, text, NULL, 0);
		free(text);
		close(m.fds[0]);
	}
	return m.word == CHILD_STOP ? 0 : 3;
}

TEST(a_child_says_ready_takes_files_and_stops)
{
	char role[] = "home", end[96];
	struct child_message m;
	struct child c;
	int status, fd = child_memfd("conf", VIEW("own_plmn: 00101"));

	check(fd >= 0);
	check_eq(child_start(&c, "home", NULL, 0, obedient, role), ERR_OK);
	check_eq(child_hear(c.control, &m, 5000), ERR_OK);
	check(m.word == CHILD_READY && strcmp(m.text, "home") == 0 && m.fd_n == 0);
	check(!child_ended(&c, &status, end));
	check(child_say(c.control, CHILD_RELOAD, "conf", &fd, 1));
	check_eq(child_hear(c.control, &m, 5000), ERR_OK);
	check(m.word == CHILD_FAILED && strcmp(m.text, "own_plmn: 00101") == 0);
	check_eq(child_hear(c.control, &m, 0), ERR_AGAIN);
	check(child_say(c.control, CHILD_STOP, NULL, NULL, 0));
	child_end(&c, 5000, &status, end);
	check_eq(status, 0);
	check(strcmp(end, "exit status 0") == 0 && c.control == -1);
	close(fd);
}

static int fails(void *ctx, int control)
{
	(void)ctx;
	child_say(control, CHILD_FAILED, "home.listen tcp:127.0.0.1:3870: address already in use", NULL, 0);
	return 3;
}

static int crashes(void *ctx, int control)
{
	(void)ctx;
	(void)control;
	raise(SIGKILL);
	return 0;
}

static int hangs(void *ctx, int control)
{
	(void)ctx;
	(void)control;
	pause();
	return 0;
}

TEST(the_supervisor_learns_how_a_child_ended)
{
	struct child_message m;
	struct child c;
	char end[96];
	int status;

	check_eq(child_start(&c, "a", NULL, 0, fails, NULL), ERR_OK);
	check_eq(child_hear(c.control, &m, 5000), ERR_OK);
	check(m.word == CHILD_FAILED && strstr(m.text, "already in use"));
	check_eq(child_hear(c.control, &m, 5000), ERR_OK);
	check_eq(m.word, CHILD_GONE);
	child_end(&c, 5000, &status, end);
	check_eq(status, 3);

	check_eq(child_start(&c, "b", NULL, 0, crashes, NULL), ERR_OK);
	child_end(&c, 5000, &status, end);
	check_eq(status, 137);
	check(strcmp(end, "killed by SIGKILL") == 0);

	check_eq(child_start(&c, "c", NULL, 0, hangs, NULL), ERR_OK);
	child_end(&c, 50, &status, end);
	check_eq(status, 137);
}

static int count_fds(void *ctx, int control)
{
	const int *kept = ctx;
	int n = 0;

	for (int fd = 3; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n == 2 && fcntl(*kept, F_GETFD) >= 0 && fcntl(control, F_GETFD) >= 0 ? 0 : n;
}

TEST(a_child_keeps_only_the_descriptors_it_is_given)
{
	int fds[6], status;
	struct child c;
	char end[96];

	for (int i = 0; i < 6; i++)
		fds[i] = dup(2);
	check_eq(child_start(&c, "fds", &fds[3], 1, count_fds, &fds[3]), ERR_OK);
	child_end(&c, 5000, &status, end);
	check_eq(status, 0);
	for (int i = 0; i < 6; i++)
		close(fds[i]);
}

/* --- pages ---------------------------------------------------------------------------------- */

static unsigned int page(void *ctx, const char *path, struct wr *w, const char **type)
{
	(void)ctx;
	*type = "text/plain; version=0.0.4";
	if (strcmp(path, "/metrics") == 0) {
		wr_view(w, VIEW("merlon_up 1\n"));
		return 200;
	}
	if (strcmp(path, "/long") == 0)
		for (int i = 0; i < 1000; i++)
			wr_view(w, VIEW("0123456789"));
	return 404;
}

static void get(uint16_t port, const char *request, char *answer, size_t cap)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t n = 0;
	ssize_t got;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	check(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
	check(send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
	while (n < cap - 1 && (got = recv(fd, answer + n, cap - 1 - n, 0)) > 0)
		n += (size_t)got;
	answer[n] = 0;
	close(fd);
}

TEST(pages_are_read_only_and_bounded)
{
	static const struct {
		const char *request, *begins, *has;
	} cases[] = {
		{ "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 200", "\r\n\r\nmerlon_up 1\n" },
		{ "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 200", "version=0.0.4" },
		{ "HEAD /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 200", "Content-Length: 12" },
		{ "GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 404", "" },
		{ "GET /long HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 500", "page too long" },
		{ "DELETE /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 405", "not allowed" },
	};
	struct endpoint at = { .link = LINK_TCP, .address_n = 1, .address = { "127.0.0.1" } };
	struct http_conf conf = { .listen = &at, .page_max = 4096, .page = page };
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct http *h, *second;
	char why[256], answer[8192];

	check(bind(fd, (struct sockaddr *)&a, n) == 0 && getsockname(fd, (struct sockaddr *)&a, &n) == 0);
	close(fd);
	at.port = ntohs(a.sin_port);
	check_eq(http_start(&h, &conf, why), ERR_OK);
	check_eq(http_start(&second, &conf, why), ERR_IO);
	check(strstr(why, ": address already in use"));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		get(at.port, cases[i].request, answer, sizeof answer);
		check(strncmp(answer, cases[i].begins, strlen(cases[i].begins)) == 0);
		check(strstr(answer, cases[i].has));
	}
	http_stop(h);
}

struct watchman {
	struct http_conf conf;
};

static int show_pages(void *ctx, int control)
{
	struct watchman *w = ctx;
	struct child_message m;
	struct http *h;
	char why[256], degraded[128];

	if (http_start(&h, &w->conf, why) || sandbox_enter(&(struct sandbox){ 0 }, degraded, why))
		return 1;
	child_say(control, CHILD_READY, NULL, NULL, 0);
	if (child_hear(control, &m, 10000) || m.word != CHILD_STOP)
		return 2;
	http_stop(h);
	return 0;
}

TEST(pages_are_served_from_inside_the_sandbox)
{
	struct endpoint at = { .link = LINK_TCP, .address_n = 1, .port = 29911, .address = { "127.0.0.1" } };
	struct watchman w = { { .listen = &at, .page_max = 4096, .page = page } };
	struct child_message m;
	struct child c;
	char end[96], answer[8192];
	int status;

	check_eq(child_start(&c, "watch", NULL, 0, show_pages, &w), ERR_OK);
	check_eq(child_hear(c.control, &m, 5000), ERR_OK);
	check_eq(m.word, CHILD_READY);
	for (int i = 0; i < 5; i++) {
		get(at.port, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", answer,
		    sizeof answer);
		check(strstr(answer, "merlon_up 1"));
	}
	check(child_say(c.control, CHILD_STOP, NULL, NULL, 0));
	child_end(&c, 5000, &status, end);
	printf("  %s\n", end);
	check_eq(status, 0);
}

TESTS(T(a_child_says_ready_takes_files_and_stops), T(the_supervisor_learns_how_a_child_ended),
      T(a_child_keeps_only_the_descriptors_it_is_given), T(pages_are_read_only_and_bounded),
      T(pages_are_served_from_inside_the_sandbox))
