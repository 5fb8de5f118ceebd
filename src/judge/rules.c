#include "judge/rules.h"

#include <stdlib.h>

static size_t host_n(const struct rule_row *r)
{
	return strnlen(r->host, sizeof r->host);
}

static uint64_t width(const struct rule_row *r)
{
	return r->imsi_from || r->imsi_to ? r->imsi_to - r->imsi_from : UINT64_MAX;
}

static bool everyone(const struct rule_row *r)
{
	return host_n(r) == 0 && r->plmn == 0 && width(r) == UINT64_MAX;
}

/* By check; then the longer host, a network, the narrower range, the newer rule. */
static int by_force(const void *a, const void *b)
{
	const struct rule_row *x = a, *y = b;

	if (x->check != y->check)
		return x->check < y->check ? -1 : 1;
	if (host_n(x) != host_n(y))
		return host_n(x) > host_n(y) ? -1 : 1;
	if ((x->plmn != 0) != (y->plmn != 0))
		return x->plmn != 0 ? -1 : 1;
	if (width(x) != width(y))
		return width(x) < width(y) ? -1 : 1;
	return (x->id < y->id) - (x->id > y->id);
}

static bool room(struct rules *r, size_t n)
{
	struct rule_row *more;

	if (n <= r->row_cap)
		return true;
	more = realloc(r->row, n * sizeof *more);
	if (!more)
		return false;
	r->row = more;
	r->row_cap = n;
	return true;
}

static void index_rows(struct rules *r)
{
	for (enum check c = CHECK_NONE; c < CHECK_N; c++) {
		r->mode[c] = check_rows[c].mode;
		r->first[c] = r->n[c] = 0;
	}
	/* Backwards, so that of several rules for everyone the first in order stands. */
	for (size_t i = r->row_n; i-- > 0;) {
		const struct rule_row *row = &r->row[i];

		if (everyone(row)) {
			r->mode[row->check] = row->mode;
			continue;
		}
		r->first[row->check] = (uint32_t)i;
		r->n[row->check]++;
	}
}

void rules_renew(struct rules *r, const struct book *b)
{
	uint64_t version = b->rule_version(b->ctx);
	const struct rule_row *rows;
	size_t n = 0;

	if (r->loaded && version == r->version)
		return;
	rows = b->rules(b->ctx, &n);
	if (!room(r, n))
		return;
	r->row_n = 0;
	for (size_t i = 0; i < n; i++) {
		if (rows[i].check > CHECK_NONE && rows[i].check < CHECK_N && rows[i].mode <= MODE_ENFORCE)
			r->row[r->row_n++] = rows[i];
	}
	if (r->row_n > 0)
		qsort(r->row, r->row_n, sizeof *r->row, by_force);
	index_rows(r);
	r->version = version;
	r->loaded = true;
}

void rules_free(struct rules *r)
{
	free(r->row);
}

/* An Origin-Host is only a claim. It earns an exception only where the authenticated peer may make it. */
static bool host_fits(struct view host, const struct facts *f, const struct network_row *peer)
{
	struct view realm = { 0 };

	if (view_under(f->peer_host, host))
		return true;
	if (peer)
		realm = (struct view){ (const uint8_t *)peer->realm,
				       strnlen(peer->realm, sizeof peer->realm) };
	return view_under(f->origin_host, host) && view_under(f->origin_host, realm);
}

static bool fits(const struct rule_row *r, const struct facts *f, const struct network_row *peer)
{
	struct view host = { (const uint8_t *)r->host, host_n(r) };

	if (r->plmn != 0 && r->plmn != f->peer_plmn)
		return false;
	if ((r->imsi_from || r->imsi_to) && (f->imsi < r->imsi_from || f->imsi > r->imsi_to))
		return false;
	return host.n == 0 || host_fits(host, f, peer);
}

enum mode rules_mode(const struct rules *r, enum check c, const struct facts *f,
		     const struct network_row *peer)
{
	for (uint32_t i = 0; i < r->n[c]; i++) {
		const struct rule_row *row = &r->row[r->first[c] + i];

		if (fits(row, f, peer))
			return row->mode;
	}
	return r->mode[c];
}
