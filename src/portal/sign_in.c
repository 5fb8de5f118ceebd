/* Signing in: a password and a second factor, one after the other (R-5.8.4.c, R-5.8.6.a). Who fails
 * hears one thing, whatever it was, after the same work. */
#include "portal/api_in.h"

#include "base/log.h"
#include "portal/account.h"
#include "portal/password.h"
#include "portal/route.h"

#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

/* Of a sign-in that goes on, in the visit's note. */
struct attempt {
	char user[NAME_ROOM], tenant[32], password[PASSWORD_MOST + 1], hash[HASH_ROOM];
	char full_name[96], invite[NAME_ROOM], old[NAME_ROOM];
	enum user_role role;
	uint32_t kinds;
	bool real, first;
	uint64_t old_version;
};
_Static_assert(sizeof(struct attempt) <= sizeof((struct visit *)0)->note - 16, "an attempt fits");

static struct attempt *attempt(struct visit *v)
{
	return (struct attempt *)(void *)v->note;
}

static bool plain_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < NAME_ROOM && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-@") == n;
}

void login_who(struct visit *v)
{
	account_say(v, 200);
}

/* --- a session begins --- */

static void begin(struct visit *v)
{
	const struct attempt *at = attempt(v);
	struct person who = {.role = at->role};

	snprintf(who.user, sizeof who.user, "%.47s", at->user);
	snprintf(who.tenant, sizeof who.tenant, "%.31s", at->tenant);
	if (!account_begin(v, &who))
		return;
	v->login->factors = at->kinds;
	account_say(v, 200);
}

static void failed(struct visit *v)
{
	struct attempt *at = attempt(v);

	throttle_failed(v->portal->api->throttle, at->user, v->q->address, loop_now(v->portal->loop));
	if (at->real)
		visit_note(v, at->user, "password refused", "");
	else
		LOG(LOG_NOTE, "portal.sign_in", KV("what", "unknown user"), KV("address", v->q->address),
		    KV_CLAUSE("R-5.8.4.c"));
	visit_problem(v, 401, "credentials", "the name or the password is wrong");
}

static void compared(struct visit *v, bool fits, const char *hash)
{
	struct attempt *at = attempt(v);

	(void)hash;
	if (!fits || !at->real) {
		failed(v);
		return;
	}
	throttle_passed(v->portal->api->throttle, at->user, v->q->address, loop_now(v->portal->loop));
	visit_note(v, at->user, "password accepted", "");
	begin(v);
}

static void hash_it(struct visit *v, const char *hash,
		    void (*then)(struct visit *v, bool fits, const char *hash))
{
	v->hashed = then;
	if (!hasher_ask(v->portal->api->hasher, attempt(v)->password, hash, visit_tag(v)))
		visit_problem(v, 503, "unavailable", "too many sign in at once; try again");
}

static void password_known(struct visit *v, struct credentials *all)
{
	const struct credential *c = credentials_find(all, CRED_PASSWORD);
	struct attempt *at = attempt(v);

	at->real = at->real && c;
	at->kinds = credentials_kinds(all);
	snprintf(at->hash, sizeof at->hash, "%.127s", c ? c->text : "");
	hash_it(v, at->hash, compared);
}

static void user_known(struct visit *v, const struct keep *rep)
{
	struct attempt *at = attempt(v);

	at->real = account_read(rep, &at->role, at->tenant);
	if (at->real)
		credentials_get(v, at->user, password_known);
	else
		hash_it(v, "", compared); /* as long as for a real one (ASVS 6.3.8) */
}

static void get_user(struct visit *v, void (*then)(struct visit *v, const struct keep *rep))
{
	struct keep req = {.op = KEEP_GET};

	keep_put_text(&req, KEEP_OBJECT, VIEW("user"));
	keep_put_text(&req, KEEP_KEY, view_of(attempt(v)->user));
	visit_keep_own(v, LANE_READ, &req, attempt(v)->user, then);
}

void login_password(struct visit *v)
{
	const char *user = visit_field(v, "user"), *password = visit_field(v, "password");
	struct attempt *at = attempt(v);
	uint64_t wait;

	*at = (struct attempt){0};
	snprintf(at->user, sizeof at->user, "%s", user);
	snprintf(at->password, sizeof at->password, "%s",
		 strlen(password) <= PASSWORD_MOST ? password : "");
	wait = throttle_wait_ms(v->portal->api->throttle, at->user, v->q->address,
				loop_now(v->portal->loop));
	if (wait > 0) {
		LOG(LOG_NOTE, "portal.throttled", KV("user", (const char *)at->user),
		    KV("address", v->q->address), KV("wait_ms", wait), KV_CLAUSE("R-5.8.4.c"));
		visit_problem(v, 429, "throttled",
			      "too many wrong passwords from here: wait a little, or use a passkey");
	} else if (plain_name(user)) {
		get_user(v, user_known);
	} else {
		hash_it(v, "", compared);
	}
}

/* --- the first person, and the invited --- */

static const char *judge(const struct visit *v, const char *password)
{
	const struct attempt *at = (const struct attempt *)(const void *)v->note;
	const char *words[] = {at->user, at->tenant,	      "merlon", "portal",
			       "iot",	 v->portal->naf_name, NULL};

	return password_judge(password, words);
}

static void password_kept(struct visit *v, const struct keep *rep)
{
	struct attempt *at = attempt(v);

	if (visit_refused(v, rep))
		return;
	at->kinds |= 1u << CRED_PASSWORD;
	visit_note(v, at->user, at->first ? "set up" : "password chosen by invitation", "");
	begin(v);
}

static void invite_gone(struct visit *v, const struct keep *rep)
{
	if (!visit_refused(v, rep))
		password_kept(v, rep);
}

static void password_written(struct visit *v, const struct keep *rep)
{
	struct attempt *at = attempt(v);

	if (at->first) {
		password_kept(v, rep);
		return;
	}
	if (!visit_refused(v, rep))
		credential_drop(v, at->user, at->invite, invite_gone);
}

static void chosen(struct visit *v, bool fits, const char *hash)
{
	struct attempt *at = attempt(v);
	struct credential c = {.kind = CRED_PASSWORD, .label = "password", .version = at->old_version};

	if (!fits) {
		visit_problem(v, 503, "unavailable", "out of memory");
		return;
	}
	snprintf(c.name, sizeof c.name, "%s", at->old);
	snprintf(c.text, sizeof c.text, "%s", hash);
	credential_put(v, at->user, &c, password_written);
	secret_wipe(&c, sizeof c);
}

static void first_made(struct visit *v, const struct keep *rep)
{
	struct api *a = v->portal->api;

	if (visit_refused(v, rep))
		return;
	secret_wipe(a->setup, sizeof a->setup);
	unlink(a->setup_path);
	hash_it(v, NULL, chosen);
}

void login_setup(struct visit *v)
{
	const char *token = visit_field(v, "token"), *why;
	struct attempt *at = attempt(v);
	struct api *a = v->portal->api;
	struct keep req = {.op = KEEP_SET};
	char full[120];

	*at = (struct attempt){.first = true, .role = ROLE_OPERATOR_ADMIN, .real = true};
	if (!a->setup[0] || strlen(token) != LOGIN_TOKEN - 1 ||
	    !secret_eq(token, a->setup, LOGIN_TOKEN - 1)) {
		visit_problem(v, 403, "link", "this link has been used, or is none of ours");
		return;
	}
	snprintf(at->user, sizeof at->user, "%s", visit_field(v, "user"));
	why = plain_name(visit_field(v, "user"))
		  ? judge(v, visit_field(v, "password"))
		  : "user: small letters, digits, dot, dash, underscore, @";
	if (why) {
		visit_problem(v, 400, "password", why);
		return;
	}
	snprintf(at->password, sizeof at->password, "%s", visit_field(v, "password"));
	snprintf(full, sizeof full, "full_name=%.95s", visit_field(v, "full_name"));
	keep_put_text(&req, KEEP_OBJECT, VIEW("user"));
	keep_put_text(&req, KEEP_KEY, view_of(at->user));
	keep_put_text(&req, KEEP_MODE, VIEW("create"));
	req.pair[0] = VIEW("role=operator-admin");
	req.pair[1] = VIEW("state=active");
	req.pair[2] = view_of(full);
	req.pair_n = 3;
	req.has |= (uint64_t)1 << KEEP_PAIR;
	visit_keep_own(v, LANE_WRITE, &req, at->user, first_made);
}

static void invite_known(struct visit *v, struct credentials *all)
{
	const struct credential *c = credentials_find(all, CRED_INVITE),
				*old = credentials_find(all, CRED_PASSWORD);
	const char *dot = strrchr(visit_field(v, "token"), '.'), *why;
	struct attempt *at = attempt(v);

	if (!c || !dot || strlen(dot + 1) != strlen(c->text) ||
	    !secret_eq(dot + 1, c->text, strlen(c->text))) {
		throttle_failed(v->portal->api->throttle, at->user, v->q->address,
				loop_now(v->portal->loop));
		visit_problem(v, 403, "link",
			      "this link has been used, has expired, or is none of ours");
		return;
	}
	snprintf(at->invite, sizeof at->invite, "%s", c->name);
	if (old) {
		snprintf(at->old, sizeof at->old, "%s", old->name);
		at->old_version = old->version;
	}
	at->kinds = credentials_kinds(all);
	why = judge(v, visit_field(v, "password"));
	if (why) {
		visit_problem(v, 400, "password", why);
		return;
	}
	snprintf(at->password, sizeof at->password, "%s", visit_field(v, "password"));
	hash_it(v, NULL, chosen);
}

static void invited_known(struct visit *v, const struct keep *rep)
{
	struct attempt *at = attempt(v);

	at->real = account_read(rep, &at->role, at->tenant);
	if (at->real)
		credentials_get(v, at->user, invite_known);
	else
		visit_problem(v, 403, "link",
			      "this link has been used, has expired, or is none of ours");
}

/* "user.secret" */
void login_welcome(struct visit *v)
{
	const char *token = visit_field(v, "token"), *dot = strrchr(token, '.');
	struct attempt *at = attempt(v);

	*at = (struct attempt){0};
	if (dot && (size_t)(dot - token) < sizeof at->user)
		memcpy(at->user, token, (size_t)(dot - token));
	if (!plain_name(at->user) || throttle_wait_ms(v->portal->api->throttle, at->user, v->q->address,
						      loop_now(v->portal->loop)) > 0) {
		visit_problem(v, 403, "link",
			      "this link has been used, has expired, or is none of ours");
		return;
	}
	get_user(v, invited_known);
}

void login_out(struct visit *v)
{
	if (!v->login && !visit_login(v))
		return;
	visit_note(v, v->who.user, "signed out", "");
	login_end(v->login);
	v->login = NULL;
	visit_cookie(v, NULL);
	visit_answer(v, &(struct web_answer){.status = 204,
					     .header = {{"Clear-Site-Data", "\"cache\", \"storage\""}}});
}
