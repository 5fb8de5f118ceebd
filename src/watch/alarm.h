/* Alarms: what of the events and the figures asks for somebody (alarm.tab). Each is raised once for
 * its subject, and cleared; the store keeps it, so that a watch that is started again knows what
 * was open. Who looks after one is said in the records (object alarm). */
#pragma once
#include "watch/db.h"
#include "watch/watch.h"

#define ALARM_MAX                                                                                  \
	512 /* open, or counting, at once; more are counted under the subject "(others)" */
#define ALARM_SUBJECT 96

struct alarms;

/* One was raised or cleared: an event to be written. */
struct alarm_news {
	const char *name, *severity, *clause;
	struct view subject;
	bool open;
	uint64_t id;
};

struct alarms_conf {
	struct db *db;			/* NULL: not kept */
	const struct watch_conf *roles; /* what is looked at */
	const char *disk;		/* a folder on the disk that may be full */
	uint32_t disk_free;		/* per cent that must be free */
	void (*news)(void *ctx, const struct alarm_news *n);
	void *ctx;
};

struct alarms *alarms_new(const struct alarms_conf *conf); /* NULL: out of memory */
void alarms_free(struct alarms *a);
/* An event has come. */
void alarms_event(struct alarms *a, const struct event_line *e, struct view line);
/* Once a second; time since 1970. */
void alarms_tick(struct alarms *a, uint64_t now_us);
size_t alarms_open(const struct alarms *a);
