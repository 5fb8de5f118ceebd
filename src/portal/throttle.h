/* How often somebody may: a bucket each, and failures of a sign-in with longer and longer waits.
 * Bounded; in memory. */
#pragma once
#include "base/bytes.h"

struct throttle;
struct throttle *throttle_new(void);	/* NULL: out of memory, no random numbers */
void throttle_free(struct throttle *t); /* NULL is fine */
/* One more of `who`, of `rate` a second (twice that at once)? */
bool throttle_pass(struct throttle *t, const char *kind, const char *who, uint32_t rate,
		   uint64_t now_ms);
/* How long until `user` may try again from `address`, ms; 0: now. Waits double from the fifth failure
 * on, to a minute, for that user at that address alone: strangers lock nobody out. After a hundred
 * failures in a row (NIST SP 800-63B 3.2.2) from addresses that the user never signed in from, these
 * hear no until the user has signed in. */
uint64_t throttle_wait_ms(struct throttle *t, const char *user, const char *address, uint64_t now_ms);
void throttle_failed(struct throttle *t, const char *user, const char *address, uint64_t now_ms);
void throttle_passed(struct throttle *t, const char *user, const char *address, uint64_t now_ms);
