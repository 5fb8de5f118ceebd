#include "watch/alarm.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#define US 1000000ULL
#define CERT_DAYS 30
#define LOST_FOR_US (60 * US)

enum sight { NOT_READY, OVERLOAD, COPY_BEHIND, FEED_LAG, EVENTS_LOST, CERTIFICATE, DISK_USED };

struct head {
	const char *name, *severity, *clause, *help;
};

static const struct on_event {
	struct head head;
	const char *event, *match, *by, *clear;
	uint32_t raise_n, window_s, quiet_s;
} on_event[] = {
#define ON_EVENT(id, name, severity, clause, event, match, by, n, window, clear, quiet, help)      \
	{{name, severity, clause, help}, event, match, by, clear, n, window, quiet},
#define ON_VALUE(...)
#include "watch/alarm.tab"
#undef ON_EVENT
#undef ON_VALUE
};

static const struct on_value {
	struct head head;
	enum sight sight;
	uint64_t above;
	uint32_t hold_s;
} on_value[] = {
#define ON_EVENT(...)
#define ON_VALUE(id, name, severity, clause, sight, above, hold, help)                             \
	{{name, severity, clause, help}, sight, above, hold},
#include "watch/alarm.tab"
#undef ON_EVENT
#undef ON_VALUE
};

#define EVENT_N (sizeof on_event / sizeof *on_event)
#define VALUE_N (sizeof on_value / sizeof *on_value)

struct one {
	const struct head *head; /* NULL: free */
	char subject[ALARM_SUBJECT];
	uint64_t id;		    /* when it was raised; 0: it only counts, or is held */
	uint64_t since_us, last_us; /* the window, or since when it holds; when it was last so */
	uint64_t n, in_window;
	bool dirty;
};

struct alarms {
	struct alarms_conf conf;
	struct one one[ALARM_MAX];
	uint64_t last_id;
	uint64_t lost[WATCH_ROLE_MAX], lost_us[WATCH_ROLE_MAX];
};

static const struct head *head_of(const char *name)
{
	for (size_t i = 0; i < EVENT_N; i++) {
		if (strcmp(on_event[i].head.name, name) == 0)
			return &on_event[i].head;
	}
	for (size_t i = 0; i < VALUE_N; i++) {
		if (strcmp(on_value[i].head.name, name) == 0)
			return &on_value[i].head;
	}
	return NULL;
}

static struct one *find(struct alarms *a, const struct head *h, struct view subject)
{
	for (size_t i = 0; i < ALARM_MAX; i++) {
		if (a->one[i].head == h && view_eq(view_of(a->one[i].subject), subject))
			return &a->one[i];
	}
	return NULL;
}

static struct one *claim(struct alarms *a, const struct head *h, struct view subject)
{
	struct one *x = find(a, h, subject), *victim = NULL;

	for (size_t i = 0; i < ALARM_MAX && !x; i++) {
		if (!a->one[i].head)
			x = &a->one[i];
		else if (!a->one[i].id && (!victim || a->one[i].last_us < victim->last_us))
			victim = &a->one[i]; /* it only counts */
	}
	x = x ? x : victim;
	if (!x || x->head == h)
		return x ? x : find(a, h, VIEW("(others)"));
	*x = (struct one){.head = h};
	view_text(view_first(subject, ALARM_SUBJECT - 1), x->subject, sizeof x->subject);
	return x;
}

static void store(struct alarms *a, struct one *x, uint64_t cleared_us, struct view line)
{
	struct db_alarm row = {.id = x->id,
			       .last_us = x->last_us,
			       .cleared_us = cleared_us,
			       .n = x->n,
			       .name = x->head->name,
			       .severity = x->head->severity,
			       .clause = x->head->clause,
			       .help = x->head->help,
			       .subject = view_of(x->subject),
			       .line = line};

	x->dirty = a->conf.db && db_alarm(a->conf.db, &row) != ERR_OK;
}

static void tell(struct alarms *a, const struct one *x, bool open)
{
	struct alarm_news n = {
	    x->head->name, x->head->severity, x->head->clause, view_of(x->subject), open, x->id};

	a->conf.news(a->conf.ctx, &n);
}

static void raise_it(struct alarms *a, struct one *x, uint64_t now_us, struct view line)
{
	x->id = now_us > a->last_id ? now_us : a->last_id + 1;
	a->last_id = x->id;
	store(a, x, 0, line);
	tell(a, x, true);
}

static void clear_it(struct alarms *a, struct one *x, uint64_t now_us)
{
	if (x->id) {
		store(a, x, now_us, (struct view){0});
		tell(a, x, false);
	}
	x->head = NULL;
}

/* "field=value" of the event; "": always. */
static bool meets(struct view line, const char *match)
{
	const char *is = strchr(match, '=');
	struct view key = {(const uint8_t *)match, is ? (size_t)(is - match) : 0};

	return !is || view_eq(line_find(line, key), view_of(is + 1));
}

static void count(struct alarms *a, const struct on_event *row, const struct event_line *e,
		  struct view line)
{
	struct view subject = row->by[0] ? line_find(line, view_of(row->by)) : (struct view){0};
	struct one *x = claim(a, &row->head, view_first(subject, ALARM_SUBJECT - 1));

	if (!x)
		return;
	if (e->at_us - x->since_us > row->window_s * US) {
		x->since_us = e->at_us;
		x->in_window = 0;
	}
	x->in_window += e->n;
	x->n += e->n;
	x->last_us = e->at_us;
	x->dirty |= x->id != 0;
	if (!x->id && x->in_window >= row->raise_n)
		raise_it(a, x, e->at_us, line);
}

void alarms_event(struct alarms *a, const struct event_line *e, struct view line)
{
	for (size_t i = 0; i < EVENT_N; i++) {
		const struct on_event *row = &on_event[i];
		struct one *x;

		if (view_eq(e->name, view_of(row->event)) && meets(line, row->match))
			count(a, row, e, line);
		if (!row->clear[0] || !view_eq(e->name, view_of(row->clear)))
			continue;
		x = find(a, &row->head,
			 view_first(line_find(line, view_of(row->by)), ALARM_SUBJECT - 1));
		if (x)
			clear_it(a, x, e->at_us);
	}
}

static uint64_t cell(const struct role_page *p, enum metric m)
{
	return p ? __atomic_load_n(&p->metrics.cell[m][0], __ATOMIC_RELAXED) : 0;
}

/* The change feed's end, and where the serving copy is: both are the keeper's. */
static uint64_t behind(const struct role_page *p)
{
	uint64_t feed = cell(p, M_RECORDS_FEED), copy = cell(p, M_SERVING_FEED);

	return feed > copy ? feed - copy : 0;
}

static uint64_t lost_lately(struct alarms *a, size_t role, const struct role_page *p,
			    uint64_t now_us)
{
	uint64_t n = cell(p, M_LOG_LOST);

	if (n > a->lost[role])
		a->lost_us[role] = now_us;
	a->lost[role] = n;
	return a->lost_us[role] && now_us - a->lost_us[role] < LOST_FOR_US;
}

static uint64_t disk_short(const struct alarms *a)
{
	struct statvfs v;

	if (!a->conf.disk || statvfs(a->conf.disk, &v) != 0 || v.f_blocks == 0)
		return 0;
	return v.f_bavail * 100 / v.f_blocks < a->conf.disk_free;
}

static uint64_t look(struct alarms *a, enum sight s, size_t role, uint64_t now_us)
{
	const struct role_page *p = a->conf.roles->role[role].page;
	uint64_t ends;

	switch (s) {
	case NOT_READY:
		return !p || !__atomic_load_n(&p->live.ready, __ATOMIC_RELAXED);
	case OVERLOAD:
		return p ? __atomic_load_n(&p->live.overload_percent, __ATOMIC_RELAXED) : 0;
	case COPY_BEHIND:
		return behind(p);
	case FEED_LAG:
		return cell(p, M_HOME_FEED_LAG);
	case EVENTS_LOST:
		return lost_lately(a, role, p, now_us);
	case CERTIFICATE:
		ends = cell(p, M_CERTIFICATE_ENDS);
		return ends && ends < now_us / US + CERT_DAYS * 86400;
	case DISK_USED:
		break;
	}
	return disk_short(a);
}

static void weigh(struct alarms *a, const struct on_value *row, size_t role, uint64_t now_us)
{
	struct view subject =
	    row->sight == DISK_USED ? (struct view){0} : view_of(a->conf.roles->role[role].name);
	bool so = look(a, row->sight, role, now_us) > row->above;
	struct one *x = so ? claim(a, &row->head, subject) : find(a, &row->head, subject);

	if (!x)
		return;
	if (so) {
		x->since_us = x->since_us ? x->since_us : now_us;
		x->last_us = now_us;
		x->n++;
		if (!x->id && now_us - x->since_us >= row->hold_s * US)
			raise_it(a, x, now_us, (struct view){0});
	} else if (!x->id || now_us - x->last_us >= row->hold_s * US) {
		clear_it(a, x, now_us);
	}
}

/* What is open is written down now and then, not at each event. */
static void settle(struct alarms *a, uint64_t now_us)
{
	for (size_t i = 0; i < ALARM_MAX; i++) {
		struct one *x = &a->one[i];

		if (x->head && x->id && x->dirty && now_us - x->last_us < 2 * US)
			store(a, x, 0, (struct view){0});
	}
}

static void go_quiet(struct alarms *a, const struct on_event *row, uint64_t now_us)
{
	for (size_t i = 0; i < ALARM_MAX; i++) {
		struct one *x = &a->one[i];
		uint64_t wait_us = (x->id ? row->quiet_s : row->window_s) * US;

		if (x->head == &row->head && now_us > x->last_us + wait_us)
			clear_it(a, x, now_us);
	}
}

void alarms_tick(struct alarms *a, uint64_t now_us)
{
	for (size_t i = 0; i < EVENT_N; i++)
		go_quiet(a, &on_event[i], now_us);
	for (size_t i = 0; i < VALUE_N; i++) {
		size_t n = on_value[i].sight == DISK_USED ? 1 : a->conf.roles->role_n;

		for (size_t r = 0; r < n; r++)
			weigh(a, &on_value[i], r, now_us);
	}
	settle(a, now_us);
}

size_t alarms_open(const struct alarms *a)
{
	size_t n = 0;

	for (size_t i = 0; i < ALARM_MAX; i++)
		n += a->one[i].head && a->one[i].id;
	return n;
}

static void remember(void *ctx, const struct db_alarm *row)
{
	struct alarms *a = ctx;
	const struct head *h = head_of(row->name);
	struct one *x = h ? claim(a, h, row->subject) : NULL;

	if (!x)
		return; /* of a table that had other rows */
	x->id = row->id;
	x->last_us = row->last_us;
	x->n = row->n;
	a->last_id = row->id > a->last_id ? row->id : a->last_id;
}

struct alarms *alarms_new(const struct alarms_conf *conf)
{
	struct alarms *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->conf = *conf;
	if (conf->db)
		db_alarms_open(conf->db, remember, a);
	return a;
}

void alarms_free(struct alarms *a)
{
	free(a);
}
