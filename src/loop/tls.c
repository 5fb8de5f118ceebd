/* TLS through OpenSSL: the context, and the transport (RFC 6733 §13.1, TS 33.210 §6.2). */
#include "loop/tls.h"

#include "base/log.h"
#include "base/metric.h"
#include "loop/inside.h"
#include "loop/sign.h"
#include "loop/tls_load.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CERT_LIST_MAX (32 * 1024) /* bytes of a peer's chain */
#define CHAIN_DEPTH   5
#define READ_AHEAD    (32 * 1024) /* one read(2) for several records */
#define LOG_PER_S     10

/* TS 33.210 §6.2.3: ECDHE with AEAD; TLS 1.3 has nothing else. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static char groups[] = "X25519:P-256:P-384";

struct tls {
	pthread_mutex_t lock; /* of ctx: a handshake begins, or it is renewed */
	SSL_CTX *ctx;
	struct sign_line *signer;
};

/* --- the context ---------------------------------------------------------------------------- */

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
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) || !SSL_CTX_set_num_tickets(ctx, 0) ||
	    !SSL_CTX_set_cipher_list(ctx, ciphers) || !SSL_CTX_set1_groups_list(ctx, groups)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static SSL_CTX *context_of(const struct tls_pems *p, struct sign_line *signer, char why[256])
{
	SSL_CTX *ctx;

	why[0] = 0;
	ERR_clear_error();
	ctx = context();
	if (ctx && tls_load(ctx, p, signer, why))
		return ctx;
	if (!why[0]) {
		const char *reason = ERR_reason_error_string(ERR_peek_error());

		snprintf(why, 256, "tls: OpenSSL cannot be set up: %.200s", reason ? reason : "?");
	}
	ERR_clear_error();
	SSL_CTX_free(ctx);
	return NULL;
}

static enum err read_all(const struct tls_files *f, struct tls_pems *p, char why[256])
{
	enum err err = tls_read_file("chain", f->chain, &p->chain, why);

	if (!err && !f->signer)
		err = tls_read_file("key", f->key, &p->key, why);
	if (!err)
		err = tls_read_file("ca", f->ca, &p->ca, why);
	if (!err && f->crl)
		err = tls_read_file("crl", f->crl, &p->crl, why);
	return err;
}

/* For whoever watches it come near (R-5.8.4.b). */
static void say_end(struct tls *t)
{
	time_t now = time(NULL);

	metric_set(M_CERTIFICATE_ENDS, 0, (uint64_t)now + (uint64_t)((int64_t)tls_days_left(t) * 86400));
}

struct tls *tls_new(const struct tls_files *f, enum err *err, char why[256])
{
	struct tls *t = calloc(1, sizeof *t);
	struct tls_pems p = { 0 };

	why[0] = 0;
	*err = ERR_FULL;
	if (!t)
		return NULL;
	pthread_mutex_init(&t->lock, NULL);
	t->signer = f->signer;
	*err = read_all(f, &p, why);
	t->ctx = *err ? NULL : context_of(&p, f->signer, why);
	if (!*err && !t->ctx)
		*err = ERR_CONFIG;
	tls_forget(&p.chain);
	tls_forget(&p.key);
	tls_forget(&p.ca);
	tls_forget(&p.crl);
	if (!*err) {
		say_end(t);
		return t;
	}
	tls_free(t);
	return NULL;
}

enum err tls_renew(struct tls *t, const struct tls_pems *p, char why[256])
{
	SSL_CTX *ctx = context_of(p, t->signer, why), *old;

	if (!ctx)
		return ERR_CONFIG;
	pthread_mutex_lock(&t->lock);
	old = t->ctx;
	t->ctx = ctx;
	pthread_mutex_unlock(&t->lock);
	SSL_CTX_free(old); /* each open connection holds it as well */
	say_end(t);
	return ERR_OK;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

int tls_days_left(struct tls *t)
{
	int days = 0, seconds = 0;

	pthread_mutex_lock(&t->lock);
	ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(SSL_CTX_get0_certificate(t->ctx)));
	pthread_mutex_unlock(&t->lock);
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
	if (sign_why())
		reason = sign_why();
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
	pthread_mutex_lock(&c->tls->lock);
	ssl = SSL_new(c->tls->ctx);
	pthread_mutex_unlock(&c->tls->lock);
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
	sign_why_clear();
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
