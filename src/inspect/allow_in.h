/* Inside of allow: the SIMs seen lately, and what the names of their profiles stand for. */
#pragma once
#include "inspect/allow.h"

#define WAYS 4
#define PROFILES 64

struct bucket {
	int64_t bits;      /* what may pass at once */
	uint64_t at_ms;
};

/* One SIM: within two cache lines. */
struct allow_sim {
	uint64_t imsi;
	uint64_t octets;       /* this day */
	struct bucket bucket[2]; /* from and to the device */
	uint32_t day, seen_s;
	uint32_t looked_s;     /* when its subscription was looked up */
	uint32_t profile, hold_until_s;
	uint8_t life, flags;
	uint16_t last_port;    /* the last that was allowed: passes without another look for a second */
	uint8_t last[ADDRESS_BYTES];
	uint32_t last_s, last_session;
	uint8_t last_protocol, spare[3];
	uint32_t grey_until;
};

/* An address that a name stood for in an answer to this SIM. */
struct allow_name {
	uint64_t imsi;
	uint8_t address[ADDRESS_BYTES];
	uint32_t until_s, profile, version;
	uint16_t rows;         /* of the profile's reach, bits */
	uint16_t spare;
};

/* A question of a SIM that waits for its answer. */
struct allow_query {
	uint64_t imsi, name;   /* name: its hash */
	uint8_t server[ADDRESS_BYTES];
	uint16_t port, id;
	uint32_t at_s;
};

/* The first part of a datagram: what the others are judged by. */
struct allow_part {
	uint64_t imsi;
	uint8_t to[ADDRESS_BYTES], from[ADDRESS_BYTES];
	uint32_t id, at_s;
	uint16_t end;          /* octets that the first part covered */
	uint8_t protocol, ok;
};

#define QUERIES 4096
#define PARTS 1024

struct allow {
	struct allow_conf conf;
	const struct book *book;
	struct sessions *sessions;
	uint64_t now_ms, batch;
	uint32_t now_s; /* since 1970 */
	size_t sim_sets, name_sets;
	struct allow_sim *sim;
	uint32_t *place;       /* by session, modulo: where its SIM was last */
	struct allow_name *name;
	struct allow_query query[QUERIES];
	struct allow_part part[PARTS];
	struct {
		uint32_t id;
		uint64_t batch;
		const struct profile_row *row;
	} profile[PROFILES];
};

/* What is being judged. */
struct allow_ask {
	const struct session_hit *hit;
	const struct packet *p;
	const struct profile_row *profile; /* NULL: not ours, or no record */
	struct allow_sim *sim;
	const uint8_t *other; /* the end that is not the device */
	uint16_t other_port;
};

/* --- allow_names.c --- */
/* Which rows of the profile's reach the names of answers have opened for this address; 0: none. */
uint16_t allow_named(const struct allow *a, const struct allow_ask *q, const uint8_t address[ADDRESS_BYTES]);
/* Learn from a packet of DNS that may pass. */
void allow_dns(struct allow *a, const struct allow_ask *q);
