/* What a message says, whatever its protocol: Diameter, MAP and GTP-C all become this. An adapter
 * fills it, the judge reads it; no byte of a protocol is seen by the judge. */
#pragma once
#include "judge/book.h"

enum protocol { PROTO_DIAMETER, PROTO_MAP, PROTO_GTPC };

/* Which way a request goes: to our home from a visited network, or to our visited side (our MMEs)
 * from a home network; OUT_ are requests of ours, which are learned from but not screened. */
enum direction { DIR_TO_HOME, DIR_TO_VISITED, DIR_OUT_TO_VISITED, DIR_OUT_TO_HOME };

/* Operations, across protocols: what is asked, not how. */
enum op {
	OP_OTHER,             /* a command that no agreement names */
	OP_AUTH_INFO,         /* AIR, sendAuthenticationInfo */
	OP_UPDATE_LOCATION,   /* ULR, updateLocation, updateGprsLocation */
	OP_PURGE,             /* PUR, purgeMS */
	OP_NOTIFY,            /* NOR */
	OP_CANCEL_LOCATION,   /* CLR */
	OP_INSERT_DATA,       /* IDR */
	OP_DELETE_DATA,       /* DSR */
	OP_RESET,             /* RSR */
	OP_CHECK_EQUIPMENT,   /* ECR, checkIMEI */
	OP_N
};

enum rat {
	RAT_UNKNOWN,
	RAT_IS_UTRAN,
	RAT_IS_GERAN,
	RAT_IS_WB_EUTRAN,
	RAT_IS_NB_IOT,
	RAT_IS_LTE_M,
	RAT_IS_NR,
};

#define ROUTE_MAX 8

struct facts {
	uint8_t protocol, direction, op, rat; /* the enums above */
	bool clear;            /* came without TLS or IPsec */
	bool app_agreed;       /* the table knows the application, and the command fits it */
	bool resync;           /* carries AUTS */
	bool initial;          /* initial attach */
	bool single_registration;
	uint8_t route_n;
	uint8_t drmp;          /* what the message claims, 0..15; 255 = nothing */

	/* The connection, authenticated: what the peer is, not what it says. */
	struct view peer_host, peer_realm; /* of its CER, held against certificate or address */
	uint64_t peer_plmn;    /* the network record it was admitted under */

	/* What the message claims. Views borrow the message. */
	struct view origin_host, origin_realm, dest_host, dest_realm;
	struct view route[ROUTE_MAX]; /* Route-Record */
	struct view session;
	uint64_t imsi, imei;   /* imei: 14 digits */
	uint64_t visited_plmn; /* Visited-PLMN-Id */
	uint64_t now_ms;       /* since 1970 */
};
