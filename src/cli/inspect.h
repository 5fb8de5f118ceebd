/* merlon inspect: what the judge would have done with a capture. */
#pragma once
#include "cli/cap.h"
#include "cli/reach.h"
#include "judge/sightings.h"
#include "node/dia_adapt.h"
#include "records/serving.h"

#define ASKED_MAX 4096

/* One direction: who speaks in it, and its Diameter connection as the edge would have it. */
struct speaker {
	char host[256], realm[256];
	bool known; /* by its CER or CEA; else by what it first claimed */
	bool up;
	uint64_t plmn; /* of its network record; 0: none */
	struct dia_node *node;
	struct dia_node_conf conf;
	struct inspect *me;
	const struct cap_flow *flow;
};

/* A request whose answer may come: what success teaches the judge. */
struct asked {
	uint64_t pair;
	uint32_t hop_by_hop;
	bool used;
	uint8_t partition;
	struct facts facts;
	char host[256];
};

struct inspect {
	struct reach reach;
	const char *peer_realm, *network;
	bool summary;
	uint64_t plmn;
	struct serving *serving;
	struct serving_read *read;
	const struct book *book;
	struct sightings *seen;
	struct judge *judge;
	struct cap *cap;
	struct asked *asked;
	uint64_t at_ms, requests, passed, malformed;
	uint64_t refused[CHECK_N], observed[CHECK_N];
	struct arena mem;
	uint8_t out[4096];
};

/* What came of one request; `v` NULL: it is malformed, `err` says how. */
struct judged {
	const struct speaker *from;
	const struct msg *m;
	const struct dia_header *h;
	const struct facts *f;
	const struct verdict *v;
	enum err err;
};

/* inspect_book.c */
extern const struct book inspect_empty_book;

/* --- inspect_say.c --- */
void inspect_begin(const struct inspect *in);
void inspect_say(const struct inspect *in, const struct judged *j);
void inspect_end(const struct inspect *in, const char *file);

/* See what the keeper has published since; ERR_CORRUPT: its copy is damaged. */
enum err MUST_USE inspect_renew(struct inspect *in);

/* inspect_modes.c: judge the security mode records of the file; `allow` NULL: what has 128 bits. An
 * exit code, after what there is to say. Needs in->book. */
int inspect_modes(struct inspect *in, const char *path, const char *allow);
