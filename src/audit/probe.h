/* A Diameter node for tests against a running edge: one blocking connection that can say anything,
 * right or wrong. It answers what it is asked meanwhile, and counts it. */
#pragma once
#include "loop/loop.h"
#include "wire/dia.h"

#define PROBE_TEXT 160

struct probe;

/* Where to, and with what. Empty files: clear TCP. */
struct probe_to {
	struct endpoint at;
	const char *cert, *key, *ca; /* for tls: endpoints */
};

struct probe_answer {
	struct msg m;
	struct dia_header h;
	enum err err; /* of its parse */
	uint32_t result, experimental;
};

/* Connect and exchange capabilities. ERR_IO with `why`; ERR_REFUSED: the edge answered, with
 * `*result`. */
enum err MUST_USE probe_open(struct probe **p, const struct probe_to *to, const char *host,
			     const char *realm, uint32_t *result, char why[PROBE_TEXT]);
void probe_close(struct probe *p);

/* Write over the hop-by-hop identifier, and send. ERR_IO: the connection is gone. */
enum err MUST_USE probe_send(struct probe *p, struct view message);
/* The next answer, valid until the next call. ERR_AGAIN: none within wait_ms. */
enum err MUST_USE probe_next(struct probe *p, struct probe_answer *a, uint32_t wait_ms);
/* Send, and wait for the answer to this message. */
enum err MUST_USE probe_ask(struct probe *p, struct view message, struct probe_answer *a,
			    uint32_t wait_ms);

const char *probe_host(const struct probe *p);
const char *probe_realm(const struct probe *p);
/* How many requests of a command came so far. */
uint32_t probe_heard(const struct probe *p, uint32_t code);

/* A connected socket with short time-outs, or -1 with the reason. */
int probe_socket(const struct endpoint *at, char why[PROBE_TEXT]);
