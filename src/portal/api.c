/* The API's own state, opened before the sandbox closes. */
#include "portal/api_in.h"

#include "base/base64.h"
#include "base/log.h"
#include "portal/route.h"
#include "records/client.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE "credentials.key"
#define SETUP_FILE "setup-link"

static enum err fail(const char *path, char why[256])
{
	snprintf(why, 256, "%.180s: %s", path, strerror(errno));
	return ERR_IO;
}

static enum err write_new(const char *path, const void *p, size_t n, char why[256])
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	enum err err = ERR_OK;

	if (fd < 0 || write(fd, p, n) != (ssize_t)n || fsync(fd) != 0)
		err = fail(path, why);
	if (fd >= 0)
		close(fd);
	return err;
}

/* The keys that credentials are sealed and passwords hashed with: never with the records. */
static enum err read_keys(struct api *a, char why[256])
{
	char path[CONF_PATH];
	uint8_t b[64];
	ssize_t n = -1;
	enum err err = ERR_OK;
	int fd;

	snprintf(path, sizeof path, "%s/" KEY_FILE, a->portal->conf.dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0) {
		n = read(fd, b, sizeof b);
		close(fd);
	} else if (errno == ENOENT && random_bytes(b, sizeof b) == ERR_OK) {
		err = write_new(path, b, sizeof b, why);
		n = sizeof b;
	}
	if (!err && n != sizeof b)
		err = fail(path, why);
	memcpy(a->seal.b, b, 32);
	memcpy(a->pepper.b, b + 32, 32);
	secret_wipe(b, sizeof b);
	return err;
}

/* Is anybody there who could let others in? */
static enum err count_users(struct api *a, size_t *n, char why[256])
{
	struct keep req = {.op = KEEP_LIST}, rep;
	struct client *c;
	enum err err = client_open(&c, a->portal->conf.keeper, why);

	if (err)
		return err;
	keep_put_text(&req, KEEP_OBJECT, VIEW("user"));
	keep_put_num(&req, KEEP_MOST, 1);
	err = client_call(c, &req, &rep, why);
	if (!err) {
		err = client_status(&rep);
		*n = (size_t)rep.num[KEEP_DONE];
	}
	client_close(c);
	return err;
}

/* The one-time link, for merlon run to print: in a file that its owner alone can read, in no log. */
static enum err make_setup(struct api *a, char why[256])
{
	char line[512];
	uint8_t b[32];
	struct wr w = {.p = (uint8_t *)a->setup, .cap = sizeof a->setup - 1};
	size_t users = 0;
	enum err err = count_users(a, &users, why);

	snprintf(a->setup_path, sizeof a->setup_path, "%s/" SETUP_FILE, a->portal->conf.dir);
	if (err)
		return err;
	if (users > 0) {
		unlink(a->setup_path);
		return ERR_OK;
	}
	err = random_bytes(b, sizeof b);
	if (err)
		return err;
	base64url_put(&w, (struct view){b, sizeof b});
	a->setup[w.n] = 0;
	snprintf(line, sizeof line, "https://%s/setup#%s\n", a->portal->conf.address, a->setup);
	err = write_new(a->setup_path, line, strlen(line), why);
	secret_wipe(line, sizeof line);
	return err;
}

static bool describe(struct api *a)
{
	a->description = route_describe("/api/v1");
	a->description_text = a->description ? json_dumps(a->description, JSON_COMPACT) : NULL;
	a->description_n = a->description_text ? strlen(a->description_text) : 0;
	return a->description_text != NULL;
}

static void on_hasher(void *ctx, int fd)
{
	struct api *a = ctx;
	struct hasher_done done;
	uint64_t n;

	if (read(fd, &n, sizeof n) != sizeof n)
		return;
	while (hasher_take(a->hasher, &done)) {
		struct visit *v = visit_of(a, done.tag);

		if (v && v->hashed)
			v->hashed(v, done.fits, done.text);
		secret_wipe(&done, sizeof done);
	}
	desk_flush(a->desk);
	web_run(a->portal->web);
}

static void after_desk(void *ctx)
{
	struct api *a = ctx;

	a->portal->leaving |= desk_lost(a->desk);
	web_run(a->portal->web);
	desk_flush(a->desk);
}

enum err api_open(struct portal *p, char why[256])
{
	struct api *a = secret_new(sizeof *a);
	enum err err;

	p->api = a;
	snprintf(why, 256, "out of memory");
	if (!a)
		return ERR_FULL;
	a->portal = p;
	err = read_keys(a, why);
	if (!err)
		err = make_setup(a, why);
	if (!err)
		err = desk_open(&a->desk, p->conf.keeper, p->loop, why);
	if (err)
		return err;
	/* Before the sandbox closes the files. Without it the rest works. */
	if (p->conf.events && events_read_open(&a->events, p->conf.events, why) != ERR_OK)
		LOG(LOG_NOTE, "portal.no_events", KV("why", (const char *)why));
	a->logins = logins_new();
	a->throttle = throttle_new();
	a->hasher = hasher_new(&a->pepper);
	if (!a->logins || !a->throttle || !a->hasher || !describe(a) || random_bytes(a->mac.b, 32) ||
	    random_bytes(a->hash_key, sizeof a->hash_key) ||
	    loop_watch(p->loop, hasher_fd(a->hasher), on_hasher, a))
		return ERR_FULL;
	logins_limits(a->logins, p->conf.idle_s, p->conf.session_s);
	desk_after(a->desk, after_desk, a);
	return ERR_OK;
}

void api_close(struct api *a)
{
	if (!a)
		return;
	events_read_close(a->events);
	hasher_free(a->hasher);
	desk_close(a->desk);
	logins_free(a->logins);
	throttle_free(a->throttle);
	json_decref(a->description);
	free(a->description_text);
	secret_free(a);
}

/* A name without its port. */
static struct view bare(struct view host)
{
	size_t n = host.n;

	while (n > 0 && host.p[n - 1] >= '0' && host.p[n - 1] <= '9')
		n--;
	return n > 1 && host.p[n - 1] == ':' ? view_first(host, n - 1) : host;
}

bool api_host_ok(const struct portal *p, struct view host)
{
	static const char *const always[] = {"localhost", "127.0.0.1", "[::1]"};
	struct view name = bare(host), left = view_of(p->conf.hosts ? p->conf.hosts : ""), w;

	for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
		if (view_eq_case(name, view_of(always[i])))
			return true;
	}
	if (view_eq_case(host, view_of(p->conf.address)) || view_eq_case(name, view_of(p->naf_name)))
		return true;
	while ((w = model_word(&left)).n > 0) {
		if (view_eq_case(name, w))
			return true;
	}
	return false;
}
