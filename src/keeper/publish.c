/* From the records to the serving copy: follow the feed, or build anew. */
#include "keeper/keeper_in.h"

#include "base/log.h"
#include "base/metric.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define BATCH 10000 /* changes a commit of the serving copy */
#define PACK  256
#define STEP  4096 /* rows packed anew at once: others are heard in between */

static enum err put(struct serving_writer *w, enum change_kind kind, const union packed *p)
{
	switch (kind) {
	case CHANGE_SUB:
		return serving_put_sub(w, &p->sub);
	case CHANGE_PROFILE:
		return serving_put_profile(w, &p->profile);
	case CHANGE_NETWORK:
		return serving_put_network(w, &p->network);
	case CHANGE_RULE:
		return serving_put_rule(w, &p->rule);
	case CHANGE_EQUIP:
		return serving_put_equip(w, &p->equip);
	case CHANGE_RANGE:
		return serving_put_range(w, &p->range);
	case CHANGE_HOST:
		return serving_put_host(w, &p->host);
	case CHANGE_AGREEMENT:
		return serving_put_agreement(w, &p->agreement);
	}
	return ERR_VALUE;
}

/* Rows of a kind, or the subscriptions of one profile, above *after, until `max` are put; *after 0:
 * that was all. */
static enum err put_some(struct keeper *k, enum change_kind kind, uint32_t profile, int64_t *after,
			 size_t max)
{
	enum err err = ERR_OK;

	for (size_t done = 0; done < max && !err;) {
		size_t n = store_pack_all(k->store, kind, profile, after, k->packed, PACK);

		for (size_t i = 0; i < n && !err; i++)
			err = put(k->serving, kind, &k->packed[i]);
		if (!*after)
			break;
		done += n;
	}
	return err;
}

static enum err put_all(struct keeper *k, enum change_kind kind)
{
	int64_t after = 0;

	return put_some(k, kind, 0, &after, SIZE_MAX);
}

/* One change: the record as it is now, or its absence. A record that does not carry Merlon's own
 * MAC is not published: what was served before goes on being served (R-3.1.c). */
static enum err one(struct keeper *k, const struct store_change *c)
{
	enum change_kind kind = (enum change_kind)c->change.kind;
	enum err err = store_pack_change(k->store, c, k->packed);

	if (err == ERR_NOT_FOUND)
		err = serving_delete(k->serving, kind, c->change.id);
	else if (err == ERR_CORRUPT)
		metric_add(M_RECORDS_TAMPERED, 0, 1);
	else if (!err)
		err = put(k->serving, kind, k->packed);
	if (err == ERR_NOT_FOUND || err == ERR_CORRUPT)
		err = ERR_OK;
	return err ? err : serving_change(k->serving, &c->change);
}

/* A step of a change that changes the rows of other records: its profile's class stands in each
 * subscription. The rows go first; the change itself, and its number, when all are there, so that a
 * process that dies begins again. */
static enum err repack(struct keeper *k, const struct store_change *c)
{
	enum err err;

	if (k->repack_seq != c->change.seq)
		k->repack_after = 0;
	k->repack_seq = c->change.seq;
	err = put_some(k, CHANGE_SUB, (uint32_t)c->change.id, &k->repack_after, STEP);
	k->more = k->repack_after != 0;
	if (!k->more)
		k->repack_seq = 0;
	return err;
}

static enum err batch(struct keeper *k, uint64_t after)
{
	enum err err, committed;
	size_t n = store_changes(k->store, after, k->changes, BATCH, &err);

	if (err)
		return err;
	if (n == 0)
		return ERR_CORRUPT; /* the feed says there is more */
	err = serving_begin(k->serving);
	if (err)
		return err;
	if (k->changes[0].repack) {
		err = repack(k, &k->changes[0]);
		n = err || k->more ? 0 : 1;
	}
	for (size_t i = 0; i < n && !err && !(i > 0 && k->changes[i].repack); i++)
		err = one(k, &k->changes[i]);
	committed = serving_commit(k->serving); /* after an error it commits nothing and says so */
	return err ? err : committed;
}

/* Everything in one transaction: a reader sees the old copy, then the whole new one. */
static enum err fill(struct keeper *k, uint64_t feed)
{
	struct change last = { .seq = feed, .kind = CHANGE_AGREEMENT };
	enum err err = serving_begin(k->serving), committed;

	if (err)
		return err;
	for (enum change_kind kind = CHANGE_SUB; kind <= CHANGE_AGREEMENT && !err; kind++)
		err = put_all(k, kind);
	if (!err)
		err = serving_put_lists(k->serving, keeper_lists_now(k));
	if (!err)
		err = serving_change(k->serving, &last);
	committed = serving_commit(k->serving);
	return err ? err : committed;
}

static enum err build_anew(struct keeper *k, char why[256])
{
	static const char *const files[] = { "serving.mdb", "serving.mdb-lock" };
	struct store_status st;
	char path[4096];
	enum err err;

	if (k->serving)
		serving_finish(k->serving);
	k->serving = NULL;
	k->repack_seq = 0;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", k->dir, files[i]);
		if (unlink(path) != 0 && errno != ENOENT) {
			snprintf(why, 256, "%.180s: %s", path, strerror(errno));
			return ERR_IO;
		}
	}
	err = serving_create(&k->serving, k->dir, why);
	if (err)
		return err;
	store_status(k->store, &st);
	LOG(LOG_NOTE, "keeper.serving_rebuilt", KV("feed", st.feed));
	err = st.feed == 0 ? keeper_lists_publish(k) : fill(k, st.feed);
	if (err)
		snprintf(why, 256, "serving copy: %s", err_text(err));
	return err;
}

enum err keeper_open_serving(struct keeper *k, char why[256])
{
	enum err err = serving_create(&k->serving, k->dir, why);
	struct store_status st;

	if (err == ERR_CORRUPT || err == ERR_VERSION)
		return build_anew(k, why);
	if (err)
		return err;
	store_status(k->store, &st);
	if (serving_feed(k->serving) > st.feed) /* of other records: restored from a backup */
		return build_anew(k, why);
	/* After a writer that died the old copy is served for two seconds more, and not waited for:
	 * the first tick that need not sleep catches up. */
	return serving_waits(k->serving) ? ERR_OK : keeper_publish(k, why);
}

enum err keeper_publish(struct keeper *k, char why[256])
{
	struct store_status st;
	uint64_t at = serving_feed(k->serving);
	enum err err = ERR_OK;

	store_status(k->store, &st);
	if (at + 1 < st.oldest)
		return build_anew(k, why);
	k->more = false;
	while (!err && at < st.feed && !k->more) {
		err = batch(k, at);
		at = serving_feed(k->serving);
	}
	if (!err)
		err = keeper_lists_publish(k);
	metric_set(M_RECORDS_FEED, 0, st.feed);
	metric_set(M_SERVING_FEED, 0, at);
	if (err) {
		snprintf(why, 256, "serving copy: %s", err_text(err));
		LOG(LOG_ERROR, "keeper.publish", KV("error", err_text(err)), KV("at", at));
	}
	return err;
}
