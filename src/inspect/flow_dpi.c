/* nDPI (libndpi 4.2): which protocol, which risks, what its TLS says of itself. */
#include "inspect/flow_in.h"

#include <ndpi_api.h>
#include <stdlib.h>

#define TCP_PACKETS 80 /* as ndpiReader */
#define UDP_PACKETS 24

struct dpi {
	struct ndpi_detection_module_struct *ndpi;
	struct ndpi_flow_struct *pool;
	uint16_t *free_place, free_n, max;
};

struct dpi *dpi_new(size_t max)
{
	struct dpi *d = calloc(1, sizeof *d);
	NDPI_PROTOCOL_BITMASK all;

	if (!d)
		return NULL;
	d->max = (uint16_t)(max < 65000 ? max : 65000);
	d->pool = calloc(d->max, sizeof *d->pool);
	d->free_place = calloc(d->max, sizeof *d->free_place);
	d->ndpi = ndpi_init_detection_module(ndpi_no_prefs);
	if (!d->pool || !d->free_place || !d->ndpi) {
		dpi_free(d);
		return NULL;
	}
	NDPI_BITMASK_SET_ALL(all);
	ndpi_set_protocol_detection_bitmask2(d->ndpi, &all);
	ndpi_finalize_initialization(d->ndpi);
	for (uint16_t i = 0; i < d->max; i++)
		d->free_place[d->free_n++] = (uint16_t)(d->max - i);
	return d;
}

void dpi_free(struct dpi *d)
{
	if (!d)
		return;
	for (uint16_t i = 0; d->pool && i < d->max; i++)
		ndpi_free_flow_data(&d->pool[i]);
	if (d->ndpi)
		ndpi_exit_detection_module(d->ndpi);
	free(d->pool);
	free(d->free_place);
	free(d);
}

size_t dpi_bytes(const struct dpi *d)
{
	return d->max * (sizeof *d->pool + sizeof *d->free_place);
}

uint16_t dpi_take(struct dpi *d)
{
	uint16_t place = d->free_n > 0 ? d->free_place[--d->free_n] : 0;

	if (place)
		memset(&d->pool[place - 1], 0, sizeof *d->pool);
	return place;
}

void dpi_give(struct dpi *d, uint16_t place)
{
	ndpi_free_flow_data(&d->pool[place - 1]);
	memset(&d->pool[place - 1], 0, sizeof *d->pool); /* what it copied of payloads */
	d->free_place[d->free_n++] = place;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint64_t fingerprint(const char ja3[33])
{
	uint64_t x = 0;

	for (int i = 0; i < 16; i++) {
		if (hex(ja3[i]) < 0)
			return 0;
		x = x << 4 | (uint64_t)hex(ja3[i]);
	}
	return x;
}

static bool is_one_of(const ndpi_protocol *is, uint16_t protocol)
{
	return is->master_protocol == protocol || is->app_protocol == protocol;
}

static void read_flow(struct ndpi_flow_struct *f, const ndpi_protocol *is, struct dpi_verdict *v)
{
	size_t n = strnlen(f->host_server_name, sizeof f->host_server_name);

	*v = (struct dpi_verdict){
	    .protocol = is->master_protocol, .app = is->app_protocol, .risks = f->risk};
	for (size_t i = 0; i < n && i + 1 < sizeof v->name; i++) {
		char c = f->host_server_name[i];

		v->name[i] = (char)(c > ' ' && c < 0x7f ? c : '?');
	}
	if (is_one_of(is, NDPI_PROTOCOL_TLS) || is_one_of(is, NDPI_PROTOCOL_QUIC) ||
	    is_one_of(is, NDPI_PROTOCOL_DTLS)) {
		v->tls = f->protos.tls_quic.ssl_version;
		v->client = fingerprint(f->protos.tls_quic.ja3_client);
		v->encrypted = true;
	}
	v->encrypted = v->encrypted || is_one_of(is, NDPI_PROTOCOL_SSH) ||
		       is_one_of(is, NDPI_PROTOCOL_IP_IPSEC) || is_one_of(is, NDPI_PROTOCOL_OPENVPN) ||
		       is_one_of(is, NDPI_PROTOCOL_WIREGUARD);
}

bool dpi_packet(struct dpi *d, uint16_t place, const struct packet *p, uint64_t now_us,
		struct dpi_verdict *v)
{
	struct ndpi_flow_struct *f = &d->pool[place - 1];
	bool tcp = p->flow.protocol == 6;
	ndpi_protocol is;

	if (p->ip.n > UINT16_MAX)
		return false;
	is = ndpi_detection_process_packet(d->ndpi, f, p->ip.p, (uint16_t)p->ip.n, now_us / 1000);
	if (f->num_processed_pkts >= (tcp ? TCP_PACKETS : UDP_PACKETS)) {
		dpi_give_up(d, place, v);
		return true;
	}
	if (is.app_protocol == NDPI_PROTOCOL_UNKNOWN && is.master_protocol == NDPI_PROTOCOL_UNKNOWN)
		return false;
	if (ndpi_extra_dissection_possible(d->ndpi, f))
		return false;
	read_flow(f, &is, v);
	v->sure = true;
	return true;
}

void dpi_give_up(struct dpi *d, uint16_t place, struct dpi_verdict *v)
{
	struct ndpi_flow_struct *f = &d->pool[place - 1];
	uint8_t guessed = 0;
	ndpi_protocol is = ndpi_detection_giveup(d->ndpi, f, 1, &guessed);

	read_flow(f, &is, v);
}

const char *dpi_protocol(struct dpi *d, uint16_t protocol, uint16_t app, char text[64])
{
	ndpi_protocol is = {.master_protocol = protocol, .app_protocol = app};

	return ndpi_protocol2name(d->ndpi, is, text, 64);
}

const char *flows_risk(unsigned int bit)
{
	return bit < NDPI_MAX_RISK ? ndpi_risk2str((ndpi_risk_enum)bit) : "?";
}
