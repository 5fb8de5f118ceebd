#include "cli/cli.h"

#include <lmdb.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stdio.h>

int cmd_version(int argc, char **argv)
{
	static const struct command me = {"version", "version [--json]",
					  "Print the version, and those of the "
					  "libraries it runs with.",
					  cmd_version};
	bool json = false;
	const struct arg row[] = {{"--json", ARG_FLAG, &json, "", "as JSON", 0, 0}};
	int code;

	if (args_read(&me, row, 1, argc, argv, &code) < 0)
		return code;
	printf(json ? "{\"merlon\":\"%s\",\"openssl\":\"%s\",\"sqlite\":\"%s\",\"lmdb\":\"%s\"}\n"
		    : "merlon %s\n%s\nSQLite %s\n%s\n",
	       MERLON_VERSION, OpenSSL_version(OPENSSL_VERSION), sqlite3_libversion(),
	       mdb_version(NULL, NULL, NULL));
	return EXIT_DONE;
}
