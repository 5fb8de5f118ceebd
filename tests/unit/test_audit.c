/* What merlon audit makes of its attempts, and that its table fits the checklist and the checks. */
#include "audit/audit.h"
#include "records/model.h"
#include "unit/temp.h"
#include "unit/test.h"

#include <unistd.h>

#define CHECKLIST "share/requirements.tsv" /* run in the checkout */
#define NOW       1800000000000u
#define PROOFS    128

static struct proof proofs[PROOFS];

static size_t find(const char *name)
{
	for (size_t i = 0; i < attempt_n; i++) {
		if (strcmp(attempts[i].name, name) == 0)
			return i;
	}
	fprintf(stderr, "no attempt named %s\n", name);
	abort();
}

/* All attempts end like this. */
static void all(enum state state, uint64_t at_ms)
{
	check(attempt_n <= PROOFS);
	for (size_t i = 0; i < attempt_n; i++)
		proofs[i] = (struct proof){ .state = state, .at_ms = at_ms };
}

static bool listed(const char *clause, size_t n)
{
	FILE *f = fopen(CHECKLIST, "r");
	char line[2048];
	bool found = false;

	check(f);
	while (!found && fgets(line, sizeof line, f))
		found = strncmp(line, clause, n) == 0 && line[n] == '\t';
	fclose(f);
	return found;
}

TEST(every_attempt_serves_clauses_of_the_checklist)
{
	for (size_t i = 0; i < attempt_n; i++) {
		const char *at = attempts[i].clauses;

		while (*at) {
			size_t n = strcspn(at, " ");

			if (!listed(at, n))
				fprintf(stderr, "%s: %.*s\n", attempts[i].name, (int)n, at);
			check(listed(at, n));
			at += n + (at[n] == ' ');
		}
	}
}

static bool tried(enum check c)
{
	for (size_t i = 0; i < attempt_n; i++) {
		if (attempts[i].check && check_find(view_of(attempts[i].check)) == c)
			return true;
	}
	return false;
}

/* Those that no single message can try: who is no peer has no request to judge, floods and storms are
 * attempts of their own, steering forgets only after a day. The numbers and forms of SS7, the sessions of
 * GTP no Diameter message has: tests/attacks shows that those are refused. */
TEST(every_check_that_one_message_can_try_has_a_canary)
{
	for (enum check c = CHECK_NONE + 1; c < CHECK_N; c++) {
		bool other = c == CHECK_PEER_UNKNOWN || check_rows[c].stage >= STAGE_LOAD ||
			     check_rows[c].mode != MODE_ENFORCE ||
			     c >= CHECK_NODE_ADDRESS;

		if (!other && !tried(c))
			fprintf(stderr, "%s\n", check_rows[c].name);
		check(other || tried(c));
	}
}

TEST(a_canary_expects_the_clause_of_its_check)
{
	for (size_t i = 0; i < attempt_n; i++) {
		enum check c = attempts[i].check ? check_find(view_of(attempts[i].check)) : CHECK_NONE;

		if (c == CHECK_NONE)
			check(!attempts[i].check || strcmp(attempts[i].check, "cer") == 0);
		else
			check(attempt_serves(&attempts[i], check_rows[c].clause));
	}
}

TEST(a_clause_is_not_served_by_one_that_begins_like_it)
{
	const struct attempt a = { .clauses = "R-5.6.1.g R-3.b" };

	check(attempt_serves(&a, "R-5.6.1.g"));
	check(attempt_serves(&a, "R-3.b"));
	check(!attempt_serves(&a, "R-5.6.1"));
	check(!attempt_serves(&a, "R-5.6.1.gg"));
	check(!attempt_serves(&a, "-3.b"));
}

TEST(a_clause_that_nothing_tries_is_without_evidence)
{
	uint64_t at;
	int one;

	all(SHOWN, NOW);
	check_eq(clause_state(proofs, "R-1.3.c", &at, &one), WITHOUT);
	check(one == -1);
}

TEST(one_failure_outweighs_all_else)
{
	uint64_t at;
	int one;

	all(SHOWN, NOW);
	check_eq(clause_state(proofs, "R-5.6.1.h", &at, &one), SHOWN);
	proofs[find("ORIGIN_HOST")].state = WITHOUT;
	check_eq(clause_state(proofs, "R-5.6.1.h", &at, &one), WITHOUT);
	proofs[find("VISITED")].state = NOT_SHOWN;
	check_eq(clause_state(proofs, "R-5.6.1.h", &at, &one), NOT_SHOWN);
	check_eq(one, find("VISITED"));
	check_eq(clause_state(proofs, "R-5.1.c", &at, &one), SHOWN);
}

TEST(a_clause_is_as_old_as_its_oldest_proof)
{
	uint64_t at;
	int one;

	all(SHOWN, NOW);
	proofs[find("ROUTE_OWN")].at_ms = NOW - 5000;
	check_eq(clause_state(proofs, "R-5.6.1.h", &at, &one), SHOWN);
	check_eq(at, NOW - 5000);
}

TEST(older_evidence_stands_in_only_where_there_is_none_and_only_for_a_day)
{
	char dir[TEMP_PATH], path[TEMP_PATH + 16];
	size_t seen = find("ORIGIN_REALM"), unseen = find("ORIGIN_OURS"), stale = find("GREY");

	temp_dir(dir);
	snprintf(path, sizeof path, "%s/audit.jsonl", dir);
	all(WITHOUT, NOW - 90000000);
	proofs[stale] = (struct proof){ SHOWN, NOW - 90000000, "long ago" };
	check(evidence_keep(path, NOW - 90000000, proofs));
	all(WITHOUT, NOW - 60000);
	proofs[seen] = (struct proof){ SHOWN, NOW - 60000, "then" };
	proofs[unseen] = (struct proof){ SHOWN, NOW - 60000, "then" };
	check(evidence_keep(path, NOW - 60000, proofs));

	all(WITHOUT, NOW);
	proofs[seen] = (struct proof){ NOT_SHOWN, NOW, "now" };
	evidence_recall(path, NOW, proofs);
	check_eq(proofs[seen].state, NOT_SHOWN);
	check(strcmp(proofs[seen].text, "now") == 0);
	check_eq(proofs[unseen].state, SHOWN);
	check_eq(proofs[unseen].at_ms, NOW - 60000);
	check_eq(proofs[stale].state, WITHOUT);
	temp_gone(dir);
}

TEST(an_evidence_file_of_garbage_is_passed_over)
{
	char dir[TEMP_PATH], path[TEMP_PATH + 16];
	FILE *f;

	temp_dir(dir);
	snprintf(path, sizeof path, "%s/audit.jsonl", dir);
	f = fopen(path, "w");
	check(f);
	fputs("{\"try\":\"GREY\",\"at_ms\":-1,\"state\":0}\n"
	      "{\"try\":7}\nnot json\n[]\n{\"try\":\"GREY\",", f);
	fclose(f);
	all(WITHOUT, NOW);
	evidence_recall(path, NOW, proofs);
	for (size_t i = 0; i < attempt_n; i++)
		check_eq(proofs[i].state, WITHOUT);
	temp_gone(dir);
}

TEST(a_metric_is_summed_by_its_label)
{
	static const char page[] = "# HELP a b\nm{role=\"edge\",check=\"4\"} 7\n"
				   "m{role=\"home\",check=\"4\"} 2\n"
				   "m{role=\"edge\",check=\"14\"} 100\nmm{role=\"edge\",check=\"4\"} 1000\nm";

	check_eq(sight_metric(page, "m", "check", "4"), 9);
	check_eq(sight_metric(page, "m", "check", ""), 109);
	check_eq(sight_metric(page, "m", "check", "5"), 0);
	check_eq(sight_metric(NULL, "m", "check", "4"), 0);
}

TEST(reserved_imsis_are_our_plmns_last)
{
	static struct reach reach;
	static struct audit a = { .reach = &reach };
	char text[16];

	reach.conf.plmn = bcd_of(VIEW("99970"));
	canary_imsi(&a, WHO_BOUND, text);
	check(strcmp(text, "999709999999904") == 0);
	reach.conf.plmn = bcd_of(VIEW("310410"));
	canary_imsi(&a, WHO_PLAIN, text);
	check(strcmp(text, "310410999999900") == 0);
	canary_imsi(&a, WHO_FOREIGN, text);
	check(strncmp(text, BLOCKED_PLMN, 5) == 0);
}

/* Switching a check off must switch off that check, or an audit would look at the wrong one. */
TEST(a_rule_is_about_the_check_that_it_names)
{
	int column = model_column(OBJ_RULE, VIEW("check"));

	for (enum check c = CHECK_NONE + 1; c < CHECK_N; c++) {
		static struct row row;
		struct say say;

		row_init(&row, OBJ_RULE);
		check_eq(row_set(&row, (unsigned int)column, view_of(check_rows[c].name), &say), ERR_OK);
		check_eq(row_at(&row, COL_RULE_CHECK)->num, c);
	}
}

TESTS(T(every_attempt_serves_clauses_of_the_checklist),
      T(every_check_that_one_message_can_try_has_a_canary), T(a_canary_expects_the_clause_of_its_check),
      T(a_clause_is_not_served_by_one_that_begins_like_it),
      T(a_clause_that_nothing_tries_is_without_evidence), T(one_failure_outweighs_all_else),
      T(a_clause_is_as_old_as_its_oldest_proof),
      T(older_evidence_stands_in_only_where_there_is_none_and_only_for_a_day),
      T(an_evidence_file_of_garbage_is_passed_over), T(a_metric_is_summed_by_its_label),
      T(reserved_imsis_are_our_plmns_last), T(a_rule_is_about_the_check_that_it_names))
