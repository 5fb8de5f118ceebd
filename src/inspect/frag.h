/* Datagrams in parts, put together so that they can be judged as one, and then sent on in the parts that
 * came. Parts that overlap end the datagram, as RFC 5722 has it for IPv6: what two nodes would read
 * differently passes no filter. Bounded: so many datagrams at once, a few of one source. */
#pragma once
#include "base/hash.h"
#include "inspect/packet.h"

struct frags;
struct frags *frags_new(size_t datagrams, const uint8_t key[HASH_KEY]); /* 140 KB each; NULL: out of memory */
void frags_free(struct frags *f);

enum frag { FRAG_WAIT, FRAG_WHOLE, FRAG_BAD };

/* Take in a part (of `p`, from packet_parse), a copy of its frame is kept. FRAG_WHOLE: `*whole` is the IP
 * datagram, until the next call. */
enum frag frags_take(struct frags *f, const struct packet *p, uint64_t now_ms, struct view *whole);
/* The frames of the datagram that was just whole, the first `i` = 0; empty: no more. */
struct view frags_frame(const struct frags *f, size_t i);
