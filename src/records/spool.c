#include "records/spool.h"

#include "base/bcd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "MERLONK2"
#define MAGIC_TUAK "MERLONK3"
#define BATCH 4096 /* rows a commit of the vault */
#define WRITE_ROWS 512
#define HEX (2 * SEALBOX_PUBLIC)

static enum err says(char why[256], enum err err, const char *what, const char *path)
{
	snprintf(why, 256, "%.60s %.120s: %.60s", what, path,
		 errno ? strerror(errno) : err_text(err));
	return err;
}

static enum err write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return ERR_IO;
		p += done;
		n -= (size_t)done;
	}
	return ERR_OK;
}

static enum err read_all(int fd, uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t done = read(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return ERR_IO;
		if (done == 0)
			return ERR_CORRUPT;
		p += done;
		n -= (size_t)done;
	}
	return ERR_OK;
}

/* Make `from` durable under the name `to`. */
static enum err settle(int dir_fd, int fd, const char *from, const char *to)
{
	struct stat dir;

	/* Who owns the directory is to read the file, whoever writes it (an importing root). */
	if (fstat(dir_fd, &dir) == 0 && geteuid() == 0 && fchown(fd, dir.st_uid, dir.st_gid) != 0)
		return ERR_IO;
	if (fsync(fd) || renameat(dir_fd, from, dir_fd, to) || fsync(dir_fd))
		return ERR_IO;
	return ERR_OK;
}

static int hex(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum err spool_pub_get(const char *data_dir, uint8_t pub[SEALBOX_PUBLIC], char why[256])
{
	char path[512];
	uint8_t text[HEX];
	enum err err;
	int fd;

	snprintf(path, sizeof path, "%s/" SPOOL_PUB, data_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return says(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "the vault's public key",
			    path);
	errno = 0;
	err = read_all(fd, text, sizeof text);
	close(fd);
	for (size_t i = 0; !err && i < SEALBOX_PUBLIC; i++) {
		int high = hex(text[2 * i]), low = hex(text[2 * i + 1]);

		if (high < 0 || low < 0)
			err = ERR_CORRUPT;
		else
			pub[i] = (uint8_t)(high << 4 | low);
	}
	return err ? says(why, err, "the vault's public key", path) : ERR_OK;
}

enum err spool_pub_put(const char *data_dir, const uint8_t pub[SEALBOX_PUBLIC], char why[256])
{
	int dir = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
	char text[HEX + 2];
	enum err err = ERR_IO;
	uint8_t there[SEALBOX_PUBLIC];

	if (dir >= 0 && spool_pub_get(data_dir, there, why) == ERR_OK &&
	    memcmp(there, pub, sizeof there) == 0) {
		close(dir); /* as it was: no right to write here is needed */
		return ERR_OK;
	}
	for (size_t i = 0; i < SEALBOX_PUBLIC; i++)
		snprintf(text + 2 * i, 3, "%02x", pub[i]);
	text[HEX] = '\n';
	errno = 0;
	if (dir >= 0)
		fd = openat(dir, SPOOL_PUB ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd >= 0)
		err = write_all(fd, (const uint8_t *)text, HEX + 1);
	if (!err)
		err = settle(dir, fd, SPOOL_PUB ".new", SPOOL_PUB);
	if (err)
		says(why, err, "cannot write " SPOOL_PUB " in", data_dir);
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	return err;
}

/* A row belongs to its place: none can be moved, or doubled. */
static struct view place(uint8_t to[8], uint64_t at)
{
	struct wr w = {.p = to, .cap = 8};

	wr_be(&w, at, 8);
	return wr_done(&w);
}

/* `sealed_n`: SPOOL_SEALED or SPOOL_SEALED_MAX. */
static enum err seal_row(const struct secret32 *key, uint64_t at, const struct vault_row *row,
			 uint8_t *sealed, size_t sealed_n)
{
	uint8_t plain[SPOOL_SEALED_MAX] = {0}, text[AKA_KEY_MAX], aad[8];
	struct wr w = {.p = plain, .cap = sealed_n - SEAL_EXTRA};
	size_t n = aka_key_put(&row->key, text);
	enum err err;

	wr_be(&w, row->imsi, 8);
	if (sealed_n == SPOOL_SEALED_MAX)
		wr_be(&w, (uint32_t)n, 1);
	wr_view(&w, (struct view){text, n});
	err = w.err ? w.err : seal(key, place(aad, at), (struct view){plain, w.cap}, sealed);
	secret_wipe(plain, sizeof plain);
	secret_wipe(text, sizeof text);
	return err;
}

static size_t sealed_size(const struct vault_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (rows[i].key.alg != AKA_MILENAGE)
			return SPOOL_SEALED_MAX;
	}
	return SPOOL_SEALED;
}

static enum err write_rows(int fd, const uint8_t pub[SEALBOX_PUBLIC], const struct vault_row *rows,
			   size_t n)
{
	uint8_t head[SPOOL_HEAD], sealed[WRITE_ROWS * SPOOL_SEALED_MAX];
	struct wr w = {.p = head, .cap = sizeof head};
	size_t size = sealed_size(rows, n);
	struct secret32 key;
	enum err err = random_bytes(&key, sizeof key);

	wr_view(&w, size == SPOOL_SEALED ? VIEW(MAGIC) : VIEW(MAGIC_TUAK));
	wr_be(&w, n, 4);
	if (!err)
		err = sealbox_put(pub, (struct view){key.b, sizeof key.b}, head + w.n);
	if (!err)
		err = write_all(fd, head, sizeof head);
	for (size_t i = 0; i < n && !err; i++) {
		err = seal_row(&key, i, &rows[i], sealed + i % WRITE_ROWS * size, size);
		if (!err && (i + 1 == n || (i + 1) % WRITE_ROWS == 0))
			err = write_all(fd, sealed, (i % WRITE_ROWS + 1) * size);
	}
	secret_wipe(&key, sizeof key);
	return err;
}

/* The spool's directory, made when it is missing. */
static int open_spool(const char *data_dir)
{
	char path[512];

	snprintf(path, sizeof path, "%s/" SPOOL_DIR, data_dir);
	if (mkdir(path, 0770) && errno != EEXIST)
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

enum err spool_write(const char *data_dir, const uint8_t pub[SEALBOX_PUBLIC],
		     const struct vault_row *rows, size_t n, char name[SPOOL_NAME], char why[256])
{
	int dir = open_spool(data_dir), fd = -1;
	char part[SPOOL_NAME];
	uint64_t number;
	enum err err = n > 0 && n <= SPOOL_MAX ? random_bytes(&number, sizeof number) : ERR_LENGTH;

	if (!err && dir < 0)
		err = ERR_IO;
	if (!err) {
		snprintf(part, SPOOL_NAME, "%016llx.part", (unsigned long long)number);
		snprintf(name, SPOOL_NAME, "%016llx" SPOOL_SUFFIX, (unsigned long long)number);
		fd = openat(dir, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0660);
		err = fd < 0 ? ERR_IO : write_rows(fd, pub, rows, n);
	}
	if (!err)
		err = settle(dir, fd, part, name);
	if (err) {
		says(why, err, "cannot write keys to the spool of", data_dir);
		if (fd >= 0)
			unlinkat(dir, part, 0);
	}
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	return err;
}

struct spool_head {
	size_t n, sealed; /* rows; octets of each */
	struct secret32 key;
};

static enum err open_row(const uint8_t *sealed, size_t sealed_n, const struct secret32 *key,
			 uint64_t at, struct vault_row *row)
{
	uint8_t plain[SPOOL_SEALED_MAX], aad[8];
	struct rd r = {.left = {plain, sealed_n - SEAL_EXTRA}};
	enum err err = unseal(key, place(aad, at), (struct view){sealed, sealed_n}, plain);

	if (err)
		return err;
	row->imsi = rd_be64(&r, 8);
	if (sealed_n == SPOOL_SEALED_MAX) {
		size_t n = rd_be(&r, 1);

		r.left = rd_take(&r, n);
	}
	err = r.err || aka_key_get(r.left, &row->key) ? ERR_CORRUPT : ERR_OK;
	secret_wipe(plain, sizeof plain);
	return !err && bcd_n(row->imsi) >= 6 ? ERR_OK : ERR_CORRUPT;
}

/* A file that is whole: how many rows, how long each, and its key. ERR_CORRUPT, ERR_KEY. */
static enum err read_head(int fd, const uint8_t pub[SEALBOX_PUBLIC], const struct secret32 *priv,
			  struct spool_head *h)
{
	uint8_t head[SPOOL_HEAD];
	struct rd r = {.left = {head, sizeof head}};
	struct view magic;
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || read_all(fd, head, sizeof head))
		return ERR_CORRUPT;
	magic = rd_take(&r, 8);
	if (!view_eq(magic, VIEW(MAGIC)) && !view_eq(magic, VIEW(MAGIC_TUAK)))
		return ERR_CORRUPT;
	h->sealed = view_eq(magic, VIEW(MAGIC)) ? SPOOL_SEALED : SPOOL_SEALED_MAX;
	h->n = rd_be(&r, 4);
	if (h->n == 0 || h->n > SPOOL_MAX ||
	    (uint64_t)st.st_size != SPOOL_HEAD + (uint64_t)h->n * h->sealed)
		return ERR_CORRUPT;
	return sealbox_get(pub, priv, r.left, h->key.b);
}

enum err spool_read(int dir_fd, const char *name, const uint8_t pub[SEALBOX_PUBLIC],
		    const struct secret32 *priv,
		    enum err (*take)(void *ctx, const struct vault_row *rows, size_t n), void *ctx)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	enum err err = fd < 0 ? ERR_IO : spool_take(fd, pub, priv, take, ctx);

	if (fd >= 0)
		close(fd);
	return err;
}

enum err spool_take(int fd, const uint8_t pub[SEALBOX_PUBLIC], const struct secret32 *priv,
		    enum err (*take)(void *ctx, const struct vault_row *rows, size_t n), void *ctx)
{
	struct vault_row *rows = calloc(BATCH, sizeof *rows);
	uint8_t *sealed = malloc(BATCH * SPOOL_SEALED_MAX);
	struct spool_head h = {0};
	enum err err = rows && sealed ? read_head(fd, pub, priv, &h) : ERR_FULL;
	size_t done = 0;

	while (!err && done < h.n) {
		size_t n = h.n - done < BATCH ? h.n - done : BATCH;

		err = read_all(fd, sealed, n * h.sealed);
		for (size_t i = 0; i < n && !err; i++)
			err = open_row(sealed + i * h.sealed, h.sealed, &h.key, done + i, &rows[i]);
		if (!err)
			err = take(ctx, rows, n);
		done += n;
	}
	secret_wipe(&h, sizeof h);
	if (rows)
		secret_wipe(rows, BATCH * sizeof *rows);
	free(rows);
	free(sealed);
	return err;
}

enum err spool_reset(const char *data_dir, char why[256])
{
	int dir = open_spool(data_dir), fd = -1;

	if (dir >= 0)
		fd = openat(dir, SPOOL_RESET, O_WRONLY | O_CREAT | O_CLOEXEC, 0660);
	if (fd < 0)
		says(why, ERR_IO, "cannot ask for a reset in the spool of", data_dir);
	if (dir >= 0)
		close(dir);
	if (fd < 0)
		return ERR_IO;
	close(fd);
	return ERR_OK;
}
