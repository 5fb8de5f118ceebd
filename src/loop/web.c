#include "loop/web.h"

#include "loop/inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDLE_S 10
#define CONN_ROOM 16384 /* octets for a request's line and headers */
#define WAIT_MS 100
#define ROUNDS 16 /* of reading what came at once: others wait too */
/* AEAD and ECDHE alone, as on Diameter (TS 33.210 6.2). */
#define PRIORITY                                                                                        \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:-CIPHER-ALL:"                         \
	"+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305"
#define PRIORITY_13 PRIORITY ":-VERS-TLS1.2"

struct web_call {
	struct web *web;
	struct MHD_Connection *conn; /* NULL: the first call for it has not come yet */
	struct MHD_Response *response;
	unsigned int status;
	bool used, asked, suspended, long_target, long_body;
	size_t target_n, body_n;
	struct web_request q;
	char target[WEB_TARGET_MAX], address[64];
	uint8_t *body;
};

struct web {
	struct MHD_Daemon *daemon;
	struct web_conf conf;
	struct web_call *call; /* conn_max */
	uint8_t *bodies;
	int fd;
	bool closing;
};

/* The library's signature lacks a const; it copies. */
static void *no_const(const void *p)
{
	union {
		const void *from;
		void *to;
	} u = {p};

	return u.to;
}

static void make_response(struct web_call *c, const struct web_answer *a)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
	    a->body.n, no_const(a->body.p), a->stays ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);

	c->status = a->status;
	c->response = r;
	if (!r)
		return;
	MHD_add_response_header(r, "Content-Type", a->type ? a->type : "text/plain; charset=utf-8");
	MHD_add_response_header(r, "Cache-Control", a->cache ? a->cache : "no-store");
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	for (size_t i = 0; i < WEB_HEADERS && a->header[i].name; i++)
		MHD_add_response_header(r, a->header[i].name, a->header[i].value);
}

void web_answer(struct web_call *c, const struct web_answer *a)
{
	if (!c->used || c->response)
		return;
	make_response(c, a);
	if (c->suspended) {
		c->suspended = false;
		MHD_resume_connection(c->conn);
	}
}

unsigned int web_place(const struct web_call *call)
{
	return (unsigned int)(call - call->web->call);
}

const struct web_request *web_request_of(const struct web_call *call)
{
	return &call->q;
}

struct view web_header(const struct web_call *call, const char *name)
{
	const char *value = MHD_lookup_connection_value(call->conn, MHD_HEADER_KIND, name);

	return view_of(value ? value : "");
}

struct count {
	const char *name;
	size_t n;
};

static enum MHD_Result count_one(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct count *c = ctx;

	(void)kind;
	(void)value;
	c->n += strcasecmp(name, c->name) == 0;
	return MHD_YES;
}

size_t web_header_n(const struct web_call *call, const char *name)
{
	struct count c = {name, 0};

	MHD_get_connection_values(call->conn, MHD_HEADER_KIND, count_one, &c);
	return c.n;
}

static enum MHD_Result queue(struct web_call *c)
{
	enum MHD_Result done =
	    c->response ? MHD_queue_response(c->conn, c->status, c->response) : MHD_NO;

	if (c->response)
		MHD_destroy_response(c->response);
	c->response = NULL;
	c->conn = NULL; /* answered */
	return done;
}

static void address_of(struct web_call *c)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(c->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *a = info ? info->client_addr : NULL;
	const void *p = NULL;

	if (a && a->sa_family == AF_INET)
		p = &((const struct sockaddr_in *)(const void *)a)->sin_addr;
	if (a && a->sa_family == AF_INET6)
		p = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
	if (!p || !inet_ntop(a->sa_family, p, c->address, sizeof c->address))
		c->address[0] = 0;
}

static enum web_method method_of(const char *name)
{
	static const char *const names[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"};
	unsigned int m = 0;

	while (m < WEB_OTHER && strcmp(names[m], name) != 0)
		m++;
	return m;
}

static void fill(struct web_call *c, const char *method)
{
	const char *mark = memchr(c->target, '?', c->target_n);
	size_t path = mark ? (size_t)(mark - c->target) : c->target_n;
	const uint8_t *t = (const uint8_t *)c->target;

	address_of(c);
	c->q = (struct web_request){
	    .method = method_of(method),
	    .method_name = view_of(method),
	    .target = {t, c->target_n},
	    .path = {t, path},
	    .query = {t + path + (mark != NULL), c->target_n - path - (mark != NULL)},
	    .authorization = web_header(c, "Authorization"),
	    .type = web_header(c, "Content-Type"),
	    .user_agent = web_header(c, "User-Agent"),
	    .body = {c->body, c->body_n},
	    .address = c->address,
	};
}

static void ask(struct web_call *c, const char *method)
{
	c->asked = true;
	fill(c, method);
	if (c->long_target)
		web_answer(c, &(struct web_answer){.status = 414, .body = VIEW("target too long\n")});
	else if (c->long_body)
		web_answer(c, &(struct web_answer){.status = 413, .body = VIEW("body too long\n")});
	else
		c->web->conf.request(c->web->conf.ctx, c, &c->q);
}

/* Called when the headers are there, for each part of the body, at its end, and when it goes on. */
static enum MHD_Result request(void *ctx, struct MHD_Connection *conn, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_n, void **seen)
{
	struct web_call *c = *seen;
	size_t room;

	(void)ctx;
	(void)url;
	(void)version;
	if (!c)
		return MHD_NO;
	if (!c->conn) {
		c->conn = conn;
		return MHD_YES;
	}
	if (*upload_n > 0) {
		room = c->web->conf.body_max - c->body_n;
		c->long_body |= *upload_n > room;
		room = *upload_n < room ? *upload_n : room;
		memcpy(c->body + c->body_n, upload, room);
		c->body_n += room;
		*upload_n = 0;
		return MHD_YES;
	}
	if (!c->asked)
		ask(c, method);
	if (c->response)
		return queue(c);
	c->suspended = true;
	MHD_suspend_connection(conn);
	return MHD_YES;
}

/* The target as it was sent: the first that is heard of a request. */
static void *begin(void *ctx, const char *target, struct MHD_Connection *conn)
{
	struct web *w = ctx;
	size_t n = strlen(target);

	(void)conn;
	for (unsigned int i = 0; i < w->conf.conn_max; i++) {
		struct web_call *c = &w->call[i];
		uint8_t *body = c->body;

		if (c->used)
			continue;
		memset(c, 0, sizeof *c);
		c->web = w;
		c->body = body;
		c->used = true;
		c->long_target = n > WEB_TARGET_MAX;
		c->target_n = n < WEB_TARGET_MAX ? n : WEB_TARGET_MAX;
		memcpy(c->target, target, c->target_n);
		return c;
	}
	return NULL;
}

static void end(void *ctx, struct MHD_Connection *conn, void **seen, enum MHD_RequestTerminationCode why)
{
	struct web *w = ctx;
	struct web_call *c = *seen;

	(void)conn;
	(void)why;
	if (!c)
		return;
	if (c->asked && w->conf.gone)
		w->conf.gone(w->conf.ctx, c);
	if (c->response)
		MHD_destroy_response(c->response);
	c->response = NULL;
	explicit_bzero(c->body, c->body_n);
	c->used = false;
	*seen = NULL;
}

static struct MHD_Daemon *start(struct web *w, int fd, const char *chain, const char *key)
{
	unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (chain ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, no_const(chain)},
				       {MHD_OPTION_HTTPS_MEM_KEY, 0, no_const(key)},
				       {MHD_OPTION_HTTPS_PRIORITIES, 0,
					no_const(w->conf.tls13 ? PRIORITY_13 : PRIORITY)},
				       {MHD_OPTION_END, 0, NULL}};

	if (!chain)
		tls[0] = tls[3];
	return MHD_start_daemon(
	    flags, 0, NULL, NULL, request, w, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
	    w->conf.conn_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT, w->conf.conn_address_max,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)CONN_ROOM, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, begin, w,
	    MHD_OPTION_NOTIFY_COMPLETED, end, w, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

/* A PEM as text with a NUL, as the library wants it. NULL: none, or out of memory. */
static char *text_of(const struct tls_pem *p)
{
	char *t = p ? malloc(p->text.n + 1) : NULL;

	if (t && !view_text(p->text, t, p->text.n + 1))
		t[0] = 0;
	return t;
}

static bool make_calls(struct web *w)
{
	w->call = calloc(w->conf.conn_max, sizeof *w->call);
	w->bodies = malloc(w->conf.conn_max * w->conf.body_max);
	for (unsigned int i = 0; w->call && w->bodies && i < w->conf.conn_max; i++)
		w->call[i].body = w->bodies + i * w->conf.body_max;
	return w->call && w->bodies;
}

static enum err serve(struct web *w, int fd, char why[256])
{
	char *chain = text_of(w->conf.chain), *key = text_of(w->conf.key);
	const union MHD_DaemonInfo *info;
	bool whole = !w->conf.chain || (chain && key);

	if (whole)
		w->daemon = start(w, fd, chain, key);
	free(chain);
	if (key)
		explicit_bzero(key, strlen(key));
	free(key);
	info = w->daemon ? MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info) {
		if (!w->daemon)
			close(fd);
		return loop_why(why, w->conf.listen,
				w->conf.chain
				    ? "the HTTPS server cannot be started with this certificate and key"
				    : "the HTTP server cannot be started",
				0);
	}
	w->fd = info->epoll_fd;
	w->conf.chain = w->conf.key = NULL;
	return ERR_OK;
}

enum err web_open(struct web **out, const struct web_conf *conf, char why[256])
{
	struct web *w = calloc(1, sizeof *w);
	int fd = listen_tcp(conf->listen, false), error = errno;
	enum err err;

	why[0] = 0;
	*out = NULL;
	if (fd < 0) {
		free(w);
		return loop_why(why, conf->listen, "", error);
	}
	if (w)
		w->conf = *conf;
	if (!w || !make_calls(w)) {
		close(fd);
		web_close(w);
		snprintf(why, 256, "out of memory");
		return ERR_FULL;
	}
	err = serve(w, fd, why);
	if (err)
		web_close(w);
	else
		*out = w;
	return err;
}

void web_close(struct web *w)
{
	static const struct web_answer bye = {.status = 503, .body = VIEW_INIT("stopping\n")};

	if (!w)
		return;
	for (unsigned int i = 0; w->daemon && i < w->conf.conn_max; i++) {
		if (w->call[i].used && w->call[i].suspended)
			web_answer(&w->call[i], &bye);
	}
	if (w->daemon) {
		web_run(w);
		MHD_stop_daemon(w->daemon);
	}
	free(w->call);
	free(w->bodies);
	free(w);
}

int web_fd(const struct web *w)
{
	return w->fd;
}

void web_run(struct web *w)
{
	MHD_UNSIGNED_LONG_LONG wait = 0;

	for (int i = 0; i < ROUNDS; i++) {
		MHD_run(w->daemon);
		if (MHD_get_timeout(w->daemon, &wait) != MHD_YES || wait > 0)
			return;
	}
}

uint32_t web_wait_ms(const struct web *w)
{
	MHD_UNSIGNED_LONG_LONG wait = 0;

	if (MHD_get_timeout(w->daemon, &wait) != MHD_YES || wait > WAIT_MS)
		return WAIT_MS;
	return (uint32_t)wait;
}
