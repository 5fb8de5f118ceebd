#include "cli/csv_key.h"

#include <stdlib.h>

/* What cards have beside MILENAGE and TUAK, and why none of it is taken. Not for a subscription in test
 * either: what is tested would not be what is served. */
static const struct {
	const char *name, *why;
} refused[] = {
#define BROKEN "alg: COMP128-1 and -2 are broken: K is read out of a card in minutes (R-5.2.1.b)"
	{"comp128", BROKEN},
	{"comp128-1", BROKEN},
	{"comp128-2", BROKEN},
	{"comp128v1", BROKEN},
	{"comp128v2", BROKEN},
#undef BROKEN
#define GSM_ONLY                                                                                   \
	"alg: COMP128-3 does not authenticate the network, and makes no vectors for UMTS or LTE; "   \
	"refused, for tests too (R-5.2.1.b)"
	{"comp128-3", GSM_ONLY},
	{"comp128v3", GSM_ONLY},
#undef GSM_ONLY
	{"xor", "alg: XOR protects nothing: it is for test equipment, and a test has MILENAGE too"},
};

static const char *read_alg(struct view alg, struct aka_key *key)
{
	key->alg = AKA_MILENAGE;
	if (alg.n == 0 || view_eq_case(alg, VIEW("milenage")))
		return NULL;
	key->alg = AKA_TUAK;
	if (view_eq_case(alg, VIEW("tuak")))
		return NULL;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		if (view_eq_case(alg, view_of(refused[i].name)))
			return refused[i].why;
	}
	return "alg: must be milenage or tuak";
}

/* A number of at most three digits up to the end or `until`; 0: none. */
static unsigned int number(struct view *left, char until)
{
	unsigned int x = 0;
	size_t n = 0;

	while (n < left->n && n < 3 && left->p[n] >= '0' && left->p[n] <= '9')
		x = x * 10 + left->p[n++] - '0';
	if (n < left->n && left->p[n] != (uint8_t)until)
		return 0;
	n += n < left->n;
	*left = (struct view){left->p + n, left->n - n};
	return x;
}

static const char *read_tuak(const struct csv_keys *c, struct aka_key *key)
{
	static const char want[] = "tuak: RES in bits (32, 64, 128), then Keccak iterations (1 to "
				   "255), as 64:1";
	struct view left = c->tuak;
	unsigned int bits, times = 1;

	key->size = AKA_TUAK_SIZE(c->k.n == 64 ? 32 : 16);
	if (left.n > 0) {
		bits = number(&left, ':');
		if (left.n > 0)
			times = number(&left, 0);
		if (bits % 8 || bits / 8 > AKA_RES_MAX || times > UINT8_MAX || left.n > 0)
			return want;
		key->size.res = (uint8_t)(bits / 8);
		key->size.iterations = (uint8_t)times;
		if (!aka_key_ok(key))
			return want;
	}
	if (!csv_hex(c->k, key->k.b, key->size.k))
		return "k: must be 32 or 64 hexadecimal digits";
	if (c->opc.n > 0)
		return "opc: belongs to MILENAGE; TUAK has topc";
	return NULL;
}

static const char *read_milenage(const struct csv_keys *c, struct aka_key *key)
{
	if (c->topc.n > 0 || c->tuak.n > 0)
		return "topc, tuak: belong to alg tuak";
	return csv_hex(c->k, key->k.b, 16) ? NULL : "k: must be 32 hexadecimal digits";
}

/* OPc or TOPc as it is given, or made of OP or TOP. */
static const char *read_operator(struct aka *aka, const struct csv_keys *c, struct aka_key *key)
{
	bool tuak = key->alg == AKA_TUAK;
	size_t n = tuak ? TUAK_TOP : 16;
	struct view ready = tuak ? c->topc : c->opc;
	uint8_t op[TUAK_TOP];
	enum err err;

	if ((ready.n > 0) == (c->op.n > 0))
		return tuak ? "topc, op: give one of them" : "opc, op: give one of them";
	if (ready.n > 0 && !csv_hex(ready, key->opc.b, n))
		return tuak ? "topc: must be 64 hexadecimal digits"
			    : "opc: must be 32 hexadecimal digits";
	if (ready.n > 0)
		return NULL;
	if (!csv_hex(c->op, op, n))
		return tuak ? "op: must be 64 hexadecimal digits"
			    : "op: must be 32 hexadecimal digits";
	err = aka_opc(aka, op, key);
	secret_wipe(op, sizeof op);
	return err ? "op: nothing could be made of it" : NULL;
}

const char *csv_key(struct aka *aka, const struct csv_keys *c, struct aka_key *key)
{
	const char *why;

	*key = (struct aka_key){.amf = {0x80, 0}};
	why = read_alg(c->alg, key);
	if (!why)
		why = key->alg == AKA_TUAK ? read_tuak(c, key) : read_milenage(c, key);
	if (!why && c->amf.n > 0 && !csv_hex(c->amf, key->amf, 2))
		why = "amf: must be 4 hexadecimal digits";
	return why ? why : read_operator(aka, c, key);
}
