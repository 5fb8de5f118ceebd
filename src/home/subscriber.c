/* May a subscription be served, where, and over which radio: asked by AIR, ULR and the change feed.
 */
#include "home/device.h"
#include "home/subscription_data.h"

#define CS_SERVICES (SERVICE_VOICE | SERVICE_SMS_MO | SERVICE_SMS_MT)
#define ODB_PACKET 7u /* the lowest three bars are of packets (TS 29.272 7.3.30) */

const struct result_row result_rows[RESULT_N] = {
#define RESULT(id, code, experimental, diagnostic, clause, text)                                   \
	[RESULT_##id] = {(code), (diagnostic), (experimental), (clause), (text)},
#include "home/result.tab"
#undef RESULT
};

/* No list means anywhere. An entry of three digits is a country, a longer one a single network. */
static bool may_roam(const struct profile_row *p, uint64_t plmn)
{
	if (p->country_n == 0)
		return true;
	for (size_t i = 0; i < p->country_n && i < COUNTRY_MAX; i++) {
		uint64_t place = p->country[i];

		if (place == plmn || (bcd_n(place) == 3 && bcd_begins(plmn, place)))
			return true;
	}
	return false;
}

enum result subscriber_check(const struct home_rows *rows, uint64_t plmn, uint64_t own_plmn,
			     uint64_t wall_ms)
{
	const struct sub_row *sub = rows->sub;

	if (!sub)
		return RESULT_USER_UNKNOWN;
	if (sub->life != LIFE_ACTIVE && sub->life != LIFE_TEST_READY)
		return RESULT_NO_EPS; /* not 5001, which locks the UICC for good */
	if (!rows->profile)
		return RESULT_NO_EPS;
	if (device_grey(rows, wall_ms) && rows->profile->grey == GREY_CANCEL)
		return RESULT_BARRED;
	if (plmn != 0 && plmn != own_plmn && !may_roam(rows->profile, plmn))
		return RESULT_ROAMING;
	return RESULT_OK;
}

uint16_t rats_of_type(uint32_t rat_type)
{
	switch (rat_type) {
	case 1000: /* UTRAN */
	case 1003: /* HSPA_EVOLUTION */
		return RAT_UTRAN;
	case 1001:
		return RAT_GERAN;
	case 1004:
		return RAT_WB_EUTRAN | RAT_LTE_M;
	case 1005:
		return RAT_NB_IOT;
	case 1006:
		return RAT_NR;
	case 1007:
		return RAT_LTE_M;
	default:
		return 0;
	}
}

bool node_by_gsup(const struct reg_node *n)
{
	return strncmp(n->host, NODE_GSUP, sizeof NODE_GSUP - 1) == 0;
}

bool node_by_map(const struct reg_node *n)
{
	return strncmp(n->host, NODE_MAP, sizeof NODE_MAP - 1) == 0;
}

/* A bar that the node cannot carry out is not weakened: it is not served (5.2.1.1.3). */
enum result node_fits(const struct profile_row *p, uint8_t kind, uint64_t features, bool old)
{
	if (old && !(p->rats & (RAT_UTRAN | RAT_GERAN)))
		return RESULT_RAT;
	if (kind != REG_VLR)
		return subscription_data_fits(p, features) ? RESULT_OK : RESULT_BARRED;
	if (!(p->services & CS_SERVICES))
		return RESULT_NO_CS;
	return (p->odb & ~ODB_PACKET & ~features) == 0 ? RESULT_OK : RESULT_BARRED;
}

bool node_is(const struct reg_node *n, struct view host)
{
	return host.n > 0 && view_eq_case(view_of(n->host), host);
}
