#include "inspect/dns.h"

#define TYPE_A 1
#define TYPE_CNAME 5
#define TYPE_AAAA 28
#define CLASS_IN 1
#define RECORDS_MAX 64
#define LABEL_MAX 63

static uint32_t be(struct view m, size_t at, size_t width)
{
	uint32_t x = 0;

	for (size_t i = 0; i < width; i++)
		x = x << 8 | m.p[at + i];
	return x;
}

static char small(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c + 32);
	return c > 0x20 && c < 0x7f && c != '.' ? (char)c : '?'; /* no name of a profile holds that */
}

/* The name at `*at`, which then is behind it. A pointer leads back, or nowhere: so every name ends. */
static bool name_at(struct view m, size_t *at, char to[DNS_NAME])
{
	size_t p = *at, low = *at, n = 0;
	bool jumped = false;

	for (;;) {
		size_t length = p < m.n ? m.p[p] : SIZE_MAX;

		if (length == SIZE_MAX)
			return false;
		if (length >= 0xc0) {
			if (p + 1 >= m.n)
				return false;
			if (!jumped)
				*at = p + 2;
			jumped = true;
			p = (length & 0x3f) << 8 | m.p[p + 1];
			if (p >= low)
				return false;
			low = p;
			continue;
		}
		if (length > LABEL_MAX || p + 1 + length > m.n || n + length + 1 >= DNS_NAME)
			return false;
		if (length == 0)
			break;
		if (n > 0)
			to[n++] = '.';
		for (size_t i = 0; i < length; i++)
			to[n++] = small(m.p[p + 1 + i]);
		p += 1 + length;
	}
	to[n] = 0;
	if (!jumped)
		*at = p + 1;
	return true;
}

struct record {
	char owner[DNS_NAME];
	uint16_t type, class;
	uint32_t ttl;
	size_t data_at, data_n;
};

static bool record_at(struct view m, size_t *at, struct record *r)
{
	if (!name_at(m, at, r->owner) || m.n - *at < 10)
		return false;
	r->type = (uint16_t)be(m, *at, 2);
	r->class = (uint16_t)be(m, *at + 2, 2);
	r->ttl = be(m, *at + 4, 4);
	r->data_n = be(m, *at + 8, 2);
	r->data_at = *at + 10;
	if (r->data_n > m.n - r->data_at)
		return false;
	*at = r->data_at + r->data_n;
	return true;
}

static void take_address(struct dns *d, struct view m, const struct record *r, uint32_t ttl)
{
	uint8_t *to = d->address[d->address_n];

	if (d->address_n == DNS_ADDRESSES || r->data_n != (r->type == TYPE_A ? 4u : 16u))
		return;
	memset(to, 0, 16);
	if (r->type == TYPE_A)
		to[10] = to[11] = 0xff;
	memcpy(to + (r->type == TYPE_A ? 12 : 0), m.p + r->data_at, r->data_n);
	d->ttl_s[d->address_n++] = ttl;
}

static enum err answers(struct dns *d, struct view m, size_t at, size_t n)
{
	char now[DNS_NAME]; /* the name, or what it is an alias for */
	uint32_t ttl = UINT32_MAX;
	struct record r;

	memcpy(now, d->name, sizeof now);
	for (size_t i = 0; i < n && i < RECORDS_MAX; i++) {
		if (!record_at(m, &at, &r))
			return ERR_SHORT;
		if (r.class != CLASS_IN || strcmp(r.owner, now) != 0)
			continue;
		ttl = r.ttl < ttl ? r.ttl : ttl;
		if (r.type == TYPE_CNAME) {
			size_t data = r.data_at;

			if (!name_at(m, &data, now) || data != r.data_at + r.data_n)
				return ERR_LENGTH;
		} else if (r.type == TYPE_A || r.type == TYPE_AAAA) {
			take_address(d, m, &r, ttl);
		}
	}
	return ERR_OK;
}

enum err dns_parse(struct dns *d, struct view m)
{
	uint32_t flags;
	size_t at = 12;

	memset(d, 0, sizeof *d);
	if (m.n < 12)
		return ERR_SHORT;
	d->id = (uint16_t)be(m, 0, 2);
	flags = be(m, 2, 2);
	d->answer = flags & 0x8000;
	d->ok = d->answer && (flags & 0x7a0f) == 0; /* a query, not cut short, no error */
	if (be(m, 4, 2) != 1)
		return ERR_VALUE;
	if (!name_at(m, &at, d->name) || m.n - at < 4)
		return ERR_SHORT;
	d->type = (uint16_t)be(m, at, 2);
	if (be(m, at + 2, 2) != CLASS_IN)
		return ERR_VALUE;
	return d->ok ? answers(d, m, at + 4, be(m, 6, 2)) : ERR_OK;
}
