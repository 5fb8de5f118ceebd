/* Parts of the command line that need no system: subscription files, simulated devices, histograms.
 */
#include "cli/csv.h"
#include "cli/csv_key.h"
#include "cli/sim_device.h"
#include "cli/sim_hist.h"
#include "unit/test.h"

static struct csv_header header;
static uint8_t room[512];

/* R-2.b: no key reaches the records. */
TEST(key_columns_are_cut_out_of_a_line)
{
	struct wr rest = {.p = room, .cap = sizeof room};
	struct csv_keys keys;

	check_eq(csv_header(&header, VIEW("imsi,iccid,alg,k,opc,op,topc,amf,tenant")), ERR_OK);
	check_eq(csv_split(&header, VIEW("001010000000001,89,milenage,AA,BB,,,8000,\"a,b\""), &keys,
			   &rest),
		 ERR_OK);
	check(view_eq(wr_done(&rest), VIEW("001010000000001,89,milenage,,,,,,\"a,b\"")));
	check(view_eq(keys.k, VIEW("AA")) && view_eq(keys.opc, VIEW("BB")) &&
	      view_eq(keys.amf, VIEW("8000")));
	check(keys.any);
	rest.n = 0;
	check_eq(csv_split(&header, VIEW("001010000000001,89,milenage,,,,,,x"), &keys, &rest),
		 ERR_OK);
	check(!keys.any);
	rest.n = 0; /* the last cell counts, empty or not */
	check_eq(csv_split(&header, VIEW("001010000000001,89,milenage,AA,BB,,,8000,"), &keys, &rest),
		 ERR_OK);
	check(view_eq(wr_done(&rest), VIEW("001010000000001,89,milenage,,,,,,")));
}

TEST(a_line_that_hides_a_key_is_refused)
{
	struct wr rest = {.p = room, .cap = sizeof room};
	struct csv_keys keys;

	check_eq(csv_split(&header, VIEW("1,2,3,\"AA\",5,6,7,8,9"), &keys, &rest), ERR_VALUE);
	rest.n = 0;
	check_eq(csv_split(&header, VIEW("1,2,3,4,5,6,7,8,9,10"), &keys, &rest), ERR_LENGTH);
}

TEST(hexadecimal_is_read_whole_or_not_at_all)
{
	uint8_t b[2];

	check(csv_hex(VIEW("80fF"), b, 2) && b[0] == 0x80 && b[1] == 0xff);
	check(!csv_hex(VIEW("80f"), b, 2));
	check(!csv_hex(VIEW("80fg"), b, 2));
	check(!csv_hex(VIEW("80ff00"), b, 2));
}

#define HEX16 "000102030405060708090a0b0c0d0e0f"
#define HEX32 HEX16 HEX16

/* .b: what is no key of MILENAGE or TUAK is refused with a reason that names the column. */
TEST(a_key_is_whole_or_refused_with_the_column_named)
{
	static const struct {
		const char *alg, *k, *opc, *op, *topc, *amf, *tuak, *why, *test;
	} row[] = {
	    {"", HEX16, HEX16, "", "", "", "", NULL, ""},
	    {"MILENAGE", HEX16, "", HEX16, "", "8000", "", NULL, ""},
	    {"tuak", HEX16, "", "", HEX32, "", "", NULL, ""},
	    {"TUAK", HEX32, "", HEX32, "", "b9b9", "128:7", NULL, ""},
	    {"tuak", HEX32, "", HEX32, "", "", "32", NULL, ""},
	    {"tuak", HEX32, "", HEX32, "", "", "256", "tuak: ", ""},
	    {"tuak", HEX32, "", HEX32, "", "", "64:0", "tuak: ", ""},
	    {"tuak", HEX32, "", HEX32, "", "", "64:256", "tuak: ", ""},
	    {"tuak", HEX32, "", HEX32, "", "", "64:1:1", "tuak: ", ""},
	    {"tuak", HEX32, "", HEX32, "", "", "64x", "tuak: ", ""},
	    {"tuak", HEX32, "", HEX32, "", "", ":1", "tuak: ", ""},
	    {"tuak", HEX16, "", HEX16, "", "", "", "op: ", ""},
	    {"tuak", HEX16, "", "", HEX16, "", "", "topc: ", ""},
	    {"tuak", HEX16, HEX16, "", HEX32, "", "", "opc: ", ""},
	    {"tuak", HEX16 "00", "", "", HEX32, "", "", "k: ", ""},
	    {"tuak", HEX16, "", HEX32, HEX32, "", "", "topc, op: ", ""},
	    {"milenage", HEX32, HEX16, "", "", "", "", "k: ", ""},
	    {"milenage", HEX16, HEX16, "", HEX32, "", "", "topc, tuak: ", ""},
	    {"milenage", HEX16, HEX16, "", "", "", "64", "topc, tuak: ", ""},
	    {"milenage", HEX16, "", "", "", "", "", "opc, op: ", ""},
	    {"milenage", HEX16, HEX16, "", "", "80", "", "amf: ", ""},
	    {"comp128-2", HEX16, HEX16, "", "", "", "", "alg: COMP128-1 and -2 are broken", ""},
	    {"comp128-2", HEX16, "", "", "", "", "", "alg: COMP128-1 and -2 are broken", "yes"},
	    {"xor", HEX16, "", "", "", "", "", "alg: XOR", ""},
	    {"xor", HEX16, "", "", "", "", "", "alg: XOR", "no"},
	    {"comp128-3", HEX16, "", "", "", "", "", "alg: COMP128-3", ""},
	    {"xor", HEX16, "", "", "", "8000", "", NULL, "yes"},
	    {"COMP128-3", HEX16, "", "", "", "", "", NULL, "yes"},
	    {"xor", HEX16, HEX16, "", "", "", "", "opc, op", "yes"},
	    {"comp128-3", HEX32, "", "", "", "", "", "k: ", "yes"},
	    {"des", HEX16, HEX16, "", "", "", "", "alg: must be", ""},
	};
	struct aka *aka = aka_new();

	check(aka);
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct csv_keys c = {.alg = view_of(row[i].alg), .k = view_of(row[i].k),
				     .opc = view_of(row[i].opc), .op = view_of(row[i].op),
				     .topc = view_of(row[i].topc), .amf = view_of(row[i].amf),
				     .tuak = view_of(row[i].tuak),
				     .test = view_of(row[i].test)};
		struct aka_key key;
		const char *why = csv_key(aka, &c, &key);

		printf("  %zu %s\n", i, why ? why : "taken");
		check(!why == !row[i].why);
		check(!why || strncmp(why, row[i].why, strlen(row[i].why)) == 0);
		check(why || aka_key_ok(&key));
	}
	aka_free(aka);
}

/* .f: TS 24.301 §5.5.1.2.6: T3411 until the fifth try, then T3402. */
TEST(a_device_tries_five_times_and_then_rests)
{
	struct device d = {0};

	for (int i = 1; i <= 4; i++) {
		d.tries++;
		check_eq(device_take(&d, NEWS_TEMPORARY, 0, 0), T3411_MS);
	}
	d.tries++;
	check_eq(device_take(&d, NEWS_TEMPORARY, 0, 0), T3402_MS);
	check_eq(d.tries, 0);
	check_eq(device_take(&d, NEWS_BACK_OFF, 90000, 0), 90000);
	check_eq(device_take(&d, device_news_of(0, 5001), 0, 0), UINT32_MAX);
	check_eq(d.state, DEVICE_BARRED);
}

TEST(each_answer_means_to_a_device_what_annex_a_says)
{
	check_eq(device_news_of(2001, 0), NEWS_OK);
	check_eq(device_news_of(0, 5001), NEWS_INVALID);
	check_eq(device_news_of(0, 5004), NEWS_NOT_HERE);
	check_eq(device_news_of(0, 4181), NEWS_TEMPORARY);
	check_eq(device_news_of(5012, 0), NEWS_TEMPORARY);
	check_eq(device_news_of(3004, 0), NEWS_TEMPORARY);
	check_eq(device_news_of(5004, 0), NEWS_TEMPORARY); /* base 5004 is another thing */
}

TEST(percentiles_are_within_three_percent)
{
	static struct hist h;

	for (uint64_t us = 1; us <= 100000; us++)
		hist_add(&h, us);
	check(hist_at(&h, 0.5) >= 49000 && hist_at(&h, 0.5) <= 52000);
	check(hist_at(&h, 0.99) >= 98000 && hist_at(&h, 0.99) <= 100000);
	check_eq(hist_at(&h, 1.0), 100000);
	check_eq(hist_at(&(struct hist){0}, 0.5), 0);
}

TESTS(T(key_columns_are_cut_out_of_a_line), T(a_line_that_hides_a_key_is_refused),
      T(hexadecimal_is_read_whole_or_not_at_all),
      T(a_key_is_whole_or_refused_with_the_column_named), T(a_device_tries_five_times_and_then_rests),
      T(each_answer_means_to_a_device_what_annex_a_says), T(percentiles_are_within_three_percent))
