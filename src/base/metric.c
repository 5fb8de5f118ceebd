#include "base/metric.h"

#include <assert.h>
#include <stddef.h>

static struct metric_page own;
static struct metric_page *page = &own;

#define NAMES(...) (const char *const[]){ __VA_ARGS__, NULL }
#define NUMBERS(n) NULL

#define COUNT_NAMES(...) (sizeof (const char *[]){ __VA_ARGS__ } / sizeof (char *))
#define COUNT_NUMBERS(n) (n)

const struct metric_row metric_rows[M_COUNT] = {
#define METRIC(id, kind, name, help, label, values) \
	[M_##id] = { (name), (help), (label), values, (kind), COUNT_##values },
#include "base/metric.tab"
#undef METRIC
};

void metric_add(enum metric m, unsigned int value, uint64_t by)
{
	assert(value < metric_rows[m].value_n);
	__atomic_fetch_add(&page->cell[m][value], by, __ATOMIC_RELAXED);
}

void metric_set(enum metric m, unsigned int value, uint64_t to)
{
	assert(value < metric_rows[m].value_n);
	__atomic_store_n(&page->cell[m][value], to, __ATOMIC_RELAXED);
}

uint64_t metric_get(enum metric m, unsigned int value)
{
	assert(value < metric_rows[m].value_n);
	return __atomic_load_n(&page->cell[m][value], __ATOMIC_RELAXED);
}

void metric_map(struct metric_page *to)
{
	page = to;
}
