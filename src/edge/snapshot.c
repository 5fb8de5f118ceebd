#include "edge/snapshot.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EVERY_S 60

struct snapshot {
	struct sightings *sightings;
	int fd[2];
	unsigned int turn; /* which is written next */
	bool running, stop;
	uint8_t *room;
	size_t cap;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
};

/* The whole of a file; 0 if it is empty or longer than any snapshot. */
static size_t read_file(const struct snapshot *p, int fd)
{
	struct stat st;
	size_t n = 0;

	if (fstat(fd, &st) != 0 || st.st_size <= 0 || (uint64_t)st.st_size > p->cap)
		return 0;
	while (n < (size_t)st.st_size) {
		ssize_t k = pread(fd, p->room + n, (size_t)st.st_size - n, (off_t)n);

		if (k <= 0)
			return 0;
		n += (size_t)k;
	}
	return n;
}

static bool load(struct snapshot *p, unsigned int which)
{
	struct view v = {p->room, read_file(p, p->fd[which])};

	if (v.n == 0 || sightings_load(p->sightings, v) != ERR_OK)
		return false;
	p->turn = !which;
	LOG(LOG_NOTE, "edge.sightings_restored", kv_num("bytes", v.n));
	return true;
}

static void load_newer(struct snapshot *p)
{
	struct stat a, b;
	unsigned int newer =
	    fstat(p->fd[0], &a) == 0 && fstat(p->fd[1], &b) == 0 &&
	    (b.st_mtim.tv_sec > a.st_mtim.tv_sec ||
	     (b.st_mtim.tv_sec == a.st_mtim.tv_sec && b.st_mtim.tv_nsec > a.st_mtim.tv_nsec));

	if (!load(p, newer) && !load(p, !newer))
		p->turn = 0;
}

enum err snapshot_open(struct snapshot **out, struct sightings *s, const char *dir, char why[256])
{
	struct snapshot *p = calloc(1, sizeof *p);
	char path[4096];

	*out = NULL;
	if (p)
		*p = (struct snapshot){.sightings = s, .fd = {-1, -1}, .cap = sightings_size(s)};
	if (!p || !(p->room = malloc(p->cap))) {
		free(p);
		snprintf(why, 256, "edge: out of memory for a snapshot of the sightings");
		return ERR_FULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/sightings.%u", dir, i);
		p->fd[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (p->fd[i] < 0) {
			snprintf(why, 256, "%.180s: %s", path, strerror(errno));
			snapshot_close(p);
			return ERR_IO;
		}
	}
	load_newer(p);
	*out = p;
	return ERR_OK;
}

static bool write_file(int fd, struct view v)
{
	size_t n = 0;

	if (ftruncate(fd, 0) != 0)
		return false;
	while (n < v.n) {
		ssize_t k = pwrite(fd, v.p + n, v.n - n, (off_t)n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		n += (size_t)k;
	}
	return fdatasync(fd) == 0;
}

static void save(struct snapshot *p)
{
	struct wr w = {.p = p->room, .cap = p->cap};

	if (sightings_save(p->sightings, &w) == ERR_OK && write_file(p->fd[p->turn], wr_done(&w)))
		p->turn = !p->turn;
	else
		LOG(LOG_ERROR, "edge.sightings_unsaved", kv_text("error", strerror(errno)));
}

static void *run(void *ctx)
{
	struct snapshot *p = ctx;
	struct timespec until;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += EVERY_S;
		while (!p->stop && pthread_cond_timedwait(&p->wake, &p->lock, &until) == 0)
			; /* woken for nothing */
		save(p);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

void snapshot_start(struct snapshot *p)
{
	p->running = pthread_create(&p->thread, NULL, run, p) == 0;
	if (!p->running)
		LOG(LOG_ERROR, "edge.sightings_unsaved", kv_text("error", "no thread"));
}

void snapshot_close(struct snapshot *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	if (p->running)
		pthread_join(p->thread, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		if (p->fd[i] >= 0)
			close(p->fd[i]);
	}
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->wake);
	free(p->room);
	free(p);
}
