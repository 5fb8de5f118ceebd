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

static enum err open_file(struct events *e)
{
	off_t end;

	e->fd = open(e->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (e->fd < 0)
		return ERR_IO;
	end = lseek(e->fd, 0, SEEK_END);
	e->size = end > 0 ? (uint64_t)end : 0;
	return ERR_OK;
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
	if (open_file(e) != ERR_OK) {
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
	return open_file(e);
}

enum err events_flush(struct events *e)
{
	size_t done = 0;

	while (done < e->n) {
		ssize_t k = write(e->fd, e->room + done, e->n - done);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			break;
		done += (size_t)k;
	}
	e->size += done;
	if (done <
	    e->n) { /* a full disk: what came first stays first, the rest is lost and said so */
		e->n = 0;
		return ERR_IO;
	}
	e->n = 0;
	return e->size > TURN_BYTES ? turn_over(e) : ERR_OK;
}
