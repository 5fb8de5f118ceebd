#include "home/told.h"

#include "base/hash.h"

_Static_assert(sizeof((struct reg_row *)0)->spare >= TOLD_CONTEXTS + APN_MAX,
	       "the contexts told must fit");

uint8_t told_parts(const struct sub_row *sub, const struct profile_row *profile)
{
	unsigned int parts = 0;

	if (profile->tau_s != 0)
		parts |= TOLD_TAU;
	if (sub->msisdn != 0)
		parts |= TOLD_MSISDN;
	if (profile->services & (SERVICE_SMS_MO | SERVICE_SMS_MT))
		parts |= TOLD_SMS;
	return (uint8_t)parts;
}

uint32_t told_digest(const struct sub_row *sub, const struct profile_row *profile)
{
	static const uint8_t key[HASH_KEY] = "told digest v1";
	struct {
		uint64_t msisdn, prio;
		uint64_t rats, services, ul, dl, tau, odb, apn_n;
		struct apn_row apn[APN_MAX];
	} all;
	size_t n = profile->apn_n < APN_MAX ? profile->apn_n : APN_MAX;
	uint64_t h;

	memset(&all, 0, sizeof all); /* the holes too: they are hashed */
	all.msisdn = sub->msisdn;
	all.prio = sub->prio;
	all.rats = profile->rats;
	/* No node is told of Wi-Fi, bootstrapping and USSD. */
	all.services = profile->services & (uint16_t)~(SERVICE_WIFI | SERVICE_GBA | SERVICE_USSD);
	all.ul = profile->ul_bps;
	all.dl = profile->dl_bps;
	all.tau = profile->tau_s;
	all.odb = profile->odb;
	all.apn_n = n;
	memcpy(all.apn, profile->apn, n * sizeof all.apn[0]);
	h = hash_view(key, (struct view){(const uint8_t *)&all, sizeof all});
	return (uint32_t)h ? (uint32_t)h : 1;
}

void told_set(struct reg_row *reg, const struct sub_row *sub, const struct profile_row *profile)
{
	reg->told = told_digest(sub, profile);
	reg->told_life = sub->life;
	reg->sub_version = sub->version;
	reg->profile = profile->id;
	reg->profile_version = profile->version;
	reg->spare[TOLD_PARTS] = told_parts(sub, profile);
	for (size_t i = 0; i < APN_MAX; i++)
		reg->spare[TOLD_CONTEXTS + i] = i < profile->apn_n ? profile->apn[i].context : 0;
}

/* Nothing that an AAA server is not told of: radio technologies, services, timers. */
uint32_t told_aaa(const struct sub_row *sub, const struct profile_row *profile)
{
	struct profile_row p = *profile;

	p.rats = p.services = 0;
	p.tau_s = 0;
	return told_digest(sub, &p);
}

void told_aaa_set(struct reg_row *reg, const struct sub_row *sub, const struct profile_row *profile)
{
	told_set(reg, sub, profile);
	reg->told = told_aaa(sub, profile);
}
