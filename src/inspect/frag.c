#include "inspect/frag.h"

#include <stdlib.h>

#define DATAGRAM 65535
#define FRAMES (DATAGRAM + 4096)
#define PARTS_MAX 64
#define SOURCE_MAX 8   /* datagrams of one source at once: its oldest makes room */
#define WAIT_MS 3000
#define HEAD_MAX 512   /* IP header and extensions of the first part */

struct part {
	uint32_t frame_at, frame_n;
	uint32_t at, n; /* of what the IP header carries */
};

struct datagram {
	struct packet_flow flow;
	uint32_t id;
	bool used, bad, last_seen;
	uint64_t since_ms;
	uint32_t total, have;
	size_t part_n, frames_n, head_n;
	struct part part[PARTS_MAX];
	uint8_t head[HEAD_MAX];
	uint8_t frames[FRAMES];
	uint8_t body[DATAGRAM + 1];
};

struct frags {
	size_t n;
	uint8_t key[HASH_KEY];
	struct datagram *whole; /* the last one */
	uint8_t out[HEAD_MAX + DATAGRAM + 1];
	struct datagram d[];
};

struct frags *frags_new(size_t datagrams, const uint8_t key[HASH_KEY])
{
	struct frags *f = calloc(1, sizeof *f + datagrams * sizeof f->d[0]);

	if (f) {
		f->n = datagrams;
		memcpy(f->key, key, HASH_KEY);
	}
	return f;
}

void frags_free(struct frags *f)
{
	free(f);
}

static bool is_of(const struct datagram *d, const struct packet *p)
{
	return d->used && d->id == p->part_id && d->flow.protocol == p->flow.protocol &&
	       memcmp(d->flow.from, p->flow.from, ADDRESS_BYTES) == 0 &&
	       memcmp(d->flow.to, p->flow.to, ADDRESS_BYTES) == 0;
}

/* A free place; else that of the oldest of the same source, where that has its share; else of the oldest. */
static struct datagram *place(struct frags *f, const struct packet *p, uint64_t now_ms)
{
	struct datagram *free_one = NULL, *own = NULL, *oldest = &f->d[0];
	size_t of_source = 0;

	for (size_t i = 0; i < f->n; i++) {
		struct datagram *d = &f->d[i];

		if (d->used && now_ms - d->since_ms > WAIT_MS)
			d->used = false;
		if (!d->used) {
			free_one = free_one ? free_one : d;
			continue;
		}
		if (d->since_ms < oldest->since_ms || !oldest->used)
			oldest = d;
		if (memcmp(d->flow.from, p->flow.from, ADDRESS_BYTES) != 0)
			continue;
		of_source++;
		if (!own || d->since_ms < own->since_ms)
			own = d;
	}
	return of_source >= SOURCE_MAX ? own : free_one ? free_one : oldest;
}

static struct datagram *find(struct frags *f, const struct packet *p, uint64_t now_ms)
{
	struct datagram *d;

	for (size_t i = 0; i < f->n; i++) {
		if (is_of(&f->d[i], p) && now_ms - f->d[i].since_ms <= WAIT_MS)
			return &f->d[i];
	}
	d = place(f, p, now_ms);
	d->flow = p->flow;
	d->id = p->part_id;
	d->used = true;
	d->bad = d->last_seen = false;
	d->since_ms = now_ms;
	d->total = d->have = 0;
	d->part_n = d->frames_n = d->head_n = 0;
	return d;
}

enum { NEW, SAME, OVERLAPS };

static int compare(const struct datagram *d, const struct packet *p)
{
	uint32_t at = p->part_at, end = at + (uint32_t)p->transport.n;

	for (size_t i = 0; i < d->part_n; i++) {
		const struct part *x = &d->part[i];

		if (at == x->at && end == x->at + x->n && memcmp(d->body + at, p->transport.p, x->n) == 0)
			return SAME;
		if (at < x->at + x->n && x->at < end)
			return OVERLAPS;
	}
	return NEW;
}

/* The header that the whole will have: that of the first part, without what speaks of parts. */
static bool keep_head(struct datagram *d, const struct packet *p)
{
	size_t n = (size_t)(p->transport.p - p->ip.p), frag_at = 0;

	if (n > sizeof d->head)
		return false;
	memcpy(d->head, p->ip.p, n);
	if (p->flow.family == 4) {
		d->head[6] = d->head[7] = 0;
		d->head_n = n;
		return true;
	}
	if (n < 48)
		return false;
	/* The fragment header is the last of them: who pointed to it points to what it carries. */
	for (size_t at = 6, next = 40; next + 8 <= n && !frag_at;
	     next += ((size_t)d->head[next + 1] + 1) * 8) {
		if (d->head[at] == 44) {
			frag_at = next;
			d->head[at] = d->head[next];
		}
		at = next;
	}
	d->head_n = n - 8;
	return frag_at == n - 8;
}

static bool add(struct datagram *d, const struct packet *p)
{
	uint32_t end = p->part_at + (uint32_t)p->transport.n;
	bool last = !(p->notes & PACKET_MORE);

	if (d->part_n == PARTS_MAX || p->frame.n > FRAMES - d->frames_n || p->notes & PACKET_TINY ||
	    (last && d->last_seen) || (d->last_seen && end > d->total))
		return false;
	for (size_t i = 0; i < d->part_n && last; i++) {
		if (d->part[i].at + d->part[i].n > end)
			return false;
	}
	if (!(p->notes & PACKET_LATER) && !keep_head(d, p))
		return false;
	d->part[d->part_n++] = (struct part){ (uint32_t)d->frames_n, (uint32_t)p->frame.n, p->part_at,
					      (uint32_t)p->transport.n };
	memcpy(d->frames + d->frames_n, p->frame.p, p->frame.n);
	memcpy(d->body + p->part_at, p->transport.p, p->transport.n);
	d->frames_n += p->frame.n;
	d->have += (uint32_t)p->transport.n;
	if (last) {
		d->last_seen = true;
		d->total = end;
	}
	return true;
}

static bool put_whole(struct frags *f, struct datagram *d, struct view *whole)
{
	size_t n = d->head_n + d->total;

	if (d->head_n == 0 || n > DATAGRAM)
		return false;
	memcpy(f->out, d->head, d->head_n);
	memcpy(f->out + d->head_n, d->body, d->total);
	if (f->out[0] >> 4 == 4) {
		f->out[2] = (uint8_t)(n >> 8);
		f->out[3] = (uint8_t)n;
	} else {
		f->out[4] = (uint8_t)((n - 40) >> 8);
		f->out[5] = (uint8_t)(n - 40);
	}
	*whole = (struct view){ f->out, n };
	return true;
}

enum frag frags_take(struct frags *f, const struct packet *p, uint64_t now_ms, struct view *whole)
{
	struct datagram *d = find(f, p, now_ms);
	int same = d->bad ? OVERLAPS : compare(d, p);

	f->whole = NULL;
	if (same == SAME)
		return FRAG_WAIT;
	if (same == OVERLAPS || !add(d, p)) {
		d->bad = true; /* stays, so that its other parts meet it */
		return FRAG_BAD;
	}
	if (!d->last_seen || d->have != d->total)
		return FRAG_WAIT;
	d->used = false;
	if (!put_whole(f, d, whole))
		return FRAG_BAD;
	f->whole = d;
	return FRAG_WHOLE;
}

struct view frags_frame(const struct frags *f, size_t i)
{
	const struct datagram *d = f->whole;

	if (!d || i >= d->part_n)
		return (struct view){ 0 };
	return (struct view){ d->frames + d->part[i].frame_at, d->part[i].frame_n };
}
