/* Inside the scanner: finders propose a place, these validators decide and add a hit. */
#pragma once
#include "inspect/scan.h"
#include "inspect/scan_marks.h"

#define SCAN_WINDOW 4096 /* bytes marked at once */
#define SCAN_LOOK 128	 /* and how far a validator reads beyond */

struct find {
	struct view in; /* the payload */
	struct scan_hit *hit;
	size_t n;
};

/* A hit, unless one of its form overlaps it, or there is no room. */
void find_add(struct find *f, enum scan_form form, size_t at, size_t n);

static inline bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_letter(uint8_t c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static inline bool is_alnum(uint8_t c)
{
	return is_digit(c) || is_letter(c);
}

/* The byte at `at`, 0 beyond either end. */
static inline uint8_t find_byte(const struct find *f, size_t at)
{
	return at < f->in.n ? f->in.p[at] : 0;
}

static inline uint8_t find_before(const struct find *f, size_t at)
{
	return at > 0 && at <= f->in.n ? f->in.p[at - 1] : 0;
}

/* --- scan_check.c: numbers that check themselves; `d` are ASCII digits --- */
bool check_luhn(struct view d);
bool check_mod97(struct view iban); /* ISO 13616: letters and digits, no spaces */
bool check_verhoeff(struct view d);
bool check_mcc(struct view d);			/* begins with a mobile country code of ITU-T E.212 */
unsigned int check_calling_code(struct view d); /* how many digits of it; 0: none (ITU-T E.164) */

/* --- scan_name.c --- */
/* The name before a value, in small letters: at most 32 bytes back, not beyond what separates values. */
struct name {
	uint8_t room[32];
	size_t at; /* the name is room[at..32) */
};
void name_before(const struct find *f, size_t value, struct name *to);
/* Does it hold one of these? "=tel": as a word of its own. The list ends with NULL. */
bool name_has(const struct name *n, const char *const *words);
/* Is one of these the word that stands nearest to the value? */
bool name_is(const struct name *n, const char *const *words);
/* Past "name" and what stands between it and its value: quotes, ':' or '='; 0: there is no such sign. `at`
 * is behind the name. */
size_t value_behind(const struct find *f, size_t at);

/* --- the forms; `at`: where the marks or the word begin, `end`: behind the word --- */
void find_run(struct find *f, size_t at, size_t n); /* 13 digits or more */
void find_card_groups(struct find *f, size_t at);
void find_us_phone(struct find *f, size_t at);
void find_e164(struct find *f, size_t at);
void find_iban(struct find *f, size_t at);
void find_at(struct find *f, size_t at); /* e-mail, URL login, NAI */
void find_nmea(struct find *f, size_t at);
void find_lat(struct find *f, size_t at, size_t end);
void find_pair(struct find *f, size_t at, size_t end);
void find_national(struct find *f, size_t at, size_t end, uint8_t row);
void find_password(struct find *f, size_t at, size_t end);
void find_api_key(struct find *f, size_t at, size_t end);
void find_jwt(struct find *f, size_t at, size_t end);
void find_aws(struct find *f, size_t at, size_t end);
void find_azure(struct find *f, size_t at, size_t end);
void find_prefixed(struct find *f, size_t at, size_t end);
void find_github(struct find *f, size_t at, size_t end);
void find_pem(struct find *f, size_t at, size_t end);
void find_basic(struct find *f, size_t at, size_t end);
void find_bearer(struct find *f, size_t at, size_t end);
void find_command(struct find *f); /* what a payload begins with */
