#include "signer/signer.h"

#include "base/log.h"
#include "base/metric.h"
#include "loop/wipe.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOG_PER_S   10    /* refusals that are an event of their own; the rest are one together */
#define GRACE_MS    10000 /* two handshakes' time (loop_limits.handshake_ms) */
#define SUMMARY_MS  60000
#define SECURE_HEAP (256 * 1024)

struct line {
	char role[16];
	int fd; /* -1: gone */
	double tokens;
	uint64_t filled_ms, signed_n, refused_n;
};

struct held {
	uint8_t id[SIGN_KEY_ID];
	EVP_PKEY *key;
	uint64_t wipe_ms; /* 0: not to be wiped */
	uint64_t since;   /* the greatest is the newest */
};

struct signer {
	pthread_mutex_t lock; /* of lines and keys */
	struct line line[SIGNER_LINES];
	size_t line_n;
	struct held held[SIGNER_KEYS];
	uint64_t renewals;
	uint32_t rate;
	int wake;
	_Atomic bool stop;
	uint64_t second, logged, unlogged, summed_ms; /* of the running thread */
	uint8_t room[SIGN_MESSAGE_MAX + 1], out[SIGN_SIGNATURE_MAX + 16];
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- keys --------------------------------------------------------------------------------------- */

static void wipe(struct held *h)
{
	EVP_PKEY_free(h->key); /* clears the private numbers */
	OPENSSL_cleanse(h, sizeof *h);
}

static struct held *find_key(struct signer *s, struct view id)
{
	for (size_t i = 0; i < SIGNER_KEYS; i++) {
		if (s->held[i].key && view_eq(id, (struct view){s->held[i].id, SIGN_KEY_ID}))
			return &s->held[i];
	}
	return NULL;
}

/* A place for one more: a free one, else the oldest's. */
static struct held *place(struct signer *s)
{
	struct held *old = &s->held[0];

	for (size_t i = 0; i < SIGNER_KEYS; i++) {
		if (!s->held[i].key)
			return &s->held[i];
		if (s->held[i].since < old->since)
			old = &s->held[i];
	}
	wipe(old);
	return old;
}

enum err signer_renew(struct signer *s, const struct tls_pem *chain, const struct tls_pem *key,
		      char why[256])
{
	uint8_t id[SIGN_KEY_ID];
	EVP_PKEY *k = tls_private_key(chain, key, id, why);
	struct held *h;

	if (!k)
		return ERR_CONFIG;
	pthread_mutex_lock(&s->lock);
	h = find_key(s, (struct view){id, SIGN_KEY_ID});
	if (h)
		EVP_PKEY_free(k); /* only the certificate is new */
	else
		*(h = place(s)) = (struct held){.key = k};
	memcpy(h->id, id, sizeof h->id);
	h->wipe_ms = 0;
	h->since = ++s->renewals;
	pthread_mutex_unlock(&s->lock);
	return ERR_OK;
}

void signer_forget(struct signer *s)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < SIGNER_KEYS; i++) {
		struct held *h = &s->held[i];

		if (h->key && h->since != s->renewals && h->wipe_ms == 0)
			h->wipe_ms = now_ms() + GRACE_MS;
	}
	pthread_mutex_unlock(&s->lock);
}

static void wipe_due(struct signer *s, uint64_t now)
{
	char id[2 * SIGN_KEY_ID + 1];

	for (size_t i = 0; i < SIGNER_KEYS; i++) {
		if (s->held[i].wipe_ms == 0 || now < s->held[i].wipe_ms)
			continue;
		for (size_t b = 0; b < SIGN_KEY_ID; b++)
			snprintf(id + 2 * b, 3, "%02x", s->held[i].id[b]);
		wipe(&s->held[i]);
		LOG(LOG_NOTE, "signer.key_wiped", kv_text("key", id));
	}
}

/* --- one request ---------------------------------------------------------------------------------- */

static bool fits(const struct sign_scheme *c, EVP_PKEY *k)
{
	static const char *const name[] = {[SIGN_KEY_EC] = "EC",
					   [SIGN_KEY_ED25519] = "ED25519",
					   [SIGN_KEY_RSA] = "RSA",
					   [SIGN_KEY_RSAPSS] = "RSA-PSS"};

	return EVP_PKEY_is_a(k, name[c->key]);
}

static bool make_signature(EVP_PKEY *k, const struct sign_scheme *c, struct view content,
			   uint8_t *to, size_t *n)
{
	const EVP_MD *md = c->digest[0] ? EVP_get_digestbyname(c->digest) : NULL;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how;
	bool ok = ctx && EVP_DigestSignInit(ctx, &how, md, NULL, k) == 1;

	if (ok && c->padding == SIGN_PAD_PSS)
		ok = EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok && EVP_DigestSign(ctx, to, n, content.p, content.n) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

static bool take_token(struct signer *s, struct line *l, uint64_t now)
{
	l->tokens += (double)(now - l->filled_ms) * s->rate / 1000.0;
	l->filled_ms = now;
	if (l->tokens > s->rate)
		l->tokens = s->rate;
	if (l->tokens < 1)
		return false;
	l->tokens -= 1;
	return true;
}

static enum sign_answer judge(struct signer *s, struct line *l, struct view message,
			      struct sign_request *r, struct sign_reply *reply)
{
	enum sign_form form = SIGN_NO_FORM;
	const struct sign_scheme *c;
	struct held *h;
	size_t n = SIGN_SIGNATURE_MAX;

	if (sign_parse_request(message, r) != ERR_OK)
		return SIGN_MALFORMED;
	if (!take_token(s, l, now_ms())) /* first, so that no question is free */
		return SIGN_RATE;
	form = sign_form(r->content);
	if (form == SIGN_NO_FORM)
		return SIGN_FORM;
	c = sign_scheme(r->scheme);
	if (!c || (form == SIGN_TLS13 && !c->in13))
		return SIGN_SCHEME;
	h = find_key(s, r->key);
	if (!h)
		return SIGN_KEY;
	if (!fits(c, h->key))
		return SIGN_SCHEME;
	if (!make_signature(h->key, c, r->content, s->out, &n))
		return SIGN_FAILED;
	metric_add(M_SIGNER_SIGNED, form - 1, 1);
	reply->signature = (struct view){s->out, n};
	return SIGN_SIGNED;
}

static void log_refused(struct signer *s, const struct line *l, const struct sign_request *r,
			enum sign_answer a)
{
	uint64_t second = now_ms() / 1000;

	metric_add(M_SIGNER_REFUSED, a - 1, 1);
	if (second != s->second) {
		if (s->unlogged > 0)
			LOG(LOG_ERROR, "signer.refused_more", kv_num("n", s->unlogged));
		s->second = second;
		s->logged = s->unlogged = 0;
	}
	if (++s->logged > LOG_PER_S)
		s->unlogged++;
	else
		LOG(LOG_ERROR, "signer.refused", kv_text("for", l->role),
		    kv_text("why", sign_answer_text(a)), kv_num("bytes", r->content.n));
}

static void answer(struct signer *s, struct line *l, size_t n)
{
	uint8_t room[SIGN_SIGNATURE_MAX + 8];
	struct wr w = {.p = room, .cap = sizeof room};
	struct sign_request r = {0};
	struct sign_reply reply = {0};

	reply.answer = judge(s, l, (struct view){s->room, n}, &r, &reply);
	reply.serial = r.serial;
	if (reply.answer == SIGN_SIGNED) {
		l->signed_n++;
	} else {
		l->refused_n++;
		log_refused(s, l, &r, reply.answer);
	}
	sign_emit_reply(&w, &reply);
	(void)!send(l->fd, w.p, w.n, MSG_NOSIGNAL | MSG_DONTWAIT); /* who does not read goes without */
}

/* --- lines ------------------------------------------------------------------------------------------ */

static void hang_up(struct line *l)
{
	close(l->fd);
	l->fd = -1;
}

bool signer_line(struct signer *s, const char *role, int fd)
{
	struct line *l = NULL;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->line_n && !l; i++) {
		if (strcmp(s->line[i].role, role) == 0)
			l = &s->line[i];
	}
	if (!l && s->line_n < SIGNER_LINES) {
		l = &s->line[s->line_n++];
		*l = (struct line){.fd = -1, .tokens = s->rate, .filled_ms = now_ms()};
		snprintf(l->role, sizeof l->role, "%s", role);
	}
	if (l && l->fd >= 0)
		hang_up(l);
	if (l)
		l->fd = fd; /* what it may ask for goes on from where it was */
	else
		close(fd);
	pthread_mutex_unlock(&s->lock);
	(void)!write(s->wake, &(uint64_t){1}, sizeof(uint64_t));
	return l != NULL;
}

static void summary(struct signer *s, uint64_t now)
{
	if (now - s->summed_ms < SUMMARY_MS)
		return;
	s->summed_ms = now;
	for (size_t i = 0; i < s->line_n; i++) {
		struct line *l = &s->line[i];

		if (l->signed_n + l->refused_n > 0)
			LOG(LOG_NOTE, "signer.minute", kv_text("for", l->role),
			    kv_num("signed", l->signed_n), kv_num("refused", l->refused_n));
		l->signed_n = l->refused_n = 0;
	}
}

static void serve(struct signer *s, struct line *l, short events)
{
	ssize_t n;

	if (!events || l->fd < 0)
		return;
	n = recv(l->fd, s->room, sizeof s->room, MSG_DONTWAIT);
	if (n > 0 || (n == 0 && !(events & POLLHUP))) /* a message may be empty: that is no end */
		answer(s, l, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		hang_up(l);
}

void signer_run(struct signer *s)
{
	struct pollfd p[SIGNER_LINES + 1];
	uint64_t count;
	size_t n;

	s->summed_ms = now_ms();
	while (!atomic_load(&s->stop)) {
		pthread_mutex_lock(&s->lock);
		n = s->line_n;
		p[0] = (struct pollfd){.fd = s->wake, .events = POLLIN};
		for (size_t i = 0; i < n; i++)
			p[i + 1] = (struct pollfd){.fd = s->line[i].fd, .events = POLLIN};
		pthread_mutex_unlock(&s->lock);
		if (poll(p, n + 1, 1000) < 0)
			continue;
		if (p[0].revents)
			(void)!read(s->wake, &count, sizeof count);
		pthread_mutex_lock(&s->lock);
		for (size_t i = 0; i < n; i++)
			serve(s, &s->line[i], p[i + 1].revents);
		wipe_due(s, now_ms());
		summary(s, now_ms());
		pthread_mutex_unlock(&s->lock);
	}
}

void signer_stop(struct signer *s)
{
	atomic_store(&s->stop, true);
	(void)!write(s->wake, &(uint64_t){1}, sizeof(uint64_t));
}

/* --- start and end ------------------------------------------------------------------------------------ */

/* Never to be swapped out. What OpenSSL keeps of a key lies in a heap of its own, between guard pages. */
static void lock_memory(void)
{
	wipe_freed();
	if (CRYPTO_secure_malloc_initialized() == 0)
		(void)CRYPTO_secure_malloc_init(SECURE_HEAP, 32);
	if (mlockall(MCL_CURRENT) != 0)
		LOG(LOG_NOTE, "signer.memory_not_locked", kv_text("why", strerror(errno)));
}

enum err signer_start(struct signer **out, uint32_t rate, const struct tls_pem *chain,
		      const struct tls_pem *key, char why[256])
{
	struct signer *s = calloc(1, sizeof *s);
	enum err err = ERR_FULL;

	*out = NULL;
	snprintf(why, 256, "signer: out of memory");
	if (!s)
		return ERR_FULL;
	pthread_mutex_init(&s->lock, NULL);
	s->rate = rate;
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake >= 0) {
		lock_memory();
		err = signer_renew(s, chain, key, why);
	}
	if (err) {
		signer_free(s);
		return err;
	}
	*out = s;
	return ERR_OK;
}

void signer_free(struct signer *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < SIGNER_KEYS; i++)
		wipe(&s->held[i]);
	for (size_t i = 0; i < s->line_n; i++) {
		if (s->line[i].fd >= 0)
			close(s->line[i].fd);
	}
	if (s->wake >= 0)
		close(s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
