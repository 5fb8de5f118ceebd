/* What a handler of the API sees: a request that may, by whom, and how it is answered. Who may what is
 * decided before (gate.c, by route.tab); what of it is their tenant's, by the keeper. Each on the loop's
 * thread; none blocks. */
#pragma once
#include "loop/web.h"
#include "portal/portal.h"
#include "records/model.h"
#include "wire/keep.h"

#include <jansson.h>

/* --- the rows of route.tab --- */
#define ROLE_BIT(role) (1u << (role))
#define ROUTE_FLAGS                                                                                     \
	FLAG(HALF, 1)                                                                                   \
	FLAG(STEP, 2) FLAG(ONCE, 4) FLAG(RAW, 8) FLAG(LIVE, 16)
enum route_flag {
#define FLAG(name, bit) ROUTE_##name = (bit),
	ROUTE_FLAGS
#undef FLAG
};
/* Scopes of an API key, in the order of their choices in the model; KEY_NONE: no key may. */
enum key_scope { KEY_READ, KEY_WRITE, KEY_BULK, KEY_EVENTS, KEY_AUDIT, KEY_NONE };

struct visit;
struct route {
	const char *id;
	enum web_method method;
	const char *path; /* below /api/v1; {id}: a part, decoded */
	uint32_t roles;	  /* bits of enum user_role; 0: whoever comes, unless it is closed */
	bool closed;	  /* there is no such endpoint: a resource that nobody may do this to */
	enum key_scope scope;
	unsigned int flags;
	enum object object;
	const char *body, *fields; /* what the body has; which of the object a tenant may write */
	void (*answer)(struct visit *v);
	const char *help;
};
extern const struct route routes[];
extern const size_t route_n;

/* --- a request --- */
#define NAME_ROOM 48
#define CONF_PATH 4096
struct person {
	char user[NAME_ROOM], tenant[32]; /* tenant "": the operator's */
	enum user_role role;
	bool whole;	 /* second factor and all; an API key is too */
	bool is_key;	 /* by an API key */
	uint32_t scopes; /* of it */
};

struct login; /* a session, portal/login.h */
#define VISIT_PARAMS 2
struct visit {
	struct portal *portal;
	struct web_call *call;
	const struct web_request *q;
	uint32_t serial;   /* which use of its place */
	bool taken, ended; /* it is under way; it was answered, or its caller has gone */
	const struct route *route;
	struct view param[VISIT_PARAMS]; /* of the path */
	char path_room[256];
	struct person who;
	struct login *login; /* of a session; NULL: none. Look again after waiting: visit_login */
	uint8_t login_id[16];
	json_t *body; /* an object, checked against the row; NULL: none */
	void (*then)(struct visit *v, const struct keep *rep);
	void (*hashed)(struct visit *v, bool fits, const char *hash);
	char key[64], set_cookie[160];
	uint64_t once;		      /* of its Idempotency-Key; 0: none */
	uint32_t step;		      /* the handler's own */
	_Alignas(16) char note[1024]; /* the handler's own, wiped at the end; but for its last 16 octets,
					 which credentials_get uses */
};

/* --- answers; each once --- */
/* Takes `o`. */
void visit_json(struct visit *v, unsigned int status, json_t *o);
/* JSON that is there already; `version` not 0: it becomes the ETag. */
void visit_text(struct visit *v, unsigned int status, struct view json, uint64_t version);
/* RFC 9457. `type`: a word, becomes urn:merlon:problem:WORD; `detail`: for a person. */
void visit_problem(struct visit *v, unsigned int status, const char *type, const char *detail);
/* Anything else: headers of safety are added. */
void visit_answer(struct visit *v, struct web_answer *a);

/* --- the keeper --- */
enum lane {
	LANE_READ,
	LANE_WRITE,
	LANE_LIST,
	LANE_N
}; /* a list may take long: it has lanes of its own */
/* Ask in the name of the person, within their tenant; `then` gets the reply, which may be a refusal. If
 * the keeper cannot be asked the visit is answered 503. What `req` borrows need live for the call alone.
 */
void visit_keep(struct visit *v, enum lane lane, struct keep *req,
		void (*then)(struct visit *v, const struct keep *rep));
/* The same in the portal's own name (credentials, users at sign-in): no tenant. `user`: whose doing it
 * is. */
void visit_keep_own(struct visit *v, enum lane lane, struct keep *req, const char *user,
		    void (*then)(struct visit *v, const struct keep *rep));
/* Was it refused? Then the visit has been answered with the problem that fits. */
bool visit_refused(struct visit *v, const struct keep *rep);
/* An entry of the journal and an event (R-5.8.4.c): what of `event` happened to `user`. Never waits. */
void visit_note(struct visit *v, const char *user, const char *event, const char *text);

/* --- reading --- */
/* A parameter of the query, decoded; false: it is not there, or too long. */
bool visit_query(const struct visit *v, const char *name, char *to, size_t cap);
/* A text of the body; "" if it is not there. Borrowed from the body. */
const char *visit_field(const struct visit *v, const char *name);
