/* TLS between two loops, with certificates made here. R-3.b: a peer with a wrong certificate is refused. */
#include "base/metric.h"
#include "loop/child.h"
#include "loop/loop.h"
#include "loop/sandbox.h"
#include "loop/tls.h"
#include "unit/test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct loop_limits limits = { .conn_max = 8, .frame_max = 65536, .out_max = 1 << 20,
					  .handshake_ms = 500 };
static char dir[] = "/tmp/merlon_tls_XXXXXX";

struct pair {
	EVP_PKEY *key;
	X509 *cert;
};

static struct pair ca, other_ca;

/* --- certificates --------------------------------------------------------------------------- */

static void extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	check(e && X509_add_ext(x, e, -1) == 1);
	X509_EXTENSION_free(e);
}

/* Valid from `from` to `to` seconds around now; signed by itself when `by` is NULL. */
static struct pair make(const char *cn, const char *san, const struct pair *by, long from, long to)
{
	static long serial = 1;
	struct pair p = { EVP_EC_gen("P-256"), X509_new() };
	X509_NAME *name = X509_get_subject_name(p.cert);

	check(p.key && p.cert);
	X509_set_version(p.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(p.cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(p.cert), from);
	X509_gmtime_adj(X509_getm_notAfter(p.cert), to);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(p.cert, by ? X509_get_subject_name(by->cert) : name);
	X509_set_pubkey(p.cert, p.key);
	extend(p.cert, NID_basic_constraints, by ? "CA:FALSE" : "critical,CA:TRUE");
	if (san)
		extend(p.cert, NID_subject_alt_name, san);
	check(X509_sign(p.cert, by ? by->key : p.key, EVP_sha256()) > 0);
	return p;
}

static const char *path(const char *name)
{
	static char text[8][128];
	static unsigned int i;
	char *to = text[i++ % 8];

	snprintf(to, sizeof text[0], "%s/%s", dir, name);
	return to;
}

static void save(const struct pair *p, const char *cert, const char *key)
{
	FILE *f = fopen(path(cert), "w");

	check(f && PEM_write_X509(f, p->cert) == 1 && fclose(f) == 0);
	f = fopen(path(key), "w");
	check(f && PEM_write_PrivateKey(f, p->key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0);
}

static void forget(struct pair *p)
{
	EVP_PKEY_free(p->key);
	X509_free(p->cert);
}

static void issue(const char *file, const char *cn, const char *san, const struct pair *by, long from,
		  long to)
{
	struct pair p = make(cn, san, by, from, to);
	char cert[64], key[64];

	snprintf(cert, sizeof cert, "%s.pem", file);
	snprintf(key, sizeof key, "%s.key", file);
	save(&p, cert, key);
	forget(&p);
}

static void revoke_cert(const char *file)
{
	X509_CRL *crl = X509_CRL_new();
	X509_REVOKED *r = X509_REVOKED_new();
	ASN1_TIME *t = ASN1_TIME_new();
	FILE *f = fopen(path(file), "r");
	X509 *x = PEM_read_X509(f, NULL, NULL, NULL);

	fclose(f);
	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca.cert));
	X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(t, -60));
	X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(t, 3600));
	X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(x));
	X509_REVOKED_set_revocationDate(r, X509_gmtime_adj(t, -30));
	X509_CRL_add0_revoked(crl, r);
	check(X509_CRL_sign(crl, ca.key, EVP_sha256()) > 0);
	f = fopen(path("crl.pem"), "w");
	check(f && PEM_write_X509_CRL(f, crl) == 1 && fclose(f) == 0);
	ASN1_TIME_free(t);
	X509_CRL_free(crl);
	X509_free(x);
}

static void make_all(void)
{
	if (ca.cert)
		return;
	check(mkdtemp(dir));
	ca = make("test CA", NULL, NULL, -60, 86400 * 30);
	other_ca = make("another CA", NULL, NULL, -60, 86400);
	save(&ca, "ca.pem", "ca.key");
	save(&other_ca, "other_ca.pem", "other_ca.key");
	issue("edge", "edge", "DNS:edge.example.org", &ca, -60, 86400 * 10 + 3600);
	issue("mme", "ignored", "DNS:mme.visited.example,DNS:mme2.visited.example", &ca, -60, 86400);
	issue("cn", "mme.cn.example", NULL, &ca, -60, 86400);
	issue("old", "old", "DNS:old.example", &ca, -7200, -3600);
	issue("early", "early", "DNS:early.example", &ca, 3600, 7200);
	issue("foreign", "foreign", "DNS:foreign.example", &other_ca, -60, 86400);
	issue("revoked", "revoked", "DNS:revoked.example", &ca, -60, 86400);
	revoke_cert("revoked.pem");
}

/* --- two loops ------------------------------------------------------------------------------ */

struct seen {
	struct loop *loop;
	size_t up_n, down_n, byte_n, want_n;
	bool echo;
	char names[256], why[128];
};

static size_t frame(struct view in)
{
	return in.n < 4 ? 0 : (size_t)in.p[0] << 24 | (size_t)in.p[1] << 16 | (size_t)in.p[2] << 8 | in.p[3];
}

static void up(void *ctx, struct conn *c)
{
	struct conn_info info = conn_info(c);
	struct seen *s = ctx;

	s->up_n++;
	s->names[0] = 0;
	for (size_t i = 0; i < info.cert_name_n; i++)
		snprintf(s->names + strlen(s->names), 128, "%.*s ", (int)info.cert_names[i].n,
			 (const char *)info.cert_names[i].p);
}

static void message(void *ctx, struct conn *c, struct view v)
{
	struct seen *s = ctx;

	s->byte_n += v.n;
	if (s->echo)
		check(conn_write(c, v));
	else if (s->byte_n >= s->want_n)
		conn_close(c);
}

static void down(void *ctx, struct conn *c, const char *why)
{
	struct seen *s = ctx;

	(void)c;
	s->down_n++;
	snprintf(s->why, sizeof s->why, "%s", why);
	if (!s->echo)
		loop_stop(s->loop);
}

static const struct conn_ops ops = { frame, up, message, down };

static void *run(void *loop)
{
	loop_run(loop);
	return NULL;
}

static struct tls *load(const char *chain, const char *key, const char *trust, const char *crl,
			char why[256])
{
	struct tls_files f = { chain ? path(chain) : NULL, key ? path(key) : NULL,
			       trust ? path(trust) : NULL, crl ? path(crl) : NULL, NULL };
	enum err err;
	struct tls *t = tls_new(&f, &err, why);

	check_eq(err, t ? ERR_OK : ERR_CONFIG);
	return t;
}

struct server {
	struct seen seen;
	struct endpoint at;
	struct tls *tls;
	pthread_t thread;
};

static void serve(struct server *s, const char *crl)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char why[256];

	make_all();
	check(bind(fd, (struct sockaddr *)&a, n) == 0);
	check(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
	close(fd);
	s->seen = (struct seen){ .loop = loop_new(&limits), .echo = true };
	s->tls = load("edge.pem", "edge.key", "ca.pem", crl, why);
	check(s->tls);
	s->at = (struct endpoint){ .link = LINK_TLS, .address_n = 1, .port = ntohs(a.sin_port),
				   .address = { "127.0.0.1" } };
	check_eq(loop_listen(s->seen.loop, &s->at, s->tls, false, &ops, &s->seen, why), ERR_OK);
	check(pthread_create(&s->thread, NULL, run, s->seen.loop) == 0);
}

static void stop(struct server *s)
{
	loop_stop(s->seen.loop);
	pthread_join(s->thread, NULL);
	loop_free(s->seen.loop);
	tls_free(s->tls);
}

/* Send frames of `n` bytes with that certificate, and wait for their echo or the end. */
static struct seen call_many(const struct server *s, const char *who, const char *trust, size_t n,
			     size_t frame_n)
{
	struct seen me = { .loop = loop_new(&limits), .want_n = n * frame_n };
	char chain[64], key[64], why[256];
	uint8_t *bytes = calloc(1, n);
	struct tls *t;
	struct conn *c;

	snprintf(chain, sizeof chain, "%s.pem", who);
	snprintf(key, sizeof key, "%s.key", who);
	t = load(chain, key, trust, NULL, why);
	check(t);
	for (size_t i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(n >> (24 - 8 * i));
	c = loop_connect(me.loop, &s->at, t, &ops, &me, NULL);
	for (size_t i = 0; i < frame_n; i++)
		check(conn_write(c, (struct view){ bytes, n }));
	loop_run(me.loop);
	loop_free(me.loop);
	tls_free(t);
	free(bytes);
	return me;
}

static struct seen call(const struct server *s, const char *who, const char *trust, size_t n)
{
	return call_many(s, who, trust, n, 1);
}

TEST(certified_peers_talk_and_know_each_others_names)
{
	struct server s;
	struct seen me;

	serve(&s, NULL);
	me = call(&s, "mme", "ca.pem", 300);
	check_eq(me.byte_n, 300);
	check(strcmp(me.names, "edge.example.org ") == 0);
	check(strcmp(me.why, "closed") == 0);
	me = call(&s, "cn", "ca.pem", 65536);
	check_eq(me.byte_n, 65536);
	stop(&s);
	check_eq(s.seen.up_n, 2);
	check(strcmp(s.seen.names, "mme.cn.example ") == 0);
}

TEST(much_data_passes_both_ways_whatever_the_buffers)
{
	struct server s;
	struct seen me;

	serve(&s, NULL);
	for (int i = 0; i < 5; i++) {
		me = call_many(&s, "mme", "ca.pem", 60000, 16);
		check_eq(me.byte_n, 60000 * 16);
	}
	me = call_many(&s, "mme", "ca.pem", 100, 9000);
	check_eq(me.byte_n, 100 * 9000);
	stop(&s);
}

static void stop_it(void *loop)
{
	loop_stop(loop);
}

static int sandboxed_server(void *ctx, int control)
{
	struct server *s = ctx;
	char why[256], degraded[128];

	s->seen = (struct seen){ .loop = loop_new(&limits), .echo = true };
	s->tls = load("edge.pem", "edge.key", "ca.pem", "crl.pem", why);
	if (loop_listen(s->seen.loop, &s->at, s->tls, false, &ops, &s->seen, why) ||
	    sandbox_enter(&(struct sandbox){ .user = "65533" }, degraded, why))
		return 1;
	child_say(control, CHILD_READY, NULL, NULL, 0);
	loop_every(s->seen.loop, 1500, stop_it, s->seen.loop);
	loop_run(s->seen.loop);
	return s->seen.up_n == 2 ? 0 : 2;
}

TEST(tls_works_inside_the_sandbox)
{
	struct server s = { .at = { .link = LINK_TLS, .address_n = 1, .port = 29912,
				    .address = { "127.0.0.1" } } };
	struct child_message m;
	struct child c;
	char end[96];
	int status;

	make_all();
	check_eq(child_start(&c, "edge", NULL, 0, sandboxed_server, &s), ERR_OK);
	check_eq(child_hear(c.control, &m, 5000), ERR_OK);
	check_eq(m.word, CHILD_READY);
	check_eq(call(&s, "mme", "ca.pem", 30000).byte_n, 30000);
	check_eq(call(&s, "foreign", "ca.pem", 300).byte_n, 0);
	check_eq(call(&s, "cn", "ca.pem", 300).byte_n, 300);
	child_end(&c, 5000, &status, end);
	printf("  %s\n", end);
	check_eq(status, 0);
}

TEST(all_dns_names_are_shown_and_the_common_name_is_not)
{
	struct server s;

	serve(&s, "crl.pem");
	check_eq(call(&s, "mme", "ca.pem", 4).byte_n, 4);
	stop(&s);
	check(strcmp(s.seen.names, "mme.visited.example mme2.visited.example ") == 0);
}

TEST(a_peer_whose_certificate_does_not_lead_to_our_ca_is_refused)
{
	uint64_t before = metric_get(M_LOOP_CLOSED, 4);
	struct server s;
	struct seen me;

	serve(&s, "crl.pem");
	me = call(&s, "foreign", "ca.pem", 4);
	check_eq(me.byte_n, 0);
	me = call(&s, "revoked", "ca.pem", 4);
	check_eq(me.byte_n, 0);
	printf("  %s\n", me.why);
	stop(&s);
	check_eq(s.seen.up_n, 0);
	check_eq(s.seen.down_n, 0);
	check_eq(metric_get(M_LOOP_CLOSED, 4), before + 2);
}

TEST(we_refuse_a_server_whose_certificate_does_not_lead_to_our_ca)
{
	struct server s;
	struct seen me;

	serve(&s, NULL);
	me = call(&s, "mme", "other_ca.pem", 4);
	check_eq(me.up_n, 0);
	check_eq(me.down_n, 1);
	check(strcmp(me.why, "unable to get local issuer certificate") == 0);
	stop(&s);
}

/* A plain OpenSSL client. The last read tells, in TLS 1.3, whether the server accepted. */
static bool foreign_client(const struct server *s, int version, const char *cipher, const char *chain,
			   const char *key)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(s->at.port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct timeval patience = { .tv_sec = 3 };
	SSL *ssl;
	char b[4] = { 0, 0, 0, 4 };
	bool ok;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	check(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	check(SSL_CTX_set_cipher_list(ctx, cipher) == 1);
	if (chain) {
		check(SSL_CTX_use_certificate_chain_file(ctx, path(chain)) == 1);
		check(SSL_CTX_use_PrivateKey_file(ctx, path(key), SSL_FILETYPE_PEM) == 1);
	}
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	ok = SSL_connect(ssl) == 1 && SSL_write(ssl, b, 4) == 4 && SSL_read(ssl, b, 4) == 4;
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	return ok;
}

TEST(old_versions_weak_ciphers_and_missing_or_expired_certificates_are_refused)
{
	static const struct {
		const char *why;
		int version;
		const char *cipher, *chain, *key;
		bool ok;
	} cases[] = {
		{ "TLS 1.3", TLS1_3_VERSION, "DEFAULT", "mme.pem", "mme.key", true },
		{ "TLS 1.2", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "mme.pem", "mme.key", true },
		{ "TLS 1.1", TLS1_1_VERSION, "ALL:@SECLEVEL=0", "mme.pem", "mme.key", false },
		{ "no AEAD", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA", "mme.pem", "mme.key", false },
		{ "no certificate, 1.2", TLS1_2_VERSION, "DEFAULT", NULL, NULL, false },
		{ "no certificate, 1.3", TLS1_3_VERSION, "DEFAULT", NULL, NULL, false },
		{ "expired", TLS1_3_VERSION, "DEFAULT", "old.pem", "old.key", false },
		{ "not yet valid", TLS1_2_VERSION, "DEFAULT", "early.pem", "early.key", false },
	};
	struct server s;

	serve(&s, NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		printf("  %s\n", cases[i].why);
		check_eq(foreign_client(&s, cases[i].version, cases[i].cipher, cases[i].chain,
					cases[i].key),
			 cases[i].ok);
	}
	stop(&s);
	check_eq(s.seen.up_n, 2);
}

TEST(a_client_that_never_says_hello_is_closed)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct timeval patience = { .tv_sec = 3 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct server s;
	char b;

	serve(&s, NULL);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(s.at.port);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	check(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
	check(send(fd, "\26\3\1", 3, MSG_NOSIGNAL) == 3);
	check(recv(fd, &b, 1, 0) <= 0);
	close(fd);
	stop(&s);
	check_eq(s.seen.up_n, 0);
}

TEST(a_bad_file_is_one_line_that_says_what_and_which)
{
	static const struct {
		const char *chain, *key, *trust, *crl, *say;
	} cases[] = {
		{ "none.pem", "edge.key", "ca.pem", NULL, "tls.chain %s: no such file or directory" },
		{ "edge.key", "edge.key", "ca.pem", NULL, "tls.chain %s: no certificate in PEM form" },
		{ "old.pem", "old.key", "ca.pem", NULL, "tls.chain %s: expired since 2" },
		{ "early.pem", "early.key", "ca.pem", NULL, "tls.chain %s: not valid before 2" },
		{ "edge.pem", "mme.key", "ca.pem", NULL, "tls.key %s: does not match the certificate" },
		{ "edge.pem", "edge.pem", "ca.pem", NULL, "tls.key %s: no unencrypted private key" },
		{ "edge.pem", "none.key", "ca.pem", NULL, "tls.key %s: no such file or directory" },
		{ "edge.pem", "edge.key", "none.pem", NULL, "tls.ca %s: no such file or directory" },
		{ "edge.pem", "edge.key", "edge.key", NULL, "tls.ca %s: no CA certificate" },
		{ "edge.pem", "edge.key", "ca.pem", "ca.pem", "tls.crl %s: no CRL in PEM form" },
		{ "edge.pem", NULL, "ca.pem", NULL, "tls.key (none): not configured" },
	};

	make_all();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *file = strstr(cases[i].say, "chain")  ? cases[i].chain :
				   strstr(cases[i].say, "tls.key") ? cases[i].key :
				   strstr(cases[i].say, "tls.ca") ? cases[i].trust : cases[i].crl;
		char why[256], want[256], at[128];

		check(!load(cases[i].chain, cases[i].key, cases[i].trust, cases[i].crl, why));
		snprintf(at, sizeof at, "%s/%s", dir, file ? file : "");
		snprintf(want, sizeof want, "%.*s%s%s",
			 (int)(strcspn(cases[i].say, "%")), cases[i].say,
			 strchr(cases[i].say, '%') ? at : "",
			 strchr(cases[i].say, '%') ? strchr(cases[i].say, '%') + 2 : "");
		printf("  %s\n", why);
		fflush(stdout);
		check(strncmp(why, want, strlen(want)) == 0);
		check(strchr(why, '\n') == NULL);
	}
}

TEST(the_days_left_of_our_certificate_are_known)
{
	char why[256];
	struct tls *t;

	make_all();
	t = load("edge.pem", "edge.key", "ca.pem", NULL, why);
	check(t);
	check_eq(tls_days_left(t), 10);
	tls_free(t);
}

TEST(files_are_removed)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	forget(&ca);
	forget(&other_ca);
	while ((e = readdir(d)))
		(void)unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	check(rmdir(dir) == 0);
}

TESTS(T(certified_peers_talk_and_know_each_others_names),
      T(much_data_passes_both_ways_whatever_the_buffers), T(tls_works_inside_the_sandbox),
      T(much_data_passes_both_ways_whatever_the_buffers), T(tls_works_inside_the_sandbox),
      T(all_dns_names_are_shown_and_the_common_name_is_not),
      T(a_peer_whose_certificate_does_not_lead_to_our_ca_is_refused),
      T(we_refuse_a_server_whose_certificate_does_not_lead_to_our_ca),
      T(old_versions_weak_ciphers_and_missing_or_expired_certificates_are_refused),
      T(a_client_that_never_says_hello_is_closed),
      T(a_bad_file_is_one_line_that_says_what_and_which),
      T(the_days_left_of_our_certificate_are_known), T(files_are_removed))
