/* The pools behind MAP: segments and dialogues, in bounds whatever comes; categories as they are
 * configured. */
#include "node/map_adapt.h"
#include "unit/test.h"

static const uint8_t key[HASH_KEY] = "a test of pools";
static uint8_t room[16 * 1024];

/* An XUDT of three octets of data, as a segment: a title that says who sends. */
static struct msg *segment(uint8_t sender, uint8_t how, uint8_t reference)
{
	static uint8_t bytes[] = { 0x11, 1, 15,	 4,   6,   8,	 11, 2, 0x42, 6, 2, 0x42,
				   0,	 3, 'a', 'b', 'c', 0x10, 4,  0, 0,    0, 0, 0 };
	static struct msg m;
	struct arena mem = { room, 0, sizeof room };

	bytes[12] = sender;
	bytes[19] = how;
	bytes[22] = reference;
	check_eq(sccp_parse(&m, (struct view){ bytes, sizeof bytes }, &mem), ERR_OK);
	return &m;
}

#define FIRST(left) (uint8_t)(0x80 | (left))

TEST(segments_are_put_together_in_their_order_only)
{
	struct sccp_join *j = sccp_join_new(4, key);
	struct joined got;

	check(j != NULL);
	check_eq(sccp_join_take(j, segment(1, FIRST(2), 7), 1000).state, JOIN_WAITS);
	check_eq(sccp_join_take(j, segment(2, FIRST(1), 7), 1000).state, JOIN_WAITS);
	check_eq(sccp_join_take(j, segment(1, 1, 7), 1001).state, JOIN_WAITS);
	got = sccp_join_take(j, segment(1, 0, 7), 1002);
	check_eq(got.state, JOIN_WHOLE);
	check(got.split);
	check(view_eq(got.data, VIEW("abcabcabc")));
	check_eq(sccp_join_take(j, segment(1, 0, 7), 1003).state, JOIN_BROKEN); /* of nothing that began */
	check_eq(sccp_join_take(j, segment(3, FIRST(3), 7), 1003).state, JOIN_WAITS);
	check_eq(sccp_join_take(j, segment(3, 1, 7), 1003).state, JOIN_BROKEN); /* one is missing */
	check_eq(sccp_join_take(j, segment(3, 0, 7), 1003).state, JOIN_BROKEN);
	check_eq(sccp_join_take(j, segment(4, FIRST(1), 7), 1003).state, JOIN_WAITS);
	check_eq(sccp_join_take(j, segment(4, 0, 7), 1002).state, JOIN_WHOLE); /* by another interface */
	check_eq(sccp_join_take(j, segment(2, 0, 7), 1000 + JOIN_MS + 1).state, JOIN_BROKEN); /* too late */
	got = sccp_join_take(j, segment(9, FIRST(0), 7), 1003);
	check_eq(got.state, JOIN_WHOLE); /* a segmentation of one */
	check(!got.split);
	sccp_join_free(j);
}

TEST(a_flood_of_first_segments_displaces_the_oldest_and_nothing_grows)
{
	struct sccp_join *j = sccp_join_new(4, key);

	for (unsigned int i = 0; i < 100000; i++)
		check_eq(sccp_join_take(j, segment((uint8_t)(i >> 8), FIRST(15), (uint8_t)i), i).state,
			 JOIN_WAITS);
	check_eq(sccp_join_take(j, segment(200, FIRST(1), 1), 100001).state, JOIN_WAITS);
	check_eq(sccp_join_take(j, segment(200, 0, 1), 100001).state, JOIN_WHOLE);
	sccp_join_free(j);
}

static uint64_t key_of(const struct map_dialogues *d, uint32_t n)
{
	return map_dialogue_key(d, (struct view){ (const uint8_t *)&n, sizeof n }, 42);
}

TEST(dialogues_are_found_from_both_sides_until_they_end)
{
	struct map_dialogues *d = map_dialogues_new(1024, key);
	struct map_dialogue *x;

	check(d != NULL);
	x = map_dialogue_begin(d, key_of(d, 1), 1000);
	x->imsi = 77;
	check(map_dialogue_find(d, key_of(d, 1), 1001) == x);
	check(map_dialogue_find(d, key_of(d, 1), 999) == x); /* frames are not quite in order */
	check(!map_dialogue_find(d, key_of(d, 2), 1001));
	map_dialogue_join(d, x, key_of(d, 2));
	check(map_dialogue_find(d, key_of(d, 2), 1001) == x);
	check(!map_dialogue_find(d, key_of(d, 1), 1001 + DIALOGUE_MS));
	x = map_dialogue_begin(d, key_of(d, 1), 5000);
	check_eq(x->imsi, 0);
	map_dialogue_join(d, x, key_of(d, 2));
	map_dialogue_end(d, x);
	check(!map_dialogue_find(d, key_of(d, 1), 5001));
	check(!map_dialogue_find(d, key_of(d, 2), 5001));
	map_dialogues_free(d);
}

TEST(a_hundred_thousand_open_dialogues_fit_and_ten_times_as_many_stay_in_bounds)
{
	struct map_dialogues *d = map_dialogues_new(1u << 18, key);
	unsigned int found = 0;

	check(d != NULL);
	for (uint32_t i = 0; i < 100000; i++)
		(void)map_dialogue_begin(d, key_of(d, i), 1000 + i / 1000);
	for (uint32_t i = 0; i < 100000; i++)
		found += map_dialogue_find(d, key_of(d, i), 1200) != NULL;
	printf("  %u of 100000\n", found);
	check(found > 99000); /* lossy where eight share a set of their hash */
	for (uint32_t i = 0; i < 1000000; i++)
		(void)map_dialogue_begin(d, key_of(d, i), 2000 + i / 1000);
	check(map_dialogue_find(d, key_of(d, 999999), 3000) != NULL);
	map_dialogues_free(d);
}

TEST(categories_are_taken_from_the_configuration)
{
	struct map_conf conf = { 0 };
	char why[256];

	check_eq(map_categories(&conf, VIEW("sendIdentification=3, checkIMEI=2  sendIMSI=4"), why), ERR_OK);
	check_eq(conf.category[55], CATEGORY_VISITED);
	check_eq(conf.category[43], CATEGORY_HOME);
	check_eq(conf.category[58], CATEGORY_SMS);
	check_eq(map_categories(&conf, VIEW(""), why), ERR_OK);
	check_eq(map_categories(&conf, VIEW("sendIMSI=0"), why), ERR_CONFIG);
	check_eq(map_categories(&conf, VIEW("sendIMSI=33"), why), ERR_CONFIG);
	check_eq(map_categories(&conf, VIEW("sendIMSI"), why), ERR_CONFIG);
	check_eq(map_categories(&conf, VIEW("nothing=3"), why), ERR_CONFIG);
	check(strstr(why, "nothing=3") != NULL);
}

TESTS(T(segments_are_put_together_in_their_order_only),
      T(a_flood_of_first_segments_displaces_the_oldest_and_nothing_grows),
      T(dialogues_are_found_from_both_sides_until_they_end),
      T(a_hundred_thousand_open_dialogues_fit_and_ten_times_as_many_stay_in_bounds),
      T(categories_are_taken_from_the_configuration))
