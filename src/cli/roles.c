#include "cli/roles.h"

#include "base/log.h"
#include "cli/supervise.h"
#include "crypto/master.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/resource.h>

enum err roles_endpoints(const char *key, const struct conf_list *list, struct endpoint *to,
			 size_t *n, char why[256])
{
	*n = 0;
	for (size_t i = 0; i < list->n; i++) {
		if (endpoint_parse(view_of(list->text[i]), &to[(*n)++]) == ERR_OK)
			continue;
		snprintf(why, 256, "%s: %.100s is not tcp:, tls: or sctp:ADDRESS:PORT", key,
			 list->text[i]);
		return ERR_CONFIG;
	}
	return ERR_OK;
}

static bool number_of(const char *text, uint32_t max, uint32_t *to)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*to = (uint32_t)n;
	return text[0] >= '0' && text[0] <= '9' && !*end && n >= 1 && n <= max;
}

/* "1=tcp:127.0.0.1:3871 concurrency=512 capacity=1000" */
static bool parse_partition(const char *text, struct edge_partition *p)
{
	char room[CONF_TEXT_MAX], *left = room, *word, *value;

	*p = (struct edge_partition){0};
	snprintf(room, sizeof room, "%s", text);
	while ((word = strsep(&left, " "))) {
		value = strchr(word, '=');
		if (!value)
			return false;
		*value++ = 0;
		if (strcmp(word, "concurrency") == 0 && p->number > 0) {
			if (!number_of(value, 100000, &p->concurrency))
				return false;
		} else if (strcmp(word, "capacity") == 0 && p->number > 0) {
			if (!number_of(value, 1000000, &p->capacity))
				return false;
		} else if (p->number > 0 || !number_of(word, EDGE_PARTITION_MAX - 1, &p->number) ||
			   endpoint_parse(view_of(value), &p->at) != ERR_OK) {
			return false;
		}
	}
	return p->number > 0;
}

enum err roles_partitions(const struct conf_list *list, struct edge_conf *to, char why[256])
{
	to->partition_n = 0;
	for (size_t i = 0; i < list->n; i++) {
		if (parse_partition(list->text[i], &to->partition[to->partition_n++]))
			continue;
		snprintf(why, 256,
			 "edge.partitions: %.100s is not N=tcp:ADDRESS:PORT (or tls:, sctp:), N 1 to "
			 "%d, with concurrency=N and capacity=N if wanted",
			 list->text[i], EDGE_PARTITION_MAX - 1);
		return ERR_CONFIG;
	}
	return ERR_OK;
}

static enum err open_tls(struct role_env *e, char why[256])
{
	const struct conf *c = &e->conf;
	struct tls_files f = {c->tls_chain, c->tls_key, c->tls_ca,
			      c->tls_crl[0] ? c->tls_crl : NULL, NULL};
	enum err err = ERR_OK;

	if (!c->tls_chain[0])
		return ERR_OK;
	f.signer = e->line = sign_line_new(e->line_fd);
	if (!e->line) {
		snprintf(why, 256, "tls: out of memory");
		return ERR_FULL;
	}
	e->tls = tls_new(&f, &err, why);
	return err;
}

static enum err renew_tls(struct role_env *e, const struct tls_pems *p, char why[256])
{
	return tls_renew(e->tls, p, why);
}

static enum err open_signer(struct role_env *e, char why[256])
{
	const struct conf *c = &e->conf;
	struct tls_pem chain = {0}, key = {0};
	enum err err = tls_read_file("chain", c->tls_chain, &chain, why);

	if (!err)
		err = tls_read_file("key", c->tls_key, &key, why);
	if (!err)
		err = signer_start(&e->signer, c->signer_rate, &chain, &key, why);
	tls_forget(&chain);
	tls_forget(&key);
	return err;
}

static void run_signer(struct role_env *e)
{
	signer_run(e->signer);
	signer_free(e->signer);
}

static void stop_signer(struct role_env *e)
{
	signer_stop(e->signer);
}

static enum err renew_signer(struct role_env *e, const struct tls_pems *p, char why[256])
{
	return signer_renew(e->signer, &p->chain, &p->key, why);
}

static enum err open_keeper(struct role_env *e, char why[256])
{
	enum err err;

	e->keeper_conf = (struct keeper_conf){
		.data_dir = e->conf.data_dir,
		.tac_most = e->conf.tac_most,
		.list_change = e->conf.list_change,
		.job_share = e->conf.job_share,
		.job_few = e->conf.job_few,
		.socket_group = e->conf.keeper_group[0] ? e->conf.keeper_group : NULL,
		.cache_mb = e->conf.keeper_cache_mb,
	};
	if (e->conf.user[0]) {
		(void)prepare_user(&e->conf, role_find("home"), e->home_user);
		e->keeper_conf.home_user = e->home_user;
	}
	if (setpriority(PRIO_PROCESS, 0, (int)e->conf.keeper_nice) != 0)
		LOG(LOG_NOTE, "keeper.not_nice", KV("nice", e->conf.keeper_nice));
	err = keeper_start(&e->keeper, &e->keeper_conf, why);
	if (!err && e->demo)
		err = keeper_demo(e->keeper, why);
	return err;
}

static void run_keeper(struct role_env *e)
{
	keeper_run(e->keeper);
	keeper_free(e->keeper);
}

static void stop_keeper(struct role_env *e)
{
	keeper_stop(e->keeper);
}

static void fill_edge(struct role_env *e)
{
	struct conf *c = &e->conf;
	struct edge_conf *x = &e->edge_conf;

	x->data_dir = c->data_dir;
	memcpy(x->key, e->site_key, sizeof x->key);
	x->host = view_of(c->edge_host);
	x->realm = view_of(c->realm);
	x->tls = e->tls;
	x->workers = c->edge_workers;
	x->conn_max = c->edge_conn_max;
	x->stranger_max = c->edge_strangers;
	x->stranger_address_max = c->edge_strangers_address;
	x->address_max = c->edge_conn_address;
	x->request_max = c->edge_request_max;
	x->unread_max = (uint32_t)c->edge_unread << 20;
	x->in_flight = c->edge_in_flight;
	x->answer_ms = c->edge_answer_ms;
	x->watchdog_ms = c->edge_watchdog_ms;
	x->concurrency = c->edge_concurrency;
	x->capacity = c->edge_capacity;
	x->sightings = c->edge_sightings;
	x->clear = c->edge_clear;
	x->live = &e->page->live;
	for (x->own_n = 0; x->own_n < c->edge_own.n; x->own_n++)
		x->own[x->own_n] = view_of(c->edge_own.text[x->own_n]);
}

static enum err open_edge(struct role_env *e, char why[256])
{
	enum err err = open_tls(e, why);

	if (err)
		return err;
	fill_edge(e);
	err = roles_endpoints("edge.listen", &e->conf.edge_listen, e->edge_conf.listen,
			      &e->edge_conf.listen_n, why);
	if (!err)
		err = roles_endpoints("edge.home", &e->conf.edge_home, e->edge_conf.home,
				      &e->edge_conf.home_n, why);
	if (!err)
		err = roles_partitions(&e->conf.edge_partitions, &e->edge_conf, why);
	if (!err)
		err = roles_ss7(&e->conf, &e->edge_conf.ss7, why);
	if (!err)
		err = edge_start(&e->edge, &e->edge_conf, why);
	return err;
}

static void run_edge(struct role_env *e)
{
	edge_run(e->edge);
	edge_free(e->edge);
}

static void stop_edge(struct role_env *e)
{
	edge_stop(e->edge);
}

static void reload_edge(struct role_env *e, const struct conf *c)
{
	edge_reload(e->edge, c->edge_clear);
}

static void lists_edge(struct role_env *e, int fd)
{
	edge_lists(e->edge, fd);
}

/* It faces strangers: it dials the homes it was given, keeps its own sightings, and is the first to go. */
static void confine_edge(const struct role_env *e, struct sandbox *box)
{
	const struct edge_conf *x = &e->edge_conf;
	uint16_t *port = (uint16_t *)(uintptr_t)e->port;

	box->dials_only = true;
	box->port = port;
	for (size_t i = 0; i < x->listen_n; i++)
		box->sctp |= x->listen[i].link == LINK_SCTP;
	for (size_t i = 0; i < x->home_n; i++) {
		port[box->port_n++] = x->home[i].port;
		box->sctp |= x->home[i].link == LINK_SCTP;
	}
	for (size_t i = 0; i < x->partition_n; i++) {
		port[box->port_n++] = x->partition[i].at.port;
		box->sctp |= x->partition[i].at.link == LINK_SCTP;
	}
	roles_ss7_confine(&x->ss7, port, box);
	box->file_max = (uint64_t)x->sightings * 160 + (4 << 20);
	box->data_max = (uint64_t)sysconf(_SC_PHYS_PAGES) / 2 * (uint64_t)sysconf(_SC_PAGESIZE);
	box->thread_max = 256;
	box->first_to_go = true;
}

static void confine_signer(const struct role_env *e, struct sandbox *box)
{
	(void)e;
	box->file_max = 1; /* it writes none */
	box->data_max = 256 << 20;
	box->thread_max = 64;
}

/* Home lives on its loop's thread: it is asked to stop there. */
static void watch_stop_flag(void *ctx)
{
	struct role_env *e = ctx;

	if (!atomic_exchange(&e->stop, false))
		return;
	home_stop(e->home);
	loop_stop(e->loop);
}

static enum err open_home(struct role_env *e, char why[256])
{
	static const struct loop_limits limits = {.conn_max = 256,
						  .frame_max = 65536,
						  .out_max = 16 << 20,
						  .handshake_ms = 5000,
						  .stranger_max = 64,
						  .out_total_max = 64 << 20};
	struct conf *c = &e->conf;
	struct home_conf *h = &e->home_conf;
	enum err err = open_tls(e, why);

	if (err)
		return err;
	*h = (struct home_conf){
	    .data_dir = c->data_dir,
	    .stores = e->stores,
	    .partition = c->home_partition,
	    .master_key = master_is_token(c->master_key)
			      ? c->master_key
			      : prepare_secret("master.key", c->master_key, e->secret),
	    .pin = prepare_secret("token.pin", NULL, e->pin),
	    .host = view_of(c->home_host),
	    .realm = view_of(c->realm),
	    .own_plmn = c->plmn,
	    .listen = e->listen,
	    .tls = e->tls,
	    .node_id = (uint8_t)c->home_node,
	    .unknown_equipment_ok = c->unknown_equipment == 1,
	    .watchdog_ms = c->edge_watchdog_ms,
	    .vector_max = c->home_vectors,
	    .swx = c->home_swx,
	    .auc = {c->auc_socket[0] ? c->auc_socket : NULL, c->auc_group[0] ? c->auc_group : NULL,
		    c->auc_rate, c->auc_subscriber},
	};
	if (!conf_stores(c, e->stores))
		return ERR_CONFIG; /* told when it was read */
	err = roles_home_doors(e, why);
	if (err)
		return err;
	e->loop = loop_new(&limits);
	if (!e->loop) {
		snprintf(why, 256, "home: out of memory");
		return ERR_FULL;
	}
	loop_every(e->loop, 50, watch_stop_flag, e);
	err = home_start(&e->home, e->loop, h, why);
	roles_gba_forget(e);
	return err;
}

static void run_home(struct role_env *e)
{
	loop_run(e->loop);
	home_free(e->home);
	loop_free(e->loop);
}

static void stop_home(struct role_env *e)
{
	atomic_store(&e->stop, true);
}

static void lists_home(struct role_env *e, int fd)
{
	home_lists(e->home, fd);
}

/* Roles that the configuration names and another supervisor starts: not ready until they come. */
static void expect_guests(struct role_env *e)
{
	struct watch_conf *w = &e->watch;
	size_t own = w->role_n, k;
	char name[64];

	for (size_t i = 0; i < e->conf.roles.n && w->role_n < WATCH_ROLE_MAX; i++) {
		const struct role *r = role_find(e->conf.roles.text[i]);

		for (k = 0; r && k < own && strcmp(w->role[k].name, r->name) != 0; k++)
			;
		if (r && k == own)
			w->role[w->role_n++] = (struct watch_role){r->name, NULL, -1};
	}
	for (size_t i = 0; i < role_n && e->conf.user[0]; i++) {
		const struct passwd *p;

		snprintf(name, sizeof name, "%.40s-%s", e->conf.user, roles[i].name);
		p = getpwnam(name);
		if (p)
			w->guest[w->guest_n++] = p->pw_uid;
	}
}

static enum err open_watch(struct role_env *e, char why[256])
{
	e->watch.listen = e->conf.watch_listen;
	e->watch.events = e->conf.watch_events;
	e->watch.to_syslog = e->conf.watch_syslog;
	e->watch.store = e->conf.watch_store;
	e->watch.keep_days = e->conf.watch_keep_days;
	e->watch.store_mb = e->conf.watch_store_mb;
	e->watch.history_h = e->conf.watch_history_h;
	e->watch.disk_free = e->conf.watch_disk_free;
	e->watch.door = e->conf.watch_socket[0] ? e->conf.watch_socket : NULL;
	if (e->watch.door)
		expect_guests(e);
	return watch_start(&e->watcher, &e->watch, why);
}

static void run_watch(struct role_env *e)
{
	watch_run(e->watcher);
	watch_free(e->watcher);
}

static void stop_watch(struct role_env *e)
{
	watch_stop(e->watcher);
}

const struct role roles[] = {
    {.name = "watch",
     .order = 0,
     .open = open_watch,
     .run = run_watch,
     .stop = stop_watch,
     .sees = true,
     .network = true,
     .writes = true,
     .own = {"events"}},
    {.name = "keeper",
     .order = 2,
     .early = true,
     .open = open_keeper,
     .run = run_keeper,
     .stop = stop_keeper,
     .network = true,
     .writes = true,
     .own = {"", "records.db", "records.db-wal", "records.db-shm", "journal.head", "keeper.key",
	     "keeper.lock", "keeper.sock", "holds.sock", "serving.mdb", "serving.mdb-lock", "serving.page",
	     "backup", "equipment"}},
    {.name = "home",
     .order = 3,
     .open = open_home,
     .run = run_home,
     .stop = stop_home,
     .lists = lists_home,
     .renew = renew_tls,
     .asks = true,
     .network = true,
     .writes = true,
     .own = {"registrations", "vault-auc", "sqn", "spool"},
     .stores = true},
    {.name = "edge",
     .order = 4,
     .open = open_edge,
     .run = run_edge,
     .stop = stop_edge,
     .reload = reload_edge,
     .lists = lists_edge,
     .confine = confine_edge,
     .renew = renew_tls,
     .asks = true,
     .network = true,
     .own = {"sightings.0", "sightings.1"}},
    {.name = "portal",
     .order = 5,
     .open = portal_open,
     .run = portal_serve,
     .stop = portal_end,
     .confine = portal_confine,
     .network = true,
     .own = {"portal"}},
    {.name = "inspect", .order = 6, .open = inspect_open, .run = inspect_serve, .stop = inspect_close,
     .confine = inspect_confine, .own = {INSPECT_SESSIONS}},
    {.name = "signer", .order = 1, /* there by itself where roles speak TLS */
     .early = true,
     .open = open_signer, .run = run_signer, .stop = stop_signer, .renew = renew_signer,
     .confine = confine_signer,
     .own = {NULL}},
};
const size_t role_n = sizeof roles / sizeof *roles;

const struct role *role_find(const char *name)
{
	for (size_t i = 0; i < role_n; i++) {
		if (strcmp(roles[i].name, name) == 0)
			return &roles[i];
	}
	return NULL;
}
