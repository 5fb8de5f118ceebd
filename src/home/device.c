#include "home/device.h"

#include "base/log.h"
#include "base/metric.h"
#include "home/worker.h"

#define ODB_ALL_PS 1u /* all packet oriented services barred (TS 29.272 7.3.30) */

bool device_grey(const struct home_rows *rows, uint64_t wall_ms)
{
	if (!rows->sub || rows->sub->prio == PRIO_CRITICAL)
		return false;
	return binding_grey(rows->sub, wall_ms / 1000) || rows->hold_wanted;
}

bool device_refused(const struct home_rows *rows)
{
	return rows->reaction == REACT_REFUSE || rows->reaction == REACT_DETACH;
}

/* The records' profile, with what holds for now on top of it. */
static const struct profile_row *in_force(const struct home_rows *rows, uint64_t wall_ms,
					  struct profile_row *room)
{
	const struct profile_row *own = rows->own;
	bool grey = own && device_grey(rows, wall_ms);
	bool alone = rows->reaction == REACT_QUARANTINE || (grey && own->grey == GREY_QUARANTINE);

	if (!own || !(alone || (grey && own->grey == GREY_BAR)))
		return own;
	*room = *own;
	if (grey && own->grey == GREY_BAR)
		room->odb |= ODB_ALL_PS;
	if (alone && own->quarantine.name[0]) {
		memset(room->apn, 0, sizeof room->apn);
		room->apn[0] = own->quarantine;
		room->apn_n = 1;
		room->services &= SERVICE_WIFI; /* by Wi-Fi too it gets that APN alone */
	}
	return room;
}

void device_look(struct home_rows *rows, const struct book *book, uint64_t imei, uint64_t wall_ms,
		 struct profile_row *room)
{
	rows->hold_wanted = rows->reg->flags & REG_HOLD_WANTED;
	rows->bound = BOUND_FREE;
	rows->reaction = REACT_NONE;
	if (rows->sub) {
		rows->bound = binding_look(rows->sub, imei, rows->sub->host ? book_host(book, imei) : NULL);
		rows->reaction = binding_reaction(rows->sub, rows->own, rows->bound);
	}
	rows->profile = in_force(rows, wall_ms, room);
}

void device_seen(struct home_rows *rows, struct reg_row *reg, const struct book *book, uint64_t imei,
		 uint64_t wall_ms, struct profile_row *room)
{
	rows->reg = reg;
	device_look(rows, book, imei, wall_ms, room);
	if (imei != 0 || rows->bound != BOUND_FREE)
		reg->imei = imei;
	if (rows->reaction != REACT_GREYLIST || binding_grey(rows->sub, wall_ms / 1000))
		return;
	reg->flags |= REG_HOLD_WANTED;
	reg->sub_version = rows->sub->version; /* what is changed after it may be the case, or its end */
	rows->hold_wanted = true;
	rows->profile = in_force(rows, wall_ms, room);
}

uint64_t device_of_update(const struct reg_row *reg, const struct update_request *q)
{
	if (q->imei != 0)
		return q->imei;
	if ((q->flags & ULR_INITIAL_ATTACH) || !(reg->flags & q->node) ||
	    !node_is(reg_node_of(reg, q->node), q->host))
		return 0;
	return reg->imei;
}

void device_tell(const struct home_rows *rows, uint64_t imsi, uint64_t imei, const char *via,
		 struct view peer)
{
	static const char *const names[REACT_N] = {
	    [REACT_ALERT] = "alert",		[REACT_REFUSE] = "refuse",
	    [REACT_GREYLIST] = "greylist",	[REACT_QUARANTINE] = "quarantine",
	    [REACT_DETACH] = "detach",
	};

	if (rows->reaction == REACT_NONE)
		return;
	metric_add(M_HOME_STRANGERS, (unsigned int)rows->reaction - 1, 1);
	LOG(LOG_NOTE, "home.stranger", kv_id("imsi", imsi), kv_id("imei", imei),
	    KV("reaction", names[rows->reaction]), KV("via", via), KV("peer", peer),
	    KV_CLAUSE("R-5.1.1.2.b"));
}

enum reaction device_report(struct home_worker *w, uint64_t imsi, uint64_t imei, const char *via,
			    struct view peer)
{
	struct reg_row reg, now;
	struct home_rows rows = worker_rows(w, imsi, &reg);
	enum reaction reaction;

	if (!rows.sub || imei == 0)
		return REACT_NONE;
	now = reg;
	device_seen(&rows, &now, w->book, imei, loop_wall(w->loop), &w->in_force);
	reaction = rows.reaction;
	device_tell(&rows, imsi, imei, via, peer);
	if (reaction == REACT_REFUSE || (now.imei == reg.imei && now.flags == reg.flags))
		return reaction; /* what is registered elsewhere stays */
	if (reg_put(w->reg, &now, 0) || !send_look(w, imsi))
		LOG(LOG_ERROR, "home.stranger_stays", kv_id("imsi", imsi), KV("via", via));
	return reaction;
}
