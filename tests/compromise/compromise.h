/* A build of Merlon for one test only (-Dcompromise=true): on SIGUSR2 its edge, which stands in its sandbox and
 * serves, turns on everybody else. Each attempt prints one line to standard error:
 *   attack: NAME: denied: HOW        attack: NAME: HOLE: WHAT        at last   attack: done, N denied, N holes
 * In this build a call that the sandbox answers with death is answered with SIGSYS to the thread, so that the
 * attacker lives to try the next. */
#pragma once
#include "cli/roles.h"

/* Before the sandbox: learn whom to attack, and from the file $MERLON_COMPROMISE the secrets to look for: lines
 * of a name and hex digits, each byte xor 0x5a, so that looking does not find them. */
void compromise_arm(const struct role_env *e, int control);
/* In the sandbox: begin to wait for the signal. */
void compromise_start(const struct role_env *e);

/* Shared among the attackers. NULL: denied, errno or `trapped` says how; else what was gained. */
struct attack {
	const char *name;
	const char *(*run)(void);
};
extern const struct attack attacks_on_system[], attacks_on_files[], attacks_on_others[];

struct target {
	int home, keeper, signer, watch, supervisor; /* pids */
	int control;
	const char *data_dir;
	uint16_t http_port, home_port;
	uint64_t own[2]; /* inodes of edge's own files */
	uint8_t key_id[8];
	struct sign_line *line;
};
extern struct target target;
extern _Thread_local bool trapped;

/* As syscall(2), remembering whether the sandbox would have killed. */
long try_call(long number, long a, long b, long c, long d, long e, long f);
#define TRY(n, ...)  TRY_(n, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define TRY_(n, a, b, c, d, e, f, ...) \
	try_call((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/* Nothing was searched for: no file was given. */
const char *scan_own_memory(void);
