/* Inside the flow table: what nDPI needs, and takes, for a flow. */
#pragma once
#include "inspect/flow.h"

struct dpi; /* the library's tables, and a pool of its flows */

struct dpi *dpi_new(size_t max);
void dpi_free(struct dpi *d);
size_t dpi_bytes(const struct dpi *d);

/* A place of the pool; 0: all are taken. */
uint16_t dpi_take(struct dpi *d);
void dpi_give(struct dpi *d, uint16_t place);

struct dpi_verdict {
	uint16_t protocol, app, tls;
	uint64_t risks, client;
	bool encrypted, sure; /* sure: not given up */
	char name[80];
};
/* One packet of the flow at `place`; true: it is decided, and `v` says how. `last`: there will be none
 * more. */
bool dpi_packet(struct dpi *d, uint16_t place, const struct packet *p, uint64_t now_us,
		struct dpi_verdict *v);
void dpi_give_up(struct dpi *d, uint16_t place, struct dpi_verdict *v);
const char *dpi_protocol(struct dpi *d, uint16_t protocol, uint16_t app, char text[64]);
