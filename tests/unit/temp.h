/* A folder of the test's own, and its end. */
#pragma once
#include "unit/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#define TEMP_PATH 128

static inline const char *temp_dir(char dir[TEMP_PATH])
{
	const char *base = getenv("TMPDIR");

	snprintf(dir, TEMP_PATH, "%.80s/merlon-test-XXXXXX", base ? base : "/tmp");
	check(mkdtemp(dir) != NULL);
	return dir;
}

/* With all files in it, and in the folders in it. */
static inline void temp_gone(const char *dir)
{
	char path[TEMP_PATH + 258];
	struct dirent *e;
	DIR *d = opendir(dir);

	check(d != NULL);
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		check(snprintf(path, sizeof path, "%s/%s", dir, e->d_name) < (int)sizeof path);
		if (unlink(path) != 0)
			temp_gone(path);
	}
	closedir(d);
	check(rmdir(dir) == 0);
}

/* Overwrite the first `n` bytes of a file with `text`, over and over. */
static inline void temp_write(const char *path, off_t at, const char *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	check(fd >= 0);
	for (size_t done = 0; done < n; done += strlen(text))
		check(pwrite(fd, text, strlen(text), at + (off_t)done) == (ssize_t)strlen(text));
	close(fd);
}
