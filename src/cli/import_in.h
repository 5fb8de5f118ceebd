/* What the two halves of `merlon import` share: reading and sealing (import.c), sending
 * (import_send.c). */
#pragma once
#include "cli/csv.h"
#include "cli/reach.h"
#include "records/spool.h"

#include <pthread.h>
#include <stdio.h>

#define BLOCKS 4 /* on their way at once: one with the keeper, the others with the vault or here */
#define BLOCK_ROWS KEEP_ROWS_MAX
#define BLOCK_BYTES (KEEP_LINES_MAX - 8192)

/* A range whose cards belong to a partition of their own (R-5.1.h). */
struct batch {
	uint64_t from, to;
	uint32_t partition;
};

struct block {
	struct wr lines;
	size_t rows;
	uint64_t line;         /* the number of the first */
	char keys[SPOOL_NAME]; /* the file of the spool with their keys; "" = none */
};

struct delivery; /* import_cms.c: a supplier's signed file, while it is read */

struct import {
	struct reach reach;
	const struct import_how *how;
	const char *object, *path;
	char stores[CONF_TEXT_MAX]; /* of the home that takes the keys */
	char pair[32];		    /* "partition=1"; empty: as the range says */
	struct batch *batch;
	size_t batch_n;
	bool has_keys;
	FILE *in, *bad;
	struct delivery *delivery; /* NULL: a plain file */
	char text[1 << 16];        /* of `in`: what is read ahead holds keys */
	struct csv_header header;
	char first[2048];
	uint64_t line, size;
	_Atomic uint64_t read;
	struct vault_row *key;
	size_t key_n;
	struct aka *aka;
	uint8_t pub[SEALBOX_PUBLIC];

	struct block block[BLOCKS]; /* block[made % BLOCKS] is being filled */
	pthread_t sender;
	bool sending;           /* there is a sender */
	pthread_mutex_t lock;   /* all below */
	pthread_cond_t moved;
	uint64_t made, sent;    /* blocks */
	bool end, vault_late;
	int code;               /* of the sender: after a failure it sends no more */
	uint64_t done, refused;
	double began, told;     /* seconds */
};

static inline struct block *import_block(struct import *m)
{
	return &m->block[m->made % BLOCKS];
}

/* `in` is a file that may be a supplier's: then it is verified, its supplier looked up and found
 * accredited, and `in` becomes what was in it. An exit code after one clear line, which the journal has
 * too. */
int delivery_begin(struct import *m);
/* May the supplier make this card? NULL, or why not. */
const char *delivery_card(const struct delivery *d, struct view iccid);
/* The end of it: the journal hears what was taken in. Wipes what was in the file. */
int delivery_end(struct import *m, int code);
/* A plain file with keys: told and journalled when import.plain forbids it. */
int delivery_plain(struct import *m);

/* Tell of a refused line; any thread. */
void import_refuse(struct import *m, uint64_t line, struct view reason);
/* Begin and end the thread that sends. False: out of memory. */
bool import_begin(struct import *m);
void import_end(struct import *m);
/* Hand over the block being filled, once its keys are in the spool. EXIT_DONE, or what ended the
 * sending. */
int import_queue(struct import *m);
/* Wait until all that was handed over is answered. */
int import_drain(struct import *m);
void import_progress(struct import *m, bool last);
