/* merlon inspect: GTP-C. The firewall of the inspect role, told what a capture holds. Nobody says which side
 * a datagram came from: that follows from the addresses of the network records. */
#include "cli/inspect.h"

#include <arpa/inet.h>
#include <stdio.h>

#define WAITING 65536
#define LATE_MS 60000 /* what a capture begins in the middle of is not held against it */

static const char *address(struct view a, char text[INET6_ADDRSTRLEN])
{
	text[0] = 0;
	inet_ntop(a.n == 16 ? AF_INET6 : AF_INET, a.p, text, INET6_ADDRSTRLEN);
	return text;
}

static const char *message_of(const struct gtpc_result *r, char text[32])
{
	if (r->row)
		return r->row->name;
	snprintf(text, 32, "%u", r->head.type);
	return text;
}

static void say_text(const struct inspect *in, const struct gtpc_packet *d, const struct gtpc_result *r)
{
	char when[40], from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN], name[32];
	char imsi[BCD_TEXT] = "-", answer[64];

	inspect_say_when(in->at_ms, when);
	if (r->judged && r->facts.imsi)
		bcd_text(r->facts.imsi, imsi);
	printf("%s  %s > %s  GTPv%u %s %-15s  ", when, address(d->from, from), address(d->to, to),
	       r->head.version, message_of(r, name), imsi);
	if (r->err) {
		printf("malformed: %s; dropped\n", err_text(r->err));
		return;
	}
	snprintf(answer, sizeof answer, "cause %u%s", r->cause,
		 r->verdict.backoff_ms > 0 ? " and a back-off" : "");
	inspect_say_verdict(&r->verdict, r->act == GTPC_REPLY ? answer : NULL);
}

static json_t *json_of(const struct inspect *in, const struct gtpc_packet *d, const struct gtpc_result *r)
{
	char when[40], text[INET6_ADDRSTRLEN], name[32];
	json_t *o = json_object();

	inspect_say_when(in->at_ms, when);
	json_object_set_new(o, "when", json_string(when));
	json_object_set_new(o, "protocol", json_string("gtp"));
	json_object_set_new(o, "version", json_integer(r->head.version));
	json_object_set_new(o, "from", json_string(address(d->from, text)));
	json_object_set_new(o, "to", json_string(address(d->to, text)));
	json_object_set_new(o, "command", json_string(message_of(r, name)));
	json_object_set_new(o, "sequence", json_integer(r->head.seq));
	if (r->err) {
		json_object_set_new(o, "verdict", json_string("malformed"));
		json_object_set_new(o, "error", json_string(err_text(r->err)));
		return o;
	}
	inspect_put_bcd(o, "network", r->facts.peer_plmn);
	inspect_put_bcd(o, "visited", r->facts.visited_plmn);
	inspect_put_bcd(o, "imsi", r->facts.imsi);
	inspect_put_bcd(o, "msisdn", r->facts.msisdn);
	inspect_put_bcd(o, "imei", r->facts.imei);
	if (r->facts.apn.n > 0)
		json_object_set_new(o, "apn", json_stringn((const char *)r->facts.apn.p, r->facts.apn.n));
	json_object_set_new(o, "outside", json_boolean(r->facts.outside));
	inspect_put_verdict(o, &r->verdict);
	if (r->act == GTPC_REPLY)
		json_object_set_new(o, "cause", json_integer(r->cause));
	return o;
}

static void say(const struct inspect *in, const struct gtpc_packet *d, const struct gtpc_result *r)
{
	json_t *o;

	if (in->summary)
		return;
	if (!in->reach.json) {
		say_text(in, d, r);
		return;
	}
	o = json_of(in, d, r);
	printf(in->requests > 1 ? ",\n" : "\n");
	json_dumpf(o, stdout, JSON_COMPACT);
	json_decref(o);
}

static void told(void *ctx, const struct gtpc_packet *p, const struct gtpc_result *r)
{
	struct inspect *in = ctx;

	in->at_ms = p->now_ms;
	if (r->err) {
		in->requests++;
		in->malformed++;
		say(in, p, r);
		return;
	}
	/* Answers that somebody asked for are no requests; nor is what is sent again. */
	if (!r->judged || r->again || (r->facts.answer && r->verdict.act == ACT_PASS))
		return;
	in->requests++;
	inspect_count(in, &r->verdict);
	say(in, p, r);
}

bool inspect_open_gtp(struct inspect *in)
{
	struct gtpc_conf conf = {.waiting_max = WAITING, .late_ms = LATE_MS};
	char why[256];

	if (gtp_categories(&conf.ops, view_of(in->reach.conf.inspect_categories), why) != ERR_OK) {
		fprintf(stderr, "merlon inspect: %s\n", why);
		return false;
	}
	if (!traffic_open(&in->traffic, in->read ? in->book : NULL, in->seen, &conf)) {
		fprintf(stderr, "merlon inspect: out of memory\n");
		return false;
	}
	in->traffic.told = told;
	in->traffic.told_ctx = in;
	return true;
}
