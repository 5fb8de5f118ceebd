/* Other people's accounts: inviting, resetting, signing out; API keys; and one's own new password. */
#include "portal/account.h"

#include "base/base64.h"
#include "base/log.h"
#include "portal/password.h"
#include "portal/resource.h"
#include "portal/route.h"

#include <sodium.h>
#include <stdio.h>

#define INVITE_S (24 * 3600)

static bool secret_text(char to[LOGIN_TOKEN])
{
	uint8_t b[32];
	struct wr w = {.p = (uint8_t *)to, .cap = LOGIN_TOKEN - 1};

	if (random_bytes(b, sizeof b))
		return false;
	base64url_put(&w, (struct view){b, sizeof b});
	to[w.n] = 0;
	secret_wipe(b, sizeof b);
	return true;
}

/* --- invitations and resets --- */

struct invite {
	char user[NAME_ROOM], secret[LOGIN_TOKEN];
	unsigned int status;
};

static void invited(struct visit *v, const struct keep *rep)
{
	const struct invite *i = (const struct invite *)(const void *)v->note;
	char link[128];

	if (visit_refused(v, rep))
		return;
	snprintf(link, sizeof link, "/welcome#%.47s.%.63s", i->user, i->secret);
	visit_note(v, v->who.user, "invitation made", i->user);
	visit_json(v, i->status,
		   json_pack("{s:s,s:s,s:i}", "user", i->user, "link", link, "valid_s", INVITE_S));
	secret_wipe(link, sizeof link);
}

static void invite(struct visit *v)
{
	struct invite *i = (struct invite *)(void *)v->note;
	struct credential c = {.kind = CRED_INVITE, .label = "invitation"};

	if (!secret_text(i->secret)) {
		visit_problem(v, 503, "unavailable", "no random numbers");
		return;
	}
	c.until_s = api_now_s(v->portal->api) + INVITE_S;
	snprintf(c.text, sizeof c.text, "%s", i->secret);
	credential_put(v, i->user, &c, invited);
	secret_wipe(&c, sizeof c);
}

static void user_made(struct visit *v, const struct keep *rep)
{
	struct invite *i = (struct invite *)(void *)v->note;

	if (visit_refused(v, rep))
		return;
	*i = (struct invite){.status = 201};
	snprintf(i->user, sizeof i->user, "%.47s", v->key);
	invite(v);
}

void user_make(struct visit *v)
{
	resource_make_then(v, user_made);
}

static void drop_next(struct visit *v, const struct keep *rep);

static void old_factors(struct visit *v, struct credentials *all)
{
	struct invite *i = (struct invite *)(void *)v->note;

	if (all->n > 0)
		credential_drop(v, i->user, all->at[0].name, drop_next);
	else
		invite(v);
}

static void drop_next(struct visit *v, const struct keep *rep)
{
	const struct invite *i = (const struct invite *)(const void *)v->note;

	if (rep->num[KEEP_STATUS] != ERR_NOT_FOUND && visit_refused(v, rep))
		return;
	credentials_get(v, i->user, old_factors);
}

static void reset_allowed(struct visit *v, const struct keep *rep)
{
	struct invite *i = (struct invite *)(void *)v->note;

	if (visit_refused(v, rep))
		return; /* not of theirs */
	*i = (struct invite){.status = 200};
	if (!view_text(v->param[0], i->user, sizeof i->user) || strcmp(i->user, v->who.user) == 0) {
		visit_problem(v, 422, "refused", "another person resets yours");
		return;
	}
	login_end_all(v->portal->api->logins, i->user, NULL);
	visit_note(v, v->who.user, "reset begun", i->user);
	credentials_get(v, i->user, old_factors);
}

static void get_user(struct visit *v, void (*then)(struct visit *v, const struct keep *rep))
{
	struct keep req = {.op = KEEP_GET};

	if (v->param[0].n >= NAME_ROOM) {
		visit_problem(v, 404, "not-found", "there is none of that key");
		return;
	}
	keep_put_text(&req, KEEP_OBJECT, VIEW("user"));
	keep_put_text(&req, KEEP_KEY, v->param[0]);
	visit_keep(v, LANE_READ, &req, then);
}

void user_reset(struct visit *v)
{
	get_user(v, reset_allowed);
}

/* --- gone: what is theirs first, for records that something needs cannot be deleted --- */

static void gone_next(struct visit *v, const struct keep *rep);

static void user_gone(struct visit *v, const struct keep *rep)
{
	const struct invite *i = (const struct invite *)(const void *)v->note;

	if (visit_refused(v, rep))
		return;
	visit_note(v, v->who.user, "user deleted", i->user);
	visit_answer(v, &(struct web_answer){.status = 204});
}

static void gone_key(struct visit *v, const struct keep *rep)
{
	const struct invite *i = (const struct invite *)(const void *)v->note;
	struct view b = rep->text[KEEP_BODY];
	json_t *list;
	const char *name;
	struct keep req = {.op = KEEP_DELETE};

	if (visit_refused(v, rep))
		return;
	list = json_loadb((const char *)b.p, b.n, 0, NULL);
	name = json_string_value(json_object_get(json_array_get(list, 0), "name"));
	keep_put_text(&req, KEEP_OBJECT, name ? VIEW("api-key") : VIEW("user"));
	keep_put_text(&req, KEEP_KEY, view_of(name ? name : i->user));
	visit_keep(v, LANE_WRITE, &req, name ? gone_next : user_gone);
	json_decref(list);
}

static void gone_factor(struct visit *v, struct credentials *all)
{
	const struct invite *i = (const struct invite *)(const void *)v->note;
	struct keep req = {.op = KEEP_LIST};
	char pair[64];

	if (all->n > 0) {
		credential_drop(v, i->user, all->at[0].name, gone_next);
		return;
	}
	snprintf(pair, sizeof pair, "user=%.47s", i->user);
	keep_put_text(&req, KEEP_OBJECT, VIEW("api-key"));
	keep_put_num(&req, KEEP_MOST, 1);
	req.pair[req.pair_n++] = view_of(pair);
	req.has |= (uint64_t)1 << KEEP_PAIR;
	visit_keep(v, LANE_READ, &req, gone_key);
}

static void gone_next(struct visit *v, const struct keep *rep)
{
	const struct invite *i = (const struct invite *)(const void *)v->note;

	if (rep->num[KEEP_STATUS] != ERR_NOT_FOUND && visit_refused(v, rep))
		return;
	credentials_get(v, i->user, gone_factor);
}

/* Nobody is signed in, or comes in again, from here on: they are disabled first. */
static void disabled(struct visit *v, const struct keep *rep)
{
	const struct invite *i = (const struct invite *)(const void *)v->note;

	if (visit_refused(v, rep))
		return;
	login_end_all(v->portal->api->logins, i->user, NULL);
	credentials_get(v, i->user, gone_factor);
}

static void delete_allowed(struct visit *v, const struct keep *rep)
{
	struct invite *i = (struct invite *)(void *)v->note;
	struct keep req = {.op = KEEP_SET};

	if (visit_refused(v, rep))
		return;
	*i = (struct invite){.status = 204};
	if (!view_text(v->param[0], i->user, sizeof i->user) || strcmp(i->user, v->who.user) == 0) {
		visit_problem(v, 422, "refused", "another person deletes yours");
		return;
	}
	if (!resource_condition(v, &req))
		return;
	keep_put_text(&req, KEEP_OBJECT, VIEW("user"));
	keep_put_text(&req, KEEP_KEY, view_of(i->user));
	keep_put_text(&req, KEEP_MODE, VIEW("change"));
	req.pair[req.pair_n++] = VIEW("state=disabled");
	req.has |= (uint64_t)1 << KEEP_PAIR;
	visit_keep(v, LANE_WRITE, &req, disabled);
}

static void sign_out_allowed(struct visit *v, const struct keep *rep)
{
	char user[NAME_ROOM];

	if (visit_refused(v, rep))
		return;
	view_text(v->param[0], user, sizeof user);
	login_end_all(v->portal->api->logins, user, NULL);
	visit_note(v, v->who.user, "all sessions ended of", user);
	visit_answer(v, &(struct web_answer){.status = 204});
}

void user_delete(struct visit *v)
{
	get_user(v, delete_allowed);
}

void user_sign_out(struct visit *v)
{
	get_user(v, sign_out_allowed);
}

/* --- another password of one's own --- */

struct new_password {
	char password[PASSWORD_MOST + 1], name[NAME_ROOM];
	uint64_t version;
};

static void changed(struct visit *v, const struct keep *rep)
{
	if (visit_refused(v, rep) || !visit_login(v))
		return;
	login_end_all(v->portal->api->logins, v->who.user, v->login);
	visit_note(v, v->who.user, "password changed", "");
	visit_answer(v, &(struct web_answer){.status = 204});
}

static void new_hashed(struct visit *v, bool fits, const char *hash)
{
	struct new_password *c = (struct new_password *)(void *)v->note;
	struct credential k = {.kind = CRED_PASSWORD, .label = "password", .version = c->version};

	if (!fits) {
		visit_problem(v, 503, "unavailable", "out of memory");
		return;
	}
	snprintf(k.name, sizeof k.name, "%s", c->name);
	snprintf(k.text, sizeof k.text, "%s", hash);
	credential_put(v, v->who.user, &k, changed);
	secret_wipe(&k, sizeof k);
}

static void old_compared(struct visit *v, bool fits, const char *hash)
{
	const struct new_password *c = (const struct new_password *)(const void *)v->note;

	(void)hash;
	if (!fits) {
		account_disproven(v, "current password");
		return;
	}
	v->hashed = new_hashed;
	if (!hasher_ask(v->portal->api->hasher, c->password, NULL, visit_tag(v)))
		visit_problem(v, 503, "unavailable", "too many sign in at once; try again");
}

static void password_known(struct visit *v, struct credentials *all)
{
	const struct credential *p = credentials_find(all, CRED_PASSWORD);
	struct new_password *c = (struct new_password *)(void *)v->note;
	const char *words[] = {v->who.user, v->who.tenant,	 "merlon", "portal",
			       "iot",	    v->portal->naf_name, NULL};
	const char *why = password_judge(visit_field(v, "password"), words);

	if (why || strlen(visit_field(v, "current")) > PASSWORD_MOST) {
		visit_problem(v, 400, "password", why ? why : "current: too long");
		return;
	}
	snprintf(c->password, sizeof c->password, "%s", visit_field(v, "password"));
	c->version = p ? p->version : 0;
	snprintf(c->name, sizeof c->name, "%s", p ? p->name : "");
	v->hashed = old_compared;
	if (!hasher_ask(v->portal->api->hasher, visit_field(v, "current"), p ? p->text : "",
			visit_tag(v)))
		visit_problem(v, 503, "unavailable", "too many sign in at once; try again");
}

void account_password(struct visit *v)
{
	credentials_get(v, v->who.user, password_known);
}

/* --- API keys --- */

static void key_made(struct visit *v, const struct keep *rep)
{
	char text[160];

	if (visit_refused(v, rep))
		return;
	snprintf(text, sizeof text, "mk_%s_%.43s", v->key, v->note);
	visit_note(v, v->who.user, "API key made", v->key);
	visit_json(v, 201, json_pack("{s:s,s:s}", "id", v->key, "key", text));
	secret_wipe(text, sizeof text);
}

void apikey_make(struct visit *v)
{
	static const char *const names[] = {"label", "scopes", "expires", "addresses"};
	struct keep req = {.op = KEEP_SET};
	char pair[8][300], hex[65];
	uint8_t hash[32], id[8];

	if (!secret_text(v->note) || random_bytes(id, sizeof id)) {
		visit_problem(v, 503, "unavailable", "no random numbers");
		return;
	}
	sodium_bin2hex(v->key, sizeof v->key, id, sizeof id);
	crypto_hash_sha256(hash, (const uint8_t *)v->note, strlen(v->note));
	sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
	for (size_t i = 0; i < 4; i++)
		snprintf(pair[i], sizeof pair[i], "%s=%.255s", names[i], visit_field(v, names[i]));
	snprintf(pair[4], sizeof pair[4], "user=%s", v->who.user);
	snprintf(pair[5], sizeof pair[5], "hash=%s", hex);
	snprintf(pair[6], sizeof pair[6], "made=%llu", (unsigned long long)api_now_s(v->portal->api));
	snprintf(pair[7], sizeof pair[7], "tenant=%s", v->who.tenant);
	req.pair_n = v->who.tenant[0] ? 8 : 7;
	for (size_t i = 0; i < req.pair_n; i++)
		req.pair[i] = view_of(pair[i]);
	req.has |= (uint64_t)1 << KEEP_PAIR;
	keep_put_text(&req, KEEP_OBJECT, VIEW("api-key"));
	keep_put_text(&req, KEEP_KEY, view_of(v->key));
	keep_put_text(&req, KEEP_MODE, VIEW("create"));
	visit_keep(v, LANE_WRITE, &req, key_made);
}

static void keys_known(struct visit *v, const struct keep *rep)
{
	struct view b = rep->text[KEEP_BODY];

	if (!visit_refused(v, rep))
		visit_json(v, 200,
			   json_pack("{s:o}", "items", json_loadb((const char *)b.p, b.n, 0, NULL)));
}

static void own_keys(struct visit *v, const char *id,
		     void (*then)(struct visit *v, const struct keep *rep))
{
	struct keep req = {.op = KEEP_LIST};
	char pair[64], name[80];

	snprintf(pair, sizeof pair, "user=%s", v->who.user);
	req.pair[req.pair_n++] = view_of(pair);
	snprintf(name, sizeof name, "name=%.63s", id);
	if (id[0])
		req.pair[req.pair_n++] = view_of(name);
	req.has |= (uint64_t)1 << KEEP_PAIR;
	keep_put_text(&req, KEEP_OBJECT, VIEW("api-key"));
	visit_keep(v, LANE_READ, &req, then);
}

void apikey_list(struct visit *v)
{
	own_keys(v, "", keys_known);
}

static void key_dropped(struct visit *v, const struct keep *rep)
{
	struct api *a = v->portal->api;

	if (visit_refused(v, rep))
		return;
	for (size_t i = 0; i < KEYS_SEEN; i++) {
		if (view_eq(view_of(a->key[i].id), v->param[0]))
			a->key[i] = (struct key_seen){0};
	}
	visit_note(v, v->who.user, "API key ended", "");
	visit_answer(v, &(struct web_answer){.status = 204});
}

static void key_is_own(struct visit *v, const struct keep *rep)
{
	struct keep req = {.op = KEEP_DELETE};

	if (visit_refused(v, rep))
		return;
	if (rep->num[KEEP_DONE] != 1) {
		visit_problem(v, 404, "not-found", "no such key of yours");
		return;
	}
	keep_put_text(&req, KEEP_OBJECT, VIEW("api-key"));
	keep_put_text(&req, KEEP_KEY, v->param[0]);
	visit_keep(v, LANE_WRITE, &req, key_dropped);
}

void apikey_drop(struct visit *v)
{
	char id[64];

	if (view_text(v->param[0], id, sizeof id))
		own_keys(v, id, key_is_own);
	else
		visit_problem(v, 404, "not-found", "no such key of yours");
}
