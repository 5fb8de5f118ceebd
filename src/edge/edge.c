#include "edge/edge.h"

#include "base/log.h"
#include "edge/worker.h"

#include <stdio.h>
#include <stdlib.h>

#define SEATS_MAX 16384

/* The mailboxes: each pair of workers has one for each way. */
static bool join_workers(struct edge *e)
{
	for (size_t from = 0; from < e->worker_n; from++) {
		for (size_t to = 0; to < e->worker_n; to++) {
			struct edge_worker *w = &e->worker[from];

			if (to == from)
				continue;
			w->to[to] = mailbox_new(e->worker[to].loop, 4 * 1024 * 1024, edge_mail,
						&e->worker[to]);
			if (!w->to[to])
				return false;
		}
	}
	return true;
}

static enum err open_shared(struct edge *e, char why[256])
{
	const struct edge_conf *c = e->conf;
	enum err err = serving_open(&e->serving, c->data_dir, why);

	if (err)
		return err;
	memcpy(e->key, c->key, sizeof e->key);
	e->directory = directory_new(SEATS_MAX);
	e->sightings = sightings_new(c->sightings, e->key);
	if (!e->directory || !e->sightings || edge_open_targets(e) != ERR_OK) {
		snprintf(why, 256, "edge: out of memory for %u sightings", c->sightings);
		return ERR_FULL;
	}
	return snapshot_open(&e->snapshot, e->sightings, c->data_dir, why);
}

static enum err open_all(struct edge *e, char why[256])
{
	enum err err = open_shared(e, why);

	for (size_t i = 0; i < e->worker_n && !err; i++)
		err = worker_open(e, i, why);
	if (!err && !join_workers(e)) {
		snprintf(why, 256, "edge: out of memory for mailboxes");
		err = ERR_FULL;
	}
	for (size_t i = 0; i < e->worker_n && !err; i++)
		err = worker_listen(&e->worker[i], why);
	return err;
}

enum err edge_start(struct edge **out, const struct edge_conf *conf, char why[256])
{
	struct edge *e = calloc(1, sizeof *e);
	enum err err;

	*out = NULL;
	if (!e) {
		snprintf(why, 256, "edge: out of memory");
		return ERR_FULL;
	}
	e->conf = conf;
	e->worker_n = conf->workers;
	atomic_store(&e->clear, conf->clear);
	err = open_all(e, why);
	if (err) {
		edge_free(e);
		return err;
	}
	*out = e;
	return ERR_OK;
}

static void *run_worker(void *ctx)
{
	struct edge_worker *w = ctx;

	edge_dial_homes(w);
	loop_run(w->loop);
	refusals_flush(&w->refusals);
	return NULL;
}

void edge_run(struct edge *e)
{
	size_t n = 1;

	snapshot_start(e->snapshot);
	while (n < e->worker_n &&
	       pthread_create(&e->worker[n].thread, NULL, run_worker, &e->worker[n]) == 0)
		n++;
	if (n < e->worker_n)
		LOG(LOG_ERROR, "edge.worker_missing", kv_num("worker", n));
	run_worker(&e->worker[0]);
	for (size_t i = 1; i < n; i++)
		pthread_join(e->worker[i].thread, NULL);
}

void edge_stop(struct edge *e)
{
	atomic_store(&e->stop, true);
}

void edge_reload(struct edge *e, bool clear)
{
	atomic_store(&e->clear, clear);
}

void edge_lists(struct edge *e, int fd)
{
	char why[256];

	if (serving_offer_lists(e->serving, fd, why))
		LOG(LOG_ERROR, "edge.lists_stay", KV("why", (const char *)why));
}

void edge_free(struct edge *e)
{
	for (size_t i = 0; i < e->worker_n; i++) {
		if (e->worker[i].loop)
			worker_free(&e->worker[i]);
	}
	for (size_t i = 0; i < EDGE_PARTITION_MAX; i++)
		admission_free(e->target[i]);
	snapshot_close(e->snapshot);
	sightings_free(e->sightings);
	directory_free(e->directory);
	if (e->serving)
		serving_close(e->serving);
	free(e);
}
