/* What an import of equipment lists would change, as JSON for `merlon import`, and for the journal. */
#include "keeper/lists.h"

#include <stdio.h>

static const char *const list_names[EQUIP_LISTS] = {
	[WHITE] = "white", [BLACK] = "black", [GREY] = "grey"
};
static const char *const rule_names[] = {
	[EQUIP_WHOLE_TAC] = "whole_tac", [EQUIP_TAC_MOST] = "tac_most", [EQUIP_GROWS] = "grows",
	[EQUIP_SHRINKS] = "shrinks",
};

static void num(struct wr *w, const char *before, uint64_t n)
{
	char text[96];

	snprintf(text, sizeof text, "%s%llu", before, (unsigned long long)n);
	wr_view(w, view_of(text));
}

static void say_tally(struct wr *w, unsigned int list, const struct equip_tally *t)
{
	wr_view(w, VIEW("{\"list\":\""));
	wr_view(w, view_of(list_names[list]));
	num(w, "\",\"before\":", t->before);
	num(w, ",\"after\":", t->after);
	num(w, ",\"added\":", t->added);
	num(w, ",\"removed\":", t->removed);
	num(w, ",\"tacs\":", t->tacs);
	num(w, ",\"whole_before\":", t->whole_before);
	num(w, ",\"whole_after\":", t->whole_after);
	wr_view(w, VIEW("}"));
}

static void say_change(struct wr *w, const struct equip_change *c)
{
	char tac[16];

	snprintf(tac, sizeof tac, "%08u", c->tac);
	wr_view(w, VIEW("{\"list\":\""));
	wr_view(w, view_of(list_names[c->list]));
	if (c->tac != UINT32_MAX) {
		wr_view(w, VIEW("\",\"tac\":\""));
		wr_view(w, view_of(tac));
	}
	num(w, "\",\"before\":", c->before);
	num(w, ",\"after\":", c->after);
	num(w, ",\"added\":", c->added);
	num(w, ",\"removed\":", c->removed);
}

static void finding_text(char text[SAY_MAX], const struct lists *l, const struct equip_change *c)
{
	unsigned long long before = c->before, after = c->after, added = c->added;

	switch ((enum equip_rule)c->rule) {
	case EQUIP_WHOLE_TAC:
		snprintf(text, SAY_MAX, "would blacklist all of TAC %08u: 1000000 devices, now %llu",
			 c->tac, before);
		break;
	case EQUIP_TAC_MOST:
		snprintf(text, SAY_MAX,
			 "would blacklist %llu devices more of TAC %08u (%llu, now %llu); "
			 "keeper.tac_most is %u", added, c->tac, after, before, l->guard.tac_most);
		break;
	case EQUIP_GROWS:
	case EQUIP_SHRINKS:
		snprintf(text, SAY_MAX,
			 "the %s list would %s from %llu to %llu devices; keeper.list_change is %u %%",
			 list_names[c->list], c->rule == EQUIP_GROWS ? "grow" : "shrink", before, after,
			 l->guard.list_percent);
		break;
	}
}

void lists_say_finding(char text[SAY_MAX], const struct lists *l)
{
	char one[SAY_MAX];

	finding_text(one, l, &l->plan.finding[0]);
	snprintf(text, SAY_MAX, "%.180s (%zu such); see --dry-run; confirm with %08x", one,
		 l->plan.finding_all, l->plan.code);
}

static void say_findings(struct wr *w, const struct lists *l)
{
	for (size_t i = 0; i < l->plan.finding_n; i++) {
		char text[SAY_MAX];

		wr_view(w, i > 0 ? VIEW(",") : VIEW(""));
		say_change(w, &l->plan.finding[i]);
		wr_view(w, VIEW(",\"rule\":\""));
		wr_view(w, view_of(rule_names[l->plan.finding[i].rule]));
		wr_view(w, VIEW("\",\"text\":"));
		finding_text(text, l, &l->plan.finding[i]);
		json_text(w, view_of(text));
		wr_view(w, VIEW("}"));
	}
}

void lists_say_plan(struct wr *w, const struct lists *l)
{
	const struct equip_plan *p = &l->plan;
	char code[16];

	num(w, "{\"base\":", p->base);
	num(w, ",\"entries\":", p->entries);
	num(w, ",\"not_there\":", p->not_there);
	wr_view(w, VIEW(",\"lists\":["));
	for (unsigned int i = 0; i < EQUIP_LISTS; i++) {
		wr_view(w, i > 0 ? VIEW(",") : VIEW(""));
		say_tally(w, i, &p->list[i]);
	}
	wr_view(w, VIEW("],\"top\":["));
	for (size_t i = 0; i < p->top_n; i++) {
		wr_view(w, i > 0 ? VIEW(",") : VIEW(""));
		say_change(w, &p->top[i]);
		wr_view(w, VIEW("}"));
	}
	num(w, "],\"finding_n\":", p->finding_all);
	wr_view(w, VIEW(",\"findings\":["));
	say_findings(w, l);
	snprintf(code, sizeof code, "%08x", p->code);
	wr_view(w, VIEW("],\"code\":\""));
	wr_view(w, view_of(code));
	wr_view(w, VIEW("\"}"));
}

void lists_say_done(struct wr *w, const struct lists *l)
{
	const struct equip_head *h = &l->head;
	char hex[2 * EQUIP_DIGEST + 1];

	for (size_t i = 0; i < EQUIP_DIGEST; i++)
		snprintf(hex + 2 * i, 3, "%02x", h->digest[i]);
	num(w, "{\"generation\":", h->generation);
	num(w, ",\"base\":", l->plan.base);
	num(w, ",\"bytes\":", h->bytes);
	num(w, ",\"tacs\":", h->tac_n);
	for (unsigned int i = 0; i < EQUIP_LISTS; i++) {
		const struct equip_tally *t = &l->plan.list[i];

		wr_view(w, VIEW(",\""));
		wr_view(w, view_of(list_names[i]));
		num(w, "\":{\"devices\":", h->single[i]);
		num(w, ",\"whole_tacs\":", h->whole[i]);
		num(w, ",\"added\":", t->added);
		num(w, ",\"removed\":", t->removed);
		wr_view(w, VIEW("}"));
	}
	num(w, ",\"confirmed_findings\":", l->plan.finding_all);
	wr_view(w, VIEW(",\"digest\":\""));
	wr_view(w, view_of(hex));
	wr_view(w, VIEW("\"}"));
}
