/* Values: from text to a cell and back. One reader a kind. */
#include "records/model.h"

#include "judge/book.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct reading {
	const struct column *c;
	struct view text;
	struct cell *to;      /* text goes to `room`, then into the row */
	struct wr *room;
	struct say *s;
};

static enum err no(const struct reading *in, const char *why)
{
	say(in->s, "%s: \"%.*s\" %s", in->c->name, (int)(in->text.n < 80 ? in->text.n : 80),
	    (const char *)in->text.p, why);
	return ERR_VALUE;
}

static bool digits_only(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
	}
	return v.n > 0;
}

static bool number(struct view v, int64_t *to)
{
	bool minus = v.n > 0 && v.p[0] == '-';
	int64_t n = 0;

	v = (struct view){ v.p + minus, v.n - minus };
	if (!digits_only(v) || v.n > 17)
		return false;
	for (size_t i = 0; i < v.n; i++)
		n = n * 10 + (v.p[i] - '0');
	*to = minus ? -n : n;
	return true;
}

static bool between(uint8_t c)
{
	return c == ' ' || c == ',' || c == ';';
}

struct view model_word(struct view *left)
{
	struct view w;
	size_t n = 0;

	while (left->n > 0 && between(left->p[0]))
		*left = (struct view){ left->p + 1, left->n - 1 };
	while (n < left->n && !between(left->p[n]))
		n++;
	w = view_first(*left, n);
	*left = (struct view){ left->p + n, left->n - n };
	return w;
}

/* The place of `v` in "a|b|c"; -1 if it is not there. An empty name has a number but no text. */
static int name_place(const char *names, struct view v)
{
	for (int i = 0; *names; i++) {
		size_t n = strcspn(names, "|");

		if (n > 0 && view_eq(v, (struct view){ (const uint8_t *)names, n }))
			return i;
		names += n + (names[n] == '|');
	}
	return -1;
}

static struct view name_at(const char *names, int64_t place)
{
	for (int64_t i = 0; *names; i++) {
		size_t n = strcspn(names, "|");

		if (i == place)
			return (struct view){ (const uint8_t *)names, n };
		names += n + (names[n] == '|');
	}
	return (struct view){ 0 };
}

static enum err one_of(const struct reading *in)
{
	const char *names = in->c->names[0] == '|' ? in->c->names + 1 : in->c->names;
	int place = name_place(in->c->names, in->text);

	if (place < 0) {
		say(in->s, "%s: \"%.*s\" is not one of %s", in->c->name,
		    (int)(in->text.n < 40 ? in->text.n : 40), (const char *)in->text.p, names);
		return ERR_VALUE;
	}
	in->to->num = place;
	return ERR_OK;
}

static enum err some_of(const struct reading *in)
{
	struct view left = in->text, w;
	int64_t bits = 0;

	while ((w = model_word(&left)).n > 0) {
		int place = name_place(in->c->names, w);

		if (place < 0) {
			say(in->s, "%s: \"%.*s\" is not one of %s", in->c->name,
			    (int)(w.n < 40 ? w.n : 40), (const char *)w.p,
			    in->c->names + (in->c->names[0] == '|'));
			return ERR_VALUE;
		}
		bits |= (int64_t)1 << place;
	}
	in->to->num = bits;
	return ERR_OK;
}

static enum err flag(const struct reading *in)
{
	int place = name_place("no|yes|0|1|false|true", in->text);

	if (place < 0)
		return no(in, "is neither yes nor no");
	in->to->num = place & 1;
	return ERR_OK;
}

static enum err numeral(const struct reading *in)
{
	int64_t n;

	if (!number(in->text, &n))
		return no(in, "is no number");
	if (n < in->c->min || n > in->c->max) {
		say(in->s, "%s: %lld is not between %lld and %lld", in->c->name, (long long)n,
		    (long long)in->c->min, (long long)in->c->max);
		return ERR_VALUE;
	}
	in->to->num = n;
	return ERR_OK;
}

static enum err moment(const struct reading *in)
{
	char text[32];
	struct tm tm = { .tm_isdst = 0 };
	const char *end;
	time_t t;

	if (digits_only(in->text))
		return numeral(in);
	if (!view_text(in->text, text, sizeof text))
		return no(in, "is no time");
	end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!end) {
		tm = (struct tm){ .tm_isdst = 0 };
		end = strptime(text, "%Y-%m-%d", &tm);
	}
	t = end && !*end ? timegm(&tm) : -1;
	if (t < 0 || t > UINT32_MAX)
		return no(in, "is no time like 2026-11-25 or 2026-11-25T10:00:00Z");
	in->to->num = t;
	return ERR_OK;
}

static enum err digits(const struct reading *in)
{
	if (!digits_only(in->text))
		return no(in, "is not all digits");
	if (in->text.n < (size_t)in->c->min || in->text.n > (size_t)in->c->max) {
		say(in->s, "%s: %zu digits, not %d to %d", in->c->name, in->text.n,
		    (int)in->c->min, (int)in->c->max);
		return ERR_LENGTH;
	}
	wr_view(in->room, in->text);
	return ERR_OK;
}

static enum err imei(const struct reading *in)
{
	if (!digits_only(in->text) || in->text.n < 8 || (in->text.n > 8 && in->text.n < 14) ||
	    in->text.n > 16)
		return no(in, "is neither an IMEI of 14 to 16 digits nor a TAC of 8");
	wr_view(in->room, view_first(in->text, in->text.n == 8 ? 8 : 14));
	return ERR_OK;
}

/* How many bytes the UTF-8 character at `v` has (RFC 3629); 0: it is none. */
static size_t utf8(struct view v)
{
	size_t n = v.p[0] < 0x80 ? 1 : v.p[0] >= 0xc2 && v.p[0] < 0xe0 ? 2 :
		   (v.p[0] & 0xf0) == 0xe0 ? 3 : v.p[0] >= 0xf0 && v.p[0] < 0xf5 ? 4 : 0;

	if (n > v.n || (v.p[0] == 0xe0 && v.p[1] < 0xa0) || (v.p[0] == 0xed && v.p[1] > 0x9f) ||
	    (v.p[0] == 0xf0 && v.p[1] < 0x90) || (v.p[0] == 0xf4 && v.p[1] > 0x8f))
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((v.p[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

static enum err text(const struct reading *in)
{
	if (in->text.n > (size_t)in->c->max) {
		say(in->s, "%s: longer than %d bytes", in->c->name, (int)in->c->max);
		return ERR_LENGTH;
	}
	for (size_t i = 0, n; i < in->text.n; i += n) {
		n = utf8((struct view){ in->text.p + i, in->text.n - i });
		if (n == 0 || in->text.p[i] < 0x20 || in->text.p[i] == 0x7f)
			return no(in, "holds what is no printable UTF-8");
	}
	wr_view(in->room, in->text);
	return ERR_OK;
}

static bool host_ok(struct view v)
{
	size_t label = 0;

	for (size_t i = 0; i < v.n; i++) {
		uint8_t c = v.p[i] | 0x20;

		if (v.p[i] == '.' ? label == 0 : !(c >= 'a' && c <= 'z') && v.p[i] != '-' &&
						  !(v.p[i] >= '0' && v.p[i] <= '9'))
			return false;
		label = v.p[i] == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return label > 0;
}

static enum err host(const struct reading *in)
{
	if (!host_ok(in->text) || in->text.n > (size_t)in->c->max)
		return no(in, "is no domain name");
	for (size_t i = 0; i < in->text.n; i++) {
		uint8_t c = in->text.p[i];

		wr_be(in->room, c >= 'A' && c <= 'Z' ? c + 32U : c, 1);
	}
	return ERR_OK;
}

static bool prefix_ok(struct view v)
{
	char text[44], *slash;
	uint8_t address[16];
	int64_t bits = 0;
	int family;

	if (!view_text(v, text, sizeof text))
		return false;
	slash = strchr(text, '/');
	if (slash)
		*slash = 0;
	family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(family, text, address) != 1)
		return false;
	return !slash || (number(view_of(slash + 1), &bits) && bits >= 0 &&
			  bits <= (family == AF_INET ? 32 : 128));
}

static enum err several(const struct reading *in)
{
	int64_t most = strtol(in->c->names, NULL, 10), n = 0;
	struct view left = in->text, w;

	while ((w = model_word(&left)).n > 0) {
		if (in->c->kind == K_NETS ? !prefix_ok(w) :
		    !digits_only(w) || w.n < (size_t)in->c->min || w.n > (size_t)in->c->max)
			return no(in, in->c->kind == K_NETS ? "holds what is no address prefix" :
				  "holds what is no number of the right length");
		if (n++ == most)
			return no(in, "holds too many");
		wr_view(in->room, n > 1 ? VIEW(" ") : VIEW(""));
		wr_view(in->room, w);
	}
	return ERR_OK;
}

static enum err reach(const struct reading *in)
{
	int64_t most = strtol(in->c->names, NULL, 10), n = 0;
	struct view left = in->text, w;
	struct reach_row row;

	while ((w = model_word(&left)).n > 0) {
		if (w.n > (size_t)in->c->max || model_reach(w, &row))
			return no(in, "holds what is no [PROTOCOL:]WHERE[:PORT[-PORT]]: WHERE is an IPv4 "
				      "prefix, an IPv6 prefix in [], NAME or *.NAME; PROTOCOL is tcp, "
				      "udp, sctp, icmp or any");
		if (n++ == most)
			return no(in, "holds too many");
		wr_view(in->room, n > 1 ? VIEW(" ") : VIEW(""));
		for (size_t i = 0; i < w.n; i++)
			wr_be(in->room, w.p[i] >= 'A' && w.p[i] <= 'Z' ? w.p[i] + 32U : w.p[i], 1);
	}
	return ERR_OK;
}

static bool apn_name_ok(struct view v)
{
	return v.n > 0 && v.n < 64 && host_ok(v); /* "*" is no name (R-5.1.b) */
}

enum err model_apn(struct view v, struct model_apn *a, struct say *s)
{
	static const char *const pdn = "ipv4|ipv6|ipv4v6||non-ip"; /* TS 29.272 7.3.62 */
	struct view part[6];
	int64_t num[6] = { 0, 0, 9, 10, 1000000, 1000000 };

	for (int i = 0; i < 6; i++) {
		size_t n = 0;

		while (n < v.n && v.p[n] != ':')
			n++;
		part[i] = view_first(v, n);
		v = n < v.n ? (struct view){ v.p + n + 1, v.n - n - 1 } : (struct view){ 0 };
	}
	num[1] = part[1].n > 0 ? name_place(pdn, part[1]) : 0;
	if (!apn_name_ok(part[0])) {
		say(s, "APN \"%.*s\": no APN name (a wildcard is refused: R-5.1.b)",
		    (int)(part[0].n < 80 ? part[0].n : 80), (const char *)part[0].p);
		return ERR_VALUE;
	}
	for (int i = 2; i < 6; i++) {
		if (part[i].n > 0 && !number(part[i], &num[i]))
			num[i] = -1;
	}
	if (v.n > 0 || num[1] < 0 || num[2] < 1 || num[2] > 254 || num[3] < 1 || num[3] > 15 ||
	    num[4] < 0 || num[4] > UINT32_MAX || num[5] < 0 || num[5] > UINT32_MAX) {
		say(s, "APN: not name:pdn:qci:arp:ul:dl with pdn ipv4, ipv6, ipv4v6 or non-ip, "
		       "QCI 1..254, ARP 1..15");
		return ERR_VALUE;
	}
	*a = (struct model_apn){ part[0], (uint32_t)num[1], (uint32_t)num[2], (uint32_t)num[3],
				 (uint32_t)num[4], (uint32_t)num[5] };
	return ERR_OK;
}

static enum err apn(const struct reading *in)
{
	struct model_apn a;
	enum err err = model_apn(in->text, &a, in->s);

	if (!err)
		err = text(in);
	return err;
}

static enum err (*const readers[])(const struct reading *in) = {
	[K_TEXT] = text, [K_DIG] = digits, [K_NUM] = numeral, [K_FLAG] = flag, [K_ENUM] = one_of,
	[K_BITS] = some_of, [K_TIME] = moment, [K_REF] = text, [K_DIGS] = several,
	[K_NETS] = several, [K_HOST] = host, [K_IMEI] = imei, [K_APN] = apn,
	[K_REACH] = reach,
};

enum err row_set(struct row *r, unsigned int column, struct view v, struct say *s)
{
	const struct column *c = &model_columns[model_objects[r->object].first + column];
	struct wr room = { .p = (uint8_t *)r->room + r->used, .cap = sizeof r->room - r->used };
	struct cell cell = { 0 };
	struct reading in = { c, v, &cell, &room, s };
	enum err err = ERR_OK;

	if (v.n == 0 && c->flags & F_NEED) {
		say(s, "%s: missing", c->name);
		return ERR_MISSING;
	}
	if (v.n == 0 && (c->kind == K_NUM || c->kind == K_ENUM || c->kind == K_FLAG)) {
		in.text = view_of(c->def); /* an empty field of a CSV: the default */
	}
	if (in.text.n > 0)
		err = readers[c->kind](&in);
	if (!err && room.err) {
		say(s, "%s: the record is too long", c->name);
		err = ERR_LENGTH;
	}
	if (err)
		return err;
	cell.text = (struct view){ room.p, room.n };
	r->used += room.n;
	r->cell[column] = cell;
	r->given |= 1U << column;
	return ERR_OK;
}

static void put_time(struct wr *w, int64_t at)
{
	time_t t = at;
	struct tm tm;
	char text[32];

	if (at == 0 || !gmtime_r(&t, &tm))
		return;
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	wr_view(w, view_of(text));
}

void row_text(struct wr *w, const struct row *r, unsigned int column)
{
	const struct column *c = &model_columns[model_objects[r->object].first + column];
	const struct cell *cell = &r->cell[column];
	char text[32];

	if (!model_is_num(c->kind)) {
		wr_view(w, cell->text);
	} else if (c->kind == K_TIME) {
		put_time(w, cell->num);
	} else if (c->kind == K_FLAG) {
		wr_view(w, cell->num ? VIEW("yes") : VIEW("no"));
	} else if (c->kind == K_ENUM) {
		wr_view(w, name_at(c->names, cell->num));
	} else if (c->kind == K_BITS) {
		for (int i = 0, n = 0; i < 32; i++) {
			if (!(cell->num >> i & 1))
				continue;
			wr_view(w, n++ ? VIEW(" ") : VIEW(""));
			wr_view(w, name_at(c->names, i));
		}
	} else {
		snprintf(text, sizeof text, "%lld", (long long)cell->num);
		wr_view(w, view_of(text));
	}
}
