/* What the kernel is asked for: other processes, rights, memory that runs. One row, one call. */
#include "compromise/compromise.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static uint8_t room[4096] __attribute__((aligned(4096)));
static struct iovec here = { room, 16 }, there = { (void *)0x400000, 16 };
static const char *const nothing[] = { "/bin/sh", NULL };

/* Denied: below 0. */
#define CALLS \
	ROW("ptrace home", SYS_ptrace, PTRACE_ATTACH, target.home) \
	ROW("ptrace signer", SYS_ptrace, PTRACE_SEIZE, target.signer) \
	ROW("process_vm_readv home", SYS_process_vm_readv, target.home, &here, 1, &there, 1, 0) \
	ROW("process_vm_readv keeper", SYS_process_vm_readv, target.keeper, &here, 1, &there, 1, 0) \
	ROW("process_vm_readv signer", SYS_process_vm_readv, target.signer, &here, 1, &there, 1, 0) \
	ROW("process_vm_writev home", SYS_process_vm_writev, target.home, &here, 1, &there, 1, 0) \
	ROW("kill home", SYS_kill, target.home, SIGKILL) \
	ROW("kill keeper", SYS_kill, target.keeper, SIGKILL) \
	ROW("kill signer", SYS_kill, target.signer, SIGSTOP) \
	ROW("kill supervisor", SYS_kill, target.supervisor, SIGTERM) \
	ROW("kill everybody", SYS_kill, -1, SIGTERM) \
	ROW("tgkill home", SYS_tgkill, target.home, target.home, SIGKILL) \
	ROW("tkill home", SYS_tkill, target.home, SIGKILL) \
	ROW("rt_sigqueueinfo home", SYS_rt_sigqueueinfo, target.home, SIGTERM, room) \
	ROW("pidfd_open home", SYS_pidfd_open, target.home, 0) \
	ROW("pidfd_getfd", SYS_pidfd_getfd, 0, 3, 0) \
	ROW("kcmp home", SYS_kcmp, getpid(), target.home, 0, 0, 0) \
	ROW("prlimit of home", SYS_prlimit64, target.home, RLIMIT_NOFILE, &here, 0) \
	ROW("setpriority of home", SYS_setpriority, PRIO_PROCESS, target.home, 19) \
	ROW("sched_setaffinity of home", SYS_sched_setaffinity, target.home, 8, room) \
	ROW("sched_setscheduler of home", SYS_sched_setscheduler, target.home, SCHED_IDLE, room) \
	ROW("sched_setscheduler, real time", SYS_sched_setscheduler, 0, SCHED_FIFO, room) \
	ROW("fork", SYS_fork, 0) \
	ROW("vfork", SYS_vfork, 0) \
	ROW("clone as fork", SYS_clone, SIGCHLD, 0) \
	ROW("clone3", SYS_clone3, room, 88) \
	ROW("clone, new namespaces", SYS_clone, CLONE_NEWUSER | SIGCHLD, 0) \
	ROW("execve", SYS_execve, "/bin/sh", nothing, 0) \
	ROW("execveat", SYS_execveat, AT_FDCWD, "/bin/sh", nothing, 0, 0) \
	ROW("unshare", SYS_unshare, CLONE_NEWUSER) \
	ROW("setns", SYS_setns, 0, 0) \
	ROW("setuid root", SYS_setuid, 0) \
	ROW("setresuid of home", SYS_setresuid, 61186, 61186, 61186) \
	ROW("setgroups", SYS_setgroups, 0, 0) \
	ROW("capset", SYS_capset, room, room) \
	ROW("prctl dumpable", SYS_prctl, PR_SET_DUMPABLE, 1) \
	ROW("prctl ptracer", SYS_prctl, PR_SET_PTRACER, -1) \
	ROW("seccomp again", SYS_seccomp, 1, 0, room) \
	ROW("bpf", SYS_bpf, 0, room, 64) \
	ROW("perf_event_open", SYS_perf_event_open, room, target.home, -1, -1, 0) \
	ROW("userfaultfd", SYS_userfaultfd, 1) \
	ROW("io_uring_setup", SYS_io_uring_setup, 8, room) \
	ROW("keyctl", SYS_keyctl, 0, -3, 0) \
	ROW("add_key", SYS_add_key, "user", "x", room, 8, -3) \
	ROW("shmget", SYS_shmget, 1, 4096, 01666) \
	ROW("mq_open", SYS_mq_open, "x", O_CREAT | O_RDWR, 0600, 0) \
	ROW("semget", SYS_semget, 1, 1, 01666) \
	ROW("memfd_create", SYS_memfd_create, "x", 0) \
	ROW("pipe2", SYS_pipe2, room, 0) \
	ROW("modify_ldt", SYS_modify_ldt, 1, room, 16) \
	ROW("personality", SYS_personality, 0x0040000) \
	ROW("iopl", SYS_iopl, 3) \
	ROW("reboot", SYS_reboot, 0xfee1dead, 672274793, 0x4321fedc, 0) \
	ROW("init_module", SYS_init_module, room, 16, "") \
	ROW("clock_settime", SYS_clock_settime, 0, room) \
	ROW("settimeofday", SYS_settimeofday, room, 0) \
	ROW("adjtimex", SYS_adjtimex, room) \
	ROW("sethostname", SYS_sethostname, "x", 1) \
	ROW("syslog", SYS_syslog, 3, room, 64) \
	ROW("mount", SYS_mount, "none", "/tmp", "tmpfs", 0, 0) \
	ROW("chroot", SYS_chroot, "/tmp") \
	ROW("swapon", SYS_swapon, "/tmp/x", 0) \
	ROW("quotactl", SYS_quotactl, 0, "/", 0, room) \
	ROW("acct", SYS_acct, "/tmp/x") \
	ROW("more memory locked than allowed", SYS_mlockall, MCL_FUTURE) \
	ROW("raise a limit", SYS_setrlimit, RLIMIT_DATA, room) \
	ROW("memory that runs", SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, \
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) \
	ROW("make memory run", SYS_mprotect, room, 4096, PROT_READ | PROT_EXEC) \
	ROW("make memory run by a key", SYS_pkey_mprotect, room, 4096, PROT_READ | PROT_EXEC, -1) \
	ROW("signals by a descriptor", SYS_fcntl, 0, F_SETOWN, target.home)

#include "compromise/calls.inc"

const struct attack attacks_on_system[] = {
#define ROW(name, ...) { name, in_turn },
	CALLS
#undef ROW
	{ NULL, NULL },
};
