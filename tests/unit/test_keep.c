/* The keeper's frames: from bytes, never through a socket. */
#include "unit/test.h"
#include "wire/keep.h"

#define HEAD(op, n) "MK\x01" op "\0\0\0\x07\0\0\0" n
#define FIELD(tag, n, value) "\0" tag "\0\0\0" n value

TEST(a_frame_is_held_against_its_row)
{
	static const struct {
		const char *what;
		struct view frame;
		enum err want;
	} cases[] = {
		{ "state", VIEW_INIT(HEAD("\x08", "\x00")), ERR_OK },
		{ "get", VIEW_INIT(HEAD("\x01", "\x13") FIELD("\x01", "\x04", "rule") FIELD("\x02", "\x03", "key")), ERR_OK },
		{ "get without key", VIEW_INIT(HEAD("\x01", "\x0a") FIELD("\x01", "\x04", "rule")), ERR_MISSING },
		{ "object twice", VIEW_INIT(HEAD("\x01", "\x14") FIELD("\x01", "\x04", "rule") FIELD("\x01", "\x04", "rule")), ERR_REPEATED },
		{ "a field of another request", VIEW_INIT(HEAD("\x08", "\x09") FIELD("\x02", "\x03", "key")), ERR_NOT_ALLOWED },
		{ "a reply's field", VIEW_INIT(HEAD("\x08", "\x09") FIELD("\x21", "\x03", "why")), ERR_NOT_ALLOWED },
		{ "unknown field", VIEW_INIT(HEAD("\x08", "\x09") FIELD("\x7f", "\x03", "key")), ERR_UNKNOWN },
		{ "unknown request", VIEW_INIT(HEAD("\x7f", "\x00")), ERR_UNKNOWN_CMD },
		{ "empty object", VIEW_INIT(HEAD("\x0d", "\x06") FIELD("\x01", "\x00", "")), ERR_LENGTH },
		{ "object too long", VIEW_INIT(HEAD("\x0d", "\x17") FIELD("\x01", "\x11", "12345678901234567")), ERR_LENGTH },
		{ "number of 3 bytes", VIEW_INIT(HEAD("\x09", "\x09") FIELD("\x04", "\x03", "abc")), ERR_LENGTH },
		{ "field beyond the end", VIEW_INIT(HEAD("\x0d", "\x09") FIELD("\x01", "\x04", "abc")), ERR_SHORT },
		{ "length that lies", VIEW_INIT(HEAD("\x08", "\x01")), ERR_HEADER },
		{ "half a head", VIEW_INIT("MK\x01\x08\0\0"), ERR_HEADER },
		{ "version 2", VIEW_INIT("MK\x02\x08\0\0\0\0\0\0\0\0"), ERR_HEADER },
	};
	struct keep k;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		enum err err = keep_parse(&k, cases[i].frame);

		if (err != cases[i].want)
			fprintf(stderr, "%s\n", cases[i].what);
		check_eq(err, cases[i].want);
	}
}

TEST(what_is_emitted_is_parsed_again)
{
	static uint8_t room[65536];
	struct wr w = { .p = room, .cap = sizeof room };
	struct keep a = { .op = KEEP_SET, .id = 9, .pair_n = 2, .has = (uint64_t)1 << KEEP_PAIR }, b;

	keep_put_text(&a, KEEP_OBJECT, VIEW("subscription"));
	keep_put_text(&a, KEEP_KEY, VIEW("999700000000001"));
	keep_put_num(&a, KEEP_APPROVE, 77);
	a.pair[0] = VIEW("life=suspended");
	a.pair[1] = VIEW("imei=");
	keep_emit(&w, &a);
	check_eq(w.err, ERR_OK);
	check_eq(keep_frame(wr_done(&w)), w.n);
	check_eq(keep_frame((struct view){ room, 11 }), 0);
	check_eq(keep_parse(&b, wr_done(&w)), ERR_OK);
	check_eq(b.op, KEEP_SET);
	check_eq(b.id, 9);
	check_eq(b.num[KEEP_APPROVE], 77);
	check(view_eq(b.text[KEEP_KEY], VIEW("999700000000001")));
	check_eq(b.pair_n, 2);
	check(view_eq(b.pair[1], VIEW("imei=")));
}

TEST(a_frame_that_is_none_of_ours_is_known_early)
{
	check_eq(keep_frame(VIEW("GE")), 0);
	check_eq(keep_frame(VIEW("GET / HTTP/1.1\r\n")), SIZE_MAX);
	check_eq(keep_frame(VIEW("MK\x01\x08\0\0\0\0\xff\xff\xff\xff")), SIZE_MAX);
}

TEST(more_pairs_than_there_is_room_for_are_refused)
{
	static uint8_t room[65536];
	struct wr w = { .p = room, .cap = sizeof room };
	struct keep k;

	wr_view(&w, VIEW(HEAD("\x03", "\0")));
	wr_view(&w, VIEW(FIELD("\x01", "\x04", "rule") FIELD("\x02", "\x03", "key")));
	for (int i = 0; i < KEEP_PAIRS_MAX + 1; i++)
		wr_view(&w, VIEW(FIELD("\x0c", "\x03", "a=b")));
	wr_at(&w, 8, w.n - KEEP_HEAD, 4);
	check_eq(keep_parse(&k, wr_done(&w)), ERR_REPEATED);
}

TESTS(T(a_frame_is_held_against_its_row), T(what_is_emitted_is_parsed_again),
      T(a_frame_that_is_none_of_ours_is_known_early),
      T(more_pairs_than_there_is_room_for_are_refused))
