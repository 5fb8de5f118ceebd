/* What the record commands share: the configuration's keeper, an open client, a plain way to fail. */
#pragma once
#include "cli/args.h"
#include "cli/conf.h"
#include "records/client.h"

struct reach {
	const char *file;      /* --config */
	const char *data_dir;  /* --data: overrides the configuration's */
	bool json;
	struct conf conf;
	struct client *client;
};

#define REACH_ARGS(r)                                                                              \
	{ "--config", ARG_TEXT, &(r).file, "FILE", "the configuration (/etc/merlon/merlon.yaml)", 0, 0 }, \
	{ "--data", ARG_TEXT, &(r).data_dir, "DIR", "the data directory, if another than configured", 0, 0 }, \
	{ "--json", ARG_FLAG, &(r).json, "", "print JSON", 0, 0 }

/* Read the configuration and, if `keeper`, connect. EXIT_DONE, or an exit code after one clear line. */
int reach_open(struct reach *r, const char *command, bool keeper);
void reach_close(struct reach *r);

/* Call the keeper. EXIT_DONE when it says OK; else EXIT_FAILED after its reason was printed. */
int reach_call(struct reach *r, const char *command, struct keep *req, struct keep *rep);

/* cli/import.c: load files; `object` NULL: by the header; `bad` NULL: refused lines to standard error;
 * `partition` NULL: that of each subscription's range. */
struct import_how {
	const char *object, *bad;
	const uint64_t *partition;
	bool update;
	/* Bulk equipment lists: `form` NULL: none of that; else see cli/equip_form.h. */
	const char *form, *list, *fields, *organisation;
	const char *supplier; /* whose delivery it must be; NULL: any supplier's */
	const char *confirm; /* the code of the change that the range guard stopped */
	bool dry;
};
int import_files(struct reach *r, const struct import_how *how, int n, char **paths);
/* cli/import_lists.c: one file of a bulk equipment list. */
int import_lists(struct reach *r, const struct import_how *how, int n, char **paths);
