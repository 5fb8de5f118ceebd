/* An HTTP server for requests that are answered by a program: methods, headers, short bodies, TLS, answers
 * given later (libmicrohttpd). It has no thread: whoever owns it calls web_run when web_fd is readable, and
 * at least as often as web_wait_ms says. All is bounded: connections, those of one
 * address, bodies, targets. */
#pragma once
#include "loop/loop.h"
#include "loop/tls.h"

struct web;
struct web_call; /* a request on its way to its answer */

enum web_method { WEB_GET, WEB_POST, WEB_PUT, WEB_PATCH, WEB_DELETE, WEB_HEAD, WEB_OTHER };

#define WEB_TARGET_MAX 1024
#define WEB_HEADERS    16

/* All borrowed, until the request is answered. */
struct web_request {
	enum web_method method;
	struct view method_name;
	struct view target; /* of the request line: path and query, as sent */
	struct view path, query;
	struct view authorization, type, user_agent; /* headers; empty: none */
	struct view body;
	const char *address; /* of the peer, text */
};

struct web_answer {
	unsigned int status;
	const char *type; /* NULL: text/plain */
	struct view body; /* copied */
	bool stays;	  /* it need not be: it is there as long as the server */
	const char *cache; /* Cache-Control; NULL: no-store */
	struct {
		const char *name, *value; /* copied; a NULL name ends the list */
	} header[WEB_HEADERS];
};

struct web_conf {
	const struct endpoint *listen; /* link is LINK_TCP */
	const struct tls_pem *chain, *key; /* NULL: without TLS. Copied */
	bool tls13;			   /* nothing older; else TLS 1.2 too, with AEAD alone */
	unsigned int conn_max, conn_address_max;
	size_t body_max; /* octets of a longer one are 413 */
	/* A whole request. Answer now, or later; once. */
	void (*request)(void *ctx, struct web_call *call, const struct web_request *q);
	/* The call ends, answered or cut: nothing of it may be used any more. NULL: nobody needs to know. */
	void (*gone)(void *ctx, struct web_call *call);
	void *ctx;
};

/* Listen. ERR_IO, ERR_CONFIG with one clear line in `why`. */
enum err MUST_USE web_open(struct web **w, const struct web_conf *conf, char why[256]);
/* Answers 503 what still waits for an answer. */
void web_close(struct web *w); /* NULL is fine */
int web_fd(const struct web *w);
void web_run(struct web *w);
uint32_t web_wait_ms(const struct web *w); /* at most 100 */

void web_answer(struct web_call *call, const struct web_answer *a);
/* Which of the server's places the call has, 0 to conn_max - 1, and the request it is for. */
unsigned int web_place(const struct web_call *call);
const struct web_request *web_request_of(const struct web_call *call);
/* A header of the request, borrowed as the request is; empty: none. Of several of that name, the first. */
struct view web_header(const struct web_call *call, const char *name);
/* How often the request has it. */
size_t web_header_n(const struct web_call *call, const char *name);
