/* Counters and gauges. One call; the rows are in metric.tab.
 *
 * They lie in one page per role that others may map read-only. Until metric_map() they lie in
 * the process. Any thread may add. */
#pragma once
#include "base/err.h"
#include <stdint.h>

enum metric_kind { COUNTER, GAUGE };

enum metric {
#define METRIC(id, kind, name, help, label, values) M_##id,
#include "base/metric.tab"
#undef METRIC
	M_COUNT
};

#define METRIC_VALUES_MAX 64

struct metric_row {
	const char *name, *help, *label; /* label "" = none */
	const char *const *values;       /* names of the label's values, NULL-terminated, or NULL: numbers */
	enum metric_kind kind;
	unsigned int value_n;
};

struct metric_page {
	uint64_t cell[M_COUNT][METRIC_VALUES_MAX];
};

extern const struct metric_row metric_rows[M_COUNT];

void metric_add(enum metric m, unsigned int value, uint64_t by);
void metric_set(enum metric m, unsigned int value, uint64_t to);
uint64_t metric_get(enum metric m, unsigned int value);

/* Count into this page from now on; borrowed for the life of the process, zeroed by the caller. */
void metric_map(struct metric_page *page);
