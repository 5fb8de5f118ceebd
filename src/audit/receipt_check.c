#include "audit/receipt_check.h"

#include "base/base64.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define HASH 32
#define TEXT_MAX (20 * 1024)

/* A key as the journal told of it last: the provider's by its kid, a platform's by its name. */
struct known {
	char name[64], x[JWS_COORD_MAX], y[JWS_COORD_MAX];
	bool platform;
};

struct receipts {
	uint64_t seq;
	uint8_t head[HASH];
	char hex[2 * HASH + 1];
	struct known *known;
	size_t known_n, known_cap;
	char (*seen)[73]; /* receipts so far */
	size_t seen_n, seen_cap;
};

struct receipts *receipts_new(void)
{
	return calloc(1, sizeof(struct receipts));
}

void receipts_free(struct receipts *r)
{
	if (!r)
		return;
	free(r->known);
	free(r->seen);
	free(r);
}

uint64_t receipts_seq(const struct receipts *r)
{
	return r->seq;
}

const char *receipts_head(const struct receipts *r)
{
	return r->hex;
}

static bool grow(void **p, size_t n, size_t *cap, size_t size)
{
	size_t want = *cap ? 2 * *cap : 64;
	void *more = n < *cap ? *p : realloc(*p, want * size);

	if (!more)
		return false;
	*cap = n < *cap ? *cap : want;
	*p = more;
	return true;
}

/* --- the chain --- */

static void put(struct wr *w, struct view v)
{
	wr_be(w, v.n, 8);
	wr_view(w, v);
}

/* The detail counts as it was written, so it is cut out of the line, not made anew. */
static struct view detail_of(struct view line)
{
	static const char before[] = ",\"detail\":", after[] = ",\"hash\":\"";
	const uint8_t *a = memmem(line.p, line.n, before, sizeof before - 1), *b = NULL;

	if (a)
		a += sizeof before - 1;
	for (size_t i = line.n - (sizeof after - 1); a && !b && line.n > sizeof after && i-- > 0;) {
		if (line.p + i >= a && memcmp(line.p + i, after, sizeof after - 1) == 0)
			b = line.p + i;
	}
	return b ? (struct view){a, (size_t)(b - a)} : (struct view){0};
}

static enum err chain(struct receipts *r, const json_t *e, struct view line)
{
	uint64_t seq = (uint64_t)jws_num(e, "seq");
	static _Thread_local uint8_t room[TEXT_MAX + 4096];
	struct wr w = {.p = room, .cap = sizeof room};

	if (seq != r->seq + 1)
		return ERR_CORRUPT;
	wr_view(&w, (struct view){r->head, HASH});
	wr_be(&w, seq, 8);
	wr_be(&w, (uint64_t)jws_num(e, "at_ms"), 8);
	put(&w, jws_text(e, "actor"));
	put(&w, jws_text(e, "action"));
	put(&w, jws_text(e, "object"));
	put(&w, jws_text(e, "key"));
	put(&w, detail_of(line));
	if (w.err || EVP_Digest(room, w.n, r->head, NULL, EVP_sha256(), NULL) != 1)
		return ERR_FULL;
	for (size_t i = 0; i < HASH; i++)
		snprintf(r->hex + 2 * i, 3, "%02X", r->head[i]);
	r->seq = seq;
	return view_eq(jws_text(e, "hash"), view_of(r->hex)) ? ERR_OK : ERR_CORRUPT;
}

/* --- keys --- */

static struct known *find(struct receipts *r, struct view name, bool platform, bool make)
{
	struct known *k;

	for (size_t i = 0; i < r->known_n; i++) {
		k = &r->known[i];
		if (k->platform == platform && view_eq(view_of(k->name), name))
			return k;
	}
	if (!make || name.n == 0 || name.n >= sizeof k->name ||
	    !grow((void **)&r->known, r->known_n, &r->known_cap, sizeof *r->known))
		return NULL;
	k = &r->known[r->known_n++];
	*k = (struct known){.platform = platform};
	(void)view_text(name, k->name, sizeof k->name);
	return k;
}

/* {"key_x":[new]} of a record that was made, [old,new] of one that was changed. */
static void take(const json_t *detail, const char *name, char to[JWS_COORD_MAX])
{
	const json_t *a = json_object_get(detail, name);
	const json_t *last = json_array_get(a, json_array_size(a) - 1);

	if (json_is_string(last))
		(void)view_text(view_of(json_string_value(last)), to, JWS_COORD_MAX);
}

static void learn(struct receipts *r, const json_t *e)
{
	struct view object = jws_text(e, "object"), key = jws_text(e, "key");
	const json_t *detail = json_object_get(e, "detail");
	struct known *k;
	json_t *jwk;

	if (view_eq(object, VIEW("platform"))) {
		k = find(r, key, true, true);
		if (k && view_eq(jws_text(e, "action"), VIEW("delete")))
			k->x[0] = k->y[0] = 0;
		else if (k)
			take(detail, "key_x", k->x), take(detail, "key_y", k->y);
	} else if (view_eq(object, VIEW("key")) && view_eq(jws_text(e, "action"), VIEW("publish"))) {
		k = find(r, key, false, true);
		jwk = json_loads(k ? json_string_value(json_object_get(detail, "text")) : "", 0, NULL);
		if (k && (!view_text(jws_text(jwk, "x"), k->x, sizeof k->x) ||
			  !view_text(jws_text(jwk, "y"), k->y, sizeof k->y)))
			k->x[0] = k->y[0] = 0;
		json_decref(jwk);
	}
}

static bool signed_by(const struct known *k, const struct jws *j)
{
	struct jws_key *key = k ? jws_key_of_point(view_of(k->x), view_of(k->y)) : NULL;
	bool ok = key && jws_verify(key, j) == ERR_OK;

	jws_key_free(key);
	return ok;
}

/* --- receipts --- */

static bool again(struct receipts *r, struct view id)
{
	for (size_t i = 0; i < r->seen_n; i++) {
		if (view_eq(view_of(r->seen[i]), id))
			return true;
	}
	if (id.n < sizeof *r->seen && grow((void **)&r->seen, r->seen_n, &r->seen_cap, sizeof *r->seen))
		(void)view_text(id, r->seen[r->seen_n++], sizeof *r->seen);
	return false;
}

static bool hash_is(struct view token, struct view want)
{
	uint8_t hash[HASH], text[48];
	struct wr w = {.p = text, .cap = sizeof text};

	if (EVP_Digest(token.p, token.n, hash, NULL, EVP_sha256(), NULL) != 1)
		return false;
	base64url_put(&w, (struct view){hash, HASH});
	return view_eq(wr_done(&w), want);
}

static const char *judge(struct receipts *r, const struct receipt_told *t, struct view token,
			 const struct jws *j, const struct jws *ack)
{
	const struct known *ours = find(r, jws_text(j->header, "kid"), false, false);
	const struct known *theirs = find(r, view_of(t->platform), true, false);

	if (!signed_by(ours, j))
		return "the token is not signed with a key that the journal holds";
	if (!view_eq(jws_text(j->header, "typ"), VIEW("receipt+jwt")) ||
	    !view_eq(jws_text(j->claims, "jti"), view_of(t->id)) || jws_text(j->claims, "sha256").n == 0)
		return "the token is another message's";
	if (!signed_by(theirs, ack))
		return "the acknowledgement is not signed with the platform's key of that time";
	if (!view_eq(jws_text(ack->claims, "iss"), view_of(t->platform)) ||
	    !view_eq(jws_text(ack->claims, "aud"), jws_text(j->claims, "iss")) ||
	    !view_eq(jws_text(ack->claims, "receipt"), view_of(t->id)) ||
	    !hash_is(token, jws_text(ack->claims, "receipt_sha256")))
		return "the acknowledgement is of another token";
	if (jws_num(j->claims, "iat") > (int64_t)(t->at_ms / 1000) + 300)
		return "the token is younger than its receipt";
	return again(r, view_of(t->id)) ? "it was acknowledged before: a replay" : NULL;
}

static void receipt(struct receipts *r, const json_t *e, struct receipt_told *t)
{
	struct view text = jws_text(json_object_get(e, "detail"), "text"), ack;
	const uint8_t *mark = text.n > 0 ? memchr(text.p, ' ', text.n) : NULL;
	struct view token = mark ? view_first(text, (size_t)(mark - text.p)) : text;
	struct jws j, a;

	*t = (struct receipt_told){.seq = (uint64_t)jws_num(e, "seq"),
				   .at_ms = (uint64_t)jws_num(e, "at_ms")};
	(void)view_text(jws_text(e, "key"), t->id, sizeof t->id);
	t->why = "not a token and an acknowledgement";
	if (!mark || jws_read(token, &j) != ERR_OK)
		return;
	ack = (struct view){mark + 1, text.n - token.n - 1};
	(void)view_text(jws_text(j.claims, "aud"), t->platform, sizeof t->platform);
	(void)view_text(jws_text(j.claims, "sub"), t->sub, sizeof t->sub);
	if (jws_read(ack, &a) == ERR_OK) {
		t->why = judge(r, t, token, &j, &a);
		jws_drop(&a);
	}
	jws_drop(&j);
}

enum err receipts_line(struct receipts *r, struct view line,
		       void (*told)(void *ctx, const struct receipt_told *t), void *ctx)
{
	json_t *e = line.n > 0 && line.n < TEXT_MAX + 4096
			? json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, NULL)
			: NULL;
	struct receipt_told t;
	enum err err = json_is_object(e) ? chain(r, e, line) : ERR_VALUE;

	if (!err && view_eq(jws_text(e, "object"), VIEW("receipt"))) {
		receipt(r, e, &t);
		told(ctx, &t);
	} else if (!err) {
		learn(r, e);
	}
	json_decref(e);
	return err;
}
