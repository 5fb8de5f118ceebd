/* Subscriber data over MAP: insertSubscriberData, deleteSubscriberData, cancelLocation
 * (TS 29.002 8.8, 8.1.3). Compiled from the profile, and nothing beyond it, as on S6a (R-5.1.b,
 * .c). */
#include "home/hlr_in.h"
#include "home/subscription_data.h"

#include <stdio.h>
#include <stdlib.h>

#define NON_IP 2 /* the PDN types up to here are IP */
#define ROOM_FIRST                                                                                 \
	80 /* octets of contexts beside all the rest, and in a part of their own: such that each   \
	      part */
#define ROOM_REST 150 /* fits a UDT */

/* Bits of ODB-GeneralData by those of Operator-Determined-Barring (TS 29.272 7.3.30). */
static const uint8_t bars[] = {15, 16, 17, 0, 1, 2, 6, 7, 8};
#define BAR_OCTETS 3 /* bits 0 to 17, and what must not be less than 15 of them */

static void put_bits(struct wr *w, enum ber_class class, uint8_t tag, uint32_t bits, uint8_t n)
{
	uint8_t bytes[1 + 4] = {(uint8_t)(-n & 7)};

	for (unsigned int i = 0; i < n; i++) {
		if (bits >> i & 1)
			bytes[1 + i / 8] |= (uint8_t)(0x80 >> i % 8);
	}
	ber_put(w, class, tag, (struct view){bytes, 1 + ((size_t)n + 7) / 8});
}

static void put_odb(struct wr *w, uint32_t odb)
{
	enum { BIT_STRING = 3, ODB = 8, BITS = 18 };
	size_t data = ber_open(w, BER_CONTEXT, ODB);
	uint32_t bits = 0;

	for (size_t i = 0; i < sizeof bars; i++)
		bits |= (odb >> i & 1) << bars[i];
	put_bits(w, BER_UNIVERSAL, BIT_STRING, bits, BITS);
	ber_close(w, data);
}

bool hlr_bar_refused(struct view result, uint32_t odb)
{
	enum { ODB = 4 };
	struct rd r = {.left = result};
	struct slot all = {0}, s;

	if (result.n == 0)
		return false;
	ber_take(&all, &r, NULL);
	r = (struct rd){.left = all.value, .err = r.err};
	while (!r.err && r.left.n > 0) {
		s = (struct slot){0};
		ber_take(&s, &r, NULL);
		if (r.err || s.space != BER_CONTEXT || s.tag != ODB)
			continue;
		for (size_t i = 0; i < sizeof bars; i++) {
			size_t at = 1 + bars[i] / 8u;

			if ((odb >> i & 1) && at < s.value.n &&
			    (s.value.p[at] & 0x80 >> bars[i] % 8))
				return true;
		}
	}
	return false;
}

/* --- contexts --- */

static bool fits(const struct apn_row *a)
{
	return a->pdn_type <= NON_IP && subscription_apn_fits(a, 0);
}

static size_t name_n(const struct apn_row *a)
{
	return strnlen(a->name, sizeof a->name);
}

/* A context for IPv4 and IPv6 is one for IPv4 to a node that does not know better. */
static void put_pdp(struct wr *w, const struct apn_row *a, uint8_t prio)
{
	enum { TYPE = 16, QOS = 18, APN = 20, EXT_TYPE = 6, SIPTO = 8, LIPA = 9 };
	static const uint8_t types[][2] = {{0xf1, 0x21}, {0xf1, 0x57}, {0xf1, 0x21}},
			     both[] = {0xf1, 0x8d};
	size_t pdp = ber_open(w, BER_UNIVERSAL, BER_SEQUENCE);
	uint8_t qos[SUBSCRIPTION_QOS];

	subscription_qos(prio, qos);
	ber_put_int(w, BER_UNIVERSAL, BER_INTEGER, a->context);
	ber_put(w, BER_CONTEXT, TYPE, (struct view){types[a->pdn_type], 2});
	ber_put(w, BER_CONTEXT, QOS, (struct view){qos, sizeof qos});
	map_put_apn(w, BER_CONTEXT, APN, (struct view){(const uint8_t *)a->name, name_n(a)});
	if (a->pdn_type == NON_IP)
		ber_put(w, BER_CONTEXT, EXT_TYPE, (struct view){both, sizeof both});
	ber_put_int(w, BER_CONTEXT, SIPTO, 1); /* not allowed */
	ber_put_int(w, BER_CONTEXT, LIPA, 0);
	ber_close(w, pdp);
}

/* The contexts from `i` on that fit `room` octets, complete from the first on; the next one, or
 * APN_MAX. */
static size_t put_contexts(struct wr *w, const struct hlr_data *d, size_t i, size_t room)
{
	enum { GPRS = 16, LIST = 1, OVERHEAD = 30 };
	const struct profile_row *p = d->rows->profile;
	size_t n = p->apn_n < APN_MAX ? p->apn_n : APN_MAX, gprs, list, first = 0;

	while (first < n && !fits(&p->apn[first]))
		first++;
	while (i < n && !fits(&p->apn[i]))
		i++;
	if (i >= n || OVERHEAD + name_n(&p->apn[i]) > room)
		return i >= n ? APN_MAX : i;
	gprs = ber_open(w, BER_CONTEXT, GPRS);
	if (i <= first)
		map_put_null(w, BER_UNIVERSAL,
			     BER_NULL); /* completeDataListIncluded: of none before these */
	list = ber_open(w, BER_CONTEXT, LIST);
	for (; i < n; i++) {
		if (!fits(&p->apn[i]))
			continue;
		if (OVERHEAD + name_n(&p->apn[i]) > room)
			break;
		room -= OVERHEAD + name_n(&p->apn[i]);
		put_pdp(w, &p->apn[i], d->rows->sub->prio);
	}
	ber_close(w, list);
	ber_close(w, gprs);
	return i < n ? i : APN_MAX;
}

/* --- all the rest --- */

static const struct {
	uint16_t service;
	uint8_t code; /* TS 29.002 17.7.9 */
} teleservices[] = {{SERVICE_VOICE, 0x11}, {SERVICE_SMS_MT, 0x21}, {SERVICE_SMS_MO, 0x22}};

static void put_services(struct wr *w, uint16_t services)
{
	enum { LIST = 6 };
	size_t list;

	if (!(services & (SERVICE_VOICE | SERVICE_SMS_MT | SERVICE_SMS_MO)))
		return;
	list = ber_open(w, BER_CONTEXT, LIST);
	for (size_t i = 0; i < sizeof teleservices / sizeof *teleservices; i++) {
		if (services & teleservices[i].service)
			ber_put(w, BER_UNIVERSAL, BER_OCTETS,
				(struct view){&teleservices[i].code, 1});
	}
	ber_close(w, list);
}

/* SubscriberData: what versions 2 and 3 have in common. */
static void put_common(struct wr *w, const struct hlr_data *d)
{
	enum { MSISDN = 1, CATEGORY = 2, STATUS = 3, BARRED = 1, ORDINARY = 0x0a };
	const struct profile_row *p = d->rows->profile;
	const uint8_t ordinary = ORDINARY;

	if (d->rows->sub->msisdn != 0)
		map_put_number(w, BER_CONTEXT, MSISDN, d->rows->sub->msisdn);
	if (d->kind == REG_VLR)
		ber_put(w, BER_CONTEXT, CATEGORY, (struct view){&ordinary, 1});
	ber_put_int(w, BER_CONTEXT, STATUS, p->odb ? BARRED : 0);
	put_services(w, p->services);
	if (p->odb)
		put_odb(w, p->odb);
}

/* What came with version 3, in the order of its tags (17.7.1). */
static void put_later(struct wr *w, const struct hlr_data *d)
{
	enum { MODE = 24, RESTRICTION = 19, TIMER = 36, BOTH = 0, ONLY_PACKET = 2 };
	const struct profile_row *p = d->rows->profile;
	bool circuits = p->services & (SERVICE_VOICE | SERVICE_SMS_MT | SERVICE_SMS_MO);

	ber_put_int(w, BER_CONTEXT, MODE, circuits ? BOTH : ONLY_PACKET);
	put_bits(w, BER_CONTEXT, RESTRICTION, access_restriction(p->rats), 8);
	if (d->kind == REG_SGSN && p->tau_s != 0)
		ber_put_int(w, BER_CONTEXT, TIMER, p->tau_s);
}

uint8_t hlr_isd_put(struct wr *w, const struct hlr_data *d, uint8_t from)
{
	size_t arg = ber_open(w, BER_UNIVERSAL, BER_SEQUENCE), next = from > 1 ? from - 2u : 0;
	bool sgsn = d->kind == REG_SGSN && d->version >= 3;

	if (d->named)
		map_put_imsi(w, BER_CONTEXT, 0, d->rows->sub->imsi);
	if (from <= 1)
		put_common(w, d);
	next = sgsn ? put_contexts(w, d, next, from <= 1 ? ROOM_FIRST : ROOM_REST) : APN_MAX;
	if (from <= 1 && d->version >= 3)
		put_later(w, d);
	ber_close(w, arg);
	return next < APN_MAX ? (uint8_t)(next + 2) : 0;
}

/* --- taking away --- */

/* A teleservice is added to a VLR's list, never taken off it by an insertion. */
static void put_gone_services(struct wr *w, uint16_t services)
{
	enum { LIST = 1, TELESERVICE = 3 };
	size_t list = ber_open(w, BER_CONTEXT, LIST);

	for (size_t i = 0; i < sizeof teleservices / sizeof *teleservices; i++) {
		if (!(services & teleservices[i].service))
			ber_put(w, BER_CONTEXT, TELESERVICE,
				(struct view){&teleservices[i].code, 1});
	}
	ber_close(w, list);
}

bool hlr_dsd_put(struct wr *w, const struct hlr_data *d, const struct s6a_deletion *gone)
{
	enum { CONTEXTS = 10, TIMER = 22, ALL = SERVICE_VOICE | SERVICE_SMS_MT | SERVICE_SMS_MO };
	uint16_t services = d->rows->profile->services;
	bool contexts = d->kind == REG_SGSN && gone->context_n > 0;
	bool timer = d->kind == REG_SGSN && (gone->flags & DSR_TAU_TIMER);
	size_t arg, list;

	if (!contexts && !timer && (services & ALL) == ALL)
		return false;
	arg = ber_open(w, BER_UNIVERSAL, BER_SEQUENCE);
	if (d->named)
		map_put_imsi(w, BER_CONTEXT, 0, d->rows->sub->imsi);
	if ((services & ALL) != ALL)
		put_gone_services(w, services);
	if (contexts) {
		size_t which = ber_open(w, BER_CONTEXT, CONTEXTS);

		list = ber_open(w, BER_UNIVERSAL, BER_SEQUENCE);
		for (size_t i = 0; i < gone->context_n; i++)
			ber_put_int(w, BER_UNIVERSAL, BER_INTEGER, gone->context[i]);
		ber_close(w, list);
		ber_close(w, which);
	}
	if (timer)
		map_put_null(w, BER_CONTEXT, TIMER);
	ber_close(w, arg);
	return true;
}

void hlr_cancel_put(struct wr *w, uint64_t imsi, enum cancellation type, uint8_t version)
{
	enum { UPDATE, WITHDRAW, INITIAL, ARGUMENT_3 = 3 };
	size_t arg;

	if (version < 3) {
		map_put_imsi(w, BER_UNIVERSAL, BER_OCTETS, imsi);
		return;
	}
	arg = ber_open(w, BER_CONTEXT, ARGUMENT_3);
	map_put_imsi(w, BER_UNIVERSAL, BER_OCTETS, imsi);
	ber_put_int(w, BER_UNIVERSAL, BER_ENUM,
		    type == CANCEL_WITHDRAWAL	    ? WITHDRAW
		    : type == CANCEL_INITIAL_ATTACH ? INITIAL
						    : UPDATE);
	ber_close(w, arg);
}

/* --- names --- */

void hlr_node_name(char host[REG_HOST], uint64_t number)
{
	char text[BCD_TEXT];

	bcd_text(number, text);
	snprintf(host, REG_HOST, NODE_MAP "%s", text);
}

uint64_t hlr_node_number(const struct reg_node *n)
{
	return node_by_map(n) ? bcd_of(view_of(n->host + sizeof NODE_MAP - 1)) : 0;
}
