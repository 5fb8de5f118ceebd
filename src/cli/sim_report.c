#include "cli/sim.h"

#include <stdio.h>
#include <unistd.h>

static const char *const step_names[] = {"AIR", "ULR", "ECR", "PUR"};

void sim_progress(struct sim *s)
{
	uint64_t at = s->started ? (loop_now(s->loop) - s->start_ms) / 1000 : 0;
	const struct sim_second *x;

	if (s->conf.quiet || at == 0 || at > SIM_SECOND_MAX)
		return;
	x = &s->second[at - 1];
	fprintf(stderr,
		"%s%5llu s  offered %7u  done %7u  refused %7u  silent %6u  in flight %6llu%s",
		isatty(STDERR_FILENO) ? "\r" : "", (unsigned long long)at, x->offered, x->ok,
		x->refused, x->silent, (unsigned long long)s->in_flight,
		isatty(STDERR_FILENO) ? " " : "\n");
}

static void print_json(struct sim *s, double seconds)
{
	printf(
	    "{\"seconds\":%.1f,\"answers\":%llu,\"answers_per_s\":%.1f,\"clr\":%llu,\"idr\":%llu,"
	    "\"dsr\":%llu,\"peak_in_flight\":%llu,\"commands\":{",
	    seconds, (unsigned long long)s->answers, (double)s->answers / seconds,
	    (unsigned long long)s->clr, (unsigned long long)s->idr, (unsigned long long)s->dsr,
	    (unsigned long long)s->peak);
	for (size_t i = 0; i < 4; i++) {
		const struct hist *h = &s->step_time[i];

		printf("%s\"%s\":{\"n\":%llu,\"p50_us\":%llu,\"p99_us\":%llu,\"max_us\":%llu}",
		       i ? "," : "", step_names[i], (unsigned long long)h->n,
		       (unsigned long long)hist_at(h, 0.5), (unsigned long long)hist_at(h, 0.99),
		       (unsigned long long)h->max_us);
	}
	printf("},\"groups\":[");
	for (size_t i = 0; i < s->group_n; i++) {
		const struct sim_group *g = &s->group[i];

		printf("%s{\"group\":\"%s\",\"devices\":%u,\"attempts\":%llu,\"done\":%llu,\"first_"
		       "try\":%llu,"
		       "\"refused\":%llu,\"barred\":%llu,\"silent\":%llu,\"p50_us\":%llu,\"p99_"
		       "us\":%llu}",
		       i ? "," : "", g->name, g->n, (unsigned long long)g->attempts,
		       (unsigned long long)g->done, (unsigned long long)g->first_ok,
		       (unsigned long long)g->refused, (unsigned long long)g->barred,
		       (unsigned long long)g->silent, (unsigned long long)hist_at(&g->attach, 0.5),
		       (unsigned long long)hist_at(&g->attach, 0.99));
	}
	printf("]}\n");
}

static void print_text(struct sim *s, double seconds)
{
	printf("\n%.1f s, %llu answers, %.0f a second; most in flight %llu; from the HSS: CLR %llu "
	       "IDR %llu "
	       "DSR %llu\n",
	       seconds, (unsigned long long)s->answers, (double)s->answers / seconds,
	       (unsigned long long)s->peak, (unsigned long long)s->clr, (unsigned long long)s->idr,
	       (unsigned long long)s->dsr);
	printf("%-12s %10s %10s %10s %10s\n", "command", "answers", "p50 ms", "p99 ms", "max ms");
	for (size_t i = 0; i < 4; i++) {
		const struct hist *h = &s->step_time[i];

		if (h->n > 0)
			printf("%-12s %10llu %10.3f %10.3f %10.3f\n", step_names[i],
			       (unsigned long long)h->n, (double)hist_at(h, 0.5) / 1000,
			       (double)hist_at(h, 0.99) / 1000, (double)h->max_us / 1000);
	}
	printf("%-12s %9s %9s %9s %9s %9s %9s %9s %9s\n", "group", "devices", "attempts", "done",
	       "first try", "refused", "barred", "silent", "p99 ms");
	for (size_t i = 0; i < s->group_n; i++) {
		const struct sim_group *g = &s->group[i];

		printf("%-12s %9u %9llu %9llu %9llu %9llu %9llu %9llu %9.1f\n", g->name, g->n,
		       (unsigned long long)g->attempts, (unsigned long long)g->done,
		       (unsigned long long)g->first_ok, (unsigned long long)g->refused,
		       (unsigned long long)g->barred, (unsigned long long)g->silent,
		       (double)hist_at(&g->attach, 0.99) / 1000);
	}
}

void sim_report(struct sim *s)
{
	double seconds = s->started ? (double)(s->stop_ms - s->start_ms) / 1000 : 0;

	if (seconds <= 0)
		seconds = 0.001;
	if (s->conf.json)
		print_json(s, seconds);
	else
		print_text(s, seconds);
}
