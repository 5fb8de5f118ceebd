/* The watch role: gathers the events of all roles, serves their counters (Prometheus), health and
 * the live view on one port. It reads the roles' shared pages; it asks nobody. */
#pragma once
#include "base/bytes.h"
#include "base/live.h"

#include <sys/types.h>

struct watch;

#define WATCH_ROLE_MAX 8

struct watch_conf {
	const char *listen; /* "127.0.0.1:9464" */
	const char *events; /* file, JSON lines; turned over at 64 MiB to .1 */
	bool to_syslog;	    /* also to syslog (journald listens there) */
	const char *store;  /* the event store (watch/db.h); NULL or "": none */
	uint32_t keep_days, store_mb, history_h; /* its bounds */
	uint32_t disk_free; /* per cent of the disk below which an alarm is raised */
	struct watch_role {
		const char *name;
		const struct role_page *page; /* mapped read-only; NULL: has not come to the door */
		int events_fd;		      /* our end of its datagram socket; -1 likewise */
	} role[WATCH_ROLE_MAX];
	size_t role_n;
	const char *door; /* socket for roles under other supervisors (watch/door.h); NULL = none */
	uid_t guest[WATCH_ROLE_MAX]; /* whose supervisors may come to it */
	size_t guest_n;
};

enum err MUST_USE watch_start(struct watch **w, const struct watch_conf *conf, char why[256]);
void watch_run(struct watch *w);  /* until watch_stop */
void watch_stop(struct watch *w); /* any thread, or a signal handler */
void watch_free(struct watch *w);
