#include "home/load.h"

#define VALIDITY_S 10
#define END_MS 60000 /* how long the end of an overload is repeated */
#define FULL 65535

/* From half full on, and in steps of ten: few reports, and time for them to work. */
static uint32_t reduction(uint64_t share)
{
	return share > 50 ? (uint32_t)(share - 50) * 2 / 10 * 10 : 0;
}

void load_update(struct home_load *l, size_t waiting, size_t max, uint64_t now_ms)
{
	uint64_t share = (uint64_t)waiting * 100 / max;
	uint32_t now = reduction(share);

	l->value = FULL * (100 - share) / 100;
	l->validity_s = VALIDITY_S;
	if (now != l->reduction) {
		l->reduction = now;
		l->sequence++;
		l->changed_ms = now_ms;
	}
	l->report = now > 0 || (l->sequence > 0 && now_ms - l->changed_ms < END_MS);
}
