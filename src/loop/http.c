#include "loop/http.h"

#include "loop/inside.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONN_MAX  32
#define IDLE_S    5
#define CONN_ROOM 16384 /* bytes for a request's line and headers */

struct http {
	struct MHD_Daemon *daemon;
	struct http_conf conf;
	uint8_t *room;
};

static enum MHD_Result answer(struct MHD_Connection *c, unsigned int status, struct view body,
			      const char *type)
{
	union {
		const uint8_t *from;
		void *to;
	} p = { body.p }; /* the library's signature lacks a const; it copies */
	struct MHD_Response *r = MHD_create_response_from_buffer(body.n, p.to, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result done;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, "Content-Type", type);
	MHD_add_response_header(r, "Cache-Control", "no-store");
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	done = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return done;
}

/* Called twice a request: at its first call only the headers are there, and an answer then would
 * close the connection. */
static enum MHD_Result request(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
			       const char *version, const char *upload, size_t *upload_n, void **seen)
{
	static int mark;
	struct http *h = ctx;
	const char *type = "text/plain; charset=utf-8";
	struct wr w = { .p = h->room, .cap = h->conf.page_max };
	unsigned int status;

	(void)version;
	(void)upload;
	if (!*seen) {
		*seen = &mark;
		return MHD_YES;
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return answer(c, 405, VIEW("method not allowed\n"), type);
	if (*upload_n > 0)
		return MHD_NO;
	status = h->conf.page(h->conf.ctx, url, &w, &type);
	if (w.err)
		return answer(c, 500, VIEW("page too long\n"), "text/plain; charset=utf-8");
	return answer(c, status, wr_done(&w), type);
}

enum err http_start(struct http **out, const struct http_conf *conf, char why[256])
{
	struct http *h = calloc(1, sizeof *h);
	int fd = listen_tcp(conf->listen, false), error = errno;

	why[0] = 0;
	*out = NULL;
	if (fd < 0) {
		free(h);
		return loop_why(why, conf->listen, "", error);
	}
	if (h) {
		h->conf = *conf;
		h->room = malloc(conf->page_max);
	}
	if (h && h->room)
		h->daemon = MHD_start_daemon(
			MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, request, h,
			MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONN_MAX,
			MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S,
			MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONN_ROOM, MHD_OPTION_END);
	if (!h || !h->daemon) {
		close(fd);
		http_stop(h);
		return loop_why(why, conf->listen, "the HTTP server cannot be started", 0);
	}
	*out = h;
	return ERR_OK;
}

void http_stop(struct http *h)
{
	if (!h)
		return;
	if (h->daemon)
		MHD_stop_daemon(h->daemon);
	free(h->room);
	free(h);
}
