/* Identity numbers of countries: the number behind its name, if its check digits agree. */
#include "inspect/scan_in.h"

#define LONGEST 18

static unsigned int at(const uint8_t *d, size_t i)
{
	return (unsigned int)(d[i] - '0');
}

static unsigned int weighed(const uint8_t *d, const uint8_t *weights, size_t n)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += at(d, i) * weights[i];
	return sum;
}

static bool all_digits(const uint8_t *d, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_digit(d[i]))
			return false;
	}
	return true;
}

/* Area 000, 666 and 9xx, group 00, serial 0000 are never given out (SSA). */
static bool us(const uint8_t *d, size_t n)
{
	return all_digits(d, n) && d[0] != '9' && memcmp(d, "000", 3) != 0 && memcmp(d, "666", 3) != 0 &&
	       memcmp(d + 3, "00", 2) != 0 && memcmp(d + 5, "0000", 4) != 0;
}

static bool luhn(const uint8_t *d, size_t n)
{
	return all_digits(d, n) && d[0] != '0' && check_luhn((struct view){d, n});
}

static bool verhoeff(const uint8_t *d, size_t n)
{
	return all_digits(d, n) && d[0] > '1' && check_verhoeff((struct view){d, n});
}

/* Two letters, six digits, A to D; some letters and pairs are never used (HMRC NIM39110). */
static bool gb(const uint8_t *d, size_t n)
{
	(void)n;
	return is_letter(d[0]) && is_letter(d[1]) && all_digits(d + 2, 6) && d[8] >= 'a' && d[8] <= 'd' &&
	       !strchr("dfiquv", d[0]) && !strchr("dfiquvo", d[1]);
}

static bool same_digits(const uint8_t *d, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (d[i] != d[0])
			return false;
	}
	return true;
}

static bool br(const uint8_t *d, size_t n)
{
	static const uint8_t weights[] = {11, 10, 9, 8, 7, 6, 5, 4, 3, 2};

	return all_digits(d, n) && !same_digits(d, n) &&
	       weighed(d, weights + 1, 9) * 10 % 11 % 10 == at(d, 9) &&
	       weighed(d, weights, 10) * 10 % 11 % 10 == at(d, 10);
}

static bool es(const uint8_t *d, size_t n)
{
	static const char letters[] = "trwagmyfpdxbnjzsqvhlcke";
	unsigned int number = 0;
	uint8_t first = d[0] == 'x' ? '0' : d[0] == 'y' ? '1' : d[0] == 'z' ? '2' : d[0];

	(void)n;
	if (!is_digit(first) || !all_digits(d + 1, 7))
		return false;
	number = (unsigned int)(first - '0');
	for (size_t i = 1; i < 8; i++)
		number = number * 10 + at(d, i);
	return d[8] == (uint8_t)letters[number % 23];
}

static bool date_ok(unsigned int month, unsigned int day)
{
	return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static bool pl(const uint8_t *d, size_t n)
{
	static const uint8_t weights[] = {1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1};

	return all_digits(d, n) && weighed(d, weights, 11) % 10 == 0 &&
	       date_ok((at(d, 2) * 10 + at(d, 3)) % 20, at(d, 4) * 10 + at(d, 5));
}

static bool nl(const uint8_t *d, size_t n)
{
	static const uint8_t weights[] = {9, 8, 7, 6, 5, 4, 3, 2};

	return all_digits(d, n) && !same_digits(d, n) && weighed(d, weights, 8) % 11 == at(d, 8);
}

static bool it(const uint8_t *d, size_t n)
{
	static const uint8_t odd[] = {1,  0,  5, 7, 9, 13, 15, 17, 19, 21, 2,  4,  18,
				      20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
	static const char form[] = "aaaaaaddaddaddda";
	unsigned int sum = 0;

	(void)n;
	for (size_t i = 0; i < 16; i++) {
		if (form[i] == 'a' ? !is_letter(d[i]) : !is_digit(d[i]))
			return false;
	}
	for (size_t i = 0; i < 15; i++) {
		unsigned int x = is_digit(d[i]) ? at(d, i) : (unsigned int)(d[i] - 'a');

		sum += i & 1 ? x : odd[x];
	}
	return sum % 26 == (unsigned int)(d[15] - 'a');
}

static bool se(const uint8_t *d, size_t n)
{
	const uint8_t *short_form = d + (n - 10);

	return (n == 10 || n == 12) && all_digits(d, n) && check_luhn((struct view){short_form, 10}) &&
	       date_ok(at(short_form, 2) * 10 + at(short_form, 3),
		       (at(short_form, 4) * 10 + at(short_form, 5)) % 60);
}

static bool fr(const uint8_t *d, size_t n)
{
	uint64_t number = 0;

	if (!all_digits(d, n) || (d[0] != '1' && d[0] != '2'))
		return false;
	for (size_t i = 0; i < 13; i++)
		number = number * 10 + at(d, i);
	return 97 - number % 97 == at(d, 13) * 10 + at(d, 14);
}

/* ISO 7064 MOD 11,10. */
static bool de(const uint8_t *d, size_t n)
{
	unsigned int product = 10;

	if (!all_digits(d, n) || d[0] == '0')
		return false;
	for (size_t i = 0; i < 10; i++) {
		unsigned int sum = (at(d, i) + product) % 10;

		product = (sum == 0 ? 10 : sum) * 2 % 11;
	}
	return (11 - product) % 10 == at(d, 10);
}

static bool cn(const uint8_t *d, size_t n)
{
	static const uint8_t weights[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};

	(void)n;
	return all_digits(d, 17) && date_ok(at(d, 10) * 10 + at(d, 11), at(d, 12) * 10 + at(d, 13)) &&
	       d[17] == (uint8_t) "10x98765432"[weighed(d, weights, 17) % 11];
}

static bool tr(const uint8_t *d, size_t n)
{
	unsigned int odd = 0, even = 0;

	if (!all_digits(d, n) || d[0] == '0')
		return false;
	for (size_t i = 0; i < 9; i++)
		*(i & 1 ? &even : &odd) += at(d, i);
	return (odd * 7 + 90 - even) % 10 == at(d, 9) && (odd + even + at(d, 9)) % 10 == at(d, 10);
}

static bool be(const uint8_t *d, size_t n)
{
	uint64_t number = 0;
	unsigned int check;

	if (!all_digits(d, n) || !date_ok(at(d, 2) * 10 + at(d, 3), at(d, 4) * 10 + at(d, 5)))
		return false;
	for (size_t i = 0; i < 9; i++)
		number = number * 10 + at(d, i);
	check = at(d, 9) * 10 + at(d, 10);
	return 97 - number % 97 == check || 97 - (number + 2000000000u) % 97 == check;
}

static bool au(const uint8_t *d, size_t n)
{
	static const uint8_t weights[] = {1, 4, 3, 7, 5, 8, 6, 9, 10};

	return all_digits(d, n) && !same_digits(d, n) && weighed(d, weights, 9) % 11 == 0;
}

static bool ch(const uint8_t *d, size_t n)
{
	static const uint8_t weights[] = {1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1};

	return all_digits(d, n) && memcmp(d, "756", 3) == 0 && weighed(d, weights, 13) % 10 == 0;
}

/* ddmmyy, a sign for the century, a number and a check character; the sign is among what is skipped. */
static bool fi(const uint8_t *d, size_t n)
{
	static const char letters[] = "0123456789abcdefhjklmnprstuvwxy";
	unsigned int number = 0;

	(void)n;
	if (!all_digits(d, 6) || !date_ok(at(d, 2) * 10 + at(d, 3), at(d, 0) * 10 + at(d, 1)) ||
	    !(d[6] == '-' || d[6] == '+' || d[6] == 'a') || !all_digits(d + 7, 3))
		return false;
	for (size_t i = 0; i < 10; i++)
		number = i == 6 ? number : number * 10 + at(d, i);
	return d[10] == (uint8_t)letters[number % 31];
}

static const struct national {
	char country[3];
	bool whole;
	uint8_t least, most;
	bool (*check)(const uint8_t *d, size_t n);
} rows[] = {
#define NATIONAL(country, word, whole, least, most, check) {country, whole, least, most, check},
#include "inspect/scan_national.tab"
#undef NATIONAL
};

/* Up to `most` letters and digits behind the name, signs between them left out. 0: the word goes on. */
static size_t number_behind(const struct find *f, size_t from, const struct national *r, uint8_t *d,
			    size_t *last)
{
	size_t n = 0, i = from;

	for (; i < f->in.n && i < from + LONGEST + 8 && n < r->most; i++) {
		uint8_t c = f->in.p[i];

		if (is_alnum(c) || (r->check == fi && n == 6 && (c == '-' || c == '+')))
			d[n++] = is_letter(c) ? c | 0x20 : c;
		else if ((c != '-' && c != ' ' && c != '.' && c != '/') || !is_alnum(find_byte(f, i + 1)))
			break;
		*last = i + 1;
	}
	return is_alnum(find_byte(f, *last)) ? 0 : n;
}

/* Where the number begins: a few words may stand between, as in "ssn number is 123-45-6789". */
static size_t number_begins(const struct find *f, size_t end, const struct national *r)
{
	size_t i = end;

	for (; i < end + 24 && i < f->in.n && !is_digit(f->in.p[i]); i++) {
		uint8_t c = f->in.p[i];
		bool head = is_letter(c) && !is_letter(find_before(f, i));

		if (c < ' ' || c >= 0x7f || c == ',' || c == ';' || c == '{' || c == '}' || c == '&')
			return 0;
		if (head &&
		    ((r->check == gb && is_letter(find_byte(f, i + 1)) && is_digit(find_byte(f, i + 2))) ||
		     (r->check == es && is_digit(find_byte(f, i + 1))) || (r->check == it && i > end)))
			break;
	}
	return i;
}

void find_national(struct find *f, size_t begin, size_t end, uint8_t row)
{
	const struct national *r = &rows[row];
	uint8_t d[LONGEST + 1] = {0};
	size_t i, n, last = end, had = f->n;

	if (is_letter(find_before(f, begin)) || (r->whole && is_letter(find_byte(f, end))))
		return;
	i = number_begins(f, end, r);
	n = i ? number_behind(f, i, r, d, &last) : 0;
	if (n < r->least || !r->check(d, n))
		return;
	find_add(f, r->check == us ? FORM_SSN : FORM_NATIONAL, i, last - i);
	if (f->n > had && r->check != us)
		memcpy(f->hit[f->n - 1].country, r->country, 3);
}
