/* The key columns of one line made into a key for the vault. Pure. */
#pragma once
#include "cli/csv.h"
#include "crypto/aka.h"

/* `c->alg` is milenage (or empty), tuak, or with `c->test` yes xor or comp128-3; op becomes OPc, or TOP
 * TOPc, and is not kept. `c->tuak`, of a TUAK key alone: RES in bits and Keccak iterations, "64:1" when
 * empty. NULL, or why not; the
 * caller wipes `key` either way. */
const char *csv_key(struct aka *aka, const struct csv_keys *c, struct aka_key *key);
