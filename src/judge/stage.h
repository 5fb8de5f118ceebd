/* Inside the judge: one request as its checks see it, and the checks themselves. */
#pragma once
#include "judge/judge.h"
#include "judge/rules.h"
#include "judge/sightings.h"

/* What a check says of a request. An alert is seen and told, but never refuses. */
enum finding { FIND_NOTHING, FIND_ALERT, FIND_BAD };

struct judge {
	const struct book *book;
	struct sightings *seen;
	struct admission *const *targets;
	size_t target_n;
	uint8_t key[HASH_KEY];
	char host[HOST_MAX_BYTES], realm[HOST_MAX_BYTES];
	size_t host_n, realm_n;
	struct rules rules;
	struct rates *rates, *own_rates; /* own_rates: where there are no sightings to share them */
};

/* A request under judgement. Rows are looked up when a check first asks: a spoofed flood, refused by
 * the first stages, does not pay for the others. */
struct ask {
	struct judge *j;
	const struct facts *f;
	const struct network_row *peer; /* NULL: none */
	struct view peer_realm;         /* of its record */
	const struct range_row *range_row;
	const struct sub_row *sub_row;
	const struct profile_row *profile_row;
	struct sighting seen_row;
	bool range_known, sub_known, profile_known, seen_known, seen;
	uint32_t delay_ms, backoff_ms;  /* what admission adds to a refusal */
};

const struct range_row *ask_range(struct ask *a);
const struct sub_row *ask_sub(struct ask *a);
const struct profile_row *ask_profile(struct ask *a);
const struct sighting *ask_seen(struct ask *a);
enum prio ask_prio(struct ask *a);
struct admission *ask_target(struct ask *a); /* NULL: not protected */

/* The gateway that a session is asked of: facts say which. */
static inline struct admission *judge_gateway(const struct judge *j, const struct facts *f)
{
	return f->op == OP_SESSION_CREATE && f->target > 0 && f->target <= j->target_n
		       ? j->targets[f->target - 1] : NULL;
}

/* The peer is a node of our own network. */
static inline bool ask_own_peer(const struct ask *a)
{
	return a->peer && a->peer->trust == TRUST_OWN && !a->f->outside;
}

/* Do nodes have names (hosts under realms) in this protocol, or numbers only? */
static inline bool ask_has_names(const struct ask *a)
{
	return a->f->protocol == PROTO_DIAMETER;
}

/* The network that a number belongs to, or NULL. */
const struct network_row *ask_number(const struct ask *a, uint64_t number);

static inline struct view ask_own_realm(const struct ask *a)
{
	return (struct view){ (const uint8_t *)a->j->realm, a->j->realm_n };
}

/* view_under, but fast where the letters agree in case too: they do, but for an odd peer. */
static inline bool ask_under(struct view a, struct view b)
{
	if (b.n == 0 || a.n < b.n)
		return false;
	if (memcmp(a.p + (a.n - b.n), b.p, b.n) == 0)
		return a.n == b.n || a.p[a.n - b.n - 1] == '.';
	return view_under(a, b);
}

/* Is this realm, or host, ours? */
bool ask_is_ours(const struct ask *a, struct view name);

/* The operations by which a SIM comes in: only they can be refused to a subscriber. */
static inline bool ask_comes_in(const struct ask *a)
{
	return a->f->direction == DIR_TO_HOME &&
	       (a->f->op == OP_AUTH_INFO || a->f->op == OP_UPDATE_LOCATION || a->f->op == OP_RESTORE ||
		a->f->op == OP_SESSION_CREATE || (a->f->op == OP_SESSION_CHANGE && a->f->moves));
}

/* One function a row of check.tab, named by the row's id, so that a row without one does not link. */
#define CHECK(id, stage, name, clause, mode, cause, help) enum finding find_##id(struct ask *a);
#include "judge/check.tab"
#undef CHECK

/* learn.c: what a success teaches; a steering attempt. */
void learn_success(struct judge *j, const struct facts *f, uint64_t now_ms);
bool learn_steered(struct judge *j, const struct facts *f);
