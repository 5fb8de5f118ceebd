/* What was counted in a second: the differences of the roles' counters, for whoever shows the last
 * hours. */
#pragma once
#include "watch/watch.h"

struct second;

struct second *second_new(void); /* NULL: out of memory */
void second_free(struct second *s);
/* The second that ends now, as JSON into `to`: arrived, passed and refused by class (critical,
 * high, normal, low), appointments, and for each network that had traffic [arrived, passed,
 * refused, appointed]. False: it is the first, there is nothing to compare with. A role that began
 * anew counts from nothing. */
bool second_take(struct second *s, const struct watch_conf *c, struct wr *to);
