#include "records/serving_tables.h"

#include "base/hash.h"

#include <stdlib.h>

static enum err table_room(struct serving_table *t, size_t n)
{
	uint8_t *rows;

	if (n <= t->cap)
		return ERR_OK;
	rows = aligned_alloc(8, n * t->size); /* rows are multiples of 8 */
	if (!rows)
		return ERR_FULL;
	free(t->rows);
	t->rows = rows;
	t->cap = n;
	return ERR_OK;
}

enum err serving_table_load(struct serving_table *t, MDB_txn *txn, MDB_dbi dbi)
{
	MDB_cursor *c;
	MDB_val key, val;
	MDB_stat st;
	int rc = mdb_stat(txn, dbi, &st);
	enum err e;

	t->n = 0;
	t->loaded = false;
	if (rc != 0)
		return db_err(rc);
	e = table_room(t, st.ms_entries + 1);
	if (e)
		return e;
	rc = mdb_cursor_open(txn, dbi, &c);
	if (rc != 0)
		return db_err(rc);
	while (!e && (rc = mdb_cursor_get(c, &key, &val, MDB_NEXT)) == 0) {
		if (val.mv_size != t->size || t->n == t->cap)
			e = ERR_CORRUPT;
		else
			memcpy(t->rows + t->size * t->n++, val.mv_data, t->size);
	}
	mdb_cursor_close(c);
	if (!e && rc != MDB_NOTFOUND)
		e = db_err(rc);
	t->loaded = !e;
	return e;
}

void serving_table_free(struct serving_table *t)
{
	free(t->rows);
	*t = (struct serving_table){ .size = t->size };
}

static uint64_t row_id(const uint8_t *row, size_t width)
{
	uint32_t half;
	uint64_t id;

	if (width == sizeof half) {
		memcpy(&half, row, sizeof half);
		return half;
	}
	memcpy(&id, row, sizeof id);
	return id;
}

const void *serving_table_floor(const struct serving_table *t, uint64_t id, size_t width)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (row_id(t->rows + mid * t->size, width) <= id)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 ? t->rows + (low - 1) * t->size : NULL;
}

static size_t realm_slot(const struct serving_realms *x, struct view realm)
{
	uint8_t low[HOST_MAX_BYTES];

	for (size_t i = 0; i < realm.n; i++)
		low[i] = realm.p[i] >= 'A' && realm.p[i] <= 'Z' ? (uint8_t)(realm.p[i] + 32) :
								  realm.p[i];
	return hash_view(x->key, (struct view){ low, realm.n }) & x->mask;
}

static struct view realm_of(const struct network_row *r)
{
	return (struct view){ (const uint8_t *)r->realm, strnlen(r->realm, sizeof r->realm) };
}

static const struct network_row *network_at(const struct serving_table *t, size_t i)
{
	return (const void *)(t->rows + i * sizeof(struct network_row));
}

enum err serving_realms_index(struct serving_realms *x, const struct serving_table *t)
{
	size_t cap = 16;

	while (cap < 2 * (t->n + 1))
		cap *= 2;
	free(x->slot);
	x->slot = calloc(cap, sizeof *x->slot);
	if (!x->slot)
		return ERR_FULL;
	x->mask = cap - 1;
	for (size_t i = 0; i < t->n; i++) {
		struct view realm = realm_of(network_at(t, i));
		size_t at = realm_slot(x, realm);

		if (realm.n == 0)
			continue;
		while (x->slot[at] != 0)
			at = (at + 1) & x->mask;
		x->slot[at] = (uint32_t)(i + 1);
	}
	return ERR_OK;
}

const struct network_row *serving_realms_find(const struct serving_realms *x,
					      const struct serving_table *t, struct view realm)
{
	if (realm.n == 0 || realm.n > HOST_MAX_BYTES || !x->slot)
		return NULL;
	for (size_t at = realm_slot(x, realm); x->slot[at] != 0; at = (at + 1) & x->mask) {
		const struct network_row *r = network_at(t, x->slot[at] - 1);

		if (view_eq_case(realm_of(r), realm))
			return r;
	}
	return NULL;
}

#define NUMBER_DIGITS 15 /* of E.164 */

/* Prefixes are our records', so no key is needed. */
static size_t number_cell(const struct serving_numbers *x, uint64_t prefix)
{
	return (size_t)((prefix * 0x9e3779b97f4a7c15u) >> 32) & x->mask;
}

static void number_put(struct serving_numbers *x, uint64_t prefix, size_t row)
{
	size_t at = number_cell(x, prefix);

	while (x->cell[at].row != 0)
		at = (at + 1) & x->mask;
	x->cell[at] = (struct number_cell){ prefix, (uint32_t)(row + 1) };
}

enum err serving_numbers_index(struct serving_numbers *x, const struct serving_table *t)
{
	size_t cap = 16;

	while (cap < 2 * NUMBER_PREFIXES * (t->n + 1))
		cap *= 2;
	free(x->cell);
	x->cell = calloc(cap, sizeof *x->cell);
	if (!x->cell)
		return ERR_FULL;
	x->mask = cap - 1;
	for (size_t i = 0; i < t->n; i++) {
		for (size_t k = 0; k < NUMBER_PREFIXES && network_at(t, i)->number[k] != 0; k++)
			number_put(x, network_at(t, i)->number[k], i);
	}
	return ERR_OK;
}

const struct network_row *serving_numbers_find(const struct serving_numbers *x,
					       const struct serving_table *t, uint64_t number)
{
	for (unsigned int n = NUMBER_DIGITS; n > 0 && x->cell; n--) {
		uint64_t prefix = bcd_first(number, n);

		if (prefix == 0)
			continue;
		for (size_t at = number_cell(x, prefix); x->cell[at].row != 0; at = (at + 1) & x->mask) {
			if (x->cell[at].prefix == prefix)
				return network_at(t, x->cell[at].row - 1);
		}
	}
	return NULL;
}

static bool names(const struct apn_row *row, struct view apn)
{
	return view_eq_case((struct view){ (const uint8_t *)row->name, strnlen(row->name, sizeof row->name) },
			    apn);
}

/* Profiles are few, and this is asked when something is refused. */
bool serving_apn_critical(const struct serving_table *profiles, struct view apn)
{
	for (size_t i = 0; i < profiles->n; i++) {
		const struct profile_row *p = (const void *)(profiles->rows + i * sizeof *p);
		bool has = names(&p->quarantine, apn);

		for (uint8_t k = 0; k < p->apn_n && k < APN_MAX; k++)
			has |= names(&p->apn[k], apn);
		if (has && p->prio == PRIO_CRITICAL)
			return true;
	}
	return false;
}
