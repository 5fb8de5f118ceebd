#include "cli/csv_key.h"

#include <stdlib.h>

#define BROKEN "alg: COMP128-1 and -2 are broken: K is read out of a card in minutes (R-5.2.1.b)"

/* What cards have. `why`: nobody gets it, or nobody but a subscription marked test. */
static const struct {
	const char *name;
	enum aka_alg alg;
	bool test;
	const char *why;
} algs[] = {
	{"milenage", AKA_MILENAGE, false, NULL},
	{"tuak", AKA_TUAK, false, NULL},
	{"comp128", AKA_ALG_N, false, BROKEN},
	{"comp128-1", AKA_ALG_N, false, BROKEN},
	{"comp128-2", AKA_ALG_N, false, BROKEN},
	{"comp128v1", AKA_ALG_N, false, BROKEN},
	{"comp128v2", AKA_ALG_N, false, BROKEN},
	{"comp128-3", AKA_COMP128_3, true,
	 "alg: COMP128-3 does not authenticate the network; only for a subscription marked test (R-5.2.1.b)"},
	{"xor", AKA_XOR, true, "alg: XOR protects nothing; only for a subscription marked test (R-5.2.1.b)"},
};

static const char *read_alg(const struct csv_keys *c, struct aka_key *key)
{
	struct view name = c->alg.n > 0 ? c->alg : VIEW("milenage");
	bool test = view_eq_case(c->test, VIEW("yes"));

	for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
		if (!view_eq_case(name, view_of(algs[i].name)))
			continue;
		key->alg = (uint8_t)algs[i].alg;
		return algs[i].test && test ? NULL : algs[i].why;
	}
	return "alg: must be milenage or tuak; in test, xor or comp128-3";
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

/* XOR and COMP128-3 know K alone. */
static const char *read_plain(const struct csv_keys *c, struct aka_key *key)
{
	if (c->opc.n + c->op.n + c->topc.n + c->tuak.n > 0)
		return "opc, op, topc, tuak: this algorithm has none";
	return csv_hex(c->k, key->k.b, 16) ? NULL : "k: must be 32 hexadecimal digits";
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
	static const char *(*const read[AKA_ALG_N])(const struct csv_keys *c, struct aka_key *key) = {
		[AKA_MILENAGE] = read_milenage, [AKA_TUAK] = read_tuak, [AKA_XOR] = read_plain,
		[AKA_COMP128_3] = read_plain};
	const char *why;

	*key = (struct aka_key){.amf = {0x80, 0}};
	why = read_alg(c, key);
	if (!why)
		why = read[key->alg](c, key);
	if (!why && c->amf.n > 0 && !csv_hex(c->amf, key->amf, 2))
		why = "amf: must be 4 hexadecimal digits";
	return why || key->alg >= AKA_XOR ? why : read_operator(aka, c, key);
}
