#include "crypto/crypto.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sodium.h>
#include <sys/mman.h>

void secret_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

bool secret_eq(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

enum err random_bytes(void *p, size_t n)
{
	uint8_t *to = p;

	while (n > 0) {
		size_t part = n < 1 << 20 ? n : 1 << 20;

		if (RAND_bytes(to, (int)part) != 1)
			return ERR_IO;
		to += part;
		n -= part;
	}
	return ERR_OK;
}

void *secret_new(size_t n)
{
	void *p;

	if (sodium_init() < 0)
		return NULL;
	p = sodium_malloc(n);
	if (p)
		memset(p, 0, n);
	return p;
}

bool secret_locked(const void *p, size_t n)
{
	return mlock(p, n) == 0; /* once more costs nothing, and tells */
}

void secret_free(void *p)
{
	sodium_free(p);
}
