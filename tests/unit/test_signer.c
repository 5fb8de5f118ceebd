/* The signer, its line, and OpenSSL with a key that is elsewhere: a role speaks TLS and holds no private key.
 * R-3.b: certificates on both sides. */
#include "signer/signer.h"
#include "unit/test.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char why[256];

struct own {
	EVP_PKEY *key;
	X509 *cert;
	struct tls_pem chain_pem, key_pem;
	BIO *chain_bio, *key_bio;
};

static EVP_PKEY *make_key(const char *kind)
{
	EVP_PKEY_CTX *c;
	EVP_PKEY *k = NULL;

	if (strncmp(kind, "P-", 2) == 0)
		return EVP_EC_gen(kind);
	if (strcmp(kind, "RSA") == 0)
		return EVP_RSA_gen(2048);
	c = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
	check(c && EVP_PKEY_keygen_init(c) == 1);
	if (strcmp(kind, "RSA-PSS") == 0)
		check(EVP_PKEY_CTX_set_rsa_keygen_bits(c, 2048) == 1);
	check(EVP_PKEY_generate(c, &k) == 1);
	EVP_PKEY_CTX_free(c);
	return k;
}

static struct tls_pem pem_of(BIO *b, const char *path)
{
	char *p;
	long n = BIO_get_mem_data(b, &p);

	return (struct tls_pem){ path, { (uint8_t *)p, (size_t)n } };
}

static struct own make(const char *kind)
{
	struct own o = { .key = make_key(kind), .cert = X509_new(), .chain_bio = BIO_new(BIO_s_mem()),
			 .key_bio = BIO_new(BIO_s_mem()) };
	X509_NAME *name = X509_get_subject_name(o.cert);
	bool plain = strcmp(kind, "ED25519") == 0;

	X509_set_version(o.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(o.cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(o.cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(o.cert), 86400);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"own", -1, -1, 0);
	X509_set_issuer_name(o.cert, name);
	X509_set_pubkey(o.cert, o.key);
	check(X509_sign(o.cert, o.key, plain ? NULL : EVP_sha256()) > 0);
	check(PEM_write_bio_X509(o.chain_bio, o.cert) == 1);
	check(PEM_write_bio_PrivateKey(o.key_bio, o.key, NULL, NULL, 0, NULL, NULL) == 1);
	o.chain_pem = pem_of(o.chain_bio, "chain.pem");
	o.key_pem = pem_of(o.key_bio, "key.pem");
	return o;
}

static void forget(struct own *o)
{
	EVP_PKEY_free(o->key);
	X509_free(o->cert);
	BIO_free(o->chain_bio);
	BIO_free(o->key_bio);
}

static struct view spki_of(const struct own *o)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(o->key, &der);

	check(n > 0);
	return (struct view){ der, (size_t)n };
}

/* --- a signer in a thread --- */

struct world {
	struct signer *signer;
	struct sign_line *line;
	pthread_t thread;
};

static void *run(void *s)
{
	signer_run(s);
	return NULL;
}

static struct sign_line *new_line(struct signer *s, const char *role)
{
	int pair[2];

	check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	check(signer_line(s, role, pair[0]));
	return sign_line_new(pair[1]);
}

static void start(struct world *w, const struct own *o, uint32_t rate)
{
	check_eq(signer_start(&w->signer, rate, &o->chain_pem, &o->key_pem, why), ERR_OK);
	check(pthread_create(&w->thread, NULL, run, w->signer) == 0);
	w->line = new_line(w->signer, "edge");
}

static void stop(struct world *w)
{
	signer_stop(w->signer);
	pthread_join(w->thread, NULL);
	signer_free(w->signer);
	sign_line_free(w->line);
}

/* --- handshakes --- */

static SSL_CTX *context(const struct own *o, struct sign_line *line, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	struct view spki = spki_of(o);
	EVP_PKEY *k = sign_key(spki, line);

	check(ctx && k);
	check(SSL_CTX_set_min_proto_version(ctx, version) && SSL_CTX_set_max_proto_version(ctx, version));
	check(SSL_CTX_use_certificate(ctx, o->cert) == 1);
	if (SSL_CTX_use_PrivateKey(ctx, k) != 1) {
		ERR_print_errors_fp(stderr);
		abort();
	}
	check(SSL_CTX_check_private_key(ctx) == 1);
	check(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), o->cert) == 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	EVP_PKEY_free(k);
	OPENSSL_free((void *)(uintptr_t)spki.p);
	return ctx;
}

static bool shake(SSL_CTX *server_ctx, SSL_CTX *client_ctx)
{
	SSL *server = SSL_new(server_ctx), *client = SSL_new(client_ctx);
	BIO *a, *b;
	int x = 0, y = 0;

	check(BIO_new_bio_pair(&a, 65536, &b, 65536) == 1);
	SSL_set_bio(server, a, a);
	SSL_set_bio(client, b, b);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < 20 && (x != 1 || y != 1); i++) {
		y = SSL_do_handshake(client);
		x = SSL_do_handshake(server);
	}
	SSL_free(server);
	SSL_free(client);
	return x == 1 && y == 1;
}

TEST(handshakes_of_all_keys_and_versions_are_signed_elsewhere)
{
	static const char *const kinds[] = { "P-256", "P-384", "RSA", "RSA-PSS", "ED25519" };
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct own o = make(kinds[i]);
		struct world w;

		start(&w, &o, 1000);
		for (size_t v = 0; v < 2; v++) {
			SSL_CTX *server = context(&o, w.line, versions[v]);
			SSL_CTX *client = context(&o, w.line, versions[v]);
			bool ok = shake(server, client);

			/* key agreement over a curve of the same name as our key's */
			check(SSL_CTX_set1_groups_list(server, "P-256:P-384") == 1);
			ok = ok && shake(server, client) && shake(server, client);

			printf("  %s, TLS 1.%d: %s\n", kinds[i], versions[v] == TLS1_2_VERSION ? 2 : 3,
			       ok ? "both sides" : "failed");
			if (!ok)
				ERR_print_errors_fp(stderr);
			check(ok);
			SSL_CTX_free(server);
			SSL_CTX_free(client);
		}
		stop(&w);
		forget(&o);
	}
}

TEST(others_keys_stay_with_openssl)
{
	static const char *const names[] = { "RSA", "EC", "ED25519" };
	EVP_PKEY *k = EVP_EC_gen("P-256");
	struct own o = make("P-256");
	struct view spki = spki_of(&o);
	EVP_PKEY *ours = sign_key(spki, NULL);

	for (size_t i = 0; i < 3; i++) {
		EVP_KEYMGMT *m = EVP_KEYMGMT_fetch(NULL, names[i], NULL);

		check(m && strcmp(OSSL_PROVIDER_get0_name(EVP_KEYMGMT_get0_provider(m)), "default") == 0);
		EVP_KEYMGMT_free(m);
	}
	check(k && strcmp(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(k)), "default") == 0);
	EVP_PKEY_free(k);
	EVP_PKEY_free(ours);
	OPENSSL_free((void *)(uintptr_t)spki.p);
	forget(&o);
}

/* --- what is refused --- */

static size_t fill13(uint8_t *to)
{
	memset(to, ' ', 64);
	memcpy(to + 64, "TLS 1.3, server CertificateVerify", 34);
	memset(to + 98, 7, 32);
	return 130;
}

static size_t fill_exchange(uint8_t *to)
{
	memset(to, 9, 64);
	memcpy(to + 64, "\x03\x00\x1d\x20", 4);
	memset(to + 68, 5, 32);
	return 100;
}

static size_t fill_verify(uint8_t *to)
{
	static const uint8_t types[] = { 1, 2, 11, 12, 13, 14, 11, 16 };

	for (size_t i = 0; i < sizeof types; i++)
		memcpy(to + i * 6, (uint8_t[]){ types[i], 0, 0, 2, 1, 1 }, 6);
	return 6 * sizeof types;
}

static enum sign_answer ask(struct world *w, const uint8_t *id, uint16_t scheme, struct view content)
{
	struct sign_request r = { .key = { id, SIGN_KEY_ID }, .scheme = scheme, .content = content };
	uint8_t signature[SIGN_SIGNATURE_MAX];
	size_t n;
	enum err err = sign_ask(w->line, &r, signature, &n);

	if (err == ERR_OK)
		return SIGN_SIGNED;
	check_eq(err, ERR_REFUSED);
	for (int a = 1; a < SIGN_ANSWER_N; a++) {
		if (strcmp(sign_why(), sign_answer_text((enum sign_answer)a)) == 0)
			return (enum sign_answer)a;
	}
	abort();
}

TEST(nothing_but_a_handshake_is_signed)
{
	static const struct {
		const char *what;
		size_t (*fill)(uint8_t *to);
		size_t at; /* a byte that is changed; SIZE_MAX: none */
		int cut;
		uint16_t scheme;
		enum sign_answer answer;
	} cases[] = {
		{ "a CertificateVerify of TLS 1.3", fill13, SIZE_MAX, 0, 0x0403, SIGN_SIGNED },
		{ "a ServerKeyExchange", fill_exchange, SIZE_MAX, 0, 0x0503, SIGN_SIGNED },
		{ "a CertificateVerify of TLS 1.2", fill_verify, SIZE_MAX, 0, 0x0403, SIGN_SIGNED },
		{ "63 spaces", fill13, 63, 0, 0x0403, SIGN_FORM },
		{ "another context", fill13, 75, 0, 0x0403, SIGN_FORM },
		{ "no zero behind the context", fill13, 97, 0, 0x0403, SIGN_FORM },
		{ "a hash of 31 bytes", fill13, SIZE_MAX, 1, 0x0403, SIGN_FORM },
		{ "explicit curve parameters", fill_exchange, 64, 0, 0x0403, SIGN_FORM },
		{ "a curve that is not ours", fill_exchange, 66, 0, 0x0403, SIGN_FORM },
		{ "a point of another length", fill_exchange, 67, 0, 0x0403, SIGN_FORM },
		{ "a handshake that begins otherwise", fill_verify, 0, 0, 0x0403, SIGN_FORM },
		{ "one that ends early", fill_verify, SIZE_MAX, 6, 0x0403, SIGN_FORM },
		{ "one whose length is a lie", fill_verify, 3, 0, 0x0403, SIGN_FORM },
		{ "a scheme that nobody knows", fill13, SIZE_MAX, 0, 0xffff, SIGN_SCHEME },
		{ "a scheme of another key", fill13, SIZE_MAX, 0, 0x0804, SIGN_SCHEME },
		{ "PKCS1 in TLS 1.3", fill13, SIZE_MAX, 0, 0x0401, SIGN_SCHEME },
	};
	struct own o = make("P-256");
	struct view spki = spki_of(&o);
	uint8_t id[SIGN_KEY_ID], room[512];
	struct world w;

	sign_key_id(spki, id);
	start(&w, &o, 1000);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t n = cases[i].fill(room);

		printf("  %s\n", cases[i].what);
		fflush(stdout);
		if (cases[i].at != SIZE_MAX)
			room[cases[i].at] ^= 0x40;
		check_eq(ask(&w, id, cases[i].scheme, (struct view){ room, n - (size_t)cases[i].cut }),
			 cases[i].answer);
	}
	id[0] ^= 1;
	check_eq(ask(&w, id, 0x0403, (struct view){ room, fill13(room) }), SIGN_KEY);
	stop(&w);
	OPENSSL_free((void *)(uintptr_t)spki.p);
	forget(&o);
}

TEST(a_role_has_its_limit_and_does_not_use_up_anothers)
{
	struct own o = make("P-256");
	struct view spki = spki_of(&o);
	uint8_t id[SIGN_KEY_ID], room[512];
	struct world w, other;
	int refused = 0;

	sign_key_id(spki, id);
	start(&w, &o, 20);
	other.line = new_line(w.signer, "home");
	for (int i = 0; i < 60; i++)
		refused += ask(&w, id, 0x0403, (struct view){ room, fill13(room) }) == SIGN_RATE;
	check(refused >= 20 && refused <= 40);
	check_eq(ask(&other, id, 0x0403, (struct view){ room, fill13(room) }), SIGN_SIGNED);
	sign_line_free(other.line);
	stop(&w);
	OPENSSL_free((void *)(uintptr_t)spki.p);
	forget(&o);
}

TEST(a_renewed_key_stands_beside_the_one_before)
{
	struct own first = make("P-256"), second = make("RSA"), odd = first;
	struct view spki[2] = { spki_of(&first), spki_of(&second) };
	uint8_t id[2][SIGN_KEY_ID], room[512];
	struct world w;

	sign_key_id(spki[0], id[0]);
	sign_key_id(spki[1], id[1]);
	start(&w, &first, 1000);
	check_eq(ask(&w, id[1], 0x0804, (struct view){ room, fill13(room) }), SIGN_KEY);
	odd.key_pem = second.key_pem;
	check_eq(signer_renew(w.signer, &odd.chain_pem, &odd.key_pem, why), ERR_CONFIG);
	check(strstr(why, "key.pem: does not match the certificate"));
	for (int i = 0; i < SIGNER_KEYS + 2; i++) /* the same again takes no room */
		check_eq(signer_renew(w.signer, &second.chain_pem, &second.key_pem, why), ERR_OK);
	check_eq(ask(&w, id[1], 0x0804, (struct view){ room, fill13(room) }), SIGN_SIGNED);
	check_eq(ask(&w, id[0], 0x0403, (struct view){ room, fill13(room) }), SIGN_SIGNED);
	stop(&w);
	for (int i = 0; i < 2; i++)
		OPENSSL_free((void *)(uintptr_t)spki[i].p);
	forget(&first);
	forget(&second);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

TEST(a_signer_that_is_gone_or_silent_holds_nobody_up)
{
	uint8_t room[512], signature[SIGN_SIGNATURE_MAX];
	struct sign_request r = { .key = { room, SIGN_KEY_ID }, .scheme = 0x0403,
				  .content = { room, fill13(room) } };
	uint64_t began = now_ms();
	int pair[2];
	size_t n;
	struct sign_line *l;

	check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	l = sign_line_new(pair[1]);
	close(pair[0]);
	check_eq(sign_ask(l, &r, signature, &n), ERR_AGAIN);
	check(strstr(sign_why(), "starts it again"));
	check(now_ms() - began < 200);
	check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	sign_line_take(l, pair[1]);
	began = now_ms();
	check_eq(sign_ask(l, &r, signature, &n), ERR_AGAIN);
	check(strstr(sign_why(), "in time"));
	check(now_ms() - began >= SIGN_WAIT_MS && now_ms() - began < 4 * SIGN_WAIT_MS);
	began = now_ms();
	for (int i = 0; i < 1000; i++) /* and the next do not wait at all */
		check_eq(sign_ask(l, &r, signature, &n), ERR_AGAIN);
	check(now_ms() - began < SIGN_WAIT_MS);
	sign_line_free(l);
	close(pair[0]);
}

TESTS(T(handshakes_of_all_keys_and_versions_are_signed_elsewhere), T(others_keys_stay_with_openssl),
      T(nothing_but_a_handshake_is_signed), T(a_role_has_its_limit_and_does_not_use_up_anothers),
      T(a_renewed_key_stands_beside_the_one_before), T(a_signer_that_is_gone_or_silent_holds_nobody_up))
