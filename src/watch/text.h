/* Counters as text: Prometheus' exposition format, and JSON for the live view. */
#pragma once
#include "watch/watch.h"

/* Append to `to`; what does not fit is an error in it. */
void text_metrics(const struct watch_conf *c, struct wr *to);
void text_live(const struct watch_conf *c, struct wr *to);
/* All roles serve? */
bool text_ready(const struct watch_conf *c);
