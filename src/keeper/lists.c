#include "keeper/lists.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define IDLE_MS 30000 /* an import whose client says nothing for so long is given up */

/* --- the thread ----------------------------------------------------------------------------- */

static enum err fail(struct lists *l, const char *what, const char *path)
{
	snprintf(l->why, sizeof l->why, "%s %.180s: %s", what, path, strerror(errno));
	return ERR_IO;
}

void lists_plan(struct lists *l)
{
	l->err = ERR_OK;
	if (!l->base && l->now.generation)
		l->err = equip_open_at(&l->base, l->dir, l->now.generation, l->why);
	if (!l->err && l->base &&
	    memcmp(equip_head(l->base)->digest, l->now.digest, EQUIP_DIGEST) != 0) {
		snprintf(l->why, sizeof l->why, "the lists in force are not what was recorded");
		l->err = ERR_CORRUPT;
	}
	if (!l->err)
		l->err = equip_make_plan(l->make, l->base, &l->guard, &l->plan);
}

static enum err sync_dir(struct lists *l, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err err = fd >= 0 && fsync(fd) == 0 ? ERR_OK : fail(l, "directory", path);

	if (fd >= 0)
		close(fd);
	return err;
}

/* A name only when all of it is on the disk. */
void lists_write(struct lists *l)
{
	char dir[3200], to[3300], new[3300];
	uint64_t generation = l->now.generation + 1;
	int fd;

	snprintf(dir, sizeof dir, "%s/" EQUIP_DIR, l->dir);
	snprintf(new, sizeof new, "%s/new", dir);
	snprintf(to, sizeof to, "%s/" EQUIP_NAME, dir, (unsigned long long)generation);
	fd = open(new, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	l->err = fd >= 0 ? equip_make_write(l->make, l->base, fd, generation, &l->head) :
			   fail(l, "file", new);
	if (l->err == ERR_IO && !l->why[0])
		fail(l, "file", new);
	if (!l->err && rename(new, to) != 0)
		l->err = fail(l, "file", to);
	if (!l->err)
		l->err = sync_dir(l, dir);
	if (fd >= 0)
		close(fd);
	if (l->err)
		unlink(new);
}

static void *work(void *ctx)
{
	struct lists *l = ctx;

	if (l->state == LISTS_PLANS)
		lists_plan(l);
	else
		lists_write(l);
	atomic_store(&l->done, true);
	return NULL;
}

static enum err start(struct lists *l, enum lists_state state)
{
	l->state = state;
	l->why[0] = 0;
	atomic_store(&l->done, false);
	l->running = pthread_create(&l->thread, NULL, work, l) == 0;
	return l->running ? ERR_OK : ERR_FULL;
}

/* --- one import ----------------------------------------------------------------------------- */

static void forget(struct lists *l)
{
	if (l->running)
		pthread_join(l->thread, NULL);
	l->running = false;
	equip_make_free(l->make);
	equip_close(l->base);
	l->make = NULL;
	l->base = NULL;
	l->state = LISTS_NONE;
}

static enum err begin(struct keeper *k, const struct ask *a)
{
	struct lists *l = k->lists;
	uint64_t full = keep_has(a->req, KEEP_MOST) ? a->req->num[KEEP_MOST] : 0;

	if (l->state != LISTS_NONE && (l->running || a->who.now_ms - l->touched_ms < IDLE_MS)) {
		say(a->say, "user %s is importing equipment lists; try again later", l->user);
		return ERR_AGAIN;
	}
	if (full >= 1u << EQUIP_LISTS)
		return ERR_VALUE;
	forget(l);
	if (!view_text(a->who.actor, l->user, sizeof l->user) ||
	    !view_text(a->req->text[KEEP_NAME], l->source, sizeof l->source))
		return ERR_LENGTH;
	l->make = equip_make_new((unsigned int)full);
	l->plan = (struct equip_plan){ 0 };
	l->state = l->make ? LISTS_TAKES : LISTS_NONE;
	return l->make ? ERR_OK : ERR_FULL;
}

static enum err more(struct lists *l, const struct ask *a)
{
	enum err err = l->state == LISTS_TAKES ? equip_make_add(l->make, a->req->text[KEEP_LINES]) :
						 ERR_NOT_ALLOWED;

	if (err && l->state == LISTS_TAKES)
		forget(l); /* some of the block may be in */
	return err;
}

static enum err plan(struct lists *l)
{
	return l->state == LISTS_TAKES ? start(l, LISTS_PLANS) : ERR_NOT_ALLOWED;
}

/* What the guard found is written only when exactly that was confirmed. */
static enum err keep(struct lists *l, const struct ask *a)
{
	char text[SAY_MAX];

	if (l->state != LISTS_PLANNED)
		return ERR_NOT_ALLOWED;
	if (l->plan.finding_all > 0 && (!keep_has(a->req, KEEP_APPROVE) ||
					a->req->num[KEEP_APPROVE] != l->plan.code)) {
		lists_say_finding(text, l);
		say(a->say, "%s", text);
		return ERR_REFUSED;
	}
	return start(l, LISTS_WRITES);
}

/* Older ones than the last two serve nobody. */
static void clean(const struct lists *l)
{
	char path[3300];

	for (uint64_t g = l->now.old_generation; g-- > 1;) {
		snprintf(path, sizeof path, "%s/" EQUIP_DIR "/" EQUIP_NAME, l->dir,
			 (unsigned long long)g);
		if (unlink(path) != 0)
			return;
	}
}

/* The file is there, whole: now it is recorded, and then told to the readers. */
static enum err adopt(struct keeper *k, const struct ask *a)
{
	struct lists *l = k->lists;
	struct serving_lists next = { .generation = l->head.generation,
				      .old_generation = l->now.generation };
	size_t at = a->body->n;
	enum err err;

	memcpy(next.digest, l->head.digest, sizeof next.digest);
	memcpy(next.old_digest, l->now.digest, sizeof next.old_digest);
	lists_say_done(a->body, l);
	err = a->body->err ? a->body->err :
			     store_lists_put(k->store, &a->who, &next, view_of(l->source),
					     (struct view){ a->body->p + at, a->body->n - at });
	if (err)
		return err;
	l->now = next;
	LOG(LOG_NOTE, "keeper.lists", KV("generation", next.generation), KV("actor", a->who.actor),
	    KV("black", l->head.single[BLACK]), KV("grey", l->head.single[GREY]),
	    KV("white", l->head.single[WHITE]), KV("confirmed", l->plan.finding_all),
	    KV_CLAUSE("R-5.7.3.a"));
	err = keeper_lists_publish(k);
	clean(l);
	return err;
}

static enum err wait(struct keeper *k, const struct ask *a)
{
	struct lists *l = k->lists;
	enum lists_state was = l->state;
	enum err err;

	if (!l->running)
		return ERR_NOT_ALLOWED;
	if (!atomic_load(&l->done))
		return ERR_OK; /* no body: ask again */
	pthread_join(l->thread, NULL);
	l->running = false;
	err = l->err;
	if (!err && was == LISTS_PLANS) {
		l->state = LISTS_PLANNED;
		lists_say_plan(a->body, l);
		return a->body->err;
	}
	if (!err)
		err = adopt(k, a);
	if (err && l->why[0])
		say(a->say, "%s", l->why);
	forget(l);
	return err;
}

static enum err step(struct keeper *k, const struct ask *a)
{
	struct lists *l = k->lists;
	struct view mode = a->req->text[KEEP_MODE];

	if (!view_eq(a->who.actor, view_of(l->user)) || l->state == LISTS_NONE) {
		say(a->say, "no import of equipment lists is under way; begin one");
		return ERR_NOT_FOUND;
	}
	l->touched_ms = a->who.now_ms;
	if (view_eq(mode, VIEW("more")))
		return more(l, a);
	if (view_eq(mode, VIEW("plan")))
		return plan(l);
	if (view_eq(mode, VIEW("wait")))
		return wait(k, a);
	if (view_eq(mode, VIEW("keep")))
		return keep(l, a);
	if (!view_eq(mode, VIEW("drop")))
		return ERR_VALUE;
	if (!l->running)
		forget(l);
	return ERR_OK;
}

enum err keeper_lists_answer(struct keeper *k, const struct ask *a)
{
	enum err err;

	if (!view_eq(a->req->text[KEEP_MODE], VIEW("begin")))
		return step(k, a);
	err = begin(k, a);
	if (!err)
		k->lists->touched_ms = a->who.now_ms;
	return err;
}

/* --- the keeper's ends ---------------------------------------------------------------------- */

const struct serving_lists *keeper_lists_now(const struct keeper *k)
{
	return &k->lists->now;
}

enum err keeper_lists_publish(struct keeper *k)
{
	enum err err;

	if (memcmp(&k->lists->now, serving_lists(k->serving), sizeof k->lists->now) == 0)
		return ERR_OK;
	err = serving_begin(k->serving);
	if (!err)
		err = serving_put_lists(k->serving, &k->lists->now);
	if (err)
		return err;
	return serving_commit(k->serving);
}

enum err keeper_lists_open(struct keeper *k, const struct keeper_conf *conf, char why[256])
{
	char path[3200];
	struct lists *l = calloc(1, sizeof *l);

	if (!l) {
		snprintf(why, 256, "keeper: out of memory");
		return ERR_FULL;
	}
	k->lists = l;
	l->dir = k->dir;
	l->guard = (struct equip_guard){ conf->tac_most ? conf->tac_most : 100000,
					 conf->list_change ? conf->list_change : 50 };
	snprintf(path, sizeof path, "%s/" EQUIP_DIR, k->dir);
	if (mkdir(path, 0750) != 0 && errno != EEXIST) {
		snprintf(why, 256, "%.180s: %s", path, strerror(errno));
		return ERR_IO;
	}
	/* What was served before goes on being served (R-3.1.c). */
	if (store_lists_get(k->store, &l->now) == ERR_CORRUPT)
		LOG(LOG_ERROR, "records.tampered", KV("object", "lists"), KV_CLAUSE("R-3.1.c"));
	return ERR_OK;
}

void keeper_lists_close(struct keeper *k)
{
	if (k->lists)
		forget(k->lists);
	free(k->lists);
}
