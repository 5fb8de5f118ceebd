/* The home role as it runs: stores in a folder of its own, a loop in a thread, and a client that
 * speaks Diameter to it over a loopback connection as the edge does. */
#include "base/metric.h"
#include "home/home.h"
#include "records/serving.h"
#include "records/spool.h"
#include "unit/home_fixture.h"
#include <arpa/inet.h>
#include <ftw.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define OTHER bcd_of(VIEW("999700000000002"))
#define MME_A "mme-a.epc.mnc001.mcc001.3gppnetwork.org"
#define MME_B "mme-b.epc.mnc001.mcc001.3gppnetwork.org"
#define OURS "epc.mnc070.mcc999.3gppnetwork.org"

static char dir[64], key_path[128];
static struct serving_writer *writer;
static uint64_t feed;
static struct loop *loop;
static struct home *home;
static pthread_t thread;
static uint16_t port;
static int conn = -1;
static uint32_t next_id;
static struct page out, in;

/* --- the keeper's part --- */

static struct profile_row profile;
static struct sub_row subs[2];

static void change(enum change_kind kind, uint64_t id)
{
	struct change c = {.seq = ++feed, .id = id, .kind = kind};

	check_eq(serving_begin(writer), ERR_OK);
	check_eq(serving_put_profile(writer, &profile), ERR_OK);
	for (int i = 0; i < 2; i++)
		check_eq(serving_put_sub(writer, &subs[i]), ERR_OK);
	check_eq(serving_change(writer, &c), ERR_OK);
	check_eq(serving_commit(writer), ERR_OK);
}

static void publish(void)
{
	struct equip_row black = {.colour = BLACK, .reason = "stolen"};
	char why[256] = "";

	black.imei = bcd_of(VIEW("35316609000002"));
	check_eq(serving_create(&writer, dir, why), ERR_OK);
	profile = meter_profile();
	subs[0] = subs[1] = meter_sub();
	subs[1].imsi = OTHER;
	check_eq(serving_begin(writer), ERR_OK);
	check_eq(serving_put_equip(writer, &black), ERR_OK);
	check_eq(serving_commit(writer), ERR_OK);
	change(CHANGE_PROFILE, 1);
}

/* --- the role --- */

static uint16_t free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	check(fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0 &&
	      getsockname(fd, (struct sockaddr *)&a, &n) == 0);
	close(fd);
	return ntohs(a.sin_port);
}

static enum err start(char why[256])
{
	const struct loop_limits limits = {
	    .conn_max = 16, .frame_max = DIA_FRAME_MAX, .out_max = 1 << 20, .handshake_ms = 5000};
	struct endpoint e;
	char text[64];
	struct home_conf conf = {
	    .data_dir = dir,
	    .master_key = key_path,
	    .host = VIEW("home." OURS),
	    .realm = VIEW(OURS),
	    .own_plmn = OWN,
	    .listen = &e,
	    .listen_n = 1,
	    .node_id = 1,
	    .watchdog_ms = 30000,
	    .vector_max = 5,
	};

	snprintf(text, sizeof text, "tcp:127.0.0.1:%u", port);
	check_eq(endpoint_parse(view_of(text), &e), ERR_OK);
	loop = loop_new(&limits);
	check(loop);
	return home_start(&home, loop, &conf, why);
}

static void *run(void *l)
{
	loop_run(l);
	return NULL;
}

static void up(void)
{
	char why[256] = "";
	enum err err;

	port = free_port();
	err = start(why);
	if (err)
		fprintf(stderr, "%s\n", why);
	check_eq(err, ERR_OK);
	check_eq(pthread_create(&thread, NULL, run, loop), 0);
}

static void down(void)
{
	if (conn >= 0)
		close(conn);
	conn = -1;
	home_stop(home);
	loop_stop(loop);
	pthread_join(thread, NULL);
	home_free(home);
	loop_free(loop);
}

/* --- the client --- */

static int dial(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				.sin_port = htons(port)};
	struct timeval limit = {.tv_sec = 5};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	check(fd >= 0);
	check_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
	check_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static void read_all(uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(conn, p, n, 0);

		check(got > 0);
		p += got;
		n -= (size_t)got;
	}
}

/* The next message, whole and by its row. */
static void receive(void)
{
	size_t n;

	page_clear(&in);
	read_all(in.bytes, 4);
	n = (size_t)in.bytes[1] << 16 | (size_t)in.bytes[2] << 8 | in.bytes[3];
	check(n >= 20 && n <= sizeof in.bytes);
	read_all(in.bytes + 4, n - 4);
	in.w.n = n;
	page_parse(&in);
}

static void send_out(void)
{
	check_eq(out.w.err, ERR_OK);
	check_eq(send(conn, out.w.p, out.w.n, 0), out.w.n);
}

static size_t begin(uint32_t app, uint32_t code, const char *mme, const char *imsi)
{
	struct dia_header h = {
	    .flags = DIA_FLAG_REQUEST | DIA_FLAG_PROXIABLE, .code = code, .app = app};
	size_t start;

	h.hop_by_hop = h.end_to_end = ++next_id;
	page_clear(&out);
	start = dia_begin(&out.w, &h);
	dia_put(&out.w, AVP_SESSION_ID, VIEW("mme;1;2"));
	dia_put_u32(&out.w, AVP_AUTH_SESSION_STATE, 1);
	dia_put_text(&out.w, AVP_ORIGIN_HOST, mme);
	dia_put(&out.w, AVP_ORIGIN_REALM, VIEW("epc.mnc001.mcc001.3gppnetwork.org"));
	dia_put(&out.w, AVP_DESTINATION_REALM, VIEW(OURS));
	dia_put_text(&out.w, AVP_USER_NAME, imsi);
	return start;
}

static uint32_t ask(size_t start)
{
	dia_end(&out.w, start);
	send_out();
	receive();
	check_eq(in.h.hop_by_hop, next_id);
	check(!(in.h.flags & DIA_FLAG_REQUEST));
	return result_of(&in.m);
}

static uint32_t introduce(const char *host, const char *realm)
{
	struct dia_header h = {.flags = DIA_FLAG_REQUEST, .code = 257, .hop_by_hop = ++next_id};
	size_t start;

	page_clear(&out);
	start = dia_begin(&out.w, &h);
	dia_put_text(&out.w, AVP_ORIGIN_HOST, host);
	dia_put_text(&out.w, AVP_ORIGIN_REALM, realm);
	dia_put(&out.w, AVP_HOST_IP_ADDRESS, VIEW("\0\1\x7f\0\0\1"));
	dia_put_u32(&out.w, AVP_VENDOR_ID, VENDOR_3GPP);
	dia_put(&out.w, AVP_PRODUCT_NAME, VIEW("test"));
	dia_put_u32(&out.w, AVP_AUTH_APPLICATION_ID, DIA_APP_RELAY);
	return ask((dia_end(&out.w, start), start));
}

static void join(void)
{
	conn = dial();
	check_eq(introduce("edge-0." OURS, OURS), 2001);
}

static uint32_t air(const char *imsi, uint32_t n)
{
	size_t start = begin(DIA_APP_S6A, 318, MME_A, imsi), group;

	group = dia_open(&out.w, AVP_REQUESTED_EUTRAN_AUTHENTICATION_INFO);
	dia_put_u32(&out.w, AVP_NUMBER_OF_REQUESTED_VECTORS, n);
	dia_close(&out.w, group);
	dia_put(&out.w, AVP_VISITED_PLMN_ID, VIEW("\x00\xf1\x10"));
	return ask(start);
}

static uint32_t ulr(const char *mme, const char *imsi)
{
	size_t start = begin(DIA_APP_S6A, 316, mme, imsi);

	dia_put_u32(&out.w, AVP_RAT_TYPE, 1005);
	dia_put_u32(&out.w, AVP_ULR_FLAGS, ULR_S6A | ULR_INITIAL_ATTACH);
	dia_put(&out.w, AVP_VISITED_PLMN_ID, VIEW("\x00\xf1\x10"));
	return ask(start);
}

/* Answer the request of home's that has just come, as its node would. */
static void reply(uint32_t result)
{
	struct dia_header h = in.h;
	size_t start;

	h.flags = (uint8_t)(DIA_FLAG_PROXIABLE | (result / 1000 == 3 ? DIA_FLAG_ERROR : 0));
	page_clear(&out);
	start = dia_begin(&out.w, &h);
	dia_put(&out.w, AVP_SESSION_ID, tab_get(&in.m, AVP_SESSION_ID));
	dia_put_u32(&out.w, AVP_RESULT_CODE, result);
	dia_put_u32(&out.w, AVP_AUTH_SESSION_STATE, 1);
	dia_put(&out.w, AVP_ORIGIN_HOST, tab_get(&in.m, AVP_DESTINATION_HOST));
	dia_put(&out.w, AVP_ORIGIN_REALM, tab_get(&in.m, AVP_DESTINATION_REALM));
	dia_end(&out.w, start);
	send_out();
}

/* The next request must be this command to this node. */
static void expect(uint32_t code, const char *host)
{
	receive();
	check(in.h.flags & DIA_FLAG_REQUEST);
	check_eq(in.h.code, code);
	check(view_eq(tab_get(&in.m, AVP_DESTINATION_HOST), view_of(host)));
	check(view_eq(tab_get(&in.m, AVP_USER_NAME), VIEW("999700000000001")));
}

/* --- what it must do --- */

static void import_keys(void)
{
	struct vault_row rows[2] = {{.imsi = 0}};
	uint8_t pub[SEALBOX_PUBLIC];
	char name[SPOOL_NAME], why[256];
	struct secret32 master, priv;

	for (int i = 0; i < 2; i++) {
		rows[i].imsi = subs[i].imsi;
		memset(rows[i].key.k.b, 0x46, 16);
		memset(rows[i].key.opc.b, 0xcd, 16);
	}
	check_eq(spool_pub_get(dir, pub, why), ERR_OK);
	check_eq(spool_write(dir, pub, rows, 1, name, why), ERR_OK);
	/* One that was sealed to the pair of the master key, as imports did before. */
	check_eq(seal_master_load(key_path, &master, why), ERR_OK);
	sealbox_pair(&master, pub, &priv);
	check_eq(spool_write(dir, pub, rows + 1, 1, name, why), ERR_OK);
}

TEST(a_node_of_another_realm_is_not_admitted)
{
	conn = dial();
	check_eq(introduce("mme." OURS ".evil.org", "evil.org"), 3010);
	close(conn);
	conn = dial();
	check_eq(introduce("mme.evil.org", OURS), 3010);
	close(conn);
}

TEST(keys_laid_into_the_spool_make_vectors_soon_after)
{
	const struct timespec nap = {.tv_nsec = 50000000};
	const struct slot *v = NULL, *group;
	size_t n = 0;

	join();
	check_eq(air("999700000000001", 1), 4181); /* no key yet: a temporary refusal */
	import_keys();
	for (int i = 0; i < 60 && air("999700000000001", 3) != 2001; i++)
		nanosleep(&nap, NULL);
	check_eq(result_of(&in.m), 2001);
	for (int i = 0; i < 60 && air("999700000000002", 1) != 2001; i++)
		nanosleep(&nap, NULL);
	check_eq(result_of(&in.m), 2001);
	check_eq(air("999700000000001", 3), 2001);
	group = tab_slot(&in.m, AVP_AUTHENTICATION_INFO);
	while ((v = tab_next(&in.m, group, AVP_E_UTRAN_VECTOR, v)))
		n++;
	check_eq(n, 3);
	check_eq(air("999700000000099", 1), 5001);
}

TEST(a_move_cancels_the_node_that_served_before)
{
	check_eq(ulr(MME_A, "999700000000001"), 2001);
	check(tab_slot(&in.m, AVP_SUBSCRIPTION_DATA, AVP_APN_CONFIGURATION_PROFILE));
	check_eq(ulr(MME_A, "999700000000001"), 2001); /* again: nobody to cancel */
	check_eq(ulr(MME_B, "999700000000001"), 2001);
	expect(317, MME_A);
	check_eq(dia_u32(tab_get(&in.m, AVP_CANCELLATION_TYPE)), CANCEL_MME_UPDATE);
	reply(2001);
}

TEST(only_the_serving_node_purges_and_notifies)
{
	size_t start;

	check_eq(ulr(MME_A, "999700000000002"), 2001);
	start = begin(DIA_APP_S6A, 321, MME_B, "999700000000002");
	check_eq(ask(start), 2001);
	check_eq(dia_u32(tab_get(&in.m, AVP_PUA_FLAGS)), 0);
	start = begin(DIA_APP_S6A, 321, MME_A, "999700000000002");
	check_eq(ask(start), 2001);
	check_eq(dia_u32(tab_get(&in.m, AVP_PUA_FLAGS)), 1);
	start = begin(DIA_APP_S6A, 323, MME_B, "999700000000002");
	check_eq(ask(start), 5423);
}

TEST(a_black_device_is_told_to_be_black)
{
	size_t start = begin(DIA_APP_S13, 324, MME_A, "999700000000001"), group;

	group = dia_open(&out.w, AVP_TERMINAL_INFORMATION);
	dia_put_text(&out.w, AVP_IMEI, "35316609000002");
	dia_close(&out.w, group);
	check_eq(ask(start), 2001);
	check_eq(dia_u32(tab_get(&in.m, AVP_EQUIPMENT_STATUS)), BLACK);
}

TEST(what_is_wrong_by_itself_is_answered_with_what_is_wrong)
{
	size_t start = begin(DIA_APP_S6A, 318, MME_A, "999700000000001");

	check_eq(ask(start), 5005); /* no Visited-PLMN-Id */
	check(tab_slot(&in.m, AVP_FAILED_AVP));
	start = begin(DIA_APP_S6A, 318, MME_A, "999700000000001");
	dia_put(&out.w, AVP_VISITED_PLMN_ID, VIEW("\x00\xf1\x10"));
	dia_put(&out.w, AVP_DESTINATION_HOST, VIEW("hss2." OURS));
	check_eq(ask(start), 3002);
	check(in.h.flags & DIA_FLAG_ERROR);
	start = begin(DIA_APP_S6A, 317, MME_A, "999700000000001");
	dia_put(&out.w, AVP_DESTINATION_HOST, VIEW("home." OURS));
	dia_put_u32(&out.w, AVP_CANCELLATION_TYPE, 0);
	check_eq(ask(start), 3001); /* nobody cancels at an HSS */
}

TEST(a_changed_profile_reaches_the_serving_node)
{
	profile.version++;
	profile.ul_bps = 777;
	change(CHANGE_PROFILE, 1);
	expect(319, MME_B);
	check_eq(dia_u32(tab_get(&in.m, AVP_SUBSCRIPTION_DATA, AVP_AMBR,
				 AVP_MAX_REQUESTED_BANDWIDTH_UL)),
		 777);
	reply(2001);
	profile.tau_s = 0;
	change(CHANGE_PROFILE, 1);
	expect(320, MME_B);
	check_eq(dia_u32(tab_get(&in.m, AVP_DSR_FLAGS)), 0x4000);
	reply(3001); /* as MMEs do that know no DSR (facts/peers.md 4.2) */
	expect(319, MME_B);
	check(!tab_slot(&in.m, AVP_SUBSCRIPTION_DATA, AVP_SUBSCRIBED_PERIODIC_RAU_TAU_TIMER));
	reply(2001);
}

TEST(a_suspended_sim_is_cancelled_and_refused)
{
	serving_tick(writer, 0);
	subs[0].life = LIFE_SUSPENDED;
	change(CHANGE_SUB, IMSI);
	expect(317, MME_B);
	check_eq(dia_u32(tab_get(&in.m, AVP_CANCELLATION_TYPE)), CANCEL_WITHDRAWAL);
	reply(3002); /* not reachable now: it comes again */
	expect(317, MME_B);
	reply(2001);
	check_eq(air("999700000000001", 1), 5420);
	check_eq(ulr(MME_B, "999700000000001"), 5420);
}

TEST(registrations_outlive_the_process)
{
	size_t start;

	down();
	up();
	join();
	start = begin(DIA_APP_S6A, 323, MME_A, "999700000000002");
	check_eq(ask(start), 2001);
	check_eq(air("999700000000002", 1), 2001);
}

TEST(a_reset_goes_to_every_serving_node_and_only_when_asked_for)
{
	char why[256];

	check_eq(spool_reset(dir, why), ERR_OK);
	receive();
	check_eq(in.h.code, 322);
	check(view_eq(tab_get(&in.m, AVP_DESTINATION_HOST), VIEW(MME_A)));
	reply(2001);
}

TEST(a_busy_port_and_a_wrong_key_are_said_in_one_line)
{
	char why[256] = "";
	struct home *first_home = home;
	struct loop *first_loop = loop;

	check(start(why) != ERR_OK); /* the first one holds the stores and the port */
	check(why[0] && !strchr(why, '\n'));
	printf("  %s\n", why);
	loop_free(loop);
	home = first_home;
	loop = first_loop;
	down();
	check_eq(unlink(key_path), 0);
	check_eq(seal_master_make(key_path, why), ERR_OK);
	why[0] = 0;
	check_eq(start(why), ERR_KEY);
	check(why[0] && !strchr(why, '\n'));
	printf("  %s\n", why);
	loop_free(loop);
}

TEST(it_comes_up)
{
	char why[256];

	snprintf(dir, sizeof dir, "/tmp/merlon-home-XXXXXX");
	check(mkdtemp(dir));
	snprintf(key_path, sizeof key_path, "%s/master.key", dir);
	check_eq(seal_master_make(key_path, why), ERR_OK);
	publish();
	up();
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

TEST(it_leaves_nothing_behind)
{
	serving_finish(writer);
	check_eq(nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS), 0);
}

TESTS(T(it_comes_up), T(a_node_of_another_realm_is_not_admitted),
      T(keys_laid_into_the_spool_make_vectors_soon_after),
      T(a_move_cancels_the_node_that_served_before), T(only_the_serving_node_purges_and_notifies),
      T(a_black_device_is_told_to_be_black),
      T(what_is_wrong_by_itself_is_answered_with_what_is_wrong),
      T(a_changed_profile_reaches_the_serving_node), T(a_suspended_sim_is_cancelled_and_refused),
      T(registrations_outlive_the_process),
      T(a_reset_goes_to_every_serving_node_and_only_when_asked_for),
      T(a_busy_port_and_a_wrong_key_are_said_in_one_line), T(it_leaves_nothing_behind))
