/* Changes of the session table: under one lock, and under the sequences that readers check. */
#include "inspect/session_in.h"

#define ALIVE_S 60 /* who was seen so lately is not put out to make room */
#define LOOKS   32 /* rows that are looked at for one to put out */

static void lock(struct sessions *s)
{
	pthread_mutex_lock(&s->writing);
	atomic_store(&s->busy, 1);
}

static void unlock(struct sessions *s)
{
	atomic_store(&s->busy, 0);
	pthread_mutex_unlock(&s->writing);
}

static void begin(_Atomic uint32_t *seq)
{
	atomic_store_explicit(seq, atomic_load_explicit(seq, memory_order_relaxed) + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static void end(_Atomic uint32_t *seq)
{
	atomic_store_explicit(seq, atomic_load_explicit(seq, memory_order_relaxed) + 1, memory_order_release);
}

static void store(struct row *r, const struct session *is)
{
	uint64_t w[ROW_WORDS];

	memcpy(w, is, sizeof w);
	begin(&r->seq);
	for (size_t i = 0; i < ROW_WORDS; i++)
		atomic_store_explicit(&r->word[i], w[i], memory_order_relaxed);
	end(&r->seq);
}

/* --- cells ------------------------------------------------------------------------------------------- */

static uint64_t word(const struct key_cell *c, size_t i)
{
	return atomic_load_explicit(&c->word[i], memory_order_relaxed);
}

static uint32_t next_of(const struct key_cell *c)
{
	return atomic_load_explicit(&c->next, memory_order_relaxed);
}

static struct key key_of(const struct key_cell *c)
{
	return (struct key){ word(c, 0) & WHAT_MASK, word(c, 2), word(c, 3) };
}

/* Out of its chain; its session still holds it. */
static void unchain(struct sessions *s, uint32_t at)
{
	struct key k = key_of(&s->cell[at]);
	uint32_t bucket = session_bucket(s, &k);
	_Atomic uint32_t *stripe = &s->stripe[bucket % STRIPES], *link = &s->head[bucket];

	begin(stripe);
	while (atomic_load_explicit(link, memory_order_relaxed) != at &&
	       atomic_load_explicit(link, memory_order_relaxed) != 0)
		link = &s->cell[atomic_load_explicit(link, memory_order_relaxed)].next;
	if (atomic_load_explicit(link, memory_order_relaxed) == at)
		atomic_store_explicit(link, next_of(&s->cell[at]), memory_order_relaxed);
	end(stripe);
}

static void drop_cell(struct sessions *s, uint32_t *sister)
{
	uint32_t at = *sister;

	*sister = s->cell[at].sister;
	unchain(s, at);
	atomic_store_explicit(&s->cell[at].next, s->free_cell, memory_order_relaxed);
	s->free_cell = at;
}

static uint32_t new_cell(struct sessions *s)
{
	uint32_t at = s->free_cell;

	if (at != 0)
		s->free_cell = next_of(&s->cell[at]);
	else if (s->fresh_cell <= s->cell_n)
		at = s->fresh_cell++;
	return at;
}

static uint32_t find(const struct sessions *s, const struct key *k)
{
	uint32_t at = atomic_load_explicit(&s->head[session_bucket(s, k)], memory_order_relaxed);

	while (at != 0) {
		struct key is = key_of(&s->cell[at]);

		if (is.what == k->what && is.high == k->high && is.low == k->low)
			return at;
		at = next_of(&s->cell[at]);
	}
	return 0;
}

static void take_from(struct sessions *s, uint32_t cell)
{
	uint32_t *sister = &s->row[word(&s->cell[cell], 1) >> 32].keys;

	while (*sister != 0 && *sister != cell)
		sister = &s->cell[*sister].sister;
	if (*sister == cell)
		drop_cell(s, sister);
}

static void put_cell(struct sessions *s, uint32_t id, const struct key *k, uint32_t how)
{
	uint32_t held = find(s, k), at, bucket = session_bucket(s, k);
	struct session is;

	if (held != 0)
		take_from(s, held);
	at = new_cell(s);
	if (at == 0)
		return;
	session_load(&s->row[id], &is);
	begin(&s->stripe[bucket % STRIPES]);
	atomic_store_explicit(&s->cell[at].word[0], k->what | how, memory_order_relaxed);
	atomic_store_explicit(&s->cell[at].word[1], (uint64_t)id << 32 | is.life, memory_order_relaxed);
	atomic_store_explicit(&s->cell[at].word[2], k->high, memory_order_relaxed);
	atomic_store_explicit(&s->cell[at].word[3], k->low, memory_order_relaxed);
	atomic_store_explicit(&s->cell[at].next, atomic_load(&s->head[bucket]), memory_order_relaxed);
	atomic_store_explicit(&s->head[bucket], at, memory_order_relaxed);
	end(&s->stripe[bucket % STRIPES]);
	s->cell[at].sister = s->row[id].keys;
	s->row[id].keys = at;
}

/* --- nodes ------------------------------------------------------------------------------------------- */

static void hold(struct sessions *s, uint16_t node, uint16_t *life)
{
	*life = 0;
	if (node == 0 || node >= NODES)
		return;
	s->node[node].held++;
	*life = atomic_load(&s->node_life[node]);
}

static void let_go(struct sessions *s, uint16_t node)
{
	if (node != 0 && node < NODES && s->node[node].held > 0)
		s->node[node].held--;
}

static uint16_t place_for(const struct sessions *s, const uint8_t address[16])
{
	uint64_t at = hash_view(s->hash_key, (struct view){ address, 16 });
	uint16_t best = 0;

	for (size_t i = 0; i < LOOKS; i++) {
		uint16_t n = (uint16_t)(1 + (at + i) % (NODES - 1));
		const struct node *x = &s->node[n];

		if (x->used && memcmp(x->address, address, 16) == 0)
			return n;
		if (x->held == 0 && (best == 0 || !x->used ||
				     (s->node[best].used && x->seen_s < s->node[best].seen_s)))
			best = n;
	}
	return best;
}

uint16_t sessions_node(struct sessions *s, struct view address, uint32_t now_s)
{
	struct key k = session_key(PLANE_CONTROL, address, 0);
	uint8_t octets[16];
	struct wr w = { .p = octets, .cap = sizeof octets };
	struct node *x;
	uint16_t n;

	wr_be(&w, k.high, 8);
	wr_be(&w, k.low, 8);
	lock(s);
	n = place_for(s, octets);
	x = &s->node[n];
	if (n != 0 && (!x->used || memcmp(x->address, octets, 16) != 0)) {
		*x = (struct node){ .used = true };
		memcpy(x->address, octets, 16);
		atomic_fetch_add(&s->node_life[n], 1);
	}
	x->seen_s = now_s;
	unlock(s);
	return n;
}

bool sessions_restart(struct sessions *s, uint16_t node, uint8_t counter)
{
	struct node *x = &s->node[node < NODES ? node : 0];
	uint8_t ahead;
	bool again;

	if (node == 0 || node >= NODES)
		return false;
	lock(s);
	ahead = (uint8_t)(counter - x->counter);
	again = x->counted && ahead > 0 && ahead < 128;
	if (!x->counted || again) {
		x->counter = counter;
		x->counted = true;
	}
	if (again)
		atomic_fetch_add(&s->node_life[node], 1);
	unlock(s);
	return again;
}

/* --- sessions ---------------------------------------------------------------------------------------- */

static uint32_t *sim_head(struct sessions *s, uint64_t imsi)
{
	return &s->sims[hash_u64(s->hash_key, imsi, 1) & s->mask];
}

static void close_row(struct sessions *s, uint32_t id)
{
	struct row *r = &s->row[id];
	struct session is;
	uint32_t *link;

	if (!r->used)
		return;
	session_load(r, &is);
	link = sim_head(s, is.imsi);
	while (*link != 0 && *link != id + 1)
		link = &s->row[*link - 1].next_of_sim;
	if (*link != 0)
		*link = r->next_of_sim;
	while (r->keys != 0)
		drop_cell(s, &r->keys);
	let_go(s, is.near);
	let_go(s, is.far);
	/* The life stays, for the next of this id to go on from. */
	store(r, &(struct session){ .spare = 1, .born_s = is.life });
	r->used = false;
	r->next_of_sim = s->free_row;
	s->free_row = id + 1;
	atomic_fetch_sub(&s->n, 1);
}

static bool is_over(const struct sessions *s, uint32_t id, uint32_t idle_s, uint32_t now_s)
{
	const struct row *r = &s->row[id];
	uint32_t seen_s = atomic_load_explicit(&r->seen_s, memory_order_relaxed);
	struct session is;

	session_load(r, &is);
	return !session_lives(s, &is) || (idle_s != 0 && now_s > seen_s && now_s - seen_s > idle_s);
}

/* Some rows further each time, so that all are looked at in their turn. Returns the one seen least lately
 * of those that live, or max. */
static uint32_t look_around(struct sessions *s, uint32_t now_s, size_t n)
{
	uint32_t oldest = s->max, seen, least = UINT32_MAX;

	for (size_t i = 0; i < n && s->fresh_row > 0; i++) {
		s->hand = s->hand + 1 < s->fresh_row ? s->hand + 1 : 0;
		if (!s->row[s->hand].used)
			continue;
		if (is_over(s, s->hand, s->idle_s, now_s)) {
			close_row(s, s->hand);
			continue;
		}
		seen = atomic_load_explicit(&s->row[s->hand].seen_s, memory_order_relaxed);
		if (seen < least) {
			least = seen;
			oldest = s->hand;
		}
	}
	return oldest;
}

void sessions_sweep(struct sessions *s, uint32_t now_s, size_t n)
{
	lock(s);
	(void)look_around(s, now_s, n);
	unlock(s);
}

/* A free row, else the one that was silent longest of some; max: none. */
static uint32_t new_row(struct sessions *s, uint32_t now_s)
{
	uint32_t id = s->max;

	if (s->free_row == 0 && s->fresh_row == s->max) {
		uint32_t oldest = look_around(s, now_s, LOOKS);

		if (s->free_row == 0 && oldest < s->max && is_over(s, oldest, ALIVE_S, now_s))
			close_row(s, oldest);
	}
	if (s->free_row != 0) {
		id = s->free_row - 1;
		s->free_row = s->row[id].next_of_sim;
	} else if (s->fresh_row < s->max) {
		id = s->fresh_row++;
	}
	return id;
}

static void put_devices(struct sessions *s, uint32_t id, const struct session *is)
{
	struct key k;

	if (is->has4) {
		k = session_key(PLANE_DEVICE, (struct view){ is->ue4, sizeof is->ue4 }, 0);
		put_cell(s, id, &k, 0);
	}
	if (is->has6) {
		k = session_key(PLANE_DEVICE, (struct view){ is->ue6, sizeof is->ue6 }, 0);
		put_cell(s, id, &k, 0);
	}
}

enum err sessions_open(struct sessions *s, struct session *is, struct view apn, uint32_t now_s)
{
	struct session was;
	struct row *r;
	uint32_t id;

	lock(s);
	id = new_row(s, now_s);
	if (id == s->max) {
		unlock(s);
		return ERR_FULL;
	}
	r = &s->row[id];
	session_load(r, &was);
	is->id = id;
	is->life = was.spare == 1 ? was.born_s + 1 : 1;
	is->life += is->life == 0;
	is->born_s = now_s;
	is->spare = 0;
	hold(s, is->near, &is->near_life);
	hold(s, is->far, &is->far_life);
	store(r, is);
	(void)view_text(view_first(apn, SESSION_APN - 1), r->apn, sizeof r->apn);
	atomic_store(&r->seen_s, now_s);
	r->used = true;
	r->keys = 0;
	r->next_of_sim = *sim_head(s, is->imsi);
	*sim_head(s, is->imsi) = id + 1;
	put_devices(s, id, is);
	atomic_fetch_add(&s->n, 1);
	unlock(s);
	return ERR_OK;
}

void sessions_change(struct sessions *s, const struct session *to)
{
	struct session is = *to, was;

	if (to->id >= s->max)
		return;
	lock(s);
	session_load(&s->row[to->id], &was);
	if (was.life == to->life && s->row[to->id].used) {
		let_go(s, was.near);
		let_go(s, was.far);
		hold(s, is.near, &is.near_life);
		hold(s, is.far, &is.far_life);
		store(&s->row[to->id], &is);
		put_devices(s, to->id, &is);
	}
	unlock(s);
}

void sessions_end_at(struct sessions *s, uint32_t id, const struct session_end *at)
{
	struct key k = session_key(at->plane, at->address, at->teid);
	uint32_t *sister;

	if (id >= s->max)
		return;
	lock(s);
	for (sister = &s->row[id].keys; *sister != 0;) {
		uint64_t w = word(&s->cell[*sister], 0);

		if ((w >> 24 & 0xff) == (uint64_t)at->plane && (w >> 16 & 1) == (uint64_t)(at->up != 0) &&
		    (w >> 8 & 0xff) == at->ebi)
			drop_cell(s, sister);
		else
			sister = &s->cell[*sister].sister;
	}
	if (s->row[id].used)
		put_cell(s, id, &k, (uint32_t)(at->up != 0) << 16 | (uint32_t)at->ebi << 8 | at->qci);
	unlock(s);
}

void sessions_close(struct sessions *s, uint32_t id)
{
	lock(s);
	if (id < s->max)
		close_row(s, id);
	unlock(s);
}

void sessions_close_bearer(struct sessions *s, uint32_t id, uint8_t ebi)
{
	uint32_t *sister;

	if (id >= s->max)
		return;
	lock(s);
	for (sister = &s->row[id].keys; *sister != 0;) {
		uint64_t w = word(&s->cell[*sister], 0);

		if ((w >> 24 & 0xff) == PLANE_USER && (w >> 8 & 0xff) == ebi)
			drop_cell(s, sister);
		else
			sister = &s->cell[*sister].sister;
	}
	unlock(s);
}

size_t sessions_of_sim(struct sessions *s, uint64_t imsi, uint32_t *id, size_t max)
{
	struct session is;
	size_t n = 0;

	lock(s);
	for (uint32_t at = *sim_head(s, imsi); at != 0; at = s->row[at - 1].next_of_sim) {
		session_load(&s->row[at - 1], &is);
		if (is.imsi != imsi || !session_lives(s, &is))
			continue;
		if (n < max)
			id[n] = at - 1;
		n++;
	}
	unlock(s);
	return n;
}
