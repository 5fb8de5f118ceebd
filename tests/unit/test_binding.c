/* R-5.1.1.2.b, R-5.7.3, R-3.1.j: whose device it is, and what follows. */
#include "judge/binding.h"
#include "unit/test.h"

#define OWN   "00101780000001"
#define OTHER "00101790000001"

static uint64_t id(const char *digits)
{
	return bcd_of(view_of(digits));
}

TEST(what_a_sim_is_bound_to_must_hold_altogether)
{
	static const struct {
		const char *why, *imei, *tacs, *host, *in, *model, *unique;
		enum bound want;
	} cases[] = {
		{ "not bound", "", "", "", OTHER, "", "", BOUND_FREE },
		{ "its device", OWN, "", "", OWN, "", "", BOUND_OWN },
		{ "another", OWN, "", "", OTHER, "", "", BOUND_STRANGER },
		{ "its type", "00101780", "", "", OWN, "", "", BOUND_OWN },
		{ "another type", "00101780", "", "", OTHER, "", "", BOUND_STRANGER },
		{ "nobody says which", OWN, "", "", "", "", "", BOUND_UNKNOWN },
		{ "first of two types", "", "0010178000101777", "", OWN, "", "", BOUND_OWN },
		{ "second of two types", "", "0010177700101780", "", OWN, "", "", BOUND_OWN },
		{ "none of two types", "", "0010177700101778", "", OWN, "", "", BOUND_STRANGER },
		{ "its device, of another type", OWN, "00101777", "", OWN, "", "", BOUND_STRANGER },
		{ "its host by model", "", "", "Acme/Meter", OWN, "Acme/Meter", "A-1", BOUND_OWN },
		{ "its host by id", "", "", "A-1", OWN, "Acme/Meter", "A-1", BOUND_OWN },
		{ "another host", "", "", "Acme/Meter", OWN, "Acme/Router", "A-2", BOUND_STRANGER },
		{ "no host reported", "", "", "Acme/Meter", OWN, "", "", BOUND_UNKNOWN },
		{ "its own, in another host", OWN, "", "Acme/Meter", OWN, "Acme/Router", "", BOUND_STRANGER },
		{ "another device, no host", OWN, "", "Acme/Meter", OTHER, "", "", BOUND_STRANGER },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sub_row sub = { .imei = id(cases[i].imei),
				       .host = binding_host(view_of(cases[i].host)) };
		struct host_row host = { .model = binding_host(view_of(cases[i].model)),
					 .unique = binding_host(view_of(cases[i].unique)) };
		const char *tac = cases[i].tacs;
		bool reported = cases[i].model[0] || cases[i].unique[0];

		for (size_t k = 0; tac[0]; k++, tac += 8)
			sub.tac[k] = (uint32_t)(bcd_of((struct view){ (const uint8_t *)tac, 8 }) >> 32);
		if (binding_look(&sub, id(cases[i].in), reported ? &host : NULL) != cases[i].want)
			fprintf(stderr, "%s\n", cases[i].why);
		check_eq(binding_look(&sub, id(cases[i].in), reported ? &host : NULL), cases[i].want);
	}
}

TEST(a_reaction_is_the_profiles_but_for_critical_ones)
{
	static const struct {
		enum binding binding;
		enum reaction want;
	} cases[] = {
		{ BINDING_ALERT, REACT_ALERT }, { BINDING_REFUSE, REACT_REFUSE },
		{ BINDING_GREYLIST, REACT_GREYLIST }, { BINDING_DETACH, REACT_DETACH },
		{ BINDING_QUARANTINE, REACT_QUARANTINE },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct profile_row p = { .binding = (uint8_t)cases[i].binding,
					 .quarantine = { .name = "q" } };
		struct sub_row sub = { .prio = PRIO_LOW };

		check_eq(binding_reaction(&sub, &p, BOUND_STRANGER), cases[i].want);
		check_eq(binding_reaction(&sub, &p, BOUND_OWN), REACT_NONE);
		check_eq(binding_reaction(&sub, &p, BOUND_UNKNOWN), REACT_NONE);
		p.quarantine.name[0] = 0;
		check(binding_reaction(&sub, &p, BOUND_STRANGER) != REACT_QUARANTINE);
		check_eq(binding_reaction(&sub, NULL, BOUND_STRANGER), REACT_ALERT);
		sub.prio = PRIO_CRITICAL;
		check_eq(binding_reaction(&sub, &p, BOUND_STRANGER), REACT_ALERT);
		p.binding = 200; /* of a newer record */
		sub.prio = PRIO_LOW;
		check_eq(binding_reaction(&sub, &p, BOUND_STRANGER), REACT_ALERT);
	}
}

TEST(an_identity_is_worth_what_was_proved)
{
	check_eq(binding_assurance(false, BOUND_OWN, false), ASSURED_IMEI);
	check_eq(binding_assurance(true, BOUND_STRANGER, false), ASSURED_SIM);
	check_eq(binding_assurance(true, BOUND_UNKNOWN, false), ASSURED_SIM);
	check_eq(binding_assurance(true, BOUND_OWN, false), ASSURED_BOUND);
	check_eq(binding_assurance(false, BOUND_FREE, true), ASSURED_CERT);
	check(ASSURED_IMEI < ASSURED_SIM && ASSURED_SIM < ASSURED_BOUND && ASSURED_BOUND < ASSURED_CERT);
}

TEST(a_greylisting_ends_and_spares_critical_ones)
{
	struct sub_row sub = { .flags = SUB_GREY, .grey_until = 100, .prio = PRIO_LOW };

	check(binding_grey(&sub, 99));
	check(!binding_grey(&sub, 100));
	sub.prio = PRIO_CRITICAL;
	check(!binding_grey(&sub, 99));
	sub = (struct sub_row){ .grey_until = 100, .prio = PRIO_LOW };
	check(!binding_grey(&sub, 99));
}

TESTS(T(what_a_sim_is_bound_to_must_hold_altogether), T(a_reaction_is_the_profiles_but_for_critical_ones),
      T(an_identity_is_worth_what_was_proved), T(a_greylisting_ends_and_spares_critical_ones))
