/* Destinations of user data, as a profile has them. */
#include "inspect/packet.h"
#include "judge/book.h"
#include "records/model.h"
#include "unit/test.h"

static const struct {
	const char *text, *address, *name;
	enum err err;
	uint8_t bits, protocol, below;
	uint16_t port_from, port_to;
} cases[] = {
	{ "192.0.2.1", "192.0.2.1", "", ERR_OK, 128, 0, 0, 0, 65535 },
	{ "tcp:192.0.2.0/24:443", "192.0.2.0", "", ERR_OK, 120, 6, 0, 443, 443 },
	{ "UDP:192.0.2.0/24:5683-5684", "192.0.2.0", "", ERR_OK, 120, 17, 0, 5683, 5684 },
	{ "udp:[2001:db8::/32]:5683", "2001:db8::", "", ERR_OK, 32, 17, 0, 5683, 5683 },
	{ "[2001:db8::1]", "2001:db8::1", "", ERR_OK, 128, 0, 0, 0, 65535 },
	{ "icmp:0.0.0.0/0", "0.0.0.0", "", ERR_OK, 96, 1, 0, 0, 65535 },
	{ "broker.Example.com:8883", NULL, "broker.example.com", ERR_OK, 0, 0, 0, 8883, 8883 },
	{ "tcp:*.example.com", NULL, "example.com", ERR_OK, 0, 6, 1, 0, 65535 },
	{ "tcp", NULL, "tcp", ERR_OK, 0, 0, 0, 0, 65535 },
	{ "192.0.2", NULL, NULL, ERR_VALUE, 0, 0, 0, 0, 0 },
	{ "192.0.2.1/33", NULL, NULL, ERR_VALUE, 0, 0, 0, 0, 0 },
	{ "2001:db8::1", NULL, NULL, ERR_VALUE, 0, 0, 0, 0, 0 },
	{ "[2001:db8::1]x", NULL, NULL, ERR_VALUE, 0, 0, 0, 0, 0 },
	{ "[2001:db8::/129]", NULL, NULL, ERR_VALUE, 0, 0, 0, 0, 0 },
	{ "tcp:", NULL, NULL, ERR_VALUE, 0, 0, 0, 0, 0 },
	{ "*.", NULL, NULL, ERR_VALUE, 0, 0, 0, 0, 0 },
	{ "a..b", NULL, NULL, ERR_VALUE, 0, 0, 0, 0, 0 },
	{ "icmp:192.0.2.1:7", NULL, NULL, ERR_VALUE, 0, 0, 0, 0, 0 },
	{ "192.0.2.1:0", NULL, NULL, ERR_VALUE, 0, 0, 0, 0, 0 },
	{ "192.0.2.1:70000", NULL, NULL, ERR_VALUE, 0, 0, 0, 0, 0 },
	{ "192.0.2.1:9-8", NULL, NULL, ERR_VALUE, 0, 0, 0, 0, 0 },
	{ "", NULL, NULL, ERR_VALUE, 0, 0, 0, 0, 0 },
};

TEST(a_destination_is_what_it_says)
{
	char text[ADDRESS_TEXT];
	struct reach_row r;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		printf("  %s\n", cases[i].text);
		check_eq(model_reach(view_of(cases[i].text), &r), cases[i].err);
		if (cases[i].err)
			continue;
		check_eq(r.family == 0, !cases[i].address);
		address_text(r.address, text);
		check(!cases[i].address || strcmp(text, cases[i].address) == 0);
		check(strcmp(r.name, cases[i].name) == 0);
		check_eq(r.bits, cases[i].bits);
		check_eq(r.protocol, cases[i].protocol);
		check_eq(r.below, cases[i].below);
		check_eq(r.port_from, cases[i].port_from);
		check_eq(r.port_to, cases[i].port_to);
	}
}

TEST(a_profile_holds_sixteen_in_small_letters)
{
	static struct row r;
	struct say s;
	int column = model_column(OBJ_PROFILE, VIEW("reach"));
	char list[17 * 10 + 1] = "";

	row_init(&r, OBJ_PROFILE);
	check_eq(row_set(&r, (unsigned int)column, VIEW("TCP:Platform.Example:443, [2001:DB8::1]"), &s),
		 ERR_OK);
	check(view_eq(row_at(&r, COL_PROFILE_REACH)->text,
		      VIEW("tcp:platform.example:443 [2001:db8::1]")));
	check(row_set(&r, (unsigned int)column, VIEW("192.0.2.1 nowhere:"), &s) != ERR_OK);
	for (int i = 0; i < 17; i++)
		memcpy(list + i * 10, "192.0.2.1 ", 10);
	check(row_set(&r, (unsigned int)column, view_of(list), &s) != ERR_OK);
	list[16 * 10] = 0;
	check_eq(row_set(&r, (unsigned int)column, view_of(list), &s), ERR_OK);
}

TESTS(T(a_destination_is_what_it_says), T(a_profile_holds_sixteen_in_small_letters))
