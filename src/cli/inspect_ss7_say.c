/* What merlon inspect prints of MAP. */
#include "cli/inspect.h"

#include <stdio.h>

static const char *operation_of(const struct map_ask *a, char text[32])
{
	const char *name = a ? map_op_name(a->code) : NULL;

	if (!a)
		return "-";
	if (name && a->known)
		return name;
	snprintf(text, 32, "%u", a->code);
	return text;
}

static const char *title_of(const struct sccp_address *a, char text[64])
{
	int n = snprintf(text, 64, "%.*s", (int)a->digit_n, (const char *)a->digits);

	if (a->digit_n == 0)
		n = snprintf(text, 64, "pc %u", a->pc);
	if (a->has_ssn)
		snprintf(text + n, 64 - (size_t)n, "/%u", a->ssn);
	return text;
}

static void say_text(const struct inspect *in, const struct judged_map *j)
{
	char when[40], name[32], imsi[BCD_TEXT] = "-", from[64], to[64];

	inspect_say_when(in->at_ms, when);
	if (j->ask && j->ask->facts.imsi)
		bcd_text(j->ask->facts.imsi, imsi);
	printf("%s  %s > %s  %s %-15s  ", when, title_of(&j->seen->calling, from),
	       title_of(&j->seen->called, to), operation_of(j->ask, name), imsi);
	if (!j->v) {
		printf("malformed: %s: %s\n", j->seen->layer, err_text(j->seen->err));
		return;
	}
	inspect_say_verdict(j->v, j->v->act == ACT_PASS ? NULL : map_answer_name(j->ask, j->v));
}

static void put_address(json_t *o, const char *name, const struct sccp_address *a)
{
	json_t *x = json_object();

	if (a->digit_n > 0)
		json_object_set_new(x, "digits", json_stringn((const char *)a->digits, a->digit_n));
	if (a->has_ssn)
		json_object_set_new(x, "ssn", json_integer(a->ssn));
	if (a->has_pc)
		json_object_set_new(x, "pc", json_integer(a->pc));
	if (a->plan)
		json_object_set_new(x, "plan", json_integer(a->plan));
	json_object_set_new(o, name, x);
}

static void put_facts(json_t *o, const struct map_ask *a)
{
	const struct facts *f = &a->facts;
	json_t *forms = json_array(), *nodes = json_array();
	char text[BCD_TEXT];

	inspect_put_bcd(o, "network", f->peer_plmn);
	inspect_put_bcd(o, "visited", f->visited_plmn);
	inspect_put_bcd(o, "imsi", f->imsi);
	inspect_put_bcd(o, "msisdn", f->msisdn);
	inspect_put_bcd(o, "imei", f->imei);
	for (uint8_t i = 0; i < f->node_n; i++) {
		bcd_text(f->node[i], text);
		json_array_append_new(nodes, json_string(text));
	}
	for (size_t bit = 0; bit < 16; bit++) {
		if (f->form >> bit & 1 && map_form_names[bit])
			json_array_append_new(forms, json_string(map_form_names[bit]));
	}
	json_object_set_new(o, "category", json_integer(f->category));
	json_object_set_new(o, "outside", json_boolean(f->outside));
	json_object_set_new(o, "nodes", nodes);
	json_object_set_new(o, "forms", forms);
}

static void say_json(const struct inspect *in, const struct judged_map *j)
{
	char when[40], name[32];
	json_t *o = json_object();

	inspect_say_when(in->at_ms, when);
	json_object_set_new(o, "when", json_string(when));
	json_object_set_new(o, "protocol", json_string("map"));
	json_object_set_new(o, "from", json_string(j->flow->from));
	json_object_set_new(o, "to", json_string(j->flow->to));
	json_object_set_new(o, "command", json_string(operation_of(j->ask, name)));
	json_object_set_new(o, "opc", json_integer(j->opc));
	json_object_set_new(o, "dpc", json_integer(j->dpc));
	put_address(o, "calling", &j->seen->calling);
	put_address(o, "called", &j->seen->called);
	if (j->ask) {
		json_object_set_new(o, "code", json_integer(j->ask->code));
		json_object_set_new(o, "context", json_integer(j->seen->context));
		json_object_set_new(o, "version", json_integer(j->seen->version));
		put_facts(o, j->ask);
	}
	if (j->v) {
		inspect_put_verdict(o, j->v);
		if (j->v->act != ACT_PASS)
			json_object_set_new(o, "answer", json_string(map_answer_name(j->ask, j->v)));
	} else {
		json_object_set_new(o, "verdict", json_string("malformed"));
		json_object_set_new(o, "error", json_string(err_text(j->seen->err)));
		json_object_set_new(o, "layer", json_string(j->seen->layer));
	}
	printf(in->requests > 1 ? ",\n" : "\n");
	json_dumpf(o, stdout, JSON_COMPACT);
	json_decref(o);
}

void inspect_say_map(const struct inspect *in, const struct judged_map *j)
{
	if (in->summary)
		return;
	if (in->reach.json)
		say_json(in, j);
	else
		say_text(in, j);
}
