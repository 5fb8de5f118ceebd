/* Stage plausibility: does it fit what was seen before? Only a known contradiction counts (the intent of
 * TimeDistChk, PrevLocChk, SrcHostValMme, without their cold start: facts/peers.md 1 and 7). */
#include <math.h>

#include "judge/stage.h"

#define EARTH_KM   6371.0
#define FASTEST_KMH 1200.0
#define NEAR_KM    100.0
#define AUTH_OLD_S (24 * 3600) /* vectors that an MME may still hold */

#define OPS_OF_SERVING \
	(1u << OP_PURGE | 1u << OP_RESTORE | 1u << OP_AUTH_FAILURE | 1u << OP_SERVICE | 1u << OP_PRESENT | \
	 1u << OP_EVENT | 1u << OP_SMS_MO | 1u << OP_SESSION_CREATE)

/* Is a node known that could have said this? A VLR and an MME serve side by side, and the names of one
 * protocol's nodes say nothing about the other's. */
static bool known_there(const struct ask *a, const struct sighting *seen)
{
	if (a->f->serves == SERVES_VLR)
		return seen->host_vlr != 0;
	if (a->f->serves == SERVES_SGSN)
		return seen->host_sgsn != 0;
	return seen->host != 0 || seen->host_sgsn != 0;
}

/* TS 29.272 §5.2.1.3, §5.2.5.1: PUR and NOR come from the node that the subscriber is registered at. */
enum finding find_PREV_HOST(struct ask *a)
{
	const struct sighting *seen;
	uint32_t host;

	if (a->f->direction != DIR_TO_HOME || (a->f->op != OP_PURGE && a->f->op != OP_NOTIFY))
		return FIND_NOTHING;
	seen = ask_seen(a);
	if (!seen || !known_there(a, seen))
		return FIND_NOTHING;
	host = sightings_host(a->j->seen, a->f->origin_host);
	return host == seen->host || host == seen->host_sgsn || host == seen->host_vlr ? FIND_NOTHING
										       : FIND_BAD;
}

/* What a visited network asks for a subscriber whom it serves: services, messages, reports. Vectors and
 * updates are how it comes to serve him; they are judged by distance. */
enum finding find_PREV_NETWORK(struct ask *a)
{
	const struct sighting *seen;
	uint32_t here = sightings_plmn(a->f->visited_plmn);

	if (a->f->direction != DIR_TO_HOME || here == 0 || ask_own_peer(a))
		return FIND_NOTHING;
	if (a->f->op >= OP_N || !(OPS_OF_SERVING & 1u << a->f->op))
		return FIND_NOTHING;
	seen = ask_seen(a);
	return !seen || seen->plmn == 0 || seen->plmn == here ? FIND_NOTHING : FIND_BAD;
}

/* A session is changed and ended by the network that serves it. Another one takes it over only by saying so:
 * it names its own node, and then its place and its way there are judged as if it made the session anew. */
enum finding find_SESSION_NETWORK(struct ask *a)
{
	if (a->f->direction != DIR_TO_HOME || a->f->session_plmn == 0 || !a->peer || ask_own_peer(a))
		return FIND_NOTHING;
	if (a->f->session_plmn == a->peer->plmn || (a->f->op == OP_SESSION_CHANGE && a->f->moves))
		return FIND_NOTHING;
	return a->f->op == OP_SESSION_CHANGE || a->f->op == OP_SESSION_END ? FIND_BAD : FIND_NOTHING;
}

static double radians(int16_t centidegrees)
{
	return centidegrees / 100.0 * (3.14159265358979323846 / 180.0);
}

/* Great-circle distance (haversine). */
static double distance_km(const struct network_row *x, const struct network_row *y)
{
	double lat = sin((radians(y->lat_cdeg) - radians(x->lat_cdeg)) / 2);
	double lon = sin((radians(y->lon_cdeg) - radians(x->lon_cdeg)) / 2);
	double h = lat * lat + cos(radians(x->lat_cdeg)) * cos(radians(y->lat_cdeg)) * lon * lon;

	return 2 * EARTH_KM * asin(sqrt(h < 1 ? h : 1));
}

/* A network record without a place says nothing about distance. */
static bool placed(const struct network_row *n)
{
	return n && (n->lat_cdeg != 0 || n->lon_cdeg != 0);
}

enum finding find_VELOCITY(struct ask *a)
{
	const struct book *b = a->j->book;
	const struct sighting *seen;
	const struct network_row *here, *there;
	uint64_t now_s = a->f->now_ms / 1000, was;
	double km;

	if (!ask_comes_in(a))
		return FIND_NOTHING;
	seen = ask_seen(a);
	if (!seen || seen->plmn == 0 || seen->plmn == sightings_plmn(a->f->visited_plmn))
		return FIND_NOTHING;
	was = (uint64_t)seen->plmn << 32 | UINT32_MAX;
	/* Border towns, and networks that share a country's place: the distance would be a fiction. */
	if (bcd_first(was, 3) == bcd_first(a->f->visited_plmn, 3) || now_s < seen->seen_s)
		return FIND_NOTHING;
	there = b->network(b->ctx, was);
	if (!placed(there))
		return FIND_NOTHING;
	here = b->network(b->ctx, a->f->visited_plmn);
	if (!placed(here))
		return FIND_NOTHING;
	km = distance_km(here, there);
	return km > NEAR_KM && km * 3600 > FASTEST_KMH * (double)(now_s - seen->seen_s) ? FIND_BAD
										       : FIND_NOTHING;
}

enum finding find_ULR_WITHOUT_AIR(struct ask *a)
{
	const struct sighting *seen;

	if (a->f->direction != DIR_TO_HOME || a->f->op != OP_UPDATE_LOCATION)
		return FIND_NOTHING;
	seen = ask_seen(a);
	if (!seen || seen->auth_plmn == 0)
		return FIND_NOTHING;
	if (seen->auth_plmn != sightings_plmn(a->f->visited_plmn))
		return FIND_BAD;
	return a->f->now_ms / 1000 > (uint64_t)seen->auth_s + AUTH_OLD_S ? FIND_BAD : FIND_NOTHING;
}
