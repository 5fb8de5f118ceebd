/* What the edge remembers of a SIM: a fixed-size, lossy table by IMSI, shared by workers, learned from
 * successful answers only (design.md, 'What the edge remembers'). Unknown is not bad. */
#pragma once
#include "base/hash.h"
#include "judge/rate.h"

enum sighting_flag {
	SEEN_ATTACHING = 1, /* vectors were given; the update that follows belongs to the same attach */
	SEEN_ROAMER = 2,    /* another network's subscriber, registered at a node of ours */
};

/* One SIM: a cache line. PLMNs are the upper half of a bcd.h number; times are seconds since 1970. */
struct sighting {
	uint64_t imsi, imei;
	uint32_t host,
	    host_sgsn; /* keyed hashes of the serving MME and SGSN, and below VLR; 0 = not known */
	uint32_t plmn, seen_s;     /* the network of the last update, and the last sign of life there */
	uint32_t auth_plmn, auth_s; /* the network that last got vectors */
	uint32_t steer_plmn[2], steer_s; /* networks it was steered away from; since when */
	uint8_t steer_n[2], steer_all, flags; /* attempts there, and in all */
	uint32_t touched_s;        /* the oldest makes room */
	uint32_t host_vlr;
};

struct sightings;

/* Room for about `entries` SIMs; NULL without memory. The key is copied. */
struct sightings *sightings_new(size_t entries, const uint8_t key[HASH_KEY]);
void sightings_free(struct sightings *s);

/* Copy the sighting of an IMSI; false if there is none. Never torn, never blocks: what is just being
 * written counts as unknown after a few tries. */
bool sightings_find(const struct sightings *s, uint64_t imsi, struct sighting *out);

/* Bring the place of an IMSI near, for a find that follows soon. */
void sightings_fetch(const struct sightings *s, uint64_t imsi);

/* Change the sighting of an IMSI, made of zeros if there is none yet. `edit` sees it alone. False, and
 * nothing learned, when another worker holds the place. */
bool sightings_edit(struct sightings *s, uint64_t imsi, uint64_t now_ms,
		    void (*edit)(struct sighting *, const void *), const void *ctx);

/* A host name in 32 keyed bits, in any case of letters; never 0. 0 for an empty name. */
uint32_t sightings_host(const struct sightings *s, struct view host);

/* The upper half of a PLMN. */
uint32_t sightings_plmn(uint64_t plmn);

/* Bytes a snapshot needs at most; write one; take one in again. ERR_CORRUPT leaves the table as it was:
 * the snapshot is authenticated with the table's key. Workers may go on meanwhile. */
size_t sightings_size(const struct sightings *s);
enum err MUST_USE sightings_save(const struct sightings *s, struct wr *w);
enum err MUST_USE sightings_load(struct sightings *s, struct view snapshot);

/* The partners' token buckets, which live as long as the sightings. */
struct rates *sightings_rates(struct sightings *s);
