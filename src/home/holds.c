#include "home/holds.h"

#include "base/log.h"
#include "home/worker.h"
#include "wire/keep.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define AGAIN_MS 1000

enum err holds_open(struct holds *h, const char *data_dir, char why[256])
{
	h->fd = -1;
	if ((size_t)snprintf(h->path, sizeof h->path, "%s/holds.sock", data_dir) >= sizeof h->path) {
		snprintf(why, 256, "%.180s/holds.sock: path too long for a socket", data_dir);
		return ERR_CONFIG;
	}
	h->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (h->fd >= 0)
		return ERR_OK;
	snprintf(why, 256, "home: %s: %.60s", h->path, strerror(errno));
	return ERR_IO;
}

void holds_close(struct holds *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

static void ask(struct holds *h, uint64_t imsi, uint64_t imei)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct keep req = {.op = KEEP_HOLD, .id = 1};
	char who[BCD_TEXT], device[BCD_TEXT];
	uint8_t frame[256];
	struct wr w = {.p = frame, .cap = sizeof frame};
	bool sent;

	bcd_text(imsi, who);
	bcd_text(bcd_first(imei, 14), device);
	keep_put_text(&req, KEEP_KEY, view_of(who));
	keep_put_text(&req, KEEP_NAME, view_of(device));
	keep_emit(&w, &req);
	memcpy(to.sun_path, h->path, sizeof to.sun_path);
	sent = !w.err && sendto(h->fd, frame, w.n, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to,
				sizeof to) == (ssize_t)w.n;
	if (!sent && !h->waits)
		LOG(LOG_ERROR, "home.hold_waits", KV("error", strerror(errno)), KV_CLAUSE("R-5.7.3.b"));
	h->waits = !sent;
}

/* What was to be asked for is there, or has been and is over again, or is not to be asked for any more. */
static bool settled(const struct home_rows *rows, uint64_t wall_ms)
{
	return !rows->sub || rows->reaction != REACT_GREYLIST || binding_grey(rows->sub, wall_ms / 1000) ||
	       rows->sub->version != rows->reg->sub_version;
}

/* False: it is dealt with. */
static bool step(struct home_worker *w, uint64_t imsi)
{
	struct reg_row reg;
	struct home_rows rows = worker_rows(w, imsi, &reg);

	if (!(reg.flags & REG_HOLD_WANTED))
		return false;
	if (!settled(&rows, loop_wall(w->loop))) {
		ask(&w->holds, imsi, reg.imei);
		return true;
	}
	reg.flags &= (uint8_t)~REG_HOLD_WANTED;
	if (reg_put(w->reg, &reg, 0))
		return true; /* once more, then */
	if (!send_look(w, imsi))
		feed_want_all(&w->feed);
	return false;
}

bool holds_want(struct home_worker *w, uint64_t imsi)
{
	struct holds *h = &w->holds;

	for (size_t i = 0; i < h->n; i++) {
		if (h->wish[i].imsi != imsi)
			continue;
		h->wish[i].due_ms = 0; /* something has changed: the next tick looks */
		return true;
	}
	if (h->n == HOLDS_MAX)
		return false;
	h->wish[h->n++] = (struct hold_wish){imsi, loop_now(w->loop) + AGAIN_MS};
	if (!step(w, imsi))
		h->n--;
	return true;
}

void holds_due(struct home_worker *w)
{
	struct holds *h = &w->holds;
	uint64_t now = loop_now(w->loop);
	bool full = h->n == HOLDS_MAX;

	for (size_t i = 0; i < h->n;) {
		struct hold_wish *wish = &h->wish[i];
		uint64_t imsi = wish->imsi;

		if (wish->due_ms > now || step(w, imsi)) {
			wish->due_ms = wish->due_ms > now ? wish->due_ms : now + AGAIN_MS;
			i++;
			continue;
		}
		*wish = h->wish[--h->n];
	}
	if (full && h->n < HOLDS_MAX / 2)
		feed_want_all(&w->feed); /* for those that found no room */
}
