/* The supervisor: starts the roles of one configuration as processes, keeps them running, stops
 * them. */
#pragma once
#include "cli/roles.h"

struct supervise {
	const char *file;     /* configuration, or NULL: defaults */
	const char *data_dir; /* overrides the configuration; or NULL */
	const char *const *role; /* start these, whatever the configuration says of roles */
	size_t role_n;		 /* 0: those of the configuration */
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

/* A user of the role's own where the system has one; else the common one; else the number that a
 * role without a user gets. NULL: not root, or none is wanted: it stays who it is. */
const char *prepare_user(const struct conf *c, const struct role *r, char name[64]);

/* The file of a secret: what a service manager put in its place (systemd's LoadCredential=), else
 * `path`. In `room`, or `path` itself. */
const char *prepare_secret(const char *name, const char *path, char room[CONF_TEXT_MAX]);

/* Give a role's user (a name, or a number) the files of `dir` that are its own. As root only; files
 * that are not there are passed over. */
enum err MUST_USE prepare_owner(const char *dir, const char *const *names, const char *user,
				char why[256]);
