/* What tls.chain, tls.key, tls.ca and tls.crl name, read and checked. */
#include "loop/tls_load.h"

#include "loop/inside.h"
#include "loop/sign.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct file {
	const char *what;
	const struct tls_pem *pem;
	char *why;
};

static bool bad(const struct file *f, const char *reason)
{
	char line[512];

	snprintf(line, sizeof line, "tls.%s %s: %s", f->what, f->pem->path ? f->pem->path : "(none)", reason);
	view_text(view_first(view_of(line), 255), f->why, 256);
	return false;
}

/* What OpenSSL said: "ee key too small" and its like. */
static bool bad_content(const struct file *f, const char *otherwise)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(e);

	return bad(f, ERR_GET_LIB(e) == ERR_LIB_SSL && !ERR_COMMON_ERROR(e) && reason ? reason : otherwise);
}

static bool bad_time(const struct file *f, const char *what, const ASN1_TIME *t)
{
	struct tm tm = { 0 };
	char text[96], at[32];

	ASN1_TIME_to_tm(t, &tm);
	strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(text, sizeof text, "%s %s", what, at);
	return bad(f, text);
}

static bool bad_file(const struct file *f, int error)
{
	char text[128];

	snprintf(text, sizeof text, "%s", error ? error_text(error) : "longer than 16 MiB");
	text[0] = (char)tolower((unsigned char)text[0]);
	return bad(f, text);
}

/* In a signer that is memory which is never swapped; and realloc would leave a copy of a key behind. */
static bool more_room(uint8_t **p, size_t n, size_t *cap)
{
	uint8_t *more = OPENSSL_secure_malloc(*cap * 2);

	if (!more)
		return false;
	memcpy(more, *p, n);
	OPENSSL_secure_clear_free(*p, *cap);
	*p = more;
	*cap *= 2;
	return true;
}

/* 0, errno, or -1: too long. */
static int read_fd(int fd, struct view *to)
{
	size_t cap = 4096, n = 0;
	uint8_t *p = OPENSSL_secure_malloc(cap);
	ssize_t got = -1;

	while (p && n < TLS_PEM_MAX && (n < cap || more_room(&p, n, &cap))) {
		got = read(fd, p + n, cap - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	if (p && got == 0) {
		*to = (struct view){ p, n };
		return 0;
	}
	OPENSSL_secure_clear_free(p, cap);
	return got > 0 ? -1 : errno;
}

enum err tls_read_fd(const char *what, const char *path, int fd, struct tls_pem *to, char why[256])
{
	struct file about = { what, to, why };
	int error;

	to->path = path;
	error = fd < 0 ? errno : read_fd(fd, &to->text);
	if (path && error == 0)
		return ERR_OK;
	if (!path)
		bad(&about, "not configured");
	else
		bad_file(&about, error < 0 ? 0 : error);
	return ERR_CONFIG;
}

enum err tls_read_file(const char *what, const char *path, struct tls_pem *to, char why[256])
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	enum err err = tls_read_fd(what, path, fd, to, why);

	if (fd >= 0)
		close(fd);
	return err;
}

void tls_forget(struct tls_pem *p)
{
	OPENSSL_secure_clear_free((void *)(uintptr_t)p->text.p, p->text.n);
	p->text = (struct view){ 0 };
}

static BIO *bio_of(const struct tls_pem *p)
{
	return BIO_new_mem_buf(p->text.p, (int)p->text.n);
}

static int no_password(char *buf, int size, int writing, void *user)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)user;
	return -1; /* nobody is there to be asked */
}

/* --- our own ------------------------------------------------------------------------------------ */

static bool valid_today(const struct file *f, const X509 *x)
{
	if (X509_cmp_current_time(X509_get0_notAfter(x)) <= 0)
		return bad_time(f, "expired since", X509_get0_notAfter(x));
	if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
		return bad_time(f, "not valid before", X509_get0_notBefore(x));
	return true;
}

static EVP_PKEY *read_key(const struct tls_pem *pem)
{
	BIO *in = bio_of(pem);
	EVP_PKEY *k = PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);

	BIO_free(in);
	return k;
}

static struct view spki_of(const X509 *x)
{
	struct view v = { NULL, 0 };
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

	if (n > 0)
		v = (struct view){ der, (size_t)n };
	return v;
}

EVP_PKEY *tls_private_key(const struct tls_pem *chain, const struct tls_pem *key, uint8_t id[8],
			  char why[256])
{
	struct file about = { "chain", chain, why }, about_key = { "key", key, why };
	BIO *in = bio_of(chain);
	X509 *own = PEM_read_bio_X509_AUX(in, NULL, no_password, NULL);
	EVP_PKEY *k = NULL;
	struct view spki;

	BIO_free(in);
	if (!own) {
		bad(&about, "no certificate in PEM form");
	} else if (valid_today(&about, own)) {
		k = read_key(key);
		if (!k)
			bad(&about_key, "no unencrypted private key in PEM form");
	}
	if (k && X509_check_private_key(own, k) != 1) {
		bad(&about_key, "does not match the certificate");
		EVP_PKEY_free(k);
		k = NULL;
	}
	if (k) {
		spki = spki_of(own);
		sign_key_id(spki, id);
		OPENSSL_free((void *)(uintptr_t)spki.p);
	}
	X509_free(own);
	ERR_clear_error();
	return k;
}

static bool load_chain(SSL_CTX *ctx, const struct tls_pem *pem)
{
	BIO *in = bio_of(pem);
	X509 *x = PEM_read_bio_X509_AUX(in, NULL, no_password, NULL);
	bool ok = x && SSL_CTX_use_certificate(ctx, x) == 1;

	X509_free(x);
	while (ok && (x = PEM_read_bio_X509(in, NULL, no_password, NULL))) {
		ok = SSL_CTX_add0_chain_cert(ctx, x) == 1;
		if (!ok)
			X509_free(x);
	}
	BIO_free(in);
	if (ok)
		ERR_clear_error(); /* "no start line": the end */
	return ok;
}

static bool load_signed_elsewhere(SSL_CTX *ctx, struct sign_line *signer, const struct file *chain)
{
	struct view spki = spki_of(SSL_CTX_get0_certificate(ctx));
	EVP_PKEY *k = sign_key(spki, signer);
	bool ok = k && SSL_CTX_use_PrivateKey(ctx, k) == 1;

	EVP_PKEY_free(k);
	OPENSSL_free((void *)(uintptr_t)spki.p);
	return ok || bad_content(chain, "its key is not RSA, RSA-PSS, ECDSA or Ed25519");
}

static bool load_own(SSL_CTX *ctx, const struct tls_pems *p, struct sign_line *signer, char why[256])
{
	struct file chain = { "chain", &p->chain, why }, key = { "key", &p->key, why };
	EVP_PKEY *k;
	bool ok;

	if (!load_chain(ctx, &p->chain))
		return bad_content(&chain, "no certificate in PEM form");
	if (!valid_today(&chain, SSL_CTX_get0_certificate(ctx)))
		return false;
	ERR_clear_error();
	if (signer)
		return load_signed_elsewhere(ctx, signer, &chain);
	k = read_key(&p->key);
	ok = k && SSL_CTX_use_PrivateKey(ctx, k) == 1 && SSL_CTX_check_private_key(ctx) == 1;
	EVP_PKEY_free(k);
	if (ok)
		return true;
	if (ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509)
		return bad(&key, "does not match the certificate");
	return bad_content(&key, "no unencrypted private key in PEM form");
}

/* --- whom we trust ------------------------------------------------------------------------------ */

static size_t load_cas(SSL_CTX *ctx, const struct tls_pem *pem)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	BIO *in = bio_of(pem);
	size_t n = 0;
	X509 *x;

	while ((x = PEM_read_bio_X509_AUX(in, NULL, no_password, NULL))) {
		n += X509_STORE_add_cert(store, x) == 1 && SSL_CTX_add_client_CA(ctx, x) == 1;
		X509_free(x);
	}
	BIO_free(in);
	return n;
}

static size_t load_crls(SSL_CTX *ctx, const struct tls_pem *pem)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	BIO *in = bio_of(pem);
	size_t n = 0;
	X509_CRL *x;

	while ((x = PEM_read_bio_X509_CRL(in, NULL, no_password, NULL))) {
		n += X509_STORE_add_crl(store, x) == 1;
		X509_CRL_free(x);
	}
	BIO_free(in);
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	return n;
}

bool tls_load(SSL_CTX *ctx, const struct tls_pems *p, struct sign_line *signer, char why[256])
{
	struct file ca = { "ca", &p->ca, why }, crl = { "crl", &p->crl, why };

	if (!load_own(ctx, p, signer, why))
		return false;
	if (load_cas(ctx, &p->ca) == 0)
		return bad_content(&ca, "no CA certificate in PEM form");
	if (p->crl.text.n > 0 && load_crls(ctx, &p->crl) == 0)
		return bad_content(&crl, "no CRL in PEM form");
	ERR_clear_error();
	return true;
}
