#include "portal/selfsign.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAYS 397
#define RENEW_S (30L * 86400)

static X509 *read_cert(const char *path)
{
	FILE *f = fopen(path, "re");
	X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;

	if (f)
		fclose(f);
	return x;
}

bool fingerprint(const char *path, char to[FINGERPRINT_TEXT])
{
	X509 *x = read_cert(path);
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	bool done = x && X509_digest(x, EVP_sha256(), hash, &n) == 1 && n == 32;

	for (unsigned int i = 0; done && i < n; i++)
		snprintf(to + 3 * i, FINGERPRINT_TEXT - 3 * i, "%02X%s", hash[i], i + 1 < n ? ":" : "");
	X509_free(x);
	return done;
}

static bool still_good(const char *chain, const char *key)
{
	X509 *x = read_cert(chain);
	time_t soon = time(NULL) + RENEW_S;
	bool good = x && access(key, R_OK) == 0 && X509_cmp_time(X509_get0_notAfter(x), &soon) > 0;

	X509_free(x);
	return good;
}

static bool extend(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	bool done;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	done = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return done;
}

/* "DNS:a,IP:127.0.0.1": names of hosts are letters, digits, dots and dashes alone. */
static void alternatives(const char *names, char to[2048])
{
	size_t n = (size_t)snprintf(to, 2048, "DNS:localhost,IP:127.0.0.1,IP:::1");

	while (*names && n < 1800) {
		size_t len = strcspn(names, " ,;");

		if (len > 0 && len < 254 &&
		    strspn(names, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") >=
			len)
			n += (size_t)snprintf(to + n, 2048 - n, ",DNS:%.*s", (int)len, names);
		names += len + (names[len] != 0);
	}
}

static X509 *make(EVP_PKEY *key, const char *names)
{
	X509 *x = X509_new();
	unsigned char serial[16];
	char san[2048];
	BIGNUM *bn;
	bool done;

	alternatives(names, san);
	done = x && RAND_bytes(serial, sizeof serial) == 1;
	serial[0] &= 0x7f;
	bn = done ? BN_bin2bn(serial, sizeof serial, NULL) : NULL;
	done = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x)) && X509_set_version(x, 2) == 1 &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -300) &&
	       X509_gmtime_adj(X509_getm_notAfter(x), DAYS * 86400L) && X509_set_pubkey(x, key) == 1 &&
	       X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
					  (const unsigned char *)"Merlon portal", -1, -1, 0) == 1 &&
	       X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 &&
	       extend(x, NID_subject_alt_name, san) &&
	       extend(x, NID_basic_constraints, "critical,CA:FALSE") &&
	       extend(x, NID_key_usage, "critical,digitalSignature") &&
	       extend(x, NID_ext_key_usage, "serverAuth") && X509_sign(x, key, EVP_sha256()) > 0;
	BN_free(bn);
	if (done)
		return x;
	X509_free(x);
	return NULL;
}

static bool write_pem(const char *path, X509 *x, EVP_PKEY *key)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	bool done = f && (x ? PEM_write_X509(f, x)
			    : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL)) == 1;

	if (f)
		done = fclose(f) == 0 && done;
	else if (fd >= 0)
		close(fd);
	return done;
}

enum err selfsign(const char *dir, const char *names, char why[256])
{
	char chain[4200], key_path[4200];
	EVP_PKEY *key;
	X509 *x;
	bool done;

	snprintf(chain, sizeof chain, "%s/tls.chain", dir);
	snprintf(key_path, sizeof key_path, "%s/tls.key", dir);
	if (still_good(chain, key_path))
		return ERR_OK;
	key = EVP_EC_gen("P-256");
	x = key ? make(key, names) : NULL;
	done = x && write_pem(key_path, NULL, key) && write_pem(chain, x, NULL);
	X509_free(x);
	EVP_PKEY_free(key);
	if (done)
		return ERR_OK;
	snprintf(why, 256, "%.180s: a certificate of our own cannot be made: %s", chain,
		 strerror(errno));
	return ERR_IO;
}
