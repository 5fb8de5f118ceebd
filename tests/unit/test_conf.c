/* The configuration: rows against YAML. */
#include "base/bcd.h"
#include "cli/conf.h"
#include "unit/test.h"

static struct conf c;
static char why[256];

static enum err load(const char *yaml)
{
	return conf_parse(view_of(yaml), "m.yaml", &c, why);
}

TEST(an_empty_file_is_the_defaults)
{
	check_eq(load(""), ERR_OK);
	check(strcmp(c.realm, "epc.mnc070.mcc999.3gppnetwork.org") == 0);
	check(strcmp(c.edge_host, "edge.epc.mnc070.mcc999.3gppnetwork.org") == 0);
	check(strcmp(c.edge_listen.text[0], "tcp:127.0.0.1:3868") == 0);
	check_eq(c.plmn, bcd_of(VIEW("99970")));
	check_eq(c.roles.n, 5);
}

/* .i */
TEST(a_partitions_home_has_its_own_name_stores_and_master_key)
{
	char dir[CONF_TEXT_MAX], deep[320] = "home: { partition: 1 }\ndata_dir: ";

	check_eq(load("home: { partition: 7 }\ndata_dir: /d\n"), ERR_OK);
	check(conf_stores(&c, dir) && strcmp(dir, "/d/partition-7") == 0);
	check(conf_stores_of(&c, 0, dir) && strcmp(dir, "/d") == 0);
	check(strcmp(c.master_key, "/d/partition-7/master.key") == 0);
	check(strcmp(c.home_host, "home-7.epc.mnc070.mcc999.3gppnetwork.org") == 0);
	check_eq(conf_move(&c, "/e", why), ERR_OK);
	check(conf_stores(&c, dir) && strcmp(dir, "/e/partition-7") == 0);
	check(strcmp(c.master_key, "/e/partition-7/master.key") == 0);
	check_eq(load("home: { partition: 16 }\n"), ERR_CONFIG);
	memset(deep + strlen(deep), 'd', 250); /* data_dir alone would fit */
	check_eq(load(deep), ERR_CONFIG);
}

TEST(a_key_given_replaces_its_default)
{
	check_eq(load("edge:\n  workers: 2\n  listen: [ \"tcp:[::1]:3868\" ]\nnetwork: { plmn: "
		      "\"310410\" }\n"),
		 ERR_OK);
	check_eq(c.edge_workers, 2);
	check_eq(c.edge_listen.n, 1);
	check(strcmp(c.realm, "epc.mnc410.mcc310.3gppnetwork.org") == 0);
}

TEST(what_is_wrong_is_named_with_its_line)
{
	static const struct {
		const char *yaml, *why;
	} row[] = {
	    {"edge:\n  wrokers: 2\n", "m.yaml:2: edge.wrokers is not a key of this configuration"},
	    {"edge:\n  workers: 9\n", "m.yaml:2: edge.workers must be a number from 1 to 8"},
	    {"edge:\n  workers: two\n", "m.yaml:2: edge.workers must be a number from 1 to 8"},
	    {"\nhome:\n  unknown_equipment: maybe\n",
	     "m.yaml:3: home.unknown_equipment must be one of refuse|admit"},
	    {"edge:\n  listen: tcp:1.2.3.4:1\n", "m.yaml:2: edge.listen must be a list: [a, b]"},
	    {"network:\n  plmn: 12\n", "m.yaml:2: network.plmn must be 5 to 6 digits"},
	    {"- a\n", "m.yaml:1: the file must hold keys and values"},
	    {"a: [\n", "m.yaml:2: not YAML: did not find expected node content"},
	    {"tls:\n  chain: x\n",
	     "m.yaml: tls.chain, tls.key and tls.ca go together: give all three or none"},
	};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		check_eq(load(row[i].yaml), ERR_CONFIG);
		if (strcmp(why, row[i].why) != 0)
			fprintf(stderr, "got \"%s\"\n", why);
		check(strcmp(why, row[i].why) == 0);
	}
}

TEST(a_reload_names_what_needs_a_restart)
{
	struct conf d;

	check_eq(load("edge:\n  clear: true\n"), ERR_OK);
	d = c;
	check_eq(load("edge:\n  clear: false\n"), ERR_OK);
	check(conf_needs_restart(conf_rows, conf_row_n, &c, &d) == NULL);
	check_eq(load("edge:\n  workers: 3\n"), ERR_OK);
	check(strcmp(conf_needs_restart(conf_rows, conf_row_n, &c, &d), "edge.workers") == 0);
}

TEST(a_reload_takes_over_what_it_may_and_nothing_else)
{
	static struct conf now, next;

	check_eq(load("edge:\n  clear: true\n  workers: 1\n"), ERR_OK);
	now = c;
	check_eq(load("edge:\n  clear: false\n  workers: 3\nlogging:\n  level: debug\n"), ERR_OK);
	next = c;
	conf_take(conf_rows, conf_row_n, &now, &next);
	check(!now.edge_clear);
	check_eq(now.log_level, 2);
	check_eq(now.edge_workers, 1);
}

TEST(the_sample_is_a_valid_configuration_when_uncommented)
{
	char text[65536], *to = text;
	FILE *f = tmpfile();
	char line[1024];

	check(f != NULL);
	conf_sample(conf_rows, conf_row_n, f);
	rewind(f);
	while (fgets(line, sizeof line, f)) { /* take '# ' off the lines that hold a key */
		char *hash = strstr(line, "# ");
		char *colon = hash ? strchr(hash, ':') : NULL;

		if (hash && colon && strcspn(hash + 2, " ") > (size_t)(colon - hash - 2))
			memmove(hash, hash + 2, strlen(hash + 2) + 1);
		to += snprintf(to, (size_t)(text + sizeof text - to), "%s", line);
	}
	fclose(f);
	check_eq(load(text), ERR_OK);
	check_eq(c.edge_workers, 1);
}

TESTS(T(an_empty_file_is_the_defaults), T(a_partitions_home_has_its_own_name_stores_and_master_key),
      T(a_key_given_replaces_its_default),
      T(what_is_wrong_is_named_with_its_line), T(a_reload_names_what_needs_a_restart),
      T(a_reload_takes_over_what_it_may_and_nothing_else),
      T(the_sample_is_a_valid_configuration_when_uncommented))
