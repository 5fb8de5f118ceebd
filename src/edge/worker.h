/* One worker of the edge: a loop, a Diameter node, and the glue between them. */
#pragma once
#include "edge/inside.h"

enum err MUST_USE worker_open(struct edge *e, size_t index, char why[256]);
enum err MUST_USE worker_listen(struct edge_worker *w, char why[256]);
void worker_free(struct edge_worker *w);
