/* A pipe between TCP and SCTP for tests that speak M3UA: what comes by one goes out by the other, a frame a
 * message, DATA on a stream of its own.
 *   sctp_pipe ENDPOINT-TO-LISTEN-AT ENDPOINT-TO-DIAL   (tcp:127.0.0.1:5000 sctp:127.0.0.1:2905?udp=9900/9899)
 * It says "ready" when it listens, and ends when its input does. */
#include "loop/loop.h"
#include "wire/m3ua.h"

#include <stdio.h>
#include <unistd.h>

static struct loop *loop;
static struct endpoint to;

static void up(void *ctx, struct conn *c);
static void down(void *ctx, struct conn *c, const char *why);

/* Protocol Data's signalling link selection, in DATA messages that have it as their first or second field. */
static uint8_t stream_of(struct view v)
{
	struct rd r = { .left = v };

	if (v.n < M3UA_HEADER || v.p[2] == 0 || v.p[2] > 2)
		return 0;
	rd_take(&r, M3UA_HEADER);
	while (!r.err && v.p[2] == 1) {
		uint32_t tag = rd_be(&r, 2), n = rd_be(&r, 2);

		if (tag == 0x210 && r.left.n > 12)
			return (uint8_t)(1 + r.left.p[11]);
		rd_take(&r, n < 4 ? 0 : (n + 3) / 4 * 4 - 4);
	}
	return 1;
}

static void message(void *ctx, struct conn *c, struct view frame)
{
	struct conn *other = conn_user(c);

	(void)ctx;
	if (other)
		conn_write_on(other, frame, stream_of(frame));
}

static const struct conn_ops ops = { m3ua_frame, up, message, down };

static void up(void *ctx, struct conn *c)
{
	struct conn *other;

	(void)ctx;
	conn_set_ppid(c, PPID_M3UA);
	if (conn_info(c).outbound)
		return;
	conn_proven(c);
	other = loop_connect(loop, &to, NULL, &ops, NULL, c);
	conn_set_user(c, other);
	if (!other)
		conn_close(c);
}

static void down(void *ctx, struct conn *c, const char *why)
{
	struct conn *other = conn_user(c);

	(void)ctx;
	fprintf(stderr, "sctp_pipe: %s\n", why);
	if (!other)
		return;
	conn_set_user(other, NULL);
	conn_close(other);
}

static void on_input(void *ctx, int fd)
{
	char bytes[16];

	(void)ctx;
	if (read(fd, bytes, sizeof bytes) <= 0)
		loop_stop(loop);
}

int main(int argc, char **argv)
{
	static const struct loop_limits limits = { .conn_max = 64, .frame_max = M3UA_FRAME_MAX,
						  .out_max = 16 << 20, .handshake_ms = 10000 };
	struct endpoint at;
	char why[256];

	loop = loop_new(&limits);
	if (argc != 3 || !loop || endpoint_parse(view_of(argv[1]), &at) ||
	    endpoint_parse(view_of(argv[2]), &to))
		return 2;
	if (loop_listen(loop, &at, NULL, false, &ops, NULL, why) || loop_prepare(&to, why) ||
	    loop_watch(loop, 0, on_input, NULL)) {
		fprintf(stderr, "sctp_pipe: %s\n", why);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	loop_run(loop);
	loop_free(loop);
	return 0;
}
