/* What the edge's TLS listener refuses: old versions, and peers without a certificate. */
#include "audit/audit.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <unistd.h>

#define SHAKE_MS 5000

enum heard { HEARD_NOTHING, HEARD_ALERT, HEARD_CLOSE, HEARD_WELCOME };

static bool listener_of(const struct audit *a, struct endpoint *e)
{
	const struct conf_list *list = &a->reach->conf.edge_listen;

	for (size_t i = 0; i < list->n; i++) {
		if (endpoint_parse(view_of(list->text[i]), e) == ERR_OK && e->link == LINK_TLS)
			return true;
	}
	return false;
}

/* What the other side said, not what our own library thinks: an alert that came is above 1000. */
static enum heard heard_of(const SSL *ssl, int n)
{
	unsigned long e = ERR_peek_last_error();

	if (SSL_get_error(ssl, n) == SSL_ERROR_SSL && ERR_GET_REASON(e) >= SSL_AD_REASON_OFFSET)
		return HEARD_ALERT;
	return SSL_get_error(ssl, n) == SSL_ERROR_SSL ? HEARD_NOTHING : HEARD_CLOSE;
}

static bool waits(const SSL *ssl, int n, uint64_t until)
{
	return SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ && audit_wall_ms() < until;
}

/* In TLS 1.3 the refusal of a missing certificate comes after our side is done: so a read, too. */
static enum heard shake(SSL *ssl)
{
	uint64_t until = audit_wall_ms() + SHAKE_MS;
	char byte;
	int n;

	ERR_clear_error();
	do {
		n = SSL_connect(ssl);
	} while (n != 1 && waits(ssl, n, until));
	if (n != 1)
		return heard_of(ssl, n);
	until = audit_wall_ms() + 1000;
	do {
		n = SSL_read(ssl, &byte, 1);
	} while (n <= 0 && waits(ssl, n, until));
	if (n > 0 || SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ)
		return HEARD_WELCOME;
	return heard_of(ssl, n);
}

static enum state try_tls(struct audit *a, struct proof *p, int version, const char *what)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = ctx ? SSL_new(ctx) : NULL;
	enum heard heard = HEARD_NOTHING;
	char why[PROBE_TEXT];
	struct endpoint e;
	int fd = -1;

	if (!listener_of(a, &e)) {
		proof(p, WITHOUT, "no tls: listener is configured");
	} else if (!ssl || (fd = probe_socket(&e, why)) < 0) {
		proof(p, WITHOUT, "%s", ssl ? why : "OpenSSL failed");
	} else {
		SSL_set_security_level(ssl, 0); /* ours, so that the refusal can only be theirs */
		SSL_set_min_proto_version(ssl, version);
		SSL_set_max_proto_version(ssl, version);
		SSL_set_fd(ssl, fd);
		heard = shake(ssl);
		if (heard == HEARD_NOTHING)
			proof(p, WITHOUT, "%s: this OpenSSL cannot try it", what);
		else
			proof(p, heard == HEARD_WELCOME ? NOT_SHOWN : SHOWN, "%s: %s", what,
			      heard == HEARD_WELCOME ? "let in"
			      : heard == HEARD_ALERT ? "refused by an alert"
						     : "connection closed");
	}
	if (fd >= 0)
		close(fd);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return p->state;
}

enum state see_tls_old(struct audit *a, const struct attempt *t, struct proof *p)
{
	(void)t;
	return try_tls(a, p, TLS1_1_VERSION, "TLS 1.1");
}

enum state see_tls_anonymous(struct audit *a, const struct attempt *t, struct proof *p)
{
	(void)t;
	if (try_tls(a, p, TLS1_2_VERSION, "TLS 1.2 without a certificate") != SHOWN)
		return p->state;
	return try_tls(a, p, TLS1_3_VERSION, "TLS without a certificate");
}
