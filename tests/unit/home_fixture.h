/* A small home for the tests: the demo profiles, some subscriptions, and messages to and fro. */
#pragma once
#include "home/s6a.h"
#include "unit/test.h"

#define OWN bcd_of(VIEW("99970"))
#define P1 bcd_of(VIEW("00101"))
#define P2 bcd_of(VIEW("26201"))
#define IMSI bcd_of(VIEW("999700000000001"))
#define IMEI bcd_of(VIEW("00101700000001"))
#define WALL 1800000000000u

static inline struct profile_row meter_profile(void)
{
	struct profile_row p = {
	    .id = 1,
	    .version = 7,
	    .prio = PRIO_LOW,
	    .apn_n = 1,
	    .rats = RAT_NB_IOT | RAT_LTE_M,
	    .ul_bps = 100000,
	    .dl_bps = 200000,
	    .tau_s = 86400,
	    .apn = {{.name = "meters.iot",
		     .context = 1,
		     .pdn_type = 0,
		     .qci = 9,
		     .arp = 15,
		     .ul_bps = 64000,
		     .dl_bps = 128000}},
	};

	return p;
}

static inline struct sub_row meter_sub(void)
{
	struct sub_row s = {
	    .profile = 1, .version = 3, .life = LIFE_ACTIVE, .prio = PRIO_LOW, .alg = ALG_MILENAGE};

	s.imsi = IMSI;
	s.msisdn = bcd_of(VIEW("99970123456"));
	return s;
}

static inline struct reg_row no_registration(void)
{
	struct reg_row r = {0};

	r.imsi = IMSI;
	return r;
}

static inline struct reg_node node_named(const char *host, uint64_t plmn)
{
	struct reg_node n = {.plmn = plmn, .at_ms = 1};

	snprintf(n.host, sizeof n.host, "%s", host);
	snprintf(n.realm, sizeof n.realm, "%s", "epc.mnc001.mcc001.3gppnetwork.org");
	return n;
}

static inline struct home_self this_home(void)
{
	return (struct home_self){.own_plmn = OWN, .node_id = 1, .vector_max = 5};
}

/* One message's room. */
struct page {
	uint8_t room[256 * 1024], bytes[16384];
	struct arena mem;
	struct wr w;
	struct msg m;
	struct dia_header h;
};

static inline void page_clear(struct page *p)
{
	p->mem = (struct arena){.base = p->room, .cap = sizeof p->room};
	p->w = (struct wr){.p = p->bytes, .cap = sizeof p->bytes};
}

/* Parse what was written, as the end point would. */
static inline void page_parse(struct page *p)
{
	check_eq(p->w.err, ERR_OK);
	check_eq(dia_parse(&p->m, &p->h, wr_done(&p->w), DIA_END, &p->mem), ERR_OK);
}

/* Begin a request of an MME. */
static inline size_t ask_begin(struct page *p, uint32_t app, uint32_t code)
{
	struct dia_header h = {.flags = DIA_FLAG_REQUEST | DIA_FLAG_PROXIABLE,
			       .code = code,
			       .app = app,
			       .hop_by_hop = 7,
			       .end_to_end = 9};
	size_t start;

	page_clear(p);
	start = dia_begin(&p->w, &h);
	dia_put(&p->w, AVP_SESSION_ID, VIEW("mme;1;2"));
	dia_put_u32(&p->w, AVP_AUTH_SESSION_STATE, 1);
	dia_put(&p->w, AVP_ORIGIN_HOST, VIEW("mme.epc.mnc001.mcc001.3gppnetwork.org"));
	dia_put(&p->w, AVP_ORIGIN_REALM, VIEW("epc.mnc001.mcc001.3gppnetwork.org"));
	dia_put(&p->w, AVP_DESTINATION_REALM, VIEW("epc.mnc070.mcc999.3gppnetwork.org"));
	return start;
}

static inline const struct dia_node_conf *me(void)
{
	static const struct dia_node_conf conf = {
	    .host = VIEW_INIT("home.epc.mnc070.mcc999.3gppnetwork.org"),
	    .realm = VIEW_INIT("epc.mnc070.mcc999.3gppnetwork.org"),
	    .state_id = 77,
	};

	return &conf;
}

/* What an answer says: the experimental code, or the Result-Code; never both. */
static inline uint32_t result_of(const struct msg *m)
{
	uint32_t base = dia_u32(tab_get(m, AVP_RESULT_CODE));
	uint32_t exp = dia_u32(tab_get(m, AVP_EXPERIMENTAL_RESULT, AVP_EXPERIMENTAL_RESULT_CODE));

	check((base == 0) != (exp == 0));
	return base ? base : exp;
}
