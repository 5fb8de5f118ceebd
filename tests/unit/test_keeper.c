/* The keeper as its clients and the serving copy's readers see it. */
#include "keeper/keeper.h"
#include "records/client.h"
#include "unit/records_room.h"

#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static struct keeper *keeper;
static pthread_t thread;
static struct client *client;
static char me[64], sock[128];

static void *serve(void *k)
{
	keeper_run(k);
	return NULL;
}

static void start(void)
{
	struct keeper_conf conf = { .data_dir = room_dir, .portal_user = me };
	struct passwd *p = getpwuid(getuid());
	char why[256];

	snprintf(me, sizeof me, "%s", p ? p->pw_name : "");
	snprintf(sock, sizeof sock, "%s/keeper.sock", room_dir);
	if (keeper_start(&keeper, &conf, why))
		fprintf(stderr, "%s\n", why);
	check(keeper);
}

static void serve_it(void)
{
	char why[256];

	check_eq(pthread_create(&thread, NULL, serve, keeper), 0);
	check_eq(client_open(&client, sock, why), ERR_OK);
}

static void stop(void)
{
	client_close(client);
	keeper_stop(keeper);
	check_eq(pthread_join(thread, NULL), 0);
	keeper_free(keeper);
}

static struct keep rep;

/* Ask as `actor`; `pairs` as "a=b\nc=d". The status of the reply. */
static enum err ask(enum keep_op op, const char *actor, const char *object, const char *key,
		    const char *pairs, uint64_t approve)
{
	struct keep req = { .op = op };
	char why[256];

	keep_put_text(&req, KEEP_ACTOR, view_of(actor));
	keep_put_text(&req, KEEP_OBJECT, view_of(object));
	keep_put_text(&req, KEEP_KEY, view_of(key));
	if (approve)
		keep_put_num(&req, KEEP_APPROVE, approve);
	while (*pairs) {
		size_t n = strcspn(pairs, "\n");

		req.pair[req.pair_n++] = (struct view){ (const uint8_t *)pairs, n };
		req.has |= (uint64_t)1 << KEEP_PAIR;
		pairs += n + (pairs[n] == '\n');
	}
	check_eq(client_call(client, &req, &rep, why), ERR_OK);
	return client_status(&rep);
}

static bool said(enum keep_field f, const char *text)
{
	return memmem(rep.text[f].p, rep.text[f].n, text, strlen(text)) != NULL;
}

static struct serving *serving;
static struct serving_read *reader;

static const struct book *look(void)
{
	struct timespec t;
	char why[256];

	check_eq(serving_open(&serving, room_dir, why), ERR_OK);
	reader = serving_reader(serving);
	check(reader);
	clock_gettime(CLOCK_MONOTONIC, &t);
	check_eq(serving_renew(reader, (uint64_t)t.tv_sec * 1000), ERR_OK);
	return serving_book(reader);
}

static void look_away(void)
{
	serving_read_free(reader);
	serving_close(serving);
}

static uint64_t imsi_of(const char *text)
{
	return bcd_of(view_of(text));
}

TEST(the_demo_is_loaded_and_served)
{
	const struct book *b;
	const struct network_row *n;
	char why[256];

	room_make();
	start();
	check_eq(keeper_demo(keeper, why), ERR_OK);
	check_eq(keeper_demo(keeper, why), ERR_OK); /* again: all there already */
	serve_it();
	check_eq(ask(KEEP_SET, "", "subscription", "999700000000001",
		     "tenant=meters\nprofile=meter", 0), ERR_OK);
	b = look();
	n = b->network(b->ctx, imsi_of("00103"));
	check(n && n->trust == TRUST_BLOCKED && n->clear_ok);
	check(strcmp(n->realm, "epc.mnc003.mcc001.3gppnetwork.org") == 0);
	check(strcmp(n->address[1], "::1/128") == 0);
	check(b->sub(b->ctx, imsi_of("999700000000001")));
	check_eq(b->sub(b->ctx, imsi_of("999700000000001"))->prio, PRIO_LOW);
	look_away();
	stop();
	room_remove();
}

/* A file of share/demo as the cli sends it: without the key columns (k, opc, op, topc: 5 to 8). */
static void demo_file(const char *name, const char *object, bool keys)
{
	static uint8_t room[65536];
	struct wr w = { .p = room, .cap = sizeof room };
	struct keep req = { .op = KEEP_IMPORT };
	char line[1024], header[1024], why[256];
	FILE *f = fopen(name, "r");

	check(f && fgets(header, sizeof header, f));
	while (fgets(line, sizeof line, f)) {
		int column = 0;

		for (const char *c = line; *c; c++) {
			column += *c == ',';
			if (!keys || column < 5 || column > 8 || *c == ',')
				wr_be(&w, (uint8_t)*c, 1);
		}
	}
	fclose(f);
	keep_put_text(&req, KEEP_OBJECT, view_of(object));
	keep_put_text(&req, KEEP_HEADER, view_of(header));
	keep_put_text(&req, KEEP_LINES, wr_done(&w));
	check_eq(client_call(client, &req, &rep, why), ERR_OK);
	check_eq(client_status(&rep), ERR_OK);
	check(rep.text[KEEP_BAD].n == 0);
}

TEST(the_demo_files_are_imported_whole)
{
	const struct book *b;
	char why[256];

	room_make();
	start();
	check_eq(keeper_demo(keeper, why), ERR_OK);
	serve_it();
	demo_file(SHARE "/demo/subscriptions.csv", "subscription", true);
	check_eq(rep.num[KEEP_DONE], 30);
	demo_file(SHARE "/demo/equipment.csv", "equipment", false);
	check_eq(rep.num[KEEP_DONE], 4);
	b = look();
	check_eq(b->sub(b->ctx, imsi_of("999700000000201"))->prio, PRIO_CRITICAL);
	check_eq(b->sub(b->ctx, imsi_of("999700000000102"))->imei, imsi_of("00101700000102"));
	look_away();
	stop();
	room_remove();
}

/* .f: through the socket, by its persons. */
TEST(a_second_person_approves_through_the_socket)
{
	uint64_t approval;

	room_make();
	start();
	serve_it();
	check_eq(ask(KEEP_SET, "", "tenant", "cardio", "", 0), ERR_OK);
	check_eq(ask(KEEP_SET, "", "profile", "pacemaker", HEART, 0), ERR_OK);
	check_eq(ask(KEEP_SET, "", "subscription", "999700000000002",
		     "tenant=cardio\nprofile=pacemaker", 0), ERR_OK);
	check_eq(ask(KEEP_SET, "anna", "subscription", "999700000000002", "life=suspended", 0),
		 ERR_APPROVAL);
	approval = rep.num[KEEP_APPROVAL];
	check(said(KEEP_REASON, "needs a second person"));
	check_eq(ask(KEEP_PENDING, "bert", "", "", "", 0), ERR_OK);
	check(said(KEEP_BODY, "\"actor\":\"anna\""));
	check_eq(ask(KEEP_CONFIRM, "anna", "", "", "", approval), ERR_REFUSED);
	check_eq(ask(KEEP_CONFIRM, "bert", "", "", "", approval), ERR_OK);
	check_eq(ask(KEEP_GET, "", "subscription", "999700000000002", "", 0), ERR_OK);
	check(said(KEEP_BODY, "\"life\":\"suspended\""));
	check_eq(ask(KEEP_JOURNAL, "", "", "", "", 0), ERR_OK);
	check(said(KEEP_BODY, "\"actor\":\"bert\""));
	check(said(KEEP_BODY, "\"actor\":\"anna\",\"action\":\"ask\""));
	check(said(KEEP_BODY, "\"life\":[\"active\",\"suspended\"]"));
	stop();
	room_remove();
}

TEST(a_stranger_may_not_speak_for_others)
{
	struct keeper_conf conf = { .data_dir = room_dir };
	char why[256];

	room_make();
	start();
	keeper_free(keeper);
	check_eq(keeper_start(&keeper, &conf, why), ERR_OK);
	serve_it();
	check_eq(ask(KEEP_SET, "anna", "tenant", "cardio", "", 0), ERR_REFUSED);
	check_eq(ask(KEEP_SET, "", "tenant", "cardio", "", 0), ERR_OK);
	stop();
	room_remove();
}

/* What the portal does with its connection before it faces strangers: whoever takes it over has no more. */
TEST(a_connection_that_narrowed_itself_does_no_more)
{
	static const struct {
		enum keep_op op;
		const char *object, *key, *mode;
		enum err want;
	} rows[] = {
		{ KEEP_SET, "tenant", "cardio", "set", ERR_REFUSED },
		{ KEEP_DELETE, "tenant", "cardio", "", ERR_REFUSED },
		{ KEEP_LIST, "subscription", "", "", ERR_REFUSED },
		{ KEEP_GET, "subscription", "999700000000001", "", ERR_REFUSED },
		{ KEEP_JOURNAL, "", "", "", ERR_REFUSED },
		{ KEEP_VERIFY, "", "", "", ERR_REFUSED },
		{ KEEP_NOTE, "", "k", "rotated", ERR_REFUSED },
		{ KEEP_NOTE, "", "k", "receipt", ERR_OK },
		{ KEEP_LIST, "tenant", "", "", ERR_OK },
		{ KEEP_LIST, "platform", "", "", ERR_OK },
		{ KEEP_NARROW, "", "", "portal", ERR_OK },
		{ KEEP_NARROW, "", "", "api", ERR_REFUSED },
		{ KEEP_NARROW, "", "", "root", ERR_VALUE },
		{ KEEP_SET, "tenant", "cardio", "set", ERR_REFUSED },
	};
	struct keep req = { .op = KEEP_NARROW };
	char why[256];

	room_make();
	start();
	serve_it();
	check_eq(ask(KEEP_LIST, "", "subscription", "", "", 0), ERR_OK);
	keep_put_text(&req, KEEP_MODE, VIEW("portal"));
	check_eq(client_call(client, &req, &rep, why), ERR_OK);
	check_eq(client_status(&rep), ERR_OK);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		req = (struct keep){ .op = rows[i].op };
		keep_put_text(&req, KEEP_OBJECT, view_of(rows[i].object));
		keep_put_text(&req, KEEP_KEY, view_of(rows[i].key));
		keep_put_text(&req, KEEP_MODE, view_of(rows[i].mode));
		check_eq(client_call(client, &req, &rep, why), ERR_OK);
		check_eq(client_status(&rep), rows[i].want);
	}
	stop();
	room_remove();
}

/* The process dies between its commit and its publishing: the next one catches up from the copy's
 * feed number. */
TEST(killed_between_commit_and_publish_it_catches_up)
{
	const struct book *b;
	pid_t pid;
	int status;

	room_make();
	start();
	keeper_free(keeper);
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		room_fill(room_open());
		raise(SIGKILL);
	}
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSIGNALED(status));
	start();
	serve_it(); /* it does not wait for the dead one's readers before it serves */
	for (int i = 0; (b = look()) && serving_last(reader) != 4 && i < 1000; i++) {
		look_away();
		usleep(10000);
	}
	check(b->sub(b->ctx, imsi_of("999700000000001")));
	check_eq(b->sub(b->ctx, imsi_of("999700000000002"))->prio, PRIO_CRITICAL);
	check_eq(serving_last(reader), 4);
	look_away();
	stop();
	room_remove();
}

static void damage(const char *name, bool remove_it)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", room_dir, name);
	if (remove_it) {
		check_eq(unlink(path), 0);
		return;
	}
	f = fopen(path, "w");
	check(f && fputs("scribble", f) >= 0 && fclose(f) == 0);
}

TEST(a_damaged_or_lost_serving_copy_is_built_anew)
{
	for (int lost = 0; lost < 2; lost++) {
		const struct book *b;
		struct store *st;

		room_make();
		start();
		keeper_free(keeper);
		st = room_open();
		room_fill(st);
		store_prune(st, 1); /* so the feed alone cannot do it */
		store_close(st);
		damage("serving.mdb", lost);
		start();
		b = look();
		check(b->sub(b->ctx, imsi_of("999700000000001")));
		check(b->profile(b->ctx, b->sub(b->ctx, imsi_of("999700000000002"))->profile));
		check_eq(serving_last(reader), 4);
		look_away();
		serve_it();
		stop();
		room_remove();
	}
}

/* .c */
TEST(a_tampered_row_is_not_published_and_told)
{
	const struct book *b;

	room_make();
	start();
	serve_it();
	check_eq(ask(KEEP_SET, "", "tenant", "meters", "", 0), ERR_OK);
	check_eq(ask(KEEP_SET, "", "profile", "meter", METER, 0), ERR_OK);
	check_eq(ask(KEEP_SET, "", "subscription", "999700000000001",
		     "tenant=meters\nprofile=meter", 0), ERR_OK);
	check_eq(ask(KEEP_VERIFY, "", "", "", "", 0), ERR_OK);
	room_behind("UPDATE subscription SET life = 3");
	room_behind("INSERT INTO change SELECT max(seq) + 1, 1, (SELECT id FROM change WHERE kind = 1), "
		    "2, 0 FROM change");
	check_eq(ask(KEEP_VERIFY, "", "", "", "", 0), ERR_CORRUPT);
	check(said(KEEP_BODY, "\"tampered\":1"));
	check_eq(ask(KEEP_GET, "", "subscription", "999700000000001", "", 0), ERR_OK);
	check(said(KEEP_BODY, "\"tampered\":true"));
	stop();
	start(); /* publishes what the feed holds */
	b = look();
	check_eq(b->sub(b->ctx, imsi_of("999700000000001"))->life, LIFE_ACTIVE);
	look_away();
	serve_it();
	stop();
	room_remove();
}

TEST(a_profile_of_another_class_is_one_change_and_reaches_its_subscriptions)
{
	const struct book *b;
	uint64_t feed;

	room_make();
	start();
	serve_it();
	check_eq(ask(KEEP_SET, "", "tenant", "meters", "", 0), ERR_OK);
	check_eq(ask(KEEP_SET, "", "profile", "meter", METER, 0), ERR_OK);
	for (int i = 1; i < 600; i++) {
		char key[24];

		snprintf(key, sizeof key, "999700000001%03d", i);
		check_eq(ask(KEEP_SET, "", "subscription", key, "tenant=meters\nprofile=meter", 0),
			 ERR_OK);
	}
	feed = rep.num[KEEP_FEED];
	check_eq(ask(KEEP_SET, "", "profile", "meter", "priority=high", 0), ERR_OK);
	check_eq(rep.num[KEEP_FEED], feed + 1);
	b = look();
	check_eq(b->sub(b->ctx, imsi_of("999700000001001"))->prio, PRIO_HIGH);
	check_eq(b->sub(b->ctx, imsi_of("999700000001599"))->prio, PRIO_HIGH);
	look_away();
	stop();
	room_remove();
}

#define ROWS  100000
#define BLOCK 10000

static uint64_t done_n, refused_n, told_n;

static void import_block(int from, struct wr *w)
{
	struct keep req = { .op = KEEP_IMPORT };
	char line[96], why[256];

	w->n = 0;
	for (int i = from; i < from + BLOCK; i++) {
		snprintf(line, sizeof line, "99970%010d,meters,%s\n", i % 1000 == 7 ? 7 : i,
			 i % 5000 == 11 ? "nosuch" : "meter");
		wr_view(w, view_of(line));
	}
	keep_put_text(&req, KEEP_OBJECT, VIEW("subscription"));
	keep_put_text(&req, KEEP_HEADER, VIEW("imsi,tenant,profile"));
	keep_put_text(&req, KEEP_LINES, wr_done(w));
	keep_put_num(&req, KEEP_LINE, (uint64_t)from + 2);
	check_eq(client_call(client, &req, &rep, why), ERR_OK);
	check_eq(client_status(&rep), ERR_OK);
	done_n += rep.num[KEEP_DONE];
	refused_n += rep.num[KEEP_REFUSED];
	for (size_t i = 0; i < rep.text[KEEP_BAD].n; i++)
		told_n += rep.text[KEEP_BAD].p[i] == '\n';
}

TEST(an_import_of_100k_rows_tells_every_bad_line)
{
	static uint8_t room[1 << 20];
	struct wr w = { .p = room, .cap = sizeof room };
	const struct book *b;

	room_make();
	start();
	serve_it();
	check_eq(ask(KEEP_SET, "", "tenant", "meters", "", 0), ERR_OK);
	check_eq(ask(KEEP_SET, "", "profile", "meter", METER, 0), ERR_OK);
	for (int i = 0; i < ROWS; i += BLOCK) {
		import_block(i, &w);
		if (i == 0) {
			check(said(KEEP_BAD, "1009\timsi: exists already"));
			check(said(KEEP_BAD, "13\tprofile: there is none"));
		}
	}
	check_eq(refused_n, ROWS / 1000 - 1 + ROWS / 5000);
	check_eq(told_n, refused_n);
	check_eq(done_n, ROWS - refused_n);
	check_eq(ask(KEEP_VERIFY, "", "", "", "", 0), ERR_OK);
	b = look();
	check(b->sub(b->ctx, imsi_of("999700000099999")));
	check(!b->sub(b->ctx, imsi_of("999700000000011")));
	look_away();
	stop();
	room_remove();
}

TEST(a_malformed_request_ends_its_connection_and_nothing_else)
{
	static const struct view bad[] = {
		VIEW_INIT("GET / HTTP/1.1\r\n\r\n"), VIEW_INIT("MK\x01\x7f\0\0\0\0\0\0\0\0"),
		VIEW_INIT("MK\x01\x88\0\0\0\0\0\0\0\0"), VIEW_INIT("MK\x01\x01\0\0\0\0\0\0\0\0"),
		VIEW_INIT("MK\x01\x01\0\0\0\0\xff\xff\xff\xff"),
	};
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	room_make();
	start();
	serve_it();
	snprintf(to.sun_path, sizeof to.sun_path, "%.100s", sock);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		char byte;

		check_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
		check_eq(write(fd, bad[i].p, bad[i].n), bad[i].n);
		check_eq(read(fd, &byte, 1) <= 0, 1);
		close(fd);
	}
	check_eq(ask(KEEP_STATE, "", "", "", "", 0), ERR_OK);
	check(said(KEEP_BODY, "\"malformed\":5"));
	stop();
	room_remove();
}

TEST(export_backup_and_what_the_socket_allows)
{
	struct keep req = { .op = KEEP_BACKUP };
	struct stat file;
	char why[256];

	room_make();
	start();
	serve_it();
	check_eq(stat(sock, &file), 0);
	check_eq(file.st_mode & 0777, 0600);
	check_eq(ask(KEEP_SET, "", "tenant", "meters", "contact=a, \"b\"", 0), ERR_OK);
	check_eq(ask(KEEP_EXPORT, "", "tenant", "", "", 0), ERR_OK);
	check(view_eq(rep.text[KEEP_BODY], VIEW("name,contact,critical_max\nmeters,\"a, \"\"b\"\"\",0\n")));
	check_eq(ask(KEEP_MODEL, "", "subscription", "", "", 0), ERR_OK);
	check(said(KEEP_BODY, "\"name\":\"imsi\""));
	check_eq(ask(KEEP_GET, "", "spaceship", "x", "", 0), ERR_NOT_FOUND);
	keep_put_text(&req, KEEP_NAME, VIEW("../../etc"));
	check_eq(client_call(client, &req, &rep, why), ERR_OK);
	check_eq(client_status(&rep), ERR_VALUE);
	keep_put_text(&req, KEEP_NAME, VIEW("monday"));
	check_eq(client_call(client, &req, &rep, why), ERR_OK);
	check_eq(client_status(&rep), ERR_OK);
	check(said(KEEP_BODY, "/backup/monday"));
	check_eq(client_call(client, &req, &rep, why), ERR_OK);
	check_eq(client_status(&rep), ERR_IO);
	stop();
	room_remove();
}

/* Verify, list and export again and again, on a connection of its own. */
static void *ask_long(void *unused)
{
	static const enum keep_op ops[] = { KEEP_VERIFY, KEEP_LIST, KEEP_EXPORT };
	struct client *own;
	struct keep got;
	char why[256];

	check_eq(client_open(&own, sock, why), ERR_OK);
	for (int i = 0; i < 30; i++) {
		struct keep req = { .op = ops[i % 3] };

		if (req.op != KEEP_VERIFY)
			keep_put_text(&req, KEEP_OBJECT, VIEW("subscription"));
		if (req.op == KEEP_LIST) {
			req.pair[req.pair_n++] = VIEW("profile=meter");
			req.has |= (uint64_t)1 << KEEP_PAIR;
		}
		check_eq(client_call(own, &req, &got, why), ERR_OK);
		check_eq(client_status(&got), ERR_OK); /* of one state: no row without its seal */
		check(got.text[KEEP_BODY].n > 0);
	}
	client_close(own);
	return unused;
}

/* .c: what takes long is answered of one state, however many ask, while records change. */
TEST(long_requests_stop_no_change_and_see_one_state)
{
	struct client *gone;
	pthread_t asker[6];
	struct keep req = { .op = KEEP_VERIFY };
	struct wr w = { .p = (uint8_t[256]){ 0 }, .cap = 256 };
	char why[256], pair[64];

	room_make();
	start();
	check_eq(keeper_demo(keeper, why), ERR_OK);
	serve_it();
	check_eq(ask(KEEP_SET, "", "subscription", "999700000000001", "tenant=meters\nprofile=meter", 0),
		 ERR_OK);
	for (size_t i = 0; i < 6; i++)
		check_eq(pthread_create(&asker[i], NULL, ask_long, NULL), 0);
	for (int i = 0; i < 200; i++) {
		snprintf(pair, sizeof pair, "msisdn=99970%06d", i);
		check_eq(ask(KEEP_SET, "", "subscription", "999700000000001", pair, 0), ERR_OK);
	}
	for (size_t i = 0; i < 6; i++)
		check_eq(pthread_join(asker[i], NULL), 0);
	keep_emit(&w, &req); /* one that does not wait for its answer */
	for (int i = 0; i < 8; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		struct sockaddr_un to = { .sun_family = AF_UNIX };

		snprintf(to.sun_path, sizeof to.sun_path, "%.100s", sock);
		check_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
		check_eq(send(fd, w.p, w.n, 0), (ssize_t)w.n);
		close(fd);
	}
	check_eq(client_open(&gone, sock, why), ERR_OK);
	check_eq(client_call(gone, &req, &rep, why), ERR_OK);
	check_eq(client_status(&rep), ERR_OK);
	client_close(gone);
	stop();
	room_remove();
}

TESTS(T(the_demo_is_loaded_and_served), T(the_demo_files_are_imported_whole),
      T(a_second_person_approves_through_the_socket),
      T(a_stranger_may_not_speak_for_others), T(a_connection_that_narrowed_itself_does_no_more),
      T(killed_between_commit_and_publish_it_catches_up),
      T(a_damaged_or_lost_serving_copy_is_built_anew), T(a_tampered_row_is_not_published_and_told),
      T(a_profile_of_another_class_is_one_change_and_reaches_its_subscriptions),
      T(an_import_of_100k_rows_tells_every_bad_line),
      T(a_malformed_request_ends_its_connection_and_nothing_else),
      T(export_backup_and_what_the_socket_allows),
      T(long_requests_stop_no_change_and_see_one_state))
