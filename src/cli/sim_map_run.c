/* Devices of merlon simulate --map: an open loop, each with one dialogue at a time. */
#include "cli/sim.h"
#include "cli/sim_map.h"

#include <stdio.h>

#define CONNECT_US 10000000u
#define IN_FLIGHT 2000 /* without a rate */
#define INDEX_BITS 24

static const struct {
	uint8_t op, context, ssn;
} steps[MAP_STEPS] = {
    [MAP_SAI] = {56, 14, SSN_SGSN},   [MAP_UGL] = {23, 32, SSN_SGSN}, [MAP_UL] = {2, 1, SSN_VLR},
    [MAP_PURGE] = {67, 27, SSN_SGSN}, [MAP_SRI] = {45, 20, SSN_MSC},
};

/* --- asking --- */

static uint64_t identity(const struct sim_map *s, uint32_t device)
{
	const struct sim_map_group *g = &s->group[s->device[device].group];
	char text[24];

	snprintf(text, sizeof text, "%0*llu", g->digits,
		 (unsigned long long)(g->first + device - g->at));
	return bcd_of(view_of(text));
}

static void put_argument(struct sim_map *s, struct wr *w, enum sim_map_step step, uint64_t who)
{
	static const uint8_t address[] = {4, 127, 0, 0, 1};
	const uint8_t now = 1;
	size_t arg = step == MAP_PURGE ? ber_open(w, BER_CONTEXT, 3)
				       : ber_open(w, BER_UNIVERSAL, BER_SEQUENCE);

	switch (step) {
	case MAP_SAI:
		map_put_imsi(w, BER_CONTEXT, 0, who);
		ber_put_int(w, BER_UNIVERSAL, BER_INTEGER, 2);
		ber_put_int(w, BER_CONTEXT, 3, s->conf.steps >> MAP_UL & 1 ? 0 : 1);
		break;
	case MAP_UGL:
		map_put_imsi(w, BER_UNIVERSAL, BER_OCTETS, who);
		map_put_number(w, BER_UNIVERSAL, BER_OCTETS, sim_map_number(s, SSN_SGSN));
		ber_put(w, BER_UNIVERSAL, BER_OCTETS, (struct view){address, sizeof address});
		break;
	case MAP_UL:
		map_put_imsi(w, BER_UNIVERSAL, BER_OCTETS, who);
		map_put_number(w, BER_CONTEXT, 1, sim_map_number(s, SSN_MSC));
		map_put_number(w, BER_UNIVERSAL, BER_OCTETS, sim_map_number(s, SSN_VLR));
		break;
	case MAP_PURGE:
		map_put_imsi(w, BER_UNIVERSAL, BER_OCTETS, who);
		map_put_number(w, BER_CONTEXT, 1, sim_map_number(s, SSN_SGSN));
		break;
	case MAP_SRI:
	case MAP_STEPS:
		map_put_number(w, BER_CONTEXT, 0, who);
		ber_put(w, BER_CONTEXT, 1, (struct view){&now, 1});
		map_put_number(w, BER_CONTEXT, 2, sim_map_number(s, SSN_MSC));
		break;
	}
	ber_close(w, arg);
}

static struct view tid_of(const struct sim_map *s, uint32_t device, uint8_t room[4])
{
	struct wr w = {.p = room, .cap = 4};

	wr_be(&w, (uint64_t)s->device[device].round << INDEX_BITS | device, 4);
	return wr_done(&w);
}

static void ask(struct sim_map *s, uint32_t device, enum sim_map_step step)
{
	struct sim_map_device *d = &s->device[device];
	struct wr w = {.p = s->tcap, .cap = sizeof s->tcap};
	uint8_t tid[4], oid[MAP_OID];
	struct tcap_out o;

	d->step = (uint8_t)(step + 1);
	d->round = (uint8_t)((d->round + 1) & 0x7f); /* above are the attacks' identifiers */
	d->asked_us = sim_us();
	tcap_start(&o, &w, TCAP_BEGIN, tid_of(s, device, tid), (struct view){0});
	tcap_put_aarq(&o, map_oid(steps[step].context, 3, oid));
	tcap_open_components(&o);
	tcap_open_invoke(&o, 1, steps[step].op);
	put_argument(s, &w, step, identity(s, device));
	tcap_end(&o);
	sim_map_send(s, step == MAP_SAI && s->conf.steps >> MAP_UL & 1 ? SSN_VLR : steps[step].ssn,
		     SSN_HLR, &w);
}

static uint32_t next_step(const struct sim_map *s, uint32_t from)
{
	while (from < MAP_STEPS && !(s->conf.steps >> from & 1))
		from++;
	return from;
}

static void begin(struct sim_map *s, uint32_t device)
{
	struct sim_map_device *d = &s->device[device];

	s->group[d->group].attempts++;
	s->active++;
	d->began_us = sim_us();
	ask(s, device, (enum sim_map_step)next_step(s, 0));
}

static void over(struct sim_map *s, uint32_t device)
{
	struct sim_map_device *d = &s->device[device];

	d->step = 0;
	s->active--;
	if (!d->over)
		s->left--;
	d->over = true;
}

static void answered(struct sim_map *s, uint32_t device, const struct hlr_heard *h)
{
	struct sim_map_device *d = &s->device[device];
	struct sim_map_group *g = &s->group[d->group];
	uint32_t next = next_step(s, d->step);

	hist_add(&s->time[d->step - 1], sim_us() - d->asked_us);
	s->answers++;
	if (h->component != TCAP_RESULT) {
		s->errors[h->component == TCAP_ERROR ? h->code : 255]++;
		g->refused++;
		over(s, device);
	} else if (next < MAP_STEPS) {
		ask(s, device, (enum sim_map_step)next);
	} else {
		g->done++;
		hist_add(&g->time, sim_us() - d->began_us);
		over(s, device);
	}
}

/* --- what the HLR asks --- */

/* Taken, whatever it is; in its dialogue, which goes on where it was ours. */
static void take(struct sim_map *s, uint8_t own_ssn, uint8_t peer_ssn, const struct hlr_heard *h)
{
	struct wr w = {.p = s->tcap, .cap = sizeof s->tcap};
	bool ours = h->type == TCAP_CONTINUE;
	struct tcap_out o;

	s->inserted += h->op == HLR_OP_INSERT;
	s->deleted += h->op == HLR_OP_DELETE;
	s->cancelled += h->op == HLR_OP_CANCEL;
	s->reset += h->op == HLR_OP_RESET;
	if (h->op == HLR_OP_RESET)
		return; /* nobody waits for an answer */
	tcap_start(&o, &w, ours ? TCAP_CONTINUE : TCAP_END, ours ? h->dtid : (struct view){0},
		   h->otid);
	if (!ours && h->oid.n > 0)
		tcap_put_aare(&o, h->oid, true);
	tcap_open_components(&o);
	tcap_put_done(&o, h->invoke);
	tcap_end(&o);
	sim_map_send(s, own_ssn, peer_ssn ? peer_ssn : SSN_HLR, &w);
}

void sim_map_heard(struct sim_map *s, uint8_t own_ssn, uint8_t peer_ssn, const struct hlr_heard *h)
{
	struct rd r = {.left = h->dtid};
	uint32_t id = rd_be(&r, 4), device = id & ((1u << INDEX_BITS) - 1);

	if (h->type == TCAP_BEGIN) {
		take(s, own_ssn, peer_ssn, h);
		return;
	}
	if (r.err || sim_attack_heard(s, h) || device >= s->device_n ||
	    s->device[device].step == 0 || s->device[device].round != id >> INDEX_BITS)
		return;
	if (h->type == TCAP_CONTINUE)
		take(s, own_ssn, peer_ssn, h);
	else
		answered(s, device, h);
}

/* --- time --- */

static void sweep(struct sim_map *s)
{
	uint64_t now = sim_us();

	for (uint32_t i = 0; i < s->device_n; i++) {
		if (s->device[i].step == 0 || now - s->device[i].asked_us < SIM_MAP_SILENCE_US)
			continue;
		s->group[s->device[i].group].silent++;
		over(s, i);
	}
	if (!s->conf.quiet)
		fprintf(stderr, "%5llu s  answers %10llu  in flight %8u\n",
			(unsigned long long)((now - s->start_us) / 1000000),
			(unsigned long long)s->answers, s->active);
}

static void begin_due(struct sim_map *s)
{
	uint64_t now = sim_us();

	s->owed += (double)s->conf.rate * (double)(now - s->owed_us) / 1e6;
	s->owed_us = now;
	if (s->conf.rate == 0)
		s->owed = s->active < IN_FLIGHT ? (double)(IN_FLIGHT - s->active) : 0;
	for (uint32_t looked = 0; s->owed >= 1.0 && looked < s->device_n; looked++) {
		uint32_t device = s->cursor++ % s->device_n;

		if (s->device[device].step || (s->conf.rate == 0 && s->device[device].over))
			continue;
		s->owed -= 1.0;
		begin(s, device);
	}
	if (s->owed > (double)s->conf.rate)
		s->owed = (double)s->conf.rate;
}

static void leave(struct sim_map *s)
{
	s->leaving = true;
	s->stop_us = sim_us();
	m3ua_node_stop(s->node, loop_now(s->loop));
	loop_stop(s->loop);
}

static bool all_heard(const struct sim_map *s)
{
	for (size_t i = 0; i < sim_attack_n; i++) {
		if (!s->attack[i].over)
			return false;
	}
	return true;
}

void sim_map_tick(void *ctx)
{
	struct sim_map *s = ctx;
	uint64_t now = sim_us(), ran;

	m3ua_node_tick(s->node, loop_now(s->loop));
	if (s->start_us == 0) {
		s->owed_us = s->owed_us ? s->owed_us : now;
		if (!s->up && now - s->owed_us > CONNECT_US) {
			fprintf(stderr, "merlon simulate: the other end does not take traffic\n");
			s->failed = true;
			loop_stop(s->loop);
		}
		if (!s->up)
			return;
		s->start_us = s->owed_us = s->sweep_us = now;
		if (s->conf.attacks)
			sim_attack_send(s);
	}
	ran = now - s->start_us;
	if (s->conf.attacks) {
		if (ran >= 3000000 || all_heard(s))
			leave(s);
		return;
	}
	if (now - s->sweep_us >= 1000000) {
		s->sweep_us = now;
		sweep(s);
	}
	if (ran >= s->conf.duration_s * 1000000 || (s->conf.rate == 0 && s->left == 0))
		leave(s);
	else
		begin_due(s);
}
