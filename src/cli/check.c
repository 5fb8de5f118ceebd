/* merlon check: would this configuration be taken? */
#include "cli/cli.h"
#include "cli/conf.h"
#include "cli/roles.h"

#include <stdio.h>

static enum err check_endpoints(const char *key, const struct conf_list *list, char why[256])
{
	struct endpoint e;

	for (size_t i = 0; i < list->n; i++) {
		if (endpoint_parse(view_of(list->text[i]), &e) == ERR_OK)
			continue;
		snprintf(why, 256, "%s: %.100s is not tcp:, tls: or sctp:ADDRESS:PORT", key,
			 list->text[i]);
		return ERR_CONFIG;
	}
	return ERR_OK;
}

/* What can be said without starting anything: words, addresses, certificates. */
static enum err check_all(const char *file, struct conf *c, int *days, char why[256])
{
	enum err err = conf_read(file, c, why);
	struct tls_files f = {c->tls_chain, c->tls_key, c->tls_ca,
			      c->tls_crl[0] ? c->tls_crl : NULL, NULL};
	static struct edge_conf edge;
	static struct home_conf home;
	static struct inspect_conf inspect;
	struct tls *tls;

	if (!err)
		err = check_endpoints("edge.listen", &c->edge_listen, why);
	if (!err)
		err = check_endpoints("edge.home", &c->edge_home, why);
	if (!err)
		err = check_endpoints("home.listen", &c->home_listen, why);
	if (!err)
		err = roles_partitions(&c->edge_partitions, &edge, why);
	if (!err)
		err = roles_hlr(c, &home, why);
	if (!err)
		err = roles_ss7(c, &edge.ss7, why);
	if (!err && c->inspect_pairs.n > 0)
		err = roles_inspect(c, &inspect, why);
	for (size_t i = 0; i < c->roles.n && !err; i++) {
		if (role_find(c->roles.text[i]))
			continue;
		snprintf(why, 256, "roles: %.60s is not a role: watch, keeper, home, edge, portal, inspect",
			 c->roles.text[i]);
		err = ERR_CONFIG;
	}
	if (err || !c->tls_chain[0])
		return err;
	tls = tls_new(&f, &err, why);
	if (!tls)
		return err ? err : ERR_CONFIG;
	*days = tls_days_left(tls);
	tls_free(tls);
	return ERR_OK;
}

int cmd_check(int argc, char **argv)
{
	static const struct command me = {"check", "check [--config FILE] [--sample]",
					  "Say whether a configuration would be taken: every key, "
					  "every address, the certificates.\n"
					  "--sample prints every key with its default and meaning.",
					  cmd_check};
	const char *file = NULL;
	bool sample = false, json = false;
	const struct arg row[] = {
	    {"--config", ARG_TEXT, &file, "FILE", "the configuration (/etc/merlon/merlon.yaml)", 0,
	     0},
	    {"--sample", ARG_FLAG, &sample, "", "print a commented sample configuration", 0, 0},
	    {"--json", ARG_FLAG, &json, "", "as JSON", 0, 0},
	};
	char why[256] = "";
	static struct conf c;
	int code, days = -1;
	enum err err;

	if (args_read(&me, row, sizeof row / sizeof *row, argc, argv, &code) < 0)
		return code;
	if (sample) {
		conf_sample(conf_rows, conf_row_n, stdout);
		return EXIT_DONE;
	}
	err = check_all(conf_file(file), &c, &days, why);
	if (err) {
		fprintf(stderr, "merlon: %s\n", why);
		return EXIT_CONFIG;
	}
	if (json)
		printf("{\"ok\":true,\"realm\":\"%s\",\"certificate_days\":%d}\n", c.realm, days);
	else
		printf("configuration is good: realm %s, %zu roles\n", c.realm, c.roles.n);
	if (days >= 0 && days < 30)
		fprintf(stderr, "merlon: the certificate %s ends in %d days\n", c.tls_chain, days);
	return EXIT_DONE;
}
