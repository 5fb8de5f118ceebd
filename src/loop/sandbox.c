/* In this order: the uid, no new privileges, landlock, seccomp; each takes away the means to undo what
 * came before. */
#include "loop/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

/* Newer than Debian 12's headers: landlock ABI 3 to 6. */
#define FS_REFER      (1ull << 13)
#define FS_TRUNCATE   (1ull << 14)
#define FS_IOCTL_DEV  (1ull << 15)
#define NET_TCP       3ull
#define NET_BIND      1ull
#define NET_CONNECT   2ull
#define RULE_PORT     2
#define SCOPE_ALL     3ull
#define FS_ABI_1      ((1ull << 13) - 1)
#define FS_READ       (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

struct rules {
	uint64_t fs, net, scoped;
};

struct port_rule {
	uint64_t access, port;
};

/* A build in which edge attacks goes on after a call that would have killed it (tests/compromise). */
#ifdef COMPROMISE
#define OTHERWISE SCMP_ACT_TRAP
#else
#define OTHERWISE SCMP_ACT_KILL_PROCESS
#endif

static enum err refuse(char why[256], const char *what, const char *name)
{
	snprintf(why, 256, "sandbox: %s%s%.100s: %s", what, name ? " " : "", name ? name : "",
		 strerror(errno));
	return ERR_REFUSED;
}

static void degrade(char degraded[128], const char *what)
{
	size_t n = strlen(degraded);

	snprintf(degraded + n, 128 - n, "%s%s", n ? "; " : "", what);
}

/* --- who we are ----------------------------------------------------------------------------- */

/* A name of the system's, or a bare number, which needs no account. */
static bool find_user(const char *user, uid_t *uid, gid_t *gid)
{
	char *end;
	unsigned long n = strtoul(user, &end, 10);
	const struct passwd *p;

	if (user[0] && !*end && n > 0 && n < 0x7fffffff) {
		*uid = (uid_t)n;
		*gid = (gid_t)n;
		return true;
	}
	errno = 0;
	p = getpwnam(user);
	if (!p)
		return false;
	*uid = p->pw_uid;
	*gid = p->pw_gid;
	return true;
}

static enum err change_user(const char *user, char degraded[128], char why[256])
{
	int death = 0;
	uid_t uid;
	gid_t gid;

	if (!user)
		return ERR_OK;
	if (geteuid() != 0) {
		degrade(degraded, "not root: no uid of its own");
		return ERR_OK;
	}
	if (!find_user(user, &uid, &gid)) {
		errno = errno ? errno : ENOENT;
		return refuse(why, "user", user);
	}
	prctl(PR_GET_PDEATHSIG, &death);
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return refuse(why, "change to user", user);
	prctl(PR_SET_PDEATHSIG, death); /* a change of uid clears it */
	return ERR_OK;
}

/* Root without capabilities is an owner of files, and no more. */
static enum err drop_rights(char why[256])
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };
	struct rlimit no_core = { 0, 0 };

	if (syscall(SYS_capset, &head, none))
		return refuse(why, "drop capabilities", NULL);
	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_DUMPABLE, 0); /* keys must not be read by another process of this uid */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return refuse(why, "no_new_privs", NULL);
	return ERR_OK;
}

static void limit(int what, uint64_t max)
{
	struct rlimit now, then = { max, max };

	if (max > 0 && getrlimit((__rlimit_resource_t)what, &now) == 0 && now.rlim_max > max)
		setrlimit((__rlimit_resource_t)what, &then);
}

/* What would take from the others: the disk, memory, the table of processes. */
static void set_limits(const struct sandbox *s)
{
	int fd = s->first_to_go ? open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		(void)!write(fd, "500", 3);
		close(fd);
	}
	if (s->file_max > 0)
		signal(SIGXFSZ, SIG_IGN); /* an error, as on a full disk */
	limit(RLIMIT_FSIZE, s->file_max);
#ifndef __SANITIZE_ADDRESS__ /* whose shadow is data */
	limit(RLIMIT_DATA, s->data_max);
#endif
}

/* --- landlock ------------------------------------------------------------------------------- */

static uint64_t fs_rights(long abi)
{
	return FS_ABI_1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
	       (abi >= 5 ? FS_IOCTL_DEV : 0);
}

static bool allow_below(int set, const char *dir, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	bool ok;

	if (!dir)
		return true;
	rule.parent_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return false;
	ok = syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
	close(rule.parent_fd);
	return ok;
}

/* It may connect to these ports, and be bound to an address of ours, but not to a port. */
static bool allow_ports(int set, const struct sandbox *s)
{
	struct port_rule own = { NET_BIND, 0 };
	bool ok = syscall(SYS_landlock_add_rule, set, RULE_PORT, &own, 0) == 0;

	for (size_t i = 0; i < s->port_n && ok; i++) {
		struct port_rule to = { NET_CONNECT, s->port[i] };

		ok = syscall(SYS_landlock_add_rule, set, RULE_PORT, &to, 0) == 0;
	}
	return ok;
}

/* Landlock binds the thread that asks for it and those it makes; seccomp binds all there are. */
static bool alone(void)
{
	DIR *d = opendir("/proc/self/task");
	const struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n <= 1;
}

static enum err lock_land(const struct sandbox *s, char degraded[128], char why[256])
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	bool net = abi >= 4 && (!s->network || s->dials_only);
	struct rules r = { .fs = fs_rights(abi), .net = net ? NET_TCP : 0,
			   .scoped = abi >= 6 ? SCOPE_ALL : 0 };
	int set;

	if (abi < 1) {
		degrade(degraded, "no landlock");
		return ERR_OK;
	}
	if (s->dials_only && !alone())
		degrade(degraded, "threads older than landlock are not bound by it");
	if (abi < 3)
		degrade(degraded, "landlock without truncate");
	if (abi < 4 && s->dials_only)
		degrade(degraded, "landlock without ports: it may connect anywhere");
	set = (int)syscall(SYS_landlock_create_ruleset, &r, sizeof r, 0);
	if (set < 0)
		return refuse(why, "landlock", NULL);
	if (!allow_below(set, s->write_dir, r.fs & ~FS_IOCTL_DEV & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE)) {
		close(set);
		return refuse(why, "directory", s->write_dir);
	}
	if (!allow_below(set, s->read_dir, FS_READ)) {
		close(set);
		return refuse(why, "directory", s->read_dir);
	}
	if (s->dials_only && r.net && !allow_ports(set, s)) {
		close(set);
		return refuse(why, "landlock: ports", NULL);
	}
	if (syscall(SYS_landlock_restrict_self, set, 0)) {
		close(set);
		return refuse(why, "landlock", NULL);
	}
	close(set);
	return ERR_OK;
}

/* --- seccomp -------------------------------------------------------------------------------- */

struct allowance {
	bool network, any_socket, files, writing;
};

/* All or nothing: a rule that cannot be added is a hole or a trap. */
static bool add_list(scmp_filter_ctx f, const struct allowance *a)
{
	int bad = 0;

#define CALL(name)          bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(name), 0);
#define CALL_IF(flag, name) bad |= a->flag ? seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(name), 0) : 0;
#define DENY(flag, name, error) \
	bad |= a->flag ? 0 : seccomp_rule_add(f, SCMP_ACT_ERRNO(error), SCMP_SYS(name), 0);
#include "loop/syscall.tab"
#undef CALL
#undef CALL_IF
#undef DENY
	return bad == 0;
}

/* Calls that are harmless only with some arguments. */
static bool add_narrow(scmp_filter_ctx f, bool threads)
{
	const uint64_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
	uint64_t me = (uint64_t)getpid();
	int bad = 0;

	/* Memory is never made executable. */
	bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONREAD, 0));
	bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONBIO, 0));
	bad |= seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 1,
				SCMP_A1(SCMP_CMP_EQ, TCGETS, 0));
	bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0));
	/* abort(3) */
	bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, me, 0));
	/* Limits may be read. */
	bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0, 0));
	/* Its flags lie in memory, out of the filter's sight: libc goes back to clone. */
	bad |= seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (threads)
		bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
					SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));
	return bad == 0;
}

/* Streams over IP: no Unix socket, no datagram, no raw packet. */
static bool add_dialling(scmp_filter_ctx f, const struct sandbox *s)
{
	static const int family[] = { AF_INET, AF_INET6 };
	static const uint64_t protocol[] = { 0, 6 /* TCP */, 132 /* SCTP */ };
	int bad = 0;

	for (size_t i = 0; i < 2 && s->dials_only; i++) {
		for (size_t p = 0; p < (s->sctp ? 3u : 2u); p++)
			bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3,
						SCMP_A0(SCMP_CMP_EQ, (uint64_t)family[i], 0),
						SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_STREAM),
						SCMP_A2(SCMP_CMP_EQ, protocol[p], 0));
	}
	return bad == 0;
}

/* Who opens files also locks them; others get neither locks and leases, which would hold up a file's
 * owner, nor signals by descriptor (F_SETOWN). */
static bool add_descriptors(scmp_filter_ctx f, bool files)
{
	static const int harmless[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL };
	int bad = 0;

	for (size_t i = 0; i < sizeof harmless / sizeof *harmless && !files; i++)
		bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
					SCMP_A1(SCMP_CMP_EQ, (uint64_t)harmless[i], 0));
	return bad == 0;
}

static enum err filter_calls(const struct sandbox *s, char why[256])
{
	scmp_filter_ctx f = seccomp_init(OTHERWISE);
	struct allowance a = { s->network, s->network && !s->dials_only, s->write_dir || s->read_dir,
			       s->write_dir != NULL };
	int e;

	if (!f || !add_list(f, &a) || !add_narrow(f, s->threads) || !add_dialling(f, s) ||
	    !add_descriptors(f, a.files) ||
	    seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1)) {
		seccomp_release(f);
		errno = EINVAL;
		return refuse(why, "seccomp filter", NULL);
	}
	(void)seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree; old libraries have a list */
	e = seccomp_load(f);
	seccomp_release(f);
	if (e == 0)
		return ERR_OK;
	errno = -e;
	return refuse(why, "seccomp", NULL);
}

enum err sandbox_enter(const struct sandbox *s, char degraded[128], char why[256])
{
	enum err err;

	degraded[0] = why[0] = 0;
	set_limits(s);
	err = change_user(s->user, degraded, why);
	if (!err && s->user && getuid() != 0)
		limit(RLIMIT_NPROC, s->thread_max);
	if (!err)
		err = drop_rights(why);
	if (!err)
		err = lock_land(s, degraded, why);
	if (!err)
		err = filter_calls(s, why);
	return err;
}
