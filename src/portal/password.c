#include "portal/password.h"

#include <string.h>

/* What lists of breached passwords have most of, in small letters and without what people put behind
 * them. One of them, or several in a row, with digits and marks around, is tried by everybody first. */
static const char *const common[] = {
    "password",
    "passwort",
    "passw0rd",
    "p@ssword",
    "p@ssw0rd",
    "motdepasse",
    "contrasena",
    "wachtwoord",
    "qwertyuiop",
    "qwertyuiopasdfghjkl",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwerty",
    "qwertz",
    "azerty",
    "asdfghjkl",
    "asdfgh",
    "zxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p",
    "1q2w3e4r5t",
    "1q2w3e4r",
    "1qaz2wsx3edc4rfv",
    "1qaz2wsx3edc",
    "1qaz2wsx",
    "zaq12wsx",
    "q1w2e3r4t5y6",
    "iloveyou",
    "ilovemyfamily",
    "letmein",
    "welcome",
    "administrator",
    "admin",
    "superman",
    "batman",
    "spiderman",
    "princess",
    "sunshine",
    "football",
    "baseball",
    "basketball",
    "monkey",
    "dragon",
    "master",
    "shadow",
    "michael",
    "jennifer",
    "starwars",
    "trustno1",
    "whatever",
    "freedom",
    "computer",
    "internet",
    "corvette",
    "mercedes",
    "liverpool",
    "chelsea",
    "arsenal",
    "barcelona",
    "juventus",
    "hello",
    "helloworld",
    "changeme",
    "changeit",
    "default",
    "secret",
    "test",
    "testing",
    "guest",
    "login",
    "access",
    "abc",
    "abcdef",
    "abcdefgh",
    "abcdefghijklmnop",
    "correcthorsebatterystaple",
    "thisismypassword",
    "mypassword",
    "yourpassword",
    "nopassword",
    "newpassword",
    "opensesame",
    "sesame",
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "spring",
    "summer",
    "autumn",
    "winter",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
};

static size_t characters(const char *p)
{
	size_t n = 0;

	for (; *p; p++)
		n += ((unsigned char)*p & 0xc0) != 0x80;
	return n;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80;
}

/* Small letters. */
static void small(const char *from, char to[PASSWORD_MOST + 1])
{
	size_t i = 0;

	for (; from[i] && i < PASSWORD_MOST; i++)
		to[i] = from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] + 32) : from[i];
	to[i] = 0;
}

/* The same few characters over and over, or a run up or down: "aaaa", "abcabcabc", "1234567890". */
static bool monotone(const char *p, size_t n)
{
	size_t runs = 0;

	for (size_t period = 1; period <= 4; period++) {
		size_t i = period;

		while (i < n && p[i] == p[i - period])
			i++;
		if (i == n)
			return true;
	}
	for (size_t i = 1; i < n; i++) {
		int step = p[i] - p[i - 1];

		runs += step == 1 || step == -1 || step == 0 || (p[i] == '0' && p[i - 1] == '9');
	}
	return runs * 4 >= (n - 1) * 3;
}

/* How far a word of the list, or of `words`, reaches from here; 0: none begins here. */
static size_t word_at(const char *p, const char *const *words)
{
	size_t best = 0;

	for (size_t i = 0; i < sizeof common / sizeof *common; i++) {
		size_t n = strlen(common[i]);

		if (n > best && strncmp(p, common[i], n) == 0)
			best = n;
	}
	for (; words && *words; words++) {
		char word[PASSWORD_MOST + 1];
		size_t n;

		small(*words, word);
		n = strlen(word);
		if (n >= 3 && n > best && strncmp(p, word, n) == 0)
			best = n;
	}
	return best;
}

/* Nothing in it that somebody who knows the lists and the place would not try: words of them, digits,
 * marks. */
static bool guessable(const char *p, const char *const *words)
{
	size_t rest = 0;

	while (*p) {
		size_t n = word_at(p, words);

		rest += n == 0 && is_letter(*p);
		p += n > 0 ? n : 1;
	}
	return rest <= 3;
}

const char *password_judge(const char *password, const char *const *words)
{
	char text[PASSWORD_MOST + 1];
	size_t digits = 0;

	if (characters(password) < PASSWORD_LEAST)
		return "password: at least 15 characters; some words that have nothing to do with each "
		       "other are easy "
		       "to keep in mind";
	if (strlen(password) > PASSWORD_MOST)
		return "password: at most 256 octets";
	small(password, text);
	if (monotone(text, strlen(text)))
		return "password: the same again and again, or a row of a keyboard or alphabet; take "
		       "unrelated words";
	for (const char *p = text; *p; p++)
		digits += *p >= '0' && *p <= '9';
	if (digits < strlen(text) - 3 && guessable(text, words))
		return "password: made of words that are tried first: common passwords, names of this "
		       "place or yours; "
		       "take unrelated words";
	if (digits >= strlen(text) - 3 && digits < 18)
		return "password: digits alone are tried fast; take unrelated words";
	return NULL;
}
