/* MAP as home speaks it: the home location register of MSCs, VLRs and SGSNs, and the equipment register, a
 * front of the procedures (TS 29.002). It speaks to the edge, or to a signalling transfer point of our own,
 * by M3UA; neither authenticates anybody. */
#pragma once
#include "loop/loop.h"

#define HLR_LINK_MAX 4

/* An association that is waited for or made, and the traffic that it carries. */
struct hlr_link {
	bool listens;
	uint8_t role, mode; /* enum m3ua_role, m3ua_mode (0: not said) */
	bool has_context;
	uint32_t context;
	struct endpoint at;
	char from[44]; /* listens: prefix of addresses that may connect; "": this machine alone */
};

struct hlr_conf {
	struct hlr_link link[HLR_LINK_MAX];
	size_t link_n;	     /* 0: no MAP */
	uint64_t number;     /* ours, E.164: our global title */
	uint32_t point;	     /* our point code */
	uint32_t gateway;    /* point code that our own requests go to, which translates titles */
	uint64_t smsc, ussd; /* who takes short messages and USSD that the profile allows; 0: nobody */
};
