#include "cli/inspect.h"

#include "cli/cli.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MEMORY (1u << 19)
#define SIGHTINGS 65536
#define CODE_CE 257
#define CONN 1 /* each speaker has a node with one connection */
#define PACKET_MAX 262144

static uint64_t monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- a node for each speaker, as the edge has one for each connection ------------------------- */

static void on_close(void *ctx, uint32_t conn)
{
	struct speaker *s = ctx;

	(void)conn;
	s->up = false;
}

/* Everyone is let in here, so that every request is judged; the edge would refuse strangers
 * earlier. */
static struct dia_admit on_admit(void *ctx, const struct dia_link *link, const struct msg *ce)
{
	const struct speaker *s = ctx;
	bool ours =
	    view_under(view_of(s->realm), view_of(s->me->reach.conf.realm)) && s->me->plmn == 0;

	(void)link;
	(void)ce;
	return (struct dia_admit){2001, ours ? DIA_OWN : DIA_PARTNER, s->plmn};
}

static struct asked *asked_of(struct inspect *in, uint64_t pair, uint32_t hop_by_hop)
{
	return &in->asked[(pair ^ hop_by_hop * 2654435761u) % ASKED_MAX];
}

static void remember(struct inspect *in, const struct speaker *s, const struct judged *j)
{
	struct asked *a = asked_of(in, s->flow->pair, j->h->hop_by_hop);

	*a = (struct asked){.pair = s->flow->pair,
			    .hop_by_hop = j->h->hop_by_hop,
			    .used = true,
			    .partition = j->v->partition,
			    .facts = *j->f};
	view_text(j->f->origin_host, a->host, sizeof a->host);
	a->facts.origin_host = view_of(a->host);
	a->facts.origin_realm = a->facts.dest_host = a->facts.dest_realm = (struct view){0};
	a->facts.peer_host = a->facts.peer_realm = a->facts.session = (struct view){0};
	a->facts.route_n = 0;
}

void inspect_count(struct inspect *in, const struct verdict *v)
{
	in->passed += v->act == ACT_PASS;
	if (v->act != ACT_PASS)
		in->refused[v->check]++;
	for (enum check c = CHECK_NONE + 1; c < CHECK_N; c++)
		in->observed[c] += v->observed >> c & 1;
}

static void on_request(void *ctx, struct dia_peer *from, const struct msg *m,
		       const struct dia_header *h, struct view raw, enum err err)
{
	struct speaker *s = ctx;
	struct inspect *in = s->me;
	struct judged j = {.from = s, .m = m, .h = h, .err = err};
	struct verdict v = {0};
	struct facts f;

	(void)raw;
	in->requests++;
	if (err) {
		in->malformed++;
		inspect_say(in, &j);
		return;
	}
	dia_facts(&f, from, m, h, in->at_ms);
	if (dia_peer_info(from)->kind == DIA_OWN &&
	    view_eq_case(f.dest_realm, view_of(in->reach.conf.realm)))
		f.direction = DIR_TO_HOME;
	v = judge_request(in->judge, &f);
	j.f = &f;
	j.v = &v;
	inspect_count(in, &v);
	if (v.act == ACT_PASS)
		remember(in, s, &j);
	inspect_say(in, &j);
}

static const struct dia_actions actions = {
    .close = on_close,
    .admit = on_admit,
    .request = on_request,
};

/* --- speakers --------------------------------------------------------------------------------- */

static struct speaker *speaker_of(struct inspect *in, struct cap_flow *f)
{
	struct speaker *s = f->user;

	if (!s) {
		s = f->user = calloc(1, sizeof *s);
		if (s) {
			s->me = in;
			s->flow = f;
		}
	}
	return s;
}

static void gone(void *ctx, struct cap_flow *f)
{
	struct speaker *s = f->user;

	(void)ctx;
	if (s && s->node)
		dia_node_free(s->node);
	free(s);
	f->user = NULL;
}

static void introduce(struct inspect *in, struct speaker *s, const struct msg *m)
{
	view_text(tab_get(m, AVP_ORIGIN_HOST), s->host, sizeof s->host);
	view_text(tab_get(m, AVP_ORIGIN_REALM), s->realm, sizeof s->realm);
	if (in->peer_realm)
		snprintf(s->realm, sizeof s->realm, "%s", in->peer_realm);
}

static void find_network(struct inspect *in, struct speaker *s)
{
	const struct network_row *n = in->book->network_of_realm(in->book->ctx, view_of(s->realm));

	s->plmn = in->plmn ? in->plmn : n ? n->plmn : 0;
}

/* Its capabilities exchange, said again to a node of ours: with what it spoke of and no more
 * assumed. */
static void bring_up(struct inspect *in, struct speaker *s)
{
	struct dia_link link = {
	    .conn = CONN, .secure = true, .address = VIEW("192.0.2.1"), .local = VIEW("192.0.2.2")};
	struct dia_header h = {DIA_FLAG_REQUEST, CODE_CE, DIA_APP_BASE, 1, 1};
	static const uint8_t address[] = {0, 1, 192, 0, 2, 1};
	struct wr w = {.p = in->out, .cap = sizeof in->out};
	size_t start = dia_begin(&w, &h);

	dia_put_text(&w, AVP_ORIGIN_HOST, s->host[0] ? s->host : "nobody");
	dia_put_text(&w, AVP_ORIGIN_REALM, s->realm[0] ? s->realm : "nowhere");
	dia_put(&w, AVP_HOST_IP_ADDRESS, (struct view){address, sizeof address});
	dia_put_u32(&w, AVP_VENDOR_ID, VENDOR_3GPP);
	dia_put_text(&w, AVP_PRODUCT_NAME, "capture");
	dia_put_u32(&w, AVP_AUTH_APPLICATION_ID, DIA_APP_RELAY);
	dia_end(&w, start);
	if (s->node)
		dia_node_free(s->node);
	s->conf = (struct dia_node_conf){
	    .host = view_of(in->reach.conf.edge_host),
	    .realm = view_of(in->reach.conf.realm),
	    .product = VIEW("Merlon inspect"),
	    .vendor_id = VENDOR_3GPP,
	    .apps = {DIA_APP_S6A, DIA_APP_S13, DIA_APP_RELAY},
	    .app_n = 3,
	    .state_id = 1,
	    .watchdog_ms = 30000,
	    .peer_max = 2,
	    .pending_max = 16,
	    .pending_ms = 1000,
	};
	s->node = dia_node_new(&s->conf, &actions, s);
	if (!s->node)
		return;
	dia_node_strict(s->node, DIA_RELAY);
	s->up = true;
	dia_node_up(s->node, &link, NULL, in->at_ms);
	dia_node_frame(s->node, CONN, wr_done(&w), &in->mem, in->at_ms);
	arena_reset(&in->mem);
}

/* An answer teaches the judge what the edge would have learned from it. */
static void learn(struct inspect *in, const struct cap_flow *f, const struct msg *m,
		  const struct dia_header *h)
{
	struct asked *a = asked_of(in, f->pair, h->hop_by_hop);
	struct dia_outcome o = dia_outcome(m);

	if (!a->used || a->pair != f->pair || a->hop_by_hop != h->hop_by_hop)
		return;
	a->used = false;
	judge_done(in->judge, &a->facts, a->partition, o.ok, o.busy, in->at_ms);
}

enum err inspect_renew(struct inspect *in)
{
	enum err err = in->read ? serving_renew(in->read, monotonic_ms()) : ERR_OK;

	return err == ERR_CORRUPT ? err : ERR_OK;
}

static void message(void *ctx, struct cap_flow *f, struct view frame, uint64_t at_ms)
{
	struct inspect *in = ctx;
	struct speaker *s = speaker_of(in, f);
	struct dia_header h;
	static struct msg m;
	enum err err;

	if (!s)
		return;
	in->at_ms = at_ms;
	if (inspect_renew(in) != ERR_OK)
		return;
	err = dia_parse(&m, &h, frame, DIA_RELAY, &in->mem);
	if (h.code == CODE_CE && h.app == DIA_APP_BASE) {
		introduce(in, s, &m);
		s->known = true;
		s->up = false;
	} else if (!(h.flags & DIA_FLAG_REQUEST)) {
		if (!err)
			learn(in, f, &m, &h);
	} else if (h.app != DIA_APP_BASE) {
		if (!s->known && !s->up)
			introduce(in, s, &m);
		find_network(in, s);
		arena_reset(&in->mem);
		if (!s->up)
			bring_up(in, s);
		if (s->node)
			dia_node_frame(s->node, CONN, frame, &in->mem, at_ms);
	}
	arena_reset(&in->mem);
}

/* --- the file --------------------------------------------------------------------------------- */

/* For who waits at a terminal while the lines go elsewhere, or are few. `f` may be a pipe: without an end. */
static void progress(const struct inspect *in, FILE *f, bool last)
{
	static bool shown;
	uint64_t n = cap_counts(in->cap)->packets;
	struct stat st;
	int done = 0;

	if (n == 0 || (n % 16384 != 0 && !(last && shown)))
		return;
	if (!isatty(STDERR_FILENO) || (isatty(STDOUT_FILENO) && !in->summary))
		return;
	if (f && fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		done = (int)(40 * (last ? st.st_size : ftell(f)) / st.st_size);
	shown = true;
	fprintf(stderr, "\r[%.*s%*s] %llu packets%s", done, "########################################",
		40 - done, "", (unsigned long long)n, last ? "\n" : "");
}

static int read_file(struct inspect *in, const char *path)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *p = pcap_open_offline(path, why);
	struct pcap_pkthdr *head;
	const u_char *bytes;
	int code = 0;

	if (!p) {
		fprintf(stderr, "merlon inspect: %s\n", why);
		return EXIT_FAILED;
	}
	if (!cap_knows(pcap_datalink(p))) {
		fprintf(stderr, "merlon inspect: %s: link layer %d is none that we read\n",
			path, pcap_datalink(p));
		pcap_close(p);
		return EXIT_FAILED;
	}
	inspect_begin(in);
	while ((code = pcap_next_ex(p, &head, &bytes)) == 1) {
		uint64_t at_us =
		    (uint64_t)head->ts.tv_sec * 1000000 + (uint64_t)head->ts.tv_usec;

		progress(in, pcap_file(p), false);
		if (head->caplen > PACKET_MAX)
			continue;
		cap_packet(in->cap, pcap_datalink(p), (struct view){bytes, head->caplen}, at_us / 1000);
		if (in->traffic.content && inspect_renew(in) == ERR_OK)
			traffic_packet(&in->traffic, pcap_datalink(p),
				       (struct view){bytes, head->caplen}, at_us);
	}
	progress(in, pcap_file(p), true);
	cap_end(in->cap, in->at_ms);
	inspect_end(in, path);
	if (code == PCAP_ERROR)
		fprintf(stderr, "merlon inspect: %s: ends in the middle: %s\n", path,
			pcap_geterr(p));
	pcap_close(p);
	if (in->html && !traffic_html(&in->traffic, in->html, path)) {
		fprintf(stderr, "merlon inspect: %s: cannot be written\n", in->html);
		return EXIT_FAILED;
	}
	return code == PCAP_ERROR ? EXIT_FAILED : EXIT_DONE;
}

static bool open_records(struct inspect *in)
{
	char why[256];
	uint64_t until = monotonic_ms() + 1000;
	enum err err = serving_open(&in->serving, in->reach.conf.data_dir, why);

	in->book = &book_empty;
	if (err) {
		fprintf(stderr, "merlon inspect: no records in %s: judged with an empty book\n",
			in->reach.conf.data_dir);
		return true;
	}
	in->read = serving_reader(in->serving);
	if (!in->read)
		return false;
	while ((err = serving_renew(in->read, monotonic_ms())) == ERR_AGAIN &&
	       monotonic_ms() < until)
		;
	if (err) {
		fprintf(stderr, "merlon inspect: %s: the serving copy: %s\n",
			in->reach.conf.data_dir, err_text(err));
		return false;
	}
	in->book = serving_book(in->read);
	return true;
}

static bool open_judge(struct inspect *in)
{
	static const struct cap_ops ops = {message, inspect_m3ua, gone};
	static const uint8_t key[HASH_KEY] = "merlon inspect!";

	if (!open_records(in))
		return false;
	in->mem = (struct arena){.base = malloc(MEMORY), .cap = MEMORY};
	in->seen = sightings_new(SIGHTINGS, key);
	in->judge = judge_new(in->book, in->seen, NULL, 0, key);
	in->asked = calloc(ASKED_MAX, sizeof *in->asked);
	in->cap = cap_new(&ops, in);
	if (!in->mem.base || !in->seen || !in->judge || !in->asked || !in->cap) {
		fprintf(stderr, "merlon inspect: out of memory\n");
		return false;
	}
	judge_identity(in->judge, view_of(in->reach.conf.edge_host), view_of(in->reach.conf.realm));
	return inspect_open_ss7(in) && inspect_open_gtp(in) && inspect_open_answers(in);
}

static void close_all(struct inspect *in)
{
	cap_free(in->cap);
	traffic_close(&in->traffic);
	free(in->asked);
	if (in->judge)
		judge_free(in->judge);
	if (in->seen)
		sightings_free(in->seen);
	map_node_free(in->map);
	inspect_close_answers(in);
	free(in->mem.base);
	if (in->read)
		serving_read_free(in->read);
	if (in->serving)
		serving_close(in->serving);
}

static int read_capture(struct inspect *in, const char *path)
{
	return open_judge(in) ? read_file(in, path) : EXIT_FAILED;
}

static int read_modes(struct inspect *in, const char *path, const char *allow)
{
	return open_records(in) ? inspect_modes(in, path, allow) : EXIT_FAILED;
}

static const struct command me = {
	"inspect",
	"inspect FILE [--modes] [--data DIR] [--network PLMN] [--peer-realm REALM] [--answers "
	"FILE] [--html FILE] [--json]",
	"Read a capture (pcap, pcapng) and say what the judge would have done with each "
	"Diameter request in\n"
	"it, each MAP request in its SIGTRAN (M3UA) and the GTP-C, with the records of a data directory, "
	"or with "
	"none;\n"
	"and what its users' packets, in GTP-U or as they are, leak and threaten. A SIM is inspected "
	"only if its\n"
	"tenant's agreement is on record (merlon list agreement); without records, whatever the file "
	"holds is.\n"
	"Nothing is installed and nothing is sent.\n"
	"A peer is who its capabilities exchange in the capture says; where that is missing, "
	"who its first\n"
	"request claims to be, unless it is given.\n\n"
	"With --modes the file is a CSV (imsi,rat,ciphering,integrity, and cell if known) of a "
	"network's security\n"
	"modes, and every line is told that the subscription's profile and the algorithms "
	"allowed do not want:\n"
	"a radio technology the profile bars, no ciphering, no integrity, less than 128 bits.",
	cmd_inspect
};

int cmd_inspect(int argc, char **argv)
{
	static struct inspect in;
	const char *allow = NULL;
	bool modes = false;
	const struct arg row[] = {
	    REACH_ARGS(in.reach),
	    {"--network", ARG_TEXT, &in.network, "PLMN", "all peers belong to this network", 0, 0},
	    {"--peer-realm", ARG_TEXT, &in.peer_realm, "REALM", "all peers are of this realm", 0,
	     0},
	    {"--answers", ARG_TEXT, &in.answers, "FILE",
	     "write the refusals of MAP requests to this capture (SCCP)", 0, 0},
	    {"--html", ARG_TEXT, &in.html, "FILE", "write a page with plots of the file's traffic", 0, 0},
	    {"--summary", ARG_FLAG, &in.summary, "", "only the counts", 0, 0},
	    {"--modes", ARG_FLAG, &modes, "", "FILE holds security mode records", 0, 0},
	    {"--allow", ARG_TEXT, &allow, "NAMES",
	     "with --modes: these algorithms alone, as \"EEA2 EIA2 A5/4\"", 0, 0},
	};
	int code, n = args_read(&me, row, sizeof row / sizeof *row, argc, argv, &code);

	if (n < 0)
		return code;
	in.plmn = in.network ? bcd_of(view_of(in.network)) : 0;
	if (n != 1 || (in.network && bcd_n(in.plmn) != 5 && bcd_n(in.plmn) != 6)) {
		fprintf(stderr, "merlon inspect: give one file, and a network of 5 or 6 digits; "
				"see merlon inspect "
				"--help\n");
		return EXIT_USAGE;
	}
	code = reach_open(&in.reach, me.name, false);
	if (code == EXIT_DONE) {
		code = modes ? read_modes(&in, argv[0], allow) : read_capture(&in, argv[0]);
		close_all(&in);
	}
	reach_close(&in.reach);
	return code;
}
