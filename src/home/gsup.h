/* GSUP as home speaks it: the home register of Osmocom's MSCs (circuit-switched) and SGSNs, a front of
 * the procedures. It has no authentication of its own: who may connect is named, with the addresses it
 * comes from. */
#pragma once
#include "loop/loop.h"
#include "wire/ipa.h"

#define GSUP_KNOWN_MAX 64 /* names */
#define GSUP_FROM_MAX 16  /* address prefixes */
#define GSUP_LISTEN_MAX 8

struct gsup_known {
	char name[IPA_NAME_MAX + 1];
	uint8_t first, n; /* its prefixes, in gsup_conf.from; n 0: this machine alone */
};

struct gsup_conf {
	struct endpoint listen[GSUP_LISTEN_MAX];
	size_t listen_n; /* 0: no GSUP */
	struct gsup_known known[GSUP_KNOWN_MAX];
	size_t known_n;
	char from[GSUP_FROM_MAX][44];
	size_t from_n;
	uint32_t rate;	  /* requests a second of one node; more are told to wait */
	uint32_t idle_ms; /* a node that is silent for so long is cut; after half of it, it is pinged */
};

/* Add "NAME..." or "NAME... from PREFIX...", as a configuration has it. ERR_VALUE: neither; ERR_FULL. */
enum err MUST_USE gsup_known_add(struct gsup_conf *c, struct view text);

/* May a node of that name connect from there? An empty name: may any? */
bool gsup_known_from(const struct gsup_conf *c, struct view name, struct view address);
