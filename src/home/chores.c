#include "home/chores.h"

#include "base/log.h"
#include "base/metric.h"
#include "records/spool.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define STEP_NS 100000000L
#define STEP_BUSY_NS 2000000L /* while keys stream in: their records wait for them */

static enum err take(void *ctx, const struct vault_row *rows, size_t n)
{
	return vault_put(ctx, rows, n);
}

/* Durable in the vault first, then gone from the spool; a crash between the two only repeats it. */
static bool import(struct chores *c, const char *name)
{
	enum err err = ERR_KEY;
	char bad[80];

	for (size_t i = 0; i < c->pair_n && err == ERR_KEY; i++)
		err = spool_read(c->spool_fd, name, c->pair[i].pub, &c->pair[i].priv, take, c->vault);
	if (err == ERR_IO || err == ERR_FULL)
		return false; /* our own trouble: the file stays for another try */
	metric_add(M_HOME_KEYS, err != ERR_OK, 1);
	if (!err) {
		unlinkat(c->spool_fd, name, 0);
		fsync(c->spool_fd);
		LOG(LOG_NOTE, "home.keys_imported", KV("file", name), KV_CLAUSE("R-5.1.1.4.c"));
		return true;
	}
	LOG(LOG_ERROR, "home.keys_refused", KV("file", name), KV("error", err_text(err)));
	snprintf(bad, sizeof bad, "%.60s.bad", name);
	renameat(c->spool_fd, name, c->spool_fd, bad);
	return false;
}

static bool ends(const char *name, const char *tail)
{
	size_t n = strlen(name), t = strlen(tail);

	return n > t && strcmp(name + n - t, tail) == 0;
}

/* True if keys were taken in. */
static bool poll_spool(struct chores *c)
{
	int fd = openat(c->spool_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	bool took = false;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((e = readdir(dir))) {
		if (strcmp(e->d_name, SPOOL_RESET) == 0 &&
		    unlinkat(c->spool_fd, SPOOL_RESET, 0) == 0)
			atomic_store(&c->reset_wanted, true);
		else if (ends(e->d_name, SPOOL_SUFFIX))
			took |= import(c, e->d_name);
	}
	closedir(dir);
	return took;
}

bool chores_step(struct chores *c, uint64_t wall_ms)
{
	enum err err = sqn_reserve(c->sqn, wall_ms);

	if (err)
		LOG(LOG_ERROR, "home.sqn_not_reserved", KV("error", err_text(err)));
	return poll_spool(c);
}

static void *work(void *ctx)
{
	struct chores *c = ctx;
	struct timespec step = {0};
	struct timespec now;

	while (!atomic_load(&c->stop)) {
		clock_gettime(CLOCK_REALTIME, &now);
		step.tv_nsec = chores_step(c, (uint64_t)now.tv_sec * 1000 +
						  (uint64_t)now.tv_nsec / 1000000)
				   ? STEP_BUSY_NS
				   : STEP_NS;
		nanosleep(&step, NULL);
	}
	return NULL;
}

bool chores_start(struct chores *c)
{
	c->running = pthread_create(&c->thread, NULL, work, c) == 0;
	if (!c->running)
		LOG(LOG_ERROR, "home.no_thread", KV("for", "chores"));
	return c->running;
}

void chores_stop(struct chores *c)
{
	atomic_store(&c->stop, true);
	if (c->running)
		pthread_join(c->thread, NULL);
	c->running = false;
}
