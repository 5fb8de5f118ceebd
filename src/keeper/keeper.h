/* The keeper: the one writer of the records. Clients (cli, portal, watch) send typed requests
 * over a Unix socket (wire/keep.tab); tenant, four-eyes and critical rules and the journal live
 * here and nowhere else. */
#pragma once
#include "base/bytes.h"

struct keeper;

struct keeper_conf {
	const char *data_dir;       /* records.db, serving.*, keeper.sock, holds.sock, keeper.key */
	const char *socket_group;   /* who may use the socket; NULL = the owner only */
	uint8_t own_plmn_n;
	uint32_t tac_most;    /* devices of a TAC that one import may blacklist unasked; 0: 100000 */
	uint32_t list_change; /* per cent that one import may change a bulk list by; 0: 50 */
	uint32_t job_share;   /* per cent of a tenant's SIMs that a job may touch unasked; 0: all */
	uint32_t job_few;     /* so many it always may */
	/* The user (portal) whose clients are believed who their person is (KEEP_ACTOR); NULL =
	 * nobody. All others act in the name of their own user (SO_PEERCRED). */
	const char *portal_user;
	/* The user whose home may ask for greylistings (holds.sock), beside our own and root; NULL = none. */
	const char *home_user;
	unsigned int cache_mb;      /* memory for the database; 0 = 64 */
};

/* Open everything (records, serving copy, socket); one clear line in `why`. Rebuilds the serving
 * copy when it is behind or damaged. ERR_CONFIG, ERR_IO, ERR_CORRUPT. */
enum err MUST_USE keeper_start(struct keeper **k, const struct keeper_conf *conf, char why[256]);
/* Serve until keeper_stop (any thread, or a signal handler). */
void keeper_run(struct keeper *k);
void keeper_stop(struct keeper *k);
void keeper_free(struct keeper *k);

/* Load the demo network: tenants, profiles, networks, ranges (design.md, 'Fixed points'). What is
 * there already stays as it is. Subscriptions and equipment come by `merlon import` from
 * share/demo/. */
enum err MUST_USE keeper_demo(struct keeper *k, char why[256]);
