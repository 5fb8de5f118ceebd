/* Logins in clear: HTTP Basic, and what connections of FTP, POP3, IMAP, SMTP, MQTT and SNMP begin with. */
#include "base/base64.h"
#include "inspect/scan_in.h"

static const char *const pairs[][2] = {
#define PAIR(user, password) {user, password},
#include "inspect/scan_login.tab"
#undef PAIR
};

bool scan_default_login(struct view user, struct view password)
{
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		if (view_eq_case(user, view_of(pairs[i][0])) && view_eq(password, view_of(pairs[i][1])))
			return true;
	}
	return false;
}

/* "user:password" out of base64; empty: it is none. */
static struct view decoded(struct view text, uint8_t room[128], struct view *password)
{
	struct wr w = {.p = room, .cap = 128};
	struct view v;
	const uint8_t *colon;

	if (base64_get(text, false, &w))
		return (struct view){0};
	v = wr_done(&w);
	colon = v.n > 0 ? memchr(v.p, ':', v.n) : NULL;
	if (!colon)
		return (struct view){0};
	*password = (struct view){colon + 1, (size_t)(v.p + v.n - colon) - 1};
	return (struct view){v.p, (size_t)(colon - v.p)};
}

static void default_in(struct find *f, struct view text, size_t at)
{
	uint8_t room[128];
	struct view password, user = decoded(text, room, &password);

	if (user.p && scan_default_login(user, password))
		find_add(f, FORM_DEFAULT, at, text.n);
}

void find_basic(struct find *f, size_t at, size_t end)
{
	static const char *const words[] = {"authorization", NULL};
	struct name name;
	size_t n = 0;

	while (n < 160 && end + n < f->in.n &&
	       (is_alnum(f->in.p[end + n]) || f->in.p[end + n] == '+' || f->in.p[end + n] == '/' ||
		f->in.p[end + n] == '='))
		n++;
	name_before(f, at, &name);
	if (n < 8 || !name_has(&name, words))
		return;
	find_add(f, FORM_BASIC, end, n);
	default_in(f, (struct view){f->in.p + end, n}, end);
}

static struct view word_of(struct view v, size_t at)
{
	size_t n = 0;

	while (at + n < v.n && v.p[at + n] > ' ' && v.p[at + n] < 0x7f)
		n++;
	return (struct view){v.p + at, n};
}

static bool begins(struct view v, const char *with)
{
	return v.n >= strlen(with) && view_eq_case(view_first(v, strlen(with)), view_of(with));
}

/* CONNECT of MQTT 3.1 to 5 with a password: flags in the variable header (MQTT 3.1.1 3.1.2). */
static void mqtt(struct find *f)
{
	size_t at = 1;
	uint16_t n;

	while (at < 5 && find_byte(f, at) & 0x80)
		at++;
	at++;
	n = (uint16_t)(find_byte(f, at) << 8 | find_byte(f, at + 1));
	if ((n != 4 && n != 6) || at + 2 + n + 4 > f->in.n ||
	    (memcmp(f->in.p + at + 2, "MQTT", 4) != 0 && memcmp(f->in.p + at + 2, "MQIsdp", 6) != 0))
		return;
	if (f->in.p[at + 2 + n + 1] & 0x40)
		find_add(f, FORM_COMMAND, 0, f->in.n < 64 ? f->in.n : 64);
}

/* SNMP v1 and v2c say their community in clear; "public" and "private" are as they left the factory. */
static void snmp(struct find *f)
{
	size_t at = find_byte(f, 1) < 0x80 ? 2 : 2u + (find_byte(f, 1) & 0x7fu), n;
	struct view community;

	if (at + 5 >= f->in.n || f->in.p[at] != 2 || f->in.p[at + 1] != 1 || f->in.p[at + 2] > 1 ||
	    f->in.p[at + 3] != 4)
		return;
	n = f->in.p[at + 4];
	if (n == 0 || n > 32 || at + 5 + n >= f->in.n || (f->in.p[at + 5 + n] & 0xe0) != 0xa0)
		return;
	community = (struct view){f->in.p + at + 5, n};
	for (size_t i = 0; i < n; i++) {
		if (community.p[i] < 0x20 || community.p[i] >= 0x7f)
			return;
	}
	find_add(f, FORM_COMMAND, at + 5, n);
	if (view_eq(community, VIEW("public")) || view_eq(community, VIEW("private")))
		find_add(f, FORM_DEFAULT, at + 5, n);
}

/* "a1 LOGIN user password" (RFC 3501 6.2.3). */
static void imap(struct find *f)
{
	size_t tag = word_of(f->in, 0).n;
	struct view user, password;

	if (tag == 0 || tag > 8 || tag + 8 > f->in.n ||
	    !begins((struct view){f->in.p + tag, f->in.n - tag}, " login "))
		return;
	user = word_of(f->in, tag + 7);
	password = word_of(f->in, tag + 8 + user.n);
	if (user.n > 0 && password.n > 0 && f->in.p[f->in.n - 1] == '\n')
		find_add(f, FORM_COMMAND, tag + 7, user.n + 1 + password.n);
}

void find_command(struct find *f)
{
	struct view password;

	if (f->in.n < 8)
		return;
	if (f->in.p[0] == 0x10) {
		mqtt(f);
	} else if (f->in.p[0] == 0x30) {
		snmp(f);
	} else if (is_alnum(f->in.p[0]) && f->in.p[f->in.n - 1] == '\n' && f->in.n < 256) {
		imap(f);
		password = begins(f->in, "PASS ") ? word_of(f->in, 5) : (struct view){0};
		if (password.n > 0 && 5 + password.n + 2 >= f->in.n)
			find_add(f, FORM_COMMAND, 5, password.n);
		if (begins(f->in, "AUTH PLAIN ") && word_of(f->in, 11).n >= 8)
			find_add(f, FORM_COMMAND, 11, word_of(f->in, 11).n);
	}
}
