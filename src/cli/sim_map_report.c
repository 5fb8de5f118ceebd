#include "cli/sim_map.h"

#include <stdio.h>

static const char *const names[MAP_STEPS] = {"SAI", "UGL", "UL", "PURGE", "SRI-SM"};

static void print_json(const struct sim_map *s, double seconds)
{
	const char *comma = "";

	printf("{\"seconds\":%.1f,\"answers\":%llu,\"answers_per_s\":%.1f,\"inserted\":%llu,"
	       "\"deleted\":%llu,"
	       "\"cancelled\":%llu,\"reset\":%llu,\"operations\":{",
	       seconds, (unsigned long long)s->answers, (double)s->answers / seconds,
	       (unsigned long long)s->inserted, (unsigned long long)s->deleted,
	       (unsigned long long)s->cancelled, (unsigned long long)s->reset);
	for (size_t i = 0; i < MAP_STEPS; i++) {
		const struct hist *h = &s->time[i];

		printf("%s\"%s\":{\"n\":%llu,\"p50_us\":%llu,\"p99_us\":%llu,\"max_us\":%llu}",
		       i ? "," : "", names[i], (unsigned long long)h->n,
		       (unsigned long long)hist_at(h, 0.5), (unsigned long long)hist_at(h, 0.99),
		       (unsigned long long)h->max_us);
	}
	printf("},\"errors\":{");
	for (size_t i = 0; i < 256; i++) {
		if (s->errors[i] == 0)
			continue;
		if (i == 255)
			printf("%s\"abort\":%llu", comma, (unsigned long long)s->errors[i]);
		else
			printf("%s\"%zu\":%llu", comma, i, (unsigned long long)s->errors[i]);
		comma = ",";
	}
	printf("},\"groups\":[");
	for (size_t i = 0; i < s->group_n; i++) {
		const struct sim_map_group *g = &s->group[i];

		printf("%s{\"group\":\"%s\",\"devices\":%u,\"attempts\":%llu,\"done\":%llu,"
		       "\"refused\":%llu,"
		       "\"silent\":%llu,\"p50_us\":%llu,\"p99_us\":%llu}",
		       i ? "," : "", g->name, g->n, (unsigned long long)g->attempts,
		       (unsigned long long)g->done, (unsigned long long)g->refused,
		       (unsigned long long)g->silent, (unsigned long long)hist_at(&g->time, 0.5),
		       (unsigned long long)hist_at(&g->time, 0.99));
	}
	printf("]}\n");
}

static void print_text(const struct sim_map *s, double seconds)
{
	printf("\n%.1f s, %llu answers, %.0f a second; from the HLR: insertSubscriberData %llu, "
	       "deleteSubscriberData %llu, cancelLocation %llu, reset %llu\n",
	       seconds, (unsigned long long)s->answers, (double)s->answers / seconds,
	       (unsigned long long)s->inserted, (unsigned long long)s->deleted,
	       (unsigned long long)s->cancelled, (unsigned long long)s->reset);
	printf("%-12s %10s %10s %10s %10s\n", "operation", "answers", "p50 ms", "p99 ms", "max ms");
	for (size_t i = 0; i < MAP_STEPS; i++) {
		const struct hist *h = &s->time[i];

		if (h->n > 0)
			printf("%-12s %10llu %10.3f %10.3f %10.3f\n", names[i],
			       (unsigned long long)h->n, (double)hist_at(h, 0.5) / 1000,
			       (double)hist_at(h, 0.99) / 1000, (double)h->max_us / 1000);
	}
	for (size_t i = 0; i < 256; i++) {
		if (s->errors[i] > 0 && i < 255)
			printf("MAP error %zu: %llu\n", i, (unsigned long long)s->errors[i]);
		else if (s->errors[i] > 0)
			printf("aborted or rejected: %llu\n", (unsigned long long)s->errors[i]);
	}
	printf("%-12s %9s %9s %9s %9s %9s %9s\n", "group", "devices", "attempts", "done", "refused",
	       "silent", "p99 ms");
	for (size_t i = 0; i < s->group_n; i++) {
		const struct sim_map_group *g = &s->group[i];

		printf("%-12s %9u %9llu %9llu %9llu %9llu %9.1f\n", g->name, g->n,
		       (unsigned long long)g->attempts, (unsigned long long)g->done,
		       (unsigned long long)g->refused, (unsigned long long)g->silent,
		       (double)hist_at(&g->time, 0.99) / 1000);
	}
}

void sim_map_report(struct sim_map *s)
{
	double seconds = (double)(s->stop_us - s->start_us) / 1e6;

	seconds = seconds > 0.001 ? seconds : 0.001;
	if (s->conf.json)
		print_json(s, seconds);
	else
		print_text(s, seconds);
}
