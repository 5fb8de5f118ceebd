/* What the files of the portal share. */
#pragma once
#include "loop/web.h"
#include "portal/clerk.h"
#include "portal/oidc_keys.h"
#include "portal/portal.h"
#include "portal/relay.h"
#include "portal/session.h"
#include "records/serving.h"

#define PORTAL_CONN 512
#define PORTAL_BODY ((size_t)256 << 10)
#define OIDC_BODY 8192
#define TOKEN_ROOM 2048

/* What a request that is not answered at once waits for. */
enum waits { WAITS_NOT, WAITS_KEY, WAITS_JOURNAL };
struct waiter {
	struct web_call *call;
	enum waits for_what;
	uint32_t serial;  /* which use of the place: a late answer is nobody else's */
	char id[OIDC_ID]; /* WAITS_JOURNAL: the receipt's */
};

/* Assertions of platforms that were used, until they end. */
#define USED_MAX 4096
struct used {
	uint64_t hash, until_s;
};

struct portal {
	struct portal_conf conf;
	char issuer[256], naf_name[256];
	struct loop *loop;
	struct web *web;
	struct naf *naf; /* NULL: no sign-on for devices */
	struct api *api;
	struct files *files; /* NULL: no pages */
	struct clerk *clerk;
	struct serving *serving;
	struct serving_read *read;
	const struct book *book;
	struct oidc_keys keys;
	struct secret32 nonce_key;
	struct sessions *sessions;
	struct platforms *platforms;
	struct relay *relay;
	struct waiter waiter[PORTAL_CONN];
	uint32_t serial;
	struct used used[USED_MAX];
	size_t used_at;
	uint8_t used_key[16];
	bool turning; /* a new signing key waits for the journal */
	bool leaving;
};

uint64_t portal_now_s(const struct portal *p); /* since 1970 */
/* Let the call wait; its serial. */
uint32_t portal_wait(struct portal *p, struct web_call *call, enum waits for_what);

/* --- oidc_http.c --- */
bool oidc_is_at(struct view path);
void oidc_request(void *ctx, struct web_call *call, const struct web_request *q);
/* A refusal as RFC 6749 5.2 has it: {"error":...,"error_description":...}. */
void oidc_refuse(struct web_call *call, unsigned int status, const char *error, const char *why);
void oidc_json(struct web_call *call, unsigned int status, json_t *o); /* takes `o` */
/* Is it a form? The fields asked for, in `room`; else it has been refused. */
struct form_field;
bool oidc_form(struct web_call *call, const struct web_request *q, struct form_field *f, size_t n,
	       struct wr *room);

/* --- oidc_token.c: the token end point --- */
void oidc_token(struct portal *p, struct web_call *call, const struct web_request *q);
void oidc_token_key(void *ctx, uint32_t place, uint32_t serial, uint32_t result,
		    const struct naf_key *key);

/* --- oidc_check.c: who is who --- */
/* May this subscription be known at that platform now? NULL: yes; else why not. */
const char *oidc_may(struct portal *p, uint64_t imsi, const struct platform *at);
/* An access token for `at` (NULL: for the platform that it names). OK: its device and platform.
 * ERR_REFUSED: it was good once. */
struct oidc_bearer {
	uint64_t imsi;
	const struct platform *at;
	struct jws jws; /* dropped by the caller after OK */
};
enum err MUST_USE oidc_bearer(struct portal *p, struct view token, const struct platform *at,
			      struct oidc_bearer *to);
/* The platform that a client assertion proves (RFC 7523 3), once; NULL: none. */
const struct platform *oidc_client(struct portal *p, struct view type, struct view assertion);
void oidc_introspect(struct portal *p, struct web_call *call, const struct web_request *q);
/* Sign claims with the first key. `typ` of the header. Takes `claims`. ERR_IO. */
enum err MUST_USE oidc_sign(struct portal *p, const char *typ, json_t *claims, char to[TOKEN_ROOM]);

/* --- oidc_relay.c: signed messages --- */
void oidc_relay_send(struct portal *p, struct web_call *call, const struct web_request *q);
void oidc_relay_take(struct portal *p, struct web_call *call, const struct web_request *q);
void oidc_relay_ack(struct portal *p, struct web_call *call, const struct web_request *q);
void oidc_relay_status(struct portal *p, struct web_call *call, const struct web_request *q);
void oidc_relay_noted(struct portal *p, const struct clerk_job *job);
