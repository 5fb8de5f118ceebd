/* A keyed hash (SipHash-2-4, by libsodium): pseudonyms, calendars, tables under attack. */
#pragma once
#include "base/bytes.h"

#define HASH_KEY 16

/* Of any bytes, under a 16-byte key. */
uint64_t hash_view(const uint8_t key[HASH_KEY], struct view v);

/* Of one or two numbers, under the same key. */
uint64_t hash_u64(const uint8_t key[HASH_KEY], uint64_t a, uint64_t b);
