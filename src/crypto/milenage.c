/* MILENAGE (TS 35.206 §4.1): a new key, one block, then five that do not depend on each other. That is why
 * neither EVP, whose contexts are made for long texts under one key, nor a library's call for each block
 * will do: all of it is some 150 instructions. AES itself is the processor's, in constant time. */
#include "crypto/milenage.h"

#include <immintrin.h>

#define ROUNDS 10
#define BY_INSTRUCTION __attribute__((target("aes,ssse3,sse4.1")))

/* Rotations by whole words of 32 bits to the left (r1..r5 = 64, 0, 32, 64, 96 bits). */
#define BY_32 _MM_SHUFFLE(0, 3, 2, 1)
#define BY_64 _MM_SHUFFLE(1, 0, 3, 2)
#define BY_96 _MM_SHUFFLE(2, 1, 0, 3)

struct schedule {
	__m128i key[ROUNDS + 1];
};

/* From here on the round keys are read from where they will be wiped: the compiler keeps no copy. */
static inline void settle(void)
{
	__asm__ volatile("" : : : "memory");
}

bool milenage_able(void)
{
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("ssse3") &&
	       __builtin_cpu_supports("sse4.1");
}

BY_INSTRUCTION static inline __m128i get(const uint8_t b[16])
{
	return _mm_loadu_si128((const __m128i *)(const void *)b);
}

BY_INSTRUCTION static inline void put(uint8_t b[16], __m128i x)
{
	_mm_storeu_si128((__m128i *)(void *)b, x);
}
/* FIPS 197 §5.2. The last word, rotated and set into all four columns, goes through SubBytes in an
 * AESENCLAST, whose ShiftRows then changes nothing, and whose round key is Rcon. */
BY_INSTRUCTION static inline void expand(struct schedule *s, const uint8_t k[16])
{
	static const uint8_t rcon[ROUNDS] = { 1, 2, 4, 8, 16, 32, 64, 128, 0x1b, 0x36 };
	const __m128i last = _mm_set1_epi32(0x0c0f0e0d);
	__m128i x = get(k);

	s->key[0] = x;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		__m128i sub = _mm_shuffle_epi8(x, last);

		sub = _mm_aesenclast_si128(sub, _mm_set1_epi32(rcon[i]));
		x = _mm_xor_si128(x, _mm_slli_si128(x, 4));
		x = _mm_xor_si128(x, _mm_slli_si128(x, 8));
		x = _mm_xor_si128(x, sub);
		s->key[i + 1] = x;
	}
	settle();
}

BY_INSTRUCTION static inline __m128i encrypt(const struct schedule *s, __m128i x)
{
	x = _mm_xor_si128(x, s->key[0]);
	for (unsigned int r = 1; r < ROUNDS; r++)
		x = _mm_aesenc_si128(x, s->key[r]);
	return _mm_aesenclast_si128(x, s->key[ROUNDS]);
}

#define EACH(b, function, with)                                                                    \
	do {                                                                                       \
		b##1 = function(b##1, with);                                                       \
		b##2 = function(b##2, with);                                                       \
		b##3 = function(b##3, with);                                                       \
		b##4 = function(b##4, with);                                                       \
		b##5 = function(b##5, with);                                                       \
	} while (0)

static inline uint64_t first(__m128i x)
{
	return (uint64_t)_mm_cvtsi128_si64(x);
}

BY_INSTRUCTION static inline uint64_t second(__m128i x)
{
	return (uint64_t)_mm_extract_epi64(x, 1);
}

static inline void put_8(uint8_t to[8], uint64_t x)
{
	memcpy(to, &x, 8);
}

static inline void put_6(uint8_t to[6], uint64_t x)
{
	memcpy(to, &x, 6);
}

/* OUT1..OUT5 of TEMP = E(RAND xor OPc), side by side. */
BY_INSTRUCTION static inline void outputs(const struct schedule *s, __m128i temp, __m128i opc,
					  __m128i in1, struct aka_f *f)
{
	const __m128i x = _mm_xor_si128(temp, opc);
	__m128i b1 = _mm_xor_si128(temp, _mm_shuffle_epi32(_mm_xor_si128(in1, opc), BY_64));
	__m128i b2 = _mm_xor_si128(x, _mm_set_epi32(0x01000000, 0, 0, 0)); /* c2 */
	__m128i b3 = _mm_xor_si128(_mm_shuffle_epi32(x, BY_32), _mm_set_epi32(0x02000000, 0, 0, 0));
	__m128i b4 = _mm_xor_si128(_mm_shuffle_epi32(x, BY_64), _mm_set_epi32(0x04000000, 0, 0, 0));
	__m128i b5 = _mm_xor_si128(_mm_shuffle_epi32(x, BY_96), _mm_set_epi32(0x08000000, 0, 0, 0));

	EACH(b, _mm_xor_si128, s->key[0]);
	for (unsigned int r = 1; r < ROUNDS; r++)
		EACH(b, _mm_aesenc_si128, s->key[r]);
	EACH(b, _mm_aesenclast_si128, s->key[ROUNDS]);
	EACH(b, _mm_xor_si128, opc);
	put_8(f->mac_a, first(b1));
	put_8(f->mac_s, second(b1));
	put_6(f->ak, first(b2));
	put_8(f->res, second(b2));
	put(f->ck.b, b3);
	put(f->ik.b, b4);
	put_6(f->ak_s, first(b5));
}

/* SQN | AMF | SQN | AMF */
BY_INSTRUCTION static inline __m128i in1_of(uint64_t sqn, const uint8_t amf[2])
{
	uint64_t half = sqn << 16 | (uint64_t)amf[0] << 8 | amf[1];

	return _mm_set1_epi64x((long long)__builtin_bswap64(half));
}

BY_INSTRUCTION void milenage_all(const struct aka_key *key, const uint8_t rand[16], uint64_t sqn,
				 struct aka_f *f)
{
	__m128i opc = get(key->opc.b), temp;
	struct schedule s;

	expand(&s, key->k.b);
	temp = encrypt(&s, _mm_xor_si128(get(rand), opc));
	outputs(&s, temp, opc, in1_of(sqn, key->amf), f);
	secret_wipe(&s, sizeof s);
}

BY_INSTRUCTION void milenage_opc(const uint8_t k[16], const uint8_t op[16], uint8_t opc[16])
{
	__m128i x = get(op);
	struct schedule s;

	expand(&s, k);
	put(opc, _mm_xor_si128(x, encrypt(&s, x)));
	secret_wipe(&s, sizeof s);
}
