/* Bulk jobs: what a trial says, who must agree, and that each row is done once whatever happens
 * (R-5.8.4.a). */
#include "records/jobs.h"
#include "unit/records_room.h"

#include <signal.h>
#include <sys/wait.h>

static struct store *st;
static struct jobs *jobs;
static const struct jobs_conf conf = {20, 5};
static uint8_t room[1 << 22];
static struct say said;

static void begin(unsigned int sims)
{
	char key[32];

	room_make();
	st = room_open();
	check_eq(jobs_open(&jobs, st, &conf), ERR_OK);
	check_eq(room_edit_by(st, "anna", 0, OBJ_TENANT, EDIT_CREATE, "meters", "").err, ERR_OK);
	check_eq(
	    room_edit_by(st, "anna", 0, OBJ_PROFILE, EDIT_CREATE, "meter",
			 "tenant=meters\napn1=meters.iot:ipv4:9:15:100000:100000\nservices=voice")
		.err,
	    ERR_OK);
	check_eq(room_edit_by(st, "anna", 0, OBJ_PROFILE, EDIT_CREATE, "mute",
			      "tenant=meters\napn1=meters.iot:ipv4:9:15:100000:100000")
		     .err,
		 ERR_OK);
	check_eq(store_begin(st), ERR_OK);
	for (unsigned int i = 0; i < sims; i++) {
		const struct view pair[] = {VIEW("tenant=meters"), VIEW("profile=meter")};
		struct edit e = {
		    .object = OBJ_SUBSCRIPTION, .mode = EDIT_CREATE, .pair = pair, .pair_n = 2};
		struct who who = {.actor = VIEW("anna"), .now_ms = NOW_MS};
		uint64_t approval;

		snprintf(key, sizeof key, "99970%010u", i);
		e.key = view_of(key);
		check_eq(store_edit(st, &who, &e, &approval, &said), ERR_OK);
	}
	check_eq(store_commit(st), ERR_OK);
}

static void end(void)
{
	jobs_close(jobs);
	store_close(st);
	room_remove();
}

static struct who by(const char *name)
{
	return (struct who){.actor = view_of(name), .now_ms = NOW_MS};
}

static uint64_t make(const char *changes, const char *filter, const char *header)
{
	struct view pair[] = {view_of(changes)};
	const struct job_new n = {.object = OBJ_SUBSCRIPTION,
				  .pair = pair,
				  .pair_n = changes[0] != 0,
				  .filter = view_of(filter),
				  .header = view_of(header)};
	struct who who = by("anna");
	uint64_t id = 0;

	check_eq(jobs_new(jobs, &who, &n, &id, &said), ERR_OK);
	return id;
}

static void go_on(void)
{
	bool changed;

	while (jobs_step(jobs, NOW_MS, &changed) == 0)
		;
}

static bool shows(uint64_t id, const char *text)
{
	struct wr w = {.p = room, .cap = sizeof room - 1};

	check_eq(jobs_show(jobs, id, (struct view){0}, &w, &said), ERR_OK);
	room[w.n] = 0;
	if (!strstr((char *)room, text))
		fprintf(stderr, "no %s in %s\n", text, (char *)room);
	return strstr((char *)room, text);
}

static enum err doing(const char *who, uint64_t id, enum job_verb verb)
{
	struct who w = by(who);

	return jobs_do(jobs, &w, id, verb, &said);
}

static uint64_t count(const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *q;
	char path[128];
	uint64_t n;

	snprintf(path, sizeof path, "%s/records.db", room_dir);
	check_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	check_eq(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
	check_eq(sqlite3_step(q), SQLITE_ROW);
	n = (uint64_t)sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return n;
}

TEST(a_trial_says_what_devices_lose_and_changes_nothing)
{
	uint64_t id, journal;

	begin(20);
	id = make("profile=mute", "imsi=99970000000000*", "");
	journal = count("SELECT count(*) FROM journal");
	go_on();
	check(shows(id, "\"state\":\"ready\""));
	check(shows(id, "\"rows\":10,\"tried\":10,\"change\":10,\"same\":0,\"bad\":0"));
	check(shows(id, "{\"what\":\"lose voice\",\"devices\":10}"));
	check_eq(count("SELECT count(*) FROM journal"), journal);
	check_eq(count("SELECT count(*) FROM subscription WHERE profile = 'mute'"), 0);
	end();
}

TEST(too_large_a_share_needs_another_person)
{
	uint64_t id;

	begin(20);
	id = make("life=suspended", "tenant=meters", "");
	go_on();
	check(shows(id, "\"touched\":20,\"of\":20,\"too_many\":true"));
	check_eq(doing("anna", id, JOB_START), ERR_APPROVAL);
	go_on();
	check_eq(count("SELECT count(*) FROM subscription WHERE life = 3"), 0);
	check_eq(doing("Anna", id, JOB_APPROVE), ERR_REFUSED);
	check_eq(doing("bert", id, JOB_APPROVE), ERR_OK);
	go_on();
	check(shows(id, "\"state\":\"done\""));
	check_eq(count("SELECT count(*) FROM subscription WHERE life = 3"), 20);
	end();
}

TEST(few_may_be_touched_by_one_person)
{
	uint64_t id;

	begin(10);
	id = make("life=suspended", "imsi=99970000000000*", "");
	go_on();
	check_eq(doing("anna", id, JOB_START), ERR_APPROVAL); /* ten of ten */
	check_eq(doing("anna", id, JOB_CANCEL), ERR_OK);
	id = make("life=suspended", "imsi=999700000000001", "");
	go_on();
	check_eq(doing("anna", id, JOB_START), ERR_OK);
	go_on();
	check_eq(count("SELECT count(*) FROM subscription WHERE life = 3"), 1);
	check(shows(id, "\"state\":\"done\""));
	end();
}

TEST(critical_rows_need_the_job_to_have_a_second_person)
{
	uint64_t id;

	begin(20);
	check_eq(room_edit_by(st, "anna", 0, OBJ_SUBSCRIPTION, EDIT_CHANGE, "999700000000003",
			      "priority=critical")
		     .err,
		 ERR_OK);
	id = make("life=suspended", "imsi=999700000000003", "");
	go_on();
	check(shows(id, "\"second_person\":1"));
	check_eq(doing("anna", id, JOB_START), ERR_APPROVAL); /* .f */
	check_eq(doing("bert", id, JOB_APPROVE), ERR_OK);
	go_on();
	check_eq(count("SELECT count(*) FROM subscription WHERE life = 3"), 1);
	check_eq(count("SELECT count(*) FROM approval"), 0);
	end();
}

TEST(each_row_of_a_csv_has_its_result)
{
	struct who who = by("anna");
	struct wr w = {.p = room, .cap = sizeof room - 1};
	uint64_t id, next;

	begin(20);
	id = make("", "", "imsi,life\n");
	check_eq(jobs_lines(jobs, &who, id, VIEW("999700000000001,suspended\n"), false, &said),
		 ERR_OK);
	check_eq(jobs_lines(jobs, &who, id, VIEW("999700000000002,retired\n123456789,suspended\n"),
			    true, &said),
		 ERR_OK);
	check_eq(jobs_lines(jobs, &who, id, VIEW("999700000000004,suspended\n"), true, &said),
		 ERR_REFUSED);
	go_on();
	check(shows(id, "\"change\":1,\"same\":0,\"bad\":2"));
	check_eq(doing("anna", id, JOB_START), ERR_OK);
	go_on();
	check_eq(jobs_result(jobs, id, (struct view){0}, 0, false, &w, &next, &said), ERR_OK);
	room[w.n] = 0;
	check_eq(next, 0);
	check(
	    strstr((char *)room,
		   "line,result,reason,imsi,life\n1,done,,999700000000001,suspended\n"
		   "2,refused,\"life: no step from active to retired\",999700000000002,retired\n"
		   "3,refused,\"subscription: there is none of that key\",123456789,suspended\n"));
	end();
}

TEST(what_is_paused_goes_on_and_what_is_cancelled_does_not)
{
	bool changed;
	uint64_t id;

	begin(5000);
	id = make("life=suspended", "tenant=meters", "");
	go_on();
	check_eq(doing("anna", id, JOB_START), ERR_APPROVAL);
	check_eq(doing("bert", id, JOB_APPROVE), ERR_OK);
	check_eq(jobs_step(jobs, NOW_MS, &changed), 0);
	check(changed);
	check_eq(doing("anna", id, JOB_PAUSE), ERR_OK);
	go_on();
	check(shows(id, "\"state\":\"paused\""));
	check_eq(count("SELECT count(*) FROM subscription WHERE life = 3"), JOB_PART_ROWS);
	check_eq(doing("anna", id, JOB_START), ERR_OK);
	check_eq(jobs_step(jobs, NOW_MS, &changed), 0);
	check_eq(doing("anna", id, JOB_CANCEL), ERR_OK);
	go_on();
	check(shows(id, "\"state\":\"cancelled\""));
	check_eq(count("SELECT count(*) FROM subscription WHERE life = 3"), 2 * JOB_PART_ROWS);
	check_eq(doing("anna", id, JOB_START), ERR_REFUSED);
	end();
}

/* One that works until it is killed. */
static pid_t worker(void)
{
	pid_t pid;
	bool changed;

	fflush(stdout);
	pid = fork();
	if (pid != 0)
		return pid;
	st = room_open();
	if (jobs_open(&jobs, st, &conf))
		_exit(1);
	while (jobs_step(jobs, NOW_MS, &changed) != UINT32_MAX)
		;
	_exit(0);
}

TEST(a_job_that_is_killed_again_and_again_does_each_row_once)
{
	uint64_t id;
	int status = -1;

	begin(8000);
	id = make("life=suspended", "tenant=meters", "");
	go_on();
	check_eq(doing("anna", id, JOB_START), ERR_APPROVAL);
	check_eq(doing("bert", id, JOB_APPROVE), ERR_OK);
	jobs_close(jobs);
	store_close(st);
	for (int i = 0; i < 200 && status != 0; i++) {
		pid_t pid = worker();

		usleep((useconds_t)(2000 + i * 7919 % 30000 + i * 4000));
		kill(pid, SIGKILL);
		check_eq(waitpid(pid, &status, 0), pid);
	}
	st = room_open();
	check_eq(jobs_open(&jobs, st, &conf), ERR_OK);
	check(shows(id, "\"state\":\"done\""));
	check(shows(id, "\"done\":8000,\"refused\":0"));
	check_eq(count("SELECT count(*) FROM subscription WHERE life = 3"), 8000);
	check_eq(count("SELECT count(*) FROM journal WHERE detail LIKE '{\"job\":%'"), 8000);
	check_eq(count("SELECT count(DISTINCT key) FROM journal WHERE detail LIKE '{\"job\":%'"),
		 8000);
	end();
}

TEST(a_job_that_was_tampered_with_is_not_run)
{
	sqlite3 *db;
	char path[128];
	uint64_t id;

	begin(20);
	id = make("life=suspended", "imsi=999700000000001", "");
	go_on();
	snprintf(path, sizeof path, "%s/records.db", room_dir);
	check_eq(sqlite3_open(path, &db), SQLITE_OK);
	check_eq(
	    sqlite3_exec(db, "UPDATE job SET state = 4, starter = 'anna', pairs = 'life=suspended'",
			 NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	go_on();
	check_eq(count("SELECT count(*) FROM subscription WHERE life = 3"), 0); /* .c */
	check_eq(doing("anna", id, JOB_START), ERR_CORRUPT);
	end();
}

TEST(what_cannot_be_is_told_before_it_is_made)
{
	static const struct {
		const char *changes, *filter, *header;
	} cases[] = {
	    {"nosuch=1", "tenant=meters", ""},
	    {"life=dead", "tenant=meters", ""},
	    {"imsi=1234567", "tenant=meters", ""},
	    {"life=suspended", "nosuch=meters", ""},
	    {"life=suspended", "", ""},
	    {"life=suspended", "a=b", "imsi"},
	    {"", "tenant=meters", ""},
	    {"life=suspended", "tenant=meters\n\x01=2", ""},
	};

	begin(1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct view pair[] = {view_of(cases[i].changes)};
		const struct job_new n = {.object = OBJ_SUBSCRIPTION,
					  .pair = pair,
					  .pair_n = cases[i].changes[0] != 0,
					  .filter = view_of(cases[i].filter),
					  .header = view_of(cases[i].header)};
		struct who who = by("anna");
		uint64_t id;

		check_eq(jobs_new(jobs, &who, &n, &id, &said), ERR_VALUE);
		check(said.text[0]);
	}
	check_eq(count("SELECT count(*) FROM job"), 0);
	end();
}

TESTS(T(a_trial_says_what_devices_lose_and_changes_nothing),
      T(too_large_a_share_needs_another_person), T(few_may_be_touched_by_one_person),
      T(critical_rows_need_the_job_to_have_a_second_person), T(each_row_of_a_csv_has_its_result),
      T(what_is_paused_goes_on_and_what_is_cancelled_does_not),
      T(a_job_that_is_killed_again_and_again_does_each_row_once),
      T(a_job_that_was_tampered_with_is_not_run), T(what_cannot_be_is_told_before_it_is_made))
