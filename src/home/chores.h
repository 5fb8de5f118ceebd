/* What may block: renewing the SQN reservation, and taking spooled keys into the vault. A thread of
 * its own, begun once the loop runs, so that it lives inside the sandbox too. */
#pragma once
#include "crypto/sqn.h"
#include "records/vault.h"
#include <pthread.h>
#include <stdatomic.h>

struct chores {
	struct sqn *sqn;     /* borrowed */
	struct vault *vault; /* borrowed */
	int spool_fd;	     /* the spool's directory */
	/* Of the import keys, from secret_new: ours, and the one that a master key file gave before. */
	struct chores_pair {
		uint8_t pub[SEALBOX_PUBLIC];
		struct secret32 priv;
	} *pair;
	size_t pair_n;
	pthread_t thread;
	bool running;
	atomic_bool stop;
	atomic_bool reset_wanted; /* somebody put a file "reset" into the spool */
};

/* Begin; false: no thread could be made, and chores_step is to be called every 100 ms instead. */
bool chores_start(struct chores *c);
void chores_stop(struct chores *c);
/* True if keys were taken in: there may be more at once. */
bool chores_step(struct chores *c, uint64_t wall_ms);
