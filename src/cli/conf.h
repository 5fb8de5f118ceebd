/* The configuration of Merlon, /etc/merlon/merlon.yaml: rows in conf.tab. */
#pragma once
#include "base/conf.h"

struct conf {
#define CONF(key, field, kind, min, max, preset, choices, unit, reload, help)                      \
	CONF_MEMBER_##kind(field)
#define CONF_MEMBER_TEXT(f) char f[CONF_TEXT_MAX];
#define CONF_MEMBER_NUMBER(f) uint32_t f;
#define CONF_MEMBER_BOOL(f) bool f;
#define CONF_MEMBER_CHOICE(f) uint32_t f;
#define CONF_MEMBER_LIST(f) struct conf_list f;
#define CONF_MEMBER_DIGITS(f) uint64_t f;
#include "cli/conf.tab"
#undef CONF
};

extern const struct conf_row conf_rows[];
extern const size_t conf_row_n;

/* Read FILE (NULL: all defaults) and fill in what depends on other keys (host names under the
 * realm, paths under data_dir). ERR_CONFIG with one clear line. */
enum err MUST_USE conf_read(const char *file, struct conf *c, char why[256]);
/* The same from bytes: what a role gets at reload. */
enum err MUST_USE conf_parse(struct view yaml, const char *file, struct conf *c, char why[256]);
/* Move the data directory, and the paths that follow it, elsewhere (run --data). */
enum err MUST_USE conf_move(struct conf *c, const char *data_dir, char why[256]);

/* Where the home that this configuration describes keeps its stores: data_dir, or a directory of its
 * own in it for a partition (R-5.1.i). False: the path is too long. */
bool conf_stores(const struct conf *c, char dir[CONF_TEXT_MAX]);
/* The same for any partition. */
bool conf_stores_of(const struct conf *c, uint32_t partition, char dir[CONF_TEXT_MAX]);

/* The file to read: the one asked for, else /etc/merlon/merlon.yaml where it exists, else NULL: defaults. */
const char *conf_file(const char *asked);
