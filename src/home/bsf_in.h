/* What the files of the bootstrapping server share. */
#pragma once
#include "home/bsf.h"
#include "home/bsf_table.h"
#include "loop/web.h"

#include <pthread.h>
#include <stdatomic.h>

enum bsf_state { BSF_IDLE, BSF_ASKED, BSF_COMMITTING, BSF_DONE };

/* What Ub asks of home's loop: may this subscription bootstrap, and if `vector`, a challenge for it. */
struct bsf_ask {
	uint64_t imsi;
	bool vector;
	bool resync; /* `auts` is of the card that failed the challenge `rand` */
	uint8_t rand_auts[30];
	enum result result;
	bool resynced; /* it was genuine */
	struct aka_vector v;
};

struct bsf {
	struct bsf_conf conf;
	char name[256];
	uint64_t own_plmn;
	struct home_worker *w;
	struct web *web;
	pthread_t thread;
	bool started;
	atomic_bool stop;

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t answered;
	struct bsf_table *table;
	enum bsf_state state;
	struct bsf_ask ask;
	int ask_fd; /* eventfd: wakes the loop */
};

/* --- bsf_ask.c --- */
/* Ub's thread: ask the loop and wait. False: home stops. */
bool bsf_ask(struct bsf *b, struct bsf_ask *ask);
void bsf_asked(void *ctx, int fd); /* the loop's thread */

/* --- bsf_ub.c --- */
void bsf_ub(void *ctx, struct web_call *call, const struct web_request *q);
