#include "crypto/token.h"

#include "crypto/token_in.h"

#include <errno.h>
#include <fcntl.h>
#include <p11-kit/uri.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 20000

static enum err says(char why[256], enum err err, const char *text)
{
	snprintf(why, 256, "PKCS#11: %.240s", text);
	return err;
}

static const char *fault_of(P11KitUri *u, const char *uri)
{
	const char *path;

	if (p11_kit_uri_parse(uri, P11_KIT_URI_FOR_ANY, u) != P11_KIT_URI_OK)
		return "is not a PKCS#11 URI (RFC 7512)";
	if (p11_kit_uri_any_unrecognized(u))
		return "has an attribute that is not known";
	if (p11_kit_uri_get_pin_value(u))
		return "holds a PIN: write it to a file of root's, and say pin-source=";
	path = p11_kit_uri_get_module_path(u);
	if (!path || path[0] != '/')
		return "needs module-path=, the full path of the token's library";
	if (!p11_kit_uri_get_attribute(u, CKA_LABEL))
		return "needs object=, the name of the key";
	return NULL;
}

enum err token_check(const char *uri, char why[256])
{
	P11KitUri *u = p11_kit_uri_new();
	const char *fault = u ? fault_of(u, uri) : "out of memory";

	if (u)
		p11_kit_uri_free(u);
	if (!fault)
		return ERR_OK;
	snprintf(why, 256, "master key %.150s: %s", uri, fault);
	return ERR_CONFIG;
}

/* What is in memory here includes the data key: no core, no swap, and not for long. A parent that dies does
 * not take it along: a token in software, stopped while it writes, is lost with all its keys. */
static void child(const struct token_job *job, int out)
{
	const struct rlimit none = {0, 0};
	struct token_reply reply = {.err = ERR_IO};

	signal(SIGPIPE, SIG_IGN);
	alarm(WAIT_MS / 1000 + 1);
	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
	(void)mlockall(MCL_CURRENT);
	if (dup2(out, 3) == 3) {
		closefrom(4);
		token_job_do(job, &reply);
		(void)!write(3, &reply, sizeof reply);
	}
	secret_wipe(&reply, sizeof reply);
	_exit(0); /* the module's destructors are not to be trusted */
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The whole reply, or what went wrong instead. */
static enum err await(int in, pid_t pid, struct token_reply *reply, char why[256])
{
	int64_t end = now_ms() + WAIT_MS, left = WAIT_MS;
	struct pollfd p = {.fd = in, .events = POLLIN};
	ssize_t n = -1;
	int status = 0;

	while (left > 0 && poll(&p, 1, (int)left) < 0 && errno == EINTR)
		left = end - now_ms();
	if (p.revents)
		n = read(in, reply, sizeof *reply);
	if (n != sizeof *reply)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (n == sizeof *reply)
		return ERR_OK;
	return says(why, ERR_IO, p.revents ? "the token's library crashed" : "the token does not answer");
}

static enum err ask(const struct token_job *job, struct token_reply *reply, char why[256])
{
	int ends[2];
	pid_t pid;
	enum err err;

	why[0] = 0;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return says(why, ERR_IO, strerror(errno));
	pid = fork();
	if (pid == 0)
		child(job, ends[1]);
	close(ends[1]);
	err = pid < 0 ? says(why, ERR_IO, strerror(errno)) : await(ends[0], pid, reply, why);
	close(ends[0]);
	if (err || !reply->err)
		return err;
	reply->why[sizeof reply->why - 1] = 0;
	snprintf(why, 256, "%s", reply->why);
	return reply->err;
}

enum err token_wrap(const struct token_key *t, enum token_which which, struct view aad,
		    const struct secret32 *in, uint8_t out[TOKEN_WRAP_MAX], size_t *n, char why[256])
{
	struct token_job job = {t, TOKEN_OP_WRAP, which, aad, {in->b, sizeof in->b}};
	struct token_reply reply = {0};
	enum err err = ask(&job, &reply, why);

	if (!err && reply.n > TOKEN_WRAP_MAX)
		err = says(why, ERR_IO, "an answer of no sense");
	if (err)
		return err;
	memcpy(out, reply.out, reply.n);
	*n = reply.n;
	return ERR_OK;
}

enum err token_unwrap(const struct token_key *t, struct view aad, struct view wrapped, struct secret32 *out,
		      char why[256])
{
	struct token_job job = {t, TOKEN_OP_UNWRAP, TOKEN_NAMED, aad, wrapped};
	struct token_reply reply = {0};
	enum err err = ask(&job, &reply, why);

	if (!err && reply.n != sizeof out->b)
		err = says(why, ERR_KEY, "what was opened is no data key");
	if (!err)
		memcpy(out->b, reply.out, sizeof out->b);
	secret_wipe(&reply, sizeof reply);
	return err;
}

enum err token_destroy(const struct token_key *t, struct view wrapped, char why[256])
{
	struct token_job job = {t, TOKEN_OP_DESTROY, TOKEN_NAMED, {NULL, 0}, wrapped};
	struct token_reply reply = {0};

	return ask(&job, &reply, why);
}
