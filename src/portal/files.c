#include "portal/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 2000
#define ROOM_MAX ((size_t)32 << 20)
#define NAME_MOST 256
#define DEPTH 6

struct file {
	char name[NAME_MOST]; /* "/index.html" */
	char etag[40];
	const char *type;
	uint8_t *body;
	size_t n;
};

struct files {
	size_t n, room;
	struct file *file; /* FILES_MAX */
};

static const struct {
	const char *end, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".json", "application/json"},
    {".png", "image/png"},
    {".woff2", "font/woff2"},
    {".ico", "image/x-icon"},
    {".txt", "text/plain; charset=utf-8"},
    {".webmanifest", "application/manifest+json"},
    {".map", "application/json"},
};

/* Nothing inline, no foreign origin: the pages are built for it (web/vite.config.ts). */
static const char policy[] =
    "default-src 'self'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; font-src 'self'; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

static const char *type_of(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		size_t end = strlen(types[i].end);

		if (n > end && strcmp(name + n - end, types[i].end) == 0)
			return types[i].type;
	}
	return "application/octet-stream";
}

static void read_file(struct files *f, int fd, const char *name)
{
	struct file *to = &f->file[f->n];
	uint8_t hash[32];
	struct stat st;

	if (f->n == FILES_MAX || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    (size_t)st.st_size > ROOM_MAX - f->room)
		return;
	to->n = (size_t)st.st_size;
	to->body = malloc(to->n + 1);
	for (size_t at = 0; to->body && at < to->n;) {
		ssize_t n = read(fd, to->body + at, to->n - at);

		if (n <= 0) {
			free(to->body);
			to->body = NULL;
			break;
		}
		at += (size_t)n;
	}
	if (!to->body)
		return;
	snprintf(to->name, sizeof to->name, "%s", name);
	to->type = type_of(name);
	crypto_hash_sha256(hash, to->body, to->n);
	to->etag[0] = '"';
	sodium_bin2hex(to->etag + 1, 33, hash, 16);
	to->etag[33] = '"';
	to->etag[34] = 0;
	f->room += to->n;
	f->n++;
}

static void read_dir(struct files *f, int at, const char *path, unsigned int depth)
{
	DIR *d = fdopendir(at);
	const struct dirent *e;

	if (!d) {
		close(at);
		return;
	}
	while (depth < DEPTH && (e = readdir(d))) {
		char name[NAME_MOST];
		struct stat st;
		int fd;

		if (e->d_name[0] == '.' ||
		    (size_t)snprintf(name, sizeof name, "%s/%s", path, e->d_name) >= sizeof name)
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
			read_dir(f, fd, name, depth + 1);
			continue;
		}
		read_file(f, fd, name);
		close(fd);
	}
	closedir(d);
}

static const struct file *find(const struct files *f, struct view path)
{
	for (size_t i = 0; i < f->n; i++) {
		if (view_eq(view_of(f->file[i].name), path))
			return &f->file[i];
	}
	return NULL;
}

struct files *files_open(const char *dir, char why[256])
{
	struct files *f = calloc(1, sizeof *f);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (f)
		f->file = calloc(FILES_MAX, sizeof *f->file);
	if (f && f->file && fd >= 0)
		read_dir(f, fd, "", 0);
	else if (fd >= 0)
		close(fd);
	if (f && f->file && find(f, VIEW("/index.html")))
		return f;
	snprintf(why, 256, "%.180s: no pages there (index.html)", dir);
	files_free(f);
	return NULL;
}

void files_free(struct files *f)
{
	if (!f)
		return;
	for (size_t i = 0; f->file && i < f->n; i++)
		free(f->file[i].body);
	free(f->file);
	free(f);
}

static void send_file(const struct file *f, struct web_call *call)
{
	bool for_ever = strncmp(f->name, "/assets/", 8) == 0;
	struct web_answer a = {.status = 200,
			       .type = f->type,
			       .body = {f->body, f->n},
			       .stays = true,
			       .cache = for_ever ? "public, max-age=31536000, immutable" : "no-cache"};

	if (view_eq(web_header(call, "If-None-Match"), view_of(f->etag))) {
		a.status = 304;
		a.body.n = 0;
	}
	a.header[0].name = "ETag";
	a.header[0].value = f->etag;
	a.header[1].name = "Content-Security-Policy";
	a.header[1].value = policy;
	a.header[2].name = "Strict-Transport-Security";
	a.header[2].value = "max-age=63072000; includeSubDomains";
	a.header[3].name = "Referrer-Policy";
	a.header[3].value = "no-referrer";
	a.header[4].name = "X-Frame-Options";
	a.header[4].value = "DENY";
	a.header[5].name = "Cross-Origin-Opener-Policy";
	a.header[5].value = "same-origin";
	a.header[6].name = "Permissions-Policy";
	a.header[6].value = "camera=(), microphone=(), geolocation=(), publickey-credentials-get=(self), "
			    "publickey-credentials-create=(self)";
	web_answer(call, &a);
}

void files_request(const struct files *f, struct web_call *call, const struct web_request *q)
{
	const struct file *one = f ? find(f, q->path) : NULL;
	static const struct view assets = VIEW_INIT("/assets/");

	if (!f) {
		web_answer(
		    call,
		    &(struct web_answer){
			.status = 404,
			.body = VIEW("The pages are not built (./do run builds them where npm can be "
				     "had). The API is there: /api/v1/openapi.json\n")});
		return;
	}
	if (!one && !(q->path.n >= assets.n && view_eq(view_first(q->path, assets.n), assets)))
		one = find(f, VIEW("/index.html"));
	if (one)
		send_file(one, call);
	else
		web_answer(call, &(struct web_answer){.status = 404, .body = VIEW("no such file\n")});
}
