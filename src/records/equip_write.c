/* Writing a generation: bitmap after bitmap as they are made, then the rows, the index, the head. */
#include "records/equip_in.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#define OUT_BYTES ((size_t)4 << 20)
#define MAP_BYTES ((size_t)256 << 10) /* above what any bitmap of 1,000,000 takes */

struct writing {
	int fd;
	uint64_t at;	   /* where the next bitmap goes */
	uint8_t *out, *map; /* what waits to be written; one bitmap */
	size_t out_n;
	crypto_generichash_state hash;
	struct equip_head head;
	struct equip_tac *row;
	uint32_t *index;
};

static enum err write_at(int fd, uint64_t at, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	while (n > 0) {
		ssize_t done = pwrite(fd, p, n, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return ERR_IO;
		p += done;
		at += (uint64_t)done;
		n -= (size_t)done;
	}
	return ERR_OK;
}

static enum err flush(struct writing *w)
{
	enum err err = write_at(w->fd, w->at - w->out_n, w->out, w->out_n);

	crypto_generichash_update(&w->hash, w->out, w->out_n);
	w->out_n = 0;
	return err;
}

/* One bitmap, and zeros up to where the next begins. */
static enum err put_map(struct writing *w, struct view v, struct equip_map *to)
{
	size_t n = (v.n + EQUIP_UNIT - 1) / EQUIP_UNIT * EQUIP_UNIT;
	enum err err = ERR_OK;

	if (v.n == 0)
		return ERR_OK;
	if (w->at / EQUIP_UNIT > UINT32_MAX || n > OUT_BYTES)
		return ERR_FULL;
	if (w->out_n + n > OUT_BYTES)
		err = flush(w);
	*to = (struct equip_map){ (uint32_t)(w->at / EQUIP_UNIT), (uint32_t)v.n };
	memcpy(w->out + w->out_n, v.p, v.n);
	memset(w->out + w->out_n + v.n, 0, n - v.n);
	w->out_n += n;
	w->at += n;
	return err;
}

static enum err put_bitmap(struct writing *w, roaring_bitmap_t *b, struct equip_tac *row,
			   unsigned int list)
{
	uint64_t n = roaring_bitmap_get_cardinality(b);
	size_t bytes;

	if (n == EQUIP_SERIALS) {
		row->whole |= (uint8_t)(1u << list);
		w->head.whole[list]++;
		return ERR_OK;
	}
	w->head.single[list] += n;
	if (n == 0)
		return ERR_OK;
	roaring_bitmap_run_optimize(b);
	bytes = roaring_bitmap_frozen_size_in_bytes(b);
	if (bytes > MAP_BYTES)
		return ERR_FULL;
	roaring_bitmap_frozen_serialize(b, (char *)w->map);
	return put_map(w, (struct view){ w->map, bytes }, &row->list[list]);
}

/* As it was: the bytes themselves. */
static enum err put_old(struct writing *w, const struct equip_set *base,
			const struct equip_walk *walk, struct equip_tac *row, unsigned int list)
{
	roaring_bitmap_t *old;

	if (!walk->at_row)
		return ERR_OK;
	if (walk->at_row->whole >> list & 1) {
		row->whole |= (uint8_t)(1u << list);
		w->head.whole[list]++;
	}
	if (walk->at_row->list[list].n == 0)
		return ERR_OK;
	old = equip_before(base, walk, list);
	if (!old)
		return ERR_FULL;
	w->head.single[list] += roaring_bitmap_get_cardinality(old);
	roaring_bitmap_free(old);
	return put_map(w, equip_map_of(base, walk->at_row, list), &row->list[list]);
}

static enum err put_list(struct writing *w, struct equip_make *m, const struct equip_set *base,
			 const struct equip_walk *walk, struct equip_tac *row, unsigned int list)
{
	roaring_bitmap_t *old, *now;
	enum err err;

	if (!equip_touched(m, walk, list))
		return put_old(w, base, walk, row, list);
	old = equip_before(base, walk, list);
	now = old ? equip_after(m, walk, old, list) : NULL;
	err = now ? put_bitmap(w, now, row, list) : ERR_FULL;
	if (old)
		roaring_bitmap_free(old);
	if (now)
		roaring_bitmap_free(now);
	return err;
}

/* What was written of a TAC is not needed again: 100 million entries are many bitmaps. */
static void used_up(struct equip_node *n)
{
	for (unsigned int l = 0; n && l < EQUIP_LISTS; l++) {
		if (n->on[l])
			roaring_bitmap_free(n->on[l]);
		if (n->off[l])
			roaring_bitmap_free(n->off[l]);
		n->on[l] = n->off[l] = NULL;
	}
}

static enum err put_tac(struct writing *w, struct equip_make *m, const struct equip_set *base,
			const struct equip_walk *walk)
{
	struct equip_tac row = { .tac = walk->tac };
	enum err err = ERR_OK;

	for (unsigned int l = 0; l < EQUIP_LISTS && !err; l++)
		err = put_list(w, m, base, walk, &row, l);
	used_up(walk->at_node);
	if (err || !(row.whole || row.list[0].n || row.list[1].n || row.list[2].n))
		return err;
	w->row[w->head.tac_n++] = row;
	return ERR_OK;
}

static enum err begin(struct writing *w, size_t row_max)
{
	w->row = calloc(row_max + 1, sizeof *w->row);
	w->index = calloc(EQUIP_PREFIX + 1, sizeof *w->index);
	w->out = malloc(OUT_BYTES);
	w->map = aligned_alloc(EQUIP_UNIT, MAP_BYTES);
	w->head.magic = EQUIP_MAGIC;
	w->head.format = EQUIP_FORMAT;
	w->head.index_at = sizeof w->head;
	w->head.rows_at = (sizeof w->head + (EQUIP_PREFIX + 1) * sizeof *w->index + EQUIP_UNIT - 1) /
			  EQUIP_UNIT * EQUIP_UNIT;
	crypto_generichash_init(&w->hash, NULL, 0, EQUIP_DIGEST);
	return w->row && w->index && w->out && w->map ? ERR_OK : ERR_FULL;
}

static void fill_index(struct writing *w)
{
	uint32_t at = 0;

	for (uint32_t prefix = 0; prefix <= EQUIP_PREFIX; prefix++) {
		while (at < w->head.tac_n && w->row[at].tac / 1000 < prefix)
			at++;
		w->index[prefix] = at;
	}
}

/* All before the bitmaps, which begin where count_rows said. */
static enum err finish(struct writing *w)
{
	size_t index_n = (EQUIP_PREFIX + 1) * sizeof *w->index, gap, rows_n;
	uint8_t pad[EQUIP_UNIT] = { 0 };
	enum err err = flush(w);

	rows_n = w->head.tac_n * sizeof *w->row;
	gap = (size_t)(w->head.rows_at - w->head.index_at) - index_n;
	w->head.bytes = w->at;
	fill_index(w);
	crypto_generichash_update(&w->hash, (const uint8_t *)&w->head, sizeof w->head);
	crypto_generichash_update(&w->hash, (const uint8_t *)w->index, index_n);
	crypto_generichash_update(&w->hash, pad, gap);
	crypto_generichash_update(&w->hash, (const uint8_t *)w->row, rows_n);
	crypto_generichash_final(&w->hash, w->head.digest, sizeof w->head.digest);
	if (!err)
		err = write_at(w->fd, 0, &w->head, sizeof w->head);
	if (!err)
		err = write_at(w->fd, w->head.index_at, w->index, index_n);
	if (!err)
		err = write_at(w->fd, w->head.index_at + index_n, pad, gap);
	if (!err)
		err = write_at(w->fd, w->head.rows_at, w->row, rows_n);
	return err;
}

/* How many TACs will have an entry; exact, since it is where the bitmaps begin. */
static enum err count_rows(struct equip_make *m, const struct equip_set *base, size_t *n)
{
	struct equip_walk w;

	*n = 0;
	equip_walk_begin(&w, m, base);
	while (equip_walk_step(&w)) {
		bool any = false;

		for (unsigned int l = 0; l < EQUIP_LISTS && !any; l++) {
			roaring_bitmap_t *old, *now;

			if (!equip_touched(m, &w, l)) {
				any = w.at_row && (w.at_row->list[l].n || (w.at_row->whole >> l & 1));
				continue;
			}
			old = equip_before(base, &w, l);
			now = old ? equip_after(m, &w, old, l) : NULL;
			any = now && !roaring_bitmap_is_empty(now);
			if (old)
				roaring_bitmap_free(old);
			if (!now)
				return ERR_FULL;
			roaring_bitmap_free(now);
		}
		*n += any;
	}
	return ERR_OK;
}

enum err equip_make_write(struct equip_make *m, const struct equip_set *base, int fd,
			  uint64_t generation, struct equip_head *head)
{
	struct writing w = { .fd = fd };
	struct equip_walk walk;
	size_t rows = 0;
	enum err err = count_rows(m, base, &rows);

	if (!err)
		err = begin(&w, rows);
	w.head.generation = generation;
	w.head.maps_at = w.at = w.head.rows_at + rows * sizeof *w.row;
	equip_walk_begin(&walk, m, base);
	while (!err && equip_walk_step(&walk))
		err = put_tac(&w, m, base, &walk);
	if (!err && w.head.tac_n != rows)
		err = ERR_CORRUPT;
	if (!err)
		err = finish(&w);
	if (!err && fsync(fd) != 0)
		err = ERR_IO;
	*head = w.head;
	free(w.row);
	free(w.index);
	free(w.out);
	free(w.map);
	return err;
}
