/* What a first start makes: the data directory and the keys that only this site has. */
#include "cli/supervise.h"

#include "crypto/crypto.h"
#include "crypto/master.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err io_error(const char *what, const char *path, char why[256])
{
	snprintf(why, 256, "%s %.180s: %s", what, path, strerror(errno));
	return ERR_IO;
}

/* Each part of the path in turn, as mkdir -p does. */
static enum err make_dir(const char *path, char why[256])
{
	char part[CONF_TEXT_MAX];

	for (size_t n = 1; n <= strlen(path); n++) {
		if (path[n] != '/' && path[n] != 0)
			continue;
		if (!view_text((struct view){(const uint8_t *)path, n}, part, sizeof part))
			return ERR_FULL;
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return io_error("data_dir", part, why);
	}
	return ERR_OK;
}

const char *prepare_secret(const char *name, const char *path, char room[CONF_TEXT_MAX])
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (!dir || snprintf(room, CONF_TEXT_MAX, "%s/%s", dir, name) >= CONF_TEXT_MAX ||
	    access(room, F_OK) != 0)
		return path;
	return room;
}

static enum err site_key_of(const char *dir, uint8_t key[16], char why[256])
{
	char usual[CONF_TEXT_MAX + 16], new[CONF_TEXT_MAX + 24], room[CONF_TEXT_MAX];
	const char *path;
	ssize_t n;
	int fd;

	snprintf(usual, sizeof usual, "%s/site.key", dir);
	snprintf(new, sizeof new, "%s.new", usual);
	path = prepare_secret("site.key", usual, room);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) { /* whole or not at all, whatever crashes meanwhile */
		if (random_bytes(key, 16) != ERR_OK)
			return ERR_IO;
		fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		n = fd < 0 ? -1 : write(fd, key, 16);
		if (n == 16 && (fsync(fd) != 0 || rename(new, path) != 0))
			n = -1;
	} else {
		n = fd < 0 ? -1 : read(fd, key, 16);
	}
	if (fd >= 0)
		close(fd);
	return n == 16 ? ERR_OK : io_error("site key", path, why);
}

static enum err make_in(const char *dir, const char *name, mode_t mode, char why[256])
{
	char path[CONF_TEXT_MAX + 32];

	snprintf(path, sizeof path, "%s%s", dir, name);
	return mkdir(path, mode) == 0 || errno == EEXIST ? ERR_OK
							  : io_error("directory", path, why);
}

enum err prepare_data(const struct conf *c, uint8_t site_key[16], char why[256])
{
	char vault[CONF_TEXT_MAX + 32], stores[CONF_TEXT_MAX];
	enum err err = make_dir(c->data_dir, why);

	if (!err)
		err = site_key_of(c->data_dir, site_key, why);
	if (!err)
		err = make_in(c->data_dir, "/events", 0750, why);
	/* Whoever imports must find vault.pub and the spool in it, as in data_dir. */
	if (!err && conf_stores(c, stores))
		err = make_in(stores, "", 0755, why);
	if (!err && master_is_token(c->master_key))
		return token_check(c->master_key, why);
	if (err || access(c->master_key, F_OK) == 0)
		return err;
	snprintf(vault, sizeof vault, "%s/vault-auc", stores);
	if (access(vault, F_OK) == 0) { /* never a new key beside an old vault */
		snprintf(why, 256,
			 "home.master_key: %.180s is missing, but there is a vault; restore it",
			 c->master_key);
		return ERR_KEY;
	}
	return seal_master_make(c->master_key, why);
}

const char *prepare_user(const struct conf *c, const struct role *r, char name[64])
{
	snprintf(name, 64, "%.40s-%s", c->user, r->name);
	if (!c->user[0] || getuid() != 0)
		return NULL;
	if (getpwnam(name))
		return name;
	if (getpwnam(c->user))
		return c->user;
	snprintf(name, 64, "%u", 61184u + (unsigned int)(r - roles));
	return name;
}

static bool ids_of(const char *user, uid_t *uid, gid_t *gid)
{
	char *end;
	unsigned long n = strtoul(user, &end, 10);
	const struct passwd *p = *end ? getpwnam(user) : NULL;

	*uid = p ? p->pw_uid : (uid_t)n;
	*gid = p ? p->pw_gid : (gid_t)n;
	return p || !*end;
}

/* A file, or a directory and what lies in it: stores are one level deep. */
static enum err own(const char *path, uid_t uid, gid_t gid, char why[256])
{
	/* Never through a link: who owns the directory could point it at anything. */
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;
	enum err err = ERR_OK;
	struct stat st;

	/* A socket keeps the group that was chosen for it (keeper.group). */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		gid = (gid_t)-1;
	if (lchown(path, uid, gid) != 0 && errno != ENOENT)
		err = io_error("owner of", path, why);
	while (d && !err && (e = readdir(d))) {
		if (e->d_name[0] != '.' &&
		    fchownat(dirfd(d), e->d_name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
			err = io_error("owner of files in", path, why);
	}
	if (d)
		closedir(d);
	return err;
}

enum err prepare_owner(const char *dir, const char *const *names, const char *user,
		       char why[256])
{
	char path[CONF_TEXT_MAX + 64];
	enum err err = ERR_OK;
	uid_t uid;
	gid_t gid;

	if (!ids_of(user, &uid, &gid)) {
		snprintf(why, 256, "user: there is no user %.60s", user);
		return ERR_CONFIG;
	}
	for (; *names && !err; names++) {
		snprintf(path, sizeof path, "%s/%s", dir, *names);
		if ((*names)[0])
			err = own(path, uid, gid, why);
		else if (chown(path, uid, gid) != 0)
			err = io_error("owner of", path, why);
	}
	return err;
}
