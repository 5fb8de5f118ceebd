/* The event store, the alarms and the counts of each second, from lines and figures. */
#include "records/events_read.h"
#include "unit/test.h"
#include "watch/alarm.h"
#include "watch/db.h"
#include "watch/second.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW_US 1795605449000000ULL

static char dir[64], path[128], why[256];
static uint8_t room[1 << 20];

static struct db *open_store(uint32_t keep_days, uint32_t max_mb)
{
	const struct db_conf conf = {path, keep_days, max_mb, 1};
	struct db *d;

	check_eq(db_open(&d, &conf, why), ERR_OK);
	return d;
}

static void begin(void)
{
	snprintf(dir, sizeof dir, "/tmp/merlon-test-XXXXXX");
	check(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/events.db", dir);
}

static void end(void)
{
	static const char *const names[] = {"events.db",	 "events.db-wal",
					    "events.db-shm",	 "events.db.bad",
					    "events.db.bad-wal", "events.db.bad-shm"};
	char file[192];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(file, sizeof file, "%s/%s", dir, names[i]);
		unlink(file);
	}
	check_eq(rmdir(dir), 0);
}

static void add(struct db *d, struct alarms *a, const char *text)
{
	struct view line = view_of(text);
	struct event_line e;

	check_eq(line_parse(line, &e), ERR_OK);
	if (d)
		check_eq(db_add(d, &e, line), ERR_OK);
	if (a)
		alarms_event(a, &e, line);
}

static void refused(struct db *d, struct alarms *a, uint64_t at_s, const char *check,
		    const char *network, const char *imsi, unsigned int n)
{
	char line[512];

	snprintf(line, sizeof line,
		 "{\"time\":%llu.250000,\"seq\":1,\"role\":\"edge\",\"level\":\"note\",\"event\":"
		 "\"edge.refused\","
		 "\"clause\":\"R-5.6.b\",\"check\":\"%s\",\"network\":\"%s\",\"class\":\"normal\","
		 "\"n\":%u,"
		 "\"imsi\":\"%s\",\"tenant\":\"meters\"}",
		 (unsigned long long)at_s, check, network, n, imsi);
	add(d, a, line);
}

static const char *ask(struct events_read *r, const struct events_query *q, size_t want)
{
	struct wr w = {.p = room, .cap = sizeof room - 1};
	uint64_t last;
	size_t n;

	check_eq(events_read_list(r, q, &w, &last, &n), ERR_OK);
	check_eq(n, want);
	room[w.n] = 0;
	return (const char *)room;
}

TEST(a_line_becomes_its_parts)
{
	struct event_line e;

	check_eq(
	    line_parse(VIEW("{\"time\":12.000345,\"seq\":9,\"role\":\"edge\",\"level\":\"error\","
			    "\"event\":\"edge.refused\",\"n\":5,\"imsi\":\"99970~f2\"}\n"),
		       &e),
	    ERR_OK);
	check_eq(e.at_us, 12000345);
	check_eq(e.seq, 9);
	check_eq(e.n, 5);
	check_eq(e.level, 0);
	check(view_eq(e.subject, VIEW("99970~f2")));
	check_eq(line_parse(VIEW("{\"time\":1,\"role\":\"a\",\"event\":\"b\"} "), &e), ERR_VALUE);
	check_eq(line_parse(VIEW("{\"time\":1,\"role\":\"a\",\"event\":{}}"), &e), ERR_VALUE);
	check_eq(line_parse(VIEW("{\"time\":1,\"role\":\"a\"}"), &e), ERR_VALUE);
}

TEST(events_are_found_by_what_they_are_indexed_by)
{
	struct events_query q = {.max = 100};
	struct events_read *r;
	struct db *d;
	uint64_t at = NOW_US / 1000000;

	begin();
	d = open_store(30, 64);
	refused(d, NULL, at, "partner.peer_blocked", "00103", "99970~aa", 3);
	refused(d, NULL, at + 1, "subscriber.plmn", "00101", "99970~bb", 1);
	check_eq(db_flush(d), ERR_OK);
	check_eq(events_read_open(&r, path, why), ERR_OK);
	check(events_read_changed(r));
	check(!events_read_changed(r));
	ask(r, &q, 2);
	q.network = VIEW("00103");
	check(strstr(ask(r, &q, 1), "\"check\":\"partner.peer_blocked\""));
	q = (struct events_query){.subject = VIEW("99970~bb"),
				  .tenant = VIEW("meters"),
				  .check = VIEW("subscriber.*"),
				  .clause = VIEW("R-5.6.b"),
				  .name = VIEW("edge.refused"),
				  .role = VIEW("edge"),
				  .max = 9};
	check(strstr(ask(r, &q, 1), "{\"id\":2,\"time\":"));
	q = (struct events_query){.from_us = (at + 1) * 1000000, .max = 9};
	ask(r, &q, 1);
	q = (struct events_query){.after = 1, .max = 9};
	ask(r, &q, 1);
	q = (struct events_query){.network = VIEW("' OR 1=1 --"), .max = 9};
	ask(r, &q, 0);
	q = (struct events_query){.errors = true, .max = 9};
	ask(r, &q, 0);
	refused(d, NULL, at + 2, "subscriber.plmn", "00101", "99970~bb", 1);
	check_eq(db_flush(d), ERR_OK);
	check(events_read_changed(r));
	q = (struct events_query){.after = 2, .max = 9};
	ask(r, &q, 1);
	check_eq(events_read_last(r), 3);
	events_read_close(r);
	db_close(d);
	end();
}

TEST(a_subject_is_forgotten_for_good)
{
	struct events_query q = {.subject = VIEW("99970~aa"), .max = 9};
	struct events_read *r;
	struct db *d;

	begin();
	d = open_store(30, 64);
	refused(d, NULL, NOW_US / 1000000, "subscriber.plmn", "00101", "99970~aa", 1);
	refused(d, NULL, NOW_US / 1000000, "subscriber.plmn", "00101", "99970~bb", 1);
	check_eq(db_flush(d), ERR_OK);
	check_eq(db_forget(d, VIEW("99970~aa")), 1); /* R-4.a */
	check_eq(db_flush(d), ERR_OK);
	check_eq(events_read_open(&r, path, why), ERR_OK);
	ask(r, &q, 0);
	q.subject = VIEW("99970~bb");
	ask(r, &q, 1);
	events_read_close(r);
	db_close(d);
	end();
}

TEST(what_is_too_old_goes_and_numbers_are_not_used_twice)
{
	struct events_query q = {.max = 9};
	struct events_read *r;
	struct db *d;
	uint64_t day = 86400;

	begin();
	d = open_store(2, 64);
	refused(d, NULL, NOW_US / 1000000 - 3 * day, "subscriber.plmn", "00101", "99970~aa", 1);
	db_prune(d, NOW_US); /* R-4.a: retention deletes */
	check_eq(db_flush(d), ERR_OK);
	check_eq(events_read_open(&r, path, why), ERR_OK);
	ask(r, &q, 0);
	refused(d, NULL, NOW_US / 1000000, "subscriber.plmn", "00101", "99970~bb", 1);
	check_eq(db_flush(d), ERR_OK);
	ask(r, &q, 1);
	check_eq(events_read_last(r), 2);
	events_read_close(r);
	db_close(d);
	end();
}

TEST(beyond_its_size_the_oldest_go)
{
	struct events_query q = {.max = 1};
	struct events_read *r;
	struct db *d;
	char imsi[256];

	begin();
	d = open_store(30, 2);
	memset(imsi, 'x', sizeof imsi - 1);
	imsi[sizeof imsi - 1] = 0;
	for (unsigned int i = 0; i < 8000; i++)
		refused(d, NULL, NOW_US / 1000000, "subscriber.plmn", "00101", imsi, i);
	check_eq(db_flush(d), ERR_OK);
	for (int i = 0; i < 3; i++) {
		db_prune(d, NOW_US);
		check_eq(db_flush(d), ERR_OK);
	}
	check_eq(events_read_open(&r, path, why), ERR_OK);
	check(!strstr(ask(r, &q, 1), "{\"id\":1,"));
	check_eq(events_read_last(r), 8000);
	events_read_close(r);
	db_close(d);
	end();
}

TEST(a_damaged_store_is_set_aside)
{
	struct events_query q = {.max = 9};
	struct events_read *r;
	struct db *d;
	FILE *f;

	begin();
	f = fopen(path, "we");
	check(f);
	for (int i = 0; i < 9000; i++)
		check(fputs("not a database\n", f) >= 0);
	check_eq(fclose(f), 0);
	d = open_store(30, 64);
	check_eq(events_read_open(&r, path, why), ERR_OK);
	ask(r, &q, 0);
	events_read_close(r);
	db_close(d);
	end();
}

static char told[4096];

static void hear(void *ctx, const struct alarm_news *n)
{
	size_t at = strlen(told);

	(void)ctx;
	snprintf(told + at, sizeof told - at, "%s %s %.*s;", n->open ? "raised" : "cleared",
		 n->name, (int)n->subject.n, (const char *)n->subject.p);
}

static struct watch_conf roles;
static struct role_page page;

static struct alarms *alarms(struct db *d)
{
	const struct alarms_conf conf = {.db = d, .roles = &roles, .news = hear};
	struct alarms *a = alarms_new(&conf);

	check(a);
	told[0] = 0;
	return a;
}

TEST(an_alarm_is_raised_once_and_cleared_when_it_is_quiet)
{
	uint64_t at = NOW_US / 1000000;
	struct alarms *a;

	roles = (struct watch_conf){0};
	a = alarms(NULL);
	refused(NULL, a, at, "partner.peer_blocked", "00103", "99970~aa", 1);
	check(strcmp(told, "raised partner.blocked 00103;") == 0);
	refused(NULL, a, at + 1, "partner.peer_blocked", "00103", "99970~aa", 1);
	alarms_tick(a, (at + 100) * 1000000);
	check(strcmp(told, "raised partner.blocked 00103;") == 0);
	check_eq(alarms_open(a), 1);
	alarms_tick(a, (at + 400) * 1000000);
	check(strcmp(told, "raised partner.blocked 00103;cleared partner.blocked 00103;") == 0);
	check_eq(alarms_open(a), 0);
	alarms_free(a);
}

TEST(a_storm_is_one_when_enough_are_refused_within_its_window)
{
	uint64_t at = NOW_US / 1000000;
	struct alarms *a;

	roles = (struct watch_conf){0};
	a = alarms(NULL);
	for (unsigned int i = 0; i < 4; i++)
		refused(NULL, a, at + 11 * i, "load.admission", "00101", "99970~aa", 30);
	check(told[0] == 0);
	refused(NULL, a, at + 34, "load.admission", "00102", "99970~aa", 30);
	check(strcmp(told, "raised storm.admission ;") == 0);
	alarms_free(a);
}

TEST(a_link_that_is_up_again_clears_its_own_alarm_alone)
{
	struct alarms *a;

	roles = (struct watch_conf){0};
	a = alarms(NULL);
	add(NULL, a,
	    "{\"time\":100.1,\"seq\":1,\"role\":\"edge\",\"event\":\"edge.peer_down\",\"peer\":\"a."
	    "x\"}");
	add(NULL, a,
	    "{\"time\":100.2,\"seq\":1,\"role\":\"edge\",\"event\":\"edge.peer_down\",\"peer\":\"b."
	    "x\"}");
	add(NULL, a,
	    "{\"time\":101.2,\"seq\":1,\"role\":\"edge\",\"event\":\"edge.peer_up\",\"peer\":\"a."
	    "x\"}");
	check(strcmp(told, "raised partner.link_down a.x;raised partner.link_down b.x;cleared "
			   "partner.link_down a.x;") == 0);
	alarms_free(a);
}

TEST(a_figure_must_stay_above_its_bound)
{
	struct alarms *a;

	memset(&page, 0, sizeof page);
	roles = (struct watch_conf){.role = {{"home", &page, -1}}, .role_n = 1};
	page.live.ready = 1;
	page.live.overload_percent = 30;
	a = alarms(NULL);
	alarms_tick(a, NOW_US);
	alarms_tick(a, NOW_US + 2000000);
	check(told[0] == 0);
	alarms_tick(a, NOW_US + 3000000);
	check(strcmp(told, "raised home.overload home;") == 0);
	page.live.overload_percent = 0;
	alarms_tick(a, NOW_US + 4000000);
	alarms_tick(a, NOW_US + 7000000);
	check(strcmp(told, "raised home.overload home;cleared home.overload home;") == 0);
	page.metrics.cell[M_CERTIFICATE_ENDS][0] = NOW_US / 1000000 + 10 * 86400;
	alarms_tick(a, NOW_US + 8000000);
	alarms_tick(a, NOW_US + 9000000);
	check(strstr(told, "raised certificate.ends home;"));
	alarms_free(a);
}

TEST(an_open_alarm_outlives_its_watch)
{
	struct wr w = {.p = room, .cap = sizeof room - 1};
	uint64_t at = NOW_US / 1000000;
	struct events_read *r;
	struct alarms *a;
	struct db *d;

	begin();
	roles = (struct watch_conf){0};
	d = open_store(30, 64);
	a = alarms(d);
	refused(d, a, at, "partner.peer_blocked", "00103", "99970~aa", 7);
	alarms_free(a);
	db_close(d);
	d = open_store(30, 64);
	a = alarms(d);
	check_eq(alarms_open(a), 1);
	refused(d, a, at + 5, "partner.peer_blocked", "00103", "99970~aa", 1);
	check(told[0] == 0);
	alarms_tick(a, (at + 6) * 1000000);
	check_eq(db_flush(d), ERR_OK);
	check_eq(events_read_open(&r, path, why), ERR_OK);
	check_eq(events_read_alarms(r, true, 10, &w), ERR_OK);
	room[w.n] = 0;
	check(
	    strstr((char *)room,
		   "\"alarm\":\"partner.blocked\",\"subject\":\"00103\",\"severity\":\"warning\""));
	check(strstr((char *)room, "\"n\":8"));
	check(strstr((char *)room, "\"event\":{\"time\":"));
	alarms_tick(a, (at + 500) * 1000000);
	check_eq(db_flush(d), ERR_OK);
	w = (struct wr){.p = room, .cap = sizeof room - 1};
	check_eq(events_read_alarms(r, true, 10, &w), ERR_OK);
	check(w.n == 2);
	events_read_close(r);
	alarms_free(a);
	db_close(d);
	end();
}

TEST(a_second_is_what_was_counted_in_it)
{
	struct wr w = {.p = room, .cap = sizeof room - 1};
	struct second *s = second_new();

	check(s);
	memset(&page, 0, sizeof page);
	roles = (struct watch_conf){.role = {{"edge", &page, -1}}, .role_n = 1};
	page.live.network[0] = (struct live_network){.plmn = 0xf00101, .arrived = 10};
	check(!second_take(s, &roles, &w));
	page.metrics.cell[M_EDGE_BY_NETWORK][0] = 12;
	page.metrics.cell[M_EDGE_PASSED][2] = 7;
	page.metrics.cell[M_EDGE_REFUSED_CLASS][3] = 5;
	page.live.network[0].arrived = 22;
	page.live.network[0].passed = 7;
	check(second_take(s, &roles, &w));
	room[w.n] = 0;
	check(
	    strstr((char *)room,
		   "{\"arrived\":12,\"passed\":[0,0,7,0],\"refused\":[0,0,0,5],\"appointed\":0,"));
	check(strstr((char *)room, ":[12,7,0,0]}}"));
	memset(&page, 0, sizeof page); /* it was started again */
	page.metrics.cell[M_EDGE_BY_NETWORK][0] = 3;
	w = (struct wr){.p = room, .cap = sizeof room - 1};
	check(second_take(s, &roles, &w));
	room[w.n] = 0;
	check(strstr((char *)room, "{\"arrived\":3,"));
	second_free(s);
}

TESTS(T(a_line_becomes_its_parts), T(events_are_found_by_what_they_are_indexed_by),
      T(a_subject_is_forgotten_for_good), T(what_is_too_old_goes_and_numbers_are_not_used_twice),
      T(beyond_its_size_the_oldest_go), T(a_damaged_store_is_set_aside),
      T(an_alarm_is_raised_once_and_cleared_when_it_is_quiet),
      T(a_storm_is_one_when_enough_are_refused_within_its_window),
      T(a_link_that_is_up_again_clears_its_own_alarm_alone), T(a_figure_must_stay_above_its_bound),
      T(an_open_alarm_outlives_its_watch), T(a_second_is_what_was_counted_in_it))
