/* The HLR without links, stores and clock: messages in, messages out. What it needs of the rest of
 * home stands here; registrations are durable when settle() says so. */
#pragma once
#include "home/hlr_in.h"

#include <stdlib.h>
#include <sys/mman.h>

#define HLR_WALL 1800000000000u
#define HLR_NUMBER bcd_of(VIEW("99970000"))
#define HLR_SAID_MAX 64

static struct home_worker world;
static struct hlr world_hlr;
static struct hlr_conf world_conf;
static struct sub_row world_sub;
static struct profile_row world_profile;
static struct reg_row world_reg;
static struct aka_key world_key;
static uint64_t world_now;
static bool world_full; /* nothing can be stored */

/* What the HLR has said since world_begin(), as SCCP. */
static struct {
	uint8_t bytes[512];
	size_t n;
} said[HLR_SAID_MAX];
static size_t said_n;

static uint64_t world_token[16];
static size_t world_token_n;
static struct {
	uint32_t index;
	bool gone, lost;
	size_t n;
} world_settled;

/* --- the rest of home --- */

uint64_t loop_now(const struct loop *l)
{
	(void)l;
	return world_now;
}

uint64_t loop_wall(const struct loop *l)
{
	(void)l;
	return HLR_WALL + world_now;
}

struct home_rows worker_rows(struct home_worker *w, uint64_t imsi, struct reg_row *reg)
{
	struct home_rows rows = {.reg = reg};

	(void)w;
	*reg = world_reg;
	if (imsi != world_sub.imsi)
		memset(reg, 0, sizeof *reg);
	reg->imsi = imsi;
	if (imsi != 0 && imsi == world_sub.imsi) {
		rows.sub = &world_sub;
		rows.own = rows.profile = &world_profile;
	}
	return rows;
}

const struct aka_key *worker_key(struct home_worker *w, const struct home_rows *rows, uint64_t imsi,
				 struct aka_key *room)
{
	(void)w;
	(void)imsi;
	*room = world_key;
	return rows->sub ? room : NULL;
}

bool send_look(void *worker, uint64_t imsi)
{
	(void)worker;
	(void)imsi;
	return true;
}

void send_settled(struct home_worker *w, uint32_t index, uint32_t life, bool gone, bool lost)
{
	(void)w;
	(void)life;
	world_settled.index = index;
	world_settled.gone = gone;
	world_settled.lost = lost;
	world_settled.n++;
}

void feed_want_all(struct feed *f)
{
	(void)f;
}

enum err reg_put(struct reg_worker *w, const struct reg_row *row, uint64_t token)
{
	(void)w;
	if (world_full || world_token_n == sizeof world_token / sizeof *world_token)
		return ERR_FULL;
	world_reg = *row;
	if (token)
		world_token[world_token_n++] = token;
	return ERR_OK;
}

/* --- the world --- */

static const struct sub_row *world_of_number(void *ctx, uint64_t msisdn)
{
	(void)ctx;
	return msisdn && msisdn == world_sub.msisdn ? &world_sub : NULL;
}

static const struct sub_row *world_find(void *ctx, uint64_t imsi)
{
	(void)ctx;
	return imsi == world_sub.imsi ? &world_sub : NULL;
}

static const struct profile_row *world_find_profile(void *ctx, uint32_t id)
{
	(void)ctx;
	return id == world_profile.id ? &world_profile : NULL;
}

static const struct equip_row *world_equip(void *ctx, uint64_t imei, uint64_t now_s)
{
	static struct equip_row black = {.colour = BLACK};

	(void)ctx;
	(void)now_s;
	black.imei = imei;
	return imei == bcd_of(VIEW("35316609000002")) ? &black : NULL;
}

static const struct network_row *world_network(void *ctx, uint64_t number)
{
	static struct network_row partner = {.trust = TRUST_TRUSTED};

	(void)ctx;
	partner.plmn = bcd_of(VIEW("00101"));
	return bcd_begins(number, bcd_of(VIEW("99901"))) ? &partner : NULL;
}

static void world_send(struct home_worker *w, const struct hlr_route *to, struct view sccp)
{
	(void)w;
	(void)to;
	if (said_n == HLR_SAID_MAX || sccp.n > sizeof said[0].bytes)
		abort();
	memcpy(said[said_n].bytes, sccp.p, sccp.n);
	said[said_n++].n = sccp.n;
}

static void world_rows(void)
{
	world_sub = (struct sub_row){
	    .profile = 1, .life = LIFE_ACTIVE, .alg = ALG_MILENAGE, .prio = PRIO_NORMAL};
	world_sub.imsi = bcd_of(VIEW("999700000000001"));
	world_sub.msisdn = bcd_of(VIEW("99970123456"));
	world_profile = (struct profile_row){.id = 1,
					     .rats = RAT_GERAN | RAT_UTRAN,
					     .services = SERVICE_SMS_MT | SERVICE_SMS_MO,
					     .apn_n = 1,
					     .apn = {{.name = "trackers.iot", .context = 1}}};
	world_reg = (struct reg_row){0};
	world_full = false;
	world_settled.n = 0;
}

/* Once; then before each story. */
static void world_begin(void)
{
	static const uint8_t key[HASH_KEY] = "the hlr's world";
	static const struct book book = {.sub = world_find,
					 .profile = world_find_profile,
					 .equip = world_equip,
					 .network_of_number = world_network,
					 .sub_of_number = world_of_number};
	static uint8_t room[256 * 1024], out[8192];
	struct hlr_talk *t;

	if (!world.hlr) {
		int fd = memfd_create("sqn", 0);

		world_hlr.talks = hlr_talks_new(key);
		world_hlr.join = sccp_join_new(8, key);
		world.means.aka = aka_new();
		world.waiting = waiting_new();
		world.hlr = &world_hlr;
		if (fd < 0 || !world_hlr.talks || !world_hlr.join || !world.means.aka ||
		    !world.waiting || sqn_open(&world.means.sqn, fd, HLR_WALL))
			abort();
		world_conf = (struct hlr_conf){.point = 1, .gateway = 7};
		world_conf.number = HLR_NUMBER;
		world_conf.smsc = bcd_of(VIEW("99970600"));
		world_hlr.conf = &world_conf;
		world_hlr.send = world_send;
		world.book = &book;
		world.fresh = true;
		world.self = (struct home_self){.vector_max = 5, .unknown_equipment_ok = true};
		world.self.own_plmn = bcd_of(VIEW("99970"));
		world.mem = (struct arena){.base = room, .cap = sizeof room};
		world.out = (struct wr){.p = out, .cap = sizeof out};
	}
	while ((t = hlr_talk_late(world_hlr.talks, UINT64_MAX)))
		hlr_talk_drop(world_hlr.talks, t);
	while (world_token_n > 0)
		waiting_give(world.waiting,
			     waiting_find(world.waiting, world_token[--world_token_n]));
	said_n = 0;
	world_rows();
}

/* What waits has become durable, or not. */
static void settle(enum err err)
{
	for (size_t i = 0; i < world_token_n; i++) {
		struct waiting_answer *a = waiting_find(world.waiting, world_token[i]);

		hlr_durable(&world, a, err);
		waiting_give(world.waiting, a);
	}
	world_token_n = 0;
}
