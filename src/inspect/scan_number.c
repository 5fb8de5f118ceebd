/* Numbers: cards, IMSI, IMEI, ICCID, telephone numbers, IBAN. */
#include "inspect/scan_in.h"

static struct view slice(const struct find *f, size_t at, size_t n)
{
	return (struct view){f->in.p + at, n};
}

/* Part of a longer number or of a word? "." joins too: the end of a decimal is no card. */
static bool joined(const struct find *f, size_t at, size_t n)
{
	uint8_t before = find_before(f, at), after = find_byte(f, at + n);

	return is_alnum(before) || before == '.' || before == '_' || is_alnum(after) || after == '_' ||
	       (after == '.' && is_digit(find_byte(f, at + n + 1)));
}

/* Issuer and length (ISO/IEC 7812): Visa, Mastercard, Amex, Discover, Diners, JCB, Maestro, UnionPay. */
static bool issuer(struct view d)
{
	unsigned int two = (d.p[0] - '0') * 10u + (d.p[1] - '0');
	unsigned int four = two * 100 + (d.p[2] - '0') * 10u + (d.p[3] - '0');

	if (d.p[0] == '4')
		return d.n == 13 || d.n == 16 || d.n == 19;
	if (d.n == 15)
		return two == 34 || two == 37;
	if (d.n == 14)
		return two == 36 || two == 38 || (four >= 3000 && four <= 3059);
	if (d.n == 16 && ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720) || two == 65 ||
			  four == 6011 || (four >= 3528 && four <= 3589)))
		return true;
	return (d.n == 16 || d.n == 19) && (two == 62 || four == 5018 || four == 5020 || four == 5038 ||
					    four == 6304 || four == 6759 || four == 6761 || four == 6763);
}

static void card(struct find *f, const struct name *name, size_t at, size_t n)
{
	static const char *const words[] = {"card", "=pan",	  "=cc",  "ccnum",   "cc_num", "credit",
					    "visa", "mastercard", "amex", "payment", "=debit", NULL};
	/* Track 2 of a stripe: ;PAN=YYMM (ISO/IEC 7813). */
	bool stripe =
	    find_before(f, at) == ';' && find_byte(f, at + n) == '=' && is_digit(find_byte(f, at + n + 1));

	if (issuer(slice(f, at, n)) && (stripe || name_has(name, words)) && check_luhn(slice(f, at, n)))
		find_add(f, FORM_CARD, at, n);
}

static void imsi(struct find *f, const struct name *name, size_t at, size_t n)
{
	static const char *const words[] = {"imsi", NULL};
	static const char *const loose[] = {"id", "subscriber", "sub", "sim", "uid", "msin", NULL};
	/* id=...: a device that says who it is. In JSON anything has an "id". */
	bool said = n == 15 && find_before(f, at) == '=' && name_is(name, loose);

	if ((n == 15 || n == 14) && check_mcc(slice(f, at, n)) && (said || name_has(name, words)))
		find_add(f, FORM_IMSI, at, n);
}

/* Reporting bodies that give TACs out; 00 is for test. */
static bool reporting_body(struct view d)
{
	static const uint8_t bodies[] = {1, 10, 30, 33, 35, 44, 45, 49, 50, 51, 52, 53, 54, 86, 91, 98, 99};
	unsigned int two = (d.p[0] - '0') * 10u + (d.p[1] - '0');

	return memchr(bodies, (int)two, sizeof bodies) != NULL;
}

/* "##,imei:" and "##,": trackers sign on so. */
static bool signs_on(const struct find *f, size_t at)
{
	return at >= 3 && memcmp(f->in.p + at - 3, "##,", 3) == 0;
}

static void imei(struct find *f, const struct name *name, size_t at, size_t n)
{
	static const char *const words[] = {"imei", "=meid", NULL};
	bool named = signs_on(f, at) || name_has(name, words);

	if (!named || !reporting_body(slice(f, at, n)))
		return;
	if ((n == 15 && check_luhn(slice(f, at, n))) || n == 16)
		find_add(f, FORM_IMEI, at, n);
}

static void iccid(struct find *f, const struct name *name, size_t at, size_t n)
{
	static const char *const words[] = {"iccid",   "ccid",	   "=icc", "=sim",
					    "simcard", "sim_card", "uicc", NULL};
	struct view d = slice(f, at, n);

	if (d.p[0] == '8' && d.p[1] == '9' && name_has(name, words) &&
	    (check_luhn(d) || (n == 20 && check_luhn(slice(f, at, 19)))))
		find_add(f, FORM_ICCID, at, n);
}

void find_run(struct find *f, size_t at, size_t n)
{
	struct name name;

	/* Times in milliseconds are the most frequent run of 13. */
	if (n > 20 || (n == 13 && f->in.p[at] != '4') || joined(f, at, n))
		return;
	name_before(f, at, &name);
	if (n <= 19)
		card(f, &name, at, n);
	if (n == 14 || n == 15)
		imsi(f, &name, at, n);
	if (n == 15 || n == 16)
		imei(f, &name, at, n);
	if (n == 19 || n == 20)
		iccid(f, &name, at, n);
}

/* Does a further group of digits stand before or behind? */
static bool grouped(const struct find *f, size_t at, size_t n, uint8_t sign)
{
	return (find_before(f, at) == sign && at > 1 && is_digit(f->in.p[at - 2])) ||
	       (find_byte(f, at + n) == sign && is_digit(find_byte(f, at + n + 1)));
}

/* dddd dddd dddd dddd, or with '-': one sign throughout. */
void find_card_groups(struct find *f, size_t at)
{
	uint8_t d[16], sign = find_byte(f, at + 4);

	if (at + 19 > f->in.n || joined(f, at, 19) || grouped(f, at, 19, sign))
		return;
	for (size_t i = 0, k = 0; i < 19; i++) {
		if (i % 5 == 4 ? f->in.p[at + i] != sign : !is_digit(f->in.p[at + i]))
			return;
		if (i % 5 != 4)
			d[k++] = f->in.p[at + i];
	}
	if (issuer((struct view){d, 16}) && check_luhn((struct view){d, 16}))
		find_add(f, FORM_CARD, at, 19);
}

static const char *const phone_words[] = {
    "=tel",	"phone", "mobile", "=cell",  "=call", "=sms",  "msisdn", "=fax",  "contact", "=number",
    "whatsapp", "=dial", "caller", "callee", "=to",   "=from", "=sip",	 "=sips", NULL};

/* (ddd) ddd-dddd and ddd-ddd-dddd of the North American plan: area and exchange begin with 2 to 9. */
void find_us_phone(struct find *f, size_t at)
{
	static const char *const forms[] = {"(ddd) ddd-dddd", "(ddd)ddd-dddd", "ddd-ddd-dddd"};
	struct name name;

	for (size_t k = 0; k < 3; k++) {
		size_t n = strlen(forms[k]), same = 0, digits = 0;
		uint8_t d[10];

		while (same < n && at + same < f->in.n) {
			uint8_t c = f->in.p[at + same];

			if (forms[k][same] == 'd' ? !is_digit(c) : c != (uint8_t)forms[k][same])
				break;
			if (forms[k][same] == 'd')
				d[digits++] = c;
			same++;
		}
		if (same < n || joined(f, at, n) || grouped(f, at, n, '-'))
			continue;
		if (d[0] < '2' || d[3] < '2' || (d[1] == '1' && d[2] == '1') ||
		    (d[4] == '1' && d[5] == '1'))
			return;
		name_before(f, at, &name);
		if (name_has(&name, phone_words))
			find_add(f, FORM_US_PHONE, at, n);
		return;
	}
}

void find_e164(struct find *f, size_t at)
{
	uint8_t d[16];
	size_t n = 0, i = at + 1, end = i;
	struct name name;

	if (is_alnum(find_before(f, at)) || find_byte(f, i) == '0')
		return;
	for (; i < f->in.n && i < at + 24; i++) {
		uint8_t c = f->in.p[i];

		if (is_digit(c) && n < sizeof d) {
			d[n++] = c;
			end = i + 1;
		} else if ((c != ' ' && c != '-' && c != '(' && c != ')') || i - end > 1) {
			break;
		}
	}
	if (n < 8 || n > 15 || is_alnum(find_byte(f, end)) ||
	    check_calling_code((struct view){d, n}) == 0 ||
	    (find_byte(f, end) == '.' && is_digit(find_byte(f, end + 1))))
		return;
	name_before(f, at, &name);
	if (name_has(&name, phone_words))
		find_add(f, FORM_E164, at, end - at);
}

/* Lengths of the ISO 13616 register. */
static unsigned int iban_n(const uint8_t *country)
{
	static const char lengths[] = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18"
				      "DO28EE20EG29ES24FI18FO18FR27"
				      "GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28"
				      "LC32LI21LT20LU20LV21LY25MC27"
				      "MD24ME22MK19MR27MT31MU30NL18NO15PK24PL28PS29PT25QA29RO24RS22SA24SC31"
				      "SE24SI19SK24SM27ST25SV28TL23"
				      "TN24TR26UA29VA22VG24XK20";

	for (size_t i = 0; i + 4 < sizeof lengths; i += 4) {
		if (memcmp(lengths + i, country, 2) == 0)
			return (unsigned int)((lengths[i + 2] - '0') * 10 + (lengths[i + 3] - '0'));
	}
	return 0;
}

void find_iban(struct find *f, size_t at)
{
	uint8_t text[34];
	size_t n = 0, i = at;
	unsigned int want = iban_n(f->in.p + at);

	if (want == 0 || is_alnum(find_before(f, at)))
		return;
	for (; i < f->in.n && n < want; i++) {
		uint8_t c = f->in.p[i];

		if (is_digit(c) || (c >= 'A' && c <= 'Z'))
			text[n++] = c;
		else if (c != ' ' || n % 4 != 0)
			break;
	}
	if (n == want && !is_alnum(find_byte(f, i)) && check_mod97((struct view){text, n}))
		find_add(f, FORM_IBAN, at, i - at);
}
