#include "watch/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#define TURN_BYTES (64 * 1024 * 1024)
#define ROOM (256 * 1024)

struct events {
	char path[4096], old[4100];
	int fd;
	bool to_syslog;
	uint64_t size;
	size_t n;
	uint8_t room[ROOM];
};

/* A line that a crash cut short would swallow the next one. `room` is free. */
static enum err cut_torn(struct events *e)
{
	off_t end = lseek(e->fd, 0, SEEK_END), from = end > ROOM ? end - ROOM : 0;
	ssize_t n = end > 0 ? pread(e->fd, e->room, (size_t)(end - from), from) : 0;
	const uint8_t *last = n > 0 ? memrchr(e->room, '\n', (size_t)n) : NULL;

	if (end < 0 || n < 0)
		return ERR_IO;
	if (n > 0)
		from += last ? last + 1 - e->room : from == 0 ? 0 : n; /* no line at all: not ours */
	if (n > 0 && from < end && ftruncate(e->fd, from) != 0)
		return ERR_IO;
	e->size = n > 0 ? (uint64_t)from : 0;
	return ERR_OK;
}

static enum err open_file(struct events *e)
{
	e->fd = open(e->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	return e->fd < 0 ? ERR_IO : ERR_OK;
}

enum err events_open(struct events **out, const char *path, bool to_syslog, char why[256])
{
	struct events *e = calloc(1, sizeof *e);

	*out = NULL;
	if (!e || strlen(path) >= sizeof e->path) {
		free(e);
		snprintf(why, 256, "watch.events: out of memory, or the path is too long");
		return ERR_FULL;
	}
	snprintf(e->path, sizeof e->path, "%s", path);
	snprintf(e->old, sizeof e->old, "%.4090s.1", path);
	e->to_syslog = to_syslog;
	if (to_syslog)
		openlog("merlon", LOG_NDELAY, LOG_DAEMON);
	if (open_file(e) != ERR_OK || cut_torn(e) != ERR_OK) {
		snprintf(why, 256, "watch.events: %s: %s", path, strerror(errno));
		free(e);
		return ERR_IO;
	}
	*out = e;
	return ERR_OK;
}

void events_close(struct events *e)
{
	if (!e)
		return;
	if (events_flush(e) != ERR_OK)
		fprintf(stderr, "watch.events: the last lines could not be written\n");
	close(e->fd);
	free(e);
}

static bool is_line(struct view v)
{
	if (v.n < 3 || v.p[0] != '{' || v.p[v.n - 2] != '}' || v.p[v.n - 1] != '\n')
		return false;
	for (size_t i = 0; i < v.n - 1; i++) {
		if (v.p[i] < 0x20 || v.p[i] > 0x7e)
			return false;
	}
	return true;
}

enum err events_add(struct events *e, struct view line)
{
	if (!is_line(line))
		return ERR_VALUE;
	if (line.n > ROOM - e->n && events_flush(e) != ERR_OK)
		return ERR_IO;
	memcpy(e->room + e->n, line.p, line.n);
	e->n += line.n;
	if (e->to_syslog)
		syslog(LOG_NOTICE, "%.*s", (int)(line.n - 1), (const char *)line.p);
	return ERR_OK;
}

static enum err turn_over(struct events *e)
{
	close(e->fd);
	if (rename(e->path, e->old) != 0)
		return ERR_IO;
	e->size = 0;
	return open_file(e);
}

enum err events_flush(struct events *e)
{
	size_t done = 0;
	bool all;

	while (done < e->n) {
		ssize_t k = write(e->fd, e->room + done, e->n - done);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			break;
		done += (size_t)k;
	}
	e->size += done;
	/* A full disk: what was not written waits here, in its order, for as long as there is room. */
	all = done == e->n;
	e->n -= done;
	memmove(e->room, e->room + done, e->n);
	if (!all)
		return ERR_IO;
	return e->size > TURN_BYTES ? turn_over(e) : ERR_OK;
}
