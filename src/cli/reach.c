#include "cli/reach.h"

#include <stdio.h>

int reach_open(struct reach *r, const char *command, bool keeper)
{
	char why[256], path[CONF_TEXT_MAX + 16];
	enum err err = conf_read(conf_file(r->file), &r->conf, why);

	if (!err && r->data_dir)
		err = conf_move(&r->conf, r->data_dir, why);
	if (err) {
		fprintf(stderr, "merlon: %s\n", why);
		return EXIT_CONFIG;
	}
	if (!keeper)
		return EXIT_DONE;
	snprintf(path, sizeof path, "%s/keeper.sock", r->conf.data_dir);
	if (client_open(&r->client, path, why) == ERR_OK)
		return EXIT_DONE;
	fprintf(stderr, "merlon %s: %s\n", command, why);
	return EXIT_FAILED;
}

void reach_close(struct reach *r)
{
	if (r->client)
		client_close(r->client);
	r->client = NULL;
}

int reach_call(struct reach *r, const char *command, struct keep *req, struct keep *rep)
{
	char why[256];
	struct view reason;
	enum err err = client_call(r->client, req, rep, why);

	if (err) {
		fprintf(stderr, "merlon %s: %s\n", command, why);
		return EXIT_FAILED;
	}
	err = client_status(rep);
	if (err == ERR_OK)
		return EXIT_DONE;
	reason = rep->text[KEEP_REASON];
	fprintf(stderr, "merlon %s: %.*s\n", command,
		reason.n > 0 ? (int)reason.n : (int)strlen(err_text(err)),
		reason.n > 0 ? (const char *)reason.p : err_text(err));
	return EXIT_FAILED;
}
