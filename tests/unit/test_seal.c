/* Sealing: what was changed or belongs elsewhere does not open; a careless master key file is
 * refused. */
#include "crypto/seal.h"
#include "unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct secret32 key = { .b = { 1, 2, 3 } }, other = { .b = { 1, 2, 4 } };

TEST(what_was_sealed_opens_and_any_changed_bit_does_not)
{
	struct view aad = VIEW("999700000000001"), text = VIEW("octets of K, OPc and AMF");
	uint8_t box[64 + SEAL_EXTRA], twice[64 + SEAL_EXTRA], out[64];
	struct view in = { box, text.n + SEAL_EXTRA };
	struct seal_key *ready = seal_key_new(&key);

	check_eq(seal(&key, aad, text, box), ERR_OK);
	check_eq(seal(&key, aad, text, twice), ERR_OK);
	check(memcmp(box, twice, 12) != 0); /* a nonce is never used twice */
	check_eq(unseal(&key, aad, in, out), ERR_OK);
	check(memcmp(out, text.p, text.n) == 0);
	check(ready != NULL);
	memset(out, 0, sizeof(out));
	check_eq(unseal_with(ready, aad, in, out), ERR_OK);
	check(memcmp(out, text.p, text.n) == 0);
	for (size_t bit = 0; bit < in.n * 8; bit++) {
		box[bit / 8] ^= (uint8_t)(1u << bit % 8);
		check_eq(unseal(&key, aad, in, out), ERR_KEY);
		check_eq(unseal_with(ready, aad, in, out), ERR_KEY);
		box[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	check_eq(unseal(&other, aad, in, out), ERR_KEY);
	check_eq(unseal(&key, VIEW("999700000000002"), in, out), ERR_KEY);
	check_eq(unseal_with(ready, VIEW("999700000000002"), in, out), ERR_KEY);
	for (size_t n = 0; n < in.n; n++) {
		check_eq(unseal(&key, aad, view_first(in, n), out), ERR_KEY);
		check_eq(unseal_with(ready, aad, view_first(in, n), out), ERR_KEY);
	}
	seal_key_free(ready);
}

/* AES-256-GCM, test case 16 of the GCM specification (McGrew, Viega): the format is nonce,
 * text, tag. */
TEST(the_cipher_is_aes_256_gcm)
{
	static const char hex[] =
		"cafebabefacedbaddecaf888"
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
		"76fc6ece0f4e1768cddf8853bb2d551b";
	static const uint8_t k[32] = { 0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a,
				       0x8f, 0x94, 0x67, 0x30, 0x83, 0x08, 0xfe, 0xff, 0xe9, 0x92,
				       0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30,
				       0x83, 0x08 };
	static const uint8_t a[20] = { 0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xfe, 0xed,
				       0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xab, 0xad, 0xda, 0xd2 };
	static const uint8_t plain[8] = { 0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5 };
	uint8_t box[60 + SEAL_EXTRA], out[60];
	struct secret32 s;

	check_eq(sizeof(hex) - 1, 2 * sizeof(box));
	for (size_t i = 0; i < sizeof(box); i++) {
		unsigned int x;

		check(sscanf(hex + 2 * i, "%2x", &x) == 1);
		box[i] = (uint8_t)x;
	}
	memcpy(s.b, k, 32);
	check_eq(unseal(&s, (struct view){ a, 20 }, (struct view){ box, sizeof(box) }, out),
		 ERR_OK);
	check(memcmp(out, plain, 8) == 0);
}

TEST(a_sealed_box_opens_for_its_owner_alone)
{
	struct view text = VIEW("999700000000001,k,opc");
	uint8_t pub[32], pub2[32], pub3[32], box[64 + SEALBOX_EXTRA], out[64];
	struct secret32 priv, priv2, priv3;
	struct view in = { box, text.n + SEALBOX_EXTRA };

	sealbox_pair(&key, pub, &priv);
	sealbox_pair(&key, pub2, &priv2);
	sealbox_pair(&other, pub3, &priv3);
	check(memcmp(pub, pub2, 32) == 0 && secret_eq(&priv, &priv2, 32));
	check(memcmp(pub, pub3, 32) != 0 && !secret_eq(&priv, &key, 32));
	check_eq(sealbox_put(pub, text, box), ERR_OK);
	check_eq(sealbox_get(pub, &priv, in, out), ERR_OK);
	check(memcmp(out, text.p, text.n) == 0);
	check_eq(sealbox_get(pub3, &priv3, in, out), ERR_KEY);
	check_eq(sealbox_get(pub, &priv, view_first(in, 47), out), ERR_KEY);
	box[40] ^= 1;
	check_eq(sealbox_get(pub, &priv, in, out), ERR_KEY);
}

/* --- the master key file --- */

static char dir[64], path[96];

static void begin(void)
{
	snprintf(dir, sizeof(dir), "/tmp/merlon-seal-XXXXXX");
	check(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/master.key", dir);
}

static void put(const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	check(fchmod(fd, mode) == 0);
	close(fd);
}

TEST(a_master_key_made_is_loaded_and_never_overwritten)
{
	struct secret32 a, b;
	struct stat st;
	char why[256];

	begin();
	check_eq(seal_master_make(path, why), ERR_OK);
	check(stat(path, &st) == 0 && (st.st_mode & 07777) == 0400);
	check_eq(seal_master_load(path, &a, why), ERR_OK);
	check_eq(seal_master_make(path, why), ERR_EXISTS);
	check(strstr(why, path) && strstr(why, "exists"));
	check_eq(seal_master_load(path, &b, why), ERR_OK);
	check(secret_eq(&a, &b, 32));
	unlink(path);
	check_eq(seal_master_make(path, why), ERR_OK);
	check_eq(seal_master_load(path, &b, why), ERR_OK);
	check(!secret_eq(&a, &b, 32));
	unlink(path);
	rmdir(dir);
	check_eq(seal_master_make(path, why), ERR_IO);
}

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

TEST(a_careless_master_key_file_is_refused_with_its_name_and_reason)
{
	static const struct {
		const char *text;
		mode_t mode;
		const char *reason; /* NULL: fine */
	} row[] = {
		{ HEX64, 0600, NULL },
		{ HEX64 "\n", 0400, NULL },
		{ HEX64, 0640, "owner alone" },
		{ HEX64, 0604, "owner alone" },
		{ HEX64, 0700, "owner alone" },
		{ HEX64, 04600, "owner alone" },
		{ HEX64 "0", 0600, "64 hexadecimal" },
		{ HEX64 "\n\n", 0600, "64 hexadecimal" },
		{ "00112233", 0600, "64 hexadecimal" },
		{ "", 0600, "64 hexadecimal" },
		{ "0011223344556677 8899aabbccddeeff0112233445566778899aabbccddeeff", 0600,
		  "64 hexadecimal" },
		{ "zz112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", 0600,
		  "64 hexadecimal" },
	};
	static const uint8_t zero[32];

	begin();
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct secret32 s = { .b = { 5 } };
		char why[256];

		put(row[i].text, row[i].mode);
		check_eq(seal_master_load(path, &s, why), row[i].reason ? ERR_KEY : ERR_OK);
		check(row[i].reason ? strstr(why, row[i].reason) && strstr(why, path) : !why[0]);
		check(row[i].reason ? secret_eq(&s, zero, 32) : s.b[1] == 0x11 && s.b[31] == 0xff);
		unlink(path);
	}
	rmdir(dir);
}

TEST(a_missing_linked_or_odd_master_key_file_is_refused)
{
	struct secret32 s;
	char why[256], link[96];

	begin();
	check_eq(seal_master_load(path, &s, why), ERR_KEY);
	check(strstr(why, "No such file"));
	put(HEX64, 0600);
	snprintf(link, sizeof(link), "%s/link", dir);
	check(symlink(path, link) == 0);
	check_eq(seal_master_load(link, &s, why), ERR_KEY);
	unlink(link);
	unlink(path);
	check(mkfifo(path, 0600) == 0); /* must not wait for a writer */
	check_eq(seal_master_load(path, &s, why), ERR_KEY);
	check(strstr(why, "plain file"));
	unlink(path);
	check_eq(seal_master_load(dir, &s, why), ERR_KEY);
	rmdir(dir);
}

TESTS(T(what_was_sealed_opens_and_any_changed_bit_does_not), T(the_cipher_is_aes_256_gcm),
      T(a_sealed_box_opens_for_its_owner_alone),
      T(a_master_key_made_is_loaded_and_never_overwritten),
      T(a_careless_master_key_file_is_refused_with_its_name_and_reason),
      T(a_missing_linked_or_odd_master_key_file_is_refused))
