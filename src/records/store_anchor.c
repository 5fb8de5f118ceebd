/* journal.head: the last entry of the journal, kept outside the database: "seq head mac". */
#include "records/store_in.h"

#include <stdio.h>

static void anchor_mac(const struct store *st, uint64_t seq, const uint8_t head[HASH_BYTES],
		       uint8_t mac[MAC_BYTES])
{
	uint8_t in[8 + HASH_BYTES];
	struct wr w = { .p = in, .cap = sizeof in };

	wr_be(&w, seq, 8);
	wr_view(&w, (struct view){ head, HASH_BYTES });
	crypto_auth_hmacsha256(mac, in, sizeof in, st->key);
}

int store_anchor(const struct store *st, uint64_t seq, const uint8_t head[HASH_BYTES],
		 char text[ANCHOR_TEXT])
{
	char hex[2 * HASH_BYTES + 1], seal[2 * MAC_BYTES + 1];
	uint8_t mac[MAC_BYTES];

	anchor_mac(st, seq, head, mac);
	sodium_bin2hex(hex, sizeof hex, head, HASH_BYTES);
	sodium_bin2hex(seal, sizeof seal, mac, MAC_BYTES);
	return snprintf(text, ANCHOR_TEXT, "%020llu %s %s\n", (unsigned long long)seq, hex, seal);
}

bool store_anchor_read(const struct store *st, uint64_t *seq, uint8_t head[HASH_BYTES])
{
	char path[4096], text[ANCHOR_TEXT] = { 0 };
	uint8_t mac[MAC_BYTES], want[MAC_BYTES];
	unsigned long long n;
	char a[65], b[65];
	FILE *f;

	snprintf(path, sizeof path, "%s/journal.head", st->dir);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(text, sizeof text, f))
		text[0] = 0;
	fclose(f);
	if (sscanf(text, "%llu %64s %64s", &n, a, b) != 3 ||
	    sodium_hex2bin(head, HASH_BYTES, a, strlen(a), NULL, NULL, NULL) != 0 ||
	    sodium_hex2bin(mac, MAC_BYTES, b, strlen(b), NULL, NULL, NULL) != 0)
		return false;
	anchor_mac(st, n, head, want);
	*seq = n;
	return sodium_memcmp(mac, want, MAC_BYTES) == 0;
}
