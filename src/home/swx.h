/* SWx, for the operator's own AAA servers (TS 29.273 8): what a request asks, its answer, and what home
 * sends by itself. Answers begin and end as those of S6a (s6a.h). */
#pragma once
#include "home/s6a.h"

/* The subscriber: User-Name is the IMSI, or the root NAI of one of the methods (TS 23.003 19.3.2: a
 * digit that says which, then the IMSI). 0: neither. */
uint64_t swx_imsi(const struct msg *m);

/* What S6a calls otherwise, as TS 29.273 10.3 names it: no non-3GPP subscription, access type not allowed. */
enum result swx_result(enum result r);

/* A Multimedia-Auth-Request. The method's scheme borrows the message or is constant. */
struct swx_ask {
	struct wifi_request wifi; /* methods 0: a scheme that is none of ours */
	struct view scheme;	  /* as the answer repeats it */
	bool failed;		  /* AAA-Failure-Indication: the server that served has failed */
	enum result result;	  /* what is wrong already: the access, the scheme, what it needs */
};
void swx_mar_read(const struct msg *m, struct swx_ask *q);
/* `other`: the AAA server that serves already, told with RESULT_OTHER_AAA. */
void swx_maa_write(struct wr *w, const struct s6a_in *in, const struct swx_ask *q,
		   const struct auth_result *r, const struct reg_node *other);

void swx_sar_read(const struct msg *m, struct assign_request *q);
void swx_saa_write(struct wr *w, const struct s6a_in *in, const struct assign_result *r,
		   const struct home_rows *rows);

/* Each writes one finished message. */
void swx_rtr_write(struct wr *w, const struct s6a_out *out);
void swx_ppr_write(struct wr *w, const struct s6a_out *out, const struct home_rows *rows);
