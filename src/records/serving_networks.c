/* The networks of the book: by number, realm, number prefix, address; and the APNs of critical profiles. */
#include "records/serving_in.h"

static const struct network_row *network(void *ctx, uint64_t plmn)
{
	struct serving_read *r = ctx;
	const struct network_row *n = serving_table_floor(&r->networks, plmn, sizeof n->plmn);

	return n && n->plmn == plmn ? n : NULL;
}

static const struct network_row *network_of_realm(void *ctx, struct view realm)
{
	return serving_realms_find(&((struct serving_read *)ctx)->realms,
				   &((struct serving_read *)ctx)->networks, realm);
}

static const struct network_row *network_of_number(void *ctx, uint64_t number)
{
	struct serving_read *r = ctx;

	return serving_numbers_find(&r->numbers, &r->networks, number);
}

static const struct network_row *network_of_address(void *ctx, struct view address)
{
	struct serving_read *r = ctx;

	return serving_addresses_find(&r->addresses, &r->networks, address);
}

static bool apn_critical(void *ctx, struct view apn)
{
	return serving_apn_critical(&((struct serving_read *)ctx)->profiles, apn);
}

void serving_book_networks(struct book *b)
{
	b->network = network;
	b->network_of_realm = network_of_realm;
	b->network_of_number = network_of_number;
	b->network_of_address = network_of_address;
	b->apn_critical = apn_critical;
}
