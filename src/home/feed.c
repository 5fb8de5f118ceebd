/* Following the feed: changes from the cursor on, and passes over the registrations where a change
 * concerns many, or where the ring has run over the cursor. */
#include "home/feed.h"

#define BATCH 64

void feed_init(struct feed *f, uint64_t cursor)
{
	*f = (struct feed){.cursor = cursor};
	feed_want_all(f); /* what was queued when the process ended is found again by comparing */
}

void feed_want_all(struct feed *f)
{
	f->next.all = true;
}

void feed_want_profile(struct feed *f, uint32_t profile)
{
	for (size_t i = 0; i < f->next.profile_n; i++) {
		if (f->next.profile[i] == profile)
			return;
	}
	if (f->next.profile_n == FEED_PROFILES)
		f->next.all = true;
	else
		f->next.profile[f->next.profile_n++] = profile;
}

static bool wished(const struct feed_wish *wish, const struct reg_row *row)
{
	if (row->flags == 0)
		return false; /* only keeps a sequence difference */
	for (size_t i = 0; !wish->all && i < wish->profile_n; i++) {
		if (wish->profile[i] == row->profile)
			return true;
	}
	return wish->all;
}

/* The SIM that the report came by, or any. */
static bool host_changed(struct feed *f, const struct feed_means *m, uint64_t imei)
{
	const struct host_row *host = book_host(serving_book(m->read), imei);

	if (host && host->imsi)
		return m->look(m->ctx, host->imsi);
	feed_want_all(f);
	return true;
}

/* One change. False: no room for what it calls for, come back to it. */
static bool follow(struct feed *f, const struct feed_means *m, const struct change *c)
{
	switch ((enum change_kind)c->kind) {
	case CHANGE_SUB:
		return m->look(m->ctx, c->id);
	case CHANGE_PROFILE:
		feed_want_profile(f, (uint32_t)c->id);
		return true;
	case CHANGE_NETWORK:
	case CHANGE_RULE:
	case CHANGE_EQUIP:
	case CHANGE_RANGE:
	case CHANGE_AGREEMENT:
		return true; /* no node was told of these */
	case CHANGE_HOST:
		return host_changed(f, m, c->id);
	}
	return true;
}

static size_t changes(struct feed *f, const struct feed_means *m, size_t max)
{
	struct change c[BATCH];
	size_t done = 0;

	while (done < max) {
		bool lost = false;
		size_t n = serving_changes(m->read, f->cursor, c, BATCH, &lost);

		if (lost) {
			f->cursor = serving_last(m->read);
			feed_want_all(f);
			return done + 1;
		}
		for (size_t i = 0; i < n; i++) {
			if (!follow(f, m, &c[i]))
				return done;
			f->cursor = c[i].seq;
			done++;
		}
		if (n < BATCH)
			break;
	}
	return done;
}

static void scan(struct feed *f, const struct feed_means *m, size_t max)
{
	struct reg_row rows[BATCH];

	for (size_t done = 0; done < max;) {
		size_t n = reg_scan(m->reg, f->scan_after, rows, BATCH);

		for (size_t i = 0; i < n; i++) {
			if (wished(&f->now, &rows[i]) && !m->look(m->ctx, rows[i].imsi))
				return;
			f->scan_after = rows[i].imsi;
			done++;
		}
		if (n < BATCH) {
			f->scanning = false;
			return;
		}
	}
}

bool feed_step(struct feed *f, const struct feed_means *m, size_t max)
{
	uint64_t before = f->cursor, last = serving_last(m->read);

	if (last == 0)
		return false;	/* a copy without records cancels nobody */
	if (last < f->cursor) { /* other records than we followed: restored from a backup */
		f->cursor = last;
		feed_want_all(f);
	}
	changes(f, m, max);
	if (!f->scanning && (f->next.all || f->next.profile_n > 0)) {
		f->now = f->next;
		f->next = (struct feed_wish){0};
		f->scan_after = 0;
		f->scanning = true;
	}
	if (f->scanning)
		scan(f, m, max / 4 + 1); /* each costs more than a change */
	return f->cursor != before;
}
