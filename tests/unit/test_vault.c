/* The vault keeps K from everybody who has the file only (R-2.b), and notices a row changed
 * behind our back (R-3.1.c). */
#include "records/vault.h"
#include "unit/test.h"

#include <lmdb.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS 1000u
#define BASE 0x9997000000000001u

static const struct master master_a = { .key.b = { 1, 2, 3 } }, master_b = { .key.b = { 9, 9 } };
static char dir[64];
static struct vault_row rows[ROWS];

/* MILENAGE, TUAK with a short K, TUAK with a long one: rows of each stand side by side. */
static struct aka_key key_of(const struct aka_key *from, unsigned int kind)
{
	struct aka_key key = { .alg = kind ? AKA_TUAK : AKA_MILENAGE };

	memcpy(key.k.b, from->k.b, kind == 2 ? 32 : 16);
	memcpy(key.opc.b, from->opc.b, kind ? 32 : 16);
	memcpy(key.amf, from->amf, 2);
	if (kind)
		key.size = AKA_TUAK_SIZE(kind == 2 ? 32 : 16);
	return key;
}

static void begin(void)
{
	snprintf(dir, sizeof(dir), "/tmp/merlon-vault-XXXXXX");
	check(mkdtemp(dir));
	for (unsigned int i = 0; i < ROWS; i++) {
		rows[i].imsi = BASE + i * 16;
		check_eq(random_bytes(&rows[i].key, sizeof(rows[i].key)), ERR_OK);
		rows[i].key = key_of(&rows[i].key, i % 3);
	}
}

static void end(void)
{
	char text[128];

	snprintf(text, sizeof(text), "%s/vault-auc/data.mdb", dir);
	check(unlink(text) == 0);
	snprintf(text, sizeof(text), "%s/vault-auc/lock.mdb", dir);
	check(unlink(text) == 0);
	snprintf(text, sizeof(text), "%s/vault-auc", dir);
	check(rmdir(text) == 0 && rmdir(dir) == 0);
}

static struct vault *must_open(const struct master *master)
{
	char why[256];
	struct vault *v;

	check_eq(vault_open(&v, dir, master, why), ERR_OK);
	check(why[0] == 0);
	return v;
}

static struct vault *filled(void)
{
	struct vault *v = must_open(&master_a);

	check_eq(vault_put(v, rows, ROWS), ERR_OK);
	return v;
}

static void holds_all(struct vault *v)
{
	struct vault_read *r = vault_reader(v);
	struct aka_key key;

	check(r);
	for (unsigned int i = 0; i < ROWS; i++) {
		check_eq(vault_get(r, rows[i].imsi, &key), ERR_OK);
		check(memcmp(&key, &rows[i].key, sizeof(key)) == 0);
	}
	check_eq(vault_get(r, BASE - 1, &key), ERR_NOT_FOUND);
	vault_read_free(r);
}

TEST(keys_come_back_after_a_restart)
{
	struct vault *v;

	begin();
	v = filled();
	holds_all(v);
	vault_close(v);
	v = must_open(&master_a);
	holds_all(v);
	vault_close(v);
	end();
}

static uint8_t *slurp(const char *name, size_t *n)
{
	char path[128];
	FILE *f;
	uint8_t *b;

	snprintf(path, sizeof(path), "%s/vault-auc/%s", dir, name);
	f = fopen(path, "rb");
	check(f && fseek(f, 0, SEEK_END) == 0);
	*n = (size_t)ftell(f);
	rewind(f);
	b = malloc(*n);
	check(b && fread(b, 1, *n, f) == *n);
	fclose(f);
	return b;
}

static void holds_no_key(const char *name)
{
	char hex[33];
	size_t n;
	uint8_t *b = slurp(name, &n);

	for (unsigned int i = 0; i < ROWS; i += 7) {
		const uint8_t *k = rows[i].key.k.b;

		for (unsigned int j = 0; j < 16; j++)
			snprintf(hex + 2 * j, 3, "%02x", k[j]);
		check(!memmem(b, n, k, 8) && !memmem(b, n, k + 8, 8) && !memmem(b, n, hex, 32));
		check(!memmem(b, n, rows[i].key.opc.b, 8));
	}
	check(!memmem(b, n, &master_a.key, 32));
	free(b);
}

TEST(no_key_stands_in_the_files)
{
	struct vault *v;
	size_t n;
	uint8_t *b, imsi[8] = { 0x99, 0x97, 0, 0, 0, 0, 0, 1 };

	begin();
	v = filled();
	check_eq(vault_put(v, rows, ROWS / 2), ERR_OK); /* overwritten rows leave old pages */
	holds_no_key("data.mdb");
	holds_no_key("lock.mdb");
	b = slurp("data.mdb", &n);
	check(memmem(b, n, imsi, sizeof(imsi))); /* or the search finds nothing at all */
	free(b);
	vault_close(v);
	end();
}

/* Someone with the file: copies the row `from` to `to`, with one bit changed. */
static void forge(uint64_t from, uint64_t to, uint8_t bit, size_t cut)
{
	char path[128];
	uint8_t id[8], b[256];
	MDB_val k = { 8, id }, val;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	snprintf(path, sizeof(path), "%s/vault-auc", dir);
	check(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, 2) == 0);
	check(mdb_env_open(env, path, 0, 0600) == 0 && mdb_txn_begin(env, NULL, 0, &txn) == 0);
	check(mdb_dbi_open(txn, "rows", 0, &dbi) == 0);
	for (unsigned int i = 0; i < 8; i++)
		id[i] = (uint8_t)(from >> 8 * (7 - i));
	check(mdb_get(txn, dbi, &k, &val) == 0 && val.mv_size <= sizeof(b));
	memcpy(b, val.mv_data, val.mv_size);
	b[20] ^= bit;
	val = (MDB_val){ val.mv_size - cut, b };
	for (unsigned int i = 0; i < 8; i++)
		id[i] = (uint8_t)(to >> 8 * (7 - i));
	check(mdb_put(txn, dbi, &k, &val, 0) == 0 && mdb_txn_commit(txn) == 0);
	mdb_env_close(env);
}

TEST(a_row_changed_cut_or_moved_does_not_open)
{
	struct vault *v;
	struct vault_read *r;
	struct aka_key key = { .amf = { 7, 7 } };

	begin();
	vault_close(filled());
	forge(rows[0].imsi, rows[0].imsi, 1, 0);
	forge(rows[1].imsi, rows[1].imsi, 0, 1);
	forge(rows[3].imsi, rows[2].imsi, 0, 0);
	v = must_open(&master_a);
	r = vault_reader(v);
	for (unsigned int i = 0; i < 3; i++)
		check_eq(vault_get(r, rows[i].imsi, &key), ERR_KEY);
	check_eq(key.amf[0], 7);
	check_eq(vault_get(r, rows[3].imsi, &key), ERR_OK);
	vault_read_free(r);
	vault_close(v);
	end();
}

TEST(another_master_key_is_refused_in_one_clear_line)
{
	struct vault *v;
	char why[256];

	begin();
	vault_close(filled());
	check_eq(vault_open(&v, dir, &master_b, why), ERR_KEY);
	check(!v && strstr(why, dir) && strstr(why, "master key") && !strchr(why, '\n'));
	vault_close(must_open(&master_a));
	end();
}

TEST(a_folder_that_cannot_be_had_is_named)
{
	struct vault *v;
	char why[256];

	check_eq(vault_open(&v, "/nowhere/at/all", &master_a, why), ERR_IO);
	check(strstr(why, "/nowhere/at/all/vault-auc: No such file"));
}

static enum err change(struct vault *v, const struct master *to)
{
	char why[256];
	enum err err = vault_master_next(v, to, TOKEN_NEW, why);

	return err ? err : vault_master_settle(v);
}

TEST(the_master_key_changes_under_running_readers_and_all_is_kept)
{
	struct vault *v;
	struct vault_read *r;
	struct aka_key key;
	char why[256];

	begin();
	v = filled();
	r = vault_reader(v);
	check_eq(change(v, &master_b), ERR_OK);
	check_eq(vault_get(r, rows[5].imsi, &key), ERR_OK);
	vault_read_renew(r);
	check_eq(vault_get(r, rows[5].imsi, &key), ERR_OK);
	check_eq(vault_put(v, rows, 10), ERR_OK);
	vault_read_free(r);
	vault_close(v);
	check_eq(vault_open(&v, dir, &master_a, why), ERR_KEY);
	v = must_open(&master_b);
	holds_all(v);
	vault_close(v);
	end();
}

TEST(half_changed_it_opens_under_either_and_the_new_key_ends_the_change)
{
	struct vault *v;
	struct vault_wrap now, next;
	uint8_t pub[2][SEALBOX_PUBLIC];
	struct secret32 priv;
	char why[256];

	begin();
	v = filled();
	vault_pair(v, pub[0], &priv);
	check_eq(vault_master_next(v, &master_b, TOKEN_NEW, why), ERR_OK);
	vault_close(v);
	v = must_open(&master_a); /* the new file was never put in place */
	holds_all(v);
	check_eq(vault_wraps(v, &now, &next), ERR_OK);
	check(now.n == MASTER_WRAP_FILE && next.n == MASTER_WRAP_FILE);
	vault_close(v);
	v = must_open(&master_b); /* it was */
	holds_all(v);
	check_eq(vault_wraps(v, &now, &next), ERR_OK);
	check(now.n == MASTER_WRAP_FILE && next.n == 0);
	check_eq(vault_master_settle(v), ERR_OK); /* nothing is left to do */
	vault_pair(v, pub[1], &priv);
	check(memcmp(pub[0], pub[1], SEALBOX_PUBLIC) == 0); /* what was sealed to it before still opens */
	vault_close(v);
	check_eq(vault_open(&v, dir, &master_a, why), ERR_KEY);
	end();
}

TEST(a_change_killed_at_any_time_leaves_the_old_or_the_new_key)
{
	begin();
	vault_close(filled());
	for (unsigned int round = 0; round < 6; round++) {
		struct vault *v;
		char why[256];
		pid_t pid = fork();

		check(pid >= 0);
		if (pid == 0) {
			if (vault_open(&v, dir, &master_a, why) &&
			    vault_open(&v, dir, &master_b, why))
				_exit(1);
			for (;;)
				if (change(v, &master_b) || change(v, &master_a))
					_exit(2);
		}
		usleep(20000 + round * 3100);
		kill(pid, SIGKILL);
		check(waitpid(pid, &(int){ 0 }, 0) == pid);
		if (vault_open(&v, dir, &master_a, why))
			v = must_open(&master_b);
		holds_all(v);
		vault_close(v);
	}
	end();
}

TEST(one_change_at_a_time)
{
	int one, two;

	begin();
	vault_close(must_open(&master_a));
	one = vault_lock(dir);
	two = vault_lock(dir);
	check(one >= 0 && two < 0);
	close(one);
	two = vault_lock(dir);
	check(two >= 0);
	close(two);
	end();
}

TEST(a_reader_sees_what_was_written_once_it_renews)
{
	struct vault *v;
	struct vault_read *r;
	struct aka_key key;
	uint64_t imsi[ROWS + 1];

	begin();
	v = must_open(&master_a);
	r = vault_reader(v);
	check_eq(vault_put(v, rows, ROWS), ERR_OK);
	check_eq(vault_get(r, rows[9].imsi, &key), ERR_NOT_FOUND);
	vault_read_renew(r);
	check_eq(vault_get(r, rows[9].imsi, &key), ERR_OK);
	check_eq(vault_scan(r, 0, imsi, ROWS + 1), ROWS);
	check_eq(imsi[ROWS - 1], rows[ROWS - 1].imsi);
	check_eq(vault_scan(r, rows[3].imsi, imsi, 2), 2);
	check_eq(imsi[0], rows[4].imsi);
	check_eq(vault_delete(v, rows[9].imsi), ERR_OK);
	check_eq(vault_delete(v, rows[9].imsi), ERR_NOT_FOUND);
	vault_read_renew(r);
	check_eq(vault_get(r, rows[9].imsi, &key), ERR_NOT_FOUND);
	vault_read_free(r);
	vault_close(v);
	end();
}

TESTS(T(keys_come_back_after_a_restart), T(no_key_stands_in_the_files),
      T(a_row_changed_cut_or_moved_does_not_open),
      T(another_master_key_is_refused_in_one_clear_line), T(a_folder_that_cannot_be_had_is_named),
      T(the_master_key_changes_under_running_readers_and_all_is_kept),
      T(half_changed_it_opens_under_either_and_the_new_key_ends_the_change),
      T(a_change_killed_at_any_time_leaves_the_old_or_the_new_key), T(one_change_at_a_time),
      T(a_reader_sees_what_was_written_once_it_renews))
