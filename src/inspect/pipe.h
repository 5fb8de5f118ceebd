/* The packet path: a frame comes in on one side, and goes out on the other, or does not. One for the wire,
 * a tap and a capture file: it reads no clock and no descriptor. It belongs to one thread; the session
 * table may be shared. */
#pragma once
#include "inspect/allow.h"
#include "inspect/frag.h"
#include "inspect/gtpu.h"

enum pipe_act {
	PIPE_PASS, /* send it on, as it now is: its DSCP may have been written */
	PIPE_DROP,
	PIPE_KEPT, /* a part of a datagram, waiting for the others */
};

/* What another part of inspect says of a message of GTP-C. */
enum pipe_word { WORD_PASS, WORD_DROP, WORD_ANSWER };

struct pipe_ops {
	/* A frame of our own, or parts that waited, out on `side`. Borrowed. */
	void (*send)(void *ctx, unsigned int side, struct view frame);
	/* A payload to or from port 2123, whole. WORD_ANSWER: drop it, and send back what was put into
	 * `answer`. NULL: all pass. `side`: where it came in. */
	enum pipe_word (*signalling)(void *ctx, unsigned int side, const struct packet *p, struct wr *answer);
	/* What a device sends or is sent, that may pass so far. NULL: nobody looks. */
	enum drop (*content)(void *ctx, const struct session_hit *hit, const struct packet *p);
	/* Something is dropped; `hit` NULL: of no session. `inner` NULL: the outer packet says all. */
	void (*dropped)(void *ctx, enum drop why, const struct session_hit *hit, const struct packet *p);
	void *ctx;
};

struct pipe_conf {
	struct sessions *sessions; /* borrowed */
	struct allow_conf allow;
	size_t frags;              /* datagrams in parts at once */
	bool mark;                 /* write the DSCP of the bearer's QCI */
	bool plain;                /* packets outside of tunnels are devices' too (the Gi or SGi side) */
	bool screen_only;          /* GTP-C alone: user packets pass */
};

struct pipe_counts {
	uint64_t frames, octets, passed, kept, answered;
	uint64_t other, control, user, plain; /* what they were */
	uint64_t drop[DROP_N];
};

struct pipe;
struct pipe *pipe_new(const struct pipe_conf *conf, const struct pipe_ops *ops); /* NULL: out of memory */
void pipe_free(struct pipe *p);
/* Before a batch of frames; the rows of `book` stay valid until the next. */
void pipe_batch(struct pipe *p, const struct book *book, uint64_t now_ms, uint64_t wall_s);
/* What pipe_frame will need for these frames of Ethernet is brought near, so that none waits for memory. */
#define PIPE_AHEAD 16
void pipe_ahead(const struct pipe *p, const struct view *frame, size_t n);
/* `side`: 0 or 1. `link`: enum packet_link. */
enum pipe_act pipe_frame(struct pipe *p, unsigned int side, uint8_t *frame, size_t n, int link);
const struct pipe_counts *pipe_counts(const struct pipe *p);
struct allow *pipe_allow(struct pipe *p);

/* Put the answer to a UDP packet of `p->frame` (Ethernet): its frame turned round, with another payload. */
void pipe_answer(struct wr *w, const struct packet *p, struct view payload);

/* The DSCP for a QCI (GSMA IR.34 table 6); 0: best effort. */
uint8_t dscp_of_qci(uint8_t qci);
/* Write it into the packet's IP header, and mend the checksum; the ECN bits stay. */
void dscp_write(uint8_t *ip, uint8_t dscp);
