#include "wire/gtp.h"

#include "base/bcd.h"
#include "wire/gtp1.h"

#define V1_PT   0x10 /* GTP, not GTP' */
#define V1_MORE 0x07 /* any of: extension headers, sequence number, N-PDU number */
#define V1_EXT  0x04
#define V1_SEQ  0x02
#define V2_PIGGY 0x10
#define V2_TEID 0x08
#define VITAL   0xc0 /* of an extension header's type: the end point must understand it */
#define EXT_MAX 8

/* 29.060 6: a chain, each with its length in units of four octets. */
static void extensions(struct gtp_head *h, struct rd *r, uint8_t type)
{
	size_t n = 0;

	h->extended = type != 0;
	for (; type != 0 && !r->err; n++) {
		size_t units = rd_be(r, 1);
		struct view v = rd_take(r, units == 0 ? SIZE_MAX : units * 4 - 1);

		if (n < sizeof h->ext)
			h->ext[n] = type;
		h->vital |= (type & VITAL) == VITAL;
		if (n == EXT_MAX)
			r->err = ERR_HEADER;
		type = v.n > 0 ? v.p[v.n - 1] : 0;
	}
}

static enum err version_1(struct gtp_head *h, uint8_t flags, size_t len, struct rd *r)
{
	struct rd in;
	uint8_t next;

	h->prime = !(flags & V1_PT);
	h->has_teid = true;
	if (h->prime)
		return ERR_HEADER;
	h->teid = rd_be(r, 4);
	in = (struct rd){ .left = rd_take(r, len) };
	h->rest = r->left;
	if (flags & V1_MORE) {
		h->has_seq = flags & V1_SEQ;
		h->seq = rd_be(&in, 2);
		rd_take(&in, 1);
		next = (uint8_t)rd_be(&in, 1);
		if (flags & V1_EXT)
			extensions(h, &in, next);
	}
	h->body = in.left;
	return r->err ? r->err : in.err;
}

static enum err version_2(struct gtp_head *h, uint8_t flags, size_t len, struct rd *r)
{
	struct rd in = { .left = rd_take(r, len) };

	h->rest = r->left;
	h->piggybacks = flags & V2_PIGGY;
	h->has_teid = flags & V2_TEID;
	h->has_seq = true;
	if (h->has_teid)
		h->teid = rd_be(&in, 4);
	h->seq = rd_be(&in, 3);
	rd_take(&in, 1);
	h->body = in.left;
	return r->err ? r->err : in.err;
}

enum err gtp_head(struct gtp_head *h, struct view raw)
{
	struct rd r = { .left = raw };
	uint8_t flags = (uint8_t)rd_be(&r, 1);
	size_t len;

	*h = (struct gtp_head){ .version = flags >> 5 };
	h->type = (uint8_t)rd_be(&r, 1);
	len = rd_be(&r, 2);
	if (r.err)
		return r.err;
	if (h->version == 1)
		return version_1(h, flags, len, &r);
	if (h->version == 2)
		return version_2(h, flags, len, &r);
	return ERR_VERSION;
}

static bool is_operator(struct view apn, size_t *ni)
{
	static const char form[] = ".mnc###.mcc###.gprs";
	const size_t n = sizeof form - 1;

	if (apn.n <= n)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = apn.p[apn.n - n + i];

		if (form[i] == '#' ? c < '0' || c > '9' : (c | 0x20) != (form[i] | 0x20))
			return false;
	}
	*ni = apn.n - n;
	return true;
}

struct view gtp_apn(struct view labels, char text[GTP_APN])
{
	struct view apn = { (const uint8_t *)text, 0 };
	struct rd r = { .left = labels };
	size_t ni;

	while (r.left.n > 0 && !r.err) {
		size_t n = rd_be(&r, 1);
		struct view label = rd_take(&r, n);

		if (r.err || n == 0 || apn.n + n + 1 >= GTP_APN)
			return (struct view){ 0 };
		if (apn.n > 0)
			text[apn.n++] = '.';
		memcpy(text + apn.n, label.p, n);
		apn.n += n;
	}
	for (size_t i = 0; i < apn.n; i++) {
		if (apn.p[i] < 0x21 || apn.p[i] > 0x7e)
			return (struct view){ 0 };
	}
	if (is_operator(apn, &ni))
		apn.n = ni;
	text[apn.n] = 0;
	return apn;
}

#define HAS_V4 0x80
#define HAS_V6 0x40

bool gtp_fteid(struct view value, struct gtp_fteid *f)
{
	struct rd r = { .left = value };
	uint8_t flags = (uint8_t)rd_be(&r, 1);

	*f = (struct gtp_fteid){ .interface = flags & 0x3f };
	f->teid = rd_be(&r, 4);
	if (flags & HAS_V4)
		f->v4 = rd_take(&r, 4);
	if (flags & HAS_V6)
		f->v6 = rd_take(&r, 16);
	return !r.err && (flags & (HAS_V4 | HAS_V6)) != 0;
}

/* --- writing ----------------------------------------------------------------------------------------- */

size_t gtp2_begin(struct wr *w, uint8_t type, const uint32_t *teid, uint32_t seq)
{
	size_t start = w->n;

	wr_be(w, 2u << 5 | (teid ? V2_TEID : 0u), 1);
	wr_be(w, type, 1);
	wr_be(w, 0, 2);
	if (teid)
		wr_be(w, *teid, 4);
	wr_be(w, seq, 3);
	wr_be(w, 0, 1);
	return start;
}

void gtp2_put(struct wr *w, uint8_t type, uint8_t instance, struct view value)
{
	wr_be(w, type, 1);
	wr_be(w, value.n, 2);
	wr_be(w, instance, 1);
	wr_view(w, value);
}

size_t gtp1_begin(struct wr *w, uint8_t type, uint32_t teid, uint16_t seq)
{
	size_t start = w->n;

	wr_be(w, 1u << 5 | V1_PT | V1_SEQ, 1);
	wr_be(w, type, 1);
	wr_be(w, 0, 2);
	wr_be(w, teid, 4);
	wr_be(w, seq, 2);
	wr_be(w, 0, 2);
	return start;
}

void gtp1_put(struct wr *w, uint8_t type, struct view value)
{
	wr_be(w, type, 1);
	if (type >= GTP1_TLV)
		wr_be(w, value.n, 2);
	wr_view(w, value);
}

void gtp_end(struct wr *w, size_t start, size_t head)
{
	if (!w->err)
		wr_at(w, start + 2, w->n - start - head, 2);
}
