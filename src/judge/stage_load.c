/* Stage load: what a partner, and what a target, can be asked to carry (R-5.6.a, R-5.6.1.c, R-5.6.1.e). */
#include "judge/admission.h"
#include "judge/stage.h"

#define UNKNOWN_RATE   100 /* USER_UNKNOWN answers a second, where the network's record has none */
#define THROTTLED_RATE 50  /* requests a second of a network whose trust is throttled */
#define RESET_RATE     1   /* RSR: each makes our MMEs ask again for every subscriber */
#define RESET_BURST    5
#define PATH_PER_S     20 /* TS 29.274 7.1.1: each path is asked once a minute at most */
#define PATH_BURST     100
#define ATTACH_S       30  /* an update that long after its vectors belongs to the same attach */

enum finding find_UNKNOWN_RATE(struct ask *a)
{
	struct rate_ask take = { .kind = RATE_UNKNOWN_SUB, .now_ms = a->f->now_ms };

	if (!a->peer || find_UNKNOWN_SUB(a) == FIND_NOTHING)
		return FIND_NOTHING;
	take.plmn = a->peer->plmn;
	take.per_s = take.burst = a->peer->unknown_rate ? a->peer->unknown_rate : UNKNOWN_RATE;
	return rate_take(a->j->rates, &take) ? FIND_NOTHING : FIND_BAD;
}

enum finding find_PATH_RATE(struct ask *a)
{
	struct rate_ask take = { .kind = RATE_PATH, .now_ms = a->f->now_ms, .per_s = PATH_PER_S,
				 .burst = PATH_BURST };

	if (a->f->op != OP_PATH || !a->peer)
		return FIND_NOTHING;
	take.plmn = a->peer->plmn;
	return rate_take(a->j->rates, &take) ? FIND_NOTHING : FIND_BAD;
}

/* What begins nothing is not shed: a session's end frees what is short. */
static bool is_first(const struct facts *f)
{
	return f->protocol != PROTO_GTPC || f->op == OP_SESSION_CREATE;
}

/* Low classes may use only a part of the burst, so they wait first; critical ones never wait, but count. */
enum finding find_PARTNER_RATE(struct ask *a)
{
	static const uint32_t percent[PRIO_N] = { 100, 100, 75, 50 };
	struct rate_ask take = { .kind = RATE_REQUEST, .now_ms = a->f->now_ms };
	enum prio prio;

	if (!a->peer || ask_own_peer(a) || !is_first(a->f))
		return FIND_NOTHING;
	take.plmn = a->peer->plmn;
	if (a->f->op == OP_RESET) {
		take.kind = RATE_RESET;
		take.per_s = RESET_RATE;
		take.burst = RESET_BURST;
		return rate_take(a->j->rates, &take) ? FIND_NOTHING : FIND_BAD;
	}
	take.per_s = a->peer->rate;
	if (take.per_s == 0 && a->peer->trust == TRUST_THROTTLED)
		take.per_s = THROTTLED_RATE;
	if (take.per_s == 0)
		return FIND_NOTHING;
	prio = ask_prio(a);
	take.force = prio == PRIO_CRITICAL;
	take.burst = take.per_s * percent[prio] / 100;
	take.burst += take.burst == 0;
	return rate_take(a->j->rates, &take) ? FIND_NOTHING : FIND_BAD;
}

/* An attach once begun is allowed to finish: the update that follows vectors given just now. */
static bool begun(struct ask *a)
{
	const struct sighting *seen;

	if (a->f->op != OP_UPDATE_LOCATION)
		return false;
	seen = ask_seen(a);
	return seen && seen->flags & SEEN_ATTACHING &&
	       seen->auth_plmn == sightings_plmn(a->f->visited_plmn) &&
	       a->f->now_ms / 1000 <= (uint64_t)seen->auth_s + ATTACH_S;
}

enum finding find_ADMISSION(struct ask *a)
{
	struct admission *target = ask_target(a);
	const struct sub_row *sub;
	const struct book *b = a->j->book;
	struct admission_say say;
	struct admission_ask ask;

	if (!target)
		return FIND_NOTHING;
	sub = ask_sub(a);
	ask = (struct admission_ask){ .imsi = a->f->imsi, .group = a->f->group, .partner = a->f->peer_plmn,
				      .tenant = sub ? sub->tenant : 0, .now_ms = a->f->now_ms, .op = a->f->op,
				      .prio = (uint8_t)ask_prio(a), .begun = begun(a) };
	say = admission_judge(target, &ask);
	if (say.admit)
		return FIND_NOTHING;
	a->delay_ms = say.delay_ms;
	a->backoff_ms = say.backoff_ms;
	if (ask.group != 0 && b->apn_critical && !b->apn_critical(b->ctx, a->f->apn))
		a->backoff_ms = admission_silence(target, &ask);
	return FIND_BAD;
}
