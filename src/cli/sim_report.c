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
		"%s%5llu s  offered %7u  done %7u  refused %7u  held %7u  silent %6u  in flight %6llu%s",
		isatty(STDERR_FILENO) ? "\r" : "", (unsigned long long)at, x->offered, x->ok,
		x->refused, x->held, x->silent, (unsigned long long)s->in_flight,
		isatty(STDERR_FILENO) ? " " : "\n");
}

static void print_commands(const struct sim *s)
{
	for (size_t i = 0; i < 4; i++) {
		const struct hist *h = &s->step_time[i];

		printf("%s\"%s\":{\"n\":%llu,\"p50_us\":%llu,\"p99_us\":%llu,\"max_us\":%llu}", i ? "," : "",
		       step_names[i], (unsigned long long)h->n, (unsigned long long)hist_at(h, 0.5),
		       (unsigned long long)hist_at(h, 0.99), (unsigned long long)h->max_us);
	}
}

static void print_group(const struct sim_group *g)
{
	const struct {
		const char *name;
		uint64_t value;
	} row[] = {
	    {"devices", g->n},
	    {"woken", g->woken},
	    {"attempts", g->attempts},
	    {"done", g->done},
	    {"first_try", g->first_ok},
	    {"refused", g->refused},
	    {"barred", g->barred},
	    {"silent", g->silent},
	    {"p50_us", hist_at(&g->attach, 0.5)},
	    {"p99_us", hist_at(&g->attach, 0.99)},
	    {"request_p50_us", hist_at(&g->request, 0.5)},
	    {"request_p99_us", hist_at(&g->request, 0.99)},
	};

	printf("{\"group\":\"%s\"", g->name);
	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		printf(",\"%s\":%llu", row[i].name, (unsigned long long)row[i].value);
	printf("}");
}

/* By second: attaches begun, done, refused, without an answer, and held back by the nodes themselves. */
static void print_series(const struct sim *s, double seconds)
{
	static const char *const name[] = {"offered", "done", "refused", "silent", "held"};
	size_t n = seconds < SIM_SECOND_MAX ? (size_t)seconds : SIM_SECOND_MAX;

	for (size_t k = 0; k < sizeof name / sizeof *name; k++) {
		printf("%s\"%s\":[", k ? "," : "", name[k]);
		for (size_t t = 0; t < n; t++) {
			const struct sim_second *x = &s->second[t];
			const uint32_t value[] = {x->offered, x->ok, x->refused, x->silent, x->held};

			printf("%s%u", t ? "," : "", value[k]);
		}
		printf("]");
	}
}

static void print_json(struct sim *s, double seconds)
{
	printf("{\"seconds\":%.1f,\"answers\":%llu,\"answers_per_s\":%.1f,\"clr\":%llu,\"idr\":%llu,"
	       "\"dsr\":%llu,\"peak_in_flight\":%llu,\"commands\":{",
	       seconds, (unsigned long long)s->answers, (double)s->answers / seconds,
	       (unsigned long long)s->clr, (unsigned long long)s->idr, (unsigned long long)s->dsr,
	       (unsigned long long)s->peak);
	print_commands(s);
	printf("},\"groups\":[");
	for (size_t i = 0; i < s->group_n; i++) {
		printf("%s", i ? "," : "");
		print_group(&s->group[i]);
	}
	printf("],\"each_second\":{");
	print_series(s, seconds);
	printf("}}\n");
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
