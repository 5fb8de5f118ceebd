/* Devices in time: who begins when, and what follows from each answer. */
#include "cli/sim.h"

#include <stdio.h>
#include <time.h>

#define NONE UINT32_MAX
#define CONNECT_MS 10000

uint32_t sim_random(struct sim *s)
{
	uint64_t a = s->random[0], b = s->random[1]; /* xorshift128+ */

	s->random[0] = b;
	a ^= a << 23;
	s->random[1] = a ^ b ^ (a >> 18) ^ (b >> 5);
	return (uint32_t)((s->random[1] + b) >> 32);
}

uint64_t sim_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t run_ms(const struct sim *s)
{
	return loop_now(s->loop) - s->start_ms;
}

static struct sim_second *second_of(struct sim *s)
{
	uint64_t at = run_ms(s) / 1000;

	return &s->second[at < SIM_SECOND_MAX ? at : SIM_SECOND_MAX - 1];
}

void sim_wake(struct sim *s, uint32_t device, uint32_t in_ms)
{
	uint64_t slot = (run_ms(s) + in_ms) / SIM_SLOT_MS;
	uint32_t *head;

	if (in_ms == UINT32_MAX)
		return;
	if (slot <= s->slot_done)
		slot = s->slot_done + 1;
	if (slot >= s->slot_done + SIM_SLOT_N)
		slot = s->slot_done + SIM_SLOT_N - 1;
	head = &s->wheel[slot % SIM_SLOT_N];
	s->device[device].next = *head;
	*head = device;
}

static enum sim_step next_step(const struct sim *s, enum sim_step after)
{
	for (unsigned int step = after ? (unsigned int)after << 1 : 1; step <= STEP_PUR;
	     step <<= 1) {
		if (s->conf.steps & step)
			return step;
	}
	return 0;
}

static struct sim_node *node_of(struct sim *s, uint32_t device)
{
	return &s->node[device % s->node_n];
}

static void go(struct sim *s, uint32_t device, enum sim_step step)
{
	if (!sim_send(s, node_of(s, device), device, step)) {
		sim_silence(s, device);
		return;
	}
	s->in_flight++;
	if (s->in_flight > s->peak)
		s->peak = s->in_flight;
}

/* A node under an overload report turns some away itself, with the timer that only it can give: around the
 * time that the report lasts, so that they do not all come back at its end. It knows urgent attaches by
 * their establishment cause, and lets them go (TS 29.272 Annex C). */
static bool turned_away(struct sim *s, struct sim_node *n, uint32_t device)
{
	struct device *d = &s->device[device];
	uint32_t t3346;

	if (!n->doic || loop_now(s->loop) >= n->reduced_until || s->group[d->group].urgent ||
	    sim_random(s) % 100 >= n->reduction)
		return false;
	n->reduced++;
	d->first_ok = d->first_ok ? d->first_ok : 2;
	second_of(s)->held++;
	t3346 = n->validity_ms / 2 + sim_random(s) % (n->validity_ms + 1);
	sim_wake(s, device, device_take(d, NEWS_BACK_OFF, t3346, sim_random(s)));
	return true;
}

/* When a device that got no service tries again: by its timers, or with --back-off at random. */
static void come_back(struct sim *s, uint32_t device, enum device_news news)
{
	uint32_t in_ms = device_take(&s->device[device], news, 0, sim_random(s));

	if (in_ms == UINT32_MAX)
		s->settled++;
	else if (s->conf.back_off_s > 0)
		in_ms = sim_random(s) % (uint32_t)(s->conf.back_off_s * 1000);
	sim_wake(s, device, in_ms);
}

static void begin(struct sim *s, uint32_t device)
{
	struct device *d = &s->device[device];
	struct sim_group *g = &s->group[d->group];

	if (d->state == DEVICE_BARRED || turned_away(s, node_of(s, device), device))
		return;
	d->tries++;
	d->state = DEVICE_AIR;
	d->began_ms = (uint32_t)run_ms(s);
	g->attempts++;
	second_of(s)->offered++;
	go(s, device, next_step(s, 0));
}

static void finish(struct sim *s, uint32_t device, struct device *d, struct sim_group *g)
{
	second_of(s)->ok++;
	hist_add(&g->attach, (run_ms(s) - d->began_ms) * 1000);
	if (d->tries == 1 && d->first_ok == 0)
		g->first_ok++;
	d->first_ok = 1;
	g->done++;
	s->settled++;
	device_take(d, NEWS_OK, 0, 0);
	d->tries = 0;
	(void)device;
}

void sim_news(struct sim *s, uint32_t device, enum sim_step step, uint64_t sent_us, uint32_t result,
	      uint32_t experimental)
{
	struct device *d = &s->device[device];
	struct sim_group *g = &s->group[d->group];
	enum device_news news = device_news_of(result, experimental);
	enum sim_step next = next_step(s, step);
	uint64_t took = sim_us() - sent_us;

	s->answers++;
	s->in_flight--;
	hist_add(&s->step_time[__builtin_ctz(step)], took);
	hist_add(&g->request, took);
	if (news == NEWS_OK && next) {
		go(s, device, next);
	} else if (news == NEWS_OK) {
		finish(s, device, d, g);
	} else {
		g->refused++;
		d->first_ok = 2; /* it had to try again */
		second_of(s)->refused++;
		g->barred += news == NEWS_NOT_HERE || news == NEWS_INVALID;
		come_back(s, device, news);
	}
}

void sim_silence(struct sim *s, uint32_t device)
{
	struct device *d = &s->device[device];

	s->in_flight -= s->in_flight > 0;
	s->group[d->group].silent++;
	d->first_ok = 2;
	second_of(s)->silent++;
	come_back(s, device, NEWS_TEMPORARY);
}

/* Steady load: devices take turns; one that is busy is passed over. */
static void begin_by_rate(struct sim *s)
{
	double ramp = (double)s->conf.ramp_s * 1000, now = (double)run_ms(s);
	double rate = (double)s->conf.rate * (now < ramp ? now / ramp : 1);

	s->owed += rate * (double)(run_ms(s) - s->owed_ms) / 1000.0;
	s->owed_ms = run_ms(s);
	for (uint32_t looked = 0; s->owed >= 1.0 && looked < s->device_n; looked++) {
		uint32_t device = s->cursor++ % s->device_n;

		if (s->device[device].state != DEVICE_IDLE &&
		    s->device[device].state != DEVICE_DONE)
			continue;
		s->owed -= 1.0;
		begin(s, device);
	}
	if (s->owed > (double)s->conf.rate)
		s->owed =
		    (double)s->conf.rate; /* all are busy: an open loop does not save up for ever */
}

static void wake_due(struct sim *s)
{
	uint64_t to = run_ms(s) / SIM_SLOT_MS;

	while (s->slot_done < to) {
		uint32_t *head = &s->wheel[++s->slot_done % SIM_SLOT_N];

		while (*head != NONE) {
			uint32_t device = *head;

			*head = s->device[device].next;
			begin(s, device);
		}
	}
}

/* When each device first tries, of those that wake: spread over the window, or batch by batch (docomo). */
static void plan(struct sim *s)
{
	const struct sim_conf *c = &s->conf;

	for (uint32_t i = 0; i < s->device_n && !c->loops; i++) {
		uint64_t window = c->window_s * 1000, at = 0;

		if (sim_random(s) % 100 >= c->awake_percent)
			continue;
		s->woken++;
		s->group[s->device[i].group].woken++;
		if (c->batch > 0)
			at = sim_random(s) % s->device_n / c->batch * c->batch_gap_s * 1000;
		sim_wake(s, i, (uint32_t)(at + (window ? sim_random(s) % window : 0)));
	}
}

/* A node that leaves says so (DPR): an unclean close costs the next run (facts on peers). */
static void leave(struct sim *s)
{
	bool all = true;

	if (!s->stopping)
		s->stop_ms = loop_now(s->loop);
	s->stopping = true;
	for (size_t i = 0; i < s->node_n; i++)
		all &= dia_node_stop(s->node[i].node, 0, loop_now(s->loop));
	if (all || loop_now(s->loop) - s->stop_ms > 2000)
		loop_stop(s->loop);
}

void sim_tick(void *ctx)
{
	struct sim *s = ctx;
	size_t open = 0;

	if (s->stopping) {
		leave(s);
		return;
	}

	for (size_t i = 0; i < s->node_n; i++) {
		if (run_ms(s) % 100 < SIM_TICK_MS)
			dia_node_tick(s->node[i].node, loop_now(s->loop));
		open += s->node[i].open;
	}
	if (!s->started) {
		if (open < s->node_n && s->waited_ms == 0)
			s->waited_ms = loop_now(s->loop);
		if (open < s->node_n && loop_now(s->loop) - s->waited_ms > CONNECT_MS) {
			fprintf(stderr, "merlon simulate: %zu of %zu nodes could not connect\n",
				s->node_n - open, s->node_n);
			leave(s);
		}
		if (open < s->node_n)
			return;
		s->started = 1;
		s->start_ms = loop_now(s->loop);
		plan(s);
	}
	wake_due(s);
	if (s->conf.loops)
		begin_by_rate(s);
	if (run_ms(s) >= s->conf.duration_s * 1000 || (s->conf.drain && s->settled >= s->woken))
		leave(s);
}
