/* Zn: a network application asks the bootstrapping server for a key (TS 29.109 5). */
#pragma once
#include "home/bsf.h"
#include "home/s6a.h"

/* Bootstrapping-Info-Answer. `k` counts when the result is OK alone. */
void zn_bia_write(struct wr *w, const struct s6a_in *in, enum result result, const struct bsf_key *k);
