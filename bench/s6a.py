#!/usr/bin/env python3
"""What a transaction costs, in one run beside a bare epoll echo of the same bytes and beside freeDiameter.

  s6a.py BUILD-FOLDER [--seconds N] [--cards N] [--dir FOLDER] [--json]

Closed loops (so many devices at work) give CPU microseconds a transaction, from /proc, and the rate; open loops
at half the rate that was reached give the latencies. Every check of the judge is on, keys are opened from the
vault, registrations are durable before they are answered, all on this machine's cores with the generator beside
them. On a shared machine CPU and ratios hold; rates and latencies move with what the others do. 'stolen' is what a
virtual machine's host took away meanwhile; with --dir /dev/shm nothing waits for the disk, and what is left of the
latencies is not the disk's."""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ARGS = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ARGS.add_argument("build", nargs="?", default=os.path.join(ROOT, "build"))
ARGS.add_argument("--seconds", type=int, default=5, help="of each measurement")
ARGS.add_argument("--cards", type=int, default=50000)
ARGS.add_argument("--dir", default="/tmp", help="where the data lies: another disk, or /dev/shm for none")
ARGS.add_argument("--json", action="store_true", help="the figures as JSON, on the last line")
ARGS = ARGS.parse_args()
BUILD = os.path.abspath(ARGS.build)
os.environ["MERLON"] = os.path.join(BUILD, "src/cli/merlon")
sys.path.insert(0, os.path.join(ROOT, "tests/peer"))

from diameter import vsai  # noqa: E402
from fd import Authority, FreeDiameter, build_extension  # noqa: E402
from merlon import HOME, Merlon, free_port, realm  # noqa: E402
from process import cpu_us, roles  # noqa: E402

LOAD = os.path.join(BUILD, "src/wire/bench_s6a")
FIRST, VISITED = 999705000000000, "00101"
VECTOR = [("Item-Number", 1), ("RAND", bytes(16)), ("XRES", bytes(8)), ("AUTN", bytes(16)), ("KASME", bytes(32))]
OWN = ["host=bench", f"realm={HOME}"]  # home hears nodes of its own realm alone


def stolen_ms():
    """By the host of a virtual machine, of all processors, since it started."""
    with open("/proc/stat", encoding="ascii") as f:
        return int(f.readline().split()[8]) * 1000 // os.sysconf("SC_CLK_TCK")


def load(name, port, pids, *options):
    """One measurement: the generator's figures and each process's CPU an answer."""
    stolen = stolen_ms()
    before = {n: cpu_us(p) for n, p in pids.items()}
    done = subprocess.run([LOAD, "load", str(port), f"first={FIRST}", f"cards={ARGS.cards}", f"plmn={VISITED}",
                           f"seconds={ARGS.seconds}", *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{name}: {done.stderr or done.returncode}")
    got = json.loads(done.stdout)
    got["cpu"] = {n: (cpu_us(p) - before[n]) / max(1, got["answers"]) for n, p in pids.items()}
    cpu = "  ".join(f"{n} {c:.1f} us" for n, c in got["cpu"].items())
    late = "  ".join(f"{c} p50 {got[c]['p50_us'] / 1000:.2f} p99 {got[c]['p99_us'] / 1000:.2f} ms"
                     for c in ("AIR", "ULR", "ECR") if c in got)
    got["stolen_ms"] = stolen_ms() - stolen
    print(f"{name:43} {got['per_s']:8.0f}/s  {cpu}  {late}  refused {got['refused']}  stolen {got['stolen_ms']} ms",
          flush=True)
    return got


def fdatasync_ms(where, n=200):
    """p50 and p99 of one small durable write."""
    path, took = os.path.join(where, "sync"), []
    with open(path, "wb") as f:
        for i in range(n):
            f.write(bytes(4096))
            f.flush()
            t = time.monotonic()
            os.fdatasync(f.fileno())
            took.append((time.monotonic() - t) * 1000)
    took.sort()
    return took[n // 2], took[n * 99 // 100]


def goal(text, met):
    print(f"goal: {text}: {'met' if met else 'missed'}", flush=True)
    return met


def echo(figures):
    port = free_port()
    server = subprocess.Popen([LOAD, "echo", str(port)])
    try:
        time.sleep(0.3)
        figures["echo"] = load("bare epoll echo", port, {"echo": server.pid}, "mix=echo", "window=256")
    finally:
        server.kill()
        server.wait()


def freediameter(figures, work):
    os.mkdir(os.path.join(work, "ca"))
    extension, ca, running = build_extension(work), Authority(os.path.join(work, "ca")), []
    allow = [f"*.{HOME}", f"*.{realm(VISITED)}", "*.ipx.net"]
    try:
        hss = FreeDiameter(work, extension, ca, f"hss.{HOME}", HOME, "127.0.0.1", port=free_port(), allow=allow,
                           threads=4)
        running.append(hss)
        hss.reply("AIR", [("Result-Code", 2001), ("Auth-Session-State", 1), vsai(),
                          ("Authentication-Info", [("E-UTRAN-Vector", VECTOR)])])
        hss.leave()
        relay = FreeDiameter(work, extension, ca, "dra.ipx.net", "ipx.net", "127.0.0.1", port=free_port(),
                             allow=allow, peers=[{"host": f"hss.{HOME}", "port": hss.port}], relay=True, threads=4)
        running.append(relay)
        relay.wait_open(f"hss.{HOME}")
        relay.leave()
        figures["fd"] = load("freeDiameter answers", hss.port, {"fd": hss.process.pid}, "mix=air", "window=64")
        figures["fd_relay"] = load("freeDiameter relays to it", relay.port,
                                   {"relay": relay.process.pid, "fd": hss.process.pid}, "mix=air", "window=64")
    finally:
        for x in reversed(running):
            x.stop()


def merlon(figures, work):
    m = Merlon(os.path.join(work, "merlon"))
    try:
        m.wait_up(60).import_sims([str(FIRST + i) for i in range(ARGS.cards)], "meter")
        pids = {n: p for n, p in roles(m.process.pid).items() if n in ("edge", "home")}
        home, both = {"home": pids["home"]}, pids
        figures["home"] = load("home, AIR", m.home_port, home, "mix=air", "window=256", "conns=1", *OWN)
        figures["home_ecr"] = load("home, ECR", m.home_port, home, "mix=ecr", "window=256", "conns=1", *OWN)
        load("(warming up: what home carries is learned)", m.port, both, "mix=attach", "window=32")
        figures["air"] = load("edge and home, AIR", m.port, both, "mix=air", "window=192")
        figures["attach"] = load("edge and home, attach", m.port, both, "mix=attach", "window=448")
        figures["sync"] = fdatasync_ms(m.data_dir)
        print(f"one fdatasync of 4 KiB on that disk: p50 {figures['sync'][0]:.2f} p99 {figures['sync'][1]:.2f} ms")
        half = int(figures["air"]["per_s"] / 2)
        figures["air_half"] = load(f"AIR at half load, {half}/s", m.port, both, "mix=air", f"rate={half}",
                                   "window=8192")
        half = int(figures["attach"]["per_s"] / 6)
        figures["attach_half"] = load(f"attach at half load, {half}/s", m.port, both, "mix=attach", f"rate={half}",
                                      "window=8192")
    finally:
        m.stop()


def verdicts(f):
    home, edge = f["home"]["cpu"]["home"], f["air"]["cpu"]["edge"]
    fd, relay = f["fd"]["cpu"]["fd"], f["fd_relay"]["cpu"]["relay"]
    bare = f["echo"]["cpu"]["echo"]
    attach = f["attach"]["per_s"] / 3
    half, ulr = f["attach_half"], f["attach_half"]["ULR"]["p99_us"] / 1000
    print(f"ratios: home to the echo {home / bare:.2f}, edge to two echoes {edge / bare / 2:.2f}, "
          f"freeDiameter's answer to home {fd / home:.1f}, its relaying to edge {relay / edge:.1f}")
    goal(f"home, AIR with one vector, at most 5 us: {home:.1f} us", home <= 5)
    goal(f"edge, a relayed transaction with every check, at most 5 us: {edge:.1f} us", edge <= 5)
    goal(f"attach (AIR, ULR, ECR) at least 20,000/s: {attach:.0f}/s", attach >= 20000)
    goal(f"p99 at half load under 2 ms: AIR {f['air_half']['AIR']['p99_us'] / 1000:.2f} ms, "
         f"ECR {half['ECR']['p99_us'] / 1000:.2f} ms",
         f["air_half"]["AIR"]["p99_us"] < 2000 and half["ECR"]["p99_us"] < 2000)
    goal(f"p99 of ULR at half load at most 3 fdatasyncs ({3 * f['sync'][1]:.1f} ms by its p99): {ulr:.1f} ms",
         ulr <= 3 * f["sync"][1])


def main():
    work, figures = tempfile.mkdtemp(prefix="mb-", dir=ARGS.dir), {}
    try:
        echo(figures)
        freediameter(figures, work)
        merlon(figures, work)
        verdicts(figures)
        if ARGS.json:
            print(json.dumps(figures))
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
