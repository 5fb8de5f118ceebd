/* Write the seeds of fuzz_dia: each message of dia.tab, bare and with everything.
 *   gen_dia tests/fuzz/corpus/dia */
#include "unit/dia_example.h"

#include <stdio.h>
#include <stdlib.h>

static void save(const char *folder, const struct shape *s, bool full)
{
	static uint8_t bytes[DIA_FRAME_MAX];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct view v = dia_example((enum dia_msg)s->id, (struct example){ .full = full }, &w);
	char path[4096];
	FILE *f;

	snprintf(path, sizeof path, "%s/%u_%s%s", folder, s->code, s->name, full ? "_full" : "");
	f = fopen(path, "wb");
	if (!f || fwrite(v.p, 1, v.n, f) != v.n || fclose(f))
		exit(1);
}

int main(int argc, char **argv)
{
	for (size_t i = 1; argc == 2 && i < dia_proto.shape_n; i++) {
		save(argv[1], &dia_proto.shapes[i], false);
		save(argv[1], &dia_proto.shapes[i], true);
	}
	return argc == 2 ? 0 : 2;
}
