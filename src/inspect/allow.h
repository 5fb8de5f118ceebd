/* What a SIM may send and receive, by its service profile (R-5.1.d): where to, at what rate, how much a day.
 * Judges the inner packet; changes nothing but its own bounded memory, which belongs to one thread. */
#pragma once
#include "base/hash.h"
#include "inspect/drop.h"
#include "inspect/packet.h"
#include "inspect/session.h"
#include "judge/book.h"

#define ALLOW_POOLS 16

struct allow_prefix {
	uint8_t address[ADDRESS_BYTES];
	uint8_t bits; /* among 128 */
};

struct allow_conf {
	uint32_t sims, names;  /* room: SIMs seen lately, addresses that names stand for; 128, 40 octets */
	bool private_names;    /* names may stand for private addresses */
	struct allow_prefix pool[ALLOW_POOLS]; /* addresses of devices, beside those of known sessions */
	size_t pool_n;
	uint8_t key[HASH_KEY];
};

struct allow;
struct allow *allow_new(const struct allow_conf *conf); /* NULL: out of memory */
void allow_free(struct allow *a);
/* A batch begins: `book` and the rows it gave are those of now. */
void allow_batch(struct allow *a, const struct book *book, struct sessions *sessions, uint64_t now_ms,
		 uint64_t wall_s);

/* May this packet of the session pass? `octets`: what counts for rate and volume. DROP_NOT: yes. An answer of
 * DNS that passes teaches what the names of the profile stand for, for this SIM. */
enum drop allow_check(struct allow *a, const struct session_hit *hit, const struct packet *p, size_t octets);

/* Bring near what is remembered of the SIM of this session (struct session.id). */
void allow_ahead(const struct allow *a, uint32_t session);

/* Hold a SIM until then (seconds since 1970): nothing of it passes. 0: no more. */
void allow_hold(struct allow *a, uint64_t imsi, uint32_t until_s);
