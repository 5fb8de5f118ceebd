/* Keys on their way into the vault: sealed, whole, and refused when anything about them was
 * changed. */
#include "base/bcd.h"
#include "records/spool.h"
#include "unit/test.h"
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], name[80], path[256];
static uint8_t pub[SEALBOX_PUBLIC];
static struct secret32 priv;
static int spool_fd;
static struct vault_row sent[300], got[300];
static size_t got_n;

static enum err take(void *ctx, const struct vault_row *rows, size_t n)
{
	(void)ctx;
	check(got_n + n <= 300);
	memcpy(got + got_n, rows, n * sizeof *rows);
	got_n += n;
	return ERR_OK;
}

static int find_keys(const char *file, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	if (kind == FTW_F && strstr(file, SPOOL_SUFFIX)) {
		snprintf(path, sizeof path, "%s", file);
		snprintf(name, sizeof name, "%s", file + at->base);
	}
	return 0;
}

static int drop(const char *file, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(file);
}

static void begin(void)
{
	struct secret32 master;
	char why[256], spool[128];

	snprintf(dir, sizeof dir, "/tmp/merlon-spool-XXXXXX");
	check(mkdtemp(dir));
	memset(&master, 7, sizeof master);
	sealbox_pair(&master, pub, &priv);
	memset(sent, 0, sizeof sent);
	for (size_t i = 0; i < 300; i++) {
		sent[i].imsi = bcd_of(VIEW("999700000000000")) + ((uint64_t)i << 4);
		memset(sent[i].key.k.b, (int)i, 16);
		memset(sent[i].key.opc.b, (int)i + 1, 16);
		sent[i].key.amf[0] = 0x80;
	}
	check_eq(spool_write(dir, pub, sent, 300, name, why), ERR_OK);
	check_eq(nftw(dir, find_keys, 8, FTW_PHYS), 0);
	snprintf(spool, sizeof spool, "%s/" SPOOL_DIR, dir);
	spool_fd = open(spool, O_RDONLY | O_DIRECTORY);
	check(spool_fd >= 0);
	got_n = 0;
}

static void end(void)
{
	close(spool_fd);
	check_eq(nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static enum err read_it(void)
{
	got_n = 0;
	return spool_read(spool_fd, name, pub, &priv, take, NULL);
}

static void flip(off_t at)
{
	int fd = open(path, O_RDWR);
	uint8_t b;

	check(fd >= 0 && pread(fd, &b, 1, at) == 1);
	b ^= 1;
	check(pwrite(fd, &b, 1, at) == 1);
	close(fd);
}

TEST(what_goes_in_comes_out)
{
	begin();
	check_eq(read_it(), ERR_OK);
	check_eq(got_n, 300);
	for (size_t i = 0; i < 300; i++) {
		check_eq(got[i].imsi, sent[i].imsi);
		check(memcmp(&got[i].key, &sent[i].key, sizeof sent[i].key) == 0);
	}
	end();
}

/* One TUAK key makes the whole file one of the longer rows. */
TEST(tuak_keys_come_out_beside_milenage)
{
	char why[256];

	begin();
	for (size_t i = 0; i < 300; i += 7) {
		sent[i].key.alg = AKA_TUAK;
		sent[i].key.size = AKA_TUAK_SIZE(32);
		memset(sent[i].key.k.b, (int)i, 32);
		memset(sent[i].key.opc.b, (int)i + 1, 32);
	}
	check_eq(spool_write(dir, pub, sent, 300, name, why), ERR_OK);
	check_eq(read_it(), ERR_OK);
	check_eq(got_n, 300);
	check(memcmp(got, sent, sizeof sent) == 0);
	end();
}

TEST(no_key_stands_in_the_file)
{
	static uint8_t file[64 * 1024];
	ssize_t n;
	int fd;

	begin();
	fd = open(path, O_RDONLY);
	n = read(fd, file, sizeof file);
	close(fd);
	check_eq(n, SPOOL_HEAD + 300 * SPOOL_SEALED);
	for (size_t i = 0; i < 300; i++)
		check(!memmem(file, (size_t)n, sent[i].key.k.b, 16));
	end();
}

TEST(a_file_that_was_changed_or_cut_short_is_refused)
{
	begin();
	for (off_t at = 0; at < SPOOL_HEAD; at++) {
		flip(at);
		check_eq(read_it(), at < 12 ? ERR_CORRUPT : ERR_KEY); /* from 12 on: the file's key */
		check_eq(got_n, 0);
		flip(at);
	}
	flip(SPOOL_HEAD + 40);
	check_eq(read_it(), ERR_KEY);
	check_eq(got_n, 0);
	flip(SPOOL_HEAD + 40);
	check_eq(truncate(path, SPOOL_HEAD + 299 * SPOOL_SEALED), 0);
	check_eq(read_it(), ERR_CORRUPT);
	check_eq(got_n, 0);
	check_eq(truncate(path, 3), 0);
	check_eq(read_it(), ERR_CORRUPT);
	end();
}

TEST(another_vault_cannot_open_it)
{
	struct secret32 master;

	begin();
	memset(&master, 8, sizeof master);
	sealbox_pair(&master, pub, &priv);
	check_eq(read_it(), ERR_KEY);
	end();
}

TEST(a_link_is_not_followed)
{
	begin();
	check_eq(renameat(spool_fd, name, spool_fd, "elsewhere"), 0);
	check_eq(symlinkat("elsewhere", spool_fd, name), 0);
	check_eq(read_it(), ERR_IO);
	end();
}

TEST(the_public_key_is_found_where_it_was_put)
{
	uint8_t back[SEALBOX_PUBLIC];
	char why[256];

	begin();
	check_eq(spool_pub_get(dir, back, why), ERR_NOT_FOUND);
	check_eq(spool_pub_put(dir, pub, why), ERR_OK);
	check_eq(spool_pub_get(dir, back, why), ERR_OK);
	check(memcmp(back, pub, sizeof pub) == 0);
	snprintf(path, sizeof path, "%s/" SPOOL_PUB, dir);
	check_eq(truncate(path, 10), 0);
	check_eq(spool_pub_get(dir, back, why), ERR_CORRUPT);
	end();
}

TESTS(T(what_goes_in_comes_out), T(tuak_keys_come_out_beside_milenage), T(no_key_stands_in_the_file),
      T(a_file_that_was_changed_or_cut_short_is_refused), T(another_vault_cannot_open_it),
      T(a_link_is_not_followed), T(the_public_key_is_found_where_it_was_put))
