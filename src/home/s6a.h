/* What all S6a and S13 answers and requests of home have in common (TS 29.272 7.2). */
#pragma once
#include "home/load.h"
#include "home/procedure.h"
#include "node/dia_node.h"

/* One request being answered. All borrowed. */
struct s6a_in {
	const struct msg *m;
	const struct dia_header *h;
	const struct dia_node_conf *me;
	const struct home_load *load;
};

/* Begin an answer: header, Session-Id first, the result in the right AVP and never in both,
 * identities, and the load reports if the request understands them. Returns the start, for
 * s6a_answer_end, which copies Proxy-Info (RFC 6733 6.2) and closes. */
size_t s6a_answer_begin(struct wr *w, const struct s6a_in *in, enum result result);
void s6a_answer_end(struct wr *w, const struct s6a_in *in, size_t start);

/* Begin a request of ours to a node: everything up to User-Name. `session` is a number unique in
 * this life of the process. dia_end closes it. */
struct s6a_out {
	const struct dia_node_conf *me;
	const struct reg_node *to;
	uint64_t imsi; /* 0: none (RSR) */
	uint64_t session;
};
size_t s6a_request_begin(struct wr *w, uint32_t code, const struct s6a_out *out);
/* The same of another application. */
size_t s6a_request_begin_of(struct wr *w, uint32_t app, uint32_t code, const struct s6a_out *out);

/* The features a node says it supports, and our answer to that: what both support, or nothing when
 * the request named no lists. */
uint64_t s6a_features(const struct msg *m);
void s6a_put_features(struct wr *w, const struct msg *m, uint64_t features);

uint64_t s6a_imsi(const struct msg *m);
uint64_t s6a_imei(const struct msg *m); /* 14 digits; 0: none */

/* The fronts: what a request asks, and its answer. */
void s6a_air_read(const struct msg *m, struct auth_request *q);
void s6a_aia_write(struct wr *w, const struct s6a_in *in, const struct auth_result *a);

void s6a_ulr_read(const struct msg *m, struct update_request *q);
/* `compat`: add what MMEs insist on that drop an error ULA else (facts/peers.md 4.2). */
void s6a_ula_write(struct wr *w, const struct s6a_in *in, const struct update_request *q,
		   const struct update_result *u, const struct home_rows *rows, bool compat);

uint32_t s6a_pur_flags(const struct msg *m);
void s6a_pua_write(struct wr *w, const struct s6a_in *in, const struct purge_result *p);
void s6a_noa_write(struct wr *w, const struct s6a_in *in, const struct notify_result *n);
void s13_eca_write(struct wr *w, const struct s6a_in *in, const struct check_result *c);

/* The HSS's own requests. Each writes one finished message. */
void s6a_clr_write(struct wr *w, const struct s6a_out *out, enum cancellation type, bool mme);
void s6a_idr_write(struct wr *w, const struct s6a_out *out, const struct home_rows *rows,
		   bool gprs);
enum dsr_flag {
	DSR_PDN_CONTEXTS = 0x8,
	DSR_SMS = 0x2000,
	DSR_TAU_TIMER = 0x4000,
	DSR_MSISDN = 0x800000
};
struct s6a_deletion {
	uint32_t flags; /* DSR-Flags */
	uint32_t context[APN_MAX];
	size_t context_n;
};
void s6a_dsr_write(struct wr *w, const struct s6a_out *out, const struct s6a_deletion *d);
void s6a_rsr_write(struct wr *w, const struct s6a_out *out);
