#include "records/events_read.h"

#include "records/events_sql.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ROOM_LEFT 16384 /* what one row may need */
#define SQL_MAX 1024

#define MOMENT_MS 500 /* whoever asks may serve others too: what takes longer is cut short */

struct events_read {
	sqlite3 *db;
	int64_t version;
	uint64_t until_ms; /* of the question under way */
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int too_long(void *ctx)
{
	const struct events_read *r = ctx;

	return now_ms() > r->until_ms;
}

static int64_t number(struct events_read *r, const char *sql)
{
	sqlite3_stmt *q = NULL;
	int64_t n = -1;

	r->until_ms = now_ms() + 10 * MOMENT_MS;
	if (sqlite3_prepare_v2(r->db, sql, -1, &q, NULL) == SQLITE_OK &&
	    sqlite3_step(q) == SQLITE_ROW)
		n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return n;
}

static enum err check(struct events_read *r, const char *path, char why[256])
{
	int64_t format = number(r, "PRAGMA user_version");

	if (format == EVENTS_FORMAT)
		return ERR_OK;
	snprintf(why, 256, format < 0 ? "%.180s: %.60s" : "%.180s: of another Merlon%.0s", path,
		 sqlite3_errmsg(r->db));
	return format < 0 ? ERR_IO : ERR_VERSION;
}

enum err events_read_open(struct events_read **out, const char *path, char why[256])
{
	struct events_read *r = calloc(1, sizeof *r);
	enum err err;

	*out = NULL;
	if (!r) {
		snprintf(why, 256, "out of memory");
		return ERR_FULL;
	}
	if (sqlite3_open_v2(path, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK) {
		err = access(path, F_OK) == 0 ? ERR_IO : ERR_NOT_FOUND;
		snprintf(why, 256, "%.180s: %s", path,
			 err == ERR_IO ? "cannot be read"
				       : "there is no event store (does watch run?)");
	} else {
		sqlite3_busy_timeout(r->db, 1000);
		r->until_ms = UINT64_MAX;
		sqlite3_progress_handler(r->db, 10000, too_long, r);
		err = check(r, path, why);
	}
	if (err) {
		events_read_close(r);
		return err;
	}
	*out = r;
	return ERR_OK;
}

void events_read_close(struct events_read *r)
{
	if (!r)
		return;
	sqlite3_close(r->db);
	free(r);
}

bool events_read_changed(struct events_read *r)
{
	int64_t was = r->version;

	r->version = number(r, "PRAGMA data_version");
	return r->version != was;
}

static bool number_of(struct view v, uint64_t *to)
{
	*to = 0;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9' || *to > UINT64_MAX / 16)
			return false;
		*to = *to * 10 + (v.p[i] - '0');
	}
	return v.n > 0;
}

enum err events_query_set(struct events_query *q, struct view name, struct view value)
{
	const struct {
		const char *name;
		struct view *text;
		uint64_t *num;
		uint64_t times;
	} row[] = {
	    {"role", &q->role, NULL, 0},       {"event", &q->name, NULL, 0},
	    {"check", &q->check, NULL, 0},     {"clause", &q->clause, NULL, 0},
	    {"network", &q->network, NULL, 0}, {"tenant", &q->tenant, NULL, 0},
	    {"imsi", &q->subject, NULL, 0},    {"after", NULL, &q->after, 1},
	    {"before", NULL, &q->before, 1},   {"from", NULL, &q->from_us, 1000000},
	    {"to", NULL, &q->to_us, 1000000},
	};

	if (view_eq(name, VIEW("level"))) {
		q->errors = view_eq(value, VIEW("error"));
		return q->errors || view_eq(value, VIEW("note")) ? ERR_OK : ERR_VALUE;
	}
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		if (!view_eq(name, view_of(row[i].name)))
			continue;
		if (row[i].text)
			*row[i].text = value;
		else if (!number_of(value, row[i].num) || *row[i].num > INT64_MAX / row[i].times)
			return ERR_VALUE;
		if (row[i].num)
			*row[i].num *= row[i].times;
		return ERR_OK;
	}
	return ERR_VALUE;
}

/* The conditions of a query: their text, and what is bound to it. */
struct where {
	char sql[SQL_MAX];
	size_t n;
	int at;
	struct view text[8];
	int64_t num[8];
	int text_at[8], num_at[8], text_n, num_n;
};

static void add_text(struct where *w, const char *column, struct view v)
{
	bool begins = v.n > 1 && v.p[v.n - 1] == '*';

	if (v.n == 0)
		return;
	v.n -= begins;
	w->n += (size_t)snprintf(w->sql + w->n, SQL_MAX - w->n,
				 begins ? " AND \"%s\" >= ?%d AND \"%s\" < ?%d || char(1114111)"
					: " AND \"%s\" = ?%d",
				 column, w->at, column, w->at);
	w->text[w->text_n] = v;
	w->text_at[w->text_n++] = w->at++;
}

static void add_num(struct where *w, const char *test, uint64_t num)
{
	if (num == 0)
		return;
	w->n += (size_t)snprintf(w->sql + w->n, SQL_MAX - w->n, " AND %s ?%d", test, w->at);
	w->num[w->num_n] = num < INT64_MAX ? (int64_t)num : INT64_MAX;
	w->num_at[w->num_n++] = w->at++;
}

static void conditions(struct where *w, const struct events_query *q)
{
	*w = (struct where){.at = 1};
	add_text(w, "name", q->name);
	add_text(w, "check", q->check);
	add_text(w, "clause", q->clause);
	add_text(w, "network", q->network);
	add_text(w, "tenant", q->tenant);
	add_text(w, "subject", q->subject);
	add_text(w, "role", q->role);
	add_num(w, "id >", q->after);
	add_num(w, "id <", q->before);
	add_num(w, "at_us >=", q->from_us);
	add_num(w, "at_us <", q->to_us);
	if (q->errors)
		w->n += (size_t)snprintf(w->sql + w->n, SQL_MAX - w->n, " AND level = 0");
}

static sqlite3_stmt *ask(struct events_read *r, const char *head, const struct where *w,
			 const char *tail)
{
	char sql[SQL_MAX + 512];
	sqlite3_stmt *q = NULL;

	r->until_ms = now_ms() + MOMENT_MS;
	snprintf(sql, sizeof sql, "%s%s%s", head, w->sql, tail);
	if (sqlite3_prepare_v2(r->db, sql, -1, &q, NULL) != SQLITE_OK)
		return NULL;
	for (int i = 0; i < w->text_n; i++)
		sqlite3_bind_text(q, w->text_at[i], (const char *)w->text[i].p, (int)w->text[i].n,
				  SQLITE_STATIC);
	for (int i = 0; i < w->num_n; i++)
		sqlite3_bind_int64(q, w->num_at[i], w->num[i]);
	return q;
}

static struct view text_at(sqlite3_stmt *q, int at)
{
	return (struct view){sqlite3_column_text(q, at), (size_t)sqlite3_column_bytes(q, at)};
}

static void put(struct wr *w, const char *before, uint64_t n)
{
	char b[64];

	snprintf(b, sizeof b, "%s%llu", before, (unsigned long long)n);
	wr_view(w, view_of(b));
}

/* The number goes in front of the event's own fields. */
static void put_event(struct wr *w, uint64_t id, struct view line)
{
	put(w, "{\"id\":", id);
	wr_view(w, VIEW(","));
	wr_view(w, (struct view){line.p + 1, line.n - 1});
}

enum err events_read_list(struct events_read *r, const struct events_query *q, struct wr *w,
			  uint64_t *last, size_t *n)
{
	char tail[64];
	struct where where;
	sqlite3_stmt *s;
	int rc = SQLITE_DONE;

	*last = 0;
	*n = 0;
	conditions(&where, q);
	snprintf(tail, sizeof tail, " ORDER BY id%s LIMIT %zu", q->newest ? " DESC" : "",
		 q->max > 0 && q->max < EVENTS_MAX ? q->max : EVENTS_MAX);
	s = ask(r, "SELECT id, line FROM event WHERE 1", &where, tail);
	if (!s)
		return ERR_IO;
	wr_view(w, VIEW("["));
	while (w->cap - w->n > ROOM_LEFT && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		if (sqlite3_column_bytes(s, 1) < 2)
			continue;
		wr_view(w, *n > 0 ? VIEW(",\n") : VIEW("\n"));
		*last = (uint64_t)sqlite3_column_int64(s, 0);
		put_event(w, *last, text_at(s, 1));
		++*n;
	}
	sqlite3_finalize(s);
	wr_view(w, VIEW("]"));
	/* Cut short: what was found so far is an answer, with where to go on. */
	return rc != SQLITE_ROW && rc != SQLITE_DONE && (rc != SQLITE_INTERRUPT || *n == 0)
		   ? ERR_IO
		   : w->err;
}

uint64_t events_read_last(struct events_read *r)
{
	int64_t n = number(r, "SELECT coalesce(max(id), 0) FROM event");

	return n > 0 ? (uint64_t)n : 0;
}

enum err events_read_counts(struct events_read *r, const struct events_query *q, size_t slots,
			    struct wr *w)
{
	uint64_t *count, width = slots > 0 && slots <= 1000 && q->to_us > q->from_us
				     ? (q->to_us - q->from_us) / slots
				     : 0;
	struct where where;
	sqlite3_stmt *s;

	if (width == 0)
		return ERR_VALUE;
	conditions(&where, q);
	count = calloc(slots, sizeof *count);
	s = count ? ask(r, "SELECT at_us, n FROM event WHERE 1", &where, "") : NULL;
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		uint64_t at = ((uint64_t)sqlite3_column_int64(s, 0) - q->from_us) / width;

		count[at < slots ? at : slots - 1] += (uint64_t)sqlite3_column_int64(s, 1);
	}
	for (size_t i = 0; s && i < slots; i++)
		put(w, i ? "," : "[", count[i]);
	wr_view(w, VIEW("]"));
	free(count);
	if (!s)
		return ERR_IO;
	sqlite3_finalize(s);
	return w->err;
}

static void quoted(struct wr *w, const char *before, struct view v)
{
	wr_view(w, view_of(before));
	wr_view(w, VIEW("\""));
	wr_view(w, v); /* as escaped as it came, or a constant of alarm.tab */
	wr_view(w, VIEW("\""));
}

static void put_alarm(struct wr *w, sqlite3_stmt *s)
{
	struct view line = text_at(s, 9);

	put(w, "{\"id\":", (uint64_t)sqlite3_column_int64(s, 0));
	quoted(w, ",\"alarm\":", text_at(s, 1));
	quoted(w, ",\"subject\":", text_at(s, 2));
	quoted(w, ",\"severity\":", text_at(s, 3));
	quoted(w, ",\"clause\":", text_at(s, 4));
	quoted(w, ",\"help\":", text_at(s, 5));
	put(w, ",\"raised_us\":", (uint64_t)sqlite3_column_int64(s, 0));
	put(w, ",\"last_us\":", (uint64_t)sqlite3_column_int64(s, 6));
	put(w, ",\"cleared_us\":", (uint64_t)sqlite3_column_int64(s, 7));
	put(w, ",\"n\":", (uint64_t)sqlite3_column_int64(s, 8));
	if (line.n > 0) {
		wr_view(w, VIEW(",\"event\":"));
		wr_view(w, line);
	}
	wr_view(w, VIEW("}"));
}

enum err events_read_alarms(struct events_read *r, bool open, size_t max, struct wr *w)
{
	static const struct where none;
	char tail[96];
	sqlite3_stmt *s;
	bool first = true;

	snprintf(tail, sizeof tail, "%s ORDER BY id DESC LIMIT %zu",
		 open ? " AND cleared_us = 0" : "", max);
	s = ask(r,
		"SELECT id, name, subject, severity, clause, help, last_us, cleared_us, n, line "
		"FROM alarm WHERE 1",
		&none, tail);
	if (!s)
		return ERR_IO;
	wr_view(w, VIEW("["));
	while (w->cap - w->n > ROOM_LEFT && sqlite3_step(s) == SQLITE_ROW) {
		wr_view(w, first ? VIEW("\n") : VIEW(",\n"));
		put_alarm(w, s);
		first = false;
	}
	sqlite3_finalize(s);
	wr_view(w, VIEW("]"));
	return w->err;
}

enum err events_read_seconds(struct events_read *r, uint64_t after_s, size_t max, struct wr *w)
{
	struct where where = {.at = 1};
	char tail[64];
	sqlite3_stmt *s;
	bool first = true;

	add_num(&where, "at_s >", after_s);
	snprintf(tail, sizeof tail, " ORDER BY at_s LIMIT %zu", max);
	s = ask(r, "SELECT at_s, counts FROM second WHERE 1", &where, tail);
	if (!s)
		return ERR_IO;
	wr_view(w, VIEW("["));
	while (w->cap - w->n > ROOM_LEFT + (size_t)65536 && sqlite3_step(s) == SQLITE_ROW) {
		put(w,
		    first ? "\n{\"at_s\":" : ",\n{\"at_s\":", (uint64_t)sqlite3_column_int64(s, 0));
		wr_view(w, VIEW(",\"counts\":"));
		wr_view(w, text_at(s, 1));
		wr_view(w, VIEW("}"));
		first = false;
	}
	sqlite3_finalize(s);
	wr_view(w, VIEW("]"));
	return w->err;
}

enum err events_read_live(struct events_read *r, struct wr *w)
{
	static const struct where none;
	sqlite3_stmt *s = ask(r, "SELECT at_s, page FROM live WHERE 1", &none, "");
	struct view page;
	enum err err = ERR_NOT_FOUND;

	if (!s)
		return ERR_IO;
	if (sqlite3_step(s) == SQLITE_ROW) {
		page = text_at(s, 1);
		while (page.n > 0 && page.p[page.n - 1] == '\n')
			page.n--;
		put(w, "{\"at_s\":", (uint64_t)sqlite3_column_int64(s, 0));
		wr_view(w, VIEW(",\"live\":"));
		wr_view(w, page);
		wr_view(w, VIEW("}"));
		err = w->err;
	}
	sqlite3_finalize(s);
	return err;
}
