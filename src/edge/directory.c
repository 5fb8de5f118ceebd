#include "edge/directory.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A seat is written under the lock and read under its own sequence: odd while it changes, so a
 * reader that saw the same even number before and after saw one whole seat. */
struct entry {
	_Atomic uint64_t seq, host, plmn, where;
};

struct directory {
	pthread_mutex_t lock;
	uint8_t key[HASH_KEY];
	size_t max;
	_Atomic size_t n; /* entries that were ever used: what a search looks at */
	struct entry entry[];
};

struct directory *directory_new(size_t seat_max)
{
	struct directory *d = calloc(1, sizeof *d + seat_max * sizeof *d->entry);

	if (!d)
		return NULL;
	pthread_mutex_init(&d->lock, NULL);
	d->max = seat_max;
	return d;
}

void directory_free(struct directory *d)
{
	if (d)
		pthread_mutex_destroy(&d->lock);
	free(d);
}

/* Host names compare without case (RFC 6733 §4.3.1); 0 marks an empty entry. */
static uint64_t host_hash(const struct directory *d, struct view host)
{
	uint8_t low[256];
	size_t n = host.n < sizeof low ? host.n : sizeof low;
	uint64_t h;

	for (size_t i = 0; i < n; i++)
		low[i] =
		    host.p[i] >= 'A' && host.p[i] <= 'Z' ? (uint8_t)(host.p[i] + 32) : host.p[i];
	h = hash_view(d->key, (struct view){low, n});
	return h ? h : 1;
}

static uint64_t packed(struct seat s)
{
	return (uint64_t)s.relay << 48 | (uint64_t)s.worker << 40 | (uint64_t)s.kind << 32 | s.conn;
}

static struct seat unpacked(uint64_t where)
{
	return (struct seat){
	    .worker = (uint8_t)(where >> 40),
	    .kind = (uint8_t)(where >> 32),
	    .relay = where >> 48 & 1,
	    .conn = (uint32_t)where,
	};
}

static void write_entry(struct entry *e, uint64_t host, uint64_t plmn, uint64_t where)
{
	atomic_fetch_add(&e->seq, 1);
	atomic_store(&e->host, host);
	atomic_store(&e->plmn, plmn);
	atomic_store(&e->where, where);
	atomic_fetch_add(&e->seq, 1);
}

static bool read_entry(const struct entry *e, uint64_t *host, uint64_t *plmn, uint64_t *where)
{
	uint64_t before = atomic_load(&e->seq);

	*host = atomic_load(&e->host);
	*plmn = atomic_load(&e->plmn);
	*where = atomic_load(&e->where);
	return before % 2 == 0 && atomic_load(&e->seq) == before;
}

static struct entry *locked_find(struct directory *d, uint64_t host)
{
	for (size_t i = 0; i < d->n; i++) {
		if (atomic_load(&d->entry[i].host) == host)
			return &d->entry[i];
	}
	return NULL;
}

bool directory_put(struct directory *d, struct view host, uint64_t plmn, struct seat seat)
{
	uint64_t h = host_hash(d, host);
	struct entry *e;
	bool ok = false;

	pthread_mutex_lock(&d->lock);
	if (!locked_find(d, h)) {
		e = locked_find(d, 0);
		if (!e && d->n < d->max)
			e = &d->entry[d->n++];
		if (e)
			write_entry(e, h, plmn, packed(seat));
		ok = e != NULL;
	}
	pthread_mutex_unlock(&d->lock);
	return ok;
}

void directory_remove(struct directory *d, struct view host, struct seat seat)
{
	struct entry *e;

	pthread_mutex_lock(&d->lock);
	e = locked_find(d, host_hash(d, host));
	if (e && atomic_load(&e->where) == packed(seat))
		write_entry(e, 0, 0, 0);
	pthread_mutex_unlock(&d->lock);
}

bool directory_find(const struct directory *d, struct view host, struct seat *seat)
{
	uint64_t want = host_hash(d, host), h, plmn, where;

	for (size_t i = 0, n = d->n; i < n; i++) {
		if (atomic_load_explicit(&d->entry[i].host, memory_order_relaxed) != want)
			continue;
		if (read_entry(&d->entry[i], &h, &plmn, &where) && h == want) {
			*seat = unpacked(where);
			return true;
		}
	}
	return false;
}

bool directory_of_network(const struct directory *d, uint64_t plmn, bool relay, uint32_t turn,
			  struct seat *seat)
{
	size_t n = d->n;

	for (size_t i = 0; i < n; i++) {
		uint64_t h, p, where;

		if (!read_entry(&d->entry[(i + turn) % n], &h, &p, &where) || !h || p != plmn)
			continue;
		*seat = unpacked(where);
		if (seat->relay || !relay)
			return true;
	}
	return false;
}
