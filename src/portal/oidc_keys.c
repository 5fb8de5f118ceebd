#include "portal/oidc_keys.h"

#include "base/base64.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SECRET "secret.key"
#define ROTATE "rotate"
#define DAY_S 86400u

static enum err says(char why[256], const char *name)
{
	snprintf(why, 256, "portal/%.60s: %s", name, strerror(errno));
	return ERR_IO;
}

static ssize_t read_file(int dir, const char *name, uint8_t *to, size_t cap)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, to, cap);

	if (fd >= 0)
		close(fd);
	return n;
}

/* Whole or not at all, whatever crashes meanwhile. */
static bool write_file(int dir, const char *name, struct view v)
{
	int fd = openat(dir, "new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ok = fd >= 0 && write(fd, v.p, v.n) == (ssize_t)v.n && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return ok && renameat(dir, "new", dir, name) == 0 && fsync(dir) == 0;
}

static enum err load_secret(struct oidc_keys *k, char why[256])
{
	ssize_t n = read_file(k->dir, SECRET, k->secret.b, sizeof k->secret.b);

	if (n == sizeof k->secret.b)
		return ERR_OK;
	if (n >= 0) {
		snprintf(why, 256, "portal/" SECRET ": damaged");
		return ERR_CORRUPT;
	}
	if (errno != ENOENT || random_bytes(k->secret.b, sizeof k->secret.b) ||
	    !write_file(k->dir, SECRET, (struct view){k->secret.b, sizeof k->secret.b}))
		return says(why, SECRET);
	return ERR_OK;
}

/* The newest first. */
static void insert(struct oidc_keys *k, struct jws_key *key, uint64_t made_s)
{
	size_t i = k->n < OIDC_KEYS ? k->n++ : OIDC_KEYS - 1;
	struct jws_key *out = k->n == OIDC_KEYS ? k->key[OIDC_KEYS - 1] : NULL;

	if (out && k->made_s[OIDC_KEYS - 1] > made_s) {
		jws_key_free(key);
		return;
	}
	jws_key_free(out);
	for (; i > 0 && k->made_s[i - 1] < made_s; i--) {
		k->key[i] = k->key[i - 1];
		k->made_s[i] = k->made_s[i - 1];
	}
	k->key[i] = key;
	k->made_s[i] = made_s;
}

static void name_of(uint64_t made_s, char to[48])
{
	snprintf(to, 48, "oidc-%llu.pem", (unsigned long long)made_s);
}

static enum err load_keys(struct oidc_keys *k, char why[256])
{
	int fd = openat(k->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	uint8_t pem[JWS_PEM_MAX];
	const struct dirent *e;
	unsigned long long made;
	enum err err = d ? ERR_OK : says(why, ".");

	while (d && !err && (e = readdir(d))) {
		ssize_t n;
		struct jws_key *key;

		if (sscanf(e->d_name, "oidc-%llu.pem", &made) != 1)
			continue;
		n = read_file(k->dir, e->d_name, pem, sizeof pem);
		key = n > 0 ? jws_key_of_pem((struct view){pem, (size_t)n}) : NULL;
		if (key) {
			insert(k, key, made);
			continue;
		}
		snprintf(why, 256, "portal/%.60s: no key of P-256", e->d_name);
		err = ERR_CORRUPT;
	}
	if (d)
		closedir(d);
	secret_wipe(pem, sizeof pem);
	return err;
}

static bool make_next(struct oidc_keys *k, uint64_t now_s)
{
	uint8_t pem[JWS_PEM_MAX];
	struct wr w = {.p = pem, .cap = sizeof pem};
	char name[48];
	bool ok;

	k->next = jws_key_new();
	k->next_s = k->n > 0 && now_s <= k->made_s[0] ? k->made_s[0] + 1 : now_s;
	name_of(k->next_s, name);
	ok = k->next && jws_key_pem(k->next, &w) == ERR_OK && write_file(k->dir, name, wr_done(&w));
	secret_wipe(pem, sizeof pem);
	if (ok)
		return true;
	jws_key_free(k->next);
	k->next = NULL;
	return false;
}

enum err oidc_keys_open(struct oidc_keys *k, const char *dir, uint64_t now_s, char why[256])
{
	enum err err;

	memset(k, 0, sizeof *k);
	k->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->dir < 0)
		return says(why, ".");
	err = load_secret(k, why);
	if (!err)
		err = load_keys(k, why);
	if (!err && k->n == 0 && !make_next(k, now_s))
		err = says(why, "oidc.pem");
	if (!err && k->n == 0)
		oidc_keys_turn(k);
	return err;
}

void oidc_keys_close(struct oidc_keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		jws_key_free(k->key[i]);
	jws_key_free(k->next);
	if (k->dir > 0)
		close(k->dir);
	secret_wipe(k, sizeof *k);
}

bool oidc_keys_due(struct oidc_keys *k, uint32_t days, uint64_t now_s)
{
	bool asked = unlinkat(k->dir, ROTATE, 0) == 0;

	if (k->next || (!asked && now_s < k->made_s[0] + (uint64_t)days * DAY_S))
		return false;
	return make_next(k, now_s);
}

void oidc_keys_turn(struct oidc_keys *k)
{
	char name[48];

	if (!k->next)
		return;
	if (k->n == OIDC_KEYS) {
		name_of(k->made_s[OIDC_KEYS - 1], name);
		(void)unlinkat(k->dir, name, 0);
	}
	insert(k, k->next, k->next_s);
	k->next = NULL;
}

const struct jws_key *oidc_keys_find(const struct oidc_keys *k, struct view kid)
{
	for (size_t i = 0; i < k->n; i++) {
		if (view_eq(kid, view_of(jws_key_id(k->key[i]))))
			return k->key[i];
	}
	return NULL;
}

/* A key for each purpose, from the one secret. */
static void derive(const struct oidc_keys *k, const char *purpose, uint8_t out[32])
{
	crypto_auth_hmacsha256_state h;

	crypto_auth_hmacsha256_init(&h, k->secret.b, sizeof k->secret.b);
	crypto_auth_hmacsha256_update(&h, (const uint8_t *)purpose, strlen(purpose));
	crypto_auth_hmacsha256_final(&h, out);
}

void oidc_sub(const struct oidc_keys *k, struct view sector, uint64_t imsi, char to[OIDC_SUB])
{
	struct wr w = {.p = (uint8_t *)to, .cap = OIDC_SUB - 1};
	crypto_auth_hmacsha256_state h;
	uint8_t key[32], out[32];

	derive(k, "pairwise", key);
	crypto_auth_hmacsha256_init(&h, key, sizeof key);
	crypto_auth_hmacsha256_update(&h, (const uint8_t *)&imsi, sizeof imsi);
	crypto_auth_hmacsha256_update(&h, sector.p, sector.n);
	crypto_auth_hmacsha256_final(&h, out);
	base64url_put(&w, (struct view){out, sizeof out});
	to[w.n] = 0;
	secret_wipe(key, sizeof key);
}

#define NONCE_N crypto_secretbox_NONCEBYTES
#define BOX_N (NONCE_N + crypto_secretbox_MACBYTES + 8)

enum err oidc_id(const struct oidc_keys *k, uint64_t imsi, char to[OIDC_ID])
{
	struct wr w = {.p = (uint8_t *)to, .cap = OIDC_ID - 1};
	uint8_t key[32], box[BOX_N];

	if (random_bytes(box, NONCE_N))
		return ERR_IO;
	derive(k, "token", key);
	crypto_secretbox_easy(box + NONCE_N, (const uint8_t *)&imsi, sizeof imsi, box, key);
	secret_wipe(key, sizeof key);
	base64url_put(&w, (struct view){box, sizeof box});
	to[w.n] = 0;
	return w.err;
}

uint64_t oidc_id_imsi(const struct oidc_keys *k, struct view id)
{
	uint8_t key[32], box[BOX_N];
	struct wr w = {.p = box, .cap = sizeof box};
	uint64_t imsi = 0;
	int bad;

	if (base64_get(id, true, &w) || w.n != BOX_N)
		return 0;
	derive(k, "token", key);
	bad = crypto_secretbox_open_easy((uint8_t *)&imsi, box + NONCE_N, BOX_N - NONCE_N, box, key);
	secret_wipe(key, sizeof key);
	return bad ? 0 : imsi;
}
