/* The rows and messages of wire/ for scripts that hold them against other programs.
 *   dia_tool rows      each field: name code vendor kind M
 *   dia_tool examples  each message, bare and with everything, in hex
 *   dia_tool parse     judge hex lines from standard input as an end point */
#include "unit/dia_example.h"

#include <stdio.h>

static const char *const kinds[] = {
	[KIND_ANY] = "?", [BYTES] = "bytes", [TEXT] = "text", [DIGITS] = "digits", [IMSI] = "imsi",
	[TBCD] = "tbcd", [PLMN] = "plmn", [IDENTITY] = "identity", [ADDRESS] = "address",
	[NUMBER] = "number", [ENUM] = "enum", [U64] = "u64", [GROUP] = "group",
};

static void rows(void)
{
	for (const struct field *f = dia_proto.fields + 1;
	     f < dia_proto.fields + dia_proto.field_n; f++)
		printf("%s %u %u %s %s\n", f->name, f->tag, f->space, kinds[f->kind],
		       f->no_m ? "-" : "M");
}

static void examples(void)
{
	static uint8_t bytes[DIA_FRAME_MAX];

	for (size_t i = 2; i < dia_proto.shape_n * 2u; i++) {
		struct wr w = { .p = bytes, .cap = sizeof bytes };
		struct example how = { .full = i & 1 };
		struct view v = dia_example((enum dia_msg)(i / 2), how, &w);

		for (size_t b = 0; b < v.n; b++)
			printf("%02x", v.p[b]);
		printf("\n");
	}
}

static size_t unhex(const char *line, uint8_t *to, size_t cap)
{
	unsigned int byte;
	size_t n = 0;

	for (; n < cap && sscanf(line + 2 * n, "%2x", &byte) == 1; n++)
		to[n] = (uint8_t)byte;
	return n;
}

static int parse(void)
{
	static char line[4 * 65536];
	static uint8_t bytes[DIA_FRAME_MAX], room[64 * 1024];
	int bad = 0;

	while (fgets(line, sizeof line, stdin)) {
		struct view in = { bytes, unhex(line, bytes, sizeof bytes) };
		struct arena mem = { room, 0, sizeof room };
		struct dia_header h;
		struct msg m;
		enum err err = dia_parse(&m, &h, in, DIA_END, &mem);

		printf("%u %s: %s%s%s\n", h.code, m.shape ? m.shape->name : "?", err_text(err),
		       err ? ", " : "", err ? dia_proto.fields[m.culprit].name : "");
		bad |= err != ERR_OK;
	}
	return bad;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "rows") == 0)
		rows();
	else if (argc == 2 && strcmp(argv[1], "examples") == 0)
		examples();
	else if (argc == 2 && strcmp(argv[1], "parse") == 0)
		return parse();
	else
		return 2;
	return 0;
}
