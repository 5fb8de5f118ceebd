/* One call, one event, named fields. An event's name is a constant; its facts are fields.
 *
 * An event becomes one JSON line. It goes to standard error, or, after log_to(), to the role
 * that collects events, over a socket that never blocks: what does not fit is counted
 * (log_lost) and the gap itself becomes an event. */
#pragma once
#include "base/bytes.h"

enum log_level { LOG_ERROR, LOG_NOTE, LOG_DEBUG };

struct kv {
	const char *key;
	enum { KV_END, KV_TEXT, KV_VIEW, KV_NUM, KV_REAL, KV_SUBSCRIBER } kind;
	union {
		const char *text;
		struct view view;
		uint64_t num;
		double real;
	};
};

#define KV(k, v)                                                                                   \
	_Generic((v), struct view: kv_view, const char *: kv_text, char *: kv_text, \
		 double: kv_real, default: kv_num)((k), (v))
#define LOG(level, event, ...)                                                                     \
	log_write((level), (event), (const struct kv[]){__VA_ARGS__, {.kind = KV_END}})

/* The clause of requirements.tsv that an event evidences, "R-5.6.1.h". */
#define KV_CLAUSE(id) kv_text("clause", (id))

struct kv kv_text(const char *key, const char *text);
struct kv kv_view(const char *key, struct view view);
struct kv kv_num(const char *key, uint64_t num);
struct kv kv_real(const char *key, double real);

/* An identity of a person or a device (IMSI, MSISDN, IMEI). Written as operator prefix and a
 * keyed hash, so that a log can be handed on without handing on the subscriber. */
struct kv kv_id(const char *key, uint64_t bcd);

/* Beyond 500 a second of one name (and thread) notes are not written but counted as lost; errors are
 * always written. */
void log_write(enum log_level level, const char *event, const struct kv *kv);

/* An identity as events write it: how its subscriber is found among them. */
void log_identity(uint64_t bcd, char *to, size_t cap);

/* Once per process: its role (borrowed), the site's key for pseudonyms, the lowest level shown. */
void log_init(const char *role, const uint8_t site_key[16], enum log_level level);

/* Show events down to this level from now on. */
void log_show(enum log_level level);

/* Show identities in clear (logging.identities = clear). */
void log_clear_identities(bool clear);

/* Send events to a connected non-blocking datagram socket from now on; -1: standard error. */
void log_to(int fd);

/* Events that found the socket full, or came too often, since the start. */
uint64_t log_lost(void);
