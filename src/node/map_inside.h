/* What map_adapt.c and its neighbours share. */
#pragma once
#include "node/map_adapt.h"

enum map_to {
	TO_HLR = 1,
	TO_VLR = 2,
	TO_MSC = 4,
	TO_SGSN = 8,
	TO_EIR = 16,
	TO_SCF = 32,
	TO_GMLC = 64,
	TO_GGSN = 128,
	TO_AUC = 256
};

#define MAP_CONTEXTS 3

/* Older than that? Frames of a capture from several interfaces are not quite in order. */
static inline bool map_aged(uint64_t began_ms, uint64_t now_ms, uint64_t limit_ms)
{
	return now_ms > began_ms && now_ms - began_ms > limit_ms;
}

struct map_row {
	uint8_t category, op, oldest; /* enum category, enum op, version */
	bool known;
	uint16_t to;
	uint8_t context[MAP_CONTEXTS];
};

/* The row of an operation, or NULL. */
const struct map_row *map_row(uint32_t code);

/* Read an argument's fields into facts; `visits`: the sender is a visited network. */
void map_take_argument(struct facts *f, const struct msg *argument, bool visits);

/* Form bits: of an operation among its context and subsystem; of an argument's encoding. */
uint16_t map_form_of_context(const struct map_row *row, const struct map_seen *seen, bool begins);
uint16_t map_form_of_encoding(const struct msg *m);

/* Does an E.214 title, MSIN behind a country's digits, belong to this IMSI (E.214 3)? */
bool map_title_fits(const struct sccp_address *a, uint64_t imsi);

struct map_node {
	struct map_conf conf;
	const struct book *book;
	struct sccp_join *join;
	struct map_dialogues *dialogues;
	uint64_t first_ms;
};

uint64_t map_title_number(const struct sccp_address *a); /* 0: no digits, or none that are a number */

/* map_track.c: the dialogue that a message belongs to, or NULL; a new one. */
struct map_dialogue *map_dialogue_of(struct map_node *n, const struct map_seen *seen, uint64_t now_ms);
struct map_dialogue *map_opened(struct map_node *n, const struct map_seen *seen, uint64_t about,
				uint64_t now_ms);
