/* One edit: read, change, judge, write, and tell the feed and the journal, in the caller's
 * transaction. */
#include "records/store_in.h"

#include "base/log.h"

#include <stdio.h>

#define APPROVAL_MS (24 * 3600 * 1000ULL)
#define REQUEST_MAX 8192
#define DETAIL_MAX  16384

static const char *const mode_names[] = {
	[EDIT_SET] = "set", [EDIT_CREATE] = "create", [EDIT_CHANGE] = "change", [EDIT_DELETE] = "delete",
};

static bool secret(struct view name)
{
	return view_eq(name, VIEW("k")) || view_eq(name, VIEW("op")) || view_eq(name, VIEW("opc")) ||
	       view_eq(name, VIEW("topc"));
}

static enum err apply(struct row *r, struct view pair, struct view key, struct say *s)
{
	const uint8_t *is = pair.n > 0 ? memchr(pair.p, '=', pair.n) : NULL;
	struct view name = is ? view_first(pair, (size_t)(is - pair.p)) : pair, value;
	int c = model_column(r->object, name);

	if (is && secret(name)) {
		say(s, "%.*s: keys never enter the records; they go to the vault", (int)name.n,
		    (const char *)name.p);
		return ERR_REFUSED;
	}
	if (!is || c < 0) {
		say(s, "%.*s: no such field of %s", (int)(name.n < 60 ? name.n : 60),
		    (const char *)name.p, model_objects[r->object].name);
		return ERR_VALUE;
	}
	if (model_columns[model_objects[r->object].first + (unsigned int)c].flags & (F_BY | F_LAST | F_AT)) {
		say(s, "%.*s: is filled in by the keeper alone", (int)name.n, (const char *)name.p);
		return ERR_REFUSED;
	}
	value = (struct view){ is + 1, pair.n - name.n - 1 };
	if (c == 0 && key.n > 0 && r->id && !view_eq(value, key)) {
		say(s, "%.*s: the key of a record does not change", (int)name.n, (const char *)name.p);
		return ERR_REFUSED;
	}
	return row_set(r, (unsigned int)c, value, s);
}

/* The record as it is and as it shall be. ERR_NOT_FOUND, ERR_EXISTS by the mode. */
static enum err prepare(struct store *st, const struct edit *e, struct row *old, struct row *new,
			struct say *s)
{
	enum err err;

	memcpy(new, &st->blank[e->object], offsetof(struct row, room)); /* its texts are all empty */
	err = row_set(new, 0, e->key, s); /* in its canonical form: an IMEI without its last digit */
	if (!err && e->mode == EDIT_CREATE && e->object == OBJ_SUBSCRIPTION)
		err = ERR_NOT_FOUND; /* that there is none yet, the table itself makes sure of */
	else if (!err)
		err = store_find(st, e->object, row_key(new), old);
	if (err == ERR_NOT_FOUND) {
		old->id = 0;
		if (e->mode == EDIT_SET || e->mode == EDIT_CREATE)
			return ERR_OK;
		say(s, "%s: there is none of that key", model_objects[e->object].name);
	} else if (!err && e->mode == EDIT_CREATE) {
		say(s, "%s: exists already (R-3.1.a)", model_columns[model_objects[e->object].first].name);
		return ERR_EXISTS;
	} else if (!err && old->tampered && e->mode != EDIT_DELETE) {
		store_tampered(old);
		say(s, "%s: was changed behind Merlon's back; delete it and make it anew (R-3.1.c)",
		    model_objects[e->object].name);
		return ERR_CORRUPT;
	}
	return err;
}

static void put_cell(struct wr *w, const struct row *r, unsigned int c)
{
	uint8_t room[ROW_ROOM];
	struct wr text = { .p = room, .cap = sizeof room };

	if (model_columns[model_objects[r->object].first + c].flags & F_HIDE) {
		json_text(w, VIEW("(hidden)"));
		return;
	}
	row_text(&text, r, c);
	json_text(w, wr_done(&text));
}

static bool cell_eq(const struct row *a, const struct row *b, unsigned int c)
{
	return a->cell[c].num == b->cell[c].num && view_eq(a->cell[c].text, b->cell[c].text);
}

static bool is_default(const struct store *st, const struct row *r, unsigned int c)
{
	return cell_eq(r, &st->blank[r->object], c) &&
	       !(model_columns[model_objects[r->object].first + c].flags & F_NEED);
}

static bool same(const struct row *old, const struct row *new)
{
	for (unsigned int c = 0; c < model_n(new->object); c++) {
		if (!cell_eq(old, new, c))
			return false;
	}
	return true;
}

/* What changed, as JSON: {"life":["active","suspended"]}. Of a record that is made or
 * deleted, what must be given and what is not as it is by default. */
static void detail(struct store *st, struct wr *w, const struct row *old, const struct row *new,
		   const struct who *who)
{
	enum object o = new ? new->object : old->object;
	char head[64];

	wr_view(w, VIEW("{"));
	if (who->approval || st->job) {
		snprintf(head, sizeof head, "\"%s\":%llu", st->job ? "job" : "approval",
			 (unsigned long long)(st->job ? st->job : who->approval));
		wr_view(w, view_of(head));
	}
	for (unsigned int c = 0; c < model_n(o); c++) {
		if (old && new ? cell_eq(old, new, c) : is_default(st, old ? old : new, c))
			continue;
		if (w->n > 1)
			wr_view(w, VIEW(","));
		json_text(w, view_of(model_columns[model_objects[o].first + c].name));
		wr_view(w, VIEW(":["));
		if (old)
			put_cell(w, old, c);
		wr_view(w, old && new ? VIEW(",") : VIEW(""));
		if (new)
			put_cell(w, new, c);
		wr_view(w, VIEW("]"));
	}
	wr_view(w, VIEW("}"));
}

static void approval_mac(const struct store *st, struct view actor, struct view request,
			 uint64_t until_ms, uint8_t mac[MAC_BYTES])
{
	uint8_t in[REQUEST_MAX + 512];
	struct wr w = { .p = in, .cap = sizeof in };

	wr_view(&w, VIEW("approval"));
	wr_be(&w, until_ms, 8);
	wr_be(&w, actor.n, 8);
	wr_view(&w, actor);
	wr_view(&w, request);
	crypto_auth_hmacsha256(mac, in, w.n, st->key);
}

/* The edit as text, a line each: object, mode, key, pairs. Values hold no line ends: they have
 * been read. */
static void request_text(struct wr *w, const struct edit *e)
{
	wr_view(w, view_of(model_objects[e->object].name));
	wr_view(w, VIEW("\n"));
	wr_view(w, view_of(mode_names[e->mode]));
	wr_view(w, VIEW("\n"));
	wr_view(w, e->key);
	for (size_t i = 0; i < e->pair_n; i++) {
		wr_view(w, VIEW("\n"));
		wr_view(w, e->pair[i]);
	}
}

/* That it was asked for stands in the journal, whatever becomes of it. */
static enum err journal_ask(struct store *st, const struct who *who, const struct edit *e,
			    uint64_t approval, const struct say *reason)
{
	uint8_t room[512];
	struct wr w = { .p = room, .cap = sizeof room };
	struct entry entry = { who->actor, VIEW("ask"), view_of(model_objects[e->object].name),
			       e->key, { 0 }, who->now_ms };
	char head[64];

	snprintf(head, sizeof head, "{\"approval\":%llu,\"reason\":", (unsigned long long)approval);
	wr_view(&w, view_of(head));
	json_text(&w, view_of(reason->text));
	wr_view(&w, VIEW("}"));
	entry.detail = w.err ? VIEW("{}") : wr_done(&w);
	return store_journal_add(st, &entry);
}

static enum err ask(struct store *st, const struct who *who, const struct edit *e,
		    struct view request, uint64_t *approval, struct say *s)
{
	sqlite3_stmt *q = store_prepare(st, "INSERT INTO approval (at_ms, until_ms, actor, request, "
					    "reason, mac) VALUES (?, ?, ?, ?, ?, ?)");
	struct say reason = *s;
	uint8_t mac[MAC_BYTES];
	int rc = SQLITE_ERROR;

	if (q) {
		approval_mac(st, who->actor, request, who->now_ms + APPROVAL_MS, mac);
		sqlite3_bind_int64(q, 1, (int64_t)who->now_ms);
		sqlite3_bind_int64(q, 2, (int64_t)(who->now_ms + APPROVAL_MS));
		sqlite3_bind_text(q, 3, (const char *)who->actor.p, (int)who->actor.n, SQLITE_STATIC);
		sqlite3_bind_blob(q, 4, request.p, (int)request.n, SQLITE_STATIC);
		sqlite3_bind_text(q, 5, reason.text, -1, SQLITE_STATIC);
		sqlite3_bind_blob(q, 6, mac, MAC_BYTES, SQLITE_STATIC);
		rc = sqlite3_step(q);
	}
	sqlite3_finalize(q);
	if (rc != SQLITE_DONE)
		return ERR_IO;
	*approval = (uint64_t)sqlite3_last_insert_rowid(st->db);
	if (journal_ask(st, who, e, *approval, &reason))
		return ERR_IO;
	say(s, "%.180s needs a second person: approval %llu", reason.text,
	    (unsigned long long)*approval);
	LOG(LOG_NOTE, "records.approval_asked", KV("approval", *approval), KV("actor", who->actor),
	    KV("reason", (const char *)reason.text), KV_CLAUSE("R-5.1.f"));
	return ERR_APPROVAL;
}

struct pending {
	char actor[128];
	uint8_t request[REQUEST_MAX];
	size_t request_n;
};

/* The pending request of that number, if it still waits and is whole. */
static enum err pending_get(struct store *st, const struct who *who, struct pending *p, struct say *s)
{
	sqlite3_stmt *q = store_prepare(st, "SELECT actor, request, until_ms, mac FROM approval "
					    "WHERE id = ? AND approver IS NULL");
	enum err err = ERR_NOT_FOUND;
	uint8_t mac[MAC_BYTES];

	say(s, "approval %llu: there is none that waits", (unsigned long long)who->approval);
	if (q)
		sqlite3_bind_int64(q, 1, (int64_t)who->approval);
	if (q && sqlite3_step(q) == SQLITE_ROW && sqlite3_column_bytes(q, 1) <= REQUEST_MAX &&
	    sqlite3_column_bytes(q, 3) == MAC_BYTES) {
		struct view actor = view_of((const char *)sqlite3_column_text(q, 0));
		uint64_t until = (uint64_t)sqlite3_column_int64(q, 2);

		p->request_n = (size_t)sqlite3_column_bytes(q, 1);
		if (p->request_n > 0)
			memcpy(p->request, sqlite3_column_blob(q, 1), p->request_n);
		approval_mac(st, actor, (struct view){ p->request, p->request_n }, until, mac);
		err = !view_text(actor, p->actor, sizeof p->actor) ||
		      sodium_memcmp(mac, sqlite3_column_blob(q, 3), MAC_BYTES) != 0 ? ERR_CORRUPT :
		      until < who->now_ms ? ERR_NOT_FOUND : ERR_OK;
	}
	sqlite3_finalize(q);
	return err;
}

/* The second person: another than who asked, for the very same request (R-5.1.f). */
static enum err second_person(struct store *st, const struct who *who, struct view request, struct say *s)
{
	struct pending p;
	enum err err = pending_get(st, who, &p, s);
	sqlite3_stmt *q;

	if (err)
		return err;
	if (!view_eq((struct view){ p.request, p.request_n }, request)) {
		say(s, "approval %llu: is for another request", (unsigned long long)who->approval);
		return ERR_REFUSED;
	}
	if (view_eq_case(view_of(p.actor), who->actor)) {
		say(s, "approval %llu: must come from another person than %.80s (R-5.1.f)",
		    (unsigned long long)who->approval, p.actor);
		return ERR_REFUSED;
	}
	q = store_prepare(st, "UPDATE approval SET approver = ? WHERE id = ?");
	if (!q)
		return ERR_IO;
	sqlite3_bind_text(q, 1, (const char *)who->actor.p, (int)who->actor.n, SQLITE_STATIC);
	sqlite3_bind_int64(q, 2, (int64_t)who->approval);
	err = sqlite3_step(q) == SQLITE_DONE ? ERR_OK : ERR_IO;
	sqlite3_finalize(q);
	return err;
}

static enum err four_eyes(struct store *st, const struct who *who, const struct edit *e,
			  uint64_t *approval, struct say *s)
{
	uint8_t room[REQUEST_MAX];
	struct wr w = { .p = room, .cap = sizeof room };
	struct say reason = *s;

	if (st->agreed || (st->job && st->job_approved))
		return ERR_OK; /* the second person agreed to what this is a part of */
	if (st->job) {
		say(s, "%.180s needs a second person, and the job has none", reason.text);
		return ERR_REFUSED;
	}
	request_text(&w, e);
	if (w.err || who->actor.n == 0 || who->actor.n > 127) {
		say(s, "request too long for an approval, or from nobody");
		return ERR_LENGTH;
	}
	return who->approval ? second_person(st, who, wr_done(&w), s) :
	       ask(st, who, e, wr_done(&w), approval, s);
}

/* Write it, tell the feed, tell the journal. An error in between is for the caller's rollback. */
static enum err carry_out(struct store *st, const struct who *who, const struct edit *e,
			  const struct row *old, struct row *new, struct say *s)
{
	static _Thread_local uint8_t room[DETAIL_MAX];
	struct wr w = { .p = room, .cap = sizeof room };
	struct entry entry = { who->actor, view_of(mode_names[e->mode]),
			       view_of(model_objects[e->object].name),
			       row_key(new ? new : old), { 0 }, who->now_ms };
	enum err err;

	detail(st, &w, old, new, who);
	entry.detail = w.err ? VIEW("{}") : wr_done(&w);
	if (!new)
		err = store_remove(st, old, s);
	else if (old)
		err = store_update(st, old, new, s);
	else
		err = store_insert(st, new, s);
	if (err)
		return err;
	quota_changed(st, old, new);
	err = store_change_add(st, old, new);
	if (!err && e->object == OBJ_HOLD)
		err = hold_apply(st, who, old, new, s);
	if (!err)
		err = store_journal_add(st, &entry);
	if (err) {
		say(s, "records: %.200s", sqlite3_errmsg(st->db));
		return ERR_IO;
	}
	return care_apply(st, who, old, new, s);
}

static bool says_partition(const struct edit *e)
{
	const struct view name = VIEW("partition=");

	for (size_t i = 0; i < e->pair_n; i++) {
		if (e->pair[i].n > name.n && view_eq(view_first(e->pair[i], name.n), name))
			return true;
	}
	return false;
}

/* The step that an edit asks for, as far as the rules of the record's own fields: from what it is to what it
 * shall be. `was` or `is` NULL: it is made, or deleted. */
struct step {
	struct row old, new, *was, *is;
};

static enum err form(struct store *st, const struct who *who, const struct edit *e, struct step *x,
		     struct say *s)
{
	enum err err = prepare(st, e, &x->old, &x->new, s);

	if (!err)
		err = scope_before(st, who, e, x->old.id ? &x->old : NULL, s);
	if (err)
		return err;
	x->was = x->old.id ? &x->old : NULL;
	x->is = e->mode == EDIT_DELETE ? NULL : &x->new;
	if (x->is && x->was)
		x->new = x->old; /* cells keep pointing into old.room, which outlives them */
	for (size_t i = 0; x->is && i < e->pair_n && !err; i++)
		err = apply(x->is, e->pair[i], row_key(x->is), s);
	if (!err && x->is && !x->was && e->object == OBJ_SUBSCRIPTION && !says_partition(e))
		err = batch_join(st, x->is, s);
	if (!err && x->is && !x->was)
		err = row_complete(x->is, s);
	if (!err && x->is && !scope_has(st, who->tenant, x->is)) {
		say(s, "tenant: not another's");
		err = ERR_REFUSED;
	}
	return err;
}

static enum err judge(struct store *st, const struct who *who, const struct step *x, struct say *s)
{
	enum err err = rule_judge(st, x->was, x->is, s);

	if (!err)
		err = care_judge(st, who, x->was, x->is, s);
	return err || !x->is ? err : quota_judge(st, x->was, x->is, s);
}

enum err store_edit(struct store *st, const struct who *who, const struct edit *e, uint64_t *approval,
		    struct say *s)
{
	struct step x;
	enum err err = form(st, who, e, &x, s);

	*approval = 0;
	if (err)
		return err;
	if (x.was && x.is && same(x.was, x.is))
		return ERR_OK; /* nothing changes: nothing to ask, nothing to tell */
	if (x.is)
		care_sign(who, x.was, x.is);
	err = judge(st, who, &x, s);
	if (!err && rule_four_eyes(st, x.was, x.is, who->now_ms, s))
		err = four_eyes(st, who, e, approval, s);
	return err ? err : carry_out(st, who, e, x.was, x.is, s);
}

enum err store_try(struct store *st, const struct who *who, const struct edit *e,
		   void (*look)(void *ctx, const struct trial *t), void *ctx, struct say *s)
{
	struct trial t = { 0 };
	struct step x;
	enum err err = form(st, who, e, &x, s);

	if (err)
		return err;
	t.was = x.was;
	t.is = x.is;
	t.same = x.was && x.is && same(x.was, x.is);
	err = t.same ? ERR_OK : judge(st, who, &x, s);
	if (err)
		return err;
	t.second = !t.same && rule_four_eyes(st, x.was, x.is, who->now_ms, s);
	look(ctx, &t);
	return ERR_OK;
}

struct view request_line(struct view *left)
{
	struct view v;
	size_t n = 0;

	while (n < left->n && left->p[n] != '\n')
		n++;
	v = view_first(*left, n);
	n += n < left->n;
	*left = (struct view){ left->p + n, left->n - n };
	return v;
}

enum err store_approve(struct store *st, const struct who *who, struct say *s)
{
	struct view pair[EDIT_PAIRS], left, mode;
	struct edit e = { .pair = pair, .mode = EDIT_SET };
	struct pending p;
	uint64_t another;
	enum err err = pending_get(st, who, &p, s);

	if (err)
		return err;
	left = (struct view){ p.request, p.request_n };
	e.object = model_object(request_line(&left));
	mode = request_line(&left);
	while (e.mode < EDIT_DELETE && !view_eq(mode, view_of(mode_names[e.mode])))
		e.mode++;
	e.key = request_line(&left);
	while (left.n > 0 && e.pair_n < EDIT_PAIRS)
		pair[e.pair_n++] = request_line(&left);
	if (e.object == OBJ_N)
		return ERR_CORRUPT;
	return store_edit(st, who, &e, &another, s);
}
