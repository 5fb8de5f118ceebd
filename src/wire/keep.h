/* Requests to the keeper and its replies, over a Unix stream socket: bytes to fields and back.
 * What is said is in keep.tab. Pure.
 *
 * A frame is "MK", version 1, code (a reply has the high bit set), 4 bytes of request number, 4
 * bytes of body length; the body is fields: 2 bytes of tag, 4 of length, the value. All
 * big-endian. A malformed frame ends its connection.
 *
 * Subscribers' keys (K, OPc, OP, TOPc) never travel here: the cli seals them to the vault's
 * public key (crypto/seal.h) into data_dir/spool, where home takes them, before it sends the
 * record. The keeper refuses a row in which one of those columns is not empty. */
#pragma once
#include "base/bytes.h"

#define KEEP_HEAD      12
#define KEEP_FRAME_MAX ((size_t)4 << 20)
#define KEEP_LINES_MAX ((size_t)2 << 20)
#define KEEP_BODY_MAX  ((size_t)3 << 20)
#define KEEP_ROWS_MAX  10000
#define KEEP_PAIRS_MAX 32

enum keep_field {
#define FIELD(id, ...) id,
#define MSG(...)
#include "wire/keep.tab"
#undef FIELD
#undef MSG
	KEEP_FIELDS
};

enum keep_op {
#define FIELD(...)
#define MSG(id, name, code, ...) id = code,
#include "wire/keep.tab"
#undef FIELD
#undef MSG
};

struct keep {
	enum keep_op op;
	bool reply;
	uint32_t id;                     /* of the request; its reply has the same */
	uint64_t has;                    /* fields that are there: 1 << enum keep_field */
	struct view text[KEEP_FIELDS];   /* borrows the frame */
	uint64_t num[KEEP_FIELDS];
	struct view pair[KEEP_PAIRS_MAX];
	size_t pair_n;
};

/* The length of the frame that begins at `in`; 0 = more bytes needed, SIZE_MAX = no frame of
 * ours. */
size_t keep_frame(struct view in);

/* One whole frame. OK means: the request is known, what its row says MUST is there, nothing else
 * than its row allows, every length in range. A reply may hold any reply field. */
enum err MUST_USE keep_parse(struct keep *k, struct view frame);
/* ERR_LENGTH in w->err: a text does not fit its row. */
void keep_emit(struct wr *w, const struct keep *k);

static inline bool keep_has(const struct keep *k, enum keep_field f)
{
	return k->has >> f & 1;
}
void keep_put_num(struct keep *k, enum keep_field f, uint64_t num);
void keep_put_text(struct keep *k, enum keep_field f, struct view text); /* nothing if empty */
const char *keep_op_name(enum keep_op op);
