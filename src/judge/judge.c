#include "judge/judge.h"

#include <stdlib.h>

#include "judge/admission.h"
#include "judge/stage.h"

_Static_assert(CHECK_N < 64, "verdict.observed has a bit for each check");

const struct check_row check_rows[CHECK_N] = {
#define CHECK(id, stage, name, clause, mode, cause, help) \
	[CHECK_##id] = { name, clause, help, stage, MODE_##mode, CAUSE_##cause },
#include "judge/check.tab"
#undef CHECK
};

static enum finding (*const find[CHECK_N])(struct ask *) = {
#define CHECK(id, stage, name, clause, mode, cause, help) [CHECK_##id] = find_##id,
#include "judge/check.tab"
#undef CHECK
};

uint8_t check_order[CHECK_N];

__attribute__((constructor)) static void order_checks(void)
{
	uint8_t n = 1;

	for (uint8_t stage = STAGE_PARTNER; stage <= STAGE_STEERING; stage++) {
		for (uint8_t c = CHECK_NONE + 1; c < CHECK_N; c++) {
			if (check_rows[c].stage == stage)
				check_order[n++] = c;
		}
	}
}

/* A build that shows what merlon audit sees of a check that does not work though it is switched on. */
static bool broken(enum check c)
{
#ifdef BREAK_CHECK
	return strcmp(check_rows[c].name, BREAK_CHECK) == 0;
#else
	(void)c;
	return false;
#endif
}

enum check check_find(struct view name)
{
	for (enum check c = CHECK_NONE + 1; c < CHECK_N; c++) {
		if (view_eq(name, view_of(check_rows[c].name)))
			return c;
	}
	return CHECK_NONE;
}

struct judge *judge_new(const struct book *book, struct sightings *seen,
			struct admission *const *targets, size_t target_n, const uint8_t key[HASH_KEY])
{
	struct judge *j = calloc(1, sizeof *j);

	if (!j)
		return NULL;
	j->book = book;
	j->seen = seen;
	j->targets = targets;
	j->target_n = targets ? target_n : 0;
	memcpy(j->key, key, HASH_KEY);
	j->own_rates = seen ? NULL : calloc(1, sizeof *j->own_rates);
	j->rates = seen ? sightings_rates(seen) : j->own_rates;
	if (!j->rates) {
		free(j);
		return NULL;
	}
	return j;
}

void judge_free(struct judge *j)
{
	if (!j)
		return;
	rules_free(&j->rules);
	free(j->own_rates);
	free(j);
}

void judge_identity(struct judge *j, struct view public_host, struct view own_realm)
{
	j->host_n = view_text(public_host, j->host, sizeof j->host) ? public_host.n : 0;
	j->realm_n = view_text(own_realm, j->realm, sizeof j->realm) ? own_realm.n : 0;
}

/* Beyond the partner's rate, an unknown subscriber is not even answered (design.md, 'What the edge
 * remembers'). */
static enum check unknown_or_drop(struct ask *a, struct verdict *v)
{
	enum mode mode = rules_mode(&a->j->rules, CHECK_UNKNOWN_RATE, a->f, a->peer);

	if (mode == MODE_OFF || find_UNKNOWN_RATE(a) != FIND_BAD)
		return CHECK_UNKNOWN_SUB;
	if (mode == MODE_ENFORCE)
		return CHECK_UNKNOWN_RATE;
	v->observed |= UINT64_C(1) << CHECK_UNKNOWN_RATE;
	return CHECK_UNKNOWN_SUB;
}

/* The first check that refuses, in their order. */
static enum check first_refusal(struct ask *a, struct verdict *v)
{
	for (unsigned int turn = 1; turn < CHECK_N; turn++) {
		enum check c = (enum check)check_order[turn];
		enum mode mode = a->j->rules.mode[c];
		enum finding found;

		if (a->f->answer && check_rows[c].stage > STAGE_CATEGORY)
			break;
		if (a->j->rules.n[c] > 0)
			mode = rules_mode(&a->j->rules, c, a->f, a->peer);
		if (mode == MODE_OFF || broken(c))
			continue;
		found = find[c](a);
		if (found == FIND_NOTHING)
			continue;
		if (found == FIND_BAD && mode == MODE_ENFORCE)
			return c == CHECK_UNKNOWN_SUB ? unknown_or_drop(a, v) : c;
		v->observed |= UINT64_C(1) << c;
		v->critical |= found == FIND_ALERT && ask_prio(a) == PRIO_CRITICAL;
	}
	return CHECK_NONE;
}

/* Silence: beyond a rate, to an answer, to what would be answered twice, to a source that is anybody's. */
static bool is_dropped(const struct ask *a, enum check c)
{
	return c == CHECK_UNKNOWN_RATE || c == CHECK_PATH_RATE || c == CHECK_FORM_SEQUENCE ||
	       a->f->answer || (c == CHECK_PEER_UNKNOWN && a->f->protocol == PROTO_GTPC);
}

static void refuse(struct ask *a, enum check c, struct verdict *v)
{
	v->check = (uint16_t)c;
	v->cause = check_rows[c].cause;
	v->act = is_dropped(a, c) ? ACT_DROP : ACT_REJECT;
	v->prio = PRIO_NORMAL;
	if (check_rows[c].stage == STAGE_LOAD && a->f->op == OP_AUTH_INFO)
		v->cause = CAUSE_AUTH_UNAVAILABLE;
	if (c == CHECK_ADMISSION) {
		v->delay_ms = a->delay_ms;
		v->backoff_ms = a->backoff_ms;
	}
	/* Who is refused by the first stages is a stranger's claim, not worth a look-up. */
	if (check_rows[c].stage < STAGE_PLAUSIBILITY)
		return;
	v->prio = (uint8_t)ask_prio(a);
	v->critical |= v->prio == PRIO_CRITICAL;
}

static bool is_ours_out(const struct facts *f)
{
	return f->direction == DIR_OUT_TO_VISITED || f->direction == DIR_OUT_TO_HOME;
}

/* Where a passed request was counted, and is counted off: whatever became of its record since. */
static struct admission *target_of(const struct judge *j, const struct facts *f, uint8_t partition)
{
	if (j->target_n == 0 || f->direction != DIR_TO_HOME || f->answer)
		return NULL;
	if (f->protocol == PROTO_GTPC)
		return judge_gateway(j, f);
	return j->targets[partition < j->target_n ? partition : 0];
}

struct verdict judge_request(struct judge *j, const struct facts *f)
{
	struct ask a = { .j = j, .f = f };
	struct verdict v = { .act = ACT_PASS };
	struct admission *target;
	enum check c;

	if (is_ours_out(f)) {
		v.prio = (uint8_t)ask_prio(&a);
		return v;
	}
	rules_renew(&j->rules, j->book);
	a.peer = f->peer_plmn ? j->book->network(j->book->ctx, f->peer_plmn) : NULL;
	if (a.peer)
		a.peer_realm = (struct view){ (const uint8_t *)a.peer->realm,
					      strnlen(a.peer->realm, sizeof a.peer->realm) };
	if (a.peer && j->seen)
		sightings_fetch(j->seen, f->imsi);
	c = first_refusal(&a, &v);
	if (c != CHECK_NONE) {
		refuse(&a, c, &v);
		return v;
	}
	v.prio = (uint8_t)ask_prio(&a);
	v.partition = ask_sub(&a) ? (uint8_t)ask_sub(&a)->partition : 0;
	target = target_of(j, f, v.partition);
	if (target)
		admission_begin(target, f->op, f->now_ms);
	return v;
}

void judge_done(struct judge *j, const struct facts *f, uint8_t partition, bool ok, bool busy,
		uint64_t answered_ms)
{
	struct admission *target = target_of(j, f, partition);

	if (target) {
		admission_end(target, &(struct admission_answer){ .op = f->op, .busy = busy,
			.asked_ms = f->now_ms, .answered_ms = answered_ms });
	}
	if (ok)
		learn_success(j, f, answered_ms);
}

struct overload judge_overload(struct judge *j, uint32_t partition, uint64_t now_ms)
{
	if (partition >= j->target_n || !j->targets[partition])
		return (struct overload){ 0 };
	return admission_overload(j->targets[partition], now_ms);
}
