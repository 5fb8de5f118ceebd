/* Sightings outlive a restart: a thread writes them to two files in turn, so that one is always
 * whole. */
#pragma once
#include "judge/sightings.h"

struct snapshot;

/* Open DIR/sightings.0 and .1 and take in the newer one that is whole (neither: nothing is known
 * yet). Before the sandbox. ERR_IO, ERR_FULL with one clear line in `why`. Borrows `s`. */
enum err MUST_USE snapshot_open(struct snapshot **out, struct sightings *s, const char *dir,
				char why[256]);
/* Write every minute, from a thread of its own. */
void snapshot_start(struct snapshot *p);
/* Write once more and end. Before the sightings are freed; NULL is nothing. */
void snapshot_close(struct snapshot *p);
