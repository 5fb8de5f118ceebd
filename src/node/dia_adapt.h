/* Diameter to facts, and verdict to Diameter: the adapter of idea 2. And the patching of a forwarded
 * message: the bytes as received, with only the AVPs changed that must change. Pure. */
#pragma once
#include "judge/judge.h"
#include "node/dia_node.h"

/* Fill facts from a request of an open peer. Views borrow `m`'s bytes and the peer. `own_realm` tells the
 * direction of requests from partners (a category 2 command is DIR_TO_VISITED, whoever sends it). */
void dia_facts(struct facts *f, const struct dia_peer *from, const struct msg *m,
	       const struct dia_header *h, uint64_t wall_ms);

/* The answer that a refusal becomes, in the words of its application: Result-Code or
 * Experimental-Result, Auth-Session-State, Vendor-Specific-Application-Id, Error-Diagnostic; with an
 * overload report if `o` is not NULL and the request carried OC-Supported-Features; with ULA-Flags and an
 * empty profile when `compat` and the request is a ULR (facts/peers.md 4.2). */
struct dia_reply {
	const struct overload *overload;
	bool compat;
};
void dia_reject(struct wr *w, const struct dia_node_conf *me, const struct msg *m,
		const struct dia_header *h, const struct verdict *v, const struct dia_reply *r);

/* What an answer says about its request: success (2001 or 2002), or a refusal for load (base 3004, 5012,
 * experimental 4181), or neither. */
struct dia_outcome {
	bool ok, busy;
	uint32_t result, experimental;
};
struct dia_outcome dia_outcome(const struct msg *m);

/* Changes to a message that is passed on. An empty view leaves the AVP as it is; `drop_*` takes it out. */
struct dia_patch {
	struct view origin_host, origin_realm, dest_host, dest_realm, session_id;
	struct view route_record;      /* appended when not empty */
	bool drop_dest_host, drop_routes, drop_doic, drop_load, drop_drmp;
	int drmp;                      /* 0..15: set DRMP; -1: leave */
	const struct overload *overload; /* append OC-Supported-Features and OC-OLR */
	bool overload_of_host;         /* the report is about the host that answers, not its realm */
	bool offer_doic;               /* append OC-Supported-Features (requests) */
};
/* Write the patched message; hop-by-hop and flags from `h`. ERR_FULL in w->err when it does not fit. */
void dia_patch(struct wr *w, const struct msg *m, const struct dia_header *h, struct view raw,
	       const struct dia_patch *p);

/* DOIC of a message that comes from the home side: the OLR it carries; reduction 0 if none. */
struct overload dia_overload(const struct msg *m);

/* The groups alone: OC-Supported-Features, and the same with a report about a host or its realm. */
void dia_put_features(struct wr *w);
void dia_put_overload(struct wr *w, const struct overload *o, bool of_host);
