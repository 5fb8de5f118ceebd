/* TLS through OpenSSL: the context from files, and the transport (RFC 6733 §13.1, TS 33.210 §6.2). */
#include "loop/tls.h"

#include "base/log.h"
#include "base/metric.h"
#include "loop/inside.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CERT_LIST_MAX (32 * 1024) /* bytes of a peer's chain */
#define CHAIN_DEPTH   5
#define READ_AHEAD    (32 * 1024) /* one read(2) for several records */
#define LOG_PER_S     10

/* TS 33.210 §6.2.3: ECDHE with AEAD; TLS 1.3 has nothing else. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static char groups[] = "X25519:P-256:P-384";

struct tls {
	SSL_CTX *ctx;
};

/* --- the context ---------------------------------------------------------------------------- */

struct file {
	const char *what, *path;
	char *why;
};

static bool bad(const struct file *f, const char *reason)
{
	char line[512];

	snprintf(line, sizeof line, "tls.%s %s: %s", f->what, f->path ? f->path : "(none)", reason);
	view_text(view_first(view_of(line), 255), f->why, 256);
	return false;
}

/* What OpenSSL said, or why the file cannot be read. */
static bool bad_file(const struct file *f, const char *otherwise)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(e);
	FILE *probe;
	int error;
	char text[128];

	errno = 0;
	probe = f->path ? fopen(f->path, "re") : NULL;
	error = errno;
	if (probe)
		fclose(probe);
	if (!f->path)
		return bad(f, "not configured");
	if (!probe) {
		snprintf(text, sizeof text, "%s", error_text(error));
		text[0] = (char)tolower((unsigned char)text[0]);
		return bad(f, text);
	}
	/* "ee key too small" and its like */
	if (ERR_GET_LIB(e) == ERR_LIB_SSL && !ERR_COMMON_ERROR(e) && reason)
		return bad(f, reason);
	return bad(f, otherwise);
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

static int no_password(char *buf, int size, int writing, void *user)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)user;
	return -1; /* nobody is there to be asked */
}

static SSL_CTX *context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());

	if (!ctx)
		return NULL;
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
				 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			      SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(ctx, CERT_LIST_MAX);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_verify_depth(ctx, CHAIN_DEPTH);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, READ_AHEAD);
	SSL_CTX_set_default_passwd_cb(ctx, no_password);
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) || !SSL_CTX_set_num_tickets(ctx, 0) ||
	    !SSL_CTX_set_cipher_list(ctx, ciphers) || !SSL_CTX_set1_groups_list(ctx, groups)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static bool load_own(SSL_CTX *ctx, const struct tls_files *f, char why[256])
{
	struct file chain = { "chain", f->chain, why }, key = { "key", f->key, why };
	const X509 *own;

	if (!f->chain || SSL_CTX_use_certificate_chain_file(ctx, f->chain) != 1)
		return bad_file(&chain, "no certificate in PEM form");
	own = SSL_CTX_get0_certificate(ctx);
	if (X509_cmp_current_time(X509_get0_notAfter(own)) <= 0)
		return bad_time(&chain, "expired since", X509_get0_notAfter(own));
	if (X509_cmp_current_time(X509_get0_notBefore(own)) > 0)
		return bad_time(&chain, "not valid before", X509_get0_notBefore(own));
	ERR_clear_error();
	if (f->key && SSL_CTX_use_PrivateKey_file(ctx, f->key, SSL_FILETYPE_PEM) == 1 &&
	    SSL_CTX_check_private_key(ctx) == 1)
		return true;
	if (ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509)
		return bad(&key, "does not match the certificate");
	return bad_file(&key, "no unencrypted private key in PEM form");
}

static bool load_trust(SSL_CTX *ctx, const struct tls_files *f, char why[256])
{
	struct file ca = { "ca", f->ca, why }, crl = { "crl", f->crl, why };
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	X509_LOOKUP *lookup;

	if (!f->ca || SSL_CTX_load_verify_file(ctx, f->ca) != 1)
		return bad_file(&ca, "no CA certificate in PEM form");
	SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(f->ca));
	if (!f->crl)
		return true;
	lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
	if (!lookup || X509_load_crl_file(lookup, f->crl, X509_FILETYPE_PEM) < 1)
		return bad_file(&crl, "no CRL in PEM form");
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	return true;
}

struct tls *tls_new(const struct tls_files *f, enum err *err, char why[256])
{
	struct tls *t = calloc(1, sizeof *t);

	why[0] = 0;
	*err = ERR_FULL;
	if (!t)
		return NULL;
	ERR_clear_error();
	t->ctx = context();
	if (t->ctx && load_own(t->ctx, f, why) && load_trust(t->ctx, f, why)) {
		*err = ERR_OK;
		return t;
	}
	*err = ERR_CONFIG;
	if (!why[0])
		snprintf(why, 256, "tls: OpenSSL cannot be set up");
	ERR_clear_error();
	tls_free(t);
	return NULL;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

int tls_days_left(const struct tls *t)
{
	const ASN1_TIME *end = X509_get0_notAfter(SSL_CTX_get0_certificate(t->ctx));
	int days = 0, seconds = 0;

	ASN1_TIME_diff(&days, &seconds, NULL, end);
	return seconds < 0 ? days - 1 : days;
}

/* --- the peer's names ----------------------------------------------------------------------- */

/* A name with a NUL or a space in it is a trick, not a name. */
static bool plain(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] >= 0x7f)
			return false;
	return v.n > 0 && v.n < 256;
}

static void add_name(struct conn *c, const ASN1_STRING *s, size_t *used)
{
	struct view v = { ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s) };

	if (!plain(v) || c->cert_name_n == CERT_NAMES)
		return;
	memcpy(c->cert_text + *used, v.p, v.n);
	c->cert_names[c->cert_name_n++] = (struct view){ (uint8_t *)c->cert_text + *used, v.n };
	*used += v.n;
}

/* RFC 6733 §13.1 leaves naming to the deployment; RFC 6125 §6.4.4: the CN counts only when there is
 * no dNSName. */
static bool take_names(struct conn *c, const X509 *cert)
{
	GENERAL_NAMES *san = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	const X509_NAME *subject = X509_get_subject_name(cert);
	int cn = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	bool dns = false;
	size_t used = 0;

	c->cert_text = malloc(CERT_NAMES * 256);
	if (!c->cert_text) {
		GENERAL_NAMES_free(san);
		return false;
	}
	for (int i = 0; i < sk_GENERAL_NAME_num(san); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(san, i);

		if (g->type != GEN_DNS)
			continue;
		dns = true;
		add_name(c, g->d.dNSName, &used);
	}
	if (!dns && cn >= 0)
		add_name(c, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, cn)), &used);
	GENERAL_NAMES_free(san);
	return true;
}

/* --- the transport -------------------------------------------------------------------------- */

/* Few lines a second whatever a scanner does; all are counted. */
static void log_refused(const struct conn *c)
{
	static _Thread_local uint64_t second, n;

	if (c->loop->now_ms / 1000 != second) {
		second = c->loop->now_ms / 1000;
		n = 0;
	}
	if (++n <= LOG_PER_S)
		LOG(LOG_NOTE, "tls.refused", KV("peer", c->address), KV("why", c->why));
}

static enum err refuse(struct conn *c, long verify)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	if (verify != X509_V_OK)
		reason = X509_verify_cert_error_string(verify);
	c->why = reason ? reason : "closed by the peer during the TLS handshake";
	metric_add(M_LOOP_CLOSED, CUT_TLS, 1);
	log_refused(c);
	ERR_clear_error();
	return ERR_IO;
}

static enum err begin(struct conn *c)
{
	enum err err = tcp_connected(c);
	SSL *ssl;

	if (err)
		return err;
	ssl = SSL_new(c->tls->ctx);
	if (!ssl || !SSL_set_fd(ssl, c->fd)) {
		SSL_free(ssl);
		c->why = "out of memory";
		return ERR_IO;
	}
	if (c->inbound)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	c->session = ssl;
	return ERR_OK;
}

static enum err tls_handshake(struct conn *c)
{
	enum err err = c->session ? ERR_OK : begin(c);
	X509 *cert;
	bool named;
	int r;

	if (err)
		return err;
	ERR_clear_error();
	r = SSL_do_handshake(c->session);
	if (r != 1) {
		int e = SSL_get_error(c->session, r);

		c->want_out = e == SSL_ERROR_WANT_WRITE;
		if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
			return ERR_AGAIN;
		return refuse(c, SSL_get_verify_result(c->session));
	}
	cert = SSL_get1_peer_certificate(c->session);
	named = cert && take_names(c, cert);
	X509_free(cert);
	return named ? ERR_OK : refuse(c, X509_V_ERR_UNSPECIFIED);
}

static enum err result(struct conn *c, int r)
{
	int e = SSL_get_error(c->session, r);
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return ERR_AGAIN;
	if (e != SSL_ERROR_ZERO_RETURN)
		c->why = reason ? reason : e == SSL_ERROR_SYSCALL && errno ? error_text(errno) : NULL;
	ERR_clear_error();
	return ERR_IO;
}

static enum err tls_read(struct conn *c, uint8_t *p, size_t n, size_t *got)
{
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_read_ex(c->session, p, n, got);
	return r == 1 ? ERR_OK : result(c, r);
}

static enum err tls_write(struct conn *c, struct view bytes, size_t *done)
{
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_write_ex(c->session, bytes.p, bytes.n, done);
	return r == 1 ? ERR_OK : result(c, r);
}

static bool tls_pending(struct conn *c)
{
	return SSL_has_pending(c->session);
}

static void tls_shut(struct conn *c)
{
	ERR_clear_error();
	SSL_shutdown(c->session);
	ERR_clear_error();
	shutdown(c->fd, SHUT_WR);
}

static void tls_close(struct conn *c)
{
	SSL_free(c->session);
	c->session = NULL;
}

const struct transport via_tls = {
	.handshake = tls_handshake,
	.read = tls_read,
	.write = tls_write,
	.shut = tls_shut,
	.close = tls_close,
	.pending = tls_pending,
};
