/* The edge role: a signalling gateway between roaming partners and our home, in both directions.
 * Proxy by RFC 6733 §2.8.2; every request from outside is screened by the judge first. */
#pragma once
#include "base/live.h"
#include "edge/ss7.h"
#include "loop/loop.h"
#include "loop/tls.h"

struct edge;

#define EDGE_LIST_MAX 8
#define EDGE_PARTITION_MAX 16

/* A home that serves one partition of the subscriptions alone (R-5.1.i). Several of one number share
 * its work; the first one's limits are the partition's. */
struct edge_partition {
	uint32_t number; /* 1..15; the common home is partition 0 */
	uint32_t concurrency, capacity; /* 0: those of the common home */
	struct endpoint at;
};

struct edge_conf {
	const char *data_dir;	 /* serving.* are read here; sightings.* are kept here */
	uint8_t key[16];	 /* the site's: appointments and sightings outlive a restart */
	struct view host, realm; /* Origin-Host and -Realm that partners see; borrowed */
	struct endpoint listen[EDGE_LIST_MAX], home[EDGE_LIST_MAX];
	size_t listen_n, home_n;
	struct edge_partition partition[EDGE_LIST_MAX];
	size_t partition_n;
	struct view own[EDGE_LIST_MAX]; /* address prefixes of our own MMEs */
	size_t own_n;
	struct tls *tls; /* NULL: TLS listeners are refused */
	uint32_t workers, conn_max, in_flight, answer_ms, watchdog_ms;
	uint32_t stranger_max, stranger_address_max, address_max; /* loop_limits */
	uint32_t request_max; /* bytes of a partner's request to home; more is answered 5012 */
	uint32_t unread_max; /* bytes waiting for peers that do not read, a worker */
	uint32_t concurrency, capacity, sightings;
	bool clear;	   /* accept partners without TLS where their record allows it */
	struct ss7_conf ss7;
	struct live *live; /* where live figures go; NULL = nowhere */
};

/* Open everything: serving copy, listening sockets; nothing is served yet. ERR_CONFIG or ERR_IO
 * with one clear line in `why`. Borrows `conf` and what it points to for its life. */
enum err MUST_USE edge_start(struct edge **e, const struct edge_conf *conf, char why[256]);
/* Serve, on the calling thread and conf->workers - 1 more, until edge_stop (any thread, or a signal
 * handler). Partners get a DPR and the answers in flight before this returns. */
void edge_run(struct edge *e);
void edge_stop(struct edge *e);
/* A newer generation of the bulk equipment lists (borrowed); checks it, and waits until the older one is
 * not read any more. Any thread but a worker's. */
void edge_lists(struct edge *e, int fd);
void edge_free(struct edge *e);
/* Take over what may change while serving. Any thread. */
void edge_reload(struct edge *e, bool clear);
