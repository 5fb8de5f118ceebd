/* A device that attaches, as the standards make it behave: what each answer does to it, and when it
 * comes back (TS 24.301 §5.5.1.2.5, §10.2; TS 29.272 Annex A; facts on the wire in judge/). Pure.
 */
#pragma once
#include "base/bytes.h"

#define T3411_MS 10000u
#define T3402_MS 720000u
#define TRIES 5

enum device_state { DEVICE_IDLE, DEVICE_AIR, DEVICE_ULR, DEVICE_ECR, DEVICE_DONE, DEVICE_BARRED };

/* What the network answered, in a device's eyes. */
enum device_news {
	NEWS_OK,
	NEWS_TEMPORARY, /* EMM #17, or silence: T3411 five times, then T3402 */
	NEWS_NOT_HERE,	/* EMM #11, #13, #15: this network is forbidden; it would try another */
	NEWS_INVALID,	/* EMM #8, #7: the USIM is invalid until power-off */
	NEWS_BACK_OFF,	/* EMM #22 with T3346: wait as told */
};

struct device {
	uint32_t next;	   /* in a list of the wheel */
	uint32_t began_ms; /* of the first attempt, since the run's start */
	uint8_t state, tries, first_ok, group;
};

/* The news that a Diameter outcome becomes (Result-Code, or the experimental one). */
enum device_news device_news_of(uint32_t result, uint32_t experimental);

/* Take the news; returns in how many milliseconds it tries again, or UINT32_MAX: never. `t3346_ms`
 * for NEWS_BACK_OFF; `random` any number, for the jitter that radio and clocks bring. */
uint32_t device_take(struct device *d, enum device_news news, uint32_t t3346_ms, uint32_t random);
