/* The content scanner: what is a leak, what only looks like one, and that every level finds the same. */
#include "inspect/scan.h"
#include "inspect/scan_in.h"
#include "unit/test.h"

static struct scanner *best;

static uint64_t forms_of(struct scanner *s, struct view v)
{
	struct scan_hit hit[SCAN_HITS];
	size_t n = scan(s, v, hit);
	uint64_t forms = 0;

	for (size_t i = 0; i < n; i++) {
		check((size_t)hit[i].at + hit[i].n <= v.n && hit[i].n > 0);
		forms |= 1ull << hit[i].form;
	}
	return forms;
}

static const struct {
	enum scan_form form;
	const char *text;
} leaks[] = {
    {FORM_SSN, "{\"name\":\"x\",\"ssn\":\"219-09-9998\"}"},
    {FORM_SSN, "my SSN number is 219099998 ok"},
    {FORM_SSN, "<SSN>219-09-9998</SSN>"},
    {FORM_NATIONAL, "dni: 12345678Z "},
    {FORM_NATIONAL, "\"cpf\":\"111.444.777-35\""},
    {FORM_NATIONAL, "PESEL 44051401359 "},
    {FORM_NATIONAL, "bsn=111222333&x"},
    {FORM_NATIONAL, "aadhaar: 2341 2341 2346 "},
    {FORM_NATIONAL, "codice fiscale RSSMRA85T10A562S "},
    {FORM_NATIONAL, "personnummer 811228-9874 "},
    {FORM_NATIONAL, "nir: 2 55 08 14 168 025 38 "},
    {FORM_NATIONAL, "steuer-id 86095742719 "},
    {FORM_NATIONAL, "idcard:11010519491231002X "},
    {FORM_NATIONAL, "tckn=10000000146 "},
    {FORM_NATIONAL, "niss 85.07.30-033.28 "},
    {FORM_NATIONAL, "tfn 123 456 782 "},
    {FORM_NATIONAL, "ahv 756.9217.0769.85 "},
    {FORM_NATIONAL, "hetu 131052-308T "},
    {FORM_NATIONAL, "nino AA123456C "},
    {FORM_CARD, "pay with 4111 1111 1111 1111 now"},
    {FORM_CARD, "x;4111111111111111=25121010000012345"},
    {FORM_CARD, "\"card_number\": \"5555555555554444\""},
    {FORM_CARD, "amex card 378282246310005 "},
    {FORM_IBAN, "to DE89 3704 0044 0532 0130 00, thanks"},
    {FORM_IBAN, "iban=GB82WEST12345698765432&"},
    {FORM_GGA, "$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n"},
    {FORM_RMC, "$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A\r\n"},
    {FORM_GLL, "at $GPGLL,4916.45,N,12311.12,W,225444,A,*1D end"},
    {FORM_LATLON, "{\"gps_lat\":48.1173,\"gps_lon\":11.5167}"},
    {FORM_LATLON, "longitude=-122.41941&latitude=37.77493"},
    {FORM_LATLON, "\"lat\": \"48.1173\", \"lng\": \"11.5167\""},
    {FORM_PAIR, "position: 48.11730, 11.51670"},
    {FORM_PAIR, "{\"type\":\"Point\",\"coordinates\":[-122.41941,37.77493]}"},
    {FORM_PAIR, "geo:48.2010,16.3695"},
    {FORM_EMAIL, "mail from <jane.doe+iot@mail.example.co.uk> "},
    {FORM_E164, "Contact: <sip:+4930123456@x>"},
    {FORM_E164, "phone +1 (415) 555-2671 "},
    {FORM_US_PHONE, "tel: 415-555-2671 "},
    {FORM_US_PHONE, "phone (415) 555-2671"},
    {FORM_IMSI, "\"imsi\":\"262019876543210\""},
    {FORM_IMSI, "0262019876543210@nai.epc.mnc001.mcc262.3gppnetwork.org"},
    {FORM_IMEI, "AT+CGSN imei 490154203237518\r\n"},
    {FORM_IMEI, "##,imei:490154203237518,A;"},
    {FORM_ICCID, "+CCID: 8944500102198304826\r\n"},
    {FORM_PEM, "-----BEGIN RSA PRIVATE KEY-----\nMIIE"},
    {FORM_AWS, "key=AKIAIOSFODNN7EXAMPLE "},
    {FORM_AZURE, "SharedAccessKey=dGhpcyBpcyBub3QgYSByZWFsIGtleSBhdCBhbGwhISE="},
    {FORM_GITHUB, "token ghp_0123456789abcdefghijABCDEFGHIJ012345 "},
    {FORM_API_KEY, "api_key=9f8e7d6c5b4a39281706"},
    {FORM_JWT, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlX2lz"},
    {FORM_BEARER, "GET / HTTP/1.1\r\nAuthorization: Bearer abcdefghijklmnop1234\r\n"},
    {FORM_PASSWORD, "user=joe&password=hunter22&x=1"},
    {FORM_PASSWORD, "{\"wifiPass\":\"s3cr3t!x\"}"},
    {FORM_BASIC, "authorization: basic am9lOmh1bnRlcjI=\r\n"},
    {FORM_DEFAULT, "Authorization: Basic YWRtaW46YWRtaW4=\r\n"},
    {FORM_URL, "rtsp://joe:hunter2@10.0.0.1/stream"},
    {FORM_DEFAULT, "ftp://root:xc3511@10.0.0.1/"},
    {FORM_COMMAND, "PASS hunter22\r\n"},
    {FORM_COMMAND, "a1 LOGIN joe hunter2\r\n"},
    {FORM_COMMAND, "\x10\x1c\x00\x04MQTT\x04\xc2\x00\x3c\x00\x02id\x00\x04user\x00\x06secret"},
};

TEST(each_form_is_found_in_every_way_it_is_written)
{
	for (size_t i = 0; i < sizeof leaks / sizeof *leaks; i++) {
		size_t n = leaks[i].text[0] == 0x10 ? 30 : strlen(leaks[i].text);
		uint64_t forms = forms_of(best, (struct view){(const uint8_t *)leaks[i].text, n});

		if (!(forms >> leaks[i].form & 1))
			fprintf(stderr, "not found: %s: %s\n", scan_forms[leaks[i].form].name,
				leaks[i].text);
		check(forms >> leaks[i].form & 1);
	}
}

TEST(what_only_looks_like_a_leak_is_none)
{
	static const char *const clean[] = {
	    "tx=258-56-7863 counter", /* no name */
	    "{\"ssn\":\"000-12-3456\"}",
	    "{\"ssn\":\"666-12-3456\"}", /* never given out */
	    "class SsnParser 123456789x",
	    "flatssn 219-09-9998",
	    "dni: 12345678A ",
	    "\"cpf\":\"111.444.777-36\"",
	    "pesel 44051401358 ",
	    "{\"sn\":\"4111111111111111\"}",
	    "card 4111 1111 1111 1112 ",
	    "ts 1718001155534 card",
	    "DE88 3704 0044 0532 0130 00",
	    "XX82WEST12345698765432",
	    "$GPGGA,045325.00,,,,,0,00,99.99,,,,,,*63\r\n", /* no fix */
	    "$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*48\r\n",
	    "$GPRMC,102437.00,V,,,,,,,100624,,,N*7F\r\n",
	    "latency: 48.1173, along: 11.5167",
	    "\"lat\":0.000,\"lon\":0.000",
	    "\"lat\":98.1173,\"lon\":11.5167",
	    "offset 3.485056, 70.769410 drift",
	    "\"v\":[-1.3506,-0.3825,9.5449]",
	    "curve25519-sha256@libssh.org,aes128-gcm@openssh.com",
	    "Message-ID: <a84b4c76e66710@pc33.example.com>",
	    "+123456789012 offset",
	    "id +0012345678",
	    "order 415-555-2671 ",
	    "tel 115-555-2671 ",
	    "\"imsi\":\"123456789012345\"",
	    "\"sn\":\"262019876543210\"",
	    "{\"id\":\"262019876543210\"}",
	    "ID76 - job 457021370421758 done",
	    "\"imei\":\"490154203237519\"",
	    "\"iccid\":\"8944500102198304827\"",
	    "-----BEGIN CERTIFICATE-----\nMIIE",
	    "-----BEGIN PUBLIC KEY-----\n",
	    "key=AKIASHORT ",
	    "eyJhbGciOiJIUzI1NiJ9",
	    "<input type=\"password\" name=\"p\">",
	    "password=&user=x",
	    "\"password\":null",
	    "password: ********",
	    "passengers=4242",
	    "http://host:8080/a@b",
	    "PASS \r\n",
	    "basic training: none",
	    "a@b.c",
	    "x@10.0.0.1",
	};

	for (size_t i = 0; i < sizeof clean / sizeof *clean; i++) {
		uint64_t forms = forms_of(best, view_of(clean[i]));

		if (forms)
			fprintf(stderr, "found %s in: %s\n", scan_forms[__builtin_ctzll(forms)].name,
				clean[i]);
		check_eq(forms, 0);
	}
}

static uint32_t dice(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Leaks and noise, one after the other, at any place of a block. */
static size_t mix(uint8_t *to, size_t cap, uint32_t *seed)
{
	static const char sign[] = "0123456789-+.,:;@$(){}[]\"'= ABCxyz/_\n";
	size_t n = 0;

	while (n + 200 < cap && dice(seed) % 12 != 0) {
		size_t k = dice(seed) % (sizeof leaks / sizeof *leaks), noise = dice(seed) % 40;
		size_t len = strlen(leaks[k].text);

		if (dice(seed) % 2) {
			memcpy(to + n, leaks[k].text, len);
			if (dice(seed) % 3 == 0)
				to[n + dice(seed) % len] = (uint8_t)dice(seed);
			n += len;
		}
		for (size_t i = 0; i < noise; i++)
			to[n++] = dice(seed) % 4 ? (uint8_t)sign[dice(seed) % (sizeof sign - 1)]
						 : (uint8_t)dice(seed);
	}
	return n;
}

TEST(every_level_finds_the_same_with_hyperscan_and_without)
{
	struct scanner *all[SCAN_LEVELS * 2] = {0};
	uint8_t *room = malloc(6000);
	uint32_t seed = 7;

	check(room != NULL);
	for (size_t l = 0; l < SCAN_LEVELS * 2; l++)
		all[l] = scanner_new((enum scan_level)(l / 2), l & 1);
	for (int round = 0; round < 3000; round++) {
		size_t n = mix(room, 6000, &seed);
		uint8_t *p = malloc(n + 1); /* so that a sanitizer sees a byte too far */
		struct scan_hit hit[SCAN_HITS];

		memcpy(p, room, n);
		for (size_t l = 1; l < SCAN_LEVELS * 2; l++) {
			if (scan(all[0], (struct view){p, n}, hit) < SCAN_HITS)
				check_eq(forms_of(all[l], (struct view){p, n}),
					 forms_of(all[0], (struct view){p, n}));
		}
		free(p);
	}
	printf("  best level here: %d\n", (int)scanner_level(best));
	for (size_t l = 0; l < SCAN_LEVELS * 2; l++)
		scanner_free(all[l]);
	free(room);
}

TEST(marks_are_the_same_at_every_length_and_place)
{
	uint8_t bytes[256];
	struct marks a[5], b[5];

	for (int i = 0; i < 256; i++)
		bytes[i] = (uint8_t)(i * 151 + 13);
	for (enum scan_level l = SCAN_SSE2; l < SCAN_LEVELS; l++) {
		if (scan_level_here(l) != l) {
			printf("  level %d: not on this machine, skipped\n", (int)l);
			continue;
		}
		for (size_t at = 0; at < 32; at++) {
			for (size_t n = 1; n + at <= 200; n++) {
				scan_marks(SCAN_PORTABLE, bytes + at, n, a);
				scan_marks(l, bytes + at, n, b);
				check(memcmp(a, b, (n + 63) / 64 * sizeof *a) == 0);
			}
		}
	}
}

TEST(evidence_never_holds_the_value)
{
	struct view v = VIEW("\"card\":\"5555555555554444\", mail jane@example.org ");
	struct scan_hit hit[SCAN_HITS];
	size_t n = scan(best, v, hit);
	char shape[SCAN_SHAPE];

	check_eq(n, 2);
	for (size_t i = 0; i < n; i++) {
		scan_shape(v, &hit[i], shape);
		check(strcmp(shape, hit[i].form == FORM_CARD ? "9999999999999999" : "aaaa@aaaaaaa.aaa") ==
		      0);
	}
}

static int begin(void)
{
	best = scanner_new(SCAN_AVX512, true);
	return best ? 0 : 1;
}

TEST(a_scanner_is_made)
{
	check_eq(begin(), 0);
}

TESTS(T(a_scanner_is_made), T(each_form_is_found_in_every_way_it_is_written),
      T(what_only_looks_like_a_leak_is_none), T(every_level_finds_the_same_with_hyperscan_and_without),
      T(marks_are_the_same_at_every_length_and_place), T(evidence_never_holds_the_value))
