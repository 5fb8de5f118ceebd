/* Open TCAP dialogues as a relay sees them pass: a fixed table, lossy, the oldest makes room. Pure. */
#pragma once
#include "base/hash.h"
#include "judge/facts.h"

#define DIALOGUE_MS 600000 /* older than that it is over, whoever forgot to say so */

/* Who began, in which context, about whom; and the request whose answer teaches the judge something. */
struct map_dialogue {
	uint64_t key[2];         /* of the one who began, and of the other once he is known */
	uint64_t imsi, msisdn, imei, origin, visited_plmn, peer_plmn;
	uint64_t began_ms;
	uint8_t context, version; /* 0: none was said */
	uint8_t op, direction, serves, rat, invoke, code;
	uint8_t partition;
	bool outside;            /* it was begun from outside */
	bool asked;              /* the request of the beginning was passed, and not answered yet */
};

struct map_dialogues;

/* Room for about `n`. NULL: out of memory. Copies the key. */
struct map_dialogues *map_dialogues_new(size_t n, const uint8_t key[HASH_KEY]);
void map_dialogues_free(struct map_dialogues *d);

/* The key of a transaction identifier at an address, which is any number that tells nodes apart. */
uint64_t map_dialogue_key(const struct map_dialogues *d, struct view tid, uint64_t address);

/* A new one, zeroed but for its first key and time; what had that key is forgotten. */
struct map_dialogue *map_dialogue_begin(struct map_dialogues *d, uint64_t key, uint64_t now_ms);

/* The dialogue of either key, or NULL. */
struct map_dialogue *map_dialogue_find(struct map_dialogues *d, uint64_t key, uint64_t now_ms);

/* The other side has answered: it is found by his key too from now on. */
void map_dialogue_join(struct map_dialogues *d, struct map_dialogue *x, uint64_t key);
/* Each dialogue of the next part of the table, of 64 parts, that is open. */
void map_dialogue_sweep(struct map_dialogues *d, void (*each)(void *ctx, struct map_dialogue *x), void *ctx);
void map_dialogue_end(struct map_dialogues *d, struct map_dialogue *x);
