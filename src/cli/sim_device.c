#include "cli/sim_device.h"

enum device_news device_news_of(uint32_t result, uint32_t experimental)
{
	static const struct {
		uint32_t result, experimental;
		enum device_news news;
	} row[] = {
	    {2001, 0, NEWS_OK},	       {2002, 0, NEWS_OK},	 {0, 5001, NEWS_INVALID},
	    {0, 5420, NEWS_NOT_HERE},  {0, 5421, NEWS_NOT_HERE}, {0, 5004, NEWS_NOT_HERE},
	    {0, 4181, NEWS_TEMPORARY}, {3002, 0, NEWS_NOT_HERE}, {3003, 0, NEWS_NOT_HERE},
	    {5003, 0, NEWS_NOT_HERE},
	};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		if (row[i].result == result && row[i].experimental == experimental)
			return row[i].news;
	}
	return NEWS_TEMPORARY;
}

uint32_t device_take(struct device *d, enum device_news news, uint32_t t3346_ms, uint32_t random)
{
	uint32_t jitter = random % 500;

	switch (news) {
	case NEWS_OK:
		d->state = DEVICE_DONE;
		return UINT32_MAX;
	case NEWS_NOT_HERE:
	case NEWS_INVALID:
		d->state = DEVICE_BARRED;
		return UINT32_MAX;
	case NEWS_BACK_OFF:
		d->state = DEVICE_IDLE;
		d->tries = 0;
		return t3346_ms + jitter;
	case NEWS_TEMPORARY:
		break;
	}
	d->state = DEVICE_IDLE;
	if (d->tries < TRIES)
		return T3411_MS + jitter;
	d->tries = 0;
	return T3402_MS + jitter;
}
