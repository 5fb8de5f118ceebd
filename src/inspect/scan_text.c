/* Texts: e-mail and logins in URLs, tokens, keys of accounts, private keys, passwords by name. */
#include "inspect/scan_in.h"

static bool in_set(uint8_t c, const char *set)
{
	return c != 0 && strchr(set, c) != NULL;
}

/* How many bytes from `at` are letters, digits or of `set`; `max` at most. */
static size_t span_of(const struct find *f, size_t at, const char *set, size_t max)
{
	size_t n = 0;

	while (n < max && at + n < f->in.n && (is_alnum(f->in.p[at + n]) || in_set(f->in.p[at + n], set)))
		n++;
	return n;
}

/* Top-level domains: countries have two letters, these more. */
static bool top_level(struct view v)
{
	static const char *const generic[] = {
	    "com",   "org",  "net",   "edu",	"gov",	"mil",	   "int",    "info",  "biz",   "name",
	    "pro",   "aero", "coop",  "museum", "mobi", "tel",	   "travel", "jobs",  "asia",  "cat",
	    "app",   "dev",  "cloud", "online", "shop", "site",	   "xyz",    "tech",  "store", "blog",
	    "email", "live", "news",  "io",	"eu",	"example", "test",   "local", "lan"};
	static const char countries[] = "acadaeafagaialamaoaqarasatauawaxazbabbbdbebfbgbhbibjbmbnbobrbsbtbw"
					"bybzcacccdcfcgchcickclcmcncocrcucv"
					"cwcxcyczdedjdkdmdodzeceeegereseteufifjfkfmfofrgagbgdgegfggghgiglgm"
					"gngpgqgrgsgtgugwgyhkhmhnhrhthuidie"
					"iliminioiqirisitjejmjojpkekgkhkikmknkpkrkwkykzlalblclilklrlsltlulv"
					"lymamcmdmemgmhmkmlmmmnmompmqmrms"
					"mtmumvmwmxmymznancnenfngninlnonpnrnunzompapepfpgphpkplpmpnprpsptpw"
					"pyqarerorsrurwsasbscsdsesgshsisk"
					"slsmsnsosrssstsvsxsysztctdtftgthtjtktltmtntotrtttvtwtzuaugukusuyuz"
					"vavcvevgvivnvuwfwsyeytzazmzw";

	if (v.n == 2) {
		for (size_t i = 0; i + 2 < sizeof countries; i += 2) {
			if (view_eq_case(v, (struct view){(const uint8_t *)countries + i, 2}))
				return true;
		}
	}
	for (size_t i = 0; i < sizeof generic / sizeof *generic; i++) {
		if (view_eq_case(v, view_of(generic[i])))
			return true;
	}
	return false;
}

/* A host name from `at`: its length if it has at least two labels and a top-level domain. */
static size_t domain(const struct find *f, size_t at)
{
	size_t n = span_of(f, at, "-.", 253), label = 0, labels = 0, last = 0;

	while (n > 0 && (f->in.p[at + n - 1] == '.' || f->in.p[at + n - 1] == '-'))
		n--;
	for (size_t i = 0; i < n; i++) {
		if (f->in.p[at + i] != '.') {
			label++;
			continue;
		}
		if (label == 0)
			return 0;
		labels++;
		label = 0;
		last = i + 1;
	}
	return labels > 0 && last >= 3 && top_level((struct view){f->in.p + at + last, n - last}) ? n : 0;
}

/* scheme://user:password@: from the '@' back. */
static bool url_login(struct find *f, size_t at)
{
	size_t i = at, colon = 0;

	while (i > 0 && at - i < 96) {
		uint8_t c = f->in.p[i - 1];

		if (c <= ' ' || c >= 0x7f || in_set(c, "\"'<>@{}"))
			return false;
		if (c == '/')
			break;
		if (c == ':')
			colon = i - 1;
		i--;
	}
	if (i < 4 || f->in.p[i - 2] != '/' || f->in.p[i - 3] != ':' || !is_letter(f->in.p[i - 4]) ||
	    colon <= i || colon + 1 >= at || !is_alnum(find_byte(f, at + 1)))
		return false;
	find_add(f, FORM_URL, i, at - i);
	if (scan_default_login((struct view){f->in.p + i, colon - i},
			       (struct view){f->in.p + colon + 1, at - colon - 1}))
		find_add(f, FORM_DEFAULT, i, at - i);
	return true;
}

/* Names of algorithms (RFC 4251 6), identifiers of messages (RFC 5322 3.6.4) and dialogs (RFC 3261) look
 * like addresses, and are none. */
static bool no_address(const struct find *f, size_t from, struct view domain)
{
	static const char *const owners[] = {"openssh.com", "libssh.org", "lysator.liu.se",
					     "ssh.com",	    "tectia.com", "putty.projects.tartarus.org",
					     NULL};
	static const char *const words[] = {"message-id", "references", "in-reply-to", "content-id",
					    "call-id",	  "=cid",	"=i",	       "=mid",
					    "branch",	  "icid",	NULL};
	struct name name;

	for (const char *const *o = owners; *o; o++) {
		if (view_under(domain, view_of(*o)))
			return true;
	}
	if (find_before(f, from) == '<')
		from--;
	name_before(f, from, &name);
	return name_has(&name, words);
}

/* A network access identifier with an IMSI (TS 23.003 14.2): 0IMSI@nai.epc.mnc01.mcc001.3gppnetwork.org. */
static bool nai(struct find *f, size_t from, size_t at, struct view domain)
{
	size_t n = at - from;

	if (!view_under(domain, VIEW("3gppnetwork.org")))
		return false;
	if (n == 16)
		from++, n--;
	for (size_t i = 0; i < n; i++) {
		if (!is_digit(f->in.p[from + i]))
			return true;
	}
	if (n == 15 && check_mcc((struct view){f->in.p + from, n}))
		find_add(f, FORM_IMSI, from, n);
	return true;
}

void find_at(struct find *f, size_t at)
{
	size_t from = at, n;

	if (!is_alnum(find_byte(f, at + 1)) || find_before(f, at) <= ' ')
		return;
	n = domain(f, at + 1);
	if (url_login(f, at) || n == 0)
		return;
	while (from > 0 && at - from < 64 &&
	       (is_alnum(f->in.p[from - 1]) || in_set(f->in.p[from - 1], "._%+-")))
		from--;
	while (from < at && !is_alnum(f->in.p[from]))
		from++;
	if (at - from < 2 || f->in.p[at - 1] == '.')
		return;
	if (nai(f, from, at, (struct view){f->in.p + at + 1, n}) ||
	    no_address(f, from, (struct view){f->in.p + at + 1, n}))
		return;
	find_add(f, FORM_EMAIL, from, at + 1 + n - from);
}

#define URL_SAFE "-_"

/* header.payload.signature; the header is JSON that names an algorithm: eyJ is {" */
void find_jwt(struct find *f, size_t at, size_t end)
{
	size_t head = span_of(f, at, URL_SAFE, 1024), body, tail;

	(void)end;
	if (is_alnum(find_before(f, at)) || head < 16 || find_byte(f, at + head) != '.')
		return;
	body = span_of(f, at + head + 1, URL_SAFE, 8192);
	if (body < 8 || find_byte(f, at + head + 1 + body) != '.')
		return;
	tail = span_of(f, at + head + body + 2, URL_SAFE, 1024);
	if (tail >= 8)
		find_add(f, FORM_JWT, at, head + body + tail + 2);
}

void find_aws(struct find *f, size_t at, size_t end)
{
	size_t n = 0;

	while (n < 17 && ((find_byte(f, end + n) >= 'A' && find_byte(f, end + n) <= 'Z') ||
			  is_digit(find_byte(f, end + n))))
		n++;
	if (n == 16 && !is_alnum(find_before(f, at)) && !is_alnum(find_byte(f, end + n)))
		find_add(f, FORM_AWS, at, end + n - at);
}

void find_azure(struct find *f, size_t at, size_t end)
{
	size_t n = span_of(f, end, "+/%", 96);

	if (n >= 40)
		find_add(f, FORM_AZURE, at, end + n - at);
}

void find_github(struct find *f, size_t at, size_t end)
{
	size_t n = span_of(f, end, "_", 255);

	if (n >= 36 && !is_alnum(find_before(f, at)))
		find_add(f, FORM_GITHUB, at, end + n - at);
}

/* Keys that begin with a word of their maker: at least 20 more, with digits and letters. */
void find_prefixed(struct find *f, size_t at, size_t end)
{
	size_t n = span_of(f, end, "-_.", 255), digits = 0, letters = 0;

	for (size_t i = 0; i < n; i++) {
		digits += is_digit(f->in.p[end + i]);
		letters += is_letter(f->in.p[end + i]);
	}
	if (n >= 20 && digits >= 2 && letters >= 4 && !is_alnum(find_before(f, at)))
		find_add(f, FORM_API_KEY, at, end + n - at);
}

/* The word is "PRIVATE KEY-----". */
void find_pem(struct find *f, size_t at, size_t end)
{
	size_t i = at;

	while (i > 0 && at - i < 16 &&
	       (f->in.p[i - 1] == ' ' || (f->in.p[i - 1] >= 'A' && f->in.p[i - 1] <= 'Z')))
		i--;
	/* What was walked over begins with "BEGIN". */
	if (i >= 5 && memcmp(f->in.p + i - 5, "-----", 5) == 0 && i + 6 <= f->in.n &&
	    memcmp(f->in.p + i, "BEGIN ", 6) == 0)
		find_add(f, FORM_PEM, i - 5, end - i + 5);
}

static bool authorizes(const struct find *f, size_t at)
{
	static const char *const words[] = {"authorization", "=auth", NULL};
	struct name name;

	name_before(f, at, &name);
	return name_has(&name, words);
}

void find_bearer(struct find *f, size_t at, size_t end)
{
	size_t n = span_of(f, end, "-._~+/", 4096);

	if (n >= 16 && authorizes(f, at))
		find_add(f, FORM_BEARER, end, n);
}

/* What stands where a password would, and is none. */
static bool placeholder(struct view v)
{
	static const char *const none[] = {"null",     "none",	 "true",  "false",  "undefined", "required",
					   "password", "string", "text",  "hidden", "this",	 "document",
					   "function", "return", "empty", "yes",    "xxxx"};
	size_t same = 1;

	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		if (view_eq_case(view_first(v, strlen(none[i])), view_of(none[i])) &&
		    (v.n == strlen(none[i]) || !is_alnum(v.p[strlen(none[i])])))
			return true;
	}
	while (same < v.n && v.p[same] == v.p[0])
		same++;
	return same == v.n; /* "******" */
}

static bool is_tail(struct view v)
{
	static const char *const tails[] = {"", "word", "wd", "phrase", "code", "_key", "key"};

	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
		if (view_eq_case(v, view_of(tails[i])))
			return true;
	}
	return false;
}

/* pass, passwd, password, pwd, psk, secret: then a sign, then a value. */
void find_password(struct find *f, size_t at, size_t end)
{
	size_t tail = 0, v, n = 0;

	if (is_letter(find_before(f, at)) && !(f->in.p[at] < 'a' && find_before(f, at) >= 'a'))
		return;
	while (tail < 8 && (is_letter(find_byte(f, end + tail)) || find_byte(f, end + tail) == '_'))
		tail++;
	if (!is_tail((struct view){f->in.p + end, tail}))
		return;
	v = value_behind(f, end + tail);
	if (v == 0)
		return;
	while (n < 64 && v + n < f->in.n && f->in.p[v + n] > ' ' && f->in.p[v + n] < 0x7f &&
	       !in_set(f->in.p[v + n], "\"'&<>,;{}()[]\\"))
		n++;
	if (n >= 4 && f->in.p[v] != '$' && f->in.p[v] != '%' && f->in.p[v] != '#' && f->in.p[v] != '.' &&
	    find_byte(f, v + n) != '(' && !placeholder((struct view){f->in.p + v, n}))
		find_add(f, FORM_PASSWORD, v, n);
}

/* api_key, access_token and the like: 16 or more, with digits and letters. */
void find_api_key(struct find *f, size_t at, size_t end)
{
	size_t v = is_letter(find_byte(f, end)) ? 0 : value_behind(f, end), n, digits = 0, letters = 0;

	(void)at;
	n = v ? span_of(f, v, "-_", 128) : 0;
	for (size_t i = 0; i < n; i++) {
		digits += is_digit(f->in.p[v + i]);
		letters += is_letter(f->in.p[v + i]);
	}
	if (n >= 16 && digits >= 2 && letters >= 2)
		find_add(f, FORM_API_KEY, v, n);
}
