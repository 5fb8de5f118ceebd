/* Read-only pages over HTTP (libmicrohttpd, a thread of its own): metrics, health. GET and HEAD only,
 * no request body, bounded connections. */
#pragma once
#include "loop/loop.h"

struct http;

struct http_conf {
	const struct endpoint *listen; /* link is LINK_TCP */
	size_t page_max;               /* bytes of the longest page */
	/* Write the page at `path` and set `type` (constant; "text/plain; charset=utf-8" unless changed).
	 * Returns the status: 200, 404, 503. On the server's thread. A page that does not fit
	 * (w->err) becomes a 500. */
	unsigned int (*page)(void *ctx, const char *path, struct wr *w, const char **type);
	void *ctx;
};

/* Listen and serve. ERR_IO with one clear line in `why`. */
enum err MUST_USE http_start(struct http **h, const struct http_conf *conf, char why[256]);
void http_stop(struct http *h);
