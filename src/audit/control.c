/* Positive controls: what a legitimate partner gets is right, and no more than the profile
 * declares. */
#include "audit/audit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SUCCESS 2001
#define CHANGE_MS 6000 /* a change of the records reaches the edge within this */
#define FLOOD_N 60
#define APNS 8
#define SILENCE_MS 500 /* without an answer: it was dropped */

/* Ask until success, for what was just made may not have arrived. False: `p` says why. */
static bool ask_ok(struct audit *a, const struct attempt *t, const struct canary *c,
		   struct proof *p)
{
	uint64_t until = audit_wall_ms() + CHANGE_MS;
	char heard[64];
	enum err err;

	do {
		err = canary_ask(a, c);
		if (!err && a->answer.experimental == 0 && a->answer.result == SUCCESS)
			return true;
		if (err)
			break;
		usleep(100000);
	} while (audit_wall_ms() < until);
	if (err == ERR_NOT_FOUND)
		proof(p, WITHOUT, "%s", a->node_why[c->from]);
	else
		proof(p, NOT_SHOWN, "%s: %s", t->what, canary_heard(a, err, heard));
	return false;
}

static uint64_t sqn_of(const uint8_t autn[16], const uint8_t ak[6])
{
	uint64_t sqn = 0;

	for (size_t i = 0; i < 6; i++)
		sqn = sqn << 8 | (uint8_t)(autn[i] ^ ak[i]);
	return sqn;
}

/* What the card would say to this challenge: the SQN, or 0 with the reason. `eps`: the separation
 * bit of AMF, set for EPS alone (TS 33.102 Annex H). */
static uint64_t card(struct audit *a, enum who who, bool eps, struct view rand, struct view autn,
		     struct view xres, struct aka_f *f, const char **why)
{
	struct aka_key key = a->key[who].key;
	uint64_t sqn = 0;
	enum err err;

	*why = "a vector is incomplete";
	if (rand.n != 16 || autn.n != 16 || xres.n != 8)
		return 0;
	*why = "AMF's separation bit is wrong";
	if ((autn.p[6] >> 7 != 0) != eps)
		return 0;
	memcpy(key.amf, autn.p + 6, sizeof key.amf);
	err = aka_milenage(a->aka, &key, rand.p, 0, f);
	if (!err) {
		sqn = sqn_of(autn.p, f->ak);
		err = aka_milenage(a->aka, &key, rand.p, sqn, f);
	}
	secret_wipe(&key, sizeof key);
	*why = "AUTN is not of the card's key";
	if (err || memcmp(autn.p + 8, f->mac_a, 8) != 0)
		return 0;
	*why = "XRES is not what the card answers";
	return memcmp(xres.p, f->res, 8) == 0 ? sqn : 0;
}

/* TS 33.401 A.2: KASME is bound to the visited network. */
static bool kasme_right(struct audit *a, const struct aka_f *f, struct view rand, struct view autn,
			struct view kasme)
{
	struct aka_vector v = {.ck = f->ck, .ik = f->ik};
	uint8_t plmn[3], want[32];

	memcpy(v.rand, rand.p, 16);
	memcpy(v.autn, autn.p, 16);
	plmn_tbcd(bcd_of(VIEW(CANARY_PLMN)), plmn);
	return kasme.n == 32 && aka_kasme(a->aka, &v, plmn, want) == ERR_OK &&
	       memcmp(want, kasme.p, 32) == 0;
}

enum state try_vector_eps(struct audit *a, const struct attempt *t, struct proof *p)
{
	const struct canary air = {.say = SAY_AIR};
	const char *why = "";
	uint64_t sqn[2] = {0};
	struct aka_f f;

	for (size_t i = 0; i < 2; i++) {
		const struct msg *m = &a->answer.m;
		struct view rand, autn, xres;

		if (!ask_ok(a, t, &air, p))
			return p->state;
		if (!a->keyed)
			return proof(p, WITHOUT, "%s", a->keyed_why);
		rand = tab_get(m, AVP_AUTHENTICATION_INFO, AVP_E_UTRAN_VECTOR, AVP_RAND);
		autn = tab_get(m, AVP_AUTHENTICATION_INFO, AVP_E_UTRAN_VECTOR, AVP_AUTN);
		xres = tab_get(m, AVP_AUTHENTICATION_INFO, AVP_E_UTRAN_VECTOR, AVP_XRES);
		sqn[i] = card(a, WHO_PLAIN, true, rand, autn, xres, &f, &why);
		if (sqn[i] == 0)
			return proof(p, NOT_SHOWN, "%s", why);
		if (!kasme_right(
			a, &f, rand, autn,
			tab_get(m, AVP_AUTHENTICATION_INFO, AVP_E_UTRAN_VECTOR, AVP_KASME)))
			return proof(p, NOT_SHOWN, "KASME is not of this card in this network");
	}
	secret_wipe(&f, sizeof f);
	if (sqn[1] <= sqn[0])
		return proof(p, NOT_SHOWN, "the second SQN is not above the first");
	return proof(p, SHOWN, "AUTN, XRES and KASME verified with the card's key; SQN rises");
}

enum state try_vector_utran(struct audit *a, const struct attempt *t, struct proof *p)
{
	const struct canary air = {.say = SAY_AIR_UTRAN, .who = WHO_UTRAN};
	const struct msg *m = &a->answer.m;
	const char *why = "";
	struct aka_f f;

	if (!ask_ok(a, t, &air, p))
		return p->state;
	if (!a->keyed)
		return proof(p, WITHOUT, "%s", a->keyed_why);
	if (card(a, WHO_UTRAN, false,
		 tab_get(m, AVP_AUTHENTICATION_INFO, AVP_UTRAN_VECTOR, AVP_RAND),
		 tab_get(m, AVP_AUTHENTICATION_INFO, AVP_UTRAN_VECTOR, AVP_AUTN),
		 tab_get(m, AVP_AUTHENTICATION_INFO, AVP_UTRAN_VECTOR, AVP_XRES), &f, &why) == 0)
		return proof(p, NOT_SHOWN, "%s", why);
	if (!view_eq(tab_get(m, AVP_AUTHENTICATION_INFO, AVP_UTRAN_VECTOR, AVP_CONFIDENTIALITY_KEY),
		     (struct view){f.ck.b, 16}))
		return proof(p, NOT_SHOWN, "CK is not the card's");
	secret_wipe(&f, sizeof f);
	return proof(p, SHOWN, "AUTN, XRES and CK verified with the card's key");
}

/* The Subscription-Data of the plain canary; NULL, and `p`. */
static const struct slot *subscription_data(struct audit *a, const struct attempt *t,
					    struct proof *p)
{
	const struct canary ulr = {.say = SAY_ULR};
	const struct slot *data;

	if (!ask_ok(a, t, &ulr, p))
		return NULL;
	data = tab_slot(&a->answer.m, AVP_SUBSCRIPTION_DATA);
	if (!data)
		proof(p, NOT_SHOWN, "the ULA has no Subscription-Data");
	return data;
}

static uint32_t number_in(const struct msg *m, const struct slot *group, uint16_t avp,
			  uint32_t none)
{
	const struct slot *s = tab_next(m, group, avp, NULL);

	return s && s->value.n == 4 ? dia_u32(s->value) : none;
}

enum state try_data_only(struct audit *a, const struct attempt *t, struct proof *p)
{
	const struct slot *data = subscription_data(a, t, p);
	const struct msg *m = &a->answer.m;
	uint32_t mode;

	if (!data)
		return p->state;
	mode = number_in(m, data, AVP_NETWORK_ACCESS_MODE, UINT32_MAX);
	if (mode != 2)
		return proof(p, NOT_SHOWN, "Network-Access-Mode is %u, not 2 (packet only)", mode);
	if (tab_next(m, data, AVP_TELESERVICE_LIST, NULL))
		return proof(p, NOT_SHOWN, "there is a Teleservice-List");
	if (tab_next(m, data, AVP_STN_SR, NULL) || tab_next(m, data, AVP_MSISDN, NULL))
		return proof(p, NOT_SHOWN, "there is a number to call or text");
	return proof(p, SHOWN, "packet access only; no teleservice, no number");
}

/* The APN configurations; how many. */
static size_t apns_of(const struct msg *m, const struct slot *data, const struct slot *apn[APNS])
{
	const struct slot *list = tab_next(m, data, AVP_APN_CONFIGURATION_PROFILE, NULL), *s = NULL;
	size_t n = 0;

	while (list && n < APNS && (s = tab_next(m, list, AVP_APN_CONFIGURATION, s)))
		apn[n++] = s;
	return n;
}

enum state try_least_data(struct audit *a, const struct attempt *t, struct proof *p)
{
	const struct slot *data = subscription_data(a, t, p), *apn[APNS], *name;
	const struct msg *m = &a->answer.m;
	uint32_t bars;
	size_t n;

	if (!data)
		return p->state;
	n = apns_of(m, data, apn);
	if (n != 1)
		return proof(p, NOT_SHOWN, "%zu APNs, the profile declares 1", n);
	name = tab_next(m, apn[0], AVP_SERVICE_SELECTION, NULL);
	if (!name || !view_eq_case(name->value, VIEW("canary.iot")))
		return proof(p, NOT_SHOWN, "another APN than the profile declares");
	/* TS 29.272 §7.3.31: UTRAN and GERAN not allowed */
	bars = number_in(m, data, AVP_ACCESS_RESTRICTION_DATA, 0);
	if ((bars & 3) != 3)
		return proof(p, NOT_SHOWN,
			     "Access-Restriction-Data %u does not bar UTRAN and GERAN", bars);
	return proof(p, SHOWN, "the declared APN alone; other radios barred (%u)", bars);
}

enum state try_no_breakout(struct audit *a, const struct attempt *t, struct proof *p)
{
	const struct slot *data = subscription_data(a, t, p), *apn[APNS];
	const struct msg *m = &a->answer.m;
	size_t n;

	if (!data)
		return p->state;
	n = apns_of(m, data, apn);
	for (size_t i = 0; i < n; i++) {
		if (number_in(m, apn[i], AVP_VPLMN_DYNAMIC_ADDRESS_ALLOWED, UINT32_MAX) != 0)
			return proof(p, NOT_SHOWN, "VPLMN-Dynamic-Address-Allowed is not 0");
	}
	return proof(p, n > 0 ? SHOWN : NOT_SHOWN,
		     "VPLMN-Dynamic-Address-Allowed is 0 for %zu APNs", n);
}

enum state try_qos(struct audit *a, const struct attempt *t, struct proof *p)
{
	const struct slot *data = subscription_data(a, t, p), *apn[APNS], *qos, *ambr;
	const struct msg *m = &a->answer.m;
	size_t n;

	if (!data)
		return p->state;
	n = apns_of(m, data, apn);
	for (size_t i = 0; i < n; i++) {
		qos = tab_next(m, apn[i], AVP_EPS_SUBSCRIBED_QOS_PROFILE, NULL);
		ambr = tab_next(m, apn[i], AVP_AMBR, NULL);
		if (!qos || number_in(m, qos, AVP_QOS_CLASS_IDENTIFIER, 0) != 9 || !ambr ||
		    number_in(m, ambr, AVP_MAX_REQUESTED_BANDWIDTH_UL, 0) != 10000)
			return proof(p, NOT_SHOWN,
				     "an APN without the QoS and AMBR of its profile");
	}
	return proof(p, n > 0 ? SHOWN : NOT_SHOWN, "QCI, ARP and AMBR of the profile in %zu APNs",
		     n);
}

/* TS 29.272 §7.3.51: 0 white, 1 black, 2 grey */
enum state try_eir(struct audit *a, const struct attempt *t, struct proof *p)
{
	const struct canary black = {.say = SAY_ECR, .imei = IMEI_BLACK};
	const struct canary good = {.say = SAY_ECR, .imei = IMEI_GOOD};
	uint32_t status;
	char heard[64];
	enum err err;

	if (!ask_ok(a, t, &black, p))
		return p->state;
	status = dia_u32(tab_get(&a->answer.m, AVP_EQUIPMENT_STATUS));
	if (status != 1)
		return proof(p, NOT_SHOWN, "a blacklisted device is called %u", status);
	err = canary_ask(a, &good);
	if (!err && a->answer.result == SUCCESS &&
	    dia_u32(tab_get(&a->answer.m, AVP_EQUIPMENT_STATUS)) == 0)
		return proof(p, SHOWN, "black for the blacklisted device, white for another");
	return proof(p, NOT_SHOWN, "a device on no list: %s", canary_heard(a, err, heard));
}

/* Ask until the answer is this; negative: experimental. */
static bool becomes(struct audit *a, const struct canary *c, int32_t want)
{
	uint64_t until = audit_wall_ms() + CHANGE_MS;
	enum err err;

	do {
		err = canary_ask(a, c);
		if (!err && want < 0 && a->answer.experimental == (uint32_t)-want)
			return true;
		if (!err && want > 0 && a->answer.experimental == 0 &&
		    a->answer.result == (uint32_t)want)
			return true;
		usleep(50000);
	} while (err != ERR_NOT_FOUND && audit_wall_ms() < until);
	return false;
}

enum state try_switch(struct audit *a, const struct attempt *t, struct proof *p)
{
	static const char *const off[] = {"life=suspended", NULL}, *const on[] = {"life=active",
										  NULL};
	const struct canary air = {.say = SAY_AIR, .who = WHO_SWITCHED};
	const struct canary ulr = {.say = SAY_ULR, .who = WHO_SWITCHED};
	bool refused, back, cancelled;
	char imsi[16], why[256];
	uint32_t before;

	canary_imsi(a, WHO_SWITCHED, imsi);
	if (keeping_set(a, "subscription", imsi, "set", on, why) !=
	    ERR_OK) /* a run may have been cut short */
		return proof(p, WITHOUT, "the keeper refused: %.150s", why);
	if (!ask_ok(a, t, &air, p) || !ask_ok(a, t, &ulr, p))
		return p->state;
	before = probe_heard(a->node[FROM_MME], 317);
	if (keeping_set(a, "subscription", imsi, "set", off, why) != ERR_OK)
		return proof(p, WITHOUT, "the keeper refused: %.150s", why);
	refused = becomes(a, &air, -5420);
	cancelled = a->node[FROM_MME] && probe_heard(a->node[FROM_MME], 317) > before;
	for (int i = 0; i < 30 && !cancelled;
	     i++) { /* the CLR comes as soon as home has followed the change */
		if (canary_ask(a, &air) != ERR_OK)
			break;
		usleep(50000);
		cancelled = a->node[FROM_MME] && probe_heard(a->node[FROM_MME], 317) > before;
	}
	if (keeping_set(a, "subscription", imsi, "set", on, why) != ERR_OK)
		return proof(p, NOT_SHOWN, "active again: %.150s", why);
	back = becomes(a, &air, SUCCESS);
	return proof(p, refused && cancelled && back ? SHOWN : NOT_SHOWN,
		     "suspended: %s, its node %s; active again: %s",
		     refused ? "refused" : "not refused", cancelled ? "got CLR" : "got no CLR",
		     back ? "answered" : "not answered");
}

/* More than the far network may ask: low class waits, a critical SIM is answered all the same. */
enum state try_flood(struct audit *a, const struct attempt *t, struct proof *p)
{
	const struct canary low = {.say = SAY_AIR, .who = WHO_UTRAN, .from = FROM_FAR};
	const struct canary vital = {.say = SAY_AIR, .who = WHO_VITAL, .from = FROM_FAR};
	size_t refused = 0, passed = 0;
	bool known, counted;
	enum err err = ERR_OK;

	if (!ask_ok(a, t, &vital, p))
		return p->state;
	for (size_t i = 0; i < FLOOD_N && !err; i++)
		err = canary_send(a, &low);
	for (size_t i = 0; i < FLOOD_N && !err; i++) {
		err = probe_next(a->node[FROM_FAR], &a->answer, 4000);
		refused += !err && a->answer.experimental == 4181;
		passed += !err && a->answer.result == SUCCESS;
	}
	if (err)
		return proof(p, NOT_SHOWN, "after %zu answers: %s", refused + passed,
			     err_text(err));
	counted = canary_counted(a, "load.partner_rate", &known);
	if (refused == 0 ||
	    (known && !counted)) /* home, too, gives one card only so many vectors */
		return proof(p, NOT_SHOWN,
			     "%d requests at once beyond the rate: load.partner_rate refused none",
			     FLOOD_N);
	err = canary_ask(a, &vital);
	if (err || a->answer.result != SUCCESS)
		return proof(p, NOT_SHOWN, "the critical SIM was refused in the flood");
	return proof(p, SHOWN,
		     "of %d low-class requests %zu waited (4181); critical ones were answered",
		     FLOOD_N, refused);
}

/* Unknown subscribers beyond the far network's rate: the first are told so, the others fall into
 * silence. */
enum state try_unknown_flood(struct audit *a, const struct attempt *t, struct proof *p)
{
	const struct canary unknown = {.say = SAY_AIR, .who = WHO_UNKNOWN, .from = FROM_FAR};
	size_t told = 0;
	enum err err = ERR_OK;

	(void)t;
	for (size_t i = 0; i < FLOOD_N && !err; i++)
		err = canary_send(a, &unknown);
	if (err == ERR_NOT_FOUND)
		return proof(p, WITHOUT, "%s", a->node_why[FROM_FAR]);
	for (size_t i = 0; i < FLOOD_N && !err; i++) {
		err = probe_next(a->node[FROM_FAR], &a->answer, SILENCE_MS);
		told += !err && a->answer.experimental == 5001;
	}
	if (err && err != ERR_AGAIN)
		return proof(p, NOT_SHOWN, "after %zu answers: %s", told, err_text(err));
	return proof(p, told > 0 && told < FLOOD_N ? SHOWN : NOT_SHOWN,
		     "of %d unknown IMSIs at once %zu were answered", FLOOD_N, told);
}
