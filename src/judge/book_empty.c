/* A book for where no records are: every peer is a stranger in it. */
#include "judge/book.h"

static const struct sub_row *no_sub(void *ctx, uint64_t imsi)
{
	(void)ctx;
	(void)imsi;
	return NULL;
}

static const struct profile_row *no_profile(void *ctx, uint32_t id)
{
	(void)ctx;
	(void)id;
	return NULL;
}

static const struct network_row *no_network(void *ctx, uint64_t plmn)
{
	(void)ctx;
	(void)plmn;
	return NULL;
}

static const struct network_row *no_realm(void *ctx, struct view realm)
{
	(void)ctx;
	(void)realm;
	return NULL;
}

static const struct equip_row *no_equip(void *ctx, uint64_t imei, uint64_t now_s)
{
	(void)ctx;
	(void)now_s;
	(void)imei;
	return NULL;
}

static const struct range_row *no_range(void *ctx, uint64_t imsi)
{
	(void)ctx;
	(void)imsi;
	return NULL;
}

static const struct rule_row *no_rules(void *ctx, size_t *n)
{
	(void)ctx;
	*n = 0;
	return NULL;
}

static uint64_t no_version(void *ctx)
{
	(void)ctx;
	return 1;
}

const struct book book_empty = {
    .sub = no_sub,
    .profile = no_profile,
    .network = no_network,
    .network_of_realm = no_realm,
    .equip = no_equip,
    .range = no_range,
    .rules = no_rules,
    .rule_version = no_version,
};
