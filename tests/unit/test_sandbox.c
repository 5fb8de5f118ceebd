/* A child enters the sandbox and tries; its end says what happened. */
#include "loop/child.h"
#include "loop/sandbox.h"
#include "unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>

static char dir[] = "/tmp/merlon_box_XXXXXX";
static char other[] = "/tmp/merlon_out_XXXXXX";
static const struct sandbox closed = { 0 };
static int store = -1;

/* Enter, then run `attempt`: its result is the exit status; -signal when it was killed. */
static int inside(const struct sandbox *box, int (*attempt)(void))
{
	char degraded[128], why[256];
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (sandbox_enter(box, degraded, why)) {
			fprintf(stderr, "%s\n", why);
			_exit(99);
		}
		_exit(attempt());
	}
	check(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int open_passwd(void)
{
	int fd = open("/etc/passwd", O_RDONLY);

	return fd < 0 && errno == EACCES ? 0 : 1;
}

static int exec_shell(void)
{
	char *const argv[] = { (char[]){ "sh" }, NULL };

	execve("/bin/sh", argv, NULL);
	return 1;
}

static int fork_again(void)
{
	return fork() < 0 ? 2 : 1;
}

static int map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED;
}

static int trace(void)
{
	return (int)syscall(101 /* ptrace */, 0, 0, 0, 0) + 1;
}

static int kill_parent(void)
{
	return kill(getppid(), 0) == 0;
}

static int make_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EACCES &&
	       socket(AF_UNIX, SOCK_DGRAM, 0) < 0 && errno == EACCES ? 0 : 1;
}

static int connect_out(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(1) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno == ECONNREFUSED ? 0 : 1;
}

TEST(what_a_role_never_does_fails_or_kills_it)
{
	static const struct {
		const char *why;
		int (*attempt)(void);
		int end;
	} cases[] = {
		{ "open a file", open_passwd, 0 },
		{ "make a socket", make_socket, 0 },
		{ "run a program", exec_shell, -SIGSYS },
		{ "fork", fork_again, -SIGSYS },
		{ "make memory executable", map_code, -SIGSYS },
		{ "trace", trace, -SIGSYS },
		{ "signal another process", kill_parent, -SIGSYS },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		printf("  %s\n", cases[i].why);
		fflush(stdout);
		check_eq(inside(&closed, cases[i].attempt), cases[i].end);
	}
}

static int lock_file(void)
{
	return flock(store < 0 ? 0 : store, LOCK_EX);
}

static int lease_file(void)
{
	return fcntl(0, F_SETLEASE, F_RDLCK);
}

static int stat_file(void)
{
	struct stat st;

	return stat("/etc/passwd", &st) < 0 && errno == EACCES ? 0 : 1;
}

static int unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static int datagrams(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0) >= 0;
}

static int multipath(void)
{
	return socket(AF_INET, SOCK_STREAM, 262 /* MPTCP: another path past the list of ports */) >= 0;
}

static int listen_itself(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return listen(fd, 1) < 0 && errno == EACCES ? 0 : 1;
}

static const uint16_t ports[] = { 1 };

static int connect_elsewhere(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(2) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) < 0 &&
	       (errno == EACCES || errno == ECONNREFUSED /* landlock before ABI 4 */) ? 0 : 1;
}

static int too_much_memory(void)
{
#ifdef __SANITIZE_ADDRESS__
	return 0;
#else
	return malloc(300 << 20) != NULL;
#endif
}

static int too_long_a_file(void)
{
	return pwrite(store, "x", 1, 5000) > 0 || errno != EFBIG || ftruncate(store, 4097) == 0;
}

TEST(who_only_dials_does_only_that)
{
	static const struct sandbox box = { .network = true, .dials_only = true, .port = ports, .port_n = 1,
					    .data_max = 256 << 20, .file_max = 4096 };

	store = memfd_create("store", 0);
	check_eq(inside(&box, connect_out), 0);
	check_eq(inside(&box, connect_elsewhere), 0);
	check_eq(inside(&box, listen_itself), 0);
	check_eq(inside(&box, stat_file), 0);
	check_eq(inside(&box, too_much_memory), 0);
	check_eq(inside(&box, too_long_a_file), 0);
	check_eq(inside(&box, unix_socket), -SIGSYS);
	check_eq(inside(&box, datagrams), -SIGSYS);
	check_eq(inside(&box, multipath), -SIGSYS);
	check_eq(inside(&box, lock_file), -SIGSYS);
	check_eq(inside(&box, lease_file), -SIGSYS);
	close(store);
	store = -1;
}

TEST(a_role_with_network_may_connect)
{
	check_eq(inside(&(struct sandbox){ .network = true }, connect_out), 0);
	check_eq(inside(&(struct sandbox){ .network = true }, open_passwd), 0);
}

/* --- what must go on working ---------------------------------------------------------------- */

static sem_t told, heard;

static void *wait_and_tell(void *arg)
{
	void *p;

	sem_wait(&told);
	p = malloc(1 << 20);
	free(p);
	sem_post(&heard);
	return arg;
}

static int allocate_and_store(void)
{
	uint8_t page[4096] = { 1 };
	void *big = malloc(64 << 20), *map;

	if (!big)
		return 1;
	memset(big, 1, 64 << 20);
	free(big);
	if (pwrite(store, page, sizeof page, 4096) != sizeof page || fdatasync(store))
		return 2;
	map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, store, 0);
	if (map == MAP_FAILED || ((uint8_t *)map)[4096] != 1 || msync(map, 8192, MS_SYNC))
		return 3;
	if (ftruncate(store, 0) || fcntl(store, F_GETFL) < 0)
		return 4;
	if (write(store, page, 1) != 1 || lseek(store, 0, SEEK_SET) || read(store, page, 1) != 1)
		return 5;
	return 0;
}

TEST(memory_and_open_files_go_on_working)
{
	check(mkdtemp(dir) && mkdtemp(other));
	store = memfd_create("store", 0);
	check(store >= 0);
	check_eq(inside(&closed, allocate_and_store), 0);
}

static int use_thread(void)
{
	sem_post(&told);
	sem_wait(&heard);
	return 0;
}

static int start_then_enter(void)
{
	char degraded[128], why[256];
	pthread_t t;

	if (pthread_create(&t, NULL, wait_and_tell, NULL) || sandbox_enter(&closed, degraded, why))
		return 1;
	return use_thread();
}

TEST(threads_that_run_already_go_on_and_are_bound_too)
{
	int status;
	pid_t pid;

	sem_init(&told, 0, 0);
	sem_init(&heard, 0, 0);
	pid = fork();
	if (pid == 0)
		_exit(start_then_enter());
	check(waitpid(pid, &status, 0) == pid);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int make_thread(void)
{
	pthread_t t;

	sem_post(&told);
	return pthread_create(&t, NULL, wait_and_tell, NULL) || pthread_join(t, NULL);
}

TEST(threads_are_made_only_where_allowed)
{
	check_eq(inside(&(struct sandbox){ .threads = true }, make_thread), 0);
	check_eq(inside(&closed, make_thread), -SIGSYS);
}

/* --- directories ---------------------------------------------------------------------------- */

static bool can_open(const char *below, const char *name, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/%s", below, name);
	fd = open(path, flags, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int write_inside_only(void)
{
	char path[128];

	if (!can_open(dir, "a", O_RDWR | O_CREAT) || can_open(other, "a", O_RDWR | O_CREAT) ||
	    can_open(other, "kept", O_RDONLY))
		return 1;
	snprintf(path, sizeof path, "%s/a", dir);
	if (unlink(path))
		return 2;
	return open_passwd();
}

static int read_inside_only(void)
{
	return can_open(other, "kept", O_RDONLY) && !can_open(other, "kept", O_RDWR) &&
	       !can_open(other, "b", O_RDWR | O_CREAT) && !can_open(dir, "b", O_RDONLY | O_CREAT) ? 0 : 1;
}

TEST(files_are_opened_only_below_the_given_directories)
{
	check(can_open(other, "kept", O_RDWR | O_CREAT));
	check_eq(inside(&(struct sandbox){ .write_dir = dir }, write_inside_only), 0);
	check_eq(inside(&(struct sandbox){ .read_dir = other }, read_inside_only), 0);
}

static int have_uid(void)
{
	return getuid() == 65533 && geteuid() == 65533 && getgid() == 65533 ? 0 : 1;
}

static int have_no_rights(void)
{
	return chown("/", 0, 0) == 0; /* not on the list at all */
}

TEST(root_becomes_the_given_user)
{
	struct sandbox box = { .user = "65533" };
	char degraded[128], why[256];

	if (geteuid() != 0) {
		printf("  skipped: not root\n");
		return;
	}
	check_eq(inside(&box, have_uid), 0);
	check_eq(inside(&closed, have_no_rights), -SIGSYS);
	box.user = "no-such-user";
	check_eq(sandbox_enter(&box, degraded, why), ERR_REFUSED);
	check(strncmp(why, "sandbox: user no-such-user: ", 28) == 0);
}

static int die_with_parent(void *ctx, int control)
{
	struct sandbox box = { .user = "65533" };
	char degraded[128], why[256];

	(void)ctx;
	if (sandbox_enter(&box, degraded, why))
		return 1;
	(void)child_say(control, CHILD_READY, NULL, NULL, 0);
	sleep(60);
	return 0;
}

static int middle(void *ctx, int control)
{
	struct child_message m;
	struct child inner;

	(void)ctx;
	if (child_start(&inner, "inner", NULL, 0, die_with_parent, NULL) ||
	    child_hear(inner.control, &m, 5000) || m.word != CHILD_READY)
		return 1;
	/* The one end that tells of the inner one's death outlives us. */
	return child_say(control, CHILD_READY, NULL, &inner.control, 1) ? 0 : 1;
}

TEST(a_role_dies_with_its_supervisor_even_under_another_uid)
{
	struct child_message m;
	struct child c;
	char end[96];
	int status;

	check_eq(child_start(&c, "middle", NULL, 0, middle, NULL), ERR_OK);
	check_eq(child_hear(c.control, &m, 5000), ERR_OK);
	check(m.word == CHILD_READY && m.fd_n == 1);
	child_end(&c, 5000, &status, end);
	check_eq(status, 0);
	check_eq(child_hear(m.fds[0], &m, 5000), ERR_OK);
	check_eq(m.word, CHILD_GONE);
}

TEST(directories_are_removed)
{
	char path[128];

	snprintf(path, sizeof path, "%s/kept", other);
	check(unlink(path) == 0 && rmdir(other) == 0 && rmdir(dir) == 0);
}

TESTS(T(what_a_role_never_does_fails_or_kills_it), T(who_only_dials_does_only_that),
      T(a_role_with_network_may_connect),
      T(memory_and_open_files_go_on_working), T(threads_that_run_already_go_on_and_are_bound_too),
      T(threads_are_made_only_where_allowed), T(files_are_opened_only_below_the_given_directories),
      T(root_becomes_the_given_user), T(a_role_dies_with_its_supervisor_even_under_another_uid),
      T(directories_are_removed))
