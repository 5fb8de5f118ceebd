/* The home role: opens the stores, and ties loop, node and procedures together. */
#include "home/chores.h"
#include "home/worker.h"

#include "base/log.h"
#include "base/metric.h"
#include "records/spool.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 100
#define FEED_MS 20
#define ARENA_SIZE ((size_t)1 << 20)
#define OUT_SIZE ((size_t)1 << 16)
#define PEER_MAX 64
#define STOP_MS 1500

struct home {
	struct home_worker w;
	struct serving *serving;
	struct reg *reg;
	struct vault *vault;
	struct sqn *sqn;
	int sqn_fd;
	struct chores chores;
	bool chores_begun;
	pthread_t loop_thread;
	atomic_bool looping, stopping, stopped;
};

/* --- the loop's hooks --- */

void worker_renew(struct home_worker *w)
{
	enum err err = serving_renew(w->read, loop_now(w->loop));

	vault_read_renew(w->vault);
	w->fresh = err == ERR_OK || (err == ERR_AGAIN && serving_valid(w->read, loop_now(w->loop)));
	if (err == ERR_CORRUPT) {
		LOG(LOG_ERROR, "home.serving_copy_replaced",
		    KV("then", "home must be started anew"));
		loop_stop(w->loop);
	}
}

static void batch_begin(void *ctx)
{
	struct home *h = ctx;

	worker_renew(&h->w);
}

static void batch_end(void *ctx)
{
	struct home *h = ctx;

	arena_reset(&h->w.mem);
	answer_load(&h->w);
}

static void on_durable(void *ctx, int fd)
{
	struct home *h = ctx;

	(void)fd;
	answer_durable(&h->w);
}

/* In bites that no request waits for. */
static void feed_tick(void *ctx)
{
	struct home *h = ctx;

	if (!h->chores_begun || atomic_load(&h->stopping))
		return;
	worker_renew(&h->w);
	follow_feed(&h->w);
}

static void stop_step(struct home *h)
{
	hlr_leave(&h->w);
	if (dia_node_stop(h->w.node, 0, loop_now(h->w.loop))) /* 0: REBOOTING */
		atomic_store(&h->stopped, true);
}

static void tick(void *ctx)
{
	struct home *h = ctx;
	struct home_worker *w = &h->w;

	if (!h->chores_begun) {
		h->chores_begun = true;
		h->loop_thread = pthread_self();
		atomic_store(&h->looping, true);
		chores_start(&h->chores);
		if (w->bsf)
			bsf_start(w->bsf);
	}
	if (!h->chores.running)
		chores_step(&h->chores, loop_wall(w->loop));
	worker_renew(w);
	answer_durable(w);
	dia_node_tick(w->node, loop_now(w->loop));
	gsup_tick(w);
	hlr_tick(w);
	if (atomic_load(&h->stopping)) {
		stop_step(h);
		return;
	}
	keep_cursor(w);
	w->reset.going |= atomic_exchange(&h->chores.reset_wanted, false);
	if (w->reset.going)
		send_resets(w);
	if (w->fresh) {
		holds_due(w);
		send_due(w);
	}
	answer_load(w);
}

/* --- opening --- */

static enum err says(char why[256], enum err err, const char *what, const char *where)
{
	snprintf(why, 256, "%.60s %.120s: %.60s", what, where,
		 errno ? strerror(errno) : err_text(err));
	return err;
}

static const char *stores_of(const struct home_conf *conf)
{
	return conf->stores ? conf->stores : conf->data_dir;
}

/* Keys on their way in were sealed to a pair of the master key's in versions before: files of theirs may
 * be left. */
static void make_pairs(struct home *h, const struct master *master)
{
	struct chores_pair *p = h->chores.pair;

	vault_pair(h->vault, p[0].pub, &p[0].priv);
	if (!master->token)
		sealbox_pair(&master->key, p[1].pub, &p[1].priv);
	h->chores.pair_n = master->token ? 1 : 2;
}

/* First of all, before there is a thread: it may ask a token. */
static enum err unlock_vault(struct home *h, const struct home_conf *conf, char why[256])
{
	char notes[TOKEN_WHERE];
	struct master master;
	enum err err = ERR_FULL;

	snprintf(why, 256, "home: out of memory");
	snprintf(notes, sizeof notes, "%.200s/vault-auc", stores_of(conf));
	h->chores.pair = secret_new(2 * sizeof *h->chores.pair);
	if (h->chores.pair)
		err = master_open(&master, conf->master_key, conf->pin, notes, why);
	if (err)
		return err;
	err = vault_open(&h->vault, stores_of(conf), &master, why);
	if (!err) {
		make_pairs(h, &master);
		err = spool_pub_put(stores_of(conf), h->chores.pair[0].pub, why);
	}
	if (!err)
		LOG(LOG_NOTE, "home.vault_open", KV("master", master.token ? "token" : "file"));
	if (!err && !secret_locked(h->chores.pair, 2 * sizeof *h->chores.pair))
		LOG(LOG_NOTE, "home.memory_not_locked", KV("why", (const char *)strerror(errno)));
	master_wipe(&master);
	return err;
}

static enum err open_vault(struct home *h, const struct home_conf *conf, char why[256])
{
	char path[512];

	snprintf(path, sizeof path, "%s/" SPOOL_DIR, stores_of(conf));
	errno = 0;
	if (mkdir(path, 0770) == 0 || errno == EEXIST)
		h->chores.spool_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (h->chores.spool_fd < 0)
		return says(why, ERR_IO, "cannot open", path);
	h->w.vault = vault_reader(h->vault);
	return h->w.vault ? ERR_OK
			  : says(why, ERR_FULL, "cannot read the vault of", stores_of(conf));
}

static enum err open_sqn(struct home *h, const struct home_conf *conf, char why[256])
{
	struct timespec now;
	char path[512];
	enum err err;

	snprintf(path, sizeof path, "%s/sqn", stores_of(conf));
	errno = 0;
	h->sqn_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (h->sqn_fd < 0)
		return says(why, ERR_IO, "cannot open the sequence numbers", path);
	clock_gettime(CLOCK_REALTIME, &now);
	errno = 0;
	err = sqn_open(&h->sqn, h->sqn_fd,
		       (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
	return err ? says(why, err, "cannot use the sequence numbers", path) : ERR_OK;
}

static enum err open_stores(struct home *h, const struct home_conf *conf, char why[256])
{
	struct home_worker *w = &h->w;
	enum err err = unlock_vault(h, conf, why);

	if (!err)
		err = serving_open(&h->serving, conf->data_dir, why);
	if (!err)
		err = reg_open(&h->reg, stores_of(conf), why);
	if (!err)
		err = open_vault(h, conf, why);
	if (!err)
		err = open_sqn(h, conf, why);
	if (err)
		return err;
	errno = 0;
	w->read = serving_reader(h->serving);
	w->reg = reg_worker(h->reg);
	w->means = (struct auth_means){.aka = aka_new(), .sqn = h->sqn};
	if (!w->read || !w->reg || !w->means.aka)
		return says(why, ERR_FULL, "cannot read the stores of", stores_of(conf));
	w->book = serving_book(w->read);
	feed_init(&w->feed, reg_cursor(w->reg));
	h->chores.sqn = h->sqn;
	h->chores.vault = h->vault;
	return ERR_OK;
}

static enum err make_worker(struct home *h, const struct home_conf *conf, char why[256])
{
	struct home_worker *w = &h->w;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	w->self = (struct home_self){conf->own_plmn, conf->node_id, conf->vector_max,
				     conf->unknown_equipment_ok};
	w->me = (struct dia_node_conf){
	    .host = conf->host,
	    .realm = conf->realm,
	    .product = VIEW("Merlon"),
	    .vendor_id = VENDOR_3GPP,
	    .apps = {DIA_APP_S6A, DIA_APP_S13},
	    .app_n = 2,
	    .state_id = (uint32_t)now.tv_sec,
	    .watchdog_ms = conf->watchdog_ms,
	    .peer_max = PEER_MAX,
	    .pending_max = OUTBOX_MAX,
	    .pending_ms = 10000,
	};
	if (conf->bsf)
		w->me.apps[w->me.app_n++] = DIA_APP_ZN;
	if (conf->swx)
		w->me.apps[w->me.app_n++] = DIA_APP_SWX;
	w->swx = conf->swx;
	w->partition = conf->partition;
	w->pace = conf->pace ? conf->pace : 200;
	w->mem = (struct arena){.base = malloc(ARENA_SIZE), .cap = ARENA_SIZE};
	w->out = (struct wr){.p = malloc(OUT_SIZE), .cap = OUT_SIZE};
	w->waiting = waiting_new();
	w->outbox = outbox_new();
	w->node = dia_node_new(&w->me, &home_actions, w);
	if (!w->mem.base || !w->out.p || !w->waiting || !w->outbox || !w->node) {
		snprintf(why, 256, "home: out of memory");
		return ERR_FULL;
	}
	dia_node_strict(w->node, DIA_END);
	return ERR_OK;
}

static enum err join_loop(struct home *h, const struct home_conf *conf, char why[256])
{
	struct loop *l = h->w.loop;
	enum err err = loop_watch(l, reg_done_fd(h->w.reg), on_durable, h);

	if (err)
		return says(why, err, "cannot watch the commits of", stores_of(conf));
	if (conf->auc.path)
		err = auc_open(&h->w.auc, &conf->auc, why);
	if (!err && h->w.auc)
		err = loop_watch(l, auc_fd(h->w.auc), auc_readable, &h->w);
	if (!err && conf->gsup.listen_n > 0)
		err = gsup_start(&h->w, &conf->gsup, why);
	if (!err && conf->hlr.link_n > 0)
		err = hlr_start(&h->w, &conf->hlr, why);
	for (size_t i = 0; i < conf->listen_n && !err; i++) {
		const struct endpoint *e = &conf->listen[i];

		if (e->link == LINK_TLS && !conf->tls) {
			snprintf(why, 256, "home: a tls listener on port %u needs a certificate",
				 e->port);
			return ERR_CONFIG;
		}
		err = loop_listen(l, e, e->link == LINK_TLS ? conf->tls : NULL, false, &home_conn_ops,
				  &h->w, why);
	}
	if (!err && conf->bsf)
		err = bsf_open(&h->w.bsf, &h->w, conf->bsf, why);
	if (err)
		return err;
	loop_batch(l, batch_begin, batch_end, h);
	loop_every(l, TICK_MS, tick, h);
	loop_every(l, FEED_MS, feed_tick, h);
	return ERR_OK;
}

enum err home_start(struct home **out, struct loop *loop, const struct home_conf *conf,
		    char why[256])
{
	struct home *h = calloc(1, sizeof *h);
	enum err err;

	if (!h) {
		snprintf(why, 256, "home: out of memory");
		return ERR_FULL;
	}
	h->sqn_fd = -1;
	h->chores.spool_fd = h->w.holds.fd = -1;
	h->w.loop = loop;
	err = open_stores(h, conf, why);
	if (!err)
		err = make_worker(h, conf, why);
	if (!err)
		err = holds_open(&h->w.holds, conf->data_dir, why);
	if (!err)
		err = join_loop(h, conf, why);
	if (err) {
		home_free(h);
		return err;
	}
	*out = h;
	return ERR_OK;
}

/* On the loop's own thread the DPRs can only be queued; from another the answers are waited for. */
void home_stop(struct home *h)
{
	const struct timespec nap = {.tv_nsec = 20000000};

	if (!atomic_load(&h->looping) || pthread_equal(h->loop_thread, pthread_self())) {
		atomic_store(&h->stopping, true);
		stop_step(h);
		return;
	}
	atomic_store(&h->stopping, true);
	for (int ms = 0; ms < STOP_MS && !atomic_load(&h->stopped); ms += 20)
		nanosleep(&nap, NULL);
}

void home_lists(struct home *h, int fd)
{
	char why[256];

	if (serving_offer_lists(h->serving, fd, why))
		LOG(LOG_ERROR, "home.lists_stay", KV("why", (const char *)why));
}

void home_free(struct home *h)
{
	struct home_worker *w = &h->w;

	chores_stop(&h->chores);
	bsf_close(w->bsf);
	holds_close(&w->holds);
	if (w->node)
		dia_node_free(w->node);
	if (h->reg)
		reg_close(h->reg);
	if (w->read)
		serving_read_free(w->read);
	if (h->serving)
		serving_close(h->serving);
	vault_read_free(w->vault);
	if (h->vault)
		vault_close(h->vault);
	if (h->sqn)
		sqn_close(h->sqn);
	if (h->sqn_fd >= 0)
		close(h->sqn_fd);
	if (h->chores.spool_fd >= 0)
		close(h->chores.spool_fd);
	if (w->means.aka)
		aka_free(w->means.aka);
	auc_close(w->auc);
	secret_free(h->chores.pair);
	gsup_stop(w->gsup);
	hlr_stop(w->hlr);
	if (w->outbox)
		outbox_free(w->outbox);
	if (w->waiting)
		waiting_free(w->waiting);
	free(w->mem.base);
	free(w->out.p);
	free(h);
}
