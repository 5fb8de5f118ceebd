#include "watch/second.h"

#include "base/bcd.h"

#include <stdio.h>
#include <stdlib.h>

#define CLASSES 4
#define KINDS 4 /* arrived, passed, refused, appointed */

struct counts {
	uint64_t arrived, passed[CLASSES], refused[CLASSES], appointed;
	uint64_t network[LIVE_NETWORK_MAX][KINDS];
};

struct second {
	struct counts was[WATCH_ROLE_MAX], now;
	bool known[WATCH_ROLE_MAX];
	uint64_t sum_plmn[LIVE_NETWORK_MAX];
	struct counts sum;
	size_t networks;
};

struct second *second_new(void)
{
	return calloc(1, sizeof(struct second));
}

void second_free(struct second *s)
{
	free(s);
}

static uint64_t load(const uint64_t *cell)
{
	return __atomic_load_n(cell, __ATOMIC_RELAXED);
}

static uint64_t sum_of(const struct role_page *p, enum metric m)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < metric_rows[m].value_n; i++)
		n += load(&p->metrics.cell[m][i]);
	return n;
}

static void read_counts(const struct role_page *p, struct counts *c)
{
	/* From partners and from our own nodes; what home sends to them is no arrival. */
	c->arrived = load(&p->metrics.cell[M_EDGE_BY_NETWORK][0]) +
		     load(&p->metrics.cell[M_EDGE_BY_NETWORK][2]);
	c->appointed = sum_of(p, M_EDGE_BACKOFF);
	for (int i = 0; i < CLASSES; i++) {
		c->passed[i] = load(&p->metrics.cell[M_EDGE_PASSED][i]);
		c->refused[i] = load(&p->metrics.cell[M_EDGE_REFUSED_CLASS][i]);
	}
	for (size_t i = 0; i < LIVE_NETWORK_MAX; i++) {
		const struct live_network *n = &p->live.network[i];

		c->network[i][0] = load(&n->arrived);
		c->network[i][1] = load(&n->passed);
		c->network[i][2] = load(&n->refused);
		c->network[i][3] = load(&n->appointed);
	}
}

/* Smaller than before: the role began anew. */
static uint64_t more(uint64_t now, uint64_t was)
{
	return now >= was ? now - was : now;
}

static void add_network(struct second *s, uint64_t plmn, const uint64_t now[KINDS],
			const uint64_t was[KINDS])
{
	uint64_t d[KINDS], any = 0;
	size_t at = 0;

	for (int k = 0; k < KINDS; k++) {
		d[k] = more(now[k], was[k]);
		any |= d[k];
	}
	while (at < s->networks && s->sum_plmn[at] != plmn)
		at++;
	if (!any || at == LIVE_NETWORK_MAX)
		return;
	if (at == s->networks) {
		s->sum_plmn[s->networks++] = plmn;
		memset(s->sum.network[at], 0, sizeof s->sum.network[at]);
	}
	for (int k = 0; k < KINDS; k++)
		s->sum.network[at][k] += d[k];
}

static void add(struct second *s, const struct role_page *p, const struct counts *was)
{
	const struct counts *now = &s->now;

	s->sum.arrived += more(now->arrived, was->arrived);
	s->sum.appointed += more(now->appointed, was->appointed);
	for (int i = 0; i < CLASSES; i++) {
		s->sum.passed[i] += more(now->passed[i], was->passed[i]);
		s->sum.refused[i] += more(now->refused[i], was->refused[i]);
	}
	for (size_t i = 0; i < LIVE_NETWORK_MAX; i++) {
		uint64_t plmn = load(&p->live.network[i].plmn);

		if (plmn && plmn != UINT64_MAX)
			add_network(s, plmn, now->network[i], was->network[i]);
	}
}

static void put(struct wr *w, const char *before, uint64_t n)
{
	char b[64];

	snprintf(b, sizeof b, "%s%llu", before, (unsigned long long)n);
	wr_view(w, view_of(b));
}

static void put_list(struct wr *w, const char *name, const uint64_t *n)
{
	wr_view(w, view_of(name));
	for (int i = 0; i < 4; i++)
		put(w, i ? "," : "[", n[i]);
	wr_view(w, VIEW("]"));
}

static void write_json(const struct second *s, struct wr *w)
{
	char plmn[BCD_TEXT], name[BCD_TEXT + 8];

	put(w, "{\"arrived\":", s->sum.arrived);
	put_list(w, ",\"passed\":", s->sum.passed);
	put_list(w, ",\"refused\":", s->sum.refused);
	put(w, ",\"appointed\":", s->sum.appointed);
	wr_view(w, VIEW(",\"networks\":{"));
	for (size_t i = 0; i < s->networks; i++) {
		bcd_text(s->sum_plmn[i], plmn);
		snprintf(name, sizeof name, "%s\"%s\":", i ? "," : "", plmn);
		put_list(w, name, s->sum.network[i]);
	}
	wr_view(w, VIEW("}}"));
}

bool second_take(struct second *s, const struct watch_conf *c, struct wr *to)
{
	bool any = false;

	s->sum = (struct counts){0};
	s->networks = 0;
	for (size_t i = 0; i < c->role_n; i++) {
		const struct role_page *p = c->role[i].page;

		if (!p) {
			s->known[i] = false;
			continue;
		}
		read_counts(p, &s->now);
		if (s->known[i]) {
			add(s, p, &s->was[i]);
			any = true;
		}
		s->known[i] = true;
		s->was[i] = s->now;
	}
	if (any)
		write_json(s, to);
	return any;
}
