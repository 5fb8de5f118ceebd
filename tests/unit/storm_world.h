/* The judge and what it looks up, for a storm in virtual time: device n has IMSI 99970 and n in ten digits. */
#pragma once
#include "judge/admission.h"
#include "judge/sightings.h"

struct storm_world {
	struct book book;
	struct sightings *seen;
	struct admission *target;
	struct judge *judge;
	struct sub_row sub;
};

void storm_world_open(struct storm_world *w);
void storm_world_close(struct storm_world *w);

/* Seconds since the storm began as the judge's time. */
uint64_t storm_world_ms(double at);

struct verdict storm_world_ask(struct storm_world *w, uint32_t device, enum op op, double at);
void storm_world_done(struct storm_world *w, uint32_t device, enum op op, double asked, double at);

/* The storm's own: the class of a device. */
uint8_t storm_prio_of(uint32_t device);
