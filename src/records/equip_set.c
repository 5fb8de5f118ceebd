/* Reading a generation of the bulk equipment lists into memory, and checking it. */
#include "records/equip_set_in.h"


#include "base/big.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static enum err fail(char why[256], enum err e, const char *text)
{
	snprintf(why, 256, "equipment lists: %s", text);
	return e;
}

const struct equip_head *equip_head(const struct equip_set *s)
{
	return s->head;
}

const struct equip_tac *equip_rows(const struct equip_set *s, size_t *n)
{
	*n = s->head->tac_n;
	return s->row;
}

struct view equip_map_of(const struct equip_set *s, const struct equip_tac *row, unsigned int list)
{
	const struct equip_map *m = &row->list[list];

	return m->n ? (struct view){ s->map + (size_t)m->at * EQUIP_UNIT, m->n } : (struct view){ 0 };
}

/* --- opening -------------------------------------------------------------------------------- */

static bool head_fits(const struct equip_head *h, size_t bytes)
{
	uint64_t rows_at = sizeof *h + sizeof(uint32_t) * (EQUIP_PREFIX + 1);

	rows_at = (rows_at + EQUIP_UNIT - 1) / EQUIP_UNIT * EQUIP_UNIT;
	return h->bytes == bytes && h->index_at == sizeof *h && h->rows_at == rows_at &&
	       h->tac_n <= 100000000u &&
	       h->maps_at == rows_at + (uint64_t)h->tac_n * sizeof(struct equip_tac) &&
	       h->maps_at <= bytes;
}

/* What look-ups rely on without looking: the index and each row stay inside. */
static bool rows_fit(const struct equip_set *s)
{
	const struct equip_head *h = s->head;
	uint32_t last = 0;

	for (uint32_t i = 0; i <= EQUIP_PREFIX; i++) {
		if (s->index[i] < last || s->index[i] > h->tac_n)
			return false;
		last = s->index[i];
	}
	for (uint32_t i = 0; i < h->tac_n; i++) {
		for (unsigned int l = 0; l < EQUIP_LISTS; l++) {
			const struct equip_map *m = &s->row[i].list[l];

			if (m->n > 0 && ((uint64_t)m->at * EQUIP_UNIT < h->maps_at ||
					 (uint64_t)m->at * EQUIP_UNIT + m->n > s->bytes))
				return false;
		}
	}
	return last == h->tac_n;
}

static bool digest_fits(const struct equip_set *s)
{
	struct equip_head head = *s->head;
	uint8_t digest[EQUIP_DIGEST];
	crypto_generichash_state h;

	memset(head.digest, 0, sizeof head.digest);
	crypto_generichash_init(&h, NULL, 0, sizeof digest);
	crypto_generichash_update(&h, s->map + head.maps_at, s->bytes - head.maps_at);
	crypto_generichash_update(&h, (const uint8_t *)&head, sizeof head);
	crypto_generichash_update(&h, s->map + sizeof head, head.maps_at - sizeof head);
	crypto_generichash_final(&h, digest, sizeof digest);
	return memcmp(digest, s->head->digest, sizeof digest) == 0;
}

static enum err check(struct equip_set *s, char why[256])
{
	if (s->head->magic != EQUIP_MAGIC)
		return fail(why, ERR_CORRUPT, "no file of ours");
	if (s->head->format != EQUIP_FORMAT)
		return fail(why, ERR_VERSION, "made by another version");
	if (!head_fits(s->head, s->bytes))
		return fail(why, ERR_CORRUPT, "cut short, or its head is wrong");
	s->row = (const void *)(s->map + s->head->rows_at);
	if (!digest_fits(s))
		return fail(why, ERR_CORRUPT, "its digest does not fit: torn or changed");
	return rows_fit(s) ? ERR_OK : fail(why, ERR_CORRUPT, "its rows are out of bounds");
}

static enum err read_all(int fd, uint8_t *to, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t got = pread(fd, to + at, n - at, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return ERR_IO;
		at += (size_t)got;
	}
	return ERR_OK;
}

/* A copy in huge pages: a look-up at random in small ones waits for the page walk longer than for the
 * line; and what was checked is what is served, whatever becomes of the file. */
static enum err read_file(struct equip_set *s, int fd, char why[256])
{
	struct stat st;

	/* The call itself: libc has newfstatat, which takes a path too and is refused in a sandbox. */
	if (syscall(SYS_fstat, fd, &st) != 0 || !S_ISREG(st.st_mode))
		return fail(why, ERR_IO, "no file");
	if (st.st_size < (off_t)sizeof *s->head)
		return fail(why, ERR_CORRUPT, "cut short");
	s->bytes = (size_t)st.st_size;
	s->map = big_new(s->bytes + 2 * EQUIP_WINDOW); /* zeros behind the last window */
	if (!s->map)
		return fail(why, ERR_FULL, "out of memory");
	if (read_all(fd, s->map, s->bytes))
		return fail(why, ERR_IO, "cannot be read to its end");
	(void)mprotect(s->map, s->bytes + 2 * EQUIP_WINDOW, PROT_READ);
	s->head = (const void *)s->map;
	s->index = (const void *)(s->map + sizeof *s->head);
	return ERR_OK;
}

static enum err make_quick(struct equip_set *s, char why[256])
{
	s->tac = big_new((s->head->tac_n + 1) * sizeof *s->tac);
	s->quick = big_new((s->head->tac_n + 1) * sizeof *s->quick);
	if (!s->tac || !s->quick)
		return fail(why, ERR_FULL, "out of memory");
	equip_quick_make(s);
	return ERR_OK;
}

enum err equip_open(struct equip_set **to, int fd, char why[256])
{
	struct equip_set *s = calloc(1, sizeof *s);
	enum err e = s ? read_file(s, fd, why) : fail(why, ERR_FULL, "out of memory");

	*to = NULL;
	if (!e)
		e = check(s, why);
	if (!e)
		e = make_quick(s, why);
	if (e) {
		equip_close(s);
		return e;
	}
	*to = s;
	return ERR_OK;
}

enum err equip_open_at(struct equip_set **to, const char *dir, uint64_t generation, char why[256])
{
	char path[512];
	int n = snprintf(path, sizeof path, "%s/" EQUIP_DIR "/" EQUIP_NAME, dir,
			 (unsigned long long)generation);
	int fd = n > 0 && n < (int)sizeof path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	enum err e;

	*to = NULL;
	if (fd < 0)
		return fail(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, strerror(errno));
	e = equip_open(to, fd, why);
	close(fd);
	if (!e && (*to)->head->generation != generation) {
		equip_close(*to);
		*to = NULL;
		e = fail(why, ERR_CORRUPT, "another generation than its name says");
	}
	return e;
}

void equip_close(struct equip_set *s)
{
	if (!s)
		return;
	if (s->head) {
		big_free(s->tac, (s->head->tac_n + 1) * sizeof *s->tac);
		big_free(s->quick, (s->head->tac_n + 1) * sizeof *s->quick);
	}
	big_free(s->map, s->bytes + 2 * EQUIP_WINDOW);
	free(s);
}
