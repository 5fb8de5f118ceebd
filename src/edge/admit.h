/* Who may connect: a capabilities exchange against the network records (R-5.6.1.h, R-5.6.b). */
#pragma once
#include "edge/edge.h"
#include "judge/book.h"
#include "node/dia_node.h"

/* Is a textual IPv4 or IPv6 address inside "10.0.0.0/8", "2001:db8::/32" or equal to a bare
 * address? */
bool address_within(struct view address, struct view prefix);

/* `clear`: partners without TLS may connect where their record allows it. The decision and, when
 * refused, why: a constant text for the event. */
struct dia_admit admit_peer(const struct edge_conf *conf, bool clear, const struct book *book,
			    const struct dia_link *link, const struct msg *ce, const char **why);
