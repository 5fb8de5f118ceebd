/* Imports of bulk equipment lists: entries come in over the socket, a plan is made and judged by the
 * range guard, and only then a generation is written. One import at a time; what takes long runs on a
 * thread of its own, and the client asks on. */
#pragma once
#include "keeper/keeper_in.h"

#include "records/equip_make.h"

#include <pthread.h>
#include <stdatomic.h>

enum lists_state { LISTS_NONE, LISTS_TAKES, LISTS_PLANS, LISTS_PLANNED, LISTS_WRITES };

struct lists {
	enum lists_state state;
	char user[USER_MAX], source[72];
	uint64_t touched_ms;
	struct equip_make *make;
	struct equip_set *base; /* the generation in force; NULL: none */
	struct serving_lists now;
	struct equip_guard guard;
	const char *dir;
	pthread_t thread;
	_Atomic bool done; /* the thread has */
	bool running;	   /* there is a thread to be joined */
	enum err err;	   /* of it */
	char why[256];
	struct equip_plan plan;
	struct equip_head head; /* of what was written */
};

/* The plan and the generation as JSON. */
void lists_say_plan(struct wr *w, const struct lists *l);
void lists_say_done(struct wr *w, const struct lists *l);
/* What the guard says of the plan's first finding, for a person. */
void lists_say_finding(char text[SAY_MAX], const struct lists *l);

/* The thread's work. */
void lists_plan(struct lists *l);
void lists_write(struct lists *l);
