/* Sessions of people: in memory, by the hash of their cookie. Bounded: a new one takes the place of the
 * one that was used least lately. */
#pragma once
#include "portal/api.h"

#define LOGIN_ID 16
#define LOGIN_TOKEN 44 /* base64url of 32 octets, NUL */
#define LOGIN_COOKIE "__Host-merlon"
#define LOGIN_HALF_S 600 /* how long the second factor may take */

struct login {
	uint8_t id[LOGIN_ID], hash[32]; /* all zero: free */
	struct person who;
	char csrf[LOGIN_TOKEN];
	uint64_t made_s, used_s, stepped_s; /* since 1970; 0: never stepped up */
	uint64_t checked_ms;		    /* when its user's record was looked at (loop_now) */
	uint32_t tries;			    /* of a second factor, in vain */
	uint32_t factors;		    /* bits of enum cred_kind that the user has */
	char address[64], agent[96], by[16];
	char enrol[512]; /* what is being enrolled: kind, label and key */
};

struct logins;
struct logins *logins_new(void);    /* NULL: out of memory */
void logins_free(struct logins *l); /* wipes; NULL is fine */
/* A new session; its cookie's token. NULL: no random numbers. */
struct login *login_begin(struct logins *l, const struct person *who, uint64_t now_s,
			  char token[LOGIN_TOKEN]);
/* Another token and another CSRF token for the same session (after more was proven). False: no random
 * numbers: the session has ended. */
bool login_turn(struct logins *l, struct login **at, char token[LOGIN_TOKEN]);
/* By a cookie's token. NULL: there is none, or it has ended: idle_s, life_s. */
struct login *login_find(struct logins *l, struct view token, uint64_t now_s);
struct login *login_of(struct logins *l, const uint8_t id[LOGIN_ID]);
void login_end(struct login *s);
/* All of a user but `keep` (may be NULL); how many. */
size_t login_end_all(struct logins *l, const char *user, const struct login *keep);
/* The next that is of `user`, after `at` (NULL: the first). */
struct login *login_next(struct logins *l, const char *user, struct login *at);
void logins_limits(struct logins *l, uint32_t idle_s, uint32_t life_s);
