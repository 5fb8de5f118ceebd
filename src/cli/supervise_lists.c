/* Bulk equipment lists on their way to roles: a new generation gets its name below data_dir/equipment, and
 * the descriptor goes down by the control sockets. */
#include "cli/house.h"
#include "records/equip_set.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t generation_of(const char *name)
{
	char *end;
	unsigned long long n = strtoull(name, &end, 10);

	return name[0] >= '1' && name[0] <= '9' && strcmp(end, ".lists") == 0 ? n : 0;
}

/* Only a plain file that lies there itself and belongs to whom the directory does: a keeper gone bad must
 * not have us open another for it. */
static int open_at(int dir, uint64_t generation)
{
	char name[64];
	struct stat of_dir, st;
	int fd;

	snprintf(name, sizeof name, EQUIP_NAME, (unsigned long long)generation);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && fstat(fd, &st) == 0 && fstat(dir, &of_dir) == 0 && S_ISREG(st.st_mode) &&
	    st.st_nlink == 1 && st.st_uid == of_dir.st_uid)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static uint64_t newest_in(DIR *d)
{
	const struct dirent *e;
	uint64_t newest = 0;

	while ((e = readdir(d))) {
		uint64_t n = generation_of(e->d_name);

		newest = n > newest ? n : newest;
	}
	return newest;
}

/* That generation, or with 0 the newest, open for reading; -1: none. */
static int open_lists(const char *data_dir, uint64_t generation)
{
	char path[CONF_TEXT_MAX + 32];
	int dir, fd = -1;
	DIR *d;

	snprintf(path, sizeof path, "%s/" EQUIP_DIR, data_dir);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	d = dir >= 0 ? fdopendir(dir) : NULL;
	if (d && generation == 0)
		generation = newest_in(d);
	if (d && generation)
		fd = open_at(dir, generation);
	if (d)
		closedir(d);
	else if (dir >= 0)
		close(dir);
	return fd;
}

static void hand_over(struct house *h, uint64_t generation)
{
	int fd = open_lists(h->conf.data_dir, generation);

	for (size_t i = 0; i < h->seat_n && fd >= 0; i++) {
		if (h->seat[i].up && h->seat[i].role->lists)
			child_say(h->seat[i].child.control, CHILD_RELOAD, SAY_LISTS, &fd, 1);
	}
	if (fd >= 0)
		close(fd);
}

void lists_begin(struct house *h)
{
	char path[CONF_TEXT_MAX + 32];

	h->lists = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	snprintf(path, sizeof path, "%s/" EQUIP_DIR, h->conf.data_dir);
	if (h->lists >= 0 &&
	    inotify_add_watch(h->lists, path, IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW) < 0) {
		close(h->lists); /* no keeper has made the directory: none here, or never was */
		h->lists = -1;
	}
	hand_over(h, 0);
}

void lists_heard(struct house *h)
{
	_Alignas(struct inotify_event) char room[4096];
	uint64_t last = 0;
	ssize_t n;

	while ((n = read(h->lists, room, sizeof room)) > 0) {
		for (size_t at = 0; at < (size_t)n;) {
			const struct inotify_event *e = (const void *)(room + at);
			uint64_t generation = e->len > 0 ? generation_of(e->name) : 0;

			last = generation ? generation : last;
			at += sizeof *e + e->len;
		}
	}
	if (last)
		hand_over(h, last);
}
