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
	OP_RESTORE,           /* restoreData */
	OP_AUTH_FAILURE,      /* authenticationFailureReport */
	OP_SERVICE,           /* supplementary services and USSD, asked by the visited network */
	OP_PRESENT,           /* readyForSM and its like */
	OP_EVENT,             /* reports of calls and movements to the home network */
	OP_SMS_MO,            /* mo-forwardSM */
	OP_SMS_MT,            /* mt-forwardSM */
	OP_SMS_ROUTE,         /* sendRoutingInfoForSM */
	OP_SMS_STATUS,        /* reportSM-DeliveryStatus */
	OP_SMS_ALERT,         /* alertServiceCentre, informServiceCentre */
	OP_ROAMING_NUMBER,    /* provideRoamingNumber */
	OP_SUBSCRIBER_INFO,   /* provideSubscriberInfo */
	OP_LOCATE,            /* provideSubscriberLocation */
	OP_TRACE,             /* activateTraceMode, deactivateTraceMode */
	OP_HOME_SERVICE,      /* what else a home network asks: USSD, checks, termination */
	OP_INTERNAL,          /* what only one network's own nodes have to say to each other */
	OP_SESSION_CREATE,    /* Create Session Request, Create PDP Context Request */
	OP_SESSION_CHANGE,    /* Modify Bearer Request, Update PDP Context Request, and commands */
	OP_SESSION_END,       /* Delete Session Request, Delete PDP Context Request */
	OP_BEARER,            /* what a gateway asks of the visited node about a session */
	OP_PATH,              /* Echo and the like: about the path between two nodes */
	OP_N
};

/* Who may say it over an interconnect (FS.11, FS.19). An adapter whose protocol leaves it to the operator
 * says it; 0: the operation says it. */
enum category {
	CATEGORY_OF_OP,
	CATEGORY_INTERNAL,    /* 1: nobody */
	CATEGORY_HOME,        /* 2: the subscriber's home network */
	CATEGORY_VISITED,     /* 3: the network that serves him */
	CATEGORY_SMS,         /* whoever sends a short message */
};

/* Forms of a message that no honest node has need of: a filter that does not expect them is passed. */
enum form {
	FORM_CODE = 1,        /* a private or global code for an operation that has a standard one */
	FORM_CONTEXT = 2,     /* context, operation and subsystem do not belong together */
	FORM_VERSION = 4,     /* a version that was superseded before roaming agreements asked for it */
	FORM_SEVERAL = 8,     /* several requests in one message */
	FORM_LATE = 16,       /* a request in a dialogue that was not begun for it */
	FORM_LAYERS = 32,     /* something inside, or behind, what should be all */
	FORM_SPLIT = 64,      /* in pieces, though whole it would have fitted */
	FORM_LENGTHS = 128,   /* lengths or tags in more octets than they need */
	FORM_NAMES = 256,     /* identities that contradict each other */
	FORM_UNASKED = 512,   /* an answer to what nobody asked */
	FORM_TUNNEL = 1024,   /* about a tunnel that nobody has */
	FORM_REUSED = 2048,   /* offers a tunnel that another subscriber has */
	FORM_SEQUENCE = 4096, /* the number of a request that waits for its answer, and says something else */
};

/* Which of a subscriber's nodes speaks; SERVES_AS_RAT: the radio technology says it. */
enum serves { SERVES_AS_RAT, SERVES_MME, SERVES_SGSN, SERVES_VLR };

enum rat {
	RAT_UNKNOWN,
	RAT_IS_UTRAN,
	RAT_IS_GERAN,
	RAT_IS_WB_EUTRAN,
	RAT_IS_NB_IOT,
	RAT_IS_LTE_M,
	RAT_IS_NR,
	RAT_IS_2G_OR_3G,
};

#define ROUTE_MAX 8
#define NODE_MAX  4

struct facts {
	uint8_t protocol, direction, op, rat; /* the enums above */
	bool clear;            /* came without TLS or IPsec */
	bool app_agreed;       /* the table knows the application, and the command fits it */
	bool resync;           /* carries AUTS */
	bool initial;          /* initial attach */
	bool single_registration;
	uint8_t route_n;
	uint8_t drmp;          /* what the message claims, 0..15; 255 = nothing */
	uint8_t category, serves, node_n; /* the enums above */
	bool outside;          /* came from outside, whatever network it claims */
	bool continues;        /* in a dialogue that one of ours began */
	bool answer;           /* no request: judged by who sends it and by its form, no more */
	bool moves;            /* the session goes over to the node that speaks */
	bool low_priority;     /* says of itself that it can wait */
	uint8_t pdn_type;      /* 1 IPv4, 2 IPv6, 3 IPv4v6, 4 non-IP (TS 29.274 8.34); 0: not said */
	uint8_t session_n;     /* of this subscriber's, with the one that is asked for */
	uint8_t target;        /* 1 + the protected target it would go to; 0: its partition says */
	uint8_t node_address_n;
	uint16_t form;         /* enum form bits */

	/* The connection, authenticated: what the peer is, not what it says. */
	struct view peer_host, peer_realm; /* of its CER, held against certificate or address */
	uint64_t peer_plmn;    /* the network record it was admitted under */

	/* What the message claims. Views borrow the message. */
	struct view origin_host, origin_realm, dest_host, dest_realm;
	struct view route[ROUTE_MAX]; /* Route-Record */
	struct view session;
	uint64_t imsi, imei;   /* imei: 14 digits */
	uint64_t visited_plmn; /* Visited-PLMN-Id, or the network of the node that it says serves */
	/* Numbers (E.164), where a protocol has them: of the one who speaks, of the one spoken to, of nodes
	 * that the message names as the speaker's own, of the subscriber. 0: none. */
	uint64_t origin_number, dest_number, node[NODE_MAX], msisdn;
	/* The same of nodes that have IP addresses, of 4 or 16 octets. */
	struct view node_address[NODE_MAX];
	struct view apn;       /* as text, without its operator */
	uint64_t session_plmn; /* network that the session it is about is served by; 0: not known */
	uint64_t group;        /* all that one back-off would silence, as a number; 0: nobody else */
	uint64_t now_ms;       /* since 1970 */
};
