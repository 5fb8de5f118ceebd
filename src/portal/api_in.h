/* What the files of the API share. */
#pragma once
#include "base/hash.h"
#include "portal/desk.h"
#include "portal/hasher.h"
#include "portal/login.h"
#include "portal/portal_in.h"
#include "portal/throttle.h"
#include "records/events_read.h"

#define API_JSON ((size_t)64 << 10) /* of a body */
#define KEYS_SEEN 1024
#define ONCES 512
#define ONCE_ROOM 2048
#define LIVE_STREAMS 128
#define FRESH_MS 2000 /* how long a user's record is believed */

/* An API key and its user as the records had them a moment ago. */
struct key_seen {
	char id[NAME_ROOM];
	uint8_t hash[32];
	struct person who;
	char addresses[200];
	uint64_t expires_s, checked_ms;
};

/* What was answered to a request that is to be carried out once. */
struct once {
	uint64_t id, asked; /* who and their key; the request's hash */
	uint64_t until_s;
	unsigned int status;
	uint64_t version;
	uint32_t n;
	bool busy;
	uint8_t body[ONCE_ROOM];
};

struct api {
	struct portal *portal;
	struct desk *desk;
	struct logins *logins;
	struct hasher *hasher;
	struct throttle *throttle;
	struct secret32 seal;  /* credentials are sealed with it; data_dir/portal/credentials.key */
	struct secret32 pepper; /* and passwords are hashed with that: from the same file */
	struct secret32 mac;   /* of challenges; new at each start */
	uint8_t hash_key[16];
	char setup[LOGIN_TOKEN]; /* of the one-time link; "": somebody has signed in once */
	char setup_path[CONF_PATH];
	struct visit visit[PORTAL_CONN];
	uint32_t serial;
	struct key_seen key[KEYS_SEEN];
	struct once once[ONCES];
	uint64_t challenge_used[1024];
	size_t challenge_at;
	struct events_read *events;    /* NULL: watch keeps none */
	uint64_t stream[LIVE_STREAMS]; /* visits that wait for events; 0: none */
	json_t *description;
	char *description_text;
	size_t description_n;
};

/* --- api.c --- */
enum err MUST_USE api_open(struct portal *p, char why[256]);
void api_close(struct api *a); /* NULL is fine */
bool api_host_ok(const struct portal *p, struct view host);

/* --- gate.c --- */
void gate_request(struct portal *p, struct web_call *call, const struct web_request *q);
void gate_gone(struct portal *p, struct web_call *call);

/* --- visit.c --- */
struct visit *visit_begin(struct api *a, struct web_call *call, const struct web_request *q);
void visit_end(struct visit *v);
/* The session again, after waiting; NULL: it has ended, and the visit was answered 401. */
struct login *visit_login(struct visit *v);
/* The visit that a late answer is for; NULL: it is over. */
struct visit *visit_of(struct api *a, uint64_t tag);
uint64_t visit_tag(const struct visit *v);
uint64_t api_now_s(const struct api *a);
bool visit_once_begin(struct visit *v); /* false: it was answered from memory, or refused */
/* Give the session's cookie with the answer; token NULL: take it away. */
void visit_cookie(struct visit *v, const char *token);

/* --- credential.c: what users prove with who they are, as records --- */
#define CRED_TEXT 720
struct credential {
	char name[NAME_ROOM], label[64], text[CRED_TEXT]; /* `text` in clear */
	enum cred_kind kind;
	uint32_t counter;
	uint64_t version, until_s;
};
#define CREDS_MAX 48
struct credentials {
	size_t n;
	struct credential at[CREDS_MAX];
};
/* Those of the user; `then` gets them in a static place, valid until it returns. */
void credentials_get(struct visit *v, const char *user,
		     void (*then)(struct visit *v, struct credentials *all));
const struct credential *credentials_find(const struct credentials *all, enum cred_kind kind);
uint32_t credentials_kinds(const struct credentials *all);
/* Write one (name "": a new one). */
void credential_put(struct visit *v, const char *user, struct credential *c,
		    void (*then)(struct visit *v, const struct keep *rep));
/* Make one of a name that is given. */
void credential_make(struct visit *v, const char *user, struct credential *c,
		     void (*then)(struct visit *v, const struct keep *rep));
/* One record as the keeper gave it; its user becomes v->key. False: it does not hold. */
bool credential_read(struct visit *v, const struct keep *rep, struct credential *c);
void credential_drop(struct visit *v, const char *user, const char *name,
		     void (*then)(struct visit *v, const struct keep *rep));
