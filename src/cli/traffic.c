#include "cli/traffic.h"

#include "inspect/gtpu.h"
#include "judge/sightings.h"

#include <stdlib.h>
#include <sys/random.h>

#define SESSIONS 262144

void spans_add(struct spans *s, uint64_t at_us, enum series series, double n)
{
	size_t at;

	if (s->width_us == 0) {
		s->first_us = at_us;
		s->width_us = 10000;
	}
	while (at_us >= s->first_us && (at_us - s->first_us) / s->width_us >= SPANS) {
		for (size_t k = 0; k < SERIES_N; k++) {
			for (size_t i = 0; i < SPANS; i++)
				s->v[k][i] = 2 * i + 1 < SPANS ? s->v[k][2 * i] + s->v[k][2 * i + 1] : 0;
		}
		s->n = (s->n + 1) / 2;
		s->width_us *= 2;
	}
	at = at_us < s->first_us ? 0 : (size_t)((at_us - s->first_us) / s->width_us);
	s->v[series][at] += n;
	s->n = at + 1 > s->n ? at + 1 : s->n;
}

static bool open_gtp(struct traffic *t, const struct gtpc_conf *conf, const uint8_t key[HASH_KEY])
{
	t->sessions = sessions_new(SESSIONS, 0, key);
	if (!t->sessions)
		return false;
	t->gtpc = gtpc_new(conf, t->book ? t->book : &book_empty, t->seen, t->sessions, key);
	return t->gtpc != NULL;
}

bool traffic_open(struct traffic *t, const struct book *book, struct sightings *seen,
		  const struct gtpc_conf *gtp)
{
	struct content_conf conf = {.book = book, .passive = true};

	*t = (struct traffic){.book = book, .seen = seen};
	if (getrandom(conf.key, sizeof conf.key, 0) != sizeof conf.key)
		return false;
	t->content = content_new(&conf);
	return t->content && open_gtp(t, gtp, conf.key);
}

void traffic_close(struct traffic *t)
{
	if (t->gtpc)
		gtpc_free(t->gtpc);
	if (t->sessions)
		sessions_free(t->sessions);
	content_free(t->content);
	*t = (struct traffic){0};
}

static struct view address_view(const uint8_t a[ADDRESS_BYTES])
{
	return address_is4(a) ? (struct view){a + 12, 4} : (struct view){a, ADDRESS_BYTES};
}

static void inspect(struct traffic *t, const struct packet *p, const struct session_hit *hit,
		    uint64_t at_us)
{
	/* With records, a tunnel or a SIM that nobody knows is somebody's who has not agreed. */
	static const struct session stranger;
	struct content_counts before = *content_counts(t->content);
	const struct content_counts *now = content_counts(t->content);
	const struct session *s = hit ? &hit->is : NULL;

	(void)content_packet(t->content, p,
			     s			  ? s
			     : t->book && t->user ? &stranger
						  : NULL,
			     hit ? hit->up : true, at_us);
	spans_add(&t->spans, at_us, SERIES_LEAKS, (double)(now->leaks - before.leaks));
	spans_add(&t->spans, at_us, SERIES_THREATS, (double)(now->threats - before.threats));
}

static void control(struct traffic *t, const struct packet *p, uint64_t at_us)
{
	static struct gtpc_result r;
	struct gtpc_packet g = {.payload = p->payload,
				.from = address_view(p->flow.from),
				.to = address_view(p->flow.to),
				.from_port = p->flow.from_port,
				.to_port = p->flow.to_port,
				.now_ms = at_us / 1000};

	t->control++;
	gtpc_take(t->gtpc, &g, &r);
	if (t->told)
		t->told(t->told_ctx, &g, &r);
	if (!r.err && r.head.version < 3)
		t->message[r.head.version][r.head.type]++;
	spans_add(&t->spans, at_us, SERIES_SIGNALLING, 1);
	if (r.act != GTPC_FORWARD)
		spans_add(&t->spans, at_us, SERIES_REFUSED, 1);
}

static bool tunnelled(struct traffic *t, const struct packet *p, uint64_t at_us)
{
	struct session_hit hit;
	struct packet in;
	struct gtpu g;

	if (gtpu_parse(&g, p->payload) || g.type != GTPU_PACKET || packet_ip(&in, g.inner))
		return false;
	t->user++;
	if (sessions_tunnel(t->sessions, PLANE_USER, address_view(p->flow.to), g.teid,
			    (uint32_t)(at_us / 1000000), &hit)) {
		inspect(t, &in, &hit, at_us);
	} else {
		t->unknown_tunnel++;
		inspect(t, &in, NULL, at_us);
	}
	return true;
}

/* Outside of tunnels: a device's, if its address is a session's. */
static void plain(struct traffic *t, const struct packet *p, uint64_t at_us)
{
	struct session_hit hit = {.up = 1};
	uint32_t now_s = (uint32_t)(at_us / 1000000);
	bool known = sessions_n(t->sessions) > 0 &&
		     sessions_device(t->sessions, address_view(p->flow.from), now_s, &hit.is);

	t->plain++;
	if (!known && sessions_n(t->sessions) > 0) {
		known = sessions_device(t->sessions, address_view(p->flow.to), now_s, &hit.is);
		hit.up = 0;
	}
	inspect(t, p, known ? &hit : NULL, at_us);
}

void traffic_packet(struct traffic *t, int link, struct view frame, uint64_t at_us)
{
	struct packet p;
	enum err err = packet_parse(&p, frame, link);
	size_t sessions = sessions_n(t->sessions), now;
	bool udp;

	t->packets++;
	t->last_us = at_us > t->last_us ? at_us : t->last_us;
	spans_add(&t->spans, at_us, SERIES_PACKETS, 1);
	spans_add(&t->spans, at_us, SERIES_BYTES, (double)frame.n);
	if (err) {
		*(err == ERR_UNKNOWN ? &t->other : &t->malformed) += 1;
		return;
	}
	udp = p.flow.protocol == 17 && !(p.notes & PACKET_LATER);
	if (udp && (p.flow.to_port == GTPC_PORT || p.flow.from_port == GTPC_PORT))
		control(t, &p, at_us);
	else if (!(udp && (p.flow.to_port == GTPU_PORT || p.flow.from_port == GTPU_PORT) &&
		   tunnelled(t, &p, at_us)))
		plain(t, &p, at_us);
	now = sessions_n(t->sessions);
	if (now > sessions)
		spans_add(&t->spans, at_us, SERIES_SESSIONS, (double)(now - sessions));
}

void traffic_end(struct traffic *t)
{
	content_end(t->content, t->last_us);
}
