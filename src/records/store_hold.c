/* Cases: a greylisting has a reason, notes and an end (R-5.7.3.b). What a case says stands in the
 * subscription too (grey_until), written with it: signalling reads that. */
#include "records/store_in.h"

#include "base/log.h"
#include "judge/binding.h"

#include <stdio.h>

#define DUE_MAX 64

enum state { OPEN, ESCALATED, RETURNED, EXPIRED };

static const char *const states[] = { "open", "escalated", "returned", "expired" };

/* An escalated case ends when somebody decides. */
static const struct { enum state from, to; } steps[] = {
	{ OPEN, ESCALATED }, { OPEN, RETURNED }, { OPEN, EXPIRED }, { ESCALATED, RETURNED },
	{ ESCALATED, OPEN }, { RETURNED, OPEN }, { EXPIRED, OPEN },
};

static bool step_ok(int64_t from, int64_t to)
{
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (steps[i].from == (enum state)from && steps[i].to == (enum state)to)
			return true;
	}
	return from == to;
}

enum err hold_judge(struct store *st, const struct row *old, const struct row *new, struct say *s)
{
	int64_t to = row_at(new, COL_HOLD_STATE)->num, from = old ? row_at(old, COL_HOLD_STATE)->num : OPEN;
	struct row sub;
	enum err err = store_find(st, OBJ_SUBSCRIPTION, row_key(new), &sub);

	if (err == ERR_NOT_FOUND && to <= ESCALATED) {
		say(s, "imsi: there is no such subscription");
		return ERR_REFUSED;
	}
	if (err && err != ERR_NOT_FOUND)
		return err;
	if (!err && sub.tampered) {
		say(s, "subscription: was changed behind Merlon's back (R-3.1.c)");
		return ERR_CORRUPT;
	}
	if (!step_ok(from, to) || (!old && to != OPEN)) {
		say(s, "state: no step from %s to %s", old ? states[from] : "nothing", states[to]);
		return ERR_REFUSED;
	}
	if (to == OPEN && row_at(new, COL_HOLD_UNTIL)->num == 0) {
		say(s, "until: an open case ends by itself: say when");
		return ERR_MISSING;
	}
	return ERR_OK;
}

/* Until when the subscription is greylisted by this case; NULL: it is gone. */
static int64_t grey_of(const struct row *hold)
{
	if (!hold || row_at(hold, COL_HOLD_STATE)->num > ESCALATED)
		return 0;
	return row_at(hold, COL_HOLD_STATE)->num == ESCALATED ? UINT32_MAX
							      : row_at(hold, COL_HOLD_UNTIL)->num;
}

bool hold_four_eyes(struct store *st, const struct row *old, const struct row *new)
{
	struct row sub;

	return grey_of(new) != 0 && grey_of(new) != grey_of(old) &&
	       !store_find(st, OBJ_SUBSCRIPTION, row_key(new), &sub) && rule_prio(st, &sub) == PRIO_CRITICAL;
}

static void tell(const struct who *who, const struct row *hold, const char *state)
{
	LOG(LOG_NOTE, "records.hold", kv_id("imsi", bcd_of(row_key(hold))), KV("state", state),
	    KV("until", (uint64_t)row_at(hold, COL_HOLD_UNTIL)->num), KV("actor", who->actor),
	    KV_CLAUSE("R-5.7.3.b"));
}

enum err hold_apply(struct store *st, const struct who *who, const struct row *old, const struct row *new,
		    struct say *s)
{
	const struct row *hold = new ? new : old;
	struct row was, is;
	enum err err = store_find(st, OBJ_SUBSCRIPTION, row_key(hold), &was);

	if (!old || !new || row_at(old, COL_HOLD_STATE)->num != row_at(new, COL_HOLD_STATE)->num)
		tell(who, hold, new ? states[row_at(new, COL_HOLD_STATE)->num] : "deleted");
	if (err == ERR_NOT_FOUND)
		return ERR_OK; /* it was deleted: so may its case be */
	if (err || was.tampered || row_at(&was, COL_SUB_GREY_UNTIL)->num == grey_of(new))
		return was.tampered && !err ? ERR_CORRUPT : err;
	is = was; /* its texts stay in the old one's room */
	row_cell(&is, COL_SUB_GREY_UNTIL)->num = grey_of(new);
	err = store_update(st, &was, &is, s);
	return err ? err : store_change_add(st, &was, &is);
}

static enum err edit_hold(struct store *st, const struct who *who, struct view imsi, const struct view *pair,
			  size_t pair_n, struct say *s)
{
	struct edit e = { OBJ_HOLD, EDIT_SET, imsi, pair, pair_n, 0 };
	uint64_t approval;

	return store_edit(st, who, &e, &approval, s);
}

/* Is it what its profile greylists for? */
static enum err seen_elsewhere(struct store *st, const struct row *sub, struct view imei, uint64_t *grey_s,
			       struct say *s)
{
	struct host_row host = { 0 };
	struct profile_row p = { 0 };
	union packed packed;
	struct row profile, r;
	enum bound bound;
	enum err err = store_find(st, OBJ_PROFILE, row_at(sub, COL_SUB_PROFILE)->text, &profile);
	bool known = !store_find(st, OBJ_HOST, imei, &r) && !r.tampered;

	if (!err)
		err = store_pack(st, CHANGE_PROFILE, (uint64_t)profile.id, &packed);
	if (err)
		return err;
	p = packed.profile;
	*grey_s = (uint64_t)row_at(&profile, COL_PROFILE_GREY_S)->num;
	if (known && !store_pack(st, CHANGE_HOST, bcd_of(imei), &packed))
		host = packed.host;
	err = store_pack_sub(st, sub, &packed.sub);
	if (err)
		return err;
	bound = binding_look(&packed.sub, bcd_of(imei), known ? &host : NULL);
	if (binding_reaction(&packed.sub, &p, bound) == REACT_GREYLIST)
		return ERR_OK;
	say(s, "imei: its profile does not greylist it for being in this device");
	return ERR_REFUSED;
}

enum err store_hold(struct store *st, const struct who *who, struct view imsi, struct view imei,
		    struct say *s)
{
	char until[48], device[32];
	struct view pair[4];
	struct row sub, hold;
	uint64_t grey_s;
	enum err err = store_find(st, OBJ_SUBSCRIPTION, imsi, &sub);

	if (err || sub.tampered || imei.n != 14) {
		say(s, "imsi: no such subscription, or no IMEI");
		return err ? err : ERR_REFUSED;
	}
	if (row_at(&sub, COL_SUB_GREY_UNTIL)->num > (int64_t)(who->now_ms / 1000))
		return ERR_OK; /* it is, already */
	err = seen_elsewhere(st, &sub, imei, &grey_s, s);
	if (!err && store_find(st, OBJ_HOLD, imsi, &hold) == ERR_OK && hold.tampered)
		err = ERR_CORRUPT;
	if (err)
		return err;
	snprintf(until, sizeof until, "until=%llu", (unsigned long long)(who->now_ms / 1000 + grey_s));
	snprintf(device, sizeof device, "imei=%.*s", (int)imei.n, (const char *)imei.p);
	pair[0] = VIEW("state=open");
	pair[1] = view_of(until);
	pair[2] = view_of(device);
	pair[3] = VIEW("cause=SIM seen in another device");
	return edit_hold(st, who, imsi, pair, 4, s);
}

size_t store_holds_end(struct store *st, const struct who *who)
{
	static const struct view over[] = { VIEW_INIT("state=expired") };
	char imsi[DUE_MAX][BCD_TEXT];
	sqlite3_stmt *q = store_prepare(st, "SELECT imsi FROM hold WHERE state = 0 AND until <= ? LIMIT ?");
	size_t n = 0, done = 0;
	struct say s = { "" };

	if (q) {
		sqlite3_bind_int64(q, 1, (int64_t)(who->now_ms / 1000));
		sqlite3_bind_int64(q, 2, DUE_MAX);
		while (n < DUE_MAX && sqlite3_step(q) == SQLITE_ROW)
			n += view_text(view_of((const char *)sqlite3_column_text(q, 0)), imsi[n], BCD_TEXT);
	}
	sqlite3_finalize(q);
	if (n == 0 || store_begin(st))
		return 0;
	for (size_t i = 0; i < n; i++) {
		enum err err = edit_hold(st, who, view_of(imsi[i]), over, 1, &s);

		done += err == ERR_OK;
		if (err == ERR_IO || err == ERR_FULL) {
			store_rollback(st);
			return 0;
		}
	}
	return store_commit(st) ? 0 : done;
}
