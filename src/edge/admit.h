/* Who may connect: a capabilities exchange against the network records (R-5.6.1.h, R-5.6.b). */
#pragma once
#include "edge/edge.h"
#include "judge/book.h"
#include "node/dia_node.h"

/* `clear`: partners without TLS may connect where their record allows it. The decision and, when
 * refused, why: a constant text for the event. */
struct dia_admit admit_peer(const struct edge_conf *conf, bool clear, const struct book *book,
			    const struct dia_link *link, const struct msg *ce, const char **why);
