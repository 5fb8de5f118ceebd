/* What readers do, and the memory. Changes: session_write.c. */
#include "inspect/session_in.h"

#include "base/big.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define TRIES     64
#define CHAIN_MAX 64 /* cells that a reader follows: a chain that is being changed may go in a ring */
#define MAX_MAX   (1u << 24)
#define MAGIC     0x314e4f495353454dull

static size_t rounded(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

static void lay_out(struct sessions *s, uint8_t *at)
{
	s->row = (struct row *)(void *)at;
	at += rounded(s->max * sizeof *s->row);
	s->cell = (struct key_cell *)(void *)at;
	at += rounded((s->cell_n + 1) * sizeof *s->cell);
	s->head = (_Atomic uint32_t *)(void *)at;
	at += rounded((s->mask + 1) * sizeof *s->head);
	s->sims = (uint32_t *)(void *)at;
}

static uint32_t heads_for(size_t max)
{
	uint32_t heads = 1024;

	while (heads < max * SESSION_TUNNELS)
		heads *= 2;
	return heads;
}

static size_t bytes_for(size_t max)
{
	const struct sessions *s = NULL;
	size_t heads = heads_for(max);

	return rounded(sizeof *s) + rounded(max * sizeof *s->row) +
	       rounded((max * SESSION_TUNNELS + 1) * sizeof *s->cell) + rounded(heads * sizeof *s->head) +
	       rounded(heads * sizeof *s->sims);
}

static void set_up(struct sessions *s, size_t max, const uint8_t key[HASH_KEY])
{
	s->bytes = bytes_for(max);
	s->max = (uint32_t)max;
	s->cell_n = (uint32_t)max * SESSION_TUNNELS;
	s->mask = heads_for(max) - 1;
	s->fresh_cell = 1;
	memcpy(s->hash_key, key, HASH_KEY);
}

struct sessions *sessions_new(size_t max, uint32_t idle_s, const uint8_t key[HASH_KEY])
{
	struct sessions *s = max == 0 || max > MAX_MAX ? NULL : big_new(bytes_for(max));

	if (!s)
		return NULL;
	set_up(s, max, key);
	s->idle_s = idle_s;
	lay_out(s, (uint8_t *)s + rounded(sizeof *s));
	if (pthread_mutex_init(&s->writing, NULL) == 0)
		return s;
	big_free(s, s->bytes);
	return NULL;
}

/* What was left there counts if it is ours, of this size, and whole. */
static bool is_whole(const struct sessions *s, size_t max, uint64_t layout, const uint8_t key[HASH_KEY])
{
	return s->magic == MAGIC && s->layout == layout && s->max == max && s->bytes == bytes_for(max) &&
	       atomic_load(&s->busy) == 0 && memcmp(s->hash_key, key, HASH_KEY) == 0;
}

struct sessions *sessions_map(int fd, size_t max, uint32_t idle_s, const uint8_t key[HASH_KEY])
{
	uint64_t layout = sizeof(struct sessions) << 32 | sizeof(struct row) << 16 | sizeof(struct key_cell);
	struct sessions *s;
	size_t bytes;
	void *map;

	if (max == 0 || max > MAX_MAX)
		return NULL;
	bytes = bytes_for(max);
	if (ftruncate(fd, (off_t)bytes) != 0)
		return NULL;
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return NULL;
	s = map;
	if (!is_whole(s, max, layout, key)) {
		/* All of it now: a disk that is full later would end us in the middle of a packet. */
		if (ftruncate(fd, 0) != 0 || posix_fallocate(fd, 0, (off_t)bytes) != 0) {
			munmap(map, bytes);
			return NULL;
		}
		set_up(s, max, key);
		s->magic = MAGIC;
		s->layout = layout;
	}
	s->mapped = true;
	s->idle_s = idle_s;
	lay_out(s, (uint8_t *)s + rounded(sizeof *s));
	if (pthread_mutex_init(&s->writing, NULL) == 0)
		return s;
	munmap(map, bytes);
	return NULL;
}

void sessions_free(struct sessions *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->writing);
	if (s->mapped)
		munmap(s, s->bytes);
	else
		big_free(s, s->bytes);
}

uint32_t sessions_max(const struct sessions *s)
{
	return s->max;
}

size_t sessions_bytes(const struct sessions *s)
{
	return s->bytes;
}

size_t sessions_n(const struct sessions *s)
{
	return atomic_load_explicit(&s->n, memory_order_relaxed);
}

/* IPv4 as RFC 4291 maps it, so that both forms of it are one. A device's IPv6 is its prefix. */
struct key session_key(enum session_plane plane, struct view address, uint32_t teid)
{
	struct rd r = { .left = address };
	struct key k = { .what = WHAT(teid, plane) };

	if (address.n == 4) {
		k.low = 0xffff00000000u | rd_be(&r, 4);
	} else {
		k.high = rd_be64(&r, 8);
		k.low = rd_be64(&r, 8);
	}
	if (plane == PLANE_DEVICE && k.high != 0)
		k.low = 0;
	return k;
}

uint32_t session_bucket(const struct sessions *s, const struct key *k)
{
	uint64_t address = k->high == 0 ? k->low : hash_u64(s->hash_key, k->high, k->low);

	return (uint32_t)hash_u64(s->hash_key, k->what, address) & s->mask;
}

void session_load(const struct row *r, struct session *out)
{
	uint64_t w[ROW_WORDS];

	for (size_t i = 0; i < ROW_WORDS; i++)
		w[i] = atomic_load_explicit(&r->word[i], memory_order_relaxed);
	memcpy(out, w, sizeof w);
}

static bool unchanged(const _Atomic uint32_t *seq, uint32_t was)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(seq, memory_order_relaxed) == was;
}

static bool node_lives(const struct sessions *s, uint16_t node, uint16_t life)
{
	return node == 0 || node >= NODES ||
	       atomic_load_explicit(&s->node_life[node], memory_order_relaxed) == life;
}

bool session_lives(const struct sessions *s, const struct session *is)
{
	return node_lives(s, is->near, is->near_life) && node_lives(s, is->far, is->far_life);
}

bool sessions_get(const struct sessions *s, uint32_t id, uint32_t life, struct session *out)
{
	const struct row *r = &s->row[id < s->max ? id : 0];

	for (size_t try = 0; id < s->max && try < TRIES; try++) {
		uint32_t seq = atomic_load_explicit(&r->seq, memory_order_acquire);

		if (seq & 1)
			continue;
		session_load(r, out);
		if (unchanged(&r->seq, seq))
			return out->life == life && life != 0 && session_lives(s, out);
	}
	return false;
}

bool sessions_apn(const struct sessions *s, uint32_t id, uint32_t life, char apn[SESSION_APN])
{
	const struct row *r = &s->row[id < s->max ? id : 0];
	struct session is;
	uint32_t seq = atomic_load_explicit(&r->seq, memory_order_acquire);

	apn[0] = 0;
	if (!sessions_get(s, id, life, &is))
		return false;
	memcpy(apn, r->apn, SESSION_APN); /* written once in a life */
	apn[SESSION_APN - 1] = 0;
	return unchanged(&r->seq, seq) || sessions_get(s, id, life, &is);
}

/* The cell with this key: its words 0 and 1. */
static bool find(const struct sessions *s, const struct key *k, uint64_t *what, uint64_t *whose)
{
	uint32_t bucket = session_bucket(s, k);
	const _Atomic uint32_t *stripe = &s->stripe[bucket % STRIPES];

	for (size_t try = 0; try < TRIES; try++) {
		uint32_t seq = atomic_load_explicit(stripe, memory_order_acquire);
		uint32_t at = atomic_load_explicit(&s->head[bucket], memory_order_relaxed);
		bool found = false;

		if (seq & 1)
			continue;
		for (size_t n = 0; at != 0 && at <= s->cell_n && n < CHAIN_MAX && !found; n++) {
			const struct key_cell *c = &s->cell[at];

			*what = atomic_load_explicit(&c->word[0], memory_order_relaxed);
			*whose = atomic_load_explicit(&c->word[1], memory_order_relaxed);
			found = (*what & WHAT_MASK) == k->what &&
				atomic_load_explicit(&c->word[2], memory_order_relaxed) == k->high &&
				atomic_load_explicit(&c->word[3], memory_order_relaxed) == k->low;
			at = atomic_load_explicit(&c->next, memory_order_relaxed);
		}
		if (unchanged(stripe, seq))
			return found;
	}
	return false;
}

static bool take(struct sessions *s, uint64_t whose, uint32_t now_s, struct session *out)
{
	uint32_t id = (uint32_t)(whose >> 32);
	_Atomic uint32_t *seen_s;

	if (!sessions_get(s, id, (uint32_t)whose, out))
		return false;
	seen_s = &s->row[id].seen_s;
	if (atomic_load_explicit(seen_s, memory_order_relaxed) != now_s)
		atomic_store_explicit(seen_s, now_s, memory_order_relaxed);
	return true;
}

bool sessions_tunnel(struct sessions *s, enum session_plane plane, struct view address, uint32_t teid,
		     uint32_t now_s, struct session_hit *out)
{
	struct key k = session_key(plane, address, teid);
	uint64_t what, whose;

	if (!find(s, &k, &what, &whose) || !take(s, whose, now_s, &out->is))
		return false;
	out->up = what >> 16 & 1;
	out->ebi = (uint8_t)(what >> 8);
	out->qci = (uint8_t)what;
	return true;
}

bool sessions_look(const struct sessions *s, enum session_plane plane, struct view address, uint32_t teid,
		   struct session_hit *out, uint32_t *seen_s)
{
	struct key k = session_key(plane, address, teid);
	uint64_t what, whose;

	if (!find(s, &k, &what, &whose) ||
	    !sessions_get(s, (uint32_t)(whose >> 32), (uint32_t)whose, &out->is))
		return false;
	*seen_s = atomic_load_explicit(&s->row[out->is.id].seen_s, memory_order_relaxed);
	out->up = what >> 16 & 1;
	out->ebi = (uint8_t)(what >> 8);
	out->qci = (uint8_t)what;
	return true;
}

bool sessions_peek(const struct sessions *s, uint32_t id, struct session *out)
{
	if (id >= s->max)
		return false;
	session_load(&s->row[id], out);
	return sessions_get(s, id, out->life, out);
}

bool sessions_device(struct sessions *s, struct view address, uint32_t now_s, struct session *out)
{
	struct key k = session_key(PLANE_DEVICE, address, 0);
	uint64_t what, whose;

	return find(s, &k, &what, &whose) && take(s, whose, now_s, out);
}

void sessions_ahead(const struct sessions *s, enum session_plane plane, struct view address, uint32_t teid,
		    struct session_ahead *a)
{
	struct key k = session_key(plane, address, teid);

	a->bucket = session_bucket(s, &k);
	a->cell = 0;
	a->id = SESSION_NONE;
	__builtin_prefetch(&s->head[a->bucket]);
	__builtin_prefetch(&s->stripe[a->bucket % STRIPES]);
}

void sessions_ahead_cell(const struct sessions *s, struct session_ahead *a)
{
	a->cell = atomic_load_explicit(&s->head[a->bucket], memory_order_relaxed);
	if (a->cell <= s->cell_n)
		__builtin_prefetch(&s->cell[a->cell]);
}

/* The first of the chain: nearly always the one. */
void sessions_ahead_row(const struct sessions *s, struct session_ahead *a)
{
	uint64_t whose;

	if (a->cell == 0 || a->cell > s->cell_n)
		return;
	whose = atomic_load_explicit(&s->cell[a->cell].word[1], memory_order_relaxed) >> 32;
	if (whose >= s->max)
		return;
	a->id = (uint32_t)whose;
	for (size_t i = 0; i < sizeof(struct row); i += 64)
		__builtin_prefetch((const uint8_t *)&s->row[a->id] + i);
}
