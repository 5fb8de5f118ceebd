/* The supervisor: starts the roles of one configuration as processes, keeps them running, stops
 * them. */
#pragma once
#include "cli/roles.h"

struct supervise {
	const char *file;     /* configuration, or NULL: defaults */
	const char *data_dir; /* overrides the configuration; or NULL */
	bool demo;	      /* the keeper loads the demo network where it is missing */
	/* Called once all roles serve, in the supervisor; may be NULL. */
	void (*up)(const struct conf *c, void *ctx);
	void *ctx;
};

/* Runs until SIGINT or SIGTERM; SIGHUP reloads. Returns an exit code (cli/args.h); prints one clear
 * line when it is not 0. */
int supervise(const struct supervise *s);

/* Make what a first start needs below data_dir: the directory, the site key, the vault's master
 * key; a partition's directory. */
enum err MUST_USE prepare_data(const struct conf *c, uint8_t site_key[16], char why[256]);

/* Give a role's user (a name, or a number) the files of `dir` that are its own. As root only; files
 * that are not there are passed over. */
enum err MUST_USE prepare_owner(const char *dir, const char *const *names, const char *user,
				char why[256]);
