/* Inside the session table: its memory, and how readers and the writer share it. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "inspect/session.h"

#define STRIPES 4096
#define NODES   4096
#define ROW_WORDS (sizeof(struct session) / sizeof(uint64_t))

_Static_assert(sizeof(struct session) % sizeof(uint64_t) == 0, "a session is copied by words");

/* Where something is found by: a tunnel's end, or a device's address. Word 0: TEID, plane, direction, EBI,
 * QCI; word 1: session and life; words 2 and 3: the address. Read under the sequence of its chain. */
struct key_cell {
	_Atomic uint64_t word[4];
	_Atomic uint32_t next;  /* in its chain, and when free; 0: none */
	uint32_t sister;        /* the next of the same session */
};

/* Its words are read under `seq`, odd while they are written. */
struct row {
	_Atomic uint32_t seq, seen_s;
	_Atomic uint64_t word[ROW_WORDS];
	char apn[SESSION_APN];
	uint32_t keys;          /* its first cell */
	uint32_t next_of_sim;   /* or the next free row */
	bool used;
};

struct node {
	uint8_t address[16];
	uint32_t held;          /* sessions that name it */
	uint32_t seen_s;
	uint8_t counter;
	bool used, counted;
};

struct sessions {
	uint64_t magic, layout;             /* of a file: whose it is, and the sizes of what it holds */
	_Atomic uint32_t busy;              /* a change is going on */
	bool mapped;
	uint8_t hash_key[HASH_KEY];
	uint32_t max, cell_n, idle_s, mask; /* mask: of `head` and `sims` */
	size_t bytes;
	pthread_mutex_t writing;
	_Atomic uint32_t n;
	uint32_t free_row, free_cell, fresh_row, fresh_cell, hand;
	_Atomic uint32_t stripe[STRIPES];   /* sequence of the chains that share it */
	_Atomic uint16_t node_life[NODES];  /* 1 and up for a node in use */
	struct node node[NODES];
	struct row *row;                    /* max */
	struct key_cell *cell;              /* cell_n, from 1 */
	_Atomic uint32_t *head;             /* chains of cells, by hash */
	uint32_t *sims;                     /* chains of rows, by IMSI: row + 1 */
};

/* An address and what comes with it, as two numbers to hash and compare. */
struct key {
	uint64_t what, high, low; /* what: TEID and plane */
};

struct key session_key(enum session_plane plane, struct view address, uint32_t teid);
uint32_t session_bucket(const struct sessions *s, const struct key *k);
void session_load(const struct row *r, struct session *out);
bool session_lives(const struct sessions *s, const struct session *is);

#define WHAT(teid, plane) ((uint64_t)(teid) << 32 | (uint64_t)(plane) << 24)
#define WHAT_MASK         0xffffffffff000000u
