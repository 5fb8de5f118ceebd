/* Places: NMEA sentences with a checksum and a fix; latitude and longitude by name; pairs named as a place.
 */
#include "inspect/scan_in.h"

#define SENTENCE 96 /* NMEA 0183 says 82 */

static int hex(uint8_t c)
{
	return is_digit(c) ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* From '$' to before '*', checksum right; empty: not. */
static struct view sentence(const struct find *f, size_t at)
{
	uint8_t sum = 0;

	for (size_t i = at + 1; i < f->in.n && i < at + SENTENCE; i++) {
		uint8_t c = f->in.p[i];

		if (c == '*') {
			int a = hex(find_byte(f, i + 1)), b = hex(find_byte(f, i + 2));

			if (a < 0 || b < 0 || (a << 4 | b) != sum)
				break;
			return (struct view){f->in.p + at, i - at};
		}
		if (c < 0x20 || c >= 0x7f || c == '$')
			break;
		sum ^= c;
	}
	return (struct view){0};
}

static struct view field(struct view s, unsigned int k)
{
	size_t from = 0, i;

	for (; k > 0 && from < s.n; from++)
		k -= s.p[from] == ',';
	for (i = from; i < s.n && s.p[i] != ',';)
		i++;
	return (struct view){s.p + from, i - from};
}

static bool place_at(struct view s, unsigned int k)
{
	struct view lat = field(s, k), ns = field(s, k + 1), lon = field(s, k + 2), ew = field(s, k + 3);

	return lat.n >= 4 && lon.n >= 5 && is_digit(lat.p[0]) && is_digit(lon.p[0]) && ns.n == 1 &&
	       ew.n == 1 && (ns.p[0] == 'N' || ns.p[0] == 'S') && (ew.p[0] == 'E' || ew.p[0] == 'W');
}

void find_nmea(struct find *f, size_t at)
{
	struct view s, kind, fix;

	if (at + 7 > f->in.n || f->in.p[at + 6] != ',')
		return;
	kind = (struct view){f->in.p + at + 3, 3};
	if (!view_eq(kind, VIEW("GGA")) && !view_eq(kind, VIEW("RMC")) && !view_eq(kind, VIEW("GLL")))
		return;
	s = sentence(f, at);
	if (s.n == 0)
		return;
	if (kind.p[0] == 'R') {
		fix = field(s, 2);
		if (fix.n == 1 && fix.p[0] == 'A' && place_at(s, 3))
			find_add(f, FORM_RMC, at, s.n);
	} else if (kind.p[1] == 'G') {
		fix = field(s, 6);
		if (fix.n == 1 && fix.p[0] > '0' && fix.p[0] <= '9' && place_at(s, 2))
			find_add(f, FORM_GGA, at, s.n);
	} else {
		fix = field(s, 6);
		if (fix.n == 1 && fix.p[0] == 'A' && place_at(s, 1))
			find_add(f, FORM_GLL, at, s.n);
	}
}

/* A decimal with `most` before the point and at least `places` behind it. Its length; 0: none such. */
struct decimal {
	unsigned int whole, places;
	bool zero;
};

static size_t decimal(const struct find *f, size_t at, struct decimal *d)
{
	size_t i = at;

	*d = (struct decimal){.zero = true};
	if (find_byte(f, i) == '-' || find_byte(f, i) == '+')
		i++;
	if (!is_digit(find_byte(f, i)))
		return 0;
	for (; is_digit(find_byte(f, i)) && d->whole < 1000; i++) {
		d->whole = d->whole * 10 + (f->in.p[i] - '0');
		d->zero = d->zero && f->in.p[i] == '0';
	}
	if (find_byte(f, i) != '.')
		return 0;
	for (i++; is_digit(find_byte(f, i)) && d->places < 20; i++, d->places++)
		d->zero = d->zero && f->in.p[i] == '0';
	return is_alnum(find_byte(f, i)) ? 0 : i - at;
}

/* "lat", "latitude", "gps_lat", "startLat"; not "flat", not "latency". Where the value begins, or 0. */
static size_t axis(const struct find *f, size_t at, size_t end, const char *rest)
{
	uint8_t before = find_before(f, at);
	size_t n = strlen(rest);

	if (is_letter(before) && !(f->in.p[at] < 'a' && before >= 'a'))
		return 0;
	for (size_t i = 0; i < n && end + i < f->in.n; i++) {
		if ((f->in.p[end + i] | 0x20) != (uint8_t)rest[i])
			break;
		if (i + 1 == n)
			end += n;
	}
	if (is_letter(find_byte(f, end)))
		return 0;
	return value_behind(f, end);
}

/* The other axis within 64 bytes. */
static bool axis_near(const struct find *f, size_t from, bool lat, struct decimal *d, size_t *end)
{
	for (size_t i = from; i + 3 < f->in.n && i < from + 64; i++) {
		uint8_t c = f->in.p[i + 1] | 0x20, e = f->in.p[i + 2] | 0x20;
		size_t v = 0;

		if ((f->in.p[i] | 0x20) != 'l')
			continue;
		if (lat && c == 'a' && e == 't')
			v = axis(f, i, i + 3, "itude");
		else if (!lat && c == 'o' && e == 'n')
			v = axis(f, i, i + 3,
				 (find_byte(f, i + 3) | 0x20) == 'g' && (find_byte(f, i + 4) | 0x20) != 'i'
				     ? "g"
				     : "gitude");
		else if (!lat && c == 'n' && e == 'g')
			v = axis(f, i, i + 3, "");
		*end = v ? v + decimal(f, v, d) : 0;
		if (v && *end > v)
			return true;
	}
	return false;
}

/* The word was lat, lon, lng or long: `at` tells which. */
void find_lat(struct find *f, size_t at, size_t end)
{
	bool lat = (f->in.p[at + 1] | 0x20) == 'a';
	struct decimal a, b;
	size_t v = axis(f, at, end, lat ? "itude" : "gitude"), n, last;

	if (!v && !lat && (find_byte(f, end) | 0x20) == 'g')
		v = axis(f, at, end + 1, "");
	n = v ? decimal(f, v, &a) : 0;
	if (n == 0 || a.places < 3 || !axis_near(f, v + n, !lat, &b, &last) || b.places < 3)
		return;
	if ((lat ? a.whole : b.whole) >= 90 || (lat ? b.whole : a.whole) >= 180 || (a.zero && b.zero))
		return;
	find_add(f, FORM_LATLON, at, last - at);
}

/* A word for a place, then two decimals in range with at least four places each. */
void find_pair(struct find *f, size_t at, size_t end)
{
	struct decimal a, b;
	size_t i = end, n;

	if (is_letter(find_before(f, at)))
		return;
	while (i < end + 12 && (is_letter(find_byte(f, i)) || find_byte(f, i) == '_'))
		i++;
	i = value_behind(f, i);
	n = i ? decimal(f, i, &a) : 0;
	if (n == 0 || a.places < 4)
		return;
	i += n;
	if (find_byte(f, i) != ',' && find_byte(f, i) != ';' && find_byte(f, i) != ' ')
		return;
	for (i++; find_byte(f, i) == ' ';)
		i++;
	n = decimal(f, i, &b);
	/* GeoJSON says longitude first (RFC 7946). A third value is a vector's, not a place's. */
	if (n == 0 || b.places < 4 || a.whole >= 180 || b.whole >= 180 ||
	    (a.whole >= 90 && b.whole >= 90) || (a.zero && b.zero))
		return;
	find_add(f, FORM_PAIR, at, i + n - at);
}
