/* What a node does for a caller that does not care: nothing. */
#include "node/inside.h"

static void idle_bytes(void *ctx, uint32_t conn, struct view bytes)
{
	(void)ctx;
	(void)conn;
	(void)bytes;
}

static void idle_conn(void *ctx, uint32_t conn)
{
	(void)ctx;
	(void)conn;
}

static void idle_peer(void *ctx, struct dia_peer *peer)
{
	(void)ctx;
	(void)peer;
}

static void idle_down(void *ctx, struct dia_peer *peer, const char *why)
{
	(void)ctx;
	(void)peer;
	(void)why;
}

static void idle_request(void *ctx, struct dia_peer *from, const struct msg *m, const struct dia_header *h,
			 struct view raw, enum err err)
{
	(void)ctx;
	(void)from;
	(void)m;
	(void)h;
	(void)raw;
	(void)err;
}

static void idle_answer(void *ctx, struct dia_peer *from, const struct msg *m, const struct dia_header *h,
			struct view raw, enum err err, struct dia_pending *p)
{
	(void)p;
	idle_request(ctx, from, m, h, raw, err);
}

static void idle_lost(void *ctx, struct dia_pending *p, const char *why)
{
	(void)ctx;
	(void)p;
	(void)why;
}

void dia_idle(struct dia_actions *act)
{
	act->send = act->send ? act->send : idle_bytes;
	act->close = act->close ? act->close : idle_conn;
	act->dial = act->dial ? act->dial : idle_peer;
	act->peer_up = act->peer_up ? act->peer_up : idle_peer;
	act->peer_down = act->peer_down ? act->peer_down : idle_down;
	act->request = act->request ? act->request : idle_request;
	act->answer = act->answer ? act->answer : idle_answer;
	act->lost = act->lost ? act->lost : idle_lost;
}
