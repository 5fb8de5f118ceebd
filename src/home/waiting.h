/* Answers that wait for a commit: bounded, each with the refusal it becomes when the commit fails.
 */
#pragma once
#include "home/procedure.h"

#define WAITING_MAX 4096
#define ANSWER_MAX 4096
#define REFUSAL_MAX 1536

struct waiting_answer {
	uint32_t index, life; /* the token is made of them */
	uint32_t conn;	      /* who asked; 0: by datagram, the path below */
	bool used, gsup;      /* gsup: `conn` is of a GSUP node */
	bool map;	      /* answer and refusal begin with a struct hlr_route (home/hlr_in.h) */
	uint8_t cancel_n;
	uint64_t imsi;
	char path[108];	      /* of the asker's Unix socket */
	struct cancel cancel[2];   /* to send once the new registration is durable */
	struct wr answer, refusal; /* views of the rooms below */
	uint8_t answer_room[ANSWER_MAX], refusal_room[REFUSAL_MAX];
};

struct waiting;
struct waiting *waiting_new(void); /* NULL: out of memory */
void waiting_free(struct waiting *w);
size_t waiting_used(const struct waiting *w);

/* A place, its rooms empty; NULL when all wait. Its contents are wiped when it is given back:
 * answers hold vectors. */
struct waiting_answer *waiting_take(struct waiting *w);
void waiting_give(struct waiting *w, struct waiting_answer *a);
uint64_t waiting_token(const struct waiting_answer *a); /* never 0 */
struct waiting_answer *waiting_find(struct waiting *w, uint64_t token);
