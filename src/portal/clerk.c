#include "portal/clerk.h"

#include "records/client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define JOBS 64
#define PLATFORM_MAX 10000
#define EVERY_S 1

struct clerk {
	struct client *client;
	pthread_t thread;
	bool started;
	atomic_bool stop, lost;
	int fd;

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t wake;
	struct clerk_job job[JOBS];
	uint32_t in, work, out; /* jobs out..work are done, work..in wait */
	struct platforms *fresh;
};

const struct platform *platforms_find(const struct platforms *p, struct view name)
{
	for (size_t i = 0; p && i < p->n; i++) {
		if (view_eq(view_of(p->row[i].name), name))
			return &p->row[i];
	}
	return NULL;
}

void platforms_free(struct platforms *p)
{
	for (size_t i = 0; p && i < p->n; i++)
		jws_key_free(p->row[i].key);
	if (p)
		free(p->row);
	free(p);
}

static uint32_t tenant_of(const json_t *tenants, struct view name)
{
	const json_t *t;
	size_t i;

	json_array_foreach(tenants, i, t)
	{
		if (view_eq(jws_text(t, "name"), name))
			return (uint32_t)jws_num(t, "id");
	}
	return 0;
}

static bool read_row(const json_t *o, const json_t *tenants, struct platform *to)
{
	struct view sector = jws_text(o, "sector"), x = jws_text(o, "key_x");

	if (!view_text(jws_text(o, "name"), to->name, sizeof to->name) || !to->name[0] ||
	    !view_text(sector.n > 0 ? sector : jws_text(o, "name"), to->sector, sizeof to->sector))
		return false;
	to->tenant = tenant_of(tenants, jws_text(o, "tenant"));
	to->key = x.n > 0 ? jws_key_of_point(x, jws_text(o, "key_y")) : NULL;
	return to->tenant != 0;
}

static json_t *array_of(struct view text)
{
	json_t *a = json_loadb(text.p ? (const char *)text.p : "", text.n, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_array(a))
		return a;
	json_decref(a);
	return NULL;
}

struct platforms *platforms_read(struct view tenants, struct view list)
{
	struct platforms *p = calloc(1, sizeof *p);
	json_t *t = array_of(tenants), *l = array_of(list);
	const json_t *o;
	size_t i;

	if (p)
		p->row = calloc(json_array_size(l) + 1, sizeof *p->row);
	if (!p || !p->row || !t || !l) {
		platforms_free(p);
		p = NULL;
	}
	json_array_foreach(l, i, o)
	{
		if (p && read_row(o, t, &p->row[p->n]))
			p->n++;
	}
	json_decref(t);
	json_decref(l);
	return p;
}

static enum err list(struct clerk *c, const char *object, struct keep *rep, char why[256])
{
	struct keep req = {.op = KEEP_LIST};
	enum err err;

	keep_put_text(&req, KEEP_OBJECT, view_of(object));
	keep_put_text(&req, KEEP_MODE, VIEW("json"));
	keep_put_num(&req, KEEP_MOST, PLATFORM_MAX - 1);
	err = client_call(c->client, &req, rep, why);
	return err ? err : client_status(rep);
}

static struct platforms *ask_platforms(struct clerk *c, char why[256])
{
	struct platforms *p = NULL;
	struct keep rep;
	uint8_t *tenants;
	struct view v;

	if (list(c, "tenant", &rep, why))
		return NULL;
	v = rep.text[KEEP_BODY];
	tenants = malloc(v.n + 1);
	if (!tenants)
		return NULL;
	memcpy(tenants, v.p, v.n);
	if (list(c, "platform", &rep, why) == ERR_OK)
		p = platforms_read((struct view){tenants, v.n}, rep.text[KEEP_BODY]);
	free(tenants);
	return p;
}

enum err clerk_note_now(struct clerk *c, const char *mode, const char *key, struct view text,
			char why[256])
{
	struct keep req = {.op = KEEP_NOTE}, rep;
	enum err err;

	keep_put_text(&req, KEEP_MODE, view_of(mode));
	keep_put_text(&req, KEEP_KEY, view_of(key));
	keep_put_text(&req, KEEP_HEADER, text);
	err = client_call(c->client, &req, &rep, why);
	if (err)
		return err;
	err = client_status(&rep);
	if (err)
		snprintf(why, 256, "the keeper: %s", err_text(err));
	return err;
}

/* From now on the keeper takes no more from us than what we are for: whoever takes us over has no more. */
static enum err narrow(struct clerk *c, char why[256])
{
	struct keep req = {.op = KEEP_NARROW}, rep;
	enum err err;

	keep_put_text(&req, KEEP_MODE, VIEW("portal"));
	err = client_call(c->client, &req, &rep, why);
	return err ? err : client_status(&rep);
}

enum err clerk_open(struct clerk **out, const char *socket, char why[256])
{
	struct clerk *c = calloc(1, sizeof *c);
	enum err err = ERR_FULL;

	*out = NULL;
	snprintf(why, 256, "out of memory");
	if (!c)
		return ERR_FULL;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->fd >= 0)
		err = client_open(&c->client, socket, why);
	if (!err)
		err = narrow(c, why);
	if (!err) {
		c->fresh = ask_platforms(c, why);
		err = c->fresh ? ERR_OK : ERR_IO;
	}
	if (err) {
		clerk_close(c);
		return err;
	}
	*out = c;
	return ERR_OK;
}

static void tell(struct clerk *c)
{
	const uint64_t one = 1;

	if (write(c->fd, &one, sizeof one) != sizeof one)
		return; /* it is readable already */
}

/* Wait for a job, at most a second. */
static bool next(struct clerk *c, struct clerk_job *job)
{
	struct timespec until;
	bool found;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += EVERY_S;
	pthread_mutex_lock(&c->lock);
	while (c->work == c->in && !atomic_load(&c->stop) &&
	       pthread_cond_timedwait(&c->wake, &c->lock, &until) == 0)
		;
	found = c->work != c->in;
	if (found)
		*job = c->job[c->work % JOBS];
	pthread_mutex_unlock(&c->lock);
	return found;
}

static void done(struct clerk *c, enum err err)
{
	pthread_mutex_lock(&c->lock);
	c->job[c->work % JOBS].err = err;
	c->work++;
	pthread_mutex_unlock(&c->lock);
	tell(c);
}

static void refresh(struct clerk *c)
{
	char why[256];
	struct platforms *p = ask_platforms(c, why), *old;

	if (!p) {
		atomic_store(&c->lost, true);
		tell(c);
		return;
	}
	pthread_mutex_lock(&c->lock);
	old = c->fresh;
	c->fresh = p;
	pthread_mutex_unlock(&c->lock);
	platforms_free(old);
	tell(c);
}

static void *work(void *ctx)
{
	struct clerk *c = ctx;
	struct clerk_job job;
	char why[256];

	while (!atomic_load(&c->stop)) {
		if (!next(c, &job)) {
			if (!atomic_load(&c->lost))
				refresh(c);
			continue;
		}
		done(c, atomic_load(&c->lost)
			    ? ERR_IO
			    : clerk_note_now(c, job.mode, job.key, view_of(job.text), why));
	}
	return NULL;
}

bool clerk_start(struct clerk *c)
{
	c->started = pthread_create(&c->thread, NULL, work, c) == 0;
	return c->started;
}

void clerk_close(struct clerk *c)
{
	if (!c)
		return;
	atomic_store(&c->stop, true);
	pthread_mutex_lock(&c->lock);
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	if (c->started)
		pthread_join(c->thread, NULL);
	client_close(c->client);
	platforms_free(c->fresh);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

bool clerk_note(struct clerk *c, const struct clerk_job *job)
{
	bool room;

	pthread_mutex_lock(&c->lock);
	room = c->in - c->out < JOBS;
	if (room)
		c->job[c->in++ % JOBS] = *job;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	return room;
}

int clerk_fd(const struct clerk *c)
{
	return c->fd;
}

bool clerk_done(struct clerk *c, struct clerk_job *job)
{
	bool found;

	pthread_mutex_lock(&c->lock);
	found = c->out != c->work;
	if (found)
		*job = c->job[c->out++ % JOBS];
	pthread_mutex_unlock(&c->lock);
	return found;
}

struct platforms *clerk_platforms(struct clerk *c)
{
	struct platforms *p;

	pthread_mutex_lock(&c->lock);
	p = c->fresh;
	c->fresh = NULL;
	pthread_mutex_unlock(&c->lock);
	return p;
}

bool clerk_lost(const struct clerk *c)
{
	return atomic_load(&c->lost);
}
