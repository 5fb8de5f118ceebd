/* Authentication vectors (TS 29.272 5.2.3.1, TS 33.401 6.1, TS 33.102 6.3). No vector needs a
 * write; only a genuine resynchronisation stores something. */
#include "crypto/kdf.h"
#include "home/procedure.h"

#define EPS_RATS (RAT_WB_EUTRAN | RAT_NB_IOT | RAT_LTE_M)
#define OLD_RATS (RAT_UTRAN | RAT_GERAN)
#define RAND_N 16
#define AUTS_N 14
#define SEPARATION                                                                                 \
	0x80 /* first bit of the AMF: 1 for EPS, 0 for UTRAN and GERAN (TS 33.401 6.1.1) */

static uint32_t at_most(uint32_t asked, uint32_t max)
{
	max = max < 1 ? 1 : max;
	max = max > VECTOR_MAX ? VECTOR_MAX : max;
	return asked < max ? asked : max;
}

/* What was asked for against what the profile, and the card, holds. Both kinds may be asked at once; the
 * one the profile lacks is then left out, unless it is the one wanted now. */
static enum result choose(const struct home_self *self, const struct profile_row *p, bool gsm_only,
			  const struct auth_request *q, struct auth_result *out)
{
	if (q->eps_n > 0 && (p->rats & EPS_RATS) && !gsm_only)
		out->eps_n = at_most(q->eps_n, self->vector_max);
	if (q->utran_n > 0 && (p->rats & (gsm_only ? RAT_GERAN : OLD_RATS)))
		out->utran_n = at_most(q->utran_n, self->vector_max);
	out->gsm = !(p->rats & RAT_UTRAN) || gsm_only;
	out->geran = p->rats & RAT_GERAN;
	out->bare = gsm_only;
	if (q->eps_n > 0 && out->eps_n == 0 && !q->utran_now)
		return RESULT_NO_EPS; /* what it is waiting for cannot come */
	if (out->eps_n > 0 || out->utran_n > 0)
		return RESULT_OK;
	return q->eps_n > 0 ? RESULT_NO_EPS : RESULT_RAT;
}

/* TS 33.102 6.3.5. A forged or replayed AUTS changes nothing: the vectors go out under the old
 * difference. */
static void resync(const struct auth_means *means, const struct aka_key *key, struct view auts,
		   struct auth_result *out)
{
	uint64_t sqn_ms;
	int64_t dif;

	if (auts.n != RAND_N + AUTS_N)
		return;
	if (aka_resync(means->aka, key, auts.p, auts.p + RAND_N, &sqn_ms))
		return;
	out->resynced = true;
	dif = sqn_dif(means->sqn, means->wall_ms, out->reg.dif, sqn_ms);
	out->store = dif != out->reg.dif;
	out->reg.dif = dif;
}

/* One vector of a batch: a RAND of its own, its SEQ, the batch's IND. */
static enum err vector(const struct auth_means *means, const struct aka_key *key, uint64_t sqn,
		       struct aka_vector *out)
{
	uint8_t rand[RAND_N];
	enum err err = aka_rand(means->aka, rand);

	return err ? err : aka_vector(means->aka, key, rand, sqn, out);
}

static enum err eps_vectors(const struct home_self *self, const struct auth_means *means,
			    const struct aka_key *key, const struct auth_request *q,
			    struct auth_result *out)
{
	uint64_t ind = (uint64_t)self->node_id * 8 + DOMAIN_MME;
	struct aka_key k = *key;
	uint64_t seq = 0;
	enum err err = ERR_OK;

	if (out->eps_n > 0)
		err =
		    sqn_issue(means->sqn, q->imsi, means->wall_ms, out->reg.dif, out->eps_n, &seq);
	k.amf[0] |= SEPARATION;
	for (uint32_t i = 0; i < out->eps_n && !err; i++) {
		err = vector(means, &k, (seq + i) << 5 | ind, &out->eps[i].v);
		if (!err)
			err = aka_kasme(means->aka, &out->eps[i].v, q->plmn_octets,
					out->eps[i].kasme);
	}
	secret_wipe(&k, sizeof k);
	return err;
}

static enum err utran_vectors(const struct home_self *self, const struct auth_means *means,
			      const struct aka_key *key, const struct auth_request *q,
			      struct auth_result *out)
{
	uint64_t ind = (uint64_t)self->node_id * 8 + q->domain;
	struct aka_key k = *key;
	uint64_t seq = 0;
	enum err err = ERR_OK;

	if (out->utran_n > 0)
		err = sqn_issue(means->sqn, q->imsi, means->wall_ms, out->reg.dif, out->utran_n,
				&seq);
	k.amf[0] &= (uint8_t)~SEPARATION;
	for (uint32_t i = 0; i < out->utran_n && !err; i++)
		err = vector(means, &k, (seq + i) << 5 | ind, &out->utran[i]);
	secret_wipe(&k, sizeof k);
	return err;
}

static const uint8_t alg_of[] = {[ALG_MILENAGE] = AKA_MILENAGE, [ALG_TUAK] = AKA_TUAK, [ALG_XOR] = AKA_XOR,
				 [ALG_COMP128_3] = AKA_COMP128_3};

/* The key of the algorithm that the record names; one that protects nothing for a test alone (R-5.2.1.b). */
static bool keyed(const struct home_rows *rows, const struct aka_key *key)
{
	const struct sub_row *s = rows->sub;

	if (s->alg >= ALG_XOR && !(s->flags & SUB_TEST))
		return false;
	return key && s->alg < sizeof alg_of && key->alg == alg_of[s->alg];
}

void authenticate(const struct home_self *self, const struct auth_means *means,
		  const struct home_rows *rows, const struct aka_key *key,
		  const struct auth_request *q, struct auth_result *out)
{
	enum err err;

	memset(out, 0, sizeof *out);
	out->reg = *rows->reg;
	out->result = subscriber_check(rows, q->plmn, self->own_plmn, means->wall_ms);
	if (out->result)
		return;
	out->result = choose(self, rows->profile, key && aka_key_gsm(key), q, out);
	if (!out->result && q->domain == DOMAIN_VLR)
		out->result = node_fits(rows->profile, REG_VLR, UINT64_MAX, false);
	if (out->result)
		return;
	if (!keyed(rows, key)) {
		out->result = RESULT_NO_VECTORS;
		return;
	}
	resync(means, key, q->resync, out);
	err = eps_vectors(self, means, key, q, out);
	if (!err)
		err = utran_vectors(self, means, key, q, out);
	if (err)
		out->result = RESULT_NO_VECTORS;
}

/* --- Wi-Fi --- */

#define ODB_ALL_PACKET 1u /* bit 0 of Operator-Determined-Barring (TS 29.272 7.3.30) */

enum result wifi_check(const struct home_rows *rows, uint16_t methods, uint64_t wall_ms)
{
	enum result result = subscriber_check(rows, 0, 0, wall_ms);
	uint16_t has = rows->profile ? rows->profile->services & methods : 0;

	if (result)
		return result;
	if (rows->profile->odb & ODB_ALL_PACKET)
		return RESULT_BARRED;
	if (!has)
		return RESULT_NO_WIFI;
	return has == SERVICE_WIFI_SIM && !(rows->profile->rats & RAT_GERAN) ? RESULT_RAT : RESULT_OK;
}

/* A card answers a bare RAND with SRES and Kc: no SQN goes in, and none is spent. */
static enum err triplets(const struct auth_means *means, const struct aka_key *key, struct auth_result *out)
{
	enum err err = ERR_OK;

	for (uint32_t i = 0; i < out->utran_n && !err; i++)
		err = vector(means, key, 0, &out->utran[i]);
	return err;
}

static enum err prime(const struct wifi_request *q, struct aka_vector *v)
{
	struct secret16 ck = v->ck, ik = v->ik;
	enum err err = ERR_OK;

	if (q->network.n > 0)
		err = kdf_prime(&ck, &ik, q->network, v->autn, &v->ck, &v->ik);
	secret_wipe(&ck, sizeof ck);
	secret_wipe(&ik, sizeof ik);
	return err;
}

static enum err quintuplets(const struct home_self *self, const struct auth_means *means,
			    const struct aka_key *key, const struct wifi_request *q, bool separate,
			    struct auth_result *out)
{
	uint64_t ind = (uint64_t)self->node_id * 8 + DOMAIN_WLAN, seq;
	struct aka_key k = *key;
	enum err err =
	    sqn_issue(means->sqn, out->reg.imsi, means->wall_ms, out->reg.dif, out->utran_n, &seq);

	k.amf[0] = (uint8_t)(separate ? k.amf[0] | SEPARATION : k.amf[0] & ~SEPARATION);
	for (uint32_t i = 0; i < out->utran_n && !err; i++) {
		err = vector(means, &k, (seq + i) << 5 | ind, &out->utran[i]);
		if (!err)
			err = prime(q, &out->utran[i]);
	}
	secret_wipe(&k, sizeof k);
	return err;
}

void authenticate_wifi(const struct home_self *self, const struct auth_means *means,
		       const struct home_rows *rows, const struct aka_key *key,
		       const struct wifi_request *q, struct auth_result *out)
{
	bool separate;
	enum err err;

	memset(out, 0, sizeof *out);
	out->reg = *rows->reg;
	out->result = wifi_check(rows, q->methods, means->wall_ms);
	if (out->result)
		return;
	if (!keyed(rows, key)) {
		out->result = RESULT_NO_VECTORS;
		return;
	}
	resync(means, key, q->resync, out);
	out->gsm = (q->methods & SERVICE_WIFI_SIM) != 0;
	out->utran_n = at_most(q->n < 1 ? 1 : q->n, self->vector_max);
	separate = (rows->profile->services & q->methods & SERVICE_WIFI_AKA_PRIME) != 0;
	if (out->gsm)
		err = triplets(means, key, out);
	else
		err = aka_key_gsm(key) ? ERR_VALUE : quintuplets(self, means, key, q, separate, out);
	if (err)
		out->result = RESULT_NO_VECTORS;
}

/* --- GBA --- */

enum result gba_check(const struct home_rows *rows, uint64_t wall_ms)
{
	enum result result = subscriber_check(rows, 0, 0, wall_ms);

	if (result)
		return result;
	return rows->profile->services & SERVICE_GBA ? RESULT_OK : RESULT_NO_GBA;
}

void authenticate_gba(const struct home_self *self, const struct auth_means *means,
		      const struct home_rows *rows, const struct aka_key *key, struct view auts,
		      struct auth_result *out)
{
	struct aka_key k;
	uint64_t seq;
	enum err err;

	memset(out, 0, sizeof *out);
	out->reg = *rows->reg;
	out->result = gba_check(rows, means->wall_ms);
	if (out->result)
		return;
	out->result = RESULT_NO_VECTORS;
	if (!keyed(rows, key) || aka_key_gsm(key))
		return;
	resync(means, key, auts, out);
	k = *key;
	k.amf[0] &= (uint8_t)~SEPARATION; /* it is no EPS (TS 33.102 Annex H) */
	err = sqn_issue(means->sqn, rows->sub->imsi, means->wall_ms, out->reg.dif, 1, &seq);
	if (!err)
		err = vector(means, &k, seq << 5 | ((uint64_t)self->node_id * 8 + DOMAIN_GBA),
			     &out->utran[0]);
	secret_wipe(&k, sizeof k);
	if (err)
		return;
	out->utran_n = 1;
	out->result = RESULT_OK;
}
