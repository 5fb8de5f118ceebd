/* The traffic of a capture, through the pipeline of the inspect role: tunnels, sessions, flows, leaks,
 * threats; and what is said of it: text, JSON, and a page with plots. Memory does not grow with the file.
 */
#pragma once
#include "inspect/content.h"
#include "inspect/gtpc.h"

#include <jansson.h>
#include <stdio.h>

enum series {
	SERIES_PACKETS,
	SERIES_BYTES,
	SERIES_SESSIONS,
	SERIES_SIGNALLING,
	SERIES_REFUSED,
	SERIES_LEAKS,
	SERIES_THREATS,
	SERIES_N
};

/* What happened when: when time runs out of spans, each becomes twice as long. */
#define SPANS 120
struct spans {
	uint64_t first_us, width_us;
	size_t n;
	double v[SERIES_N][SPANS];
};
void spans_add(struct spans *s, uint64_t at_us, enum series series, double n);

struct traffic {
	const struct book *book; /* NULL: no records */
	struct content *content;
	struct sessions *sessions;
	struct sightings *seen; /* borrowed */
	struct gtpc *gtpc;
	/* Told of each message of GTP-C and what became of it; NULL: nobody. */
	void (*told)(void *ctx, const struct gtpc_packet *p, const struct gtpc_result *r);
	void *told_ctx;
	struct spans spans;
	uint64_t packets, other, malformed, user, control, plain, unknown_tunnel, nested, last_us;
	uint64_t message[3][256]; /* of GTP-C, by version and type */
};

/* False: out of memory. `book` is borrowed; NULL: there are no records, and whatever the file holds is
 * inspected. `seen` is borrowed too: GTP is held against what other protocols said of a SIM. */
bool traffic_open(struct traffic *t, const struct book *book, struct sightings *seen,
		  const struct gtpc_conf *gtp);
void traffic_close(struct traffic *t);
void traffic_packet(struct traffic *t, int link, struct view frame, uint64_t at_us);
void traffic_end(struct traffic *t);

/* traffic_say.c */
void traffic_say(struct traffic *t);
json_t *traffic_json(struct traffic *t);

/* traffic_html.c: one file that needs no other, and no script. False: it could not be written. */
bool traffic_html(struct traffic *t, const char *path, const char *capture);

/* "999700000000001 10.0.0.5 -> 203.0.113.9:443", for lists. */
#define TRAFFIC_WHO 192
void traffic_who(const struct finding *f, char text[TRAFFIC_WHO]);
const char *traffic_answer(const struct finding *f);
