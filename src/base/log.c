#include "base/log.h"

#include "base/bcd.h"
#include "base/hash.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ID_PREFIX 5 /* MCC and MNC stay readable */
#define LINE_MAX_BYTES 4096
#define PER_SECOND 500

static const char *const level_names[] = {"error", "note", "debug"};
static const char *role_name = "merlon";
static uint8_t site[HASH_KEY];
static _Atomic enum log_level shown = LOG_NOTE;
static _Atomic bool clear_ids;
static int sink = -1;
static _Atomic uint64_t lost, seq;

struct kv kv_text(const char *key, const char *text)
{
	return (struct kv){key, KV_TEXT, {.text = text}};
}

struct kv kv_view(const char *key, struct view view)
{
	return (struct kv){key, KV_VIEW, {.view = view}};
}

struct kv kv_num(const char *key, uint64_t num)
{
	return (struct kv){key, KV_NUM, {.num = num}};
}

struct kv kv_real(const char *key, double real)
{
	return (struct kv){key, KV_REAL, {.real = real}};
}

struct kv kv_id(const char *key, uint64_t bcd)
{
	return (struct kv){key, KV_SUBSCRIBER, {.num = bcd}};
}

static void put(struct wr *w, const char *s)
{
	wr_view(w, view_of(s));
}

/* A JSON string's inside: what is not plain ASCII is escaped, so a line is always one line. */
static void put_escaped(struct wr *w, struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		char b[8];

		if (v.p[i] >= 0x20 && v.p[i] < 0x7f && v.p[i] != '"' && v.p[i] != '\\')
			snprintf(b, sizeof b, "%c", v.p[i]);
		else
			snprintf(b, sizeof b, "\\u%04x", v.p[i]);
		put(w, b);
	}
}

static void put_subscriber(struct wr *w, uint64_t id)
{
	char text[BCD_TEXT], hash[24];
	size_t n = bcd_text(id, text);

	if (!clear_ids && n > ID_PREFIX)
		text[ID_PREFIX] = 0;
	put(w, text);
	if (!clear_ids && n > ID_PREFIX) {
		snprintf(hash, sizeof hash, "~%08x", (uint32_t)hash_u64(site, id, 0));
		put(w, hash);
	}
}

void log_identity(uint64_t bcd, char *to, size_t cap)
{
	struct wr w = {.p = (uint8_t *)to, .cap = cap - 1};

	put_subscriber(&w, bcd);
	to[w.err ? 0 : w.n] = 0;
}

static void put_value(struct wr *w, const struct kv *kv)
{
	char b[40];

	if (kv->kind == KV_NUM || kv->kind == KV_REAL) {
		if (kv->kind == KV_NUM)
			snprintf(b, sizeof b, "%llu", (unsigned long long)kv->num);
		else
			snprintf(b, sizeof b, "%.6g", kv->real);
		put(w, b);
		return;
	}
	put(w, "\"");
	if (kv->kind == KV_TEXT)
		put_escaped(w, view_of(kv->text));
	else if (kv->kind == KV_VIEW)
		put_escaped(w, kv->view);
	else
		put_subscriber(w, kv->num);
	put(w, "\"");
}

static void put_head(struct wr *w, enum log_level level, const char *event)
{
	struct timespec t;
	char b[128];

	clock_gettime(CLOCK_REALTIME, &t);
	snprintf(b, sizeof b, "{\"time\":%lld.%06ld,\"seq\":%llu,\"role\":\"%s\",\"level\":\"%s\"",
		 (long long)t.tv_sec, t.tv_nsec / 1000,
		 (unsigned long long)atomic_fetch_add(&seq, 1), role_name, level_names[level]);
	put(w, b);
	put(w, ",\"event\":\"");
	put(w, event);
	put(w, "\"");
}

static void emit(const uint8_t *p, size_t n)
{
	if (sink < 0) {
		if (write(STDERR_FILENO, p, n) < 0)
			atomic_fetch_add(&lost, 1);
	} else if (send(sink, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		atomic_fetch_add(&lost, 1);
	}
}

/* Has this thread written too many events of this name within the second? A peer can make us say the
 * same thing over and over; it must not cost a line each time. Names that share a place share the limit. */
static bool too_often(const char *event)
{
	static _Thread_local struct {
		time_t second;
		uint32_t n;
	} places[64];
	size_t at = ((uintptr_t)event * 0x9e3779b97f4a7c15u) >> 58;
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	if (places[at].second != t.tv_sec) {
		places[at].second = t.tv_sec;
		places[at].n = 0;
	}
	return ++places[at].n > PER_SECOND;
}

void log_write(enum log_level level, const char *event, const struct kv *kv)
{
	uint8_t line[LINE_MAX_BYTES];
	struct wr w = {.p = line, .cap = sizeof line - 2};

	if (level > shown)
		return;
	if (level != LOG_ERROR && too_often(event)) {
		atomic_fetch_add(&lost, 1);
		return;
	}
	put_head(&w, level, event);
	for (; kv->kind != KV_END; kv++) {
		size_t before = w.n;

		put(&w, ",\"");
		put(&w, kv->key);
		put(&w, "\":");
		put_value(&w, kv);
		if (w.err) { /* a field that does not fit is left out whole */
			w.n = before;
			w.err = ERR_OK;
		}
	}
	line[w.n++] = '}';
	line[w.n++] = '\n';
	emit(line, w.n);
}

void log_init(const char *role, const uint8_t site_key[16], enum log_level level)
{
	role_name = role;
	memcpy(site, site_key, sizeof site);
	shown = level;
}

void log_show(enum log_level level)
{
	shown = level;
}

void log_clear_identities(bool clear)
{
	clear_ids = clear;
}

void log_to(int fd)
{
	sink = fd;
}

uint64_t log_lost(void)
{
	return atomic_load(&lost);
}
