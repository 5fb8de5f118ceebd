/* Subscriptions into a store, as the store itself writes them, without journal and feed: what bench/portal.py
 * looks through.    portal_fill DATA-DIR N    Tenants mixed, one in a hundred suspended, half bound to a device,
 * one in a thousand of a small tenant. */
#include "records/store_in.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST 999720000000000ull
#define BLOCK 100000

static uint64_t seed = 88172645463325252ull;

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void set(struct row *r, enum column_of_all c, const char *format, unsigned long long n)
{
	char text[64];
	struct say s;

	snprintf(text, sizeof text, format, n);
	if (row_set(r, (unsigned int)c - COL_SUB_IMSI, view_of(text), &s))
		exit(3);
}

static void make(struct row *r, uint64_t i)
{
	static const char *const tenants[] = {"meters", "meters", "meters", "meters", "meters",
					      "meters", "cars",   "cars",   "cars",   "cardio"};
	uint64_t k = i % 1000 == 7 ? 10 : next() % 10;
	const char *tenant = k == 10 ? "small" : tenants[k];

	row_init(r, OBJ_SUBSCRIPTION);
	set(r, COL_SUB_IMSI, "%llu", FIRST + i);
	set(r, COL_SUB_ICCID, "%llu", 8999972000000000000ull + i);
	set(r, COL_SUB_MSISDN, "%llu", 447000000000ull + i * 7);
	set(r, COL_SUB_TENANT, tenant, 0);
	set(r, COL_SUB_PROFILE, k == 10 ? "small" : k < 6 ? "meter" : k < 9 ? "car" : "pacemaker", 0);
	if (i % 2)
		set(r, COL_SUB_IMEI, "3539%010llu", next() % 10000000000ull);
	set(r, COL_SUB_LIFE, i % 100 == 3 ? "suspended" : i % 100 == 4 ? "inventory" : "active", 0);
}

int main(int argc, char **argv)
{
	static const char *const drop[] = {"subscription_profile_imsi", "subscription_tenant", "subscription_life",
					   "subscription_imei"};
	uint64_t n = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
	char why[256], sql[96];
	struct store *st;
	struct row r;
	struct say s = {""};

	if (n == 0 || store_open(&st, argv[1], why))
		return 2;
	for (size_t i = 0; i < sizeof drop / sizeof *drop; i++) { /* made again when the keeper opens it */
		snprintf(sql, sizeof sql, "DROP INDEX IF EXISTS %s", drop[i]);
		if (store_sql(st, sql))
			return 1;
	}
	for (uint64_t i = 0; i < n; i++) {
		if (i % BLOCK == 0 && store_begin(st))
			return 1;
		make(&r, i);
		if (store_insert(st, &r, &s))
			return 1;
		if ((i % BLOCK == BLOCK - 1 || i == n - 1) && store_commit(st))
			return 1;
	}
	store_close(st);
	if (store_open(&st, argv[1], why)) /* the indexes */
		return 1;
	store_close(st);
	return 0;
}
