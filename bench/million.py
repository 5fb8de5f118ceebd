#!/usr/bin/env python3
"""Millions of subscriptions in the product as it runs: `merlon import` of N cards with their keys through the running
keeper, what lies on disk and in memory then, a restart until the first AIR is answered, look-ups in the serving copy,
and changes of a million subscriptions under AIR load.    million.py BUILD-FOLDER [N [AIR-RATE]]

CPU from /proc, in microseconds a row: on a shared machine sturdier than the rate. p99 as `merlon simulate` saw it;
before and during are of one run of the product, so their ratio holds where their values do not."""
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build"))
os.environ["MERLON"] = os.path.join(BUILD, "src/cli/merlon")
sys.path.insert(0, os.path.join(ROOT, "tests/peer"))

from ask import air  # noqa: E402
from diameter import Client, poll  # noqa: E402
from merlon import BINARY, Merlon, realm  # noqa: E402
from process import children, cpu_us, roles  # noqa: E402

TOOL = os.path.join(BUILD, "src/records/bench_million")
FIRST, VISITED, MOVED, REGISTERED = 999701000000000, "00101", 1000000, 20000


def say(text):
    print(text, flush=True)


def goal(what, met):
    say(f"goal: {what}: {'met' if met else 'MISSED'}")


def memory(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        rows = {line.split(":")[0]: int(line.split()[1]) for line in f if line.rstrip().endswith("kB")}
    return {k: rows[k] // 1024 for k in ("Rss", "Pss", "Pss_Anon")}


def feed(m):
    return int(subprocess.run([TOOL, "feed", m.data_dir], capture_output=True, text=True, check=True).stdout)


def importing(m, make, n, *options):
    """merlon import of what `make` writes, through the running keeper; seconds, and CPU a row of each process."""
    pids = roles(m.process.pid)
    before, began = {r: cpu_us(p) for r, p in pids.items()}, time.monotonic()
    with subprocess.Popen([TOOL, *make], stdout=subprocess.PIPE) as source:
        with subprocess.Popen([BINARY, "import", "-", "--config", m.config, "--json", *options], stdin=source.stdout,
                              stdout=subprocess.PIPE, text=True, cwd=ROOT) as sink:
            own = 0
            while sink.poll() is None:
                own, _ = cpu_us(sink.pid), time.sleep(1)
                done, gone = count(m), time.monotonic() - began
                if int(gone) % 15 == 0 and n > 100000:
                    say(f"  {gone:5.0f} s  {done:9} rows  {done / gone:7.0f}/s")
            got = json.loads(sink.stdout.read())
    assert got == {"done": n, "refused": 0}, got
    spent = time.monotonic() - began
    cost = {r: (cpu_us(p) - before[r]) / n for r, p in pids.items() if r in ("keeper", "home")}
    cost["import"] = own / n
    say(f"  {n} rows in {spent:.1f} s, {n / spent:.0f} a second; CPU us a row: " +
        ", ".join(f"{r} {c:.1f}" for r, c in cost.items()))
    return spent


base = [0]


def count(m):
    return feed(m) - base[0]


def disk(m):
    total = 0
    for path in sorted(glob.glob(os.path.join(m.data_dir, "**"), recursive=True)):
        if os.path.isfile(path):
            n = os.stat(path).st_blocks * 512
            total += n
            if n > 1 << 20:
                say(f"  {os.path.relpath(path, m.data_dir):24} {n / 1048576:9.0f} MiB")
    say(f"  {'all':24} {total / 1048576:9.0f} MiB")
    return total


def start(m):
    with open(m.log, "ab") as log:
        m.process = subprocess.Popen([BINARY, "run", "--config", m.config], stdout=log, stderr=log,
                                     stdin=subprocess.DEVNULL, cwd=ROOT)


def first_answer(m, imsi):
    """Seconds from `merlon run` to the first vector that an MME gets."""
    began = time.monotonic()
    start(m)
    while time.monotonic() - began < 300:
        try:
            c = Client(m.port, f"first{int(began * 1000)}.{realm(VISITED)}", realm(VISITED))
        except OSError:
            time.sleep(0.005)
            continue
        while not c.closed.is_set():
            answer = c.request("AIR", air(imsi, VISITED))
            if answer is not None and answer.result == 2001:
                c.close()
                return time.monotonic() - began
            time.sleep(0.01)
    raise AssertionError("no answer in 300 s: " + m.tail())


def restart(m, imsi, how):
    pids = [m.process.pid] + children(m.process.pid)
    if how == "killed":
        for pid in pids:
            os.kill(int(pid), signal.SIGKILL)
        m.process.wait()
        poll(lambda: not any(os.path.exists(f"/proc/{p}") for p in pids), 20, "all to end")
    else:
        m.process.send_signal(signal.SIGTERM)
        m.process.wait(60)
    spent = first_answer(m, imsi)
    say(f"  {how}: {spent:.2f} s from `merlon run` to the first AIR answered")
    return spent


def simulate(m, mix, first, n, rate, seconds):
    done = subprocess.run([BINARY, "simulate", "--to", f"tcp:127.0.0.1:{m.port}", "--network", VISITED, "--group",
                           f"meter={first}:{n}", "--mix", mix, "--rate", str(rate), "--duration", str(seconds),
                           "--json", "--quiet"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Seen:
    """AIR traffic: the p99 of each run of some seconds, and how many were refused of how many."""

    def __init__(self, m, n, rate):
        self.m, self.rate, self.ms, self.refused, self.asked = m, rate, [], 0, 0
        self.where = (FIRST + n // 2, min(100000, n // 2))

    def run(self, seconds):
        got = simulate(self.m, "air", *self.where, self.rate, seconds)
        self.ms.append(got["commands"]["AIR"]["p99_us"] / 1000)
        self.refused += sum(g["refused"] + g["silent"] for g in got["groups"])
        self.asked += self.rate * seconds
        return self

    def p99(self):
        return sorted(self.ms)[len(self.ms) // 2]

    def __str__(self):
        worst = f" (worst run {max(self.ms):.1f})" if len(self.ms) > 1 else ""
        return f"{self.p99():.1f} ms{worst}, {self.refused} of {self.asked} refused"


def under_load(m, n, rate, what, change):
    """AIR traffic before and during a change; the change returns when the serving copy has it."""
    before, during, took = Seen(m, n, rate).run(5).run(5), Seen(m, n, rate), []

    def run():
        time.sleep(0.5)
        began = time.monotonic()
        change()
        took.append(time.monotonic() - began)
    worker = threading.Thread(target=run)
    worker.start()
    while worker.is_alive() or not during.ms:
        during.run(5)
    worker.join()
    assert took, f"{what} failed"
    say(f"  {what}: in the serving copy after {took[0]:.1f} s; AIR p99 before {before}; during {during}")
    goal(f"p99 of AIR unharmed by {what} (at most twice that before, or 5 ms; at most 0.1 % more refused)",
         during.p99() <= max(2 * before.p99(), 5) and
         during.refused / during.asked <= before.refused / before.asked + 0.001)


def sent(m, kind):
    for line in m.metrics().splitlines():
        if line.startswith("merlon_home_sent_total") and f'"{kind}"' in line:
            return float(line.split()[-1])
    return 0.0


def paced(m, told):
    """Change the profile, and see how fast home tells the nodes, which are there to hear it."""
    slow(m, "set", "profile", "million", "ul_bps=1234567")
    before, began = sent(m, "IDR"), time.monotonic()
    time.sleep(3)
    told.append((sent(m, "IDR") - before) / (time.monotonic() - began))


def changes(m, n, rate):
    moved = min(MOVED, n)
    got = simulate(m, "air+ulr", FIRST, min(REGISTERED, moved), 1000, 22)
    say(f"  {got['groups'][0]['done']} registrations made, of profile \"million\"")
    told = []
    under_load(m, n, rate, f"a change of the profile of {moved} subscriptions (and 3 s of its IDRs)",
               lambda: paced(m, told))
    say(f"  IDRs: {told[0]:.0f} a second")
    goal("IDRs of a changed profile are paced (at most 250 a second)", 0 < told[0] <= 250)
    under_load(m, n, rate, f"another class for {moved} subscriptions (each row is published anew)",
               lambda: slow(m, "set", "profile", "million", "priority=normal"))
    asking(m, n)
    under_load(m, n, rate, f"an import that changes {moved} subscriptions",
               lambda: importing(m, ["numbers", str(FIRST), str(moved), "99980"], moved, "--update"))


def gauge(m, name):
    return next(float(line.split()[-1]) for line in m.metrics().splitlines() if line.startswith(name))


def slow(m, *args):
    subprocess.run([BINARY, *args, "--config", m.config], check=True, capture_output=True, timeout=600)
    time.sleep(0.2)
    poll(lambda: gauge(m, "merlon_serving_feed") == gauge(m, "merlon_records_feed"), 600, "the serving copy")


def asking(m, n):
    """A list by a column without an index, which looks at every record: does anybody wait for it?"""
    began, worst, shown = time.monotonic(), 0.0, 0
    with subprocess.Popen([BINARY, "list", "subscription", "life=suspended", "--config", m.config], cwd=ROOT,
                          stdout=subprocess.DEVNULL) as listing:
        while listing.poll() is None:
            at = time.monotonic()
            m.set("subscription", str(FIRST + n - 1 - shown % 10), imei=f"3539000000{shown % 10000:04d}")
            worst, shown = max(worst, time.monotonic() - at), shown + 1
    say(f"  a list that looks at all {n}: {time.monotonic() - began:.1f} s; {shown} changes meanwhile, the slowest "
        f"{worst * 1000:.0f} ms")
    goal("no change waits for a long list (at most 1 s)", worst < 1)


def measure(m, n, rate):
    base[0] = feed(m)
    say(f"import of {n} cards with keys")
    importing(m, ["gen", str(FIRST), str(n), "million", str(min(MOVED, n))], n)
    say("on disk")
    per = disk(m) / n
    say(f"  {per:.0f} bytes a subscription")
    say("restart")
    stopped = restart(m, str(FIRST + n - 1), "stopped")
    killed = restart(m, str(FIRST + n // 3), "killed")
    goal("first answer within 2 s of the start", max(stopped, killed) < 2)
    m.wait_up(60)
    say("random look-ups of subscription and profile in the serving copy")
    say("  " + subprocess.run([TOOL, "look", m.data_dir, str(FIRST), str(n)], capture_output=True, text=True,
                              check=True).stdout.strip())
    say(f"changes while {rate} AIR a second run")
    changes(m, n, rate)
    say("in memory, MiB (Pss shares the serving copy's pages among the roles that map it)")
    for role, pid in roles(m.process.pid).items():
        say(f"  {role:8} " + ", ".join(f"{k} {v}" for k, v in memory(pid).items()))


def main():
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 10000000
    rate = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    work = tempfile.mkdtemp(prefix="mm-", dir=os.environ.get("TMPDIR", "/tmp"))
    m = Merlon(os.path.join(work, "m"))
    try:
        m.wait_up()
        m.set("profile", "million", tenant="meters", rats="nb-iot lte-m wb-eutran",
              apn1="meters.iot:ipv4:9:12:200000:200000")
        measure(m, n, rate)
    finally:
        m.stop()
        if not os.environ.get("KEEP"):
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
