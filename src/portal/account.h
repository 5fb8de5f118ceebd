/* What sign-in and account pages share. */
#pragma once
#include "portal/api_in.h"

/* The session as its owner sees it: who, what is missing, the CSRF token. */
void account_say(struct visit *v, unsigned int status);
/* A user's record: role and tenant; false: there is none, or they may not in. */
bool account_read(const struct keep *rep, enum user_role *role, char tenant[32]);
/* A session begins for them, in place of the one that the visit came with; half, until account_proven. False:
 * the visit was answered. */
bool account_begin(struct visit *v, const struct person *who);
/* A second factor was proven: the session is whole, has another token, and is stepped up. Answers. */
void account_proven(struct visit *v, const char *by);
/* A second factor that was wrong: answers, and after some ends the session. */
void account_disproven(struct visit *v, const char *by);
/* May this session enrol a second factor? Not one that was begun with a stolen password. Else answers.
 */
bool account_may_enrol(struct visit *v);
