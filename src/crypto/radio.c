#include "crypto/radio.h"

#include "crypto/mb.h"

#include <stdlib.h>

#define OCTETS_MAX  (RADIO_BITS_MAX / 8)
#define KASUMI_BITS 20000u
#define CMAC_BITS   65440u /* the library counts CMAC's bits in 16 bits, our prefix among them */
#define PREFIX	    8 /* COUNT, BEARER and DIRECTION before what EIA2 signs (TS 33.401 B.2.3) */
#define IV	    16
#define LANES	    16
#define FRAME_BITS  22 /* COUNT of A5 */

const struct radio_row radio_rows[RADIO_N] = {
#define RADIO(id, name, kind, generation, number, bits, strength, clause, why)                     \
	[RADIO_##id] = {name, clause, why, RADIO_##kind, RADIO_##strength,                         \
			generation, number, bits},
#include "crypto/radio.tab"
#undef RADIO
};

struct radio {
	_Alignas(64) snow3g_key_schedule_t snow[LANES];
	_Alignas(64) kasumi_key_sched_t kasumi;
	_Alignas(16) uint32_t round[4 * 15], unused[4 * 15];
	_Alignas(16) uint8_t sub1[16], sub2[16], iv[LANES][IV];
	uint8_t text[PREFIX + OCTETS_MAX + 1];
	IMB_MGR *mb;
};

struct radio *radio_new(void)
{
	struct radio *r = aligned_alloc(_Alignof(struct radio), sizeof *r);

	if (!r)
		return NULL;
	memset(r, 0, sizeof *r);
	r->mb = mb_new();
	if (!r->mb) {
		radio_free(r);
		return NULL;
	}
	return r;
}

/* Schedules, and whatever text they were used on. */
static void forget(struct radio *r)
{
	secret_wipe(r->snow, sizeof r->snow);
	secret_wipe(&r->kasumi, sizeof r->kasumi);
	secret_wipe(r->round, sizeof r->round);
	secret_wipe(r->unused, sizeof r->unused);
	secret_wipe(r->sub1, sizeof r->sub1);
	secret_wipe(r->sub2, sizeof r->sub2);
}

void radio_free(struct radio *r)
{
	if (!r)
		return;
	if (r->mb)
		free_mb_mgr(r->mb);
	secret_wipe(r, sizeof *r);
	free(r);
}

enum radio_id radio_find(struct view name)
{
	uint8_t text[8];
	size_t n = 0;

	if (name.n > 4 && memcmp(name.p, "128-", 4) == 0)
		name = (struct view){name.p + 4, name.n - 4};
	if (name.n > sizeof text)
		return RADIO_N;
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] != '/')
			text[n++] = name.p[i];
	}
	if (n == 4 && (text[0] | 32) == 'n') /* 5G took the algorithms of LTE (TS 33.501 D.1) */
		text[0] = 'E';
	for (unsigned int i = 0; i < RADIO_N; i++) {
		const char *row = radio_rows[i].name;
		uint8_t bare[8];
		size_t m = 0;

		for (; *row; row++) {
			if (*row != '/')
				bare[m++] = (uint8_t)*row;
		}
		if (view_eq_case((struct view){text, n}, (struct view){bare, m}))
			return (enum radio_id)i;
	}
	return RADIO_N;
}

static enum err done(const struct radio *r)
{
	return imb_get_errno(r->mb) ? ERR_VALUE : ERR_OK;
}

/* --- one text --- */

/* KASUMI's feedback mode KGCORE, which UEA1 and the ciphers of GSM share (TS 35.201 3.5, TS 55.216 4):
 * A = CC 32 | CB 5 | CD 1 | 00 | CA 8 | CE 16. A key of 64 bits is taken twice. */
static enum err kgcore(struct radio *r, enum radio_id id, const struct radio_in *in,
		       const uint8_t *src, uint32_t n, uint8_t *dst)
{
	uint8_t ca = id == RADIO_UEA1 ? 0 : id == RADIO_A5_3 || id == RADIO_A5_4 ? 0x0f : 0xff;
	size_t key_n = radio_rows[id].key_bits / 8;
	uint8_t a[8], key[16];
	struct wr w = {.p = a, .cap = sizeof a};
	uint64_t iv;

	wr_be(&w, in->count, 4);
	wr_be(&w, (uint32_t)in->bearer << 3 | (uint32_t)in->dir << 2, 1);
	wr_be(&w, ca, 1);
	wr_be(&w, 0, 2);
	memcpy(&iv, a, sizeof iv);
	memcpy(key, in->key, key_n);
	memcpy(key + sizeof key - key_n, in->key, key_n);
	IMB_KASUMI_INIT_F8_KEY_SCHED(r->mb, key, &r->kasumi);
	IMB_KASUMI_F8_1_BUFFER(r->mb, &r->kasumi, iv, src, dst, n);
	secret_wipe(key, sizeof key);
	return done(r);
}

static enum err snow_f8(struct radio *r, enum radio_id id, const struct radio_in *in,
			const uint8_t *src, uint32_t n, uint8_t *dst)
{
	(void)id;
	snow3g_f8_iv_gen(in->count, in->bearer, in->dir, r->iv[0]);
	IMB_SNOW3G_INIT_KEY_SCHED(r->mb, in->key, &r->snow[0]);
	IMB_SNOW3G_F8_1_BUFFER(r->mb, &r->snow[0], r->iv[0], src, dst, n);
	return done(r);
}

static enum err zuc(struct radio *r, enum radio_id id, const struct radio_in *in,
		    const uint8_t *src, uint32_t n, uint8_t *dst)
{
	(void)id;
	zuc_eea3_iv_gen(in->count, in->bearer, in->dir, r->iv[0]);
	IMB_ZUC_EEA3_1_BUFFER(r->mb, in->key, r->iv[0], src, dst, n);
	return done(r);
}

/* COUNT | BEARER | DIRECTION | zeros: the first 8 octets of EEA2's counter, and what EIA2 puts before
 * the message. */
static void prefix(uint8_t to[PREFIX], const struct radio_in *in)
{
	struct wr w = {.p = to, .cap = PREFIX};

	wr_be(&w, in->count, 4);
	wr_be(&w, (uint32_t)in->bearer << 3 | (uint32_t)in->dir << 2, 1);
	wr_be(&w, 0, 3);
}

static enum err run(struct radio *r, const IMB_JOB *job)
{
	IMB_JOB *to = IMB_GET_NEXT_JOB(r->mb), *out;

	*to = *job;
	out = IMB_SUBMIT_JOB(r->mb);
	out = out ? out : IMB_FLUSH_JOB(r->mb);
	return out && out->status == IMB_STATUS_COMPLETED ? ERR_OK : ERR_VALUE;
}

static enum err aes_ctr(struct radio *r, enum radio_id id, const struct radio_in *in,
			const uint8_t *src, uint32_t n, uint8_t *dst)
{
	IMB_JOB job = {.enc_keys = r->round,
		       .dec_keys = r->unused,
		       .key_len_in_bytes = IMB_KEY_128_BYTES,
		       .src = src,
		       .dst = dst,
		       .msg_len_to_cipher_in_bytes = n,
		       .iv = r->iv[0],
		       .iv_len_in_bytes = IV,
		       .cipher_mode = IMB_CIPHER_CNTR,
		       .cipher_direction = IMB_DIR_ENCRYPT,
		       .hash_alg = IMB_AUTH_NULL,
		       .chain_order = IMB_ORDER_CIPHER_HASH};

	(void)id;
	memset(r->iv[0], 0, IV);
	prefix(r->iv[0], in);
	IMB_AES_KEYEXP_128(r->mb, in->key, r->round, r->unused);
	return run(r, &job);
}

static enum err plain(struct radio *r, enum radio_id id, const struct radio_in *in,
		      const uint8_t *src, uint32_t n, uint8_t *dst)
{
	(void)r, (void)id, (void)in;
	memmove(dst, src, n);
	return ERR_OK;
}

static enum err kasumi_f9(struct radio *r, const struct radio_in *in, const uint8_t *text,
			  uint32_t bits, uint8_t mac[4])
{
	uint64_t iv;

	kasumi_f9_iv_gen(in->count, in->fresh, &iv);
	IMB_KASUMI_INIT_F9_KEY_SCHED(r->mb, in->key, &r->kasumi);
	IMB_KASUMI_F9_1_BUFFER_USER(r->mb, &r->kasumi, iv, text, bits, mac, in->dir);
	return done(r);
}

static enum err snow_f9(struct radio *r, const struct radio_in *in, const uint8_t *text,
			uint32_t bits, uint8_t mac[4])
{
	snow3g_f9_iv_gen(in->count, in->fresh, in->dir, r->iv[0]);
	IMB_SNOW3G_INIT_KEY_SCHED(r->mb, in->key, &r->snow[0]);
	IMB_SNOW3G_F9_1_BUFFER(r->mb, &r->snow[0], r->iv[0], text, bits, mac);
	return done(r);
}

/* EIA1 is UIA2 with the bearer in FRESH's place (TS 33.401 B.2.2). */
static enum err snow_eia1(struct radio *r, const struct radio_in *in, const uint8_t *text,
			  uint32_t bits, uint8_t mac[4])
{
	struct radio_in as = *in;

	as.fresh = (uint32_t)in->bearer << 27;
	return snow_f9(r, &as, text, bits, mac);
}

static enum err zuc_eia3(struct radio *r, const struct radio_in *in, const uint8_t *text,
			 uint32_t bits, uint8_t mac[4])
{
	uint32_t tag;

	zuc_eia3_iv_gen(in->count, in->bearer, in->dir, r->iv[0]);
	IMB_ZUC_EIA3_1_BUFFER(r->mb, in->key, r->iv[0], text, bits, &tag);
	memcpy(mac, &tag, sizeof tag);
	return done(r);
}

/* intel-ipsec-mb counts CMAC's bits; OpenSSL's CMAC knows octets only. */
static enum err aes_cmac(struct radio *r, const struct radio_in *in, const uint8_t *text,
			 uint32_t bits, uint8_t mac[4])
{
	uint8_t tag[16];
	IMB_JOB job = {.src = r->text,
		       .hash_start_src_offset_in_bytes = 0,
		       .auth_tag_output = tag,
		       .auth_tag_output_len_in_bytes = 4,
		       .cipher_mode = IMB_CIPHER_NULL,
		       .cipher_direction = IMB_DIR_ENCRYPT,
		       .hash_alg = IMB_AUTH_AES_CMAC_BITLEN,
		       .chain_order = IMB_ORDER_HASH_CIPHER};
	enum err err;

	prefix(r->text, in);
	memcpy(r->text + PREFIX, text, (bits + 7) / 8);
	IMB_AES_KEYEXP_128(r->mb, in->key, r->round, r->unused);
	IMB_AES_CMAC_SUBKEY_GEN_128(r->mb, r->round, r->sub1, r->sub2);
	job.u.CMAC._key_expanded = r->round;
	job.u.CMAC._skey1 = r->sub1;
	job.u.CMAC._skey2 = r->sub2;
	job.msg_len_to_hash_in_bits = PREFIX * 8 + bits;
	err = run(r, &job);
	memcpy(mac, tag, 4);
	secret_wipe(r->text, PREFIX + (bits + 7) / 8);
	return err;
}

static enum err no_mac(struct radio *r, const struct radio_in *in, const uint8_t *text,
		       uint32_t bits, uint8_t mac[4])
{
	(void)r, (void)in, (void)text, (void)bits;
	memset(mac, 0, 4);
	return ERR_OK;
}

static const struct {
	enum err (*cipher)(struct radio *r, enum radio_id id, const struct radio_in *in,
			   const uint8_t *src, uint32_t n, uint8_t *dst);
	enum err (*mac)(struct radio *r, const struct radio_in *in, const uint8_t *text,
			uint32_t bits, uint8_t mac[4]);
	uint32_t bits_max;
	uint8_t count_bits;
} how[RADIO_N] = {
	[RADIO_A5_0] = {plain, NULL, RADIO_BITS_MAX, FRAME_BITS},
	[RADIO_A5_3] = {kgcore, NULL, KASUMI_BITS, FRAME_BITS},
	[RADIO_A5_4] = {kgcore, NULL, KASUMI_BITS, FRAME_BITS},
	[RADIO_GEA0] = {plain, NULL, RADIO_BITS_MAX, 32},
	[RADIO_GEA3] = {kgcore, NULL, KASUMI_BITS, 32},
	[RADIO_GEA4] = {kgcore, NULL, KASUMI_BITS, 32},
	[RADIO_UEA0] = {plain, NULL, RADIO_BITS_MAX, 32},
	[RADIO_UEA1] = {kgcore, NULL, KASUMI_BITS, 32},
	[RADIO_UEA2] = {snow_f8, NULL, RADIO_BITS_MAX, 32},
	[RADIO_UIA1] = {NULL, kasumi_f9, KASUMI_BITS, 32},
	[RADIO_UIA2] = {NULL, snow_f9, RADIO_BITS_MAX, 32},
	[RADIO_EEA0] = {plain, NULL, RADIO_BITS_MAX, 32},
	[RADIO_EEA1] = {snow_f8, NULL, RADIO_BITS_MAX, 32},
	[RADIO_EEA2] = {aes_ctr, NULL, RADIO_BITS_MAX, 32},
	[RADIO_EEA3] = {zuc, NULL, RADIO_BITS_MAX, 32},
	[RADIO_EIA0] = {NULL, no_mac, RADIO_BITS_MAX, 32},
	[RADIO_EIA1] = {NULL, snow_eia1, RADIO_BITS_MAX, 32},
	[RADIO_EIA2] = {NULL, aes_cmac, CMAC_BITS, 32},
	[RADIO_EIA3] = {NULL, zuc_eia3, RADIO_BITS_MAX, 32},
};

static enum err fits(enum radio_id id, const struct radio_in *in, size_t bits)
{
	if (in->bearer > 31 || in->dir > 1 || (uint64_t)in->count >> how[id].count_bits)
		return ERR_VALUE;
	return bits > how[id].bits_max ? ERR_LENGTH : ERR_OK;
}

enum err radio_cipher(struct radio *r, enum radio_id id, const struct radio_in *in,
		      const uint8_t *src, size_t bits, uint8_t *dst)
{
	size_t n = (bits + 7) / 8;
	enum err err;

	if (id >= RADIO_N || !how[id].cipher)
		return ERR_UNKNOWN;
	err = fits(id, in, bits);
	if (err || bits == 0)
		return err;
	err = how[id].cipher(r, id, in, src, (uint32_t)n, dst);
	if (bits % 8)
		dst[n - 1] &= (uint8_t)(0xff << (8 - bits % 8));
	forget(r);
	return err;
}

enum err radio_mac(struct radio *r, enum radio_id id, const struct radio_in *in,
		   const uint8_t *text, size_t bits, uint8_t mac[4])
{
	enum err err;

	if (id >= RADIO_N || !how[id].mac)
		return ERR_UNKNOWN;
	err = bits == 0 ? ERR_LENGTH : fits(id, in, bits);
	err = err ? err : how[id].mac(r, in, text, (uint32_t)bits, mac);
	forget(r);
	return err;
}

/* --- many --- */

/* Up to LANES texts of SNOW 3G or ZUC, side by side in the processor's wide registers. */
static enum err lanes(struct radio *r, enum radio_id id, const struct radio_job *job, uint32_t n)
{
	const void *src[LANES], *key[LANES], *iv[LANES];
	void *dst[LANES], *tag[LANES];
	uint32_t octets[LANES], bits[LANES];
	const snow3g_key_schedule_t *snow[LANES];

	for (uint32_t i = 0; i < n; i++) {
		const struct radio_in *in = &job[i].in;

		src[i] = job[i].src;
		dst[i] = tag[i] = job[i].dst;
		key[i] = in->key;
		iv[i] = r->iv[i];
		octets[i] = job[i].octets;
		bits[i] = 8 * job[i].octets;
		snow[i] = &r->snow[i];
		if (id == RADIO_EIA3)
			zuc_eia3_iv_gen(in->count, in->bearer, in->dir, r->iv[i]);
		else if (id == RADIO_EEA3)
			zuc_eea3_iv_gen(in->count, in->bearer, in->dir, r->iv[i]);
		else
			snow3g_f8_iv_gen(in->count, in->bearer, in->dir, r->iv[i]);
		if (id != RADIO_EIA3 && id != RADIO_EEA3)
			IMB_SNOW3G_INIT_KEY_SCHED(r->mb, in->key, &r->snow[i]);
	}
	if (id == RADIO_EIA3)
		IMB_ZUC_EIA3_N_BUFFER(r->mb, key, iv, src, bits, (uint32_t **)tag, n);
	else if (id == RADIO_EEA3)
		IMB_ZUC_EEA3_N_BUFFER(r->mb, key, iv, src, dst, octets, n);
	else
		IMB_SNOW3G_F8_N_BUFFER_MULTIKEY(r->mb, snow, iv, src, dst, octets, n);
	return done(r);
}

static bool side_by_side(enum radio_id id)
{
	return id == RADIO_UEA2 || id == RADIO_EEA1 || id == RADIO_EEA3 || id == RADIO_EIA3;
}

static enum err many(struct radio *r, enum radio_id id, const struct radio_job *job, size_t n)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < n && !err; i++) {
		err = job[i].octets == 0 ? ERR_LENGTH
					 : fits(id, &job[i].in, (size_t)8 * job[i].octets);
	}
	for (size_t i = 0; i < n && !err; i += LANES)
		err = lanes(r, id, job + i, (uint32_t)(n - i < LANES ? n - i : LANES));
	forget(r);
	return err;
}

enum err radio_cipher_many(struct radio *r, enum radio_id id, const struct radio_job *job, size_t n)
{
	enum err err = id < RADIO_N && how[id].cipher ? ERR_OK : ERR_UNKNOWN;

	if (!err && side_by_side(id))
		return many(r, id, job, n);
	for (size_t i = 0; i < n && !err; i++)
		err = radio_cipher(r, id, &job[i].in, job[i].src, (size_t)8 * job[i].octets,
				   job[i].dst);
	return err;
}

enum err radio_mac_many(struct radio *r, enum radio_id id, const struct radio_job *job, size_t n)
{
	enum err err = id < RADIO_N && how[id].mac ? ERR_OK : ERR_UNKNOWN;

	if (!err && side_by_side(id))
		return many(r, id, job, n);
	for (size_t i = 0; i < n && !err; i++)
		err = radio_mac(r, id, &job[i].in, job[i].src, (size_t)8 * job[i].octets,
				job[i].dst);
	return err;
}
