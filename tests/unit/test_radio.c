/* The algorithms of the radio against the published test sets (R-5.2.1.a, R-5.2.2.b,
 * .b), and the verdict on
 * each (R-5.2.4.d). */
#include "crypto/radio.h"
#include "unit/vectors.h"

#include <sys/mman.h>
#include <unistd.h>

#define TEXT 4096

static struct radio *radio;

/* A text that ends where memory does: whoever reads or writes beyond it dies. */
static uint8_t *at_the_edge(size_t n)
{
	static uint8_t *room;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!room) {
		room = mmap(NULL, TEXT + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
		check(room != MAP_FAILED && mprotect(room + TEXT, page, PROT_NONE) == 0);
	}
	check(n <= TEXT);
	return room + TEXT - n;
}

static struct radio_in in_of(const json_t *set, uint8_t key[16])
{
	check_eq(vectors_hex(set, "key", key, 16), 16);
	return (struct radio_in){.key = key,
				 .count = (uint32_t)vectors_num(set, "count"),
				 .fresh = (uint32_t)vectors_num(set, "fresh"),
				 .bearer = (uint8_t)vectors_num(set, "bearer"),
				 .dir = (uint8_t)vectors_num(set, "direct")};
}

static void cipher_set(enum radio_id id, const json_t *set)
{
	uint8_t key[16], text[TEXT], want[TEXT], *p;
	struct radio_in in = in_of(set, key);
	size_t bits = vectors_num(set, "bitlen"), n = (bits + 7) / 8;

	check(vectors_hex(set, "data", text, TEXT) >= n);
	check(vectors_hex(set, "output", want, TEXT) >= n);
	p = at_the_edge(n);
	memcpy(p, text, n);
	if (bits % 8)
		p[n - 1] |= (uint8_t)(0xff >> bits % 8); /* what is not text must not matter */
	check_eq(radio_cipher(radio, id, &in, p, bits, p), ERR_OK);
	check(memcmp(p, want, n) == 0);
	check_eq(radio_cipher(radio, id, &in, p, bits, p), ERR_OK);
	if (bits % 8)
		text[n - 1] &= (uint8_t)(0xff << (8 - bits % 8));
	check(memcmp(p, text, n) == 0);
}

static void mac_set(enum radio_id id, const json_t *set)
{
	uint8_t key[16], text[TEXT], want[4], mac[4], *p;
	struct radio_in in = in_of(set, key);
	size_t bits = vectors_num(set, "bitlen"), n = (bits + 7) / 8;

	check(vectors_hex(set, "data", text, TEXT) >= n);
	check_eq(vectors_hex(set, json_object_get(set, "mac") ? "mac" : "output", want, 4), 4);
	p = at_the_edge(n);
	memcpy(p, text, n);
	if (bits % 8)
		p[n - 1] |= (uint8_t)(0xff >> bits % 8);
	check_eq(radio_mac(radio, id, &in, p, bits, mac), ERR_OK);
	check(memcmp(mac, want, 4) == 0);
	for (size_t bit = 0; bit < bits; bit += 1 + bits / 64) { /* every part of the text counts */
		p[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		check_eq(radio_mac(radio, id, &in, p, bits, mac), ERR_OK);
		check(memcmp(mac, want, 4) != 0);
		p[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	}
}

static void all_sets(const char *file, enum radio_id id, size_t want)
{
	json_t *all = vectors_open(file), *sets = json_object_get(all, "vectors"), *set;
	size_t i;

	check_eq(json_array_size(sets), want);
	json_array_foreach(sets, i, set)
	{
		printf("  %s set %s\n", radio_rows[id].name,
		       json_string_value(json_object_get(set, "set")));
		if (radio_rows[id].kind == RADIO_CIPHER)
			cipher_set(id, set);
		else
			mac_set(id, set);
	}
	json_decref(all);
}

static void open_radio(void)
{
	radio = radio_new();
	check(radio);
}

TEST(every_published_set_of_umts_and_lte_comes_out)
{
	open_radio();
	all_sets("kasumi_f8.json", RADIO_UEA1, 5);
	all_sets("kasumi_f9.json", RADIO_UIA1, 5);
	all_sets("snow3g_f8.json", RADIO_UEA2, 5);
	all_sets("snow3g_f8.json", RADIO_EEA1, 5);
	all_sets("snow3g_f9.json", RADIO_UIA2, 6);
	all_sets("snow3g_eia1.json", RADIO_EIA1, 6);
	all_sets("aes_eea2.json", RADIO_EEA2, 6);
	all_sets("aes_eia2.json", RADIO_EIA2, 8);
	all_sets("zuc_eea3.json", RADIO_EEA3, 5);
	all_sets("zuc_eia3.json", RADIO_EIA3, 5);
	radio_free(radio);
}

static size_t unhex(const char *text, uint8_t *to, size_t max)
{
	size_t n = text ? strspn(text, "0123456789abcdef") / 2 : 0;

	check(n > 0 && n <= max);
	for (size_t i = 0; i < n; i++) {
		unsigned int x;

		check(sscanf(text + 2 * i, "%2x", &x) == 1);
		to[i] = (uint8_t)x;
	}
	return n;
}

/* The two blocks of A5, 114 bits each, one after the other as the generator gives them. */
static size_t join(uint8_t b[64], const char *second)
{
	uint8_t two[15];

	check_eq(unhex(second, two, sizeof two), 15);
	b[14] &= 0xc0;
	for (unsigned int i = 0; i < 15; i++) {
		b[14 + i] |= (uint8_t)(two[i] >> 2);
		b[15 + i] = (uint8_t)(two[i] << 6);
	}
	return 228;
}

static void gsm_set(char *line)
{
	static const uint8_t zero[64];
	enum radio_id id = radio_find(view_of(strsep(&line, ",")));
	uint8_t key[16], want[64] = {0}, out[64];
	struct radio_in in = {.key = key};
	size_t bits;

	check(id < RADIO_N);
	check_eq(unhex(strsep(&line, ","), key, 16), radio_rows[id].key_bits / 8);
	in.count = (uint32_t)strtoul(strsep(&line, ","), NULL, 16);
	in.dir = (uint8_t)strtoul(strsep(&line, ","), NULL, 10);
	bits = 8 * unhex(strsep(&line, ","), want, sizeof want);
	if (line)
		bits = join(want, line);
	check_eq(radio_cipher(radio, id, &in, zero, bits, out), ERR_OK);
	check(memcmp(out, want, (bits + 7) / 8) == 0);
}

TEST(every_published_set_of_gsm_and_gprs_comes_out)
{
	FILE *f = fopen(VECTORS "/kasumi_gsm.csv", "r");
	unsigned int n = 0;
	char line[512];

	check(f);
	open_radio();
	while (fgets(line, sizeof line, f)) {
		if (line[0] == '#')
			continue;
		gsm_set(line);
		n++;
	}
	fclose(f);
	check_eq(n, 20);
	radio_free(radio);
}

/* A key each, texts of unlike lengths, more of them than fit side by side. */
static void same_one_by_one(enum radio_id id, bool mac)
{
	static uint8_t text[37][200], many[37][200], one[200];
	static uint8_t key[37][16];
	struct radio_job job[37];

	check_eq(random_bytes(text, sizeof text), ERR_OK);
	check_eq(random_bytes(key, sizeof key), ERR_OK);
	for (unsigned int i = 0; i < 37; i++)
		job[i] = (struct radio_job){
		    {.key = key[i], .count = i * 977, .bearer = (uint8_t)(i % 32), .dir = i & 1},
		    text[i],
		    many[i],
		    1 + i * 5};
	check_eq(mac ? radio_mac_many(radio, id, job, 37) : radio_cipher_many(radio, id, job, 37),
		 ERR_OK);
	for (unsigned int i = 0; i < 37; i++) {
		size_t bits = 8 * job[i].octets;

		check_eq(mac ? radio_mac(radio, id, &job[i].in, text[i], bits, one)
			     : radio_cipher(radio, id, &job[i].in, text[i], bits, one),
			 ERR_OK);
		check(memcmp(one, many[i], mac ? 4 : job[i].octets) == 0);
	}
}

TEST(many_at_once_are_the_same_as_one_by_one)
{
	open_radio();
	for (unsigned int id = 0; id < RADIO_N; id++) {
		struct radio_in in = {.key = (const uint8_t[16]){1}};
		bool mac = radio_rows[id].kind == RADIO_INTEGRITY;
		uint8_t out[4];

		if (mac ? radio_mac(radio, id, &in, out, 8, out) == ERR_OK
			: radio_cipher(radio, id, &in, out, 8, out) == ERR_OK)
			same_one_by_one(id, mac);
	}
	radio_free(radio);
}

TEST(what_is_broken_is_not_computed_and_bad_inputs_are_refused)
{
	static const enum radio_id never[] = {RADIO_A5_1, RADIO_A5_2, RADIO_GEA1, RADIO_GEA2,
					      RADIO_GEA5, RADIO_EIA2, RADIO_N};
	struct radio_in in = {.key = (const uint8_t[16]){1}}, bad = in;
	static uint8_t b[RADIO_BITS_MAX / 8 + 1];

	open_radio();
	for (size_t i = 0; i < sizeof never / sizeof *never; i++)
		check_eq(radio_cipher(radio, never[i], &in, b, 8, b), ERR_UNKNOWN);
	check_eq(radio_mac(radio, RADIO_EEA2, &in, b, 8, b), ERR_UNKNOWN);
	check_eq(radio_mac(radio, RADIO_EIA3, &in, b, 0, b), ERR_LENGTH);
	check_eq(radio_cipher(radio, RADIO_EEA3, &in, b, 0, b), ERR_OK);
	check_eq(radio_cipher(radio, RADIO_UEA1, &in, b, 20001, b), ERR_LENGTH);
	for (unsigned int id = 0; id < RADIO_N; id++) {
		enum err err = radio_rows[id].kind == RADIO_CIPHER
				   ? radio_cipher(radio, id, &in, b, RADIO_BITS_MAX + 1, b)
				   : radio_mac(radio, id, &in, b, RADIO_BITS_MAX + 1, b);

		check(err == ERR_LENGTH || err == ERR_UNKNOWN);
	}
	check_eq(radio_cipher(radio, RADIO_EEA1, &in, b, RADIO_BITS_MAX, b), ERR_OK);
	check_eq(radio_cipher(radio, RADIO_EEA3, &in, b, RADIO_BITS_MAX, b), ERR_OK);
	check_eq(radio_mac(radio, RADIO_EIA2, &in, b, 65440, b), ERR_OK);
	check_eq(radio_mac(radio, RADIO_EIA2, &in, b, 65441, b), ERR_LENGTH);
	check_eq(radio_mac(radio, RADIO_EIA3, &in, b, RADIO_BITS_MAX, b), ERR_OK);
	bad.bearer = 32;
	check_eq(radio_cipher(radio, RADIO_EEA2, &bad, b, 8, b), ERR_VALUE);
	bad = in;
	bad.dir = 2;
	check_eq(radio_mac(radio, RADIO_UIA2, &bad, b, 8, b), ERR_VALUE);
	bad = in;
	bad.count = 1 << 22;
	check_eq(radio_cipher(radio, RADIO_A5_4, &bad, b, 228, b), ERR_VALUE);
	radio_free(radio);
}

TEST(names_are_found_as_people_write_them)
{
	static const struct {
		const char *name;
		enum radio_id id;
	} row[] = {{"EEA2", RADIO_EEA2},  {"128-EEA2", RADIO_EEA2}, {"nea2", RADIO_EEA2},
		   {"NIA3", RADIO_EIA3},  {"128-NIA1", RADIO_EIA1}, {"A5/3", RADIO_A5_3},
		   {"a53", RADIO_A5_3},   {"gea0", RADIO_GEA0},     {"UIA1", RADIO_UIA1},
		   {"UIA0", RADIO_N},     {"EEA4", RADIO_N},        {"", RADIO_N},
		   {"128-", RADIO_N},     {"A5/9", RADIO_N},        {"EEA2EEA2EEA2", RADIO_N}};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		check_eq(radio_find(view_of(row[i].name)), row[i].id);
	for (unsigned int id = 0; id < RADIO_N; id++)
		check_eq(radio_find(view_of(radio_rows[id].name)), id);
}

/* CLP.14 5.2.1 asks for "A5/3 or better (128-bit)": A5/3 has 64 bits. */
TEST(strength_is_judged_by_the_key_and_not_by_the_name)
{
	for (unsigned int id = 0; id < RADIO_N; id++) {
		const struct radio_row *row = &radio_rows[id];

		check((row->strength == RADIO_FULL) == (row->key_bits == 128));
		check((row->strength == RADIO_NONE) == (row->key_bits == 0));
		check((row->number == 0) == (row->key_bits == 0));
	}
	check_eq(radio_rows[RADIO_A5_3].strength, RADIO_SHORT);
	check_eq(radio_rows[RADIO_GEA3].strength, RADIO_SHORT);
	check_eq(radio_rows[RADIO_A5_1].strength, RADIO_BROKEN);
	check_eq(radio_rows[RADIO_A5_4].strength, RADIO_FULL);
}

TESTS(T(every_published_set_of_umts_and_lte_comes_out),
      T(every_published_set_of_gsm_and_gprs_comes_out),
      T(many_at_once_are_the_same_as_one_by_one),
      T(what_is_broken_is_not_computed_and_bad_inputs_are_refused),
      T(names_are_found_as_people_write_them),
      T(strength_is_judged_by_the_key_and_not_by_the_name))
