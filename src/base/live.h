/* What a live view of a role shows beyond plain counters: traffic by network, and the wave of
 * returns that appointments predict. Lies in the role's shared page behind its metrics; written by
 * the role, read by anyone who maps the page. Numbers only, each written whole; a reader may see
 * one second's update halfway. */
#pragma once
#include "base/metric.h"
#include <stddef.h>

#define LIVE_NETWORK_MAX 512
#define LIVE_WAVE_MAX 128

struct live_network {
	uint64_t plmn; /* base/bcd.h; 0 = unused row */
	uint64_t arrived, passed, refused, appointed;
};

struct live {
	uint64_t wave_slot_ms; /* width of a slot of `wave`; 0 = no storm control here */
	uint64_t wave_n;
	uint64_t wave[LIVE_WAVE_MAX]; /* returns expected in the slots from now on */
	uint64_t limit, in_flight;    /* of the protected target: requests at once */
	uint64_t overload_percent;    /* reduction asked of partners (DOIC), 0..100 */
	uint64_t ready;		      /* the role serves */
	struct live_network network[LIVE_NETWORK_MAX];
};

struct role_page {
	struct metric_page metrics;
	struct live live;
};

/* Add to the row of a network; takes a free one when it has none, none left: counted in the last
 * row under plmn UINT64_MAX. One thread of the role at a time for one network is not needed: the
 * adds are atomic. */
struct live_network *live_network(struct live *l, uint64_t plmn);
