/* How an attack begins and is told; and the search of its own memory. */
#include "compromise/compromise.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#define MASK	    0x5a
#define SECRETS_MAX 16
#define MAPS_MAX    4096

struct target target;
_Thread_local bool trapped;
static sem_t begin;
static struct {
	char name[32];
	uint8_t masked[64];
	size_t n;
} secrets[SECRETS_MAX];
static size_t secret_n;

long try_call(long number, long a, long b, long c, long d, long e, long f)
{
	trapped = false;
	return syscall(number, a, b, c, d, e, f);
}

static void on_trap(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *u = ctx;

	(void)sig;
	(void)info;
	trapped = true;
	u->uc_mcontext.gregs[REG_RAX] = -ENOSYS;
}

static void on_begin(int sig)
{
	(void)sig;
	sem_post(&begin);
}

/* --- its own memory --------------------------------------------------------------------------- */

/* What mincore(2) would tell; a read of what is not mapped is an error, not a death, with a pipe's help. */
static int probe[2];

static bool readable(const uint8_t *p)
{
	uint8_t byte;

	return write(probe[1], p, 1) == 1 && read(probe[0], &byte, 1) == 1;
}

static bool is_secret(const uint8_t *p, size_t which, bool reverse)
{
	size_t n = secrets[which].n;

	for (size_t i = 0; i < n; i++) {
		if ((p[i] ^ MASK) != secrets[which].masked[reverse ? n - 1 - i : i])
			return false;
	}
	return true;
}

static struct {
	const uint8_t *from, *to;
} maps[MAPS_MAX];
static size_t map_n;

/* The map of memory as it was before the sandbox, and the heap that has grown since. */
static void note_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	char line[512], mode[8];

	while (f && fgets(line, sizeof line, f) && map_n < MAPS_MAX) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w' ||
		    strstr(line, "[v"))
			continue;
		maps[map_n].from = (const uint8_t *)from;
		maps[map_n++].to = (const uint8_t *)to + (strstr(line, "[heap]") ? 64 << 20 : 0);
	}
	if (f)
		fclose(f);
}

static bool in_page(const uint8_t *p, size_t n, char found[64])
{
	for (size_t i = 0; i + 64 < n; i++) {
		for (size_t s = 0; s < secret_n; s++) {
			if (!is_secret(p + i, s, false) && !is_secret(p + i, s, true))
				continue;
			snprintf(found, 64, "%s is in memory", secrets[s].name);
			return true;
		}
	}
	return false;
}

const char *scan_own_memory(void)
{
	static char found[64];
	size_t pages = 0;

	for (size_t m = 0; m < map_n; m++) {
		for (const uint8_t *p = maps[m].from; p < maps[m].to; p += 4096) {
			size_t n = p + 4096 < maps[m].to && readable(p + 4096) ? 4096 + 64 : 4096;

			if (!readable(p))
				break;
			pages++;
			if (in_page(p, n, found))
				return found;
		}
	}
	errno = ENOENT;
	return pages > 1000 && secret_n > 0 ? NULL : "the search itself found no memory";
}

static void read_secrets(void)
{
	const char *path = getenv("MERLON_COMPROMISE");
	FILE *f = path ? fopen(path, "re") : NULL;
	char line[256], hex[200];

	while (f && secret_n < SECRETS_MAX && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%31s %199s", secrets[secret_n].name, hex) != 2)
			continue;
		for (size_t i = 0; hex[2 * i] && i < 64; i++) {
			unsigned int byte = 0;

			sscanf(hex + 2 * i, "%2x", &byte);
			secrets[secret_n].masked[secrets[secret_n].n++] = (uint8_t)byte;
		}
		secret_n++;
	}
	if (f)
		fclose(f);
}

/* --- the attack --------------------------------------------------------------------------------- */

static void run_all(const struct attack *list, int *denied, int *holes)
{
	for (const struct attack *a = list; a->name; a++) {
		const char *gained;

		errno = 0;
		trapped = false;
		gained = a->run();
		*denied += !gained;
		*holes += gained != NULL;
		if (gained)
			fprintf(stderr, "attack: %s: HOLE: %s\n", a->name, gained);
		else
			fprintf(stderr, "attack: %s: denied: %s\n", a->name,
				trapped ? "SIGSYS, which kills" : strerror(errno));
	}
}

static void *attack(void *arg)
{
	for (;;) {
		int denied = 0, holes = 0;

		while (sem_wait(&begin) != 0)
			;
		run_all(attacks_on_system, &denied, &holes);
		run_all(attacks_on_files, &denied, &holes);
		run_all(attacks_on_others, &denied, &holes);
		fprintf(stderr, "attack: done, %d denied, %d holes\n", denied, holes);
	}
	return arg;
}

static int child_named(const char *name)
{
	DIR *d = opendir("/proc");
	const struct dirent *e;
	char path[300], comm[64];
	int pid = 0, parent;

	while (d && pid == 0 && (e = readdir(d))) {
		FILE *f;

		snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
		f = isdigit((unsigned char)e->d_name[0]) ? fopen(path, "re") : NULL;
		if (f && fscanf(f, "%*d (%63[^)]) %*c %d", comm, &parent) == 2 && parent == getppid() &&
		    strcmp(comm, name) == 0)
			pid = (int)strtol(e->d_name, NULL, 10);
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return pid;
}

static void learn_key(const char *chain)
{
	FILE *f = fopen(chain, "re");
	X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	unsigned char *der = NULL;
	int n = x ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der) : 0;

	if (n > 0)
		sign_key_id((struct view){ der, (size_t)n }, target.key_id);
	OPENSSL_free(der);
	X509_free(x);
	if (f)
		fclose(f);
}

void compromise_arm(const struct role_env *e, int control)
{
	struct sigaction trap = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	struct sigaction go = { .sa_handler = on_begin };
	char path[512];
	struct stat st;

	if (strcmp(e->role->name, "edge") != 0)
		return;
	target = (struct target){ .home = child_named("home"), .keeper = child_named("keeper"),
				  .signer = child_named("signer"), .watch = child_named("watch"),
				  .supervisor = getppid(), .control = control,
				  .data_dir = e->conf.data_dir, .line = e->line };
	target.http_port = (uint16_t)strtoul(strrchr(e->conf.watch_listen, ':') + 1, NULL, 10);
	target.home_port = e->edge_conf.home[0].port;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/sightings.%d", e->conf.data_dir, i);
		target.own[i] = stat(path, &st) == 0 ? st.st_ino : 0;
	}
	learn_key(e->conf.tls_chain);
	read_secrets();
	note_maps();
	if (pipe(probe) != 0 || sem_init(&begin, 0, 0) != 0)
		abort();
	sigaction(SIGSYS, &trap, NULL);
	sigaction(SIGUSR2, &go, NULL);
}

void compromise_start(const struct role_env *e)
{
	pthread_t t;

	if (strcmp(e->role->name, "edge") == 0 && pthread_create(&t, NULL, attack, NULL) != 0)
		abort();
}
