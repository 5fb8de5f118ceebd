#include "home/auc_text.h"
#include "home/vector_limit.h"
#include "home/worker.h"

#include "base/log.h"
#include "base/metric.h"
#include "crypto/crypto.h"
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define READS 64 /* a wake-up */
#define CLAUSE "R-5.3.a"

/* hostapd says AKA-AUTS, hears nothing, and asks for the next vector: the AUTS waits here for that. */
#define AUTS_N 64
#define AUTS_MS 10000
struct auts {
	uint64_t imsi, until_ms; /* imsi 0: empty */
	uint8_t resync[AUC_RESYNC];
};

struct auc {
	int fd;
	size_t auts_next;
	struct auts auts[AUTS_N];
	struct vector_limit limit;
};

enum outcome { VECTORS, AUTS, REFUSED, LIMITED, MALFORMED, UNANSWERED };

/* One request, on its way through here. */
struct asked {
	struct home_worker *w;
	struct sockaddr_un from;
	struct auc_request q;
	struct view resync;
	uint8_t auts[AUC_RESYNC];
};

/* --- opening --- */

static enum err fail(char why[256], const char *path)
{
	snprintf(why, 256, "home.auc_socket %.160s: %s", path, strerror(errno));
	return ERR_IO;
}

/* Remove a socket that is left over; never another kind of file, and not one that is in use. */
static enum err make_room(int fd, const struct sockaddr_un *to, char why[256])
{
	struct stat st;

	if (lstat(to->sun_path, &st) != 0)
		return errno == ENOENT ? ERR_OK : fail(why, to->sun_path);
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(why, 256, "home.auc_socket %.160s: there is a file that is no socket", to->sun_path);
		return ERR_CONFIG;
	}
	if (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0) {
		snprintf(why, 256, "home.auc_socket %.160s: another process answers there", to->sun_path);
		return ERR_EXISTS;
	}
	if (errno != ECONNREFUSED || unlink(to->sun_path) != 0)
		return fail(why, to->sun_path);
	return ERR_OK;
}

static enum err allow(const struct auc_conf *conf, char why[256])
{
	struct group *g = conf->group ? getgrnam(conf->group) : NULL;

	if (conf->group && !g) {
		snprintf(why, 256, "home.auc_group: no group \"%.100s\"", conf->group);
		return ERR_CONFIG;
	}
	if (g && chown(conf->path, (uid_t)-1, g->gr_gid) != 0)
		return fail(why, conf->path);
	return chmod(conf->path, g ? 0660 : 0600) == 0 ? ERR_OK : fail(why, conf->path);
}

static enum err bind_to(int fd, const struct auc_conf *conf, char why[256])
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	mode_t mask;
	enum err err;
	int bad;

	if (conf->path[0] != '/' || !view_text(view_of(conf->path), to.sun_path, sizeof to.sun_path)) {
		snprintf(why, 256, "home.auc_socket: not a path from / of at most %zu bytes",
			 sizeof to.sun_path - 1);
		return ERR_CONFIG;
	}
	err = make_room(fd, &to, why);
	if (err)
		return err;
	mask = umask(0177);
	bad = bind(fd, (struct sockaddr *)&to, sizeof to);
	umask(mask);
	return bad ? fail(why, conf->path) : allow(conf, why);
}

enum err auc_open(struct auc **out, const struct auc_conf *conf, char why[256])
{
	struct auc *a = calloc(1, sizeof *a);
	enum err err;

	if (!a) {
		snprintf(why, 256, "home: out of memory");
		return ERR_FULL;
	}
	a->limit.all_second = conf->all_second;
	a->limit.each_minute = conf->each_minute;
	a->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	err = a->fd < 0 ? fail(why, conf->path) : random_bytes(a->limit.key, sizeof a->limit.key);
	if (!err)
		err = bind_to(a->fd, conf, why);
	if (err)
		auc_close(a);
	else
		*out = a;
	return err;
}

void auc_close(struct auc *a)
{
	if (!a)
		return;
	if (a->fd >= 0)
		close(a->fd);
	free(a);
}

int auc_fd(const struct auc *a)
{
	return a->fd;
}

/* --- answering --- */

static void tell(enum outcome outcome)
{
	metric_add(M_HOME_WIFI, outcome, 1);
}

/* Who asks is found by the name his socket has: without the right to write to it he hears nothing. */
static void unanswered(const char *path)
{
	tell(UNANSWERED);
	LOG(LOG_NOTE, "home.wifi_unanswered", KV("peer", path), KV("error", (const char *)strerror(errno)),
	    KV_CLAUSE(CLAUSE));
}

static void send_line(struct home_worker *w, const char *path, struct view line)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	view_text(view_of(path), to.sun_path, sizeof to.sun_path);
	if (sendto(w->auc->fd, line.p, line.n, MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof to) < 0)
		unanswered(path);
}

void auc_durable(struct home_worker *w, const struct waiting_answer *a, enum err err)
{
	send_line(w, a->path, wr_done(err ? &a->refusal : &a->answer));
}

static void put_answer(struct wr *to, const struct asked *q, const struct auth_result *r)
{
	to->n = 0;
	to->err = ERR_OK;
	auc_put(to, &q->q, r);
}

static void send_now(const struct asked *q, const struct auth_result *r)
{
	struct home_worker *w = q->w;

	put_answer(&w->out, q, r);
	send_line(w, q->from.sun_path, wr_done(&w->out));
	secret_wipe(w->out.p, w->out.n);
}

/* The difference that a genuine AUTS changed must outlive a crash before a vector made with it goes. */
static void send_durable(const struct asked *q, const struct auth_result *r)
{
	static const struct auth_result failed = {.result = RESULT_UNABLE};
	struct home_worker *w = q->w;
	struct waiting_answer *a = waiting_take(w->waiting);

	if (!a) {
		send_now(q, &failed);
		return;
	}
	a->imsi = q->q.imsi;
	view_text(view_of(q->from.sun_path), a->path, sizeof a->path);
	put_answer(&a->answer, q, r);
	put_answer(&a->refusal, q, &failed);
	if (reg_put(w->reg, &r->reg, waiting_token(a))) {
		waiting_give(w->waiting, a);
		send_now(q, &failed);
	}
}

/* --- AUTS --- */

static void auts_keep(struct auc *a, const struct auc_request *q, uint64_t now_ms)
{
	struct auts *s = &a->auts[a->auts_next];

	for (size_t i = 0; i < AUTS_N; i++) {
		if (a->auts[i].imsi == q->imsi)
			s = &a->auts[i];
	}
	if (s == &a->auts[a->auts_next])
		a->auts_next = (a->auts_next + 1) % AUTS_N;
	*s = (struct auts){.imsi = q->imsi, .until_ms = now_ms + AUTS_MS};
	memcpy(s->resync, q->resync, sizeof s->resync);
}

/* Used once. */
static void auts_take(struct asked *q)
{
	struct auc *a = q->w->auc;

	for (size_t i = 0; i < AUTS_N; i++) {
		struct auts *s = &a->auts[i];

		if (s->imsi != q->q.imsi)
			continue;
		if (loop_now(q->w->loop) <= s->until_ms) {
			memcpy(q->auts, s->resync, sizeof q->auts);
			q->resync = (struct view){q->auts, sizeof q->auts};
		}
		s->imsi = 0;
	}
}

/* --- a request --- */

static void tell_result(const struct asked *q, enum result result)
{
	const struct result_row *row = &result_rows[result];

	metric_add(M_HOME_RESULTS, result, 1);
	tell(result ? REFUSED : VECTORS);
	if (result)
		LOG(LOG_NOTE, "home.wifi_refused", KV("op", q->q.kind == AUC_SIM ? "EAP-SIM" : "EAP-AKA"),
		    KV("result", row->text), KV("code", (uint64_t)row->code), kv_id("imsi", q->q.imsi),
		    KV_CLAUSE(row->clause[0] ? row->clause : CLAUSE));
}

static bool too_many(const struct asked *q)
{
	struct home_worker *w = q->w;
	enum limit_by by = vector_limit(&w->auc->limit, q->q.imsi, loop_now(w->loop));

	if (by == LIMIT_NONE)
		return false;
	tell(LIMITED);
	LOG(LOG_NOTE, "home.wifi_limited", KV("of", by == LIMIT_EACH ? "subscriber" : "all"),
	    kv_id("imsi", q->q.imsi), KV_CLAUSE(CLAUSE));
	return true;
}

/* EAP-AKA and EAP-AKA' ask alike. */
static uint16_t methods_of(const struct asked *q)
{
	return q->q.kind == AUC_SIM ? SERVICE_WIFI_SIM : SERVICE_WIFI_AKA | SERVICE_WIFI_AKA_PRIME;
}

static void authenticate_asked(struct asked *q, const struct home_rows *rows, struct auth_result *r)
{
	struct home_worker *w = q->w;
	struct wifi_request ask = {.imsi = q->q.imsi, .methods = methods_of(q), .n = q->q.n};
	struct aka_key key;

	if (q->q.kind == AUC_AKA)
		auts_take(q);
	ask.resync = q->resync;
	w->means.wall_ms = loop_wall(w->loop);
	authenticate_wifi(&w->self, &w->means, rows, worker_key(w, rows, ask.imsi, &key), &ask, r);
	secret_wipe(&key, sizeof key);
	if (ask.resync.n > 0)
		LOG(LOG_NOTE, "home.resync", kv_id("imsi", ask.imsi),
		    KV("genuine", (uint64_t)r->resynced), KV("peer", (const char *)q->from.sun_path),
		    KV_CLAUSE("R-5.6.2.d"));
	if (r->result == RESULT_OK)
		metric_add(M_HOME_VECTORS, r->gsm ? 4 : 3, r->utran_n);
}

/* Bounds are for those who would be given vectors: who is refused draws none. */
static void vectors(struct asked *q)
{
	struct home_worker *w = q->w;
	struct auth_result r = {.result = RESULT_UNABLE};
	struct reg_row reg;
	struct home_rows rows;

	if (w->fresh && q->q.imsi) {
		rows = worker_rows(w, q->q.imsi, &reg);
		r.result = wifi_check(&rows, methods_of(q), loop_wall(w->loop));
	} else if (w->fresh) {
		r.result = RESULT_USER_UNKNOWN;
	}
	if (r.result == RESULT_OK && too_many(q)) {
		r.result = RESULT_NO_VECTORS;
		send_now(q, &r);
		return;
	}
	if (r.result == RESULT_OK)
		authenticate_asked(q, &rows, &r);
	tell_result(q, r.result);
	if (r.result == RESULT_OK && r.store)
		send_durable(q, &r);
	else
		send_now(q, &r);
	secret_wipe(&r, sizeof r);
}

static void take(struct asked *q, struct view line)
{
	struct home_worker *w = q->w;

	if (q->from.sun_path[0] != '/') {
		errno = EDESTADDRREQ;
		unanswered(q->from.sun_path);
	} else if (auc_parse(line, &q->q)) {
		tell(MALFORMED);
		LOG(LOG_NOTE, "home.wifi_malformed", KV("bytes", (uint64_t)line.n), KV_CLAUSE(CLAUSE));
	} else if (q->q.kind == AUC_AUTS) {
		tell(AUTS);
		if (q->q.imsi)
			auts_keep(w->auc, &q->q, loop_now(w->loop));
	} else {
		vectors(q);
	}
}

void auc_readable(void *worker, int fd)
{
	struct home_worker *w = worker;
	uint8_t line[AUC_LINE_MAX + 1];

	worker_renew(w);
	for (int i = 0; i < READS; i++) {
		struct asked q = {.w = w};
		socklen_t n = sizeof q.from - 1; /* so that the path ends in a NUL */
		ssize_t got = recvfrom(fd, line, sizeof line, 0, (struct sockaddr *)&q.from, &n);

		if (got < 0)
			return;
		take(&q, (struct view){line, (size_t)got});
	}
}
