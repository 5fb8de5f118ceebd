/* The traffic of a capture as text and as JSON. */
#include "cli/traffic.h"

#include <stdlib.h>

#define LISTED 4096
#define SHOWN 40

void traffic_who(const struct finding *f, char text[TRAFFIC_WHO])
{
	static const uint8_t none[ADDRESS_BYTES];
	char imsi[BCD_TEXT] = "", from[ADDRESS_TEXT], to[ADDRESS_TEXT] = "many";

	if (f->imsi)
		bcd_text(f->imsi, imsi);
	address_text(f->from, from);
	if (memcmp(f->to, none, sizeof none) != 0)
		address_text(f->to, to);
	snprintf(text, TRAFFIC_WHO, f->port ? "%s%s%s %s %s:%u" : "%s%s%s %s %s", imsi, *imsi ? " " : "",
		 from, f->up ? "->" : "<-", to, f->port);
}

const char *traffic_answer(const struct finding *f)
{
	static const char *const names[] = {"alert", "block", "quarantine"};

	return f->undone ? "undone" : f->capped ? "alert, capped" : names[f->answer % 3];
}

static size_t listed(struct traffic *t, const struct finding **to)
{
	return findings_list(content_findings(t->content), to, LISTED);
}

static void say_findings(struct traffic *t, bool leaks)
{
	const struct finding **f = calloc(LISTED, sizeof *f);
	size_t n = f ? listed(t, f) : 0, shown = 0, of = 0;
	char who[TRAFFIC_WHO];

	for (size_t i = 0; i < n; i++)
		of += rule_is_leak(f[i]->rule) == leaks;
	if (of > 0)
		printf("\n%s: %zu\n", leaks ? "Leaks" : "Threats", of);
	for (size_t i = 0; i < n && shown < SHOWN; i++) {
		if (rule_is_leak(f[i]->rule) != leaks)
			continue;
		shown++;
		traffic_who(f[i], who);
		printf("%8llu  %-14s %-12s %s  %s\n", (unsigned long long)f[i]->count,
		       rule_name(f[i]->rule), leaks ? scan_forms[f[i]->form].name : rule_clause(f[i]->rule),
		       who, f[i]->evidence);
	}
	if (of > shown)
		printf("          and %zu more; --json has all\n", of - shown);
	free(f);
}

static void say_protocols(struct traffic *t)
{
	const struct flows_counts *n = flows_counts(content_flows(t->content));
	char name[64];

	printf("%llu flows: %llu decided by nDPI, %llu as a flow before them, %llu without room\n",
	       (unsigned long long)n->made, (unsigned long long)n->decided, (unsigned long long)n->cached,
	       (unsigned long long)n->no_room);
	for (size_t shown = 0, last = SIZE_MAX; shown < 12; shown++) {
		size_t best = 512;

		/* The next by count: few protocols, so look again. */
		for (size_t i = 0; i < 512; i++) {
			bool before =
			    last != SIZE_MAX && (n->by_protocol[i] > n->by_protocol[last] ||
						 (n->by_protocol[i] == n->by_protocol[last] && i <= last));

			if (n->by_protocol[i] && !before &&
			    (best == 512 || n->by_protocol[i] > n->by_protocol[best]))
				best = i;
		}
		if (best == 512)
			break;
		last = best;
		printf("%8llu  %s\n", (unsigned long long)n->by_protocol[best],
		       flows_protocol(content_flows(t->content), 0, (uint16_t)best, name));
	}
}

static void say_signalling(const struct traffic *t)
{
	const struct gtpc_counts *n = gtpc_counts(t->gtpc);

	if (n->messages == 0)
		return;
	printf("\nSignalling: %llu messages of GTP-C, %llu sessions opened, %llu closed, %llu would be "
	       "refused, "
	       "%llu malformed, %llu repeated\n",
	       (unsigned long long)n->messages, (unsigned long long)n->opened,
	       (unsigned long long)n->closed, (unsigned long long)(n->dropped + n->answered),
	       (unsigned long long)n->malformed, (unsigned long long)n->again);
	for (unsigned int c = 1; c < CHECK_N; c++) {
		if (n->refused[c])
			printf("%8llu  refused   %s (%s)\n", (unsigned long long)n->refused[c],
			       check_rows[c].name, check_rows[c].clause);
		if (n->observed[c])
			printf("%8llu  observed  %s (%s)\n", (unsigned long long)n->observed[c],
			       check_rows[c].name, check_rows[c].clause);
	}
}

static void say_endpoints(struct traffic *t)
{
	const struct endpoint **e = calloc(LISTED, sizeof *e);
	size_t n = e ? threats_endpoints(content_threats(t->content), e, LISTED) : 0;
	char why[96], address[ADDRESS_TEXT];

	for (size_t i = 0, shown = 0; i < n && shown < 10; i++) {
		unsigned int score = endpoint_score(e[i], why);

		if (score == 100)
			break;
		if (shown++ == 0)
			printf("\nEnd points, the worst first (100: spotless)\n");
		address_text(e[i]->address, address);
		printf("%8u  %s %s: %u flows of about %u devices; %s\n", score, address,
		       flows_name(content_flows(t->content), e[i]->name), e[i]->flows,
		       endpoint_devices(e[i]), why);
	}
	free(e);
}

void traffic_say(struct traffic *t)
{
	const struct content_counts *n = content_counts(t->content);

	if (n->packets == 0 && t->control == 0)
		return;
	printf("\nTraffic: %llu packets of users (%llu in tunnels, %llu of them of no session known), %llu "
	       "bytes\n",
	       (unsigned long long)n->packets, (unsigned long long)t->user,
	       (unsigned long long)t->unknown_tunnel, (unsigned long long)n->bytes);
	if (n->not_agreed)
		printf("%llu packets not inspected: no agreement of the SIM's tenant is on record\n",
		       (unsigned long long)n->not_agreed);
	say_protocols(t);
	say_signalling(t);
	say_findings(t, false);
	say_findings(t, true);
	say_endpoints(t);
}

/* --- JSON -------------------------------------------------------------------------------------------- */

static void put(json_t *o, const char *name, uint64_t n)
{
	json_object_set_new(o, name, json_integer((json_int_t)n));
}

static json_t *finding_json(const struct finding *f)
{
	char from[ADDRESS_TEXT], to[ADDRESS_TEXT], imsi[BCD_TEXT] = "";
	json_t *o = json_object();

	address_text(f->from, from);
	address_text(f->to, to);
	if (f->imsi)
		bcd_text(f->imsi, imsi);
	json_object_set_new(o, "kind", json_string(rule_name(f->rule)));
	if (rule_is_leak(f->rule))
		json_object_set_new(o, "form", json_string(scan_forms[f->form].name));
	json_object_set_new(o, "clause", json_string(rule_clause(f->rule)));
	if (f->imsi)
		json_object_set_new(o, "imsi", json_string(imsi));
	put(o, "tenant", f->tenant);
	json_object_set_new(o, "from", json_string(from));
	json_object_set_new(o, "to", json_string(to));
	put(o, "port", f->port);
	json_object_set_new(o, "direction", json_string(f->up ? "up" : "down"));
	put(o, "count", f->count);
	put(o, "first_ms", f->first_us / 1000);
	put(o, "last_ms", f->last_us / 1000);
	json_object_set_new(o, "answer", json_string(traffic_answer(f)));
	json_object_set_new(o, "evidence", json_string(f->evidence));
	return o;
}

static void put_findings(struct traffic *t, json_t *o)
{
	const struct finding **f = calloc(LISTED, sizeof *f);
	size_t n = f ? listed(t, f) : 0;
	json_t *leaks = json_array(), *threats = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(rule_is_leak(f[i]->rule) ? leaks : threats, finding_json(f[i]));
	json_object_set_new(o, "leaks", leaks);
	json_object_set_new(o, "threats", threats);
	free(f);
}

static json_t *flows_json(struct traffic *t)
{
	const struct flows_counts *n = flows_counts(content_flows(t->content));
	json_t *o = json_object(), *protocols = json_object(), *risks = json_object();
	char name[64];

	put(o, "made", n->made);
	put(o, "decided", n->decided);
	put(o, "cached", n->cached);
	put(o, "evicted", n->evicted);
	for (uint16_t i = 0; i < 512; i++) {
		if (n->by_protocol[i])
			put(protocols, flows_protocol(content_flows(t->content), 0, i, name),
			    n->by_protocol[i]);
	}
	for (unsigned int i = 0; i < 64; i++) {
		if (n->by_risk[i])
			put(risks, flows_risk(i), n->by_risk[i]);
	}
	json_object_set_new(o, "protocols", protocols);
	json_object_set_new(o, "risks", risks);
	return o;
}

static json_t *signalling_json(const struct traffic *t)
{
	const struct gtpc_counts *n = gtpc_counts(t->gtpc);
	json_t *o = json_object(), *refused = json_object(), *observed = json_object();

	put(o, "messages", n->messages);
	put(o, "opened", n->opened);
	put(o, "closed", n->closed);
	put(o, "malformed", n->malformed);
	put(o, "repeated", n->again);
	put(o, "dropped", n->dropped);
	put(o, "restarts", n->restarts);
	for (unsigned int c = 1; c < CHECK_N; c++) {
		if (n->refused[c])
			put(refused, check_rows[c].name, n->refused[c]);
		if (n->observed[c])
			put(observed, check_rows[c].name, n->observed[c]);
	}
	json_object_set_new(o, "refused", refused);
	json_object_set_new(o, "observed", observed);
	return o;
}

static json_t *endpoints_json(struct traffic *t)
{
	const struct endpoint **e = calloc(LISTED, sizeof *e);
	size_t n = e ? threats_endpoints(content_threats(t->content), e, LISTED) : 0;
	char why[96], address[ADDRESS_TEXT];
	json_t *all = json_array();

	for (size_t i = 0; i < n && i < SHOWN; i++) {
		json_t *o = json_object();

		put(o, "score", endpoint_score(e[i], why));
		address_text(e[i]->address, address);
		json_object_set_new(o, "address", json_string(address));
		json_object_set_new(o, "name",
				    json_string(flows_name(content_flows(t->content), e[i]->name)));
		put(o, "flows", e[i]->flows);
		put(o, "devices", endpoint_devices(e[i]));
		json_object_set_new(o, "why", json_string(why));
		json_array_append_new(all, o);
	}
	free(e);
	return all;
}

json_t *traffic_json(struct traffic *t)
{
	const struct content_counts *n = content_counts(t->content);
	json_t *o = json_object();

	put(o, "packets", n->packets);
	put(o, "bytes", n->bytes);
	put(o, "in_tunnels", t->user);
	put(o, "unknown_tunnel", t->unknown_tunnel);
	put(o, "not_ip", t->other);
	put(o, "malformed", t->malformed);
	put(o, "not_agreed", n->not_agreed);
	put(o, "scanned_bytes", n->scanned_bytes);
	json_object_set_new(o, "flows", flows_json(t));
	json_object_set_new(o, "signalling", signalling_json(t));
	put_findings(t, o);
	json_object_set_new(o, "endpoints", endpoints_json(t));
	return o;
}
