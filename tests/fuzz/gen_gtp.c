/* Seeds for the fuzzers of GTP: gen_gtp FOLDER writes into FOLDER/gtp1, gtp2 and gtpc. */
#include "unit/gtpc_world.h"

static void put(const char *folder, const char *target, const char *name, struct view v)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s/%s", folder, target, name);
	f = fopen(path, "wb");
	check(f != NULL);
	check_eq(fwrite(v.p, 1, v.n, f), v.n);
	fclose(f);
}

static struct wr all;

/* To a conversation, and as a file of its own. */
static void say(const char *folder, const char *name, uint8_t how, struct view v)
{
	put(folder, v.p[0] >> 5 == 1 ? "gtp1" : "gtp2", name, v);
	wr_be(&all, v.n, 2);
	wr_be(&all, how, 1);
	wr_view(&all, v);
}

#define UP   (0 | 1 << 2) /* from the SGW to the PGW */
#define DOWN (1 | 0 << 2)

int main(int argc, char **argv)
{
	static uint8_t bytes[512], talk[8192];
	struct gtp_make s = gtpc_make();
	struct wr w = { .p = bytes, .cap = sizeof bytes };

	check_eq(argc, 2);
	all = (struct wr){ .p = talk, .cap = sizeof talk };
#define SAY(name, how, make) do { w.n = 0; say(argv[1], name, how, make); } while (0)
	SAY("create_session", UP, make_csr(&w, &s));
	SAY("create_session_answer", DOWN, make_csa(&w, &s));
	s.seq++;
	SAY("modify_bearer", UP, make_short(&w, &s, 34, true));
	SAY("modify_bearer_answer", DOWN, make_short(&w, &s, 35, false));
	s.seq++;
	SAY("delete_bearer", DOWN, make_short(&w, &s, 99, false));
	SAY("delete_session", UP, make_short(&w, &s, 36, true));
	SAY("echo", UP | 0x10, make_echo(&w, 1, 4, 1));
	SAY("echo_answer", DOWN, make_echo(&w, 2, 4, 1));
	put(argv[1], "gtpc", "session", wr_done(&all));
	all.n = 0;
	SAY("create_pdp", UP, make1_create(&w, &s));
	SAY("create_pdp_answer", DOWN, make1_created(&w, &s));
	s.seq++;
	SAY("update_pdp", UP, make1_short(&w, &s, 18, true));
	SAY("update_pdp_answer", DOWN, make1_short(&w, &s, 19, false));
	SAY("delete_pdp", UP, make1_short(&w, &s, 20, true));
	SAY("delete_pdp_answer", DOWN, make1_short(&w, &s, 21, false));
	put(argv[1], "gtpc", "context", wr_done(&all));
	for (uint8_t version = 1; version <= 2; version++) { /* what our refusals are */
		struct gtp_head h = { .version = version, .type = version == 1 ? 16 : 32, .seq = 7 };
		struct verdict v = { .act = ACT_REJECT, .cause = CAUSE_UNABLE_TO_COMPLY,
				     .backoff_ms = 600000 };

		w.n = 0;
		gtp_reject(&w, &h, gtp_row(version, h.type), 0x1000, &v);
		put(argv[1], version == 1 ? "gtp1" : "gtp2", "refusal", wr_done(&w));
	}
	put(argv[1], "gtp1", "extended", VIEW("\66\1\0\10\0\0\0\0\0\1\0\1\1\0\0\0"));
	return 0;
}
