/* The start of every cryptographic thing: AKA (aka.h), SQN (sqn.h), vault sealing (seal.h). Wraps
 * OpenSSL and libsodium. Secrets live in struct secret: wiped by secret_wipe, compared in constant
 * time, and unknown to the logger (it has no field kind for them). */
#pragma once
#include "base/bytes.h"

struct secret16 {
	uint8_t b[16];
};
struct secret32 {
	uint8_t b[32];
};

void secret_wipe(void *p, size_t n);
bool secret_eq(const void *a, const void *b, size_t n);
enum err MUST_USE random_bytes(void *p, size_t n);

/* Zeroed room for keys that live long: locked where the limits allow, and left out of a core dump
 * (R-2.b). NULL: out of memory. */
void *secret_new(size_t n);
void secret_free(void *p); /* wipes */
/* Is it locked, so that it is never swapped? Else errno says why not. */
bool secret_locked(const void *p, size_t n);
