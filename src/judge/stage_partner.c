/* Stage partner: is the peer who the message says it is (R-5.6.1.h)? The intent of the Diameter firewall
 * checks OhOrCstChk, VplmnORCst, DrOrMatch, DhDrFrmChk, RealmWLScr (facts/peers.md 1). */
#include "judge/stage.h"

#define LABELS_MAX 8 /* of a hop's name that are tried as realms */

enum finding find_PEER_UNKNOWN(struct ask *a)
{
	return a->peer ? FIND_NOTHING : FIND_BAD;
}

enum finding find_PEER_BLOCKED(struct ask *a)
{
	return a->peer && a->peer->trust == TRUST_BLOCKED ? FIND_BAD : FIND_NOTHING;
}

enum finding find_ORIGIN_OURS(struct ask *a)
{
	if (ask_own_peer(a))
		return FIND_NOTHING;
	if (!ask_has_names(a))
		return a->peer && a->peer->trust == TRUST_OWN ? FIND_BAD : FIND_NOTHING;
	return ask_is_ours(a, a->f->origin_realm) || ask_is_ours(a, a->f->origin_host) ? FIND_BAD
										      : FIND_NOTHING;
}

enum finding find_ORIGIN_REALM(struct ask *a)
{
	if (!a->peer || !ask_has_names(a))
		return FIND_NOTHING;
	return ask_under(a->f->origin_realm, a->peer_realm) ? FIND_NOTHING : FIND_BAD;
}

enum finding find_ORIGIN_HOST(struct ask *a)
{
	if (!ask_has_names(a))
		return FIND_NOTHING;
	return ask_under(a->f->origin_host, a->f->origin_realm) ? FIND_NOTHING : FIND_BAD;
}

/* The network whose realm a host lies under, tried from the longest realm on. */
static const struct network_row *network_of_host(const struct book *b, struct view host)
{
	for (size_t n = 0; n < LABELS_MAX && host.n > 0; n++) {
		const struct network_row *row = b->network_of_realm(b->ctx, host);
		const uint8_t *dot = memchr(host.p, '.', host.n);

		if (row)
			return row;
		if (!dot)
			return NULL;
		host = (struct view){ dot + 1, host.n - (size_t)(dot + 1 - host.p) };
	}
	return NULL;
}

/* A hop between the origin and the peer. An agent that no record names (an IPX's) is the peer's affair. */
static bool hop_bad(const struct ask *a, struct view hop, bool last)
{
	const struct book *b = a->j->book;
	const struct network_row *row;

	if (ask_under(hop, a->peer_realm) || ask_under(hop, a->f->peer_realm))
		return false;
	if (last || ask_under(hop, ask_own_realm(a)))
		return true;
	row = network_of_host(b, hop);
	return row && row->plmn != a->peer->plmn;
}

enum finding find_ROUTE_RECORD(struct ask *a)
{
	if (!a->peer)
		return FIND_NOTHING;
	for (uint8_t i = 0; i < a->f->route_n && i < ROUTE_MAX; i++) {
		if (hop_bad(a, a->f->route[i], i + 1 == a->f->route_n))
			return FIND_BAD;
	}
	return FIND_NOTHING;
}

/* TS 29.272 §5.2.3.1.1, §5.2.1.1.1: mandatory in AIR and ULR; one that has no digits reads as 0. */
enum finding find_VISITED_PLMN(struct ask *a)
{
	bool must = a->f->op == OP_AUTH_INFO || a->f->op == OP_UPDATE_LOCATION;

	if (!a->peer || a->f->direction != DIR_TO_HOME || (!must && a->f->visited_plmn == 0))
		return FIND_NOTHING;
	return a->f->visited_plmn == a->peer->plmn ? FIND_NOTHING : FIND_BAD;
}

/* The home network of a roamer has to name the MME that serves him (TS 29.272 7.2.7: Destination-Host in
 * every CLR), and no other. About one who is not here category 2 answers, whatever node is named. */
static bool names_serving_node(struct ask *a, struct view host)
{
	const struct sighting *seen = ask_seen(a);
	uint32_t name;

	if (!seen || !(seen->flags & SEEN_ROAMER))
		return true;
	name = sightings_host(a->j->seen, host);
	return name == seen->host || name == seen->host_sgsn;
}

enum finding find_DEST_INTERNAL(struct ask *a)
{
	struct view host = a->f->dest_host;

	if (host.n == 0 || ask_own_peer(a) || !ask_is_ours(a, host))
		return FIND_NOTHING;
	if (a->peer && !a->peer->hide) /* it is told our nodes' names, so it may use them */
		return FIND_NOTHING;
	if (view_eq_case(host, (struct view){ (const uint8_t *)a->j->host, a->j->host_n }))
		return FIND_NOTHING;
	return a->f->direction == DIR_TO_VISITED && names_serving_node(a, host) ? FIND_NOTHING : FIND_BAD;
}

/* Requests from outside end here, in either direction: we are no transit. */
enum finding find_DEST_REALM(struct ask *a)
{
	const struct book *b = a->j->book;
	const struct network_row *row;
	struct view named = a->f->dest_realm, own = ask_own_realm(a);

	if (a->f->dest_number) {
		row = ask_number(a, a->f->dest_number);
		return row && row->trust == TRUST_OWN ? FIND_NOTHING : FIND_BAD;
	}
	if (named.n == 0 || (named.n == own.n && ask_under(named, own)))
		return FIND_NOTHING;
	row = b->network_of_realm(b->ctx, named);
	return row && row->trust == TRUST_OWN ? FIND_NOTHING : FIND_BAD;
}

static bool other_network(const struct ask *a, const struct network_row *row)
{
	return !row || row->plmn != a->peer->plmn;
}

/* A node that a message names as the sender's own (vlr-Number, hlr-Number, gsmSCF-Address, F-TEID ...) is
 * reached by whoever believes it: it must be in the sender's network. */
enum finding find_NODE_ADDRESS(struct ask *a)
{
	const struct book *b = a->j->book;

	if (!a->peer)
		return FIND_NOTHING;
	for (uint8_t i = 0; i < a->f->node_n && i < NODE_MAX; i++) {
		if (other_network(a, ask_number(a, a->f->node[i])))
			return FIND_BAD;
	}
	for (uint8_t i = 0; i < a->f->node_address_n && i < NODE_MAX && b->network_of_address; i++) {
		if (other_network(a, b->network_of_address(b->ctx, a->f->node_address[i])))
			return FIND_BAD;
	}
	return FIND_NOTHING;
}
