#!/usr/bin/env python3
"""The product at work for half an hour, and what it loses by it: every role runs, devices attach (AIR, ULR, ECR) at a
steady rate from networks whose nodes come and go, freeDiameter comes and goes, profiles change (IDRs go out), the
configuration is reloaded, certificates are renewed, and each role is killed once.

Each 10 s of every role: anonymous memory (what a leak is made of), resident and proportional memory, descriptors,
threads, and the sizes of its files. After a warm-up a line is fitted; the last table has the growth an hour. The
goals: no growth of memory or descriptors, no process ended but those killed, no critical request lost or refused but
while a role was being started, no counter of errors moved, and storm control had to refuse hardly anybody.

The rate is 70 % of what a short ramp finds, at most CAP; give one to leave out the ramp: on a machine that others use,
a modest one.                                                             soak.py BUILD [MINUTES [RATE]]"""
import json
import os
import re
import shutil
import signal
import ssl
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
from fd import Authority, FreeDiameter, build_extension  # noqa: E402
from merlon import BINARY, EDGE_HOST, Merlon, free_port, realm  # noqa: E402
from process import roles  # noqa: E402

MINUTES = float(sys.argv[2]) if len(sys.argv) > 2 else 30
RATE = int(sys.argv[3]) if len(sys.argv) > 3 else 0
CAP = 5000
STREAMS = [("00101", "meter", 999705000000000, 47), ("00104", "car", 999706000000000, 31)]
CRITICAL, FRIEND = "999707000000001", "999707000000002"  # cards of the class that a storm does not refuse
CARDS, STEP_S, GRACE_S = 4000, 10, 20
JUDGED = 10  # minutes; a shorter run sees tables fill for the first time, and no slope of an hour
MEMORY_MB_H, MEMORY_SHARE_H = 4, 0.05  # growth an hour that is noise: the greater of the two
ERRORS = ["merlon_registration_commits_total{.*failed", "merlon_serving_renew_failed_total", "merlon_records_tampered_total",
          "merlon_home_results_total{.*(missing|unable|no_vectors)", "merlon_edge_dropped_total{.*(mailbox|malformed)",
          "merlon_edge_answers_total{.*malformed", "merlon_connections_cut_total", "merlon_dia_watchdog"]


def line_of(points):
    """Slope and r squared of the least squares."""
    n = len(points)
    if n < 3:
        return 0.0, 0.0
    mx, my = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    sxx = sum((x - mx) ** 2 for x, _ in points)
    sxy = sum((x - mx) * (y - my) for x, y in points)
    syy = sum((y - my) ** 2 for _, y in points)
    return (sxy / sxx if sxx else 0.0), (sxy * sxy / (sxx * syy) if sxx and syy else 0.0)


class Soak:
    def __init__(self, work):
        self.work, self.began = work, time.monotonic()
        os.mkdir(os.path.join(work, "ca"))
        self.authority = Authority(os.path.join(work, "ca"))
        self.extension = build_extension(work)
        self.m = Merlon(os.path.join(work, "merlon"), authority=self.authority)
        self.m.wait_up()
        self.m.set("network", "00104", realm=realm("00104"), addresses="127.0.0.0/8", trust="trusted", clear_ok="yes",
                   apps="s6a s13")
        for _, profile, first, _ in STREAMS:
            self.m.import_sims([str(first + i) for i in range(CARDS)], profile)
        self.m.import_sims([CRITICAL, FRIEND], "pacemaker")
        self.stop, self.faults, self.samples, self.events = threading.Event(), [], [], []
        self.excused = []  # (from, to) while a role starts
        self.asked = self.refused = self.slowest = self.segments = 0

    # --- looking ------------------------------------------------------------------------------

    def now(self):
        return time.monotonic() - self.began

    def say(self, what):
        self.events.append((self.now(), what))
        print(f"{self.now():7.0f} s  {what}", flush=True)

    def fault(self, what, began=None):
        end = self.now()
        began = end if began is None else began
        if any(a <= end and began <= b for a, b in self.excused):
            return
        self.faults.append(what)
        self.say("FAULT: " + what)

    def pids(self):
        found = roles(self.m.process.pid)
        found.pop(None, None)  # just ended
        return {"supervisor": self.m.process.pid, **found}

    @staticmethod
    def process(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            status = dict(re.findall(r"^(VmRSS|RssAnon|Threads):\s+(\d+)", f.read(), re.M))
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            pss = re.search(r"^Pss:\s+(\d+)", f.read(), re.M)
        return {"anon": int(status["RssAnon"]) / 1024, "rss": int(status["VmRSS"]) / 1024,
                "pss": int(pss.group(1)) / 1024, "fds": len(os.listdir(f"/proc/{pid}/fd")),
                "threads": int(status["Threads"])}

    def files(self):
        found = {}
        for base, _, names in os.walk(self.m.data_dir):
            for name in names:
                path = os.path.join(base, name)
                if os.path.isfile(path):
                    found[os.path.relpath(path, self.m.data_dir)] = os.stat(path).st_blocks / 2048
        for path in (self.m.events_path, self.m.events_path + ".1", self.m.log):
            if os.path.exists(path):
                found[os.path.basename(path)] = os.stat(path).st_blocks / 2048
        return found

    def errors(self):
        found, text = {}, self.m.metrics()
        for line in text.splitlines():
            if any(re.match(e, line) for e in ERRORS):
                name, value = line.rsplit(" ", 1)
                found[name] = float(value)
        return found

    def sample(self):
        try:
            pids = self.pids()
            roles = {role: {"pid": pid, **self.process(pid)} for role, pid in pids.items()}
            self.samples.append({"at": self.now(), "roles": roles, "files": self.files(), "errors": self.errors()})
        except (OSError, KeyError, AttributeError, ValueError):
            return  # a role is just starting

    # --- doing --------------------------------------------------------------------------------

    def simulate(self, stream, rate, seconds):
        plmn, group, first, _ = stream
        done = subprocess.run([BINARY, "simulate", "--to", f"tcp:127.0.0.1:{self.m.port}", "--network", plmn, "--nodes", "2",
                               "--group", f"{group}={first}:{CARDS}", "--mix", "attach", "--rate", str(rate), "--duration",
                               str(seconds), "--json", "--quiet"], capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr[-300:]}

    def ramp(self):
        """Attaches a second that are served with a p99 below 50 ms and nothing refused; 70 % of the last."""
        rate, good = 250, 125
        while rate <= CAP * 2:
            got = self.simulate(STREAMS[0], rate, 3)
            p99 = max((c["p99_us"] for c in got.get("commands", {}).values()), default=10 ** 9) / 1000
            refused = sum(g["refused"] for g in got.get("groups", []))
            self.say(f"ramp: {rate} attaches/s: p99 {p99:.1f} ms, {refused} refused")
            if refused or p99 > 50:
                break
            good, rate = rate, rate * 3 // 2
        return min(CAP, good * 7 // 10)

    def stream(self, stream, rate):
        while not self.stop.is_set():
            left = MINUTES * 60 - self.now()
            began, seconds = self.now(), max(2, min(stream[3], round(left)))
            got = self.simulate(stream, rate, seconds)
            self.segments += 1
            if "error" in got:
                self.fault(f"simulate {stream[0]}: {got['error']}", began)
                continue
            refused = sum(g["refused"] for g in got["groups"])
            if not any(a <= self.now() and began <= b for a, b in self.excused):
                self.asked += got["answers"]
                self.refused += refused

    def companion(self):
        """One TLS connection that stays, and asks for a vector each second."""
        context = ssl.create_default_context(cafile=self.authority.ca)
        context.check_hostname = False
        host = f"companion.{realm('00101')}"
        context.load_cert_chain(*self.authority.issue(host))
        client = None
        while not self.stop.wait(1):
            began = self.now()
            try:
                if client is None or client.closed.is_set():
                    if client:
                        self.fault("the companion's connection ended", began)
                    client = Client(self.m.tls_port, host, realm("00101"), tls=context)
                answer = client.request("AIR", air(CRITICAL))
                if answer is None or answer.result != 2001:
                    self.fault(f"companion: {answer}", began)
                self.slowest = max(self.slowest, self.now() - began)
            except OSError as e:
                self.fault(f"companion: {e}", began)
                client = None
        if client:
            client.close()

    def freediameter(self):
        for turn in range(1000):
            if self.stop.wait(20):
                return
            began = self.now()
            try:
                fd = FreeDiameter(os.path.join(self.work, "fd"), self.extension, self.authority, f"fd-{turn}.{realm('00101')}",
                                  realm("00101"), "127.0.0.1", peers=[{"host": EDGE_HOST, "port": self.m.tls_port, "tls": True}])
                try:
                    fd.wait_open(EDGE_HOST)
                    for _ in range(20):
                        answer = fd.request("AIR", air(FRIEND))
                        if answer is None or answer.result != 2001:
                            self.fault(f"freeDiameter: {answer}", began)
                finally:
                    fd.stop()
                shutil.rmtree(fd.where, ignore_errors=True)
            except AssertionError as e:
                self.fault(f"freeDiameter: {str(e)[-200:]}", began)

    def reload(self, n):
        with open(self.m.config, encoding="ascii") as f:
            conf = json.load(f)
        conf["logging"]["identities"] = ("clear", "pseudonym")[n % 2]
        with open(self.m.config, "w", encoding="ascii") as f:
            json.dump(conf, f)
        self.m.process.send_signal(signal.SIGHUP)

    def serial_shown(self):
        cert, key = self.authority.issue(f"companion.{realm('00101')}")
        out = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.m.tls_port}", "-cert", cert, "-key", key],
                             input=b"", capture_output=True, check=False, timeout=10).stdout
        return subprocess.run(["openssl", "x509", "-noout", "-serial"], input=out, capture_output=True,
                              check=False).stdout.decode().strip()

    def renew(self):
        """A new certificate and key under the same names, and a reload."""
        cert, key = (os.path.join(self.work, "ca", f"{EDGE_HOST}.{x}") for x in ("pem", "key"))
        before = self.serial_shown()
        os.rename(cert, cert + ".old")
        os.rename(key, key + ".old")
        self.authority.issue(EDGE_HOST)
        self.m.process.send_signal(signal.SIGHUP)
        time.sleep(2)
        shown = self.serial_shown()
        self.say("certificate renewed and reloaded: new connections see " +
                 ("the new one" if shown != before else "the old one (a restart takes it over)"))

    def change_profiles(self, n):
        self.m.set("profile", "meter", apn1=f"meters.iot:ipv4:9:12:{100000 + n}:100000")
        self.m.set("profile", "car", ul_bps=str(20000000 + n))

    def kill(self, role):
        began, old = self.now(), self.pids()[role]
        self.excused.append((began, began + GRACE_S + 60))
        os.kill(int(old), signal.SIGKILL)
        try:
            poll(lambda: self.pids().get(role, old) != old and self.m._ready(), 30, f"{role} to come back")
        except AssertionError as e:
            self.excused.pop()
            self.fault(str(e))
            return
        self.excused[-1] = (began, self.now() + GRACE_S)
        self.say(f"{role} was killed and is back after {self.now() - began:.1f} s")

    def run(self, rate):
        share = max(1, rate // len(STREAMS))
        threads = [threading.Thread(target=self.stream, args=(s, share)) for s in STREAMS]
        threads += [threading.Thread(target=self.companion), threading.Thread(target=self.freediameter)]
        os.makedirs(os.path.join(self.work, "fd"), exist_ok=True)
        for t in threads:
            t.start()
        self.began, end = time.monotonic(), MINUTES * 60
        kills = {end * x / 100: r for x, r in ((6, "watch"), (8, "keeper"), (10, "home"), (13, "edge"))}
        due = {"reload": 30, "profiles": 45, "renew": 75}
        n = 0
        while self.now() < end:
            self.sample()
            n += 1
            for at in [k for k in kills if k <= self.now()]:
                self.kill(kills.pop(at))
            for what, act, every in (("reload", self.reload, 60), ("profiles", self.change_profiles, 90),
                                     ("renew", lambda _: self.renew(), 300)):
                if self.now() >= due[what]:
                    due[what] += every
                    act(n)
            if n % 6 == 0:
                self.progress()
            time.sleep(max(0.1, STEP_S - self.now() % STEP_S))
        self.stop.set()
        for t in threads:
            t.join(90)

    def progress(self):
        last = self.samples[-1]["roles"] if self.samples else {}
        parts = "  ".join(f"{r} {v['anon']:.1f} MB {v['fds']} fds" for r, v in last.items())
        print(f"{self.now():7.0f} s  {self.asked} answers  {parts}", flush=True)

    # --- judging ------------------------------------------------------------------------------

    def growth(self, role, what):
        """A line through what was sampled after the warm-up, of the process that lives then."""
        rows = [s for s in self.samples if role in s["roles"] and s["at"] >= MINUTES * 60 * 0.3]
        pid = rows[-1]["roles"][role]["pid"] if rows else 0
        points = [(s["at"] / 3600, s["roles"][role][what]) for s in rows if s["roles"][role]["pid"] == pid]
        slope, r2 = line_of(points)
        return slope, r2, (points[0][1] if points else 0), (points[-1][1] if points else 0)

    def report(self):
        ok_memory = ok_fds = True
        print(f"\n{'role':12} {'anon MB':>18} {'an hour':>9} {'rss MB':>8} {'an hour':>9} {'pss MB':>8} {'fds':>5} {'an hour':>8} "
              f"{'threads':>7}")
        for role in sorted({r for s in self.samples for r in s["roles"]}):
            slope, r2, first, last = self.growth(role, "anon")
            rss, fds, threads = (self.growth(role, w) for w in ("rss", "fds", "threads"))
            pss = self.growth(role, "pss")[3]
            grows = MINUTES >= JUDGED and slope > max(MEMORY_MB_H, MEMORY_SHARE_H * last) and r2 > 0.5
            leaks = fds[0] > 6 and fds[1] > 0.5
            ok_memory, ok_fds = ok_memory and not grows, ok_fds and not leaks
            print(f"{role:12} {first:8.1f} ->{last:7.1f} {slope:+9.2f} {rss[3]:8.1f} {rss[0]:+9.2f} {pss:8.1f} {fds[3]:5.0f} "
                  f"{fds[0]:+8.1f} {threads[3]:7.0f}{'  GROWS' if grows else ''}{'  LEAKS' if leaks else ''}")
        self.report_files()
        self.report_errors()
        print(f"{self.asked} answers in {self.segments} runs of nodes that came and went; slowest second of the companion "
              f"{self.slowest * 1000:.0f} ms")
        share = self.refused / max(1, self.asked)
        print(f"refused by storm control (normal and low classes): {self.refused}, {share:.2%}")
        verdicts = {"no growth of memory": ok_memory, "no growth of descriptors": ok_fds, "no error": not self.faults,
                    "at most 1 % refused, none critical": share <= 0.01}
        for f in self.faults:
            print("fault:", f)
        for goal, ok in verdicts.items():
            judged = MINUTES >= JUDGED or "memory" not in goal
            print(f"goal {goal}: {('met' if ok else 'missed') if judged else 'not judged, the run is too short'}")
        return all(verdicts.values())

    def report_files(self):
        rows = [s for s in self.samples if s["at"] >= MINUTES * 60 * 0.3] or self.samples
        print(f"\n{'file':36} {'MB':>18} {'an hour':>9}")
        for name in sorted(rows[-1]["files"]):
            points = [(s["at"] / 3600, s["files"].get(name, 0)) for s in rows]
            slope, _ = line_of(points)
            if points[-1][1] >= 0.05:
                print(f"{name:36} {points[0][1]:8.2f} ->{points[-1][1]:7.2f} {slope:+9.2f}")

    def report_errors(self):
        rows = [s for s in self.samples if s["at"] >= MINUTES * 60 * 0.3] or self.samples
        first, last = rows[0]["errors"], rows[-1]["errors"]
        print("\ncounters of errors after the warm-up:")
        moved = {k: v - first.get(k, 0) for k, v in last.items() if v != first.get(k, 0)}
        for name, value in moved.items():
            print(f"  {name} +{value:.0f}")
            self.faults.append(f"{name} +{value:.0f}")
        if not moved:
            print("  none moved")


def main():
    work, s, ok = tempfile.mkdtemp(prefix="mk-", dir="/tmp"), None, False
    try:
        s = Soak(work)
        rate = RATE or s.ramp()
        print(f"{rate} attaches a second ({rate * 3} requests) for {MINUTES:g} minutes", flush=True)
        s.run(rate)
        ok = s.report()
    finally:
        if s:
            s.stop.set()  # its threads, if it ends before its time
        code = s.m.stop() if s else 1
        if s and code:
            print(s.m.tail())
        if not os.environ.get("KEEP"):
            shutil.rmtree(work, ignore_errors=True)
    print(f"goal the product ends as it should: {'met' if code == 0 else 'missed'}")
    sys.exit(0 if ok and code == 0 else 1)


if __name__ == "__main__":
    main()
