#include "crypto/policy.h"

const struct policy_row policy_rows[POLICY_N] = {
#define FINDING(id, name, clause, text) [POLICY_##id] = {name, clause, text},
#include "crypto/policy.tab"
#undef FINDING
};

uint32_t policy_default(void)
{
	uint32_t bits = 0;

	for (unsigned int i = 0; i < RADIO_N; i++) {
		if (radio_rows[i].strength == RADIO_FULL)
			bits |= 1u << i;
	}
	return bits;
}

static bool between(uint8_t c)
{
	return c == ' ' || c == ',';
}

enum err policy_read(struct view names, uint32_t *allowed, struct view *bad)
{
	*allowed = 0;
	while (names.n > 0) {
		enum radio_id id;
		size_t n = 0;

		while (n < names.n && !between(names.p[n]))
			n++;
		*bad = view_first(names, n);
		id = radio_find(*bad);
		if (n > 0 && id == RADIO_N)
			return ERR_VALUE;
		if (n > 0)
			*allowed |= 1u << id;
		n += n < names.n;
		names = (struct view){names.p + n, names.n - n};
	}
	return ERR_OK;
}

static bool is(enum radio_id id, enum radio_kind kind)
{
	return id < RADIO_N && radio_rows[id].kind == kind;
}

static bool denied(const struct policy *p, enum radio_id id)
{
	return !(p->allowed >> id & 1);
}

enum policy_finding policy_judge(const struct policy *p, unsigned int generation,
				 enum radio_id cipher, enum radio_id integrity)
{
	bool sign = generation > 2;

	if (!is(cipher, RADIO_CIPHER) || (sign && !is(integrity, RADIO_INTEGRITY)))
		return POLICY_UNKNOWN;
	if (radio_rows[cipher].generation != generation ||
	    (sign && radio_rows[integrity].generation != generation))
		return POLICY_OTHER;
	if (generation < p->generation)
		return POLICY_OLD;
	if (denied(p, cipher) && radio_rows[cipher].strength == RADIO_NONE)
		return POLICY_CLEAR;
	if (sign && denied(p, integrity) && radio_rows[integrity].strength == RADIO_NONE)
		return POLICY_OPEN;
	if (denied(p, cipher))
		return POLICY_CIPHER;
	return sign && denied(p, integrity) ? POLICY_INTEGRITY : POLICY_NONE;
}
