/* GTP-C of all pairs: one firewall, which fills the session table that every worker reads. */
#pragma once
#include "inspect/gtpc.h"
#include "inspect/pipe.h"
#include "records/serving.h"

struct signalling;
struct signalling_conf {
	struct sessions *sessions;  /* borrowed */
	struct serving_read *read;  /* taken over: read under the lock of this; NULL: an empty book */
	const char *categories;
	struct admission_conf gateway; /* of each gateway */
	uint8_t key[HASH_KEY];
};

enum err MUST_USE signalling_new(struct signalling **s, const struct signalling_conf *conf, char why[256]);
void signalling_free(struct signalling *s);
/* struct pipe_ops.signalling. Any worker's thread. */
enum pipe_word signalling_take(struct signalling *s, unsigned int side, const struct packet *p,
			       uint64_t now_ms, uint64_t wall_ms, struct wr *answer);
/* Once a second: what was refused, as events; counters. */
void signalling_tell(struct signalling *s);
