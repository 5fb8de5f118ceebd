/* Findings and answers. */
#include "inspect/finding.h"

#include <stdio.h>
#include <stdlib.h>

#define WAY 4
#define JAIL_N 8192
#define TOUCH_N 4096 /* SIMs that are in quarantine, or were touched within the hour */
#define HOUR_US 3600000000ull
#define AGAIN_US 60000000ull /* what goes on is told so often */

static const struct {
	const char *name, *help, *clause;
} rules[FINDING_RULES] = {
#define LEAK(id, name, help) [LEAK_##id] = {name, help, "R-5.8.2.b"},
#include "judge/leak.tab"
#undef LEAK
#define THREAT(id, name, clause, help) [RULE_OF_THREAT(THREAT_##id)] = {name, help, clause},
#include "inspect/finding.tab"
#undef THREAT
};

const char *rule_name(unsigned int rule)
{
	return rule < FINDING_RULES ? rules[rule].name : "?";
}

const char *rule_help(unsigned int rule)
{
	return rule < FINDING_RULES ? rules[rule].help : "?";
}

const char *rule_clause(unsigned int rule)
{
	return rule < FINDING_RULES ? rules[rule].clause : "";
}

bool rule_is_leak(unsigned int rule)
{
	return rule < LEAK_N;
}

/* A SIM that a rule has touched. */
struct touch {
	uint64_t imsi, at_us;
	uint8_t rule, quarantined;
};

struct findings {
	struct findings_conf conf;
	struct finding *row;
	size_t mask, n;
	uint64_t lost;
	struct touch touch[TOUCH_N];
	size_t touch_n, quarantined;
	uint64_t jail[JAIL_N]; /* the IMSIs in quarantine, for a look in passing, and by which rule */
	uint8_t jailer[JAIL_N];
	uint64_t alert_until[FINDING_RULES]; /* after an undo */
	uint32_t undone[FINDING_RULES];
};

struct findings *findings_new(const struct findings_conf *conf)
{
	struct findings *f = calloc(1, sizeof *f);
	size_t buckets = 16;

	if (!f)
		return NULL;
	f->conf = *conf;
	while (buckets * WAY < conf->max)
		buckets *= 2;
	f->mask = buckets - 1;
	f->row = calloc(buckets * WAY, sizeof *f->row);
	if (!f->row) {
		free(f);
		return NULL;
	}
	return f;
}

void findings_free(struct findings *f)
{
	if (f)
		free(f->row);
	free(f);
}

/* --- answers ------------------------------------------------------------------------------------ */

static bool in_hour(const struct touch *t, uint64_t now_us)
{
	return now_us < t->at_us + HOUR_US;
}

/* The SIM's place, else one that is free; SIMs touched by the rule within the hour are counted on the way.
 */
static struct touch *touch_of(struct findings *f, uint64_t imsi, unsigned int rule, uint64_t now_us,
			      size_t *others)
{
	struct touch *place = NULL;

	*others = 0;
	for (size_t i = 0; i < f->touch_n; i++) {
		struct touch *t = &f->touch[i];

		if (t->imsi == imsi && t->rule == rule)
			return t;
		*others += t->imsi && t->rule == rule && in_hour(t, now_us);
		if (!t->imsi || (!t->quarantined && !in_hour(t, now_us)))
			place = t;
	}
	if (!place && f->touch_n < TOUCH_N)
		place = &f->touch[f->touch_n++];
	if (place)
		*place = (struct touch){0};
	return place;
}

static void jail_again(struct findings *f)
{
	memset(f->jail, 0, sizeof f->jail);
	f->quarantined = 0;
	for (size_t i = 0; i < f->touch_n; i++) {
		size_t at;

		if (!f->touch[i].quarantined)
			continue;
		at = hash_u64(f->conf.key, f->touch[i].imsi, 0) % JAIL_N;
		while (f->jail[at] && f->jail[at] != f->touch[i].imsi)
			at = (at + 1) % JAIL_N;
		f->jail[at] = f->touch[i].imsi;
		f->jailer[at] = f->touch[i].rule;
		f->quarantined++;
	}
}

/* May the rule do this to the SIM? Every SIM once an hour counts; who was touched may be touched again. */
static enum answer allowed(struct findings *f, const struct finding *seen, enum answer asked,
			   uint32_t touch_max, uint64_t now_us)
{
	size_t others;
	struct touch *t;

	if (asked == ANSWER_ALERT || now_us < f->alert_until[seen->rule])
		return ANSWER_ALERT;
	if (!seen->imsi)
		return asked == ANSWER_BLOCK ? ANSWER_BLOCK : ANSWER_ALERT;
	t = touch_of(f, seen->imsi, seen->rule, now_us, &others);
	if (!t || (t->imsi == 0 && others >= touch_max))
		return ANSWER_ALERT;
	t->imsi = seen->imsi;
	t->rule = seen->rule;
	t->at_us = now_us;
	if (asked == ANSWER_QUARANTINE && !t->quarantined) {
		t->quarantined = 1;
		jail_again(f);
	}
	return asked;
}

bool findings_quarantined(const struct findings *f, uint64_t imsi, unsigned int *rule)
{
	if (f->quarantined == 0 || imsi == 0)
		return false;
	for (size_t at = hash_u64(f->conf.key, imsi, 0) % JAIL_N; f->jail[at]; at = (at + 1) % JAIL_N) {
		if (f->jail[at] == imsi) {
			*rule = f->jailer[at];
			return true;
		}
	}
	return false;
}

void findings_release(struct findings *f, uint64_t imsi, unsigned int rule)
{
	for (size_t i = 0; i < f->touch_n; i++) {
		if (f->touch[i].imsi == imsi && f->touch[i].rule == rule)
			f->touch[i] = (struct touch){0};
	}
	jail_again(f);
}

size_t findings_undo(struct findings *f, unsigned int rule, uint64_t now_us)
{
	size_t freed = 0;

	for (unsigned int r = 0; r < FINDING_RULES; r++) {
		if (rule == FINDING_RULES || r == rule) {
			f->undone[r]++;
			f->alert_until[r] = now_us + HOUR_US;
		}
	}
	for (size_t i = 0; i < f->touch_n; i++) {
		struct touch *t = &f->touch[i];

		if (!t->imsi || (rule != FINDING_RULES && t->rule != rule))
			continue;
		freed++;
		*t = (struct touch){0};
	}
	jail_again(f);
	for (size_t i = 0; i < (f->mask + 1) * WAY; i++) {
		struct finding *w = &f->row[i];

		if (w->count && (rule == FINDING_RULES || w->rule == rule) && w->answer != ANSWER_ALERT) {
			w->answer = ANSWER_ALERT;
			w->undone = 1;
		}
	}
	return freed;
}

uint32_t findings_undone(const struct findings *f, unsigned int rule)
{
	return rule < FINDING_RULES ? f->undone[rule] : 0;
}

/* --- grouping ------------------------------------------------------------------------------------ */

static bool same(const struct finding *a, const struct finding *b)
{
	return a->count && a->imsi == b->imsi && a->tenant == b->tenant && a->rule == b->rule &&
	       a->up == b->up && a->port == b->port && memcmp(a->to, b->to, ADDRESS_BYTES) == 0 &&
	       (a->imsi || memcmp(a->from, b->from, ADDRESS_BYTES) == 0);
}

static struct finding *place(struct findings *f, const struct finding *seen)
{
	struct {
		uint64_t imsi;
		uint8_t to[ADDRESS_BYTES], from[ADDRESS_BYTES];
		uint32_t tenant;
		uint16_t port;
		uint8_t rule, up;
	} key = {.imsi = seen->imsi,
		 .tenant = seen->tenant,
		 .port = seen->port,
		 .rule = seen->rule,
		 .up = seen->up};
	struct finding *b, *way;

	memcpy(key.to, seen->to, ADDRESS_BYTES);
	if (!seen->imsi)
		memcpy(key.from, seen->from, ADDRESS_BYTES);
	b = &f->row[(hash_view(f->conf.key, (struct view){(const uint8_t *)&key, sizeof key}) & f->mask) *
		    WAY];
	way = b;
	for (size_t i = 0; i < WAY; i++) {
		if (same(&b[i], seen))
			return &b[i];
		if (way->count && (!b[i].count || b[i].last_us < way->last_us))
			way = &b[i];
	}
	return way;
}

enum answer findings_add(struct findings *f, const struct finding *seen, enum answer asked,
			 uint32_t touch_max, uint64_t now_us)
{
	struct finding *w = place(f, seen);
	bool fresh = !same(w, seen);
	enum answer answer = allowed(f, seen, asked, touch_max, now_us);

	if (fresh) {
		f->lost += w->count > 0;
		f->n += w->count == 0;
		*w = *seen;
		w->count = 0;
		w->first_us = now_us;
		w->told_us = 0;
	}
	w->count++;
	w->last_us = now_us;
	w->form = seen->form;
	memcpy(w->evidence, seen->evidence, sizeof w->evidence); /* the latest: a scan goes on */
	w->capped = answer != asked && now_us >= f->alert_until[seen->rule];
	if (fresh || answer != w->answer || now_us >= w->told_us + AGAIN_US) {
		w->answer = (uint8_t)answer;
		w->told_us = now_us;
		if (f->conf.told)
			f->conf.told(f->conf.ctx, w);
	}
	return answer;
}

size_t findings_n(const struct findings *f)
{
	return f->n;
}

uint64_t findings_lost(const struct findings *f)
{
	return f->lost;
}

static int by_worth(const void *a, const void *b)
{
	const struct finding *x = *(const struct finding *const *)a, *y = *(const struct finding *const *)b;

	if (rule_is_leak(x->rule) != rule_is_leak(y->rule))
		return rule_is_leak(x->rule) ? 1 : -1;
	return x->count < y->count ? 1 : x->count > y->count ? -1 : x->first_us < y->first_us ? -1 : 1;
}

size_t findings_list(const struct findings *f, const struct finding **to, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < (f->mask + 1) * WAY && n < max; i++) {
		if (f->row[i].count)
			to[n++] = &f->row[i];
	}
	qsort(to, n, sizeof *to, by_worth);
	return n;
}
