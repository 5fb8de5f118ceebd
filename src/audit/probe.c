#include "audit/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define CODE_CE 257
#define CODE_DW 280
#define CODE_DP 282
#define SUCCESS 2001
#define CEA_MS 5000
#define STEP_MS 100 /* a read waits this long, then looks at the clock */
#define HEARD 8

struct probe {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	char host[160], realm[128];
	char local[48];
	uint32_t hop;
	struct {
		uint32_t code, n;
	} heard[HEARD];
	size_t in_n, frame_n; /* frame_n: bytes of the frame handed out, still at the front */
	uint8_t in[2 * DIA_FRAME_MAX];
	uint8_t out[DIA_FRAME_MAX];
	uint8_t room[1 << 18];
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* An address that listens on every interface is reached on this machine. */
static socklen_t address_of(const struct endpoint *at, struct sockaddr_storage *to)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof *to);
	if (inet_pton(AF_INET, at->address[0], &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(at->port);
		if (v4->sin_addr.s_addr == INADDR_ANY)
			v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof *v4;
	}
	if (inet_pton(AF_INET6, at->address[0], &v6->sin6_addr) != 1)
		return 0;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(at->port);
	if (memcmp(&v6->sin6_addr, &in6addr_any, sizeof in6addr_any) == 0)
		v6->sin6_addr = in6addr_loopback;
	return sizeof *v6;
}

int probe_socket(const struct endpoint *at, char why[PROBE_TEXT])
{
	const struct timeval patience = {0, STEP_MS * 1000}, sending = {5, 0};
	struct sockaddr_storage to;
	socklen_t n = address_of(at, &to);
	char text[ENDPOINT_TEXT];
	int fd = n > 0 ? socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;

	if (fd >= 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &sending, sizeof sending);
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		if (connect(fd, (const struct sockaddr *)&to, n) == 0)
			return fd;
	}
	endpoint_text(at, text);
	snprintf(why, PROBE_TEXT, "%.100s: %.50s", text, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static enum err tls_begin(struct probe *p, const struct probe_to *to, char why[PROBE_TEXT])
{
	uint64_t until = now_ms() + CEA_MS;
	int n = 0;

	p->ctx = SSL_CTX_new(TLS_client_method());
	if (!p->ctx || SSL_CTX_use_certificate_chain_file(p->ctx, to->cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(p->ctx, to->key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_locations(p->ctx, to->ca, NULL) != 1) {
		snprintf(why, PROBE_TEXT, "%.60s, %.60s: no certificate and key for us", to->cert,
			 to->key);
		return ERR_IO;
	}
	SSL_CTX_set_verify(p->ctx, SSL_VERIFY_PEER, NULL);
	p->ssl = SSL_new(p->ctx);
	if (p->ssl && SSL_set_fd(p->ssl, p->fd) == 1) {
		while ((n = SSL_connect(p->ssl)) != 1 &&
		       SSL_get_error(p->ssl, n) == SSL_ERROR_WANT_READ && now_ms() < until)
			;
	}
	if (n == 1)
		return ERR_OK;
	snprintf(why, PROBE_TEXT, "TLS: %s", ERR_reason_error_string(ERR_peek_error()));
	return ERR_IO;
}

static bool put_all(struct probe *p, struct view v)
{
	while (v.n > 0) {
		ssize_t n =
		    p->ssl ? SSL_write(p->ssl, v.p, (int)v.n) : send(p->fd, v.p, v.n, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		v = (struct view){v.p + n, v.n - (size_t)n};
	}
	return true;
}

/* More bytes. ERR_AGAIN: none yet. */
static enum err fill(struct probe *p)
{
	size_t room = sizeof p->in - p->in_n;
	ssize_t n;

	if (p->ssl) {
		n = SSL_read(p->ssl, p->in + p->in_n, (int)room);
		if (n <= 0 && SSL_get_error(p->ssl, (int)n) == SSL_ERROR_WANT_READ)
			return ERR_AGAIN;
	} else {
		n = recv(p->fd, p->in + p->in_n, room, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return ERR_AGAIN;
	}
	if (n <= 0)
		return ERR_IO;
	p->in_n += (size_t)n;
	return ERR_OK;
}

/* The next whole frame, until then; it stays at the front of `in` until the next call. */
static enum err next_frame(struct probe *p, struct view *frame, uint64_t until)
{
	memmove(p->in, p->in + p->frame_n, p->in_n - p->frame_n);
	p->in_n -= p->frame_n;
	p->frame_n = 0;
	for (;;) {
		size_t n = dia_frame((struct view){p->in, p->in_n});
		enum err err;

		if (n == SIZE_MAX)
			return ERR_IO;
		if (n > 0 && n <= p->in_n) {
			p->frame_n = n;
			*frame = (struct view){p->in, n};
			return ERR_OK;
		}
		err = fill(p);
		if (err == ERR_IO)
			return ERR_IO;
		if (err && now_ms() >= until)
			return ERR_AGAIN;
	}
}

static void count(struct probe *p, uint32_t code)
{
	for (size_t i = 0; i < HEARD; i++) {
		if (p->heard[i].code == code || p->heard[i].code == 0) {
			p->heard[i].code = code;
			p->heard[i].n++;
			return;
		}
	}
}

/* Watchdogs, and the requests of an HSS: said yes to. */
static void say_yes(struct probe *p, const struct msg *m, const struct dia_header *h)
{
	struct wr w = {.p = p->out, .cap = sizeof p->out};
	struct dia_header a = *h;
	size_t start;

	count(p, h->code);
	a.flags = (uint8_t)(h->flags & DIA_FLAG_PROXIABLE);
	start = dia_begin(&w, &a);
	if (h->app != DIA_APP_BASE)
		dia_put(&w, AVP_SESSION_ID, tab_get(m, AVP_SESSION_ID));
	dia_put_u32(&w, AVP_RESULT_CODE, SUCCESS);
	if (h->app != DIA_APP_BASE)
		dia_put_u32(&w, AVP_AUTH_SESSION_STATE, 1);
	dia_put_text(&w, AVP_ORIGIN_HOST, p->host);
	dia_put_text(&w, AVP_ORIGIN_REALM, p->realm);
	dia_end(&w, start);
	(void)put_all(p, wr_done(&w));
}

enum err probe_next(struct probe *p, struct probe_answer *a, uint32_t wait_ms)
{
	uint64_t until = now_ms() + wait_ms;

	for (;;) {
		struct arena mem = {.base = p->room, .cap = sizeof p->room};
		struct view frame;
		enum err err = next_frame(p, &frame, until);

		if (err)
			return err;
		a->err = dia_parse(&a->m, &a->h, frame, DIA_RELAY, &mem);
		if (a->h.flags & DIA_FLAG_REQUEST) {
			say_yes(p, &a->m, &a->h);
			continue;
		}
		a->result = dia_u32(tab_get(&a->m, AVP_RESULT_CODE));
		a->experimental =
		    dia_u32(tab_get(&a->m, AVP_EXPERIMENTAL_RESULT, AVP_EXPERIMENTAL_RESULT_CODE));
		return ERR_OK;
	}
}

enum err probe_send(struct probe *p, struct view message)
{
	if (message.n < DIA_HEADER || message.n > sizeof p->out)
		return ERR_LENGTH;
	memcpy(p->out, message.p, message.n);
	dia_set_hop_by_hop(p->out, ++p->hop);
	return put_all(p, (struct view){p->out, message.n}) ? ERR_OK : ERR_IO;
}

enum err probe_ask(struct probe *p, struct view message, struct probe_answer *a, uint32_t wait_ms)
{
	uint64_t until = now_ms() + wait_ms;
	enum err err = probe_send(p, message);
	uint32_t mine = p->hop;

	while (!err) {
		uint64_t now = now_ms();

		err = probe_next(p, a, now < until ? (uint32_t)(until - now) : 0);
		if (!err && a->h.hop_by_hop == mine)
			return ERR_OK;
	}
	return err;
}

static void put_address(struct probe *p, struct wr *w)
{
	struct sockaddr_storage own;
	socklen_t n = sizeof own;
	uint8_t b[18] = {0, 1, 127, 0, 0, 1};
	size_t used = 6;

	if (getsockname(p->fd, (struct sockaddr *)&own, &n) == 0 && own.ss_family == AF_INET) {
		memcpy(b + 2, &((struct sockaddr_in *)&own)->sin_addr, 4);
	} else if (own.ss_family == AF_INET6) {
		b[1] = 2;
		memcpy(b + 2, &((struct sockaddr_in6 *)&own)->sin6_addr, 16);
		used = 18;
	}
	dia_put(w, AVP_HOST_IP_ADDRESS, (struct view){b, used});
}

static enum err introduce(struct probe *p, uint32_t *result)
{
	static const uint32_t apps[] = {DIA_APP_S6A, DIA_APP_S13};
	struct dia_header h = {DIA_FLAG_REQUEST, CODE_CE, DIA_APP_BASE, 0, 1};
	static uint8_t room[2048];
	struct wr w = {.p = room, .cap = sizeof room};
	static struct probe_answer a;
	size_t start = dia_begin(&w, &h), group;
	enum err err;

	dia_put_text(&w, AVP_ORIGIN_HOST, p->host);
	dia_put_text(&w, AVP_ORIGIN_REALM, p->realm);
	put_address(p, &w);
	dia_put_u32(&w, AVP_VENDOR_ID, VENDOR_3GPP);
	dia_put_text(&w, AVP_PRODUCT_NAME, "Merlon audit");
	dia_put_u32(&w, AVP_SUPPORTED_VENDOR_ID, VENDOR_3GPP);
	for (size_t i = 0; i < 2; i++) {
		group = dia_open(&w, AVP_VENDOR_SPECIFIC_APPLICATION_ID);
		dia_put_u32(&w, AVP_VENDOR_ID, VENDOR_3GPP);
		dia_put_u32(&w, AVP_AUTH_APPLICATION_ID, apps[i]);
		dia_close(&w, group);
	}
	dia_end(&w, start);
	err = w.err ? w.err : probe_ask(p, wr_done(&w), &a, CEA_MS);
	if (err)
		return err;
	*result = a.result;
	return a.result == SUCCESS ? ERR_OK : ERR_REFUSED;
}

enum err probe_open(struct probe **out, const struct probe_to *to, const char *host,
		    const char *realm, uint32_t *result, char why[PROBE_TEXT])
{
	struct probe *p = calloc(1, sizeof *p);
	enum err err = p ? ERR_OK : ERR_FULL;

	*result = 0;
	if (!p)
		return ERR_FULL;
	snprintf(p->host, sizeof p->host, "%s", host);
	snprintf(p->realm, sizeof p->realm, "%s", realm);
	p->fd = probe_socket(&to->at, why);
	if (p->fd < 0)
		err = ERR_IO;
	if (!err && to->at.link == LINK_TLS)
		err = tls_begin(p, to, why);
	if (!err) {
		err = introduce(p, result);
		if (err == ERR_REFUSED)
			snprintf(why, PROBE_TEXT, "capabilities exchange refused with %u", *result);
		else if (err)
			snprintf(why, PROBE_TEXT, "no capabilities answer: %s", err_text(err));
	}
	if (err) {
		probe_close(p);
		return err == ERR_REFUSED ? ERR_REFUSED : ERR_IO;
	}
	*out = p;
	return ERR_OK;
}

void probe_close(struct probe *p)
{
	struct dia_header h = {DIA_FLAG_REQUEST, CODE_DP, DIA_APP_BASE, 0, 2};
	struct wr w = {.p = p->out, .cap = sizeof p->out};
	size_t start = dia_begin(&w, &h);

	dia_put_text(&w, AVP_ORIGIN_HOST, p->host);
	dia_put_text(&w, AVP_ORIGIN_REALM, p->realm);
	dia_put_u32(&w, AVP_DISCONNECT_CAUSE, 2);
	dia_end(&w, start);
	if (p->fd >= 0 && (p->ssl || !p->ctx))
		(void)put_all(p, wr_done(&w));
	SSL_free(p->ssl);
	SSL_CTX_free(p->ctx);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

const char *probe_host(const struct probe *p)
{
	return p->host;
}

const char *probe_realm(const struct probe *p)
{
	return p->realm;
}

uint32_t probe_heard(const struct probe *p, uint32_t code)
{
	for (size_t i = 0; i < HEARD; i++) {
		if (p->heard[i].code == code)
			return p->heard[i].n;
	}
	return 0;
}
