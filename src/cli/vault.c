/* merlon vault: what the master key of a home's vault is, and another one in its place while home serves.
 *
 * Home is not asked: it has the data key, which stays. This process opens the vault beside it, wraps the data
 * key anew and leaves; a token is asked by it alone. Killed at any moment, it leaves a vault that opens with
 * the master key that the configuration names. */
#include "records/vault.h"
#include "cli/cli.h"
#include "cli/reach.h"
#include "cli/supervise.h"
#include "crypto/secret_file.h"
#include "records/room.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

struct change {
	struct reach reach;
	const char *to; /* --to; NULL: where the present one is */
	bool destroy;	/* the former key of a token */
	char stores[CONF_TEXT_MAX], notes[CONF_TEXT_MAX + 16], new_path[CONF_TEXT_MAX + 8];
	struct master now, next;
	struct vault *v;
	int lock;
};

static int fail(const char *why)
{
	fprintf(stderr, "merlon vault: %s\n", why);
	return EXIT_CONFIG;
}

static enum err open_vault(struct change *c, char why[256])
{
	const struct conf *conf = &c->reach.conf;
	char room[CONF_TEXT_MAX];
	enum err err;

	if (!conf_stores(conf, c->stores)) {
		snprintf(why, 256, "the path of its stores is too long");
		return ERR_CONFIG;
	}
	snprintf(c->notes, sizeof c->notes, "%s/vault-auc", c->stores);
	if (access(c->notes, F_OK) != 0) {
		snprintf(why, 256, "%.200s: there is no vault yet", c->notes);
		return ERR_NOT_FOUND;
	}
	c->lock = vault_lock(c->stores);
	if (c->lock < 0) {
		snprintf(why, 256, "%.160s cannot be locked: another merlon vault is at work", c->notes);
		return ERR_AGAIN;
	}
	err = master_open(&c->now, conf->master_key, prepare_secret("token.pin", NULL, room), c->notes, why);
	records_room = (size_t)conf->stores_room_gb << 30;
	return err ? err : vault_open(&c->v, c->stores, &c->now, why);
}

static void close_vault(struct change *c)
{
	vault_close(c->v);
	master_wipe(&c->now);
	master_wipe(&c->next);
	if (c->lock >= 0)
		close(c->lock);
	reach_close(&c->reach);
}

static void print_wrap(const char *name, const struct vault_wrap *w, bool json)
{
	bool token = w->n != MASTER_WRAP_FILE;

	printf(json ? ",\"%s\":{\"by\":\"%s\",\"id\":\"" : "%-12s %s ", name,
	       w->n == 0 ? "nothing"
	       : token	 ? "token"
			 : "file");
	for (size_t i = 0; token && i < w->b[2] && w->n > 0; i++)
		printf("%02x", w->b[3 + i]);
	printf(json ? "\"}" : "\n");
}

static int print_state(struct change *c)
{
	struct vault_wrap now, next;
	bool json = c->reach.json;

	if (vault_wraps(c->v, &now, &next) != ERR_OK)
		return fail("the vault cannot be read");
	printf(json ? "{\"vault\":\"%s\",\"master\":\"%s\"" : "vault        %s\nmaster key   %s\n", c->notes,
	       c->reach.conf.master_key);
	print_wrap(json ? "wrapped" : "wrapped by", &now, json);
	print_wrap("next", &next, json);
	if (json)
		printf("}\n");
	return EXIT_DONE;
}

/* Begun and done are two entries of the journal: between them lies what a kill interrupts. */
static int note(struct change *c, struct view mode)
{
	struct keep req = {.op = KEEP_NOTE}, rep;
	char key[32], text[2 * CONF_TEXT_MAX + 64];

	snprintf(key, sizeof key, c->reach.conf.home_partition ? "auc-%u" : "auc",
		 c->reach.conf.home_partition);
	snprintf(text, sizeof text, "master key %s, then %s", c->reach.conf.master_key,
		 c->to		? c->to
		 : c->now.token ? "another of the same name"
				: "another in the same place");
	keep_put_text(&req, KEEP_MODE, mode);
	keep_put_text(&req, KEEP_KEY, view_of(key));
	keep_put_text(&req, KEEP_HEADER, view_of(text));
	return reach_call(&c->reach, "vault", &req, &rep);
}

/* The new file stands beside the old one until the vault opens with either; then it takes its place. */
static enum err change_file(struct change *c, char why[256])
{
	const char *path = c->reach.conf.master_key;
	enum err err;

	snprintf(c->new_path, sizeof c->new_path, "%s.new", path);
	unlink(c->new_path); /* of a change that was interrupted: no vault needs it, or it would have this
				name no more */
	err = seal_master_make(c->new_path, why);
	err = err ? err : master_open(&c->next, c->new_path, NULL, NULL, why);
	err = err ? err : vault_master_next(c->v, &c->next, TOKEN_NAMED, why);
	if (!err && (rename(c->new_path, path) != 0 || !secret_file_settle(path))) {
		snprintf(why, 256, "%.200s: %s", path, strerror(errno));
		err = ERR_IO;
	}
	return err ? err : vault_master_settle(c->v);
}

static enum err change_token(struct change *c, char why[256])
{
	struct vault_wrap former, next;
	enum err err = vault_wraps(c->v, &former, &next);

	err = err ? err : vault_master_next(c->v, &c->now, TOKEN_NEW, why);
	err = err ? err : vault_master_settle(c->v);
	if (!err && c->destroy)
		err = token_destroy(&c->now.at, (struct view){former.b, former.n}, why);
	return err;
}

/* To another place: the configuration has to follow, and until then either opens it. */
static enum err change_place(struct change *c, char why[256])
{
	enum err err = ERR_OK;

	if (!master_is_token(c->to) && access(c->to, F_OK) != 0)
		err = seal_master_make(c->to, why);
	err = err ? err : master_open(&c->next, c->to, NULL, c->notes, why);
	return err ? err : vault_master_next(c->v, &c->next, TOKEN_NAMED, why);
}

static int rotate(struct change *c)
{
	char why[256] = "";
	bool elsewhere = c->to && strcmp(c->to, c->reach.conf.master_key) != 0;
	enum err err;
	int code = note(c, VIEW("rotating"));

	if (code != EXIT_DONE)
		return code;
	err = elsewhere ? change_place(c, why) : c->now.token ? change_token(c, why) : change_file(c, why);
	if (err)
		return fail(why[0] ? why : err_text(err));
	code = note(c, VIEW("rotated"));
	if (code != EXIT_DONE || c->reach.json)
		return code == EXIT_DONE ? print_state(c) : code;
	if (elsewhere)
		printf("the vault opens with both keys: now set home.master_key: %s\n"
		       "and restart home when it suits; from then on the former key opens nothing\n",
		       c->to);
	else
		printf("the vault has another master key; home goes on serving\n"
		       "backups made before open with the former one alone\n");
	return EXIT_DONE;
}

static const struct command vault_command = {
    "vault", "vault status|rotate [--to WHERE] [--destroy]",
    "Say what the master key of the vault is, or put another one in its place while home serves.\n"
    "A key file is replaced by a new one; of a PKCS#11 token a new key of the same name is made. With\n"
    "--to it moves: to a file, or to a token that a pkcs11: URI names; then change home.master_key too.\n"
    "Interrupted at any moment, the vault opens with the key that the configuration names.\n\n"
    "  merlon vault rotate\n"
    "  merlon vault rotate --to 'pkcs11:token=hsm;object=merlon?module-path=/usr/lib/softhsm/libsofthsm2.so&"
    "pin-source=/etc/merlon/token.pin'",
    cmd_vault};

int cmd_vault(int argc, char **argv)
{
	struct change c = {.lock = -1};
	const struct rlimit none = {0, 0};
	const struct arg row[] = {
	    REACH_ARGS(c.reach),
	    {"--to", ARG_TEXT, &c.to, "WHERE", "another place for it: a file, or a pkcs11: URI", 0, 0},
	    {"--destroy", ARG_FLAG, &c.destroy, "",
	     "destroy the former key of the token: backups made before open no more", 0, 0},
	};
	char why[256] = "";
	int code, n = args_read(&vault_command, row, sizeof row / sizeof *row, argc, argv, &code);
	bool rotates = n == 1 && strcmp(argv[0], "rotate") == 0;
	enum err err;

	if (n < 0)
		return code;
	if (n != 1 || (!rotates && strcmp(argv[0], "status") != 0)) {
		fprintf(stderr, "merlon vault: say status or rotate; see merlon vault --help\n");
		return EXIT_USAGE;
	}
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0); /* the data key is in memory here */
	code = reach_open(&c.reach, vault_command.name, rotates);
	if (code != EXIT_DONE)
		return code;
	err = open_vault(&c, why);
	code = err ? fail(why[0] ? why : err_text(err)) : rotates ? rotate(&c) : print_state(&c);
	close_vault(&c);
	return code;
}
