/* Signed messages (R-3.2.b). A device hands in a message for a platform and gets a token over its hash,
 * which proves the SIM that it came from. The platform takes both, and signs that it has them. The
 * journal of the keeper holds both signatures; only then is the message acknowledged. `merlon audit
 * receipts` verifies. */
#include "portal/portal_in.h"

#include "base/base64.h"
#include "base/log.h"
#include "base/metric.h"
#include "wire/form.h"
#include "wire/http_auth.h"

#include <sodium.h>
#include <stdio.h>

#define TO "/relay/to/"
#define RECEIPT "/relay/receipt/"
#define SKEW_S 300

enum outcome { OUT_RELAYED, OUT_ACKNOWLEDGED, OUT_REFUSED };

static struct view below(struct view path, const char *head)
{
	size_t n = strlen(head);

	return (struct view){path.p + n, path.n - n};
}

static void hash_of(struct view v, char to[OIDC_SUB])
{
	struct wr w = {.p = (uint8_t *)to, .cap = OIDC_SUB - 1};
	uint8_t hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, v.p, v.n);
	base64url_put(&w, (struct view){hash, sizeof hash});
	to[w.n] = 0;
}

static enum err sign_receipt(struct portal *p, const struct platform *at, struct relay_message *m)
{
	char sub[OIDC_SUB], hash[OIDC_SUB];

	oidc_sub(&p->keys, view_of(at->sector), m->imsi, sub);
	hash_of((struct view){m->body, m->n}, hash);
	return oidc_sign(p, "receipt+jwt",
			 json_pack("{s:s,s:s,s:s,s:I,s:s,s:s}", "iss", p->issuer, "sub", sub, "aud",
				   at->name, "iat", (json_int_t)m->at_s, "jti", m->id, "sha256", hash),
			 m->token);
}

static struct relay_message *take_in(struct portal *p, const struct platform *at, uint64_t imsi,
				     const struct web_request *q)
{
	struct relay_message *m = relay_put(p->relay, view_of(at->name), imsi, portal_now_s(p));

	if (!m)
		return NULL;
	memcpy(m->body, q->body.p, q->body.n);
	m->n = q->body.n;
	if (!view_text(q->type, m->type, sizeof m->type))
		snprintf(m->type, sizeof m->type, "application/octet-stream");
	if (oidc_id(&p->keys, imsi, m->id) == ERR_OK && sign_receipt(p, at, m) == ERR_OK)
		return m;
	memset(m, 0, sizeof *m);
	return NULL;
}

void oidc_relay_send(struct portal *p, struct web_call *call, const struct web_request *q)
{
	const struct platform *at = platforms_find(p->platforms, below(q->path, TO));
	const struct relay_message *m;
	struct oidc_bearer b;

	if (!at || oidc_bearer(p, http_auth_bearer(q->authorization), at, &b) != ERR_OK) {
		metric_add(M_PORTAL_RECEIPTS, OUT_REFUSED, 1);
		oidc_refuse(call, 401, "invalid_token", "an access token for this platform");
		return;
	}
	jws_drop(&b.jws);
	if (q->body.n == 0 || q->body.n > RELAY_BODY) {
		oidc_refuse(call, 413, "invalid_request", "a message of 1 to 4096 octets");
		return;
	}
	m = take_in(p, at, b.imsi, q);
	if (!m) {
		oidc_refuse(call, 429, "temporarily_unavailable", "too many messages wait");
		return;
	}
	metric_add(M_PORTAL_RECEIPTS, OUT_RELAYED, 1);
	oidc_json(call, 202,
		  json_pack("{s:s,s:s,s:s}", "id", m->id, "token", m->token, "status", "waiting"));
}

/* Each message until it is acknowledged: handed out again after a while. */
void oidc_relay_take(struct portal *p, struct web_call *call, const struct web_request *q)
{
	struct form_field f[] = {{.name = "client_assertion_type"}, {.name = "client_assertion"}};
	static uint8_t text[PORTAL_BODY];
	static char body[RELAY_BODY * 2];
	struct wr room = {.p = text, .cap = sizeof text},
		  w = {.p = (uint8_t *)body, .cap = sizeof body - 1};
	const struct platform *at;
	const struct relay_message *m;

	if (!oidc_form(call, q, f, 2, &room))
		return;
	at = oidc_client(p, f[0].value, f[1].value);
	if (!at) {
		oidc_refuse(call, 401, "invalid_client",
			    "a client_assertion signed with the platform's key, once");
		return;
	}
	m = relay_take(p->relay, view_of(at->name), portal_now_s(p));
	if (!m) {
		web_answer(call, &(struct web_answer){.status = 204});
		return;
	}
	base64_put(&w, (struct view){m->body, m->n});
	body[w.n] = 0;
	oidc_json(call, 200,
		  json_pack("{s:s,s:s,s:s,s:s}", "id", m->id, "token", m->token, "type", m->type,
			    "message", body));
}

/* Does it say that this platform has this token? */
static bool says_so(const struct portal *p, const struct jws *j, const struct relay_message *m)
{
	const struct platform *at = platforms_find(p->platforms, view_of(m->platform));
	int64_t now = (int64_t)portal_now_s(p), iat = jws_num(j->claims, "iat");
	char hash[OIDC_SUB];

	hash_of(view_of(m->token), hash);
	return at && at->key && jws_verify(at->key, j) == ERR_OK &&
	       view_eq(jws_text(j->claims, "iss"), view_of(at->name)) &&
	       view_eq(jws_text(j->claims, "aud"), view_of(p->issuer)) &&
	       view_eq(jws_text(j->claims, "receipt_sha256"), view_of(hash)) && iat > now - SKEW_S &&
	       iat < now + SKEW_S;
}

static struct relay_message *acknowledged(struct portal *p, struct view ack, const char **why)
{
	struct relay_message *m = NULL;
	struct jws j;

	*why = "no token signed with ES256";
	if (jws_read(ack, &j) != ERR_OK)
		return NULL;
	m = relay_find(p->relay, jws_text(j.claims, "receipt"), portal_now_s(p));
	*why = "no such message, or not what its platform's key signs";
	if (m && !says_so(p, &j, m))
		m = NULL;
	jws_drop(&j);
	return m;
}

void oidc_relay_ack(struct portal *p, struct web_call *call, const struct web_request *q)
{
	struct form_field f[] = {{.name = "acknowledgement"}};
	static uint8_t text[PORTAL_BODY];
	struct wr room = {.p = text, .cap = sizeof text};
	struct clerk_job job = {.mode = "receipt"};
	struct relay_message *m;
	const char *why;

	if (!oidc_form(call, q, f, 1, &room))
		return;
	m = acknowledged(p, f[0].value, &why);
	if (!m) {
		metric_add(M_PORTAL_RECEIPTS, OUT_REFUSED, 1);
		LOG(LOG_NOTE, "portal.receipt_refused", KV("why", why), KV("address", q->address),
		    KV_CLAUSE("R-3.2.b"));
		oidc_refuse(call, 400, "invalid_request", why);
	} else if (m->noting || m->acked) {
		oidc_refuse(call, 409, "invalid_request", "acknowledged before");
	} else if ((size_t)snprintf(job.text, sizeof job.text, "%s %.*s", m->token, (int)f[0].value.n,
				    (const char *)f[0].value.p) >= sizeof job.text) {
		oidc_refuse(call, 400, "invalid_request", "too long for the journal");
	} else {
		snprintf(job.key, sizeof job.key, "%s", m->id);
		job.place = web_place(call);
		job.serial = portal_wait(p, call, WAITS_JOURNAL);
		m->noting = clerk_note(p->clerk, &job);
		if (!m->noting) {
			p->waiter[job.place].for_what = WAITS_NOT;
			oidc_refuse(call, 503, "temporarily_unavailable", "the journal is behind");
		}
	}
}

/* The journal has it, or not. */
void oidc_relay_noted(struct portal *p, const struct clerk_job *job)
{
	struct relay_message *m = relay_find(p->relay, view_of(job->key), portal_now_s(p));
	struct waiter *w = &p->waiter[job->place % PORTAL_CONN];
	const char *ack = strchr(job->text, ' ');
	bool asks = w->for_what == WAITS_JOURNAL && w->serial == job->serial;

	if (m) {
		m->noting = false;
		m->acked = !job->err;
		if (m->acked && ack)
			snprintf(m->ack, sizeof m->ack, "%s", ack + 1);
	}
	if (!job->err) {
		metric_add(M_PORTAL_RECEIPTS, OUT_ACKNOWLEDGED, 1);
		if (m)
			LOG(LOG_NOTE, "portal.receipt", kv_id("imsi", m->imsi),
			    KV("platform", (const char *)m->platform), KV("id", job->key),
			    KV_CLAUSE("R-3.2.b"));
	}
	if (!asks)
		return;
	w->for_what = WAITS_NOT;
	if (job->err)
		oidc_refuse(w->call, 503, "temporarily_unavailable", "the journal cannot be written");
	else
		oidc_json(w->call, 200,
			  json_pack("{s:s,s:s}", "id", job->key, "status", "acknowledged"));
}

/* To the device that sent it, while it is kept. */
void oidc_relay_status(struct portal *p, struct web_call *call, const struct web_request *q)
{
	const struct relay_message *m = relay_find(p->relay, below(q->path, RECEIPT), portal_now_s(p));
	struct oidc_bearer b;
	uint64_t imsi = 0;

	if (oidc_bearer(p, http_auth_bearer(q->authorization), NULL, &b) == ERR_OK) {
		imsi = b.imsi;
		jws_drop(&b.jws);
	}
	if (!imsi) {
		oidc_refuse(call, 401, "invalid_token", "an access token of the device that sent it");
	} else if (!m || m->imsi != imsi) {
		oidc_refuse(call, 404, "invalid_request", "no such message of this device");
	} else {
		oidc_json(call, 200,
			  json_pack("{s:s,s:s,s:s,s:s*}", "id", m->id, "status",
				    m->acked	 ? "acknowledged"
				    : m->taken_s ? "taken"
						 : "waiting",
				    "token", m->token, "acknowledgement", m->acked ? m->ack : NULL));
	}
}
