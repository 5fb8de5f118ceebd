#include "home/bsf_in.h"
#include "home/worker.h"

#include "base/base64.h"
#include "base/log.h"
#include "crypto/gba.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define CONN_MAX 64
#define CONN_ADDRESS_MAX 16
#define BODY_MAX 1024

static void domain_of(uint64_t plmn, char to[64])
{
	char digits[BCD_TEXT];
	const char *mnc = digits + 3;

	bcd_text(plmn, digits);
	snprintf(to, 64, "@ims.mnc%s%.3s.mcc%.3s.3gppnetwork.org", strlen(mnc) == 2 ? "0" : "", mnc,
		 digits);
}

void bsf_impi(uint64_t imsi, uint64_t own_plmn, char to[80])
{
	char digits[BCD_TEXT], domain[64];

	bcd_text(imsi, digits);
	domain_of(own_plmn, domain);
	snprintf(to, 80, "%s%s", digits, domain);
}

uint64_t bsf_imsi(struct view impi, uint64_t own_plmn)
{
	const uint8_t *at = impi.n > 0 ? memchr(impi.p, '@', impi.n) : NULL;
	size_t n = at ? (size_t)(at - impi.p) : 0;
	char domain[64];

	domain_of(own_plmn, domain);
	if (n < 6 || n > 15 || !view_eq((struct view){at, impi.n - n}, view_of(domain)))
		return 0;
	return bcd_of(view_first(impi, n));
}

static void *serve(void *ctx)
{
	struct bsf *b = ctx;
	struct pollfd p = {.fd = web_fd(b->web), .events = POLLIN};

	while (!atomic_load(&b->stop)) {
		poll(&p, 1, (int)web_wait_ms(b->web));
		web_run(b->web);
	}
	return NULL;
}

static enum err listen_ub(struct bsf *b, const struct bsf_conf *conf, char why[256])
{
	const struct web_conf c = {
	    .listen = conf->listen,
	    .chain = conf->chain,
	    .key = conf->key,
	    .conn_max = CONN_MAX,
	    .conn_address_max = CONN_ADDRESS_MAX,
	    .body_max = BODY_MAX,
	    .request = bsf_ub,
	    .ctx = b,
	};

	return web_open(&b->web, &c, why);
}

enum err bsf_open(struct bsf **out, struct home_worker *w, const struct bsf_conf *conf, char why[256])
{
	struct bsf *b = calloc(1, sizeof *b);
	enum err err = ERR_FULL;

	*out = NULL;
	snprintf(why, 256, "home: out of memory");
	if (!b)
		return ERR_FULL;
	b->conf = *conf;
	b->conf.chain = b->conf.key = NULL;
	b->conf.listen = NULL;
	b->w = w;
	b->own_plmn = w->self.own_plmn;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->answered, NULL);
	b->ask_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->table = bsf_table_new(conf->subscribers);
	if (b->ask_fd >= 0 && b->table && view_text(conf->name, b->name, sizeof b->name))
		err = listen_ub(b, conf, why);
	if (!err)
		err = loop_watch(w->loop, b->ask_fd, bsf_asked, b);
	if (err) {
		bsf_close(b);
		return err;
	}
	*out = b;
	return ERR_OK;
}

void bsf_start(struct bsf *b)
{
	b->started = pthread_create(&b->thread, NULL, serve, b) == 0;
	if (!b->started)
		LOG(LOG_ERROR, "home.no_bootstrapping", KV("why", "no thread can be made"));
}

void bsf_close(struct bsf *b)
{
	if (!b)
		return;
	atomic_store(&b->stop, true);
	if (b->started)
		pthread_join(b->thread, NULL);
	web_close(b->web);
	if (b->ask_fd >= 0)
		close(b->ask_fd);
	bsf_table_free(b->table);
	pthread_cond_destroy(&b->answered);
	pthread_mutex_destroy(&b->lock);
	secret_wipe(b, sizeof *b);
	free(b);
}

void bsf_withdraw(struct bsf *b, uint64_t imsi)
{
	struct bsf_sub *s;

	pthread_mutex_lock(&b->lock);
	s = bsf_table_sub(b->table, imsi, false);
	if (s)
		bsf_table_withdraw(s);
	pthread_mutex_unlock(&b->lock);
}

/* NAF_Id is the FQDN and 5 octets; only the application that has it may ask (TS 29.109 5.2). */
static bool may_ask(const struct bsf *b, struct view naf_id, struct view from)
{
	struct view fqdn = {naf_id.p, naf_id.n > 5 ? naf_id.n - 5 : 0};

	for (size_t i = 0; i < b->conf.naf_n; i++) {
		if (view_eq_case(fqdn, b->conf.naf[i].fqdn) && view_eq_case(from, b->conf.naf[i].host))
			return true;
	}
	return false;
}

/* "base64(RAND)@name" */
static bool rand_of(const struct bsf *b, struct view btid, uint8_t rand[16])
{
	const uint8_t *at = btid.n > 0 ? memchr(btid.p, '@', btid.n) : NULL;
	struct wr w = {.p = rand, .cap = 16};
	size_t n = at ? (size_t)(at - btid.p) : 0;

	return at && view_eq_case((struct view){at + 1, btid.n - n - 1}, view_of(b->name)) &&
	       base64_get(view_first(btid, n), false, &w) == ERR_OK && w.n == 16;
}

enum result bsf_naf_key(struct bsf *b, struct view btid, struct view naf_id, struct view from,
			struct bsf_key *out)
{
	enum result result = RESULT_NO_SESSION;
	const struct bsf_sub *s = NULL;
	uint8_t rand[16];
	enum err err = ERR_OK;

	memset(out, 0, sizeof *out);
	if (!may_ask(b, naf_id, from))
		return RESULT_NAF_REFUSED;
	if (!rand_of(b, btid, rand))
		return result;
	pthread_mutex_lock(&b->lock);
	s = bsf_table_session(b->table, rand, loop_wall(b->w->loop) / 1000);
	if (s) {
		*out = (struct bsf_key){.imsi = s->imsi, .made_s = s->made_s, .expires_s = s->expires_s};
		bsf_impi(s->imsi, b->own_plmn, out->impi);
		err = gba_naf_key(&s->ks, rand, view_of(out->impi), naf_id, &out->ks_naf);
		result = err ? RESULT_UNABLE : RESULT_OK;
	}
	pthread_mutex_unlock(&b->lock);
	return result;
}
