#include "inspect/pipe.h"

#include <netinet/in.h>
#include <stdlib.h>

#define ANSWER_MAX 1500

struct pipe {
	struct pipe_conf conf;
	struct pipe_ops ops;
	struct pipe_counts counts;
	struct allow *allow;
	struct frags *frags;
	uint64_t now_ms;
	uint32_t now_s;
	uint8_t answer[ANSWER_MAX], out[ANSWER_MAX + 128];
};

struct pipe *pipe_new(const struct pipe_conf *conf, const struct pipe_ops *ops)
{
	struct pipe *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->conf = *conf;
	p->ops = *ops;
	p->allow = allow_new(&conf->allow);
	p->frags = frags_new(conf->frags, conf->allow.key);
	if (p->allow && p->frags)
		return p;
	pipe_free(p);
	return NULL;
}

void pipe_free(struct pipe *p)
{
	if (!p)
		return;
	allow_free(p->allow);
	frags_free(p->frags);
	free(p);
}

void pipe_batch(struct pipe *p, const struct book *book, uint64_t now_ms, uint64_t wall_s)
{
	p->now_ms = now_ms;
	p->now_s = (uint32_t)wall_s;
	allow_batch(p->allow, book, p->conf.sessions, now_ms, wall_s);
}

const struct pipe_counts *pipe_counts(const struct pipe *p)
{
	return &p->counts;
}

struct allow *pipe_allow(struct pipe *p)
{
	return p->allow;
}

static enum pipe_act drop(struct pipe *p, enum drop why, const struct session_hit *hit,
			  const struct packet *in)
{
	p->counts.drop[why]++;
	if (p->ops.dropped)
		p->ops.dropped(p->ops.ctx, why, hit, in);
	return PIPE_DROP;
}

/* --- signalling ------------------------------------------------------------------------------- */

static enum pipe_act control(struct pipe *p, unsigned int side, const struct packet *in)
{
	struct wr w = { .p = p->answer, .cap = sizeof p->answer };
	struct wr out = { .p = p->out, .cap = sizeof p->out };
	enum pipe_word word;

	p->counts.control++;
	if (!p->ops.signalling)
		return PIPE_PASS;
	word = p->ops.signalling(p->ops.ctx, side, in, &w);
	if (word == WORD_PASS)
		return PIPE_PASS;
	if (word == WORD_ANSWER && w.n > 0 && !w.err) {
		pipe_answer(&out, in, wr_done(&w));
		if (!out.err && p->ops.send) {
			p->ops.send(p->ops.ctx, side, wr_done(&out));
			p->counts.answered++;
		}
	}
	return drop(p, DROP_SIGNALLING, NULL, in);
}

/* --- user packets ----------------------------------------------------------------------------- */

static enum pipe_act device_packet(struct pipe *p, const struct session_hit *hit, const struct packet *in)
{
	enum drop why = allow_check(p->allow, hit, in, in->ip.n);

	if (!why && p->ops.content)
		why = p->ops.content(p->ops.ctx, hit, in);
	return why ? drop(p, why, hit, in) : PIPE_PASS;
}

static struct view address_view(const uint8_t a[ADDRESS_BYTES])
{
	return address_is4(a) ? (struct view){ a + 12, 4 } : (struct view){ a, ADDRESS_BYTES };
}

static void mark(const struct pipe *p, const struct packet *out, const struct session_hit *hit,
		 uint8_t *frame)
{
	uint8_t dscp = dscp_of_qci(hit->qci);

	if (p->conf.mark && hit->qci > 0 && dscp != out->tos >> 2 && !(out->notes & PACKET_FRAGMENT))
		dscp_write(frame + (out->ip.p - frame), dscp);
}

/* A tunnel of a session whose device has no IP (TS 23.401 4.3.17.8): there is nothing inside to look at. */
static bool without_ip(const struct session_hit *hit)
{
	return hit->is.pdn_type == 4;
}

static enum pipe_act user(struct pipe *p, const struct packet *out, uint8_t *frame)
{
	struct session_hit hit;
	struct packet in;
	struct gtpu g;
	enum pipe_act act = PIPE_PASS;

	p->counts.user++;
	if (p->conf.screen_only)
		return PIPE_PASS;
	if (gtpu_parse(&g, out->payload) != ERR_OK)
		return drop(p, DROP_NOT_GTP, NULL, out);
	if (g.type != GTPU_PACKET && g.type != GTPU_END_MARKER)
		return PIPE_PASS;
	if (!sessions_tunnel(p->conf.sessions, PLANE_USER, address_view(out->flow.to), g.teid, p->now_s,
			     &hit))
		return drop(p, DROP_TUNNEL, NULL, out);
	if (g.type == GTPU_PACKET && !without_ip(&hit)) {
		if (packet_ip(&in, g.inner) != ERR_OK)
			return drop(p, DROP_MALFORMED, &hit, out);
		act = device_packet(p, &hit, &in);
	}
	if (act == PIPE_PASS && frame)
		mark(p, out, &hit, frame);
	return act;
}

static enum pipe_act plain(struct pipe *p, const struct packet *in)
{
	struct session_hit hit = { .up = 1 };

	if (!sessions_device(p->conf.sessions, address_view(in->flow.from), p->now_s, &hit.is)) {
		hit.up = 0;
		if (!sessions_device(p->conf.sessions, address_view(in->flow.to), p->now_s, &hit.is))
			return PIPE_PASS;
	}
	p->counts.plain++;
	hit.qci = hit.is.qci;
	return device_packet(p, &hit, in);
}

/* --- all of them ------------------------------------------------------------------------------ */

/* `frame` NULL: put together from parts. */
static enum pipe_act judge(struct pipe *p, unsigned int side, const struct packet *in, uint8_t *frame)
{
	const struct packet_flow *f = &in->flow;

	if (f->protocol == IPPROTO_UDP) {
		if (f->to_port == GTPU_PORT)
			return user(p, in, frame);
		if (f->to_port == GTPC_PORT || f->from_port == GTPC_PORT)
			return control(p, side, in);
		if (f->from_port == GTPU_PORT && gtp_like(in->payload))
			return user(p, in, frame);
	}
	if (p->conf.plain)
		return plain(p, in);
	p->counts.other++;
	return PIPE_PASS;
}

/* Parts of GTP's datagrams are judged when they are whole: what a filter cannot read it cannot let pass. */
static enum pipe_act part(struct pipe *p, unsigned int side, const struct packet *in)
{
	struct packet whole;
	struct view v;
	enum frag frag = frags_take(p->frags, in, p->now_ms, &v);

	if (frag == FRAG_BAD)
		return drop(p, DROP_FRAGMENT, NULL, in);
	if (frag == FRAG_WAIT)
		return PIPE_KEPT;
	if (packet_ip(&whole, v) != ERR_OK)
		return drop(p, DROP_MALFORMED, NULL, in);
	whole.frame = in->frame; /* of the last part: what an answer is turned round from */
	if (judge(p, side, &whole, NULL) != PIPE_PASS)
		return PIPE_DROP;
	for (size_t i = 0; p->ops.send && (v = frags_frame(p->frags, i)).n > 0; i++)
		p->ops.send(p->ops.ctx, !side, v);
	return PIPE_KEPT;
}

/* The plainest form alone: no tags, no options. What is read here is read again, and judged, by pipe_frame.
 */
static bool plainest(const struct view *f, struct view *address, uint32_t *teid)
{
	const uint8_t *b = f->p;

	if (f->n < 14 + 20 + 8 + 8 || be16(b + 12) != 0x0800 || b[14] != 0x45 || b[23] != IPPROTO_UDP ||
	    be16(b + 36) != GTPU_PORT)
		return false;
	*address = (struct view){ b + 30, 4 };
	*teid = be32(b + 46);
	return true;
}

void pipe_ahead(const struct pipe *p, const struct view *frame, size_t n)
{
	struct session_ahead a[PIPE_AHEAD];
	struct view address;
	uint32_t teid;
	size_t k = 0;

	for (size_t i = 0; i < n && i < PIPE_AHEAD; i++) {
		if (plainest(&frame[i], &address, &teid))
			sessions_ahead(p->conf.sessions, PLANE_USER, address, teid, &a[k++]);
	}
	for (size_t i = 0; i < k; i++)
		sessions_ahead_cell(p->conf.sessions, &a[i]);
	for (size_t i = 0; i < k; i++)
		sessions_ahead_row(p->conf.sessions, &a[i]);
	for (size_t i = 0; i < k; i++)
		allow_ahead(p->allow, a[i].id);
}

enum pipe_act pipe_frame(struct pipe *p, unsigned int side, uint8_t *frame, size_t n, int link)
{
	struct packet in;
	enum pipe_act act;
	enum err err = packet_parse(&in, (struct view){ frame, n }, link);

	p->counts.frames++;
	p->counts.octets += n;
	if (err == ERR_UNKNOWN) { /* ARP and its like: the wire is a wire */
		p->counts.other++;
		act = PIPE_PASS;
	} else if (err) {
		act = drop(p, DROP_MALFORMED, NULL, NULL);
	} else if (in.notes & PACKET_FRAGMENT && in.flow.protocol == IPPROTO_UDP && !p->conf.plain) {
		act = part(p, side, &in);
	} else {
		act = judge(p, side, &in, frame);
	}
	p->counts.passed += act == PIPE_PASS;
	p->counts.kept += act == PIPE_KEPT;
	return act;
}
