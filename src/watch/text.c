#include "watch/text.h"

#include "base/bcd.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 3))) static void put(struct wr *w, const char *form, ...)
{
	char b[512];
	va_list ap;
	int n;

	va_start(ap, form);
	n = vsnprintf(b, sizeof b, form, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof b)
		w->err = ERR_FULL;
	else
		wr_view(w, (struct view){(const uint8_t *)b, (size_t)n});
}

static uint64_t load(const uint64_t *cell)
{
	return __atomic_load_n(cell, __ATOMIC_RELAXED);
}

/* Numbered labels show only what has counted; named ones always, so that a rate has a start. */
static void put_metric(const struct watch_role *r, size_t m, struct wr *to)
{
	const struct metric_row *row = &metric_rows[m];

	for (unsigned int v = 0; v < row->value_n; v++) {
		uint64_t x = load(&r->page->metrics.cell[m][v]);

		if (x == 0 && !row->values && row->value_n > 1)
			continue;
		put(to, "%s{role=\"%s\"", row->name, r->name);
		if (row->label[0] && row->values)
			put(to, ",%s=\"%s\"", row->label, row->values[v]);
		else if (row->label[0])
			put(to, ",%s=\"%u\"", row->label, v);
		put(to, "} %llu\n", (unsigned long long)x);
	}
}

static bool is_ready(const struct watch_role *r)
{
	return r->page && load(&r->page->live.ready);
}

static bool counts(const struct watch_role *r, size_t m)
{
	if (!r->page)
		return false;
	for (unsigned int v = 0; v < metric_rows[m].value_n; v++) {
		if (load(&r->page->metrics.cell[m][v]) > 0)
			return true;
	}
	return false;
}

void text_metrics(const struct watch_conf *c, struct wr *to)
{
	for (size_t m = 0; m < M_COUNT; m++) {
		const struct metric_row *row = &metric_rows[m];

		put(to, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
		    row->kind == COUNTER ? "counter" : "gauge");
		for (size_t i = 0; i < c->role_n; i++) {
			if (counts(&c->role[i], m))
				put_metric(&c->role[i], m, to);
		}
	}
	put(to, "# HELP merlon_role_ready the role serves\n# TYPE merlon_role_ready gauge\n");
	for (size_t i = 0; i < c->role_n; i++)
		put(to, "merlon_role_ready{role=\"%s\"} %d\n", c->role[i].name,
		    is_ready(&c->role[i]));
}

static void put_networks(const struct live *l, struct wr *to)
{
	const char *comma = "";
	char plmn[BCD_TEXT];

	put(to, ",\"networks\":[");
	for (size_t i = 0; i < LIVE_NETWORK_MAX; i++) {
		const struct live_network *n = &l->network[i];
		uint64_t id = load(&n->plmn);

		if (id == 0)
			continue;
		bcd_text(id, plmn);
		put(to,
		    "%s{\"network\":\"%s\",\"arrived\":%llu,\"passed\":%llu,\"refused\":%llu,"
		    "\"appointed\":%llu}",
		    comma, plmn, (unsigned long long)load(&n->arrived),
		    (unsigned long long)load(&n->passed), (unsigned long long)load(&n->refused),
		    (unsigned long long)load(&n->appointed));
		comma = ",";
	}
	put(to, "]");
}

static void put_role(const struct watch_role *r, struct wr *to)
{
	static const struct live none;
	const struct live *l = r->page ? &r->page->live : &none;
	uint64_t n = load(&l->wave_n);

	put(to,
	    "{\"role\":\"%s\",\"ready\":%s,\"limit\":%llu,\"in_flight\":%llu,"
	    "\"overload_percent\":%llu,\"wave_slot_ms\":%llu,\"wave\":[",
	    r->name, load(&l->ready) ? "true" : "false", (unsigned long long)load(&l->limit),
	    (unsigned long long)load(&l->in_flight), (unsigned long long)load(&l->overload_percent),
	    (unsigned long long)load(&l->wave_slot_ms));
	for (uint64_t i = 0; i < n && i < LIVE_WAVE_MAX; i++)
		put(to, "%s%llu", i ? "," : "", (unsigned long long)load(&l->wave[i]));
	put(to, "]");
	put_networks(l, to);
	put(to, "}");
}

void text_live(const struct watch_conf *c, struct wr *to)
{
	put(to, "{\"roles\":[");
	for (size_t i = 0; i < c->role_n; i++) {
		put(to, "%s", i ? "," : "");
		put_role(&c->role[i], to);
	}
	put(to, "]}\n");
}

bool text_ready(const struct watch_conf *c)
{
	for (size_t i = 0; i < c->role_n; i++) {
		if (!is_ready(&c->role[i]))
			return false;
	}
	return true;
}
