#include "node/sccp_join.h"

#include "node/map_inside.h"

#include <stdlib.h>

struct piece {
	uint64_t key;     /* of who sends, to whom, and its reference; 0: free */
	uint64_t began_ms;
	uint8_t left;     /* segments that follow */
	size_t n;
	uint8_t data[JOIN_BYTES];
};

struct sccp_join {
	uint8_t key[HASH_KEY];
	size_t n;
	struct piece piece[];
};

struct sccp_join *sccp_join_new(size_t n, const uint8_t key[HASH_KEY])
{
	struct sccp_join *j = n > 0 ? calloc(1, sizeof *j + n * sizeof *j->piece) : NULL;

	if (!j)
		return NULL;
	j->n = n;
	memcpy(j->key, key, HASH_KEY);
	return j;
}

void sccp_join_free(struct sccp_join *j)
{
	free(j);
}

static uint64_t key_of(const struct sccp_join *j, const struct msg *m, uint32_t reference)
{
	uint64_t ends = hash_u64(j->key, hash_view(j->key, tab_get(m, SCCP_CALLING)),
				 hash_view(j->key, tab_get(m, SCCP_CALLED)));
	uint64_t key = hash_u64(j->key, ends, reference);

	return key ? key : 1;
}

/* The message of this key, or NULL; what waits too long is forgotten on the way. */
static struct piece *find(struct sccp_join *j, uint64_t key, uint64_t now_ms)
{
	struct piece *found = NULL;

	for (size_t i = 0; i < j->n; i++) {
		struct piece *p = &j->piece[i];

		if (p->key != 0 && map_aged(p->began_ms, now_ms, JOIN_MS))
			p->key = 0;
		if (p->key == key)
			found = p;
	}
	return found;
}

static struct piece *room(struct sccp_join *j)
{
	struct piece *oldest = j->piece;

	for (size_t i = 0; i < j->n; i++) {
		if (j->piece[i].key == 0)
			return &j->piece[i];
		if (j->piece[i].began_ms < oldest->began_ms)
			oldest = &j->piece[i];
	}
	return oldest;
}

static struct joined add(struct piece *p, struct view data)
{
	if (data.n > sizeof p->data - p->n) {
		p->key = 0;
		return (struct joined){ .state = JOIN_BROKEN, .split = true };
	}
	if (data.n > 0)
		memcpy(p->data + p->n, data.p, data.n);
	p->n += data.n;
	if (p->left > 0)
		return (struct joined){ .state = JOIN_WAITS, .split = true };
	p->key = 0;
	return (struct joined){ JOIN_WHOLE, true, { p->data, p->n } };
}

struct joined sccp_join_take(struct sccp_join *j, const struct msg *m, uint64_t now_ms)
{
	struct view how = tab_get(m, SCCP_SEGMENT), data = tab_get(m, SCCP_DATA);
	struct sccp_segment s = sccp_segment(how);
	struct piece *p;
	uint64_t key;

	if (how.n == 0 || (s.first && s.left == 0))
		return (struct joined){ .state = JOIN_WHOLE, .data = data };
	key = key_of(j, m, s.reference);
	p = find(j, key, now_ms);
	if (s.first) {
		p = p ? p : room(j);
		p->key = key;
		p->began_ms = now_ms;
		p->left = s.left;
		p->n = 0;
		return add(p, data);
	}
	if (!p || s.left + 1 != p->left) {
		if (p)
			p->key = 0;
		return (struct joined){ .state = JOIN_BROKEN, .split = true };
	}
	p->left = s.left;
	return add(p, data);
}
