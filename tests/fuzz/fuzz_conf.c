/* Any configuration file: it is taken, or refused with one clear line; never both, never neither. */
#include "base/bcd.h"
#include "cli/conf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct conf c;
	char why[256] = "";
	enum err err = conf_parse((struct view){ data, n }, "m.yaml", &c, why);

	if (err == ERR_OK && (c.edge_workers < 1 || c.edge_workers > 8 || !c.realm[0] ||
			      c.edge_listen.n > CONF_LIST_MAX || bcd_n(c.plmn) < 5))
		abort(); /* taken, so every value is in its range */
	if (err && (!why[0] || strchr(why, '\n')))
		abort();
	return 0;
}
