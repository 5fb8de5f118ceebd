#include "keeper/keeper_in.h"

#include "base/log.h"
#include "records/hold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BATCH_CHANGES 10000
#define PACKED        256

static bool buffers(struct keeper *k)
{
	k->body = malloc(KEEP_BODY_MAX);
	k->bad = malloc(KEEP_BODY_MAX);
	k->frame = malloc(KEEP_FRAME_MAX);
	k->packed = calloc(PACKED, sizeof *k->packed);
	k->changes = calloc(BATCH_CHANGES, sizeof *k->changes);
	k->users = calloc(USERS_MAX, sizeof *k->users);
	return k->body && k->bad && k->frame && k->packed && k->changes && k->users;
}

/* Before anything is read: a predecessor may still be writing. */
static enum err hold(struct keeper *k, char why[256])
{
	char path[4096];
	enum err err;

	snprintf(path, sizeof path, "%s/keeper.lock", k->dir);
	err = hold_file(path, &k->lock_fd);
	if (err)
		snprintf(why, 256, "%.180s: %s", path,
			 err == ERR_EXISTS ? "another keeper is at work" : strerror(errno));
	return err == ERR_EXISTS ? ERR_IO : err;
}

static enum err start(struct keeper *k, const struct keeper_conf *conf, char why[256])
{
	enum err err;

	if (!buffers(k) || !view_text(view_of(conf->data_dir), k->dir, sizeof k->dir) ||
	    !view_text(view_of(conf->portal_user), k->portal_user, sizeof k->portal_user) ||
	    !view_text(view_of(conf->home_user), k->home_user, sizeof k->home_user)) {
		snprintf(why, 256, "keeper: out of memory, or a name too long");
		return ERR_FULL;
	}
	keeper_users(k);
	err = hold(k, why);
	if (!err)
		err = store_open(&k->store, k->dir, why);
	if (!err && conf->cache_mb > 0)
		store_cache(k->store, conf->cache_mb);
	if (!err && !store_head_ok(k->store))
		LOG(LOG_ERROR, "records.journal_broken", KV("dir", (const char *)k->dir),
		    KV_CLAUSE("R-3.1.c"));
	if (!err)
		err = keeper_lists_open(k, conf, why);
	if (!err)
		err = keeper_open_serving(k, why);
	if (!err)
		err = keeper_bulk_open(k, conf, why);
	if (!err)
		err = keeper_holds_open(k, why);
	return err ? err : keeper_listen(k, conf->socket_group, why);
}

enum err keeper_start(struct keeper **out, const struct keeper_conf *conf, char why[256])
{
	struct keeper *k = calloc(1, sizeof *k);
	enum err err;

	*out = NULL;
	why[0] = 0;
	if (!k) {
		snprintf(why, 256, "keeper: out of memory");
		return ERR_FULL;
	}
	k->listen_fd = k->epoll_fd = k->stop_fd = k->job_fd = k->lock_fd = k->hold_fd = -1;
	pthread_mutex_init(&k->job_lock, NULL);
	for (int i = 0; i < CONN_MAX; i++)
		k->conn[i].fd = -1;
	err = start(k, conf, why);
	if (err) {
		keeper_free(k);
		return err;
	}
	LOG(LOG_NOTE, "keeper.up", KV("feed", serving_feed(k->serving)));
	*out = k;
	return ERR_OK;
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	keeper_jobs_end(k);
	for (int i = 0; i < CONN_MAX; i++)
		keeper_hang_up(&k->conn[i]);
	if (k->job_fd >= 0)
		close(k->job_fd);
	if (k->listen_fd >= 0)
		close(k->listen_fd);
	if (k->hold_fd >= 0)
		close(k->hold_fd);
	if (k->epoll_fd >= 0)
		close(k->epoll_fd);
	if (k->stop_fd >= 0)
		close(k->stop_fd);
	if (k->serving)
		serving_finish(k->serving);
	keeper_lists_close(k);
	jobs_close(k->jobs);
	store_close(k->store);
	if (k->lock_fd >= 0)
		close(k->lock_fd);
	pthread_mutex_destroy(&k->job_lock);
	free(k->body);
	free(k->bad);
	free(k->frame);
	free(k->packed);
	free(k->changes);
	free(k->users);
	free(k);
}
