/* Inside of the inspect role. */
#pragma once
#include "inspect/content.h"
#include "inspect/inspect.h"
#include "inspect/notes.h"
#include "inspect/pipe.h"
#include "inspect/signalling.h"
#include "records/serving.h"

#include <pthread.h>
#include <stdatomic.h>

struct inspect_worker {
	struct inspect_role *role;
	struct nic *nic[2];      /* the second NULL: a tap */
	struct nic_heart *heart; /* NULL: fail closed, or a tap */
	struct pipe *pipe;
	struct content *content;
	struct serving_read *read;
	struct pipe_counts told;
	struct nic_counts nic_told[2];
	struct notes notes;
	uint64_t now_ms, wall_ms, renewed_ms, said_ms;
	_Atomic uint64_t alive_ms;
	pthread_t thread;
};

struct inspect_role {
	const struct inspect_conf *conf;
	struct serving *serving;
	struct sessions *sessions;
	struct signalling *signalling;
	struct inspect_worker worker[INSPECT_PAIRS];
	size_t worker_n;
	_Atomic bool stop;
};

/* --- work.c --- */
void *inspect_work(void *worker);
/* What inspection found, as an event. */
void inspect_found(void *worker, const struct finding *f);
/* What a worker was told to say, and its counters, to metrics. */
void inspect_tell(struct inspect_worker *w);
uint64_t inspect_clock_ms(int clock);
