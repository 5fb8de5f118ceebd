#!/usr/bin/env python3
"""Two storms that happened, played against the product with a store that falls behind.

docomo, 14 October 2021: devices are made to register again in batches, the next released too soon. KDDI, 2 July 2022:
all devices register at once, and the subscriber database behind falls behind and ends inconsistent. Here home's store
is slowed down: each write and each sync of it waits (a library loaded before its own). Beside the storm some nodes keep
a ledger of what they were promised.

What must hold: every registration answered with success is in the store, of the ledger's devices the very one; what the
store holds is no more than was sent; after the storm nothing is refused at half of what the store carries and answers
are as fast as before it (no metastable loop).    named.py BUILD-FOLDER [DEVICES [WRITE_US [SYNC_US]]]"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build"))
os.environ["MERLON"] = os.path.join(BUILD, "src/cli/merlon")
sys.path.insert(0, os.path.join(ROOT, "tests/peer"))

import durable  # noqa: E402
from merlon import BINARY, Merlon  # noqa: E402

DEVICES, WRITE_US, SYNC_US = ([int(x) for x in sys.argv[2:]] + [20000, 1000, 20000][len(sys.argv[2:]):])
NETWORK, CRITICAL = "00101", DEVICES // 50
FIRST = {"meters": 999707000000000, "pacemakers": 999707100000000}
LEDGER = [f"99970720{i:07d}" for i in range(100)]
CARDS = [f"99970730{i:07d}" for i in range(4)]
SLOW = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#define FDS 4096
static char slow[FDS]; /* descriptors of the registrations */
static long write_us, sync_us;
__attribute__((constructor)) static void begin(void)
{
	write_us = atol(getenv("SLOW_WRITE_US"));
	sync_us = atol(getenv("SLOW_SYNC_US"));
}
static void rest(int fd, long us)
{
	struct timespec t = {us / 1000000, us % 1000000 * 1000};
	if (fd >= 0 && fd < FDS && slow[fd])
		nanosleep(&t, NULL);
}
#define NEXT(name) __typeof__(name) *next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define OPEN(name)                                                                                 \
	int name(const char *path, int flags, ...)                                                     \
	{                                                                                              \
		NEXT(name);                                                                                \
		va_list a;                                                                                 \
		va_start(a, flags);                                                                        \
		int fd = next(path, flags, va_arg(a, int));                                                \
		va_end(a);                                                                                 \
		if (fd >= 0 && fd < FDS)                                                                   \
			slow[fd] = strstr(path, "registrations/data.mdb") != NULL;                             \
		return fd;                                                                                 \
	}
OPEN(open)
OPEN(open64)
ssize_t pwrite(int fd, const void *p, size_t n, off_t at) { NEXT(pwrite); rest(fd, write_us); return next(fd, p, n, at); }
ssize_t pwrite64(int fd, const void *p, size_t n, off_t at) { NEXT(pwrite64); rest(fd, write_us); return next(fd, p, n, at); }
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at) { NEXT(pwritev); rest(fd, write_us); return next(fd, v, n, at); }
ssize_t pwritev64(int fd, const struct iovec *v, int n, off_t at) { NEXT(pwritev64); rest(fd, write_us); return next(fd, v, n, at); }
ssize_t writev(int fd, const struct iovec *v, int n) { NEXT(writev); rest(fd, write_us); return next(fd, v, n); }
int fdatasync(int fd) { NEXT(fdatasync); rest(fd, sync_us); return next(fd); }
"""
missed = []


def say(text):
    print(text, flush=True)


def goal(text, met):
    say(f"    goal: {text}: {'met' if met else 'MISSED'}")
    if not met:
        missed.append(text)


def build_slow(where):
    path = os.path.join(where, "slow.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", path, "-xc", "-", "-ldl"], input=SLOW.encode(), check=True)
    return path


def simulate(m, *more):
    done = subprocess.run([BINARY, "simulate", "--to", f"tcp:127.0.0.1:{m.port}", "--network", NETWORK, "--json", "--quiet",
                           *[str(x) for x in more]], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.returncode
    return json.loads(done.stdout)


def steady(m, rate, seconds=6):
    r = simulate(m, "--group", f"steady={FIRST['meters']}:2000", "--mix", "ulr", "--rate", rate, "--duration", seconds)
    return r["groups"][0], r["commands"]["ULR"]["p99_us"] / 1000


def what_the_store_carries(m):
    """Registrations a second while many wait: the rate is raised until a third is not answered in time."""
    r = simulate(m, "--group", f"all={FIRST['meters']}:{DEVICES - CRITICAL}", "--mix", "ulr", "--rate", 20000, "--duration", 6)
    return r["groups"][0]["done"] // 6


def play(m, name, *more):
    """One of the storms, all devices awake; then what the store holds beside what was answered."""
    groups = ["--group", f"meters={FIRST['meters']}:{DEVICES - CRITICAL}", "--group",
              f"pacemakers={FIRST['pacemakers']}:{CRITICAL}", "--urgent", "pacemakers"]
    load = durable.Load(m, LEDGER, CARDS, threads=3)
    try:
        load.progress()
        got = simulate(m, "--scenario", name, *groups, *more)
        load.progress(60)
    finally:
        load.stop()
    got["load"] = load
    got["by"] = {g["group"]: g for g in got["groups"]}
    for g in got["groups"]:
        say(f"    {g['group']}: {g['done']} of {g['devices']} attached, {g['first_try']} at the first try, {g['refused']} refused, "
            f"{g['silent']} without an answer, p99 {g['request_p99_us'] / 1000:.0f} ms a request")
    return got


def judge(m, got, before, half):
    again, p99 = steady(m, half)
    load = got["load"]
    assert m.stop() == 0
    stored = durable.registrations(m.data_dir)
    held = sum(1 for imsi in stored if 0x9997070000000000 <= imsi < 0x9997072000000000)
    done = sum(g["done"] for g in got["groups"])
    wrong = load.regs.wrong(stored)
    goal(f"registrations answered with success that the store has not: {max(0, done - held)} of {done}; of the ledger "
         f"{len(wrong)} of {load.regs.successes}", held >= done and not wrong)
    say(f"    no SQN twice in {load.check_vectors()} vectors")  # or it ends here
    goal(f"critical devices attached at the first try: {got['by']['pacemakers']['first_try']} of {CRITICAL}",
         got["by"]["pacemakers"]["first_try"] == CRITICAL)
    goal(f"no metastable loop: at {half} a second afterwards {again['refused']} refused, {again['done']} done, p99 {p99:.0f} ms "
         f"(before {before:.0f})", again["refused"] == 0 and p99 <= 2 * before + 50)


def storm(work, slow, name, *more):
    m = Merlon(os.path.join(work, name), answer=20000,
               env={"LD_PRELOAD": slow, "SLOW_WRITE_US": str(WRITE_US), "SLOW_SYNC_US": str(SYNC_US)}).wait_up(60)
    try:
        m.import_sims([str(FIRST["meters"] + i) for i in range(DEVICES - CRITICAL)] + LEDGER + CARDS, "meter")
        m.import_sims([str(FIRST["pacemakers"] + i) for i in range(CRITICAL)], "pacemaker")
        carries = what_the_store_carries(m)
        half = max(20, carries // 4)
        time.sleep(25)  # that was a storm of its own
        _, before = steady(m, half)
        say(f"  {name}: {DEVICES} devices; the slowed store carries {carries} registrations a second, p99 {before:.0f} ms at {half}")
        judge(m, play(m, name, *more), before, half)
    finally:
        m.stop()


def main():
    work = tempfile.mkdtemp(prefix="mn-", dir="/tmp")
    try:
        slow = build_slow(work)
        storm(work, slow, "docomo", "--batch", DEVICES // 5, "--gap", 5, "--duration", 100)
        storm(work, slow, "kddi", "--window", 5, "--duration", 90)
    finally:
        if not os.environ.get("KEEP"):
            shutil.rmtree(work, ignore_errors=True)
    say(f"{len(missed)} goals missed" if missed else "every goal met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
