/* Requests of the socket, one function each. */
#include "keeper/keeper_in.h"

#include "base/log.h"
#include "base/metric.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

uint64_t keeper_wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void publish(struct ask *a)
{
	char why[256];

	/* A failure is logged and tried again every second: the records are safe, the copy is
	 * late. */
	if (keeper_publish(a->k, why))
		LOG(LOG_ERROR, "keeper.late", KV("error", (const char *)why));
	keep_put_num(a->rep, KEEP_FEED, serving_feed(a->k->serving));
}

static enum edit_mode mode_of(const struct keep *req, enum edit_mode otherwise)
{
	struct view mode = req->text[KEEP_MODE];

	return view_eq(mode, VIEW("create")) ? EDIT_CREATE : view_eq(mode, VIEW("change")) ?
	       EDIT_CHANGE : view_eq(mode, VIEW("set")) ? EDIT_SET : otherwise;
}

static enum err edit(struct ask *a, const struct edit *e)
{
	uint64_t approval = 0;
	enum err err = store_begin(a->k->store), committed;

	if (err)
		return err;
	err = store_edit(a->k->store, &a->who, e, &approval, a->say);
	if (err && err != ERR_APPROVAL) {
		store_rollback(a->k->store);
		return err;
	}
	committed = store_commit(a->k->store);
	if (committed)
		return committed;
	if (err == ERR_APPROVAL)
		keep_put_num(a->rep, KEEP_APPROVAL, approval);
	publish(a);
	return err;
}

static enum err do_set(struct ask *a)
{
	struct edit e = { a->object, mode_of(a->req, EDIT_SET), a->req->text[KEEP_KEY], a->req->pair,
			  a->req->pair_n, a->req->num[KEEP_VERSION] };

	return edit(a, &e);
}

static enum err do_delete(struct ask *a)
{
	struct edit e = { a->object, EDIT_DELETE, a->req->text[KEEP_KEY], NULL, 0,
			  a->req->num[KEEP_VERSION] };

	return edit(a, &e);
}

static enum err do_confirm(struct ask *a)
{
	enum err err = store_begin(a->k->store);

	if (err)
		return err;
	err = store_approve(a->k->store, &a->who, a->say);
	if (err) {
		store_rollback(a->k->store);
		return err;
	}
	err = store_commit(a->k->store);
	if (!err)
		publish(a);
	return err;
}

static void bad_line(void *ctx, uint64_t line, const char *reason)
{
	struct wr *w = ctx;
	char text[SAY_MAX + 32];

	snprintf(text, sizeof text, "%llu\t%s\n", (unsigned long long)line, reason);
	wr_view(w, view_of(text));
}

static bool too_many_lines(struct view v)
{
	size_t n = 0;

	for (size_t i = 0; i < v.n; i++)
		n += v.p[i] == '\n';
	return n > KEEP_ROWS_MAX;
}

/* One block, one commit. Bad rows are told and leave nothing; a failure of the store undoes the
 * block. */
static enum err do_import(struct ask *a)
{
	struct import in = { .object = a->object, .mode = mode_of(a->req, EDIT_CREATE),
			     .header = a->req->text[KEEP_HEADER], .lines = a->req->text[KEEP_LINES],
			     .line = keep_has(a->req, KEEP_LINE) ? a->req->num[KEEP_LINE] : 2,
			     .fixed = a->req->pair, .fixed_n = a->req->pair_n, .bad = bad_line,
			     .ctx = a->bad };
	enum err err = too_many_lines(in.lines) ? ERR_FULL : store_begin(a->k->store);

	if (err)
		return err;
	err = store_import(a->k->store, &a->who, &in, a->say);
	if (!err && a->bad->err)
		err = a->bad->err; /* cannot be told: so not done either */
	if (err) {
		store_rollback(a->k->store);
		return err;
	}
	err = store_commit(a->k->store);
	if (err)
		return err;
	keep_put_num(a->rep, KEEP_DONE, in.done);
	keep_put_num(a->rep, KEEP_REFUSED, in.refused);
	publish(a);
	return ERR_OK;
}

static enum err do_get(struct ask *a)
{
	const struct reader as = { a->who.tenant, view_eq(a->req->text[KEEP_MODE], VIEW("secret")) };

	return store_get(a->k->store, a->object, a->req->text[KEEP_KEY], &as, a->body, a->say);
}

static enum err list(struct ask *a, bool csv)
{
	struct page p = { .object = a->object, .after = a->req->text[KEEP_AFTER],
			  .sort = a->req->text[KEEP_SORT], .find = a->req->text[KEEP_FIND],
			  .tenant = a->who.tenant, .hidden = view_eq(a->req->text[KEEP_MODE], VIEW("secret")),
			  .filter = a->req->pair, .filter_n = a->req->pair_n, .max = 1000, .csv = csv };
	enum err err;

	if (keep_has(a->req, KEEP_MOST) && a->req->num[KEEP_MOST] > 0 &&
	    a->req->num[KEEP_MOST] < KEEP_ROWS_MAX)
		p.max = (size_t)a->req->num[KEEP_MOST];
	if (csv && !keep_has(a->req, KEEP_AFTER))
		store_csv_header(a->object, a->body);
	err = store_list(a->k->store, &p, a->body, a->say);
	memcpy(a->next, p.next, sizeof a->next);
	keep_put_text(a->rep, KEEP_NEXT, view_of(a->next));
	keep_put_num(a->rep, KEEP_DONE, p.n);
	return err;
}

static enum err do_list(struct ask *a)
{
	return list(a, view_eq(a->req->text[KEEP_MODE], VIEW("csv")));
}

static enum err do_export(struct ask *a)
{
	return list(a, true);
}

static bool name_ok(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		uint8_t c = v.p[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    (i == 0 || (c != '-' && c != '_' && c != '.')))
			return false;
	}
	return v.n > 0;
}

/* Into data_dir/backup/NAME. The serving copy is derived and not kept; the vault and the
 * registrations are home's, which the caller asks itself. */
static enum err do_backup(struct ask *a)
{
	char path[4096], name[KEEP_HEAD + 64];
	enum err err;

	if (!name_ok(a->req->text[KEEP_NAME]) ||
	    !view_text(a->req->text[KEEP_NAME], name, sizeof name)) {
		say(a->say, "name: letters, digits, dash, dot and underscore only");
		return ERR_VALUE;
	}
	snprintf(path, sizeof path, "%s/backup", a->k->dir);
	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		say(a->say, "%.200s: %s", path, strerror(errno));
		return ERR_IO;
	}
	snprintf(path, sizeof path, "%s/backup/%s", a->k->dir, name);
	err = store_backup(a->k->store, path, a->say);
	if (err)
		return err;
	wr_view(a->body, VIEW("{\"path\":"));
	json_text(a->body, view_of(path));
	wr_view(a->body, VIEW(",\"files\":[\"records.db\",\"keeper.key\",\"journal.head\"],"
			       "\"derived\":[\"serving\"],\"of_home\":[\"vault\",\"registrations\"]}"));
	LOG(LOG_NOTE, "keeper.backup", KV("path", (const char *)path), KV("actor", a->who.actor));
	return ERR_OK;
}

static void put(struct wr *w, const char *before, uint64_t num)
{
	char text[128];

	snprintf(text, sizeof text, "%s%llu", before, (unsigned long long)num);
	wr_view(w, view_of(text));
}

static enum err do_state(struct ask *a)
{
	struct store_status st;
	char hex[3];

	store_status(a->k->store, &st);
	put(a->body, "{\"feed\":", st.feed);
	put(a->body, ",\"published\":", serving_feed(a->k->serving));
	put(a->body, ",\"oldest_change\":", st.oldest);
	put(a->body, ",\"malformed\":", a->k->malformed);
	wr_view(a->body, VIEW(",\"records\":{"));
	for (enum object o = 0; o < OBJ_N; o++) {
		wr_view(a->body, o > 0 ? VIEW(",") : VIEW(""));
		json_text(a->body, view_of(model_objects[o].name));
		put(a->body, ":", st.n[o]);
	}
	put(a->body, "},\"journal\":{\"seq\":", st.journal_seq);
	wr_view(a->body, VIEW(",\"head\":\""));
	for (size_t i = 0; i < sizeof st.journal_head; i++) {
		snprintf(hex, sizeof hex, "%02x", st.journal_head[i]);
		wr_view(a->body, view_of(hex));
	}
	wr_view(a->body, VIEW("\"}}"));
	keep_put_num(a->rep, KEEP_FEED, st.feed);
	return a->body->err;
}

static enum err do_verify(struct ask *a)
{
	struct store_verdict v;
	enum err err = store_verify(a->k->store, &v);

	if (err)
		return err;
	metric_add(M_RECORDS_TAMPERED, 0, v.tampered);
	put(a->body, "{\"rows\":", v.rows);
	put(a->body, ",\"tampered\":", v.tampered);
	put(a->body, ",\"tables_unsealed\":", v.tables);
	put(a->body, ",\"journal\":", v.journal_n);
	put(a->body, ",\"journal_bad\":", v.journal_bad);
	wr_view(a->body, v.head_ok ? VIEW(",\"head_ok\":true") : VIEW(",\"head_ok\":false"));
	wr_view(a->body, VIEW(",\"first\":"));
	json_text(a->body, view_of(v.first));
	wr_view(a->body, VIEW(",\"clause\":\"R-3.1.c\"}"));
	if (v.tampered == 0 && v.tables == 0 && v.journal_bad == 0 && v.head_ok)
		return ERR_OK;
	say(a->say, "%s", v.first);
	return ERR_CORRUPT;
}

static enum err do_journal(struct ask *a)
{
	const struct story of = { a->object, a->req->text[KEEP_KEY] };
	const struct reader as = { a->who.tenant, false };
	struct wr nothing = { 0 };
	char text[32] = "0";
	uint64_t last = 0, most = 1000;
	enum err err;

	if (a->who.tenant.n > 0 && of.key.n == 0)
		return ERR_REFUSED; /* the journal as a whole is the operator's */
	if (of.key.n > 0 && !keep_has(a->req, KEEP_OBJECT))
		return ERR_MISSING;
	if (a->who.tenant.n > 0 &&
	    store_get(a->k->store, of.object, of.key, &as, &nothing, a->say) == ERR_NOT_FOUND)
		return ERR_NOT_FOUND;

	if (keep_has(a->req, KEEP_AFTER) && !view_text(a->req->text[KEEP_AFTER], text, sizeof text))
		return ERR_VALUE;
	if (keep_has(a->req, KEEP_MOST) && a->req->num[KEEP_MOST] < KEEP_ROWS_MAX)
		most = a->req->num[KEEP_MOST];
	err = store_journal(a->k->store, &of, strtoull(text, NULL, 10), (size_t)most, a->body, &last);
	snprintf(a->next, sizeof a->next, "%llu", (unsigned long long)last);
	keep_put_text(a->rep, KEEP_NEXT, view_of(a->next));
	return err;
}

static enum err do_pending(struct ask *a)
{
	return store_approvals(a->k->store, a->who.now_ms, a->who.tenant, a->body);
}

static enum err do_model(struct ask *a)
{
	if (keep_has(a->req, KEEP_OBJECT)) {
		model_json(a->body, a->object);
		return a->body->err;
	}
	for (enum object o = 0; o < OBJ_N; o++) {
		wr_view(a->body, o > 0 ? VIEW(",\n") : VIEW("["));
		model_json(a->body, o);
	}
	wr_view(a->body, VIEW("]"));
	return a->body->err;
}

/* KEEP_KEY was seen in the device KEEP_NAME: a case, if its profile wants one. */
static enum err do_hold(struct ask *a)
{
	enum err err = store_begin(a->k->store);

	if (err)
		return err;
	err = store_hold(a->k->store, &a->who, a->req->text[KEEP_KEY], a->req->text[KEEP_NAME], a->say);
	if (err) {
		store_rollback(a->k->store);
		return err;
	}
	err = store_commit(a->k->store);
	if (!err)
		publish(a);
	return err;
}

static enum err do_lists(struct ask *a)
{
	return keeper_lists_answer(a->k, a);
}

static enum err (*const handlers[])(struct ask *a) = {
	[KEEP_GET] = do_get, [KEEP_LIST] = do_list, [KEEP_SET] = do_set, [KEEP_DELETE] = do_delete,
	[KEEP_IMPORT] = do_import, [KEEP_EXPORT] = do_export, [KEEP_BACKUP] = do_backup,
	[KEEP_STATE] = do_state, [KEEP_CONFIRM] = do_confirm, [KEEP_VERIFY] = do_verify,
	[KEEP_JOURNAL] = do_journal, [KEEP_PENDING] = do_pending, [KEEP_MODEL] = do_model,
	[KEEP_LISTS] = do_lists, [KEEP_NOTE] = keeper_note, [KEEP_HOLD] = do_hold,
	[KEEP_NARROW] = keeper_narrow, [KEEP_JOB] = keeper_bulk, [KEEP_DUTIES] = keeper_duties,
	[KEEP_MAY] = keeper_may,
};

/* Who asks: the socket says which user; only the portal's user is believed who its person is. */
static enum err who_asks(struct ask *a, const char *user)
{
	struct view actor = a->req->text[KEEP_ACTOR];

	a->who = (struct who){ view_of(user), a->req->num[KEEP_APPROVE], keeper_wall_ms(),
			       a->req->text[KEEP_TENANT] };
	if (actor.n == 0 || view_eq(actor, a->who.actor))
		return ERR_OK;
	if (strcmp(user, KEEPER_API) != 0 &&
	    (!a->k->portal_user[0] || strcmp(user, a->k->portal_user) != 0)) {
		say(a->say, "actor: user %s may not speak for others", user);
		return ERR_REFUSED;
	}
	for (size_t i = 0; i < actor.n; i++) {
		if (actor.p[i] < 0x21 || actor.p[i] == 0x7f)
			return ERR_VALUE;
	}
	a->who.actor = actor;
	return ERR_OK;
}

static enum err answer(struct ask *a, const char *user)
{
	enum err err = who_asks(a, user);

	if (err)
		return err;
	if (!keeper_allows(user, a->req)) {
		say(a->say, "%s: not what this connection is for", keep_op_name(a->req->op));
		return ERR_REFUSED;
	}
	if (keep_has(a->req, KEEP_OBJECT)) {
		a->object = model_object(a->req->text[KEEP_OBJECT]);
		if (a->object == OBJ_N) {
			say(a->say, "%.*s: no such object", (int)a->req->text[KEEP_OBJECT].n,
			    (const char *)a->req->text[KEEP_OBJECT].p);
			return ERR_NOT_FOUND;
		}
	}
	return handlers[a->req->op](a);
}

void keeper_answer(struct keeper *k, const char *user, const struct keep *req, struct wr *out)
{
	struct keep rep = { .op = req->op, .reply = true, .id = req->id };
	struct wr body = { .p = k->body, .cap = KEEP_BODY_MAX };
	struct wr bad = { .p = k->bad, .cap = KEEP_BODY_MAX };
	struct say said = { 0 };
	struct ask a = { .k = k, .req = req, .rep = &rep, .say = &said, .body = &body, .bad = &bad };
	enum err err = answer(&a, user);

	metric_add(M_KEEPER_REQUESTS, (unsigned int)req->op, 1);
	keep_put_num(&rep, KEEP_STATUS, err);
	if (err)
		keep_put_text(&rep, KEEP_REASON, view_of(said.text[0] ? said.text : err_text(err)));
	keep_put_text(&rep, KEEP_BODY, wr_done(&body));
	keep_put_text(&rep, KEEP_BAD, wr_done(&bad));
	keep_emit(out, &rep);
}
