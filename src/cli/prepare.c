/* What a first start makes: the data directory and the keys that only this site has. */
#include "cli/supervise.h"

#include "crypto/crypto.h"
#include "crypto/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
		if (!view_text((struct view){ (const uint8_t *)path, n }, part, sizeof part))
			return ERR_FULL;
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return io_error("data_dir", part, why);
	}
	return ERR_OK;
}

static enum err site_key_of(const char *dir, uint8_t key[16], char why[256])
{
	char path[CONF_TEXT_MAX + 16];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/site.key", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		if (random_bytes(key, 16) != ERR_OK)
			return ERR_IO;
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		n = fd < 0 ? -1 : write(fd, key, 16);
	} else {
		n = fd < 0 ? -1 : read(fd, key, 16);
	}
	if (fd >= 0)
		close(fd);
	return n == 16 ? ERR_OK : io_error("site key", path, why);
}

enum err prepare_data(const struct conf *c, uint8_t site_key[16], char why[256])
{
	char vault[CONF_TEXT_MAX + 32];
	enum err err = make_dir(c->data_dir, why);

	if (!err)
		err = site_key_of(c->data_dir, site_key, why);
	if (err || access(c->master_key, F_OK) == 0)
		return err;
	snprintf(vault, sizeof vault, "%s/vault-auc", c->data_dir);
	if (access(vault, F_OK) == 0) { /* never a new key beside an old vault */
		snprintf(why, 256, "home.master_key: %.180s is missing, but there is a vault; restore it",
			 c->master_key);
		return ERR_KEY;
	}
	return seal_master_make(c->master_key, why);
}
