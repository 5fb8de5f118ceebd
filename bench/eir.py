"""A CEIR's list of 100 million devices (or N million) through the product: merlon import of a CSV file, then a second,
all different one while ECRs run: time, memory of each role, ECR latency with and without the swap.
bench/eir.sh BUILD product [MILLIONS]"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

B = os.path.abspath(sys.argv[1])
os.environ.setdefault("MERLON", os.path.join(B, "src/cli/merlon"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "peer"))

from diameter import poll  # noqa: E402
from merlon import BINARY, ROOT, Merlon  # noqa: E402

MILLIONS = int(sys.argv[3]) if len(sys.argv) > 3 else 100
TACS, RATE, WINDOW = MILLIONS * 500, 500, 5


def csv(path, seed):
    with open(path, "wb") as f:
        subprocess.run([os.path.join(B, "src/records/bench_equip"), f"csv:{seed}", str(MILLIONS * 1000000), str(TACS)],
                       stdout=f, check=True)


def load(m, path):
    began = time.monotonic()
    done = subprocess.run([BINARY, "import", "--form", "csv", "--list", "black", "--json", "--config", m.config, path],
                          capture_output=True, text=True, cwd=ROOT, timeout=900)
    if done.returncode:
        raise RuntimeError(done.stderr + done.stdout[-2000:])
    return time.monotonic() - began, json.loads(done.stdout)["written"]


def memory(m, note):
    print(note, end="")
    for pid in subprocess.run(["pgrep", "-P", str(m.process.pid)], capture_output=True, text=True).stdout.split():
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            status = dict(line.split(":", 1) for line in f)
        kb = {k: int(status[k].split()[0]) // 1024 for k in ("VmHWM", "RssAnon", "RssFile")}
        print(f"  {status['Name'].strip()}: own {kb['RssAnon']} MB, mapped files {kb['RssFile']} MB, "
              f"peak {kb['VmHWM']} MB;", end="")
    print(flush=True)


def ecrs(m):
    done = subprocess.run([BINARY, "simulate", "--to", f"tcp:127.0.0.1:{m.port}", "--mix", "ecr", "--rate", str(RATE),
                           "--duration", str(WINDOW), "--json", "--quiet"], capture_output=True, text=True, cwd=ROOT,
                          timeout=60)
    if done.returncode:
        raise RuntimeError(done.stderr)
    got = json.loads(done.stdout)
    return got["commands"]["ECR"], sum(g["refused"] for g in got["groups"])


def report(note, windows):
    print(f"{note}: p50 {max(w['p50_us'] for w, _ in windows)} us, p99 {max(w['p99_us'] for w, _ in windows)} us "
          f"(the worst of {len(windows)} windows of {WINDOW} s at {RATE}/s), refused or lost "
          f"{sum(r for _, r in windows)}", flush=True)


def main():
    work = tempfile.mkdtemp(prefix="me-", dir="/tmp")
    files = [os.path.join(work, f"{i}.csv") for i in (1, 2)]
    m = None
    try:
        for i, path in enumerate(files):
            csv(path, 31 + i)
        m = Merlon(os.path.join(work, "m"))
        m.wait_up()
        memory(m, "before     ")
        took, written = load(m, files[0])
        print(f"import     {written['black']['devices']} devices in {took:.1f} s, file {written['bytes'] / 1e6:.0f} MB")
        poll(lambda: 'merlon_equipment_generation{role="edge"} 1' in m.metrics(), 30, "the edge's lists")
        memory(m, "after      ")
        report("ECR        without a swap", [ecrs(m) for _ in range(2)])
        windows, over = [], []
        t = threading.Thread(target=lambda: over.append(load(m, files[1])))
        t.start()
        while t.is_alive():
            windows.append(ecrs(m))
        t.join()
        windows.append(ecrs(m))
        print(f"full swap  {over[0][1]['black']['added']} devices on, {over[0][1]['black']['removed']} off, "
              f"in {over[0][0]:.1f} s")
        report("ECR        while the next list was read, compared, written and swapped in", windows)
        poll(lambda: 'merlon_equipment_generation{role="home"} 2' in m.metrics(), 30, "home's lists")
        memory(m, "after      ")
    finally:
        if m:
            m.stop()
        shutil.rmtree(work, ignore_errors=True)


main()
