#include "home/subscription_data.h"

#define PDN_NON_IP 4 /* apn_row.pdn_type; on the wire an indicator of its own (7.3.62) */

enum access_bit {
	BAR_UTRAN = 1,
	BAR_GERAN = 2,
	BAR_GAN = 4,
	BAR_HSPA = 8,
	BAR_WB_EUTRAN = 16,
	BAR_NON_3GPP = 32,
	BAR_NB_IOT = 64,
	BAR_NR_SECONDARY = 256,
	BAR_UNLICENSED = 512,
	BAR_NR_5GS = 1024,
	BAR_LTE_M = 2048,
	BAR_WB_BUT_LTE_M = 4096,
};

uint32_t access_restriction(uint16_t rats)
{
	uint32_t bars = BAR_GAN | BAR_NON_3GPP | BAR_UNLICENSED; /* no profile can ask for these */

	if (!(rats & RAT_UTRAN))
		bars |= BAR_UTRAN | BAR_HSPA;
	if (!(rats & RAT_GERAN))
		bars |= BAR_GERAN;
	if (!(rats & RAT_NB_IOT))
		bars |= BAR_NB_IOT;
	if (!(rats & RAT_NR))
		bars |= BAR_NR_SECONDARY | BAR_NR_5GS;
	/* The bit for WB-E-UTRAN takes LTE-M along, so LTE-M alone has bits of its own. */
	if (!(rats & (RAT_WB_EUTRAN | RAT_LTE_M)))
		bars |= BAR_WB_EUTRAN;
	else if (!(rats & RAT_WB_EUTRAN))
		bars |= BAR_WB_BUT_LTE_M;
	else if (!(rats & RAT_LTE_M))
		bars |= BAR_LTE_M;
	return bars;
}

static size_t apn_n(const struct profile_row *p)
{
	return p->apn_n < APN_MAX ? p->apn_n : APN_MAX;
}

/* A wildcard would be every APN there is: such a row is never sent, whoever wrote it. */
bool subscription_apn_fits(const struct apn_row *a, uint64_t features)
{
	return a->name[0] != 0 && a->name[0] != '*' &&
	       (a->pdn_type != PDN_NON_IP || (features & FEATURE_NON_IP));
}

bool subscription_data_fits(const struct profile_row *profile, uint64_t features)
{
	uint64_t bars =
	    profile->odb & (FEATURE_ODB_ALL_APN | FEATURE_ODB_HPLMN_APN | FEATURE_ODB_VPLMN_APN);

	return (bars & ~features) == 0 && apn_n(profile) > 0 &&
	       subscription_apn_fits(&profile->apn[0], features);
}

static void put_msisdn(struct wr *w, uint64_t msisdn)
{
	uint8_t tbcd[BCD_MAX / 2];
	size_t n = bcd_tbcd(msisdn, tbcd);

	if (n > 0)
		dia_put(w, AVP_MSISDN, (struct view){tbcd, n});
}

static void put_ambr(struct wr *w, uint32_t ul, uint32_t dl)
{
	size_t group = dia_open(w, AVP_AMBR);

	dia_put_u32(w, AVP_MAX_REQUESTED_BANDWIDTH_UL, ul);
	dia_put_u32(w, AVP_MAX_REQUESTED_BANDWIDTH_DL, dl);
	dia_close(w, group);
}

/* Critical subscriptions may push others aside and may not be pushed aside themselves. Both AVPs
 * count the other way round: 0 is 'enabled' (TS 29.212 5.3.46, 5.3.47). */
static void put_qos(struct wr *w, const struct apn_row *a, uint8_t prio)
{
	size_t qos = dia_open(w, AVP_EPS_SUBSCRIBED_QOS_PROFILE), arp;
	bool critical = prio == PRIO_CRITICAL;

	dia_put_u32(w, AVP_QOS_CLASS_IDENTIFIER, a->qci);
	arp = dia_open(w, AVP_ALLOCATION_RETENTION_PRIORITY);
	dia_put_u32(w, AVP_PRIORITY_LEVEL, a->arp);
	dia_put_u32(w, AVP_PRE_EMPTION_CAPABILITY, critical ? 0 : 1);
	dia_put_u32(w, AVP_PRE_EMPTION_VULNERABILITY, critical ? 1 : 0);
	dia_close(w, arp);
	dia_close(w, qos);
}

/* Local breakout stays off (R-5.6.3.d), and so do SIPTO and LIPA. */
static void put_apn(struct wr *w, const struct apn_row *a, uint8_t prio)
{
	size_t group = dia_open(w, AVP_APN_CONFIGURATION);
	bool non_ip = a->pdn_type == PDN_NON_IP;

	dia_put_u32(w, AVP_CONTEXT_IDENTIFIER, a->context);
	dia_put_u32(w, AVP_PDN_TYPE, non_ip ? 0 : a->pdn_type);
	dia_put(w, AVP_SERVICE_SELECTION,
		(struct view){(const uint8_t *)a->name, strnlen(a->name, sizeof a->name)});
	put_qos(w, a, prio);
	dia_put_u32(w, AVP_VPLMN_DYNAMIC_ADDRESS_ALLOWED, 0);
	put_ambr(w, a->ul_bps, a->dl_bps);
	dia_put_u32(w, AVP_SIPTO_PERMISSION, 1);
	dia_put_u32(w, AVP_LIPA_PERMISSION, 0);
	if (non_ip) {
		dia_put_u32(w, AVP_NON_IP_PDN_TYPE_INDICATOR, 1);
		dia_put_u32(w, AVP_NON_IP_DATA_DELIVERY_MECHANISM, 0); /* SGi */
	}
	dia_close(w, group);
}

static void put_apns(struct wr *w, const struct profile_row *p, uint8_t prio, uint64_t features)
{
	size_t group = dia_open(w, AVP_APN_CONFIGURATION_PROFILE);

	dia_put_u32(w, AVP_CONTEXT_IDENTIFIER, p->apn[0].context);
	dia_put_u32(w, AVP_ALL_APN_CONFIGURATIONS_INCLUDED_INDICATOR, 0);
	for (size_t i = 0; i < apn_n(p); i++) {
		if (subscription_apn_fits(&p->apn[i], features))
			put_apn(w, &p->apn[i], prio);
	}
	dia_close(w, group);
}

void subscription_qos(uint8_t prio, uint8_t qos[SUBSCRIPTION_QOS])
{
	bool first = prio == PRIO_CRITICAL || prio == PRIO_HIGH;
	unsigned int precedence = first ? 1 : prio == PRIO_NORMAL ? 2 : 3;

	qos[0] = 0x23;
	qos[1] = (uint8_t)(0x90 | precedence);
	qos[2] = 0x1f;
}

/* A PDP context of GPRS (7.3.74). */
static void put_pdp(struct wr *w, const struct apn_row *a, uint8_t prio)
{
	static const uint8_t types[][2] = {{0xf1, 0x21}, {0xf1, 0x57}, {0xf1, 0x8d}};
	uint8_t qos[SUBSCRIPTION_QOS];
	size_t group = dia_open(w, AVP_PDP_CONTEXT);

	subscription_qos(prio, qos);
	dia_put_u32(w, AVP_CONTEXT_IDENTIFIER, a->context);
	dia_put(w, AVP_PDP_TYPE, (struct view){types[a->pdn_type], 2});
	dia_put(w, AVP_QOS_SUBSCRIBED, (struct view){qos, sizeof qos});
	dia_put_u32(w, AVP_VPLMN_DYNAMIC_ADDRESS_ALLOWED, 0);
	dia_put(w, AVP_SERVICE_SELECTION,
		(struct view){(const uint8_t *)a->name, strnlen(a->name, sizeof a->name)});
	dia_put_u32(w, AVP_SIPTO_PERMISSION, 1);
	dia_put_u32(w, AVP_LIPA_PERMISSION, 0);
	dia_close(w, group);
}

static void put_gprs(struct wr *w, const struct profile_row *p, uint8_t prio)
{
	size_t group;

	if (apn_n(p) == 0 || p->apn[0].pdn_type > 2)
		return;
	group = dia_open(w, AVP_GPRS_SUBSCRIPTION_DATA);
	dia_put_u32(w, AVP_COMPLETE_DATA_LIST_INCLUDED_INDICATOR, 0);
	for (size_t i = 0; i < apn_n(p); i++) {
		if (p->apn[i].pdn_type <= 2 && subscription_apn_fits(&p->apn[i], 0))
			put_pdp(w, &p->apn[i], prio);
	}
	dia_close(w, group);
}

/* Without voice and SMS a device needs no circuit domain. SMS alone goes through the MME where that
 * can; one that cannot needs the combined attach. */
static bool packet_only(const struct profile_row *p, uint64_t features)
{
	if (p->services & SERVICE_VOICE)
		return false;
	return !(p->services & (SERVICE_SMS_MO | SERVICE_SMS_MT)) ||
	       (features & FEATURE_SMS_IN_MME);
}

static void put_teleservices(struct wr *w, const struct profile_row *p)
{
	static const uint8_t telephony = 0x11, sms_mt = 0x21, sms_mo = 0x22; /* TS 29.002 17.7.9 */
	size_t group;

	if (!(p->services & (SERVICE_VOICE | SERVICE_SMS_MO | SERVICE_SMS_MT)))
		return;
	group = dia_open(w, AVP_TELESERVICE_LIST);
	if (p->services & SERVICE_VOICE)
		dia_put(w, AVP_TS_CODE, (struct view){&telephony, 1});
	if (p->services & SERVICE_SMS_MT)
		dia_put(w, AVP_TS_CODE, (struct view){&sms_mt, 1});
	if (p->services & SERVICE_SMS_MO)
		dia_put(w, AVP_TS_CODE, (struct view){&sms_mo, 1});
	dia_close(w, group);
}

void subscription_data_put(struct wr *w, const struct sub_row *sub,
			   const struct profile_row *profile, uint64_t features, bool gprs)
{
	size_t group = dia_open(w, AVP_SUBSCRIPTION_DATA);
	bool sms_only = !(profile->services & SERVICE_VOICE) &&
			(profile->services & (SERVICE_SMS_MO | SERVICE_SMS_MT));

	dia_put_u32(w, AVP_SUBSCRIBER_STATUS, profile->odb != 0);
	put_msisdn(w, sub->msisdn);
	dia_put_u32(w, AVP_NETWORK_ACCESS_MODE, packet_only(profile, features) ? 2 : 0);
	if (profile->odb != 0)
		dia_put_u32(w, AVP_OPERATOR_DETERMINED_BARRING, profile->odb);
	dia_put_u32(w, AVP_ACCESS_RESTRICTION_DATA, access_restriction(profile->rats));
	put_teleservices(w, profile);
	put_ambr(w, profile->ul_bps, profile->dl_bps);
	put_apns(w, profile, sub->prio, features);
	if (gprs)
		put_gprs(w, profile, sub->prio);
	if (profile->tau_s != 0)
		dia_put_u32(w, AVP_SUBSCRIBED_PERIODIC_RAU_TAU_TIMER, profile->tau_s);
	if (sms_only && packet_only(profile, features))
		dia_put_u32(w, AVP_SUBSCRIPTION_DATA_FLAGS, 1); /* PS and SMS only */
	if (!(profile->rats & RAT_NR))
		dia_put_u32(w, AVP_CORE_NETWORK_RESTRICTIONS, 2); /* no 5GC */
	dia_close(w, group);
}

static void put_identity(struct wr *w, uint32_t type, uint64_t digits)
{
	char text[BCD_TEXT];
	size_t group;

	if (bcd_text(digits, text) < 5)
		return;
	group = dia_open(w, AVP_SUBSCRIPTION_ID);
	dia_put_u32(w, AVP_SUBSCRIPTION_ID_TYPE, type);
	dia_put_text(w, AVP_SUBSCRIPTION_ID_DATA, text);
	dia_close(w, group);
}

/* What is not IP has no way through a Wi-Fi gateway. */
static bool apn_for_wifi(const struct apn_row *a)
{
	return a->pdn_type != PDN_NON_IP && subscription_apn_fits(a, 0);
}

void non_3gpp_data_put(struct wr *w, const struct sub_row *sub, const struct profile_row *profile)
{
	enum { E164, IMSI_TYPE, ALLOWED = 0, APNS_ENABLE = 0, APNS_DISABLE = 1, WLAN = 0 };
	size_t group = dia_open(w, AVP_NON_3GPP_USER_DATA);
	bool any = false;

	for (size_t i = 0; i < apn_n(profile); i++)
		any |= apn_for_wifi(&profile->apn[i]);
	put_identity(w, E164, sub->msisdn);
	put_identity(w, IMSI_TYPE, sub->imsi);
	dia_put_u32(w, AVP_NON_3GPP_IP_ACCESS, ALLOWED);
	dia_put_u32(w, AVP_NON_3GPP_IP_ACCESS_APN, any ? APNS_ENABLE : APNS_DISABLE);
	dia_put_u32(w, AVP_RAT_TYPE, WLAN);
	put_ambr(w, profile->ul_bps, profile->dl_bps);
	if (apn_n(profile) > 0 && apn_for_wifi(&profile->apn[0]))
		dia_put_u32(w, AVP_CONTEXT_IDENTIFIER, profile->apn[0].context);
	for (size_t i = 0; i < apn_n(profile); i++) {
		if (apn_for_wifi(&profile->apn[i]))
			put_apn(w, &profile->apn[i], sub->prio);
	}
	dia_close(w, group);
}
