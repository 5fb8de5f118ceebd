/* Is all as Merlon wrote it? And a copy of it while it is in use. */
#include "records/store_in.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void found(struct store_verdict *to, const char *what, const char *where, uint64_t id)
{
	if (!to->first[0])
		snprintf(to->first, sizeof to->first, "%s: %s %llu", where, what, (unsigned long long)id);
}

static enum err verify_table(struct store *st, enum object o, struct store_verdict *to)
{
	sqlite3_stmt *q = st->row[o][ST_AFTER];
	uint8_t sum[MAC_BYTES] = { 0 };
	uint64_t n = 0;
	struct row r;
	int rc;

	sqlite3_bind_int64(q, 1, 0);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		store_take_row(st, q, o, &r);
		for (size_t i = 0; i < MAC_BYTES; i++)
			sum[i] ^= r.mac[i];
		n++;
		if (!r.tampered)
			continue;
		store_tampered(&r);
		to->tampered++;
		found(to, "changed behind Merlon's back: number", model_objects[o].name, (uint64_t)r.id);
	}
	sqlite3_reset(q);
	if (rc != SQLITE_DONE)
		return ERR_IO;
	to->rows += n;
	if (n == st->seal[o].n && memcmp(sum, st->seal[o].sum, MAC_BYTES) == 0)
		return ERR_OK;
	to->tables++;
	found(to, "rows were added, removed or put back; now", model_objects[o].name, n);
	LOG(LOG_ERROR, "records.tampered", KV("object", model_objects[o].name), KV("rows", n),
	    KV("sealed", st->seal[o].n), KV_CLAUSE("R-3.1.c"));
	return ERR_OK;
}

bool store_head_ok(struct store *st)
{
	sqlite3_stmt *q = store_prepare(st, "SELECT hash FROM journal WHERE seq = ?");
	uint8_t head[HASH_BYTES];
	uint64_t seq = 0;
	bool ok = st->journal_seq == 0;

	if (q && store_anchor_read(st, &seq, head)) {
		sqlite3_bind_int64(q, 1, (int64_t)seq);
		ok = sqlite3_step(q) == SQLITE_ROW && sqlite3_column_bytes(q, 0) == HASH_BYTES &&
		     memcmp(head, sqlite3_column_blob(q, 0), HASH_BYTES) == 0;
	}
	sqlite3_finalize(q);
	return ok;
}

static struct view text_at(sqlite3_stmt *q, int at)
{
	return (struct view){ sqlite3_column_text(q, at), (size_t)sqlite3_column_bytes(q, at) };
}

static enum err verify_journal(struct store *st, struct store_verdict *to)
{
	sqlite3_stmt *q = store_prepare(st, "SELECT seq, at_ms, actor, action, object, key, detail, hash "
					    "FROM journal ORDER BY seq");
	uint8_t head[HASH_BYTES] = { 0 };
	int rc = SQLITE_ERROR;

	if (!st->reader)
		st->anchor = store_anchor_read(st, &st->anchor_seq, st->anchor_head);
	to->head_ok = st->journal_seq == 0 && !st->anchor;
	while (q && (rc = sqlite3_step(q)) == SQLITE_ROW) {
		struct entry e = { text_at(q, 2), text_at(q, 3), text_at(q, 4), text_at(q, 5),
				   text_at(q, 6), (uint64_t)sqlite3_column_int64(q, 1) };
		uint64_t seq = (uint64_t)sqlite3_column_int64(q, 0);

		if (!store_journal_hash(st, head, ++to->journal_n, &e, head) &&
		    seq == to->journal_n && sqlite3_column_bytes(q, 7) == HASH_BYTES &&
		    memcmp(head, sqlite3_column_blob(q, 7), HASH_BYTES) == 0) {
			if (st->anchor && seq == st->anchor_seq &&
			    memcmp(head, st->anchor_head, HASH_BYTES) == 0)
				to->head_ok = true;
			continue;
		}
		to->journal_bad = to->journal_n;
		found(to, "the chain breaks at entry", "journal", to->journal_n);
		break;
	}
	sqlite3_finalize(q);
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		return ERR_IO;
	if (!to->head_ok)
		found(to, "its end does not fit journal.head; entries", "journal", to->journal_n);
	if (to->journal_bad || !to->head_ok)
		LOG(LOG_ERROR, "records.journal_broken", KV("entry", to->journal_bad),
		    KV_CLAUSE("R-3.1.c"));
	return ERR_OK;
}

enum err store_verify(struct store *st, struct store_verdict *to)
{
	enum err err = ERR_OK;

	*to = (struct store_verdict){ 0 };
	for (enum object o = 0; o < OBJ_N && !err; o++)
		err = verify_table(st, o, to);
	return err ? err : verify_journal(st, to);
}

size_t store_sweep(struct store *st, struct sweep *at, size_t max)
{
	sqlite3_stmt *q = st->row[at->object][ST_AFTER];
	size_t n = 0, bad = 0;
	struct row r;

	sqlite3_bind_int64(q, 1, at->after);
	while (n < max && sqlite3_step(q) == SQLITE_ROW) {
		store_take_row(st, q, at->object, &r);
		at->after = r.id;
		n++;
		if (!r.tampered)
			continue;
		store_tampered(&r);
		bad++;
	}
	sqlite3_reset(q);
	if (n < max)
		*at = (struct sweep){ .object = (at->object + 1) % OBJ_N };
	return bad;
}

/* Copy a small file of the data directory into the backup, for the owner alone. */
static enum err copy_file(const char *from_dir, const char *to_dir, const char *name)
{
	char path[4200], bytes[4096];
	int from, to;
	ssize_t n;
	enum err err = ERR_OK;

	snprintf(path, sizeof path, "%s/%s", from_dir, name);
	from = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof path, "%s/%s", to_dir, name);
	to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	n = from < 0 ? -1 : read(from, bytes, sizeof bytes);
	if (to < 0 || n < 0 || write(to, bytes, (size_t)n) != n || fsync(to) != 0)
		err = ERR_IO;
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return err;
}

/* Of the state that was copied: the live one may be further on. */
static enum err write_head(struct store *st, const char *to)
{
	char path[4200], text[ANCHOR_TEXT];
	int n = store_anchor(st, st->journal_seq, st->journal_head, text), fd;
	enum err err = ERR_OK;

	snprintf(path, sizeof path, "%s/journal.head", to);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, (size_t)n) != n || fsync(fd) != 0)
		err = ERR_IO;
	if (fd >= 0)
		close(fd);
	return err;
}

enum err store_backup(struct store *st, const char *to, struct say *s)
{
	char path[4200];
	sqlite3 *copy = NULL;
	sqlite3_backup *b = NULL;
	int rc, copy_fd;

	snprintf(path, sizeof path, "%s/records.db", to);
	if ((mkdir(to, 0700) != 0 && errno != EEXIST) || access(path, F_OK) == 0) {
		say(s, "%.200s: %s", to, access(path, F_OK) == 0 ? "holds a backup already" :
		    strerror(errno));
		return ERR_IO;
	}
	copy_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (copy_fd >= 0)
		close(copy_fd);
	rc = sqlite3_open(path, &copy);
	if (rc == SQLITE_OK)
		b = sqlite3_backup_init(copy, "main", st->db, "main");
	if (b) {
		rc = sqlite3_backup_step(b, -1);
		sqlite3_backup_finish(b);
	}
	if (!b || rc != SQLITE_DONE)
		say(s, "%.100s: %.100s", path, sqlite3_errmsg(copy));
	sqlite3_close(copy);
	if (!b || rc != SQLITE_DONE)
		return ERR_IO;
	if (copy_file(st->dir, to, "keeper.key") ||
	    (st->journal_seq > 0 && write_head(st, to))) {
		say(s, "%.200s: the key or the journal's head could not be copied", to);
		return ERR_IO;
	}
	return ERR_OK;
}
