#include "loop/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORD_SIZE 1

static void close_range_of(unsigned int from, unsigned int to)
{
	if (from <= to)
		(void)syscall(SYS_close_range, from, to, 0);
}

static int order(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Close what lies between the kept ones. */
static void close_others(int control, const int *keep, size_t keep_n)
{
	int kept[CHILD_FDS * 8 + 1];
	unsigned int from = 3;

	if (keep_n > CHILD_FDS * 8)
		_exit(126); /* refused in child_start */
	kept[0] = control;
	for (size_t i = 0; i < keep_n; i++)
		kept[i + 1] = keep[i];
	qsort(kept, keep_n + 1, sizeof kept[0], order);
	for (size_t i = 0; i <= keep_n; i++) {
		if (kept[i] < (int)from)
			continue;
		close_range_of(from, (unsigned int)kept[i] - 1);
		from = (unsigned int)kept[i] + 1;
	}
	close_range_of(from, ~0u);
}

/* What a terminal sends to all is for the supervisor alone, who then says "stop". */
static void own_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static pid_t start(int pair[2], pid_t parent, const int *keep, size_t keep_n)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before the line above */
		_exit(125);
	own_signals();
	close_others(pair[1], keep, keep_n);
	return 0;
}

enum err child_start(struct child *c, const char *name, const int *keep, size_t keep_n,
		     int (*body)(void *ctx, int control), void *ctx)
{
	int pair[2], status;
	pid_t parent = getpid();

	*c = (struct child){ .control = -1, .pidfd = -1 };
	snprintf(c->name, sizeof c->name, "%s", name);
	if (keep_n > CHILD_FDS * 8)
		return ERR_FULL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return ERR_IO;
	fflush(NULL); /* or the child's exit would write it again */
	c->pid = start(pair, parent, keep, keep_n);
	if (c->pid == 0) {
		prctl(PR_SET_NAME, c->name);
		status = body(ctx, pair[1]);
		fflush(NULL);
		_exit(status);
	}
	close(pair[1]);
	if (c->pid < 0) {
		close(pair[0]);
		return ERR_IO;
	}
	c->control = pair[0];
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	return ERR_OK;
}

bool child_say(int control, enum child_word word, const char *text, const int *fds, size_t fd_n)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int) * CHILD_FDS)] = { 0 };
	uint8_t code = (uint8_t)word;
	struct iovec iov[2] = { { &code, WORD_SIZE }, { NULL, 0 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	char line[CHILD_TEXT];
	struct cmsghdr *h;

	if (fd_n > CHILD_FDS)
		return false;
	snprintf(line, sizeof line, "%s", text ? text : "");
	iov[1] = (struct iovec){ line, strlen(line) };
	if (fd_n > 0) {
		m.msg_control = room;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * fd_n);
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int) * fd_n);
		memcpy(CMSG_DATA(h), fds, sizeof(int) * fd_n);
	}
	return sendmsg(control, &m, MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
}

static void take_fds(struct msghdr *from, struct child_message *m)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(from); h; h = CMSG_NXTHDR(from, h)) {
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		if (n > CHILD_FDS - m->fd_n)
			n = CHILD_FDS - m->fd_n;
		memcpy(m->fds + m->fd_n, CMSG_DATA(h), n * sizeof(int));
		m->fd_n += n;
	}
}

enum err child_hear(int control, struct child_message *m, int wait_ms)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int) * CHILD_FDS)];
	struct pollfd p = { control, POLLIN, 0 };
	uint8_t code = CHILD_GONE;
	struct iovec iov[2] = { { &code, WORD_SIZE }, { m->text, CHILD_TEXT - 1 } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = room,
			    .msg_controllen = sizeof room };
	ssize_t n;

	m->word = CHILD_GONE;
	m->fd_n = 0;
	m->text[0] = 0;
	do
		n = poll(&p, 1, wait_ms);
	while (n < 0 && errno == EINTR && wait_ms < 0);
	if (n <= 0)
		return ERR_AGAIN;
	n = recvmsg(control, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return ERR_AGAIN;
	if (n < WORD_SIZE)
		return ERR_OK;
	take_fds(&h, m);
	m->text[n - WORD_SIZE] = 0;
	for (char *c = m->text; *c; c++) { /* it is shown to people: one line, no controls */
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	if (code < CHILD_GONE)
		m->word = (enum child_word)code;
	return ERR_OK;
}

static void describe(int raw, int *status, char end[96])
{
	int sig = WIFSIGNALED(raw) ? WTERMSIG(raw) : 0;
	const char *name = sig ? sigabbrev_np(sig) : NULL;

	*status = sig ? 128 + sig : WEXITSTATUS(raw);
	if (sig == SIGSYS)
		snprintf(end, 96, "killed by SIGSYS: a system call its sandbox refuses");
	else if (sig)
		snprintf(end, 96, "killed by SIG%s", name ? name : "?");
	else
		snprintf(end, 96, "exit status %d", *status);
}

static bool reap(struct child *c, int options, int *status, char end[96])
{
	int raw;
	pid_t got;

	do
		got = waitpid(c->pid, &raw, options);
	while (got < 0 && errno == EINTR);
	if (got == 0)
		return false;
	if (got < 0)
		raw = 0; /* somebody else has reaped it: all we know is that it is gone */
	describe(raw, status, end);
	if (c->control >= 0)
		close(c->control);
	if (c->pidfd >= 0)
		close(c->pidfd);
	c->control = c->pidfd = -1;
	c->pid = 0;
	c->ready = false;
	return true;
}

bool child_ended(struct child *c, int *status, char end[96])
{
	return c->pid > 0 && reap(c, WNOHANG, status, end);
}

void child_end(struct child *c, int wait_ms, int *status, char end[96])
{
	struct pollfd p = { c->pidfd, POLLIN, 0 };

	if (c->pid <= 0)
		return;
	if (poll(&p, 1, wait_ms) <= 0)
		kill(c->pid, SIGKILL);
	(void)reap(c, 0, status, end);
}

int child_memfd(const char *name, struct view bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	for (ssize_t n; bytes.n > 0; bytes.p += n, bytes.n -= (size_t)n) {
		n = write(fd, bytes.p, bytes.n);
		if (n <= 0) {
			close(fd);
			return -1;
		}
	}
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	return fd;
}

char *child_read(int fd, size_t max, size_t *n)
{
	off_t end = lseek(fd, 0, SEEK_END); /* a sandbox has no fstat */
	size_t size = end >= 0 ? (size_t)end : 0;
	char *p;
	ssize_t got = 0;

	if (end < 0 || size > max)
		return NULL;
	p = malloc(size + 1);
	if (!p)
		return NULL;
	for (*n = 0; *n < size; *n += (size_t)got) {
		got = pread(fd, p + *n, size - *n, (off_t)*n);
		if (got <= 0)
			break;
	}
	if (got < 0 || *n < size) {
		free(p);
		return NULL;
	}
	p[*n] = 0;
	return p;
}
