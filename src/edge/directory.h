/* Which worker holds the connection of which Diameter host: shared by the workers, read without
 * locks. */
#pragma once
#include "base/bytes.h"

struct directory;

struct seat {
	uint8_t worker, kind; /* kind: enum dia_peer_kind */
	bool relay;	      /* an agent: it reaches hosts behind it (RFC 6733 §2.8.1) */
	uint32_t conn;
};

struct directory *directory_new(size_t seat_max);
void directory_free(struct directory *d);

/* Open and closed peers. False: full, or the host is seated elsewhere already. Any thread. */
bool directory_put(struct directory *d, struct view host, uint64_t plmn, struct seat seat);
void directory_remove(struct directory *d, struct view host, struct seat seat);

/* False when the host has no open connection. Any thread, no lock. */
bool directory_find(const struct directory *d, struct view host, struct seat *seat);
/* Any open peer of a network, and of our own nodes with plmn 0; `relay`: an agent only. `turn` spreads
 * over several. */
bool directory_of_network(const struct directory *d, uint64_t plmn, bool relay, uint32_t turn,
			  struct seat *seat);
