/* merlon prepare: what the root supervisor does on the way, for roles that a service manager starts
 * as their users: the data directory, the keys, the stores, and whose they are. */
#include "cli/cli.h"
#include "cli/supervise.h"
#include "crypto/master.h"
#include "records/equip_set.h"
#include "records/room.h"
#include "records/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a role may not make itself, for the directory is the keeper's. */
static const struct made {
	const char *role, *name;
	mode_t mode; /* of a directory with S_IFDIR */
} made[] = {
    {"home", "registrations", S_IFDIR | 0700},
    {"home", "vault-auc", S_IFDIR | 0700},
    {"home", "spool", S_IFDIR | 0750},
    {"home", "sqn", 0600},
    {"portal", "portal", S_IFDIR | 0700},
    {"edge", "sightings.0", 0600},
    {"edge", "sightings.1", 0600},
    {"inspect", INSPECT_SESSIONS, 0600},
};
#define MADE_N (sizeof made / sizeof *made)

static enum err fail(const char *path, char why[256])
{
	snprintf(why, 256, "%.180s: %s", path, strerror(errno));
	return ERR_IO;
}

static enum err make(const char *dir, const struct made *m, char why[256])
{
	char path[CONF_TEXT_MAX + 64];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, m->name);
	if (m->mode & S_IFDIR)
		return mkdir(path, m->mode & 0777) == 0 || errno == EEXIST ? ERR_OK
									   : fail(path, why);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, m->mode);
	if (fd < 0)
		return fail(path, why);
	close(fd);
	return ERR_OK;
}

/* Home cannot write beside its stores: the key that imports seal to is put there for it. It is of the
 * vault's data key, so that there is a vault from now on. */
static enum err put_public_key(const struct conf *c, const char *stores, char why[256])
{
	uint8_t pub[SEALBOX_PUBLIC];
	char notes[CONF_TEXT_MAX + 16], room[CONF_TEXT_MAX];
	struct vault *v = NULL;
	struct master master;
	struct secret32 priv;
	enum err err;

	snprintf(notes, sizeof notes, "%s/vault-auc", stores);
	/* It stays what it is: no need to ask a token for it, which may be out of reach from here. */
	if (master_is_token(c->master_key) && spool_pub_get(stores, pub, why) == ERR_OK)
		return ERR_OK;
	err = master_open(&master, c->master_key, prepare_secret("token.pin", NULL, room), notes, why);
	if (err)
		return err;
	records_room = (size_t)c->stores_room_gb << 30;
	err = vault_open(&v, stores, &master, why);
	master_wipe(&master);
	if (err)
		return err;
	vault_pair(v, pub, &priv);
	secret_wipe(&priv, sizeof priv);
	vault_close(v);
	return spool_pub_put(stores, pub, why);
}

static enum err prepare_role(const struct conf *c, const struct role *r, char why[256])
{
	char stores[CONF_TEXT_MAX], name[64];
	const char *dir = r->stores && conf_stores(c, stores) ? stores : c->data_dir, *user;
	enum err err = ERR_OK;

	for (size_t i = 0; i < MADE_N && !err; i++) {
		if (strcmp(made[i].role, r->name) == 0)
			err = make(dir, &made[i], why);
	}
	if (!err && r->stores)
		err = put_public_key(c, dir, why);
	user = prepare_user(c, r, name);
	return err || !user ? err : prepare_owner(dir, r->own, user, why);
}

/* The generations of equipment lists: edge and home start with the one that the serving copy names. */
static enum err share_lists(const struct conf *c, gid_t gid, char why[256])
{
	char path[CONF_TEXT_MAX + 64];
	enum err err = ERR_OK;
	const struct dirent *e;
	DIR *d;

	snprintf(path, sizeof path, "%s/" EQUIP_DIR, c->data_dir);
	d = opendir(path);
	if (d && fchmod(dirfd(d), 02750) != 0)
		err = fail(path, why);
	while (d && !err && (e = readdir(d))) {
		if (e->d_name[0] != '.' &&
		    fchownat(dirfd(d), e->d_name, (uid_t)-1, gid, AT_SYMLINK_NOFOLLOW) != 0)
			err = fail(path, why);
	}
	if (d)
		closedir(d);
	return err;
}

/* The group that `user` names may read the serving copy, which is all that edge and home need of what
 * the keeper has: what it makes anew in its directory gets that group (setgid), and the mode of
 * everything else there gives a group nothing. */
static enum err share_copy(const struct conf *c, char why[256])
{
	static const char *const shared[] = {"", "/serving.mdb", "/serving.page", ("/" EQUIP_DIR)};
	const struct group *g = getuid() == 0 && c->user[0] ? getgrnam(c->user) : NULL;
	char path[CONF_TEXT_MAX + 64];

	for (size_t i = 0; i < sizeof shared / sizeof *shared && g; i++) {
		snprintf(path, sizeof path, "%s%s", c->data_dir, shared[i]);
		if (lchown(path, (uid_t)-1, g->gr_gid) != 0 && errno != ENOENT)
			return fail(path, why);
	}
	if (!g)
		return ERR_OK;
	return chmod(c->data_dir, 02755) == 0 ? share_lists(c, g->gr_gid, why) : fail(c->data_dir, why);
}

static enum err prepare_all(const struct conf *c, char why[256])
{
	uint8_t site_key[16];
	enum err err = prepare_data(c, site_key, why);

	secret_wipe(site_key, sizeof site_key);
	for (size_t i = 0; i < role_n && !err; i++)
		err = prepare_role(c, &roles[i], why);
	return err ? err : share_copy(c, why);
}

int cmd_prepare(int argc, char **argv)
{
	static const struct command me = {
	    "prepare", "prepare [--config FILE]",
	    "Make what is missing of the data directory, its keys and stores, and give each role's "
	    "user its own.\n"
	    "As root, before roles are started as their users (merlon run --role); a plain merlon "
	    "run does it itself.",
	    cmd_prepare};
	const char *file = NULL;
	const struct arg row[] = {
	    {"--config", ARG_TEXT, &file, "FILE", "the configuration (/etc/merlon/merlon.yaml)", 0,
	     0},
	};
	char why[256] = "";
	struct conf c;
	int code, n = args_read(&me, row, 1, argc, argv, &code);
	enum err err;

	if (n < 0)
		return code;
	if (n > 0) {
		fprintf(stderr, "merlon prepare: takes no arguments; see merlon prepare --help\n");
		return EXIT_USAGE;
	}
	err = conf_read(conf_file(file), &c, why);
	if (!err)
		err = prepare_all(&c, why);
	if (!err)
		return EXIT_DONE;
	fprintf(stderr, "merlon: %s\n", why[0] ? why : err_text(err));
	return EXIT_CONFIG;
}
