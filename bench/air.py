#!/usr/bin/env python3
"""AIR, one vector, at a fixed rate from `merlon simulate` (an open loop), against

  freeDiameter     its answering extension (tests/peer/fd): fixed vectors, nothing checked, no cryptography
  merlon           edge and home: every check of the judge, MILENAGE, sequence numbers that survive a crash
  merlon edge      in front of that freeDiameter: what screening and forwarding cost alone

Latency as the simulator saw it, CPU from /proc in microseconds an answer. On a shared machine the CPU is the
sturdier number; the ratio is of CPU.    air.py BUILD-FOLDER [SECONDS [RATE...]]"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build"))
os.environ["MERLON"] = os.path.join(BUILD, "src/cli/merlon")
sys.path.insert(0, os.path.join(ROOT, "tests/peer"))

from diameter import vsai  # noqa: E402
from fd import Authority, FreeDiameter, build_extension  # noqa: E402
from merlon import BINARY, HOME, Merlon, free_port, realm  # noqa: E402

FIRST, CARDS, VISITED = 999705000000000, 5000, "00101"
TICK_US = 1000000 // os.sysconf("SC_CLK_TCK")
VECTOR = [("Item-Number", 1), ("RAND", bytes(16)), ("XRES", bytes(8)), ("AUTN", bytes(16)), ("KASME", bytes(32))]


def cpu_us(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        after_name = f.read().rsplit(")", 1)[1].split()
    return (int(after_name[11]) + int(after_name[12])) * TICK_US


def roles(m):
    """Process ids of a running merlon by role."""
    with open(f"/proc/{m.process.pid}/task/{m.process.pid}/children", encoding="ascii") as f:
        children = f.read().split()
    found = {}
    for pid in children:
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            found[f.read().strip().split("-")[-1]] = pid
    return found


def measure(port, pids, rate, seconds):
    before = {name: cpu_us(pid) for name, pid in pids.items()}
    done = subprocess.run([BINARY, "simulate", "--to", f"tcp:127.0.0.1:{port}", "--network", VISITED, "--group",
                           f"meter={FIRST}:{CARDS}", "--mix", "air", "--rate", str(rate), "--duration",
                           str(seconds), "--json", "--quiet"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    got = json.loads(done.stdout)
    answers = max(1, got["answers"])
    cost = {name: (cpu_us(pid) - before[name]) / answers for name, pid in pids.items()}
    return got, cost


def report(name, rate, got, cost):
    air, refused = got["commands"]["AIR"], sum(g["refused"] for g in got["groups"])
    parts = " + ".join(f"{n} {c:.1f}" for n, c in cost.items())
    print(f"{name:14} {rate:7}/s asked {got['answers_per_s']:9.0f}/s answered  p50 {air['p50_us']:6} us  "
          f"p99 {air['p99_us']:7} us  refused {refused:6}  CPU {sum(cost.values()):6.1f} us ({parts})", flush=True)
    return sum(cost.values())


def main():
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    rates = [int(r) for r in sys.argv[3:]] or [1000, 5000, 10000]
    work, running = tempfile.mkdtemp(prefix="mb-", dir="/tmp"), []
    try:
        os.mkdir(os.path.join(work, "ca"))
        hss = FreeDiameter(work, build_extension(work), Authority(os.path.join(work, "ca")), f"hss.{HOME}", HOME,
                           "127.0.0.1", port=free_port(), allow=[f"*.{HOME}", f"*.{realm(VISITED)}"], threads=4)
        running.append(hss)
        hss.reply("AIR", [("Result-Code", 2001), ("Auth-Session-State", 1), vsai(),
                          ("Authentication-Info", [("E-UTRAN-Vector", VECTOR)])])
        hss.leave()
        whole = Merlon(os.path.join(work, "whole"))
        running.append(whole)
        whole.wait_up().import_sims([str(FIRST + i) for i in range(CARDS)], "meter")
        front = Merlon(os.path.join(work, "front"), roles="keeper, edge, watch", home_port=hss.port)
        running.append(front)
        front.wait_up().import_rows([str(FIRST + i) for i in range(CARDS)], "meter")
        compare(hss, whole, front, rates, seconds)
    finally:
        for x in reversed(running):
            x.stop()
        shutil.rmtree(work, ignore_errors=True)


def compare(hss, whole, front, rates, seconds):
    both = {n: p for n, p in roles(whole).items() if n in ("edge", "home")}
    edge = {n: p for n, p in roles(front).items() if n == "edge"}
    for rate in rates:
        theirs = report("freeDiameter", rate, *measure(hss.port, {"freeDiameter": hss.process.pid}, rate, seconds))
        ours = report("merlon", rate, *measure(whole.port, both, rate, seconds))
        screen = report("merlon edge", rate, *measure(front.port, edge, rate, seconds))
        print(f"ratio {theirs / max(ours, 0.1):.2f} (freeDiameter's CPU an answer to edge and home together), "
              f"{theirs / max(screen, 0.1):.2f} (to the edge)", flush=True)


if __name__ == "__main__":
    main()
