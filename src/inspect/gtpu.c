#include "inspect/gtpu.h"

#include "inspect/packet.h"

#define VERSION_1 0x20 /* with the bit of GTP, as opposed to GTP' */
#define NOT_PRIME 0x10
#define HAS_EXTENSION 4
#define HAS_SEQ 2
#define HAS_NPDU 1
#define EXTENSIONS_MAX 16
#define EXT_PDU_SESSION 0x85

/* Extensions that exist (TS 29.281 figure 5.2.1-3). Of others, 11 in the first two bits says that who ends
 * the tunnel must know them. */
static const uint8_t known[] = { 0x03, 0x20, 0x40, 0x81, 0x82, 0x83, 0x84, 0x85, 0xc0 };

static bool must_know(uint8_t type)
{
	for (size_t i = 0; i < sizeof known; i++) {
		if (known[i] == type)
			return false;
	}
	return type >> 6 == 3;
}

/* The chain of extension headers: length in units of 4, content, type of the next. */
static enum err extensions(struct gtpu *g, struct rd *r, uint8_t next)
{
	while (next != 0) {
		size_t n = (size_t)rd_be(r, 1) * 4;
		struct view v = rd_take(r, n < 2 ? SIZE_MAX : n - 2);
		uint8_t type = next;

		next = (uint8_t)rd_be(r, 1);
		if (r->err || g->extension_n == EXTENSIONS_MAX)
			return ERR_LENGTH;
		g->extension_n++;
		if (must_know(type))
			return ERR_UNKNOWN;
		if (type == EXT_PDU_SESSION && v.n >= 2) {
			g->has_qfi = 1;
			g->pdu_type = v.p[0] >> 4;
			g->qfi = v.p[1] & 0x3f;
		}
	}
	return ERR_OK;
}

static bool of_gtpu(uint8_t type)
{
	return type == GTPU_ECHO_REQUEST || type == GTPU_ECHO_RESPONSE || type == GTPU_ERROR ||
	       type == GTPU_EXTENSIONS || type == GTPU_STATUS || type == GTPU_END_MARKER ||
	       type == GTPU_PACKET;
}

enum err gtpu_parse(struct gtpu *g, struct view payload)
{
	struct rd r = { .left = payload };
	uint8_t flags = (uint8_t)rd_be(&r, 1), next = 0;
	size_t length;
	enum err err = ERR_OK;

	*g = (struct gtpu){ .type = (uint8_t)rd_be(&r, 1) };
	length = rd_be(&r, 2);
	g->teid = rd_be(&r, 4);
	if (r.err)
		return ERR_SHORT;
	if ((flags & 0xe0) != VERSION_1 || !(flags & NOT_PRIME))
		return ERR_VERSION;
	if (length != r.left.n) /* what lies behind would be seen by nobody */
		return length > r.left.n ? ERR_SHORT : ERR_LENGTH;
	if (!of_gtpu(g->type))
		return ERR_UNKNOWN;
	if (flags & (HAS_EXTENSION | HAS_SEQ | HAS_NPDU)) {
		g->seq = (uint16_t)rd_be(&r, 2);
		rd_take(&r, 1);
		next = (uint8_t)rd_be(&r, 1);
		g->has_seq = (flags & HAS_SEQ) != 0;
		if (r.err)
			return ERR_LENGTH;
		if (flags & HAS_EXTENSION)
			err = extensions(g, &r, next);
	}
	g->inner = r.left;
	return err;
}

bool gtp_like(struct view v)
{
	uint8_t version;
	size_t length;

	if (v.n < 8)
		return false;
	version = v.p[0] >> 5;
	length = be16(v.p + 2);
	if (version == 1) /* GTPv1, and GTP' with its header of 6 */
		return length + 8 == v.n || (!(v.p[0] & NOT_PRIME) && length + 6 == v.n);
	if (version == 2) /* perhaps with another message behind it (TS 29.274 5.5.1) */
		return v.p[0] & 0x10 ? length + 4 < v.n && (v.p[length + 4] >> 5) == 2 : length + 4 == v.n;
	return version == 0 && v.n >= 20 && length + 20 == v.n;
}
