/* A connection of the radio judged by a policy (R-5.2.1.a, R-5.2.2.b, R-5.2.3.b, R-5.2.4.d). */
#include "crypto/policy.h"
#include "unit/test.h"

TEST(each_way_of_protection_is_judged_by_what_it_is)
{
	const struct policy any = {policy_default(), 2}, lte = {policy_default(), 4};
	const struct policy clear = {policy_default() | 1u << RADIO_EEA0 | 1u << RADIO_A5_3, 2};
	const struct {
		const struct policy *p;
		unsigned int generation;
		const char *cipher, *integrity;
		enum policy_finding want;
	} row[] = {
	    {&any, 4, "EEA2", "EIA2", POLICY_NONE},	{&any, 4, "NEA3", "NIA1", POLICY_NONE},
	    {&any, 4, "EEA0", "EIA2", POLICY_CLEAR},	{&clear, 4, "EEA0", "EIA2", POLICY_NONE},
	    {&any, 4, "EEA1", "EIA0", POLICY_OPEN},	{&any, 4, "EEA0", "EIA0", POLICY_CLEAR},
	    {&clear, 4, "EEA0", "EIA0", POLICY_OPEN},	{&any, 4, "EEA7", "EIA2", POLICY_UNKNOWN},
	    {&any, 4, "EIA2", "EIA2", POLICY_UNKNOWN},	{&any, 4, "EEA2", "", POLICY_UNKNOWN},
	    {&any, 4, "UEA1", "EIA2", POLICY_OTHER},	{&any, 3, "UEA1", "EIA1", POLICY_OTHER},
	    {&any, 3, "UEA1", "UIA1", POLICY_NONE},	{&any, 3, "UEA2", "UIA2", POLICY_NONE},
	    {&lte, 3, "UEA2", "UIA2", POLICY_OLD},	{&lte, 2, "A5/4", "", POLICY_OLD},
	    {&any, 2, "A5/4", "", POLICY_NONE},		{&any, 2, "A5/3", "", POLICY_CIPHER},
	    {&clear, 2, "A5/3", "", POLICY_NONE},	{&any, 2, "A5/1", "", POLICY_CIPHER},
	    {&any, 2, "A5/0", "", POLICY_CLEAR},	{&clear, 2, "A5/0", "", POLICY_CLEAR},
	    {&any, 2, "GEA1", "", POLICY_CIPHER},	{&any, 2, "GEA5", "", POLICY_NONE},
	    {&any, 2, "GEA0", "whatever", POLICY_CLEAR}};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		printf("  %u %s %s\n", row[i].generation, row[i].cipher, row[i].integrity);
		check_eq(policy_judge(row[i].p, row[i].generation,
				      radio_find(view_of(row[i].cipher)),
				      radio_find(view_of(row[i].integrity))),
			 row[i].want);
	}
}

TEST(a_policy_that_leaves_one_out_forbids_it)
{
	struct policy p = {policy_default() & ~(1u << RADIO_EIA1), 2};

	check_eq(policy_judge(&p, 4, RADIO_EEA1, RADIO_EIA1), POLICY_INTEGRITY);
	check_eq(policy_judge(&p, 4, RADIO_EEA1, RADIO_EIA2), POLICY_NONE);
}

TEST(names_are_read_or_the_bad_one_is_given)
{
	struct view bad;
	uint32_t bits;

	check_eq(policy_read(VIEW("EEA2,EIA2  a5/4"), &bits, &bad), ERR_OK);
	check_eq(bits, 1u << RADIO_EEA2 | 1u << RADIO_EIA2 | 1u << RADIO_A5_4);
	check_eq(policy_read(VIEW(""), &bits, &bad), ERR_OK);
	check_eq(bits, 0);
	check_eq(policy_read(VIEW("EEA2 EEA9 EIA2"), &bits, &bad), ERR_VALUE);
	check(view_eq(bad, VIEW("EEA9")));
	check_eq(policy_default() >> RADIO_A5_3 & 1, 0);
	check_eq(policy_default() >> RADIO_A5_4 & 1, 1);
}

TESTS(T(each_way_of_protection_is_judged_by_what_it_is), T(a_policy_that_leaves_one_out_forbids_it),
      T(names_are_read_or_the_bad_one_is_given))
