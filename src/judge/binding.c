#include "judge/binding.h"

#include "base/hash.h"

static enum bound type_look(const struct sub_row *sub, uint64_t imei)
{
	for (size_t i = 0; i < TAC_MAX && sub->tac[i] != 0; i++) {
		if (sub->tac[i] == (uint32_t)(imei >> 32))
			return BOUND_OWN;
	}
	return BOUND_STRANGER;
}

static enum bound host_look(const struct sub_row *sub, const struct host_row *host)
{
	if (!host)
		return BOUND_UNKNOWN;
	return sub->host == host->model || sub->host == host->unique ? BOUND_OWN : BOUND_STRANGER;
}

enum bound binding_look(const struct sub_row *sub, uint64_t imei, const struct host_row *host)
{
	enum bound found = BOUND_OWN;

	if (sub->imei == 0 && sub->tac[0] == 0 && sub->host == 0)
		return BOUND_FREE;
	if (imei == 0)
		return BOUND_UNKNOWN;
	if (sub->imei != 0 && !bcd_begins(imei, sub->imei))
		return BOUND_STRANGER;
	if (sub->tac[0] != 0)
		found = type_look(sub, imei);
	if (found == BOUND_STRANGER || sub->host == 0)
		return found;
	return host_look(sub, host);
}

enum reaction binding_reaction(const struct sub_row *sub, const struct profile_row *p, enum bound bound)
{
	static const enum reaction reactions[] = {
		[BINDING_ALERT] = REACT_ALERT, [BINDING_REFUSE] = REACT_REFUSE,
		[BINDING_GREYLIST] = REACT_GREYLIST, [BINDING_DETACH] = REACT_DETACH,
		[BINDING_QUARANTINE] = REACT_QUARANTINE,
	};
	enum reaction r;

	if (bound != BOUND_STRANGER)
		return REACT_NONE;
	if (sub->prio == PRIO_CRITICAL || !p || p->binding >= sizeof reactions / sizeof *reactions)
		return REACT_ALERT;
	r = reactions[p->binding];
	return r == REACT_QUARANTINE && !p->quarantine.name[0] ? REACT_REFUSE : r;
}

bool binding_grey(const struct sub_row *sub, uint64_t now_s)
{
	return (sub->flags & SUB_GREY) && (sub->grey_until == 0 || now_s < sub->grey_until) &&
	       sub->prio != PRIO_CRITICAL;
}

enum assurance binding_assurance(bool authenticated, enum bound bound, bool certificate)
{
	if (certificate)
		return ASSURED_CERT;
	if (!authenticated)
		return ASSURED_IMEI;
	return bound == BOUND_OWN ? ASSURED_BOUND : ASSURED_SIM;
}

uint64_t binding_host(struct view text)
{
	static const uint8_t key[HASH_KEY] = "host identity 1";
	uint64_t h;

	if (text.n == 0)
		return 0;
	h = hash_view(key, text);
	return h ? h : 1;
}
