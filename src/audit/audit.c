#include "audit/audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const struct attempt attempts[] = {
#define CANARY(id, clauses, check, expect, what, ...)                                              \
	{#id, clauses, what, "canary", check, expect, {__VA_ARGS__}, NULL},
#define PROOF(id, clauses, how, fn, what) {#id, clauses, what, how, NULL, 0, {.who = 0}, fn},
#include "audit/clause.tab"
#undef CANARY
#undef PROOF
};
const size_t attempt_n = sizeof attempts / sizeof *attempts;

uint64_t audit_wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

enum state proof(struct proof *p, enum state state, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(p->text, sizeof p->text, format, ap);
	va_end(ap);
	p->state = state;
	return state;
}

void audit_try(struct audit *a, const struct attempt *t, struct proof *p)
{
	*p = (struct proof){.state = WITHOUT};
	free(a->page);
	a->page = sight_page(a);
	if (t->run)
		(void)t->run(a, t, p);
	else
		(void)canary_try(a, t, p);
	p->at_ms = audit_wall_ms();
}

bool attempt_serves(const struct attempt *t, const char *clause)
{
	size_t n = strlen(clause);

	for (const char *at = t->clauses; (at = strstr(at, clause)); at += n) {
		if ((at == t->clauses || at[-1] == ' ') && (at[n] == 0 || at[n] == ' '))
			return true;
	}
	return false;
}

/* Not shown outweighs a lack of evidence, and that outweighs shown. */
static int weight(enum state s)
{
	return s == NOT_SHOWN ? 2 : s == WITHOUT ? 1 : 0;
}

enum state clause_state(const struct proof *proofs, const char *clause, uint64_t *at_ms, int *one)
{
	*one = -1;
	*at_ms = 0;
	for (size_t i = 0; i < attempt_n; i++) {
		const struct proof *p = &proofs[i];

		if (!attempt_serves(&attempts[i], clause))
			continue;
		if (*one < 0 || weight(p->state) > weight(proofs[*one].state)) {
			*one = (int)i;
			*at_ms = p->at_ms;
		} else if (p->state == proofs[*one].state && p->at_ms < *at_ms) {
			*at_ms = p->at_ms;
		}
	}
	return *one < 0 ? WITHOUT : proofs[*one].state;
}
