/* How busy home is, for DOIC (RFC 7683) and Load (RFC 8583). Home only reports; the edge admits. */
#pragma once
#include "base/bytes.h"

struct home_load {
	uint64_t value; /* Load-Value: what is free, of 65535 (RFC 8583 7.3: higher is less load) */
	uint64_t sequence;  /* OC-Sequence-Number, rises with every change of the report */
	bool report;	    /* send the overload report; its end is repeated for a while, too */
	uint32_t reduction; /* percent */
	uint32_t validity_s;
	uint64_t changed_ms;
};

/* Reckon anew from how many answers wait for a commit. */
void load_update(struct home_load *l, size_t waiting, size_t max, uint64_t now_ms);
