/* merlon inspect: what the judge would have done with a capture. */
#pragma once
#include "cli/cap.h"
#include "cli/reach.h"
#include "cli/traffic.h"
#include "judge/sightings.h"
#include "node/dia_adapt.h"
#include "node/map_adapt.h"
#include "records/serving.h"

#include <jansson.h>

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
	const char *html; /* page to write, or NULL */
	struct traffic traffic;
	uint64_t plmn;
	struct serving *serving;
	struct serving_read *read;
	const struct book *book;
	struct sightings *seen;
	struct judge *judge;
	struct cap *cap;
	struct asked *asked;
	struct map_node *map; /* SS7 */
	const char *answers;  /* file to write MAP refusals to, or NULL */
	struct pcap *answers_pcap;
	struct pcap_dumper *answers_out;
	uint64_t ss7_messages, ss7_ansi;
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

/* What came of one SS7 message's request; `v` NULL: the message is malformed. */
struct judged_map {
	const struct cap_flow *flow;
	const struct map_seen *seen;
	const struct map_ask *ask;
	const struct verdict *v;
	uint32_t opc, dpc;
};

/* --- inspect_say.c --- */
void inspect_begin(const struct inspect *in);
void inspect_say(const struct inspect *in, const struct judged *j);
void inspect_say_when(uint64_t ms, char text[40]);
const char *inspect_safe(struct view v, char text[256]);
/* The rest of a line; `answer`: what a refusal is answered with, or NULL. */
void inspect_say_verdict(const struct verdict *v, const char *answer);
void inspect_put_verdict(json_t *o, const struct verdict *v);
void inspect_put_bcd(json_t *o, const char *name, uint64_t id); /* 0: nothing */
void inspect_count(struct inspect *in, const struct verdict *v);
void inspect_end(struct inspect *in, const char *file);

/* See what the keeper has published since; ERR_CORRUPT: its copy is damaged. */
enum err MUST_USE inspect_renew(struct inspect *in);

/* inspect_ss7.c: what MAP is read with; false after a line that says why. One M3UA message. */
bool inspect_open_ss7(struct inspect *in);
void inspect_m3ua(void *ctx, struct cap_flow *f, struct view message, uint64_t at_ms);

/* inspect_gtp.c: the users' traffic and the GTP-C that it is carried by, whose requests become rows of the
 * report; false after a line that says why. */
bool inspect_open_gtp(struct inspect *in);

/* inspect_ss7_out.c: --answers */
bool inspect_open_answers(struct inspect *in);
void inspect_answer(struct inspect *in, const struct judged_map *j);
void inspect_close_answers(struct inspect *in);

/* inspect_ss7_say.c */
void inspect_say_map(const struct inspect *in, const struct judged_map *j);

/* inspect_modes.c: judge the security mode records of the file; `allow` NULL: what has 128 bits. An
 * exit code, after what there is to say. Needs in->book. */
int inspect_modes(struct inspect *in, const char *path, const char *allow);
