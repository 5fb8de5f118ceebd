/* docs/api.md's tables: every endpoint, from the portal's rows. */
#include "cli/cli.h"
#include "portal/route.h"

#include <stdio.h>

static const char *const short_roles[ROLE_N] = {"A", "S", "N", "C", "TA", "TE", "TV"};
static const char *const scopes[] = {"read", "write", "bulk", "events", "audit", "-"};

static void print_who(const struct route *r)
{
	for (unsigned int i = 0; i < ROLE_N; i++) {
		if (r->roles >> i & 1)
			printf("%s ", short_roles[i]);
	}
	if (r->roles == 0)
		printf("anybody ");
}

void print_api(void)
{
	printf("| endpoint | who | API key | step-up | what it does |\n|---|---|---|---|---|\n");
	for (const struct route *r = routes; r < routes + route_n; r++) {
		if (r->closed)
			continue;
		printf("| `%s %s` | ", route_method(r->method), r->path);
		print_who(r);
		printf("| %s | %s | %s |\n", r->roles == 0 || r->flags & ROUTE_STEP ? "-" : scopes[r->scope],
		       r->flags & ROUTE_STEP ? "yes" : "", r->help);
	}
}
