#include "judge/sightings.h"

#include "base/big.h"

#include <stdatomic.h>

#define WAYS    4
#define WORDS   8
#define TRIES   64
#define MAGIC   0x4d53454548543031u
#define HEAD    16
#define TAIL    8

_Static_assert(sizeof(struct sighting) == WORDS * sizeof(uint64_t), "a sighting is a cache line");

/* Each place under a sequence lock: odd while it is written. The words are atomic, so that a reader that
 * loses the race reads rubbish it will notice, and not undefined behaviour. The IMSIs stand together: to
 * find nothing costs one cache line, to find something two. */
struct place {
	_Alignas(64) _Atomic uint64_t seq;
	_Atomic uint64_t imsi[WAYS];
	_Alignas(64) _Atomic uint64_t word[WAYS][WORDS];
};

struct sightings {
	uint64_t id;    /* of this table among all there were */
	size_t place_n; /* a power of two */
	uint8_t key[HASH_KEY];
	struct rates rates;
	struct place place[];
};

struct sightings *sightings_new(size_t entries, const uint8_t key[HASH_KEY])
{
	static _Atomic uint64_t made;
	size_t n = 1;
	struct sightings *s;

	while (n * WAYS < entries)
		n *= 2;
	s = big_new(sizeof *s + n * sizeof s->place[0]);
	if (!s)
		return NULL;
	s->id = atomic_fetch_add(&made, 1) + 1;
	s->place_n = n;
	memcpy(s->key, key, HASH_KEY);
	return s;
}

void sightings_free(struct sightings *s)
{
	if (s)
		big_free(s, sizeof *s + s->place_n * sizeof s->place[0]);
}

struct rates *sightings_rates(struct sightings *s)
{
	return &s->rates;
}

uint32_t sightings_plmn(uint64_t plmn)
{
	return (uint32_t)(plmn >> 32);
}

/* Eight octets at a time: a capital is one that 'A' can be added up to, and not yet 'Z' + 1. */
static uint64_t lower_8(uint64_t x)
{
	const uint64_t ones = 0x0101010101010101u, tops = ones * 0x80, low = x & ~tops;
	uint64_t from_a = low + ones * (0x80 - 'A'), past_z = low + ones * (0x80 - 'Z' - 1);

	return x | ((from_a & ~past_z & ~x & tops) >> 2);
}

static void lower(uint8_t *to, struct view from)
{
	uint64_t x;
	size_t i = 0;

	for (; from.n - i >= sizeof x; i += sizeof x) {
		memcpy(&x, from.p + i, sizeof x);
		x = lower_8(x);
		memcpy(to + i, &x, sizeof x);
	}
	x = 0;
	memcpy(&x, from.p + i, from.n - i);
	x = lower_8(x);
	memcpy(to + i, &x, from.n - i);
}

uint32_t sightings_host(const struct sightings *s, struct view host)
{
	uint8_t low[256];
	uint32_t h;

	if (host.n == 0)
		return 0;
	host = view_first(host, sizeof low);
	lower(low, host);
	h = (uint32_t)hash_view(s->key, (struct view){ low, host.n });
	return h ? h : 1;
}

/* Each is asked for twice: to be fetched, and to be read. */
static size_t place_of(const struct sightings *s, uint64_t imsi)
{
	static _Thread_local struct {
		uint64_t id, imsi;
		size_t place;
	} last;

	if (last.id != s->id || last.imsi != imsi) {
		last.id = s->id;
		last.imsi = imsi;
		last.place = (size_t)hash_u64(s->key, imsi, 0) & (s->place_n - 1);
	}
	return last.place;
}

static void load(const struct place *p, size_t way, struct sighting *out)
{
	uint64_t w[WORDS];

	for (size_t i = 0; i < WORDS; i++)
		w[i] = atomic_load_explicit(&p->word[way][i], memory_order_relaxed);
	memcpy(out, w, sizeof w);
}

static void store(struct place *p, size_t way, const struct sighting *in)
{
	uint64_t w[WORDS];

	memcpy(w, in, sizeof w);
	atomic_store_explicit(&p->imsi[way], in->imsi, memory_order_relaxed);
	for (size_t i = 0; i < WORDS; i++)
		atomic_store_explicit(&p->word[way][i], w[i], memory_order_relaxed);
}

static uint64_t imsi_at(const struct place *p, size_t way)
{
	return atomic_load_explicit(&p->imsi[way], memory_order_relaxed);
}

static bool unchanged(const struct place *p, uint64_t seq)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&p->seq, memory_order_relaxed) == seq;
}

bool sightings_find(const struct sightings *s, uint64_t imsi, struct sighting *out)
{
	const struct place *p = &s->place[place_of(s, imsi)];

	for (size_t try = 0; imsi != 0 && try < TRIES; try++) {
		uint64_t seq = atomic_load_explicit(&p->seq, memory_order_acquire);
		size_t way = 0;

		if (seq & 1)
			continue;
		while (way < WAYS && imsi_at(p, way) != imsi)
			way++;
		if (way < WAYS)
			load(p, way, out);
		if (unchanged(p, seq))
			return way < WAYS;
	}
	return false;
}

void sightings_fetch(const struct sightings *s, uint64_t imsi)
{
	__builtin_prefetch(&s->place[place_of(s, imsi)]);
}

static bool lock(struct place *p)
{
	for (size_t try = 0; try < TRIES; try++) {
		uint64_t seq = atomic_load_explicit(&p->seq, memory_order_relaxed);

		if ((seq & 1) == 0 && atomic_compare_exchange_weak(&p->seq, &seq, seq + 1)) {
			atomic_thread_fence(memory_order_release);
			return true;
		}
	}
	return false;
}

static void unlock(struct place *p)
{
	uint64_t seq = atomic_load_explicit(&p->seq, memory_order_relaxed);

	atomic_store_explicit(&p->seq, seq + 1, memory_order_release);
}

/* The IMSI's way, else an empty one, else the one untouched for longest. */
static size_t way_for(const struct place *p, uint64_t imsi)
{
	size_t best = 0;
	uint32_t oldest = UINT32_MAX;

	for (size_t way = 0; way < WAYS; way++) {
		if (imsi_at(p, way) == imsi)
			return way;
	}
	for (size_t way = 0; way < WAYS; way++) {
		struct sighting at;

		load(p, way, &at);
		if (at.imsi == 0)
			at.touched_s = 0;
		if (at.touched_s < oldest) {
			oldest = at.touched_s;
			best = way;
		}
	}
	return best;
}

bool sightings_edit(struct sightings *s, uint64_t imsi, uint64_t now_ms,
		    void (*edit)(struct sighting *, const void *), const void *ctx)
{
	struct place *p = &s->place[place_of(s, imsi)];
	struct sighting at;
	size_t way;

	if (imsi == 0 || !lock(p))
		return false;
	way = way_for(p, imsi);
	load(p, way, &at);
	if (at.imsi != imsi)
		at = (struct sighting){ .imsi = imsi };
	edit(&at, ctx);
	at.imsi = imsi;
	at.touched_s = (uint32_t)(now_ms / 1000);
	store(p, way, &at);
	unlock(p);
	return true;
}

size_t sightings_size(const struct sightings *s)
{
	return HEAD + s->place_n * WAYS * sizeof(struct sighting) + TAIL;
}

/* Copy one place whole; false if it would not hold still. */
static bool snap(const struct place *p, struct sighting out[WAYS])
{
	for (size_t try = 0; try < TRIES; try++) {
		uint64_t seq = atomic_load_explicit(&p->seq, memory_order_acquire);

		if (seq & 1)
			continue;
		for (size_t way = 0; way < WAYS; way++)
			load(p, way, &out[way]);
		if (unchanged(p, seq))
			return true;
	}
	return false;
}

enum err sightings_save(const struct sightings *s, struct wr *w)
{
	size_t start = w->n, n = 0;

	wr_be(w, MAGIC, 8);
	wr_be(w, 0, 8);
	for (size_t i = 0; i < s->place_n; i++) {
		struct sighting at[WAYS];

		if (!snap(&s->place[i], at))
			continue;
		for (size_t way = 0; way < WAYS; way++) {
			if (at[way].imsi == 0)
				continue;
			wr_view(w, (struct view){ (const uint8_t *)&at[way], sizeof at[way] });
			n++;
		}
	}
	if (w->err)
		return w->err;
	wr_at(w, start + 8, n, 8);
	wr_be(w, hash_view(s->key, (struct view){ w->p + start, w->n - start }), 8);
	return w->err;
}

static void replace(struct sighting *at, const void *ctx)
{
	*at = *(const struct sighting *)ctx;
}

enum err sightings_load(struct sightings *s, struct view snapshot)
{
	struct rd r = { .left = snapshot }, tail;
	uint64_t magic, n;

	if (snapshot.n < HEAD + TAIL)
		return ERR_CORRUPT;
	tail.left = (struct view){ snapshot.p + snapshot.n - TAIL, TAIL };
	tail.err = ERR_OK;
	r.left.n -= TAIL;
	if (rd_be64(&tail, 8) != hash_view(s->key, r.left))
		return ERR_CORRUPT;
	magic = rd_be64(&r, 8);
	n = rd_be64(&r, 8);
	if (magic != MAGIC || r.left.n % sizeof(struct sighting) || r.left.n / sizeof(struct sighting) != n)
		return ERR_CORRUPT;
	while (r.left.n > 0) {
		struct view v = rd_take(&r, sizeof(struct sighting));
		struct sighting at;

		memcpy(&at, v.p, sizeof at);
		(void)sightings_edit(s, at.imsi, (uint64_t)at.touched_s * 1000, replace, &at);
	}
	return r.err;
}
