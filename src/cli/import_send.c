/* The sending half of `merlon import`: while the keeper writes one block, the vault takes the keys of
 * the next, and the one after is read and sealed. A record is sent only after its keys are in the
 * vault (design.md, Vaults). */
#include "cli/import_in.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define VAULT_MS 10000
#define LOOK_US 2000

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void import_refuse(struct import *m, uint64_t line, struct view reason)
{
	pthread_mutex_lock(&m->lock);
	m->refused++;
	fprintf(m->bad, "%s:%llu: %.*s\n", m->path, (unsigned long long)line, (int)reason.n,
		(const char *)reason.p);
	pthread_mutex_unlock(&m->lock);
}

/* Home takes the keys in; the records follow. Not for ever: home may be elsewhere, or down. */
static void await_vault(struct import *m, const struct block *b)
{
	char path[CONF_TEXT_MAX + 64];

	if (!b->keys[0] || m->vault_late)
		return;
	snprintf(path, sizeof path, "%s/%s/%s", m->stores, SPOOL_DIR, b->keys);
	for (int us = 0; us < VAULT_MS * 1000; us += LOOK_US) {
		if (access(path, F_OK) != 0)
			return;
		usleep(LOOK_US);
	}
	m->vault_late = true;
	fprintf(stderr, "merlon import: home has not taken the keys yet; it will when it runs\n");
}

static void take_bad(struct import *m, struct view bad)
{
	while (bad.n > 0) {
		const uint8_t *tab = memchr(bad.p, '\t', bad.n), *end = memchr(bad.p, '\n', bad.n);

		if (!tab || !end || tab > end)
			return;
		import_refuse(m, strtoull((const char *)bad.p, NULL, 10),
			      (struct view){tab + 1, (size_t)(end - tab - 1)});
		bad = (struct view){end + 1, (size_t)(bad.p + bad.n - end - 1)};
	}
}

void import_progress(struct import *m, bool last)
{
	double now = seconds(), rate = (double)m->done / (now - m->began + 0.001);

	if (!isatty(STDERR_FILENO) || m->reach.json || (!last && now - m->told < 0.2))
		return;
	m->told = now;
	if (m->size > 0)
		fprintf(stderr, "\r%3u %%", (unsigned int)(m->read * 100 / m->size));
	fprintf(stderr, "%s  %llu records, %llu refused, %.0f a second%s", m->size > 0 ? "" : "\r",
		(unsigned long long)m->done, (unsigned long long)m->refused, rate, last ? "\n" : "");
}

static int send_block(struct import *m, const struct block *b)
{
	struct keep req = {.op = KEEP_IMPORT}, rep;
	int code;

	await_vault(m, b);
	keep_put_text(&req, KEEP_OBJECT, view_of(m->object));
	keep_put_text(&req, KEEP_HEADER, view_of(m->first));
	keep_put_text(&req, KEEP_LINES, wr_done(&b->lines));
	keep_put_num(&req, KEEP_LINE, b->line);
	keep_put_text(&req, KEEP_MODE, m->how->update ? VIEW("set") : VIEW("create"));
	if (m->pair[0] && strcmp(m->object, "subscription") == 0) {
		req.pair[req.pair_n++] = view_of(m->pair);
		req.has |= 1ull << KEEP_PAIR;
	}
	code = reach_call(&m->reach, "import", &req, &rep);
	if (code != EXIT_DONE)
		return code;
	take_bad(m, rep.text[KEEP_BAD]);
	pthread_mutex_lock(&m->lock);
	m->done += rep.num[KEEP_DONE];
	import_progress(m, false);
	pthread_mutex_unlock(&m->lock);
	return EXIT_DONE;
}

static void *run(void *ctx)
{
	struct import *m = ctx;

	pthread_mutex_lock(&m->lock);
	for (;;) {
		struct block *b = &m->block[m->sent % BLOCKS];
		int code = m->code;

		if (m->sent == m->made) {
			if (m->end)
				break;
			pthread_cond_wait(&m->moved, &m->lock);
			continue;
		}
		pthread_mutex_unlock(&m->lock);
		if (code == EXIT_DONE)
			code = send_block(m, b);
		b->lines.n = 0;
		b->rows = 0;
		b->keys[0] = 0;
		pthread_mutex_lock(&m->lock);
		m->code = code;
		m->sent++;
		pthread_cond_broadcast(&m->moved);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

bool import_begin(struct import *m)
{
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->moved, NULL);
	m->began = m->told = seconds();
	for (size_t i = 0; i < BLOCKS; i++) {
		m->block[i].lines = (struct wr){.p = malloc(KEEP_LINES_MAX), .cap = KEEP_LINES_MAX};
		if (!m->block[i].lines.p)
			return false;
	}
	m->sending = pthread_create(&m->sender, NULL, run, m) == 0;
	return m->sending;
}

void import_end(struct import *m)
{
	if (m->sending) {
		pthread_mutex_lock(&m->lock);
		m->end = true;
		pthread_cond_broadcast(&m->moved);
		pthread_mutex_unlock(&m->lock);
		pthread_join(m->sender, NULL);
	}
	for (size_t i = 0; i < BLOCKS; i++)
		free(m->block[i].lines.p);
	pthread_cond_destroy(&m->moved);
	pthread_mutex_destroy(&m->lock);
}

static int seal_keys(struct import *m, struct block *b)
{
	char why[256];
	enum err err;

	if (m->key_n == 0)
		return EXIT_DONE;
	err = spool_write(m->stores, m->pub, m->key, m->key_n, b->keys, why);
	secret_wipe(m->key, m->key_n * sizeof *m->key);
	m->key_n = 0;
	if (!err)
		return EXIT_DONE;
	fprintf(stderr, "merlon import: %s\n", why);
	return EXIT_FAILED;
}

int import_queue(struct import *m)
{
	struct block *b = import_block(m);
	int code = b->rows > 0 ? seal_keys(m, b) : EXIT_DONE;

	if (code != EXIT_DONE || b->rows == 0)
		return code;
	pthread_mutex_lock(&m->lock);
	m->made++;
	pthread_cond_broadcast(&m->moved);
	while (m->made - m->sent == BLOCKS)
		pthread_cond_wait(&m->moved, &m->lock);
	code = m->code;
	pthread_mutex_unlock(&m->lock);
	return code;
}

int import_drain(struct import *m)
{
	int code;

	pthread_mutex_lock(&m->lock);
	while (m->made != m->sent)
		pthread_cond_wait(&m->moved, &m->lock);
	code = m->code;
	pthread_mutex_unlock(&m->lock);
	return code;
}
