/* What a successful answer teaches, and what a steering attempt leaves behind. */
#include "judge/stage.h"

#define STEER_FORGET_S (24 * 3600)

struct lesson {
	const struct facts *f;
	uint32_t host, plmn, now_s;
};

static void authenticated(struct sighting *at, const void *ctx)
{
	const struct lesson *l = ctx;

	at->auth_plmn = l->plmn;
	at->auth_s = l->now_s;
	at->flags |= SEEN_ATTACHING;
	if (at->plmn == l->plmn)
		at->seen_s = l->now_s;
}

/* Where the name of the node that speaks is kept. */
static uint32_t *place_of(struct sighting *at, const struct facts *f)
{
	if (f->serves == SERVES_VLR)
		return &at->host_vlr;
	if (f->serves == SERVES_SGSN || (f->serves == SERVES_AS_RAT &&
					 (f->rat == RAT_IS_UTRAN || f->rat == RAT_IS_GERAN)))
		return &at->host_sgsn;
	return &at->host;
}

/* An MME and an SGSN may serve one subscriber at once (TS 29.272 §5.2.1.1.3). */
static void updated(struct sighting *at, const void *ctx)
{
	const struct lesson *l = ctx;

	*place_of(at, l->f) = l->host;
	at->plmn = l->plmn;
	at->seen_s = l->now_s;
	at->flags = (uint8_t)(at->flags & ~SEEN_ATTACHING);
	if (l->f->imei != 0)
		at->imei = l->f->imei;
}

static void purged(struct sighting *at, const void *ctx)
{
	const struct lesson *l = ctx;

	at->host = at->host == l->host ? 0 : at->host;
	at->host_sgsn = at->host_sgsn == l->host ? 0 : at->host_sgsn;
	at->host_vlr = at->host_vlr == l->host ? 0 : at->host_vlr;
}

static void notified(struct sighting *at, const void *ctx)
{
	const struct lesson *l = ctx;

	if (at->plmn == l->plmn)
		at->seen_s = l->now_s;
}

/* A session was made, or moved: who is registered is where its sessions are. */
static void session_there(struct sighting *at, const void *ctx)
{
	const struct lesson *l = ctx;

	if (l->f->moves && at->plmn != 0)
		at->plmn = l->plmn;
	notified(at, ctx);
}

/* Its home network may name the node that serves it from now on (find_DEST_INTERNAL). */
static void roamer_came(struct sighting *at, const void *ctx)
{
	const struct lesson *l = ctx;

	*place_of(at, l->f) = l->host;
	at->flags |= SEEN_ROAMER;
}

static void roamer_left(struct sighting *at, const void *ctx)
{
	(void)ctx;
	at->flags = (uint8_t)(at->flags & ~SEEN_ROAMER);
}

static void (*const lessons[4][OP_N])(struct sighting *, const void *) = {
	[DIR_TO_HOME] = { [OP_AUTH_INFO] = authenticated, [OP_UPDATE_LOCATION] = updated,
			  [OP_PURGE] = purged, [OP_NOTIFY] = notified,
			  [OP_RESTORE] = notified, [OP_SESSION_CREATE] = session_there,
			  [OP_SESSION_CHANGE] = session_there },
	[DIR_OUT_TO_HOME] = { [OP_UPDATE_LOCATION] = roamer_came, [OP_PURGE] = roamer_left },
	[DIR_TO_VISITED] = { [OP_CANCEL_LOCATION] = roamer_left },
};

void learn_success(struct judge *j, const struct facts *f, uint64_t now_ms)
{
	struct lesson l = { .f = f, .now_s = (uint32_t)(now_ms / 1000) };

	if (!j->seen || f->direction > DIR_OUT_TO_HOME || f->op >= OP_N || !lessons[f->direction][f->op])
		return;
	if (f->imsi == 0)
		return;
	l.host = sightings_host(j->seen, f->origin_host);
	l.plmn = sightings_plmn(f->visited_plmn ? f->visited_plmn : f->peer_plmn);
	(void)sightings_edit(j->seen, f->imsi, now_ms, lessons[f->direction][f->op], &l);
}

/* Two networks are counted apart, and all together, so that no zigzag resets the count. */
static void steered(struct sighting *at, const void *ctx)
{
	const struct lesson *l = ctx;
	size_t i = at->steer_plmn[0] == l->plmn ? 0 : 1;

	if (l->now_s > (uint64_t)at->steer_s + STEER_FORGET_S) {
		at->steer_plmn[0] = at->steer_plmn[1] = 0;
		at->steer_n[0] = at->steer_n[1] = at->steer_all = 0;
		at->steer_s = l->now_s;
		i = 0;
	}
	if (at->steer_plmn[i] != l->plmn) {
		i = at->steer_plmn[0] == 0 ? 0 : 1;
		at->steer_plmn[i] = l->plmn;
		at->steer_n[i] = 0;
	}
	at->steer_n[i] = (uint8_t)(at->steer_n[i] + (at->steer_n[i] < UINT8_MAX));
	at->steer_all = (uint8_t)(at->steer_all + (at->steer_all < UINT8_MAX));
}

bool learn_steered(struct judge *j, const struct facts *f)
{
	struct lesson l = { .f = f, .now_s = (uint32_t)(f->now_ms / 1000) };

	l.plmn = sightings_plmn(f->visited_plmn);
	return sightings_edit(j->seen, f->imsi, f->now_ms, steered, &l);
}
