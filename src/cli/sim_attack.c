/* The attacks of merlon simulate --map attacks, and what became of each. */
#include "cli/sim_map.h"

#include <stdio.h>

#define ID 0xff000000u			  /* above any device's */
#define OTHER bcd_of(VIEW("46700000001")) /* a node of a network that is not the sender's */

enum argument {
	A_NOTHING,
	A_ID_SCF,
	A_ID_1,
	A_ID_2,
	A_NUMBER,
	A_ROUTE,
	A_IMSI_0,
	A_LCS,
	A_TMSI,
	A_IMEI,
	A_IMSI,
	A_CANCEL,
	A_BARE,
	A_CAMEL,
	A_LOCATE,
	A_USSD,
	A_RESET,
	A_MOVE,
	A_MOVE_GPRS,
	A_PURGE,
	A_FORWARD,
	A_SS,
	A_PASSWORD,
	A_DELIVER
};
enum form { FORM_IS_PLAIN, FORM_IS_GLOBAL, FORM_IS_BEHIND, FORM_IS_TAIL };
enum attack_outcome { SILENCE, ERROR, REJECT, ABORT, ANSWERED };

static const struct {
	const char *category, *name;
	uint8_t op, context, version, to, from, argument, form;
} attacks[] = {
#define ATTACK(category, name, op, context, version, to, from, argument, form)                     \
	{category, name, op, context, version, to, from, A_##argument, FORM_IS_##form},
#include "cli/sim_attack.tab"
#undef ATTACK
};
const size_t sim_attack_n = sizeof attacks / sizeof *attacks;

#define OCTETS(w, text) ber_put(w, BER_UNIVERSAL, BER_OCTETS, VIEW(text))

static void put_identity(struct wr *w, uint8_t tag, uint64_t imsi)
{
	size_t id = ber_open(w, BER_CONTEXT, tag);

	map_put_imsi(w, BER_CONTEXT, 0, imsi);
	ber_close(w, id);
}

/* vlrCamelSubscriptionInfo {o-CSI {o-BcsmCamelTDPDataList {...gsmSCF...}}} */
static void put_camel(struct wr *w)
{
	size_t at[4];

	at[0] = ber_open(w, BER_CONTEXT, 13);
	at[1] = ber_open(w, BER_CONTEXT, 0);
	at[2] = ber_open(w, BER_UNIVERSAL, BER_SEQUENCE);
	at[3] = ber_open(w, BER_UNIVERSAL, BER_SEQUENCE);
	ber_put_int(w, BER_UNIVERSAL, BER_ENUM, 2);
	ber_put_int(w, BER_UNIVERSAL, BER_INTEGER, 5);
	map_put_number(w, BER_CONTEXT, 0, OTHER);
	for (int i = 4; i-- > 0;)
		ber_close(w, at[i]);
}

static void put_lcs(struct wr *w, uint64_t own)
{
	size_t type = ber_open(w, BER_UNIVERSAL, BER_SEQUENCE);

	ber_put_int(w, BER_CONTEXT, 0, 0);
	ber_close(w, type);
	map_put_number(w, BER_UNIVERSAL, BER_OCTETS, own);
}

static void put_others(struct wr *w, enum argument a, uint64_t imsi, uint64_t hlr, uint64_t gmlc)
{
	switch ((int)a) {
	case A_TMSI:
		OCTETS(w, "\1\2\3\4");
		break;
	case A_IMEI:
		OCTETS(w, "\x53\x13\x66\x90\x00\x00\x10\x10");
		break;
	case A_MOVE:
	case A_PURGE:
	case A_MOVE_GPRS:
	case A_IMSI:
		map_put_imsi(w, BER_UNIVERSAL, BER_OCTETS, imsi);
		if (a == A_MOVE)
			map_put_number(w, BER_CONTEXT, 1, OTHER);
		if (a == A_PURGE)
			map_put_number(w, BER_CONTEXT, 0, OTHER);
		if (a == A_MOVE || a == A_MOVE_GPRS)
			map_put_number(w, BER_UNIVERSAL, BER_OCTETS, OTHER);
		if (a == A_MOVE_GPRS)
			OCTETS(w, "\4\x7f\0\0\1");
		break;
	case A_LOCATE:
		put_lcs(w, gmlc);
		map_put_imsi(w, BER_CONTEXT, 2, imsi);
		break;
	case A_USSD:
		OCTETS(w, "\x0f");
		OCTETS(w, "\xaa\x18\x0d");
		break;
	case A_RESET:
		map_put_number(w, BER_UNIVERSAL, BER_OCTETS, hlr);
		break;
	case A_FORWARD:
	case A_SS:
		OCTETS(w, "\x21");
		if (a == A_FORWARD)
			map_put_number(w, BER_CONTEXT, 4, OTHER);
		break;
	case A_DELIVER:
		map_put_imsi(w, BER_CONTEXT, 0, imsi);
		map_put_number(w, BER_CONTEXT, 4, OTHER);
		OCTETS(w, "\4\5\x91\x99\x99\0\0\0\0\0\0\0\0\0\0\1\x41");
		break;
	default:
		break;
	}
}

/* What stands in a SEQUENCE. */
static void put_fields(const struct sim_map *s, struct wr *w, enum argument a, uint64_t imsi)
{
	uint64_t scf = sim_map_number(s, SSN_SCF), number = s->conf.hlr;

	switch ((int)a) {
	case A_ID_SCF:
	case A_ID_1:
	case A_ID_2:
		put_identity(w, 0, imsi);
		if (a != A_ID_1)
			ber_close(w, ber_open(w, BER_CONTEXT, 1));
		map_put_number(w, BER_CONTEXT, a == A_ID_SCF ? 3 : a == A_ID_1 ? 1 : 2, scf);
		break;
	case A_ROUTE:
		map_put_number(w, BER_CONTEXT, 0, number);
		ber_put_int(w, BER_CONTEXT, 3, 0);
		map_put_number(w, BER_CONTEXT, 6, sim_map_number(s, SSN_MSC));
		break;
	case A_LCS:
		map_put_number(w, BER_CONTEXT, 0, scf);
		put_identity(w, 1, imsi);
		break;
	case A_IMSI_0:
	case A_CAMEL:
		map_put_imsi(w, BER_CONTEXT, 0, imsi);
		if (a == A_CAMEL)
			put_camel(w);
		break;
	default:
		put_others(w, a, imsi, s->conf.hlr, sim_map_number(s, SSN_GMLC));
	}
}

static void put_argument(const struct sim_map *s, struct wr *w, enum argument a, uint64_t imsi)
{
	size_t arg;

	if (a == A_NOTHING)
		return;
	if (a == A_NUMBER) {
		map_put_number(w, BER_UNIVERSAL, BER_OCTETS, s->conf.hlr);
	} else if (a == A_BARE) {
		map_put_imsi(w, BER_UNIVERSAL, BER_OCTETS, imsi);
	} else if (a == A_PASSWORD) {
		OCTETS(w, "\x99");
	} else if (a == A_CANCEL) {
		arg = ber_open(w, BER_CONTEXT, 3);
		map_put_imsi(w, BER_UNIVERSAL, BER_OCTETS, imsi);
		ber_put_int(w, BER_UNIVERSAL, BER_ENUM, 1);
		ber_close(w, arg);
	} else {
		arg = a == A_PURGE ? ber_open(w, BER_CONTEXT, 3)
				   : ber_open(w, BER_UNIVERSAL, BER_SEQUENCE);
		put_fields(s, w, a, imsi);
		ber_close(w, arg);
	}
}

static void put_global(struct tcap_out *o, uint8_t op)
{
	const uint8_t oid[] = {4, 0, 0, 1, 0, 0x87, 0x67, op};

	tcap_open(o, BER_CONTEXT, 1);
	ber_put_int(o->w, BER_UNIVERSAL, BER_INTEGER, 1);
	ber_put(o->w, BER_UNIVERSAL, BER_OID, (struct view){oid, sizeof oid});
}

/* A question that anybody may ask, so that the next one is not the first. */
static void put_other(const struct sim_map *s, struct tcap_out *o)
{
	size_t arg;

	tcap_open_invoke(o, 2, 45);
	arg = ber_open(o->w, BER_UNIVERSAL, BER_SEQUENCE);
	map_put_number(o->w, BER_CONTEXT, 0, s->conf.hlr);
	ber_put(o->w, BER_CONTEXT, 1, VIEW("\1"));
	map_put_number(o->w, BER_CONTEXT, 2, sim_map_number(s, SSN_MSC));
	ber_close(o->w, arg);
	tcap_close(o);
}

static void send_one(struct sim_map *s, uint32_t i)
{
	struct wr w = {.p = s->tcap, .cap = sizeof s->tcap}, id;
	char text[24];
	uint8_t tid[4], oid[MAP_OID];
	struct tcap_out o;

	id = (struct wr){.p = tid, .cap = 4};
	wr_be(&id, ID | i, 4);
	snprintf(text, sizeof text, "%0*llu", s->group[0].digits,
		 (unsigned long long)s->group[0].first);
	tcap_start(&o, &w, TCAP_BEGIN, wr_done(&id), (struct view){0});
	if (attacks[i].version > 1)
		tcap_put_aarq(&o, map_oid(attacks[i].context, attacks[i].version, oid));
	tcap_open_components(&o);
	if (attacks[i].form == FORM_IS_BEHIND)
		put_other(s, &o);
	if (attacks[i].form == FORM_IS_GLOBAL)
		put_global(&o, attacks[i].op);
	else
		tcap_open_invoke(&o, 1, attacks[i].op);
	put_argument(s, &w, (enum argument)attacks[i].argument, bcd_of(view_of(text)));
	tcap_end(&o);
	if (attacks[i].form == FORM_IS_TAIL)
		wr_view(&w, VIEW("\x62\2\x48\0"));
	sim_map_send(s, attacks[i].from, attacks[i].to, &w);
	s->attack[i].sent = true;
}

void sim_attack_send(struct sim_map *s)
{
	for (uint32_t i = 0; i < sim_attack_n; i++)
		send_one(s, i);
}

bool sim_attack_heard(struct sim_map *s, const struct hlr_heard *h)
{
	struct rd r = {.left = h->dtid};
	uint32_t id = rd_be(&r, 4), i = id & ~ID;

	if ((id & ID) != ID || i >= sim_attack_n)
		return false;
	s->attack[i].over = true;
	s->attack[i].code = h->code;
	s->attack[i].outcome = h->type == TCAP_ABORT	     ? ABORT
			       : h->component == TCAP_ERROR  ? ERROR
			       : h->component == TCAP_REJECT ? REJECT
							     : ANSWERED;
	return true;
}

bool sim_attack_report(const struct sim_map *s)
{
	static const char *const outcomes[] = {"no answer", "error", "rejected", "aborted",
					       "ANSWERED"};
	size_t passed = 0;

	for (size_t i = 0; i < sim_attack_n; i++) {
		const struct sim_map_attack *a = &s->attack[i];

		passed += a->outcome == ANSWERED;
		if (s->conf.json)
			printf("%s{\"category\":\"%s\",\"attack\":\"%s\",\"operation\":%u,"
			       "\"outcome\":\"%s\"%s}",
			       i ? "," : "{\"attacks\":[", attacks[i].category, attacks[i].name,
			       attacks[i].op, outcomes[a->outcome],
			       a->outcome == ANSWERED ? ",\"passed\":true" : "");
		else
			printf("%-8s %-48s %s", attacks[i].category, attacks[i].name,
			       outcomes[a->outcome]);
		if (!s->conf.json && a->outcome == ERROR)
			printf(" %u", a->code);
		if (!s->conf.json)
			printf("\n");
	}
	if (s->conf.json)
		printf("],\"sent\":%zu,\"passed\":%zu}\n", sim_attack_n, passed);
	else
		printf("\n%zu attacks, %zu passed\n", sim_attack_n, passed);
	return passed == 0;
}
