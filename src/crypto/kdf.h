/* Keys made of CK and IK for access that is not 3GPP's: EAP-AKA' (RFC 9048, TS 33.402), EAP-AKA (RFC 4187)
 * and EAP-SIM (RFC 4186). KASME is in aka.h. All: ERR_IO when the library fails, ERR_LENGTH for
 * a name or identity that is too long; the caller wipes what comes out. */
#pragma once
#include "crypto/crypto.h"

/* CK' and IK' (TS 33.402 A.2, FC 0x20) for the access network's name, as AT_KDF_INPUT has it. `autn`:
 * SQN xor AK, as AUTN begins. An HSS that serves SWx does this, and nobody after it: twice
 * is wrong. */
enum err MUST_USE kdf_prime(const struct secret16 *ck, const struct secret16 *ik,
			    struct view network, const uint8_t autn[6], struct secret16 *ck_prime,
			    struct secret16 *ik_prime);

/* What an EAP method hands on and keeps (RFC 9048 3.3, RFC 4187 7). K_re is of EAP-AKA' alone; K_aut has
 * 32 octets there, 16 else. */
struct kdf_eap {
	uint8_t k_encr[16], k_aut[32], k_re[32], msk[64], emsk[64];
};
#define KDF_NAME_MAX 253 /* of an identity: an NAI (RFC 7542 2.2), or a network */
enum err MUST_USE kdf_eap_prime(const struct secret16 *ck_prime, const struct secret16 *ik_prime,
				struct view identity, struct kdf_eap *out);

/* SHA-1 of the parts, one after the other: the MK of EAP-AKA is of Identity, IK, CK; that of EAP-SIM
 * of Identity, the Kc's, NONCE_MT, the version list and the version; XKEY' of a fast
 * re-authentication is of Identity, counter (2 octets), NONCE_S, MK. */
#define KDF_MK 20
enum err MUST_USE kdf_mk(const struct view *part, size_t n, uint8_t mk[KDF_MK]);

/* The keys of EAP-AKA and EAP-SIM from MK (RFC 4187 7, RFC 4186 7), by the generator of FIPS 186-2, change
 * notice 1. */
enum err MUST_USE kdf_eap_mk(const uint8_t mk[KDF_MK], struct kdf_eap *out);
/* MSK and EMSK of a fast re-authentication, from XKEY'; the rest of `out` stays. */
enum err MUST_USE kdf_eap_again(const uint8_t xkey[KDF_MK], struct kdf_eap *out);
