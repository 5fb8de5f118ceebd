#include "unit/storm_world.h"

#include "unit/test.h"

#define EPOCH_MS 1700000000000
#define REALM    "epc.mnc001.mcc001.3gppnetwork.org"
#define HOME     "epc.mnc070.mcc999.3gppnetwork.org"

static const uint8_t key[HASH_KEY] = "fedcba987654321";

static uint64_t imsi_of(uint32_t n)
{
	uint64_t digits = 0;

	for (unsigned int i = 0; i < 10; i++, n /= 10)
		digits |= (uint64_t)(n % 10) << 4 * i;
	return 0x99970ull << 44 | digits << 4 | 15;
}

static const struct sub_row *find_sub(void *ctx, uint64_t imsi)
{
	struct storm_world *w = ctx;
	uint32_t n = 0;

	for (unsigned int i = 0; i < 10; i++)
		n = n * 10 + (uint32_t)(imsi >> (40 - 4 * i) & 15);
	w->sub = (struct sub_row){ .imsi = imsi, .life = LIFE_ACTIVE, .prio = storm_prio_of(n) };
	return &w->sub;
}

static const struct profile_row *find_profile(void *ctx, uint32_t no)
{
	static const struct profile_row all = { .rats = RAT_WB_EUTRAN };

	(void)ctx;
	(void)no;
	return &all;
}

static const struct network_row partner = { .plmn = 0x00101fffffffffff, .realm = REALM,
					    .trust = TRUST_TRUSTED, .steer_weight = 1000 };

static const struct network_row *find_network(void *ctx, uint64_t plmn)
{
	(void)ctx;
	(void)plmn;
	return &partner;
}

static const struct range_row *find_range(void *ctx, uint64_t imsi)
{
	static const struct range_row ours;

	(void)ctx;
	(void)imsi;
	return &ours;
}

uint64_t storm_world_ms(double at)
{
	return EPOCH_MS + (uint64_t)(at * 1000);
}

static struct facts facts_at(uint32_t device, enum op op, double at)
{
	return (struct facts){
		.op = (uint8_t)op, .app_agreed = true, .drmp = 255,
		.peer_host = VIEW("mme." REALM), .peer_realm = VIEW(REALM), .peer_plmn = partner.plmn,
		.origin_host = VIEW("mme." REALM), .origin_realm = VIEW(REALM), .dest_realm = VIEW(HOME),
		.imsi = imsi_of(device), .visited_plmn = partner.plmn,
		.rat = op == OP_UPDATE_LOCATION ? RAT_IS_WB_EUTRAN : RAT_UNKNOWN,
		.now_ms = storm_world_ms(at),
	};
}

struct verdict storm_world_ask(struct storm_world *w, uint32_t device, enum op op, double at)
{
	struct facts f = facts_at(device, op, at);

	return judge_request(w->judge, &f);
}

void storm_world_done(struct storm_world *w, uint32_t device, enum op op, double asked, double at)
{
	struct facts f = facts_at(device, op, asked);

	judge_done(w->judge, &f, 0, true, false, storm_world_ms(at));
}

void storm_world_open(struct storm_world *w)
{
	w->book = book_empty;
	w->book.ctx = w;
	w->book.sub = find_sub;
	w->book.profile = find_profile;
	w->book.network = find_network;
	w->book.range = find_range;
	w->seen = sightings_new(1u << 20, key);
	w->target = admission_new(&(struct admission_conf){ 0 }, key);
	w->judge = judge_new(&w->book, w->seen, &w->target, 1, key);
	check(w->seen && w->target && w->judge);
	judge_identity(w->judge, VIEW("edge." HOME), VIEW(HOME));
}

void storm_world_close(struct storm_world *w)
{
	judge_free(w->judge);
	admission_free(w->target);
	sightings_free(w->seen);
}
