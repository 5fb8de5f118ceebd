#!/usr/bin/env python3
"""What hostile peers cost the others: each attack of tests/peer/hostile.py at full size on the running product, while
a well-behaved peer asks for vectors at a fixed rate and a newcomer introduces itself.

For each attack a line: what proof there is that it was met (a Result-Code, or a counter), the p99 of the well-behaved
peer in quiet and under attack, how long the newcomer took from its connect to its first vector, resident memory of
edge and home (before, peak, after) and the most descriptors of edge. Attackers are nicer by 19 than the product.

An attack that misses is played again, twice at most: noise of the machine makes a p99 worse and never better. A verdict
is met when the proof is there, the p99 is at most twice that of quiet plus 2 ms, the newcomer is served within
2 s, memory stays below BOUND, no process ended, and descriptors come back.     hostile.py BUILD [SECONDS [NAME-PART...]]"""
import json
import os
import re
import shutil
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
from fd import Authority  # noqa: E402
from hostile import ATTACKS, Attack  # noqa: E402
from merlon import BINARY, Merlon, free_port, realm  # noqa: E402
from process import roles  # noqa: E402

FIRST, CARDS, RATE = 999705000000000, 2000, 500
# A stranger may be silent for 5 s, a message may take 10 s, an answer wait unread for 30 s.
LONG = {"slow-loris before CER": 7, "TLS handshake never finished": 7, "slow-loris after CER": 13, "peers that never read": 34}
BOUND_MB = 384  # edge: 2,048 strangers in a TLS handshake are 150 MB
COUNTERS = {"merlon_connections_cut_total": "cut", "merlon_dia_dropped_total": "drop", "merlon_edge_dropped_total": "edge"}


class Bench:
    def __init__(self, work):
        os.mkdir(os.path.join(work, "ca"))
        self.work, self.authority = work, Authority(os.path.join(work, "ca"))
        port, tls, sctp, udp = (free_port() for _ in range(4))
        self.m = Merlon(os.path.join(work, "merlon"), authority=self.authority,
                        listen=[f"tcp:127.0.0.1:{port}", f"tls:127.0.0.1:{tls}", f"sctp:127.0.0.1:{sctp}?udp={udp}"])
        self.m.port, self.m.tls_port = port, tls
        self.m.wait_up().import_sims([str(FIRST + i) for i in range(CARDS)], "meter")
        cert, key = self.authority.issue(f"evil.{realm('00101')}")
        self.target = {"port": port, "tls_port": tls, "sctp_port": sctp, "udp_port": udp, "home_port": self.m.home_port,
                       "ca": self.authority.ca, "cert": cert, "key": key}
        self.pids = roles(self.m.process.pid)
        self.quiet, self.peak, self.serial = [], {}, 0

    def resident(self, role):
        with open(f"/proc/{self.pids[role]}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) / 1024

    def fds(self, role):
        return len(os.listdir(f"/proc/{self.pids[role]}/fd"))

    def cpu(self, role):
        """Milliseconds that its threads ran, and that they waited for a CPU."""
        ran = waited = 0
        for task in os.listdir(f"/proc/{self.pids[role]}/task"):
            with open(f"/proc/{self.pids[role]}/task/{task}/schedstat", encoding="ascii") as f:
                a, b, _ = f.read().split()
            ran, waited = ran + int(a), waited + int(b)
        return ran / 1e6, waited / 1e6

    def figures(self):
        return {"edge": self.resident("edge"), "home": self.resident("home"), "fds": self.fds("edge")}

    def counters(self):
        found = {}
        for name, labels, value in re.findall(r"^(\w+)\{([^}]*)\} (\d+)", self.m.metrics(), re.M):
            if name in COUNTERS:
                key = COUNTERS[name] + ":" + re.search(r'reason="(\w+)"', labels).group(1)
                found[key] = found.get(key, 0) + int(value)
        return found

    def peer(self, seconds):
        """The well-behaved one, a process of `merlon simulate`."""
        return subprocess.Popen([BINARY, "simulate", "--to", f"tcp:127.0.0.1:{self.target['port']}", "--network", "00101",
                                 "--group", f"meter={FIRST}:{CARDS}", "--mix", "air", "--rate", str(RATE), "--duration",
                                 str(round(seconds)), "--json", "--quiet"], stdout=subprocess.PIPE, text=True)

    @staticmethod
    def p99(peer):
        got = json.loads(peer.communicate(timeout=60)[0])
        lost = got["commands"]["AIR"]["sent"] - got["answers"] if "sent" in got["commands"]["AIR"] else 0
        return got["commands"]["AIR"]["p99_us"] / 1000, lost + sum(g["refused"] for g in got["groups"])

    def newcomer(self, tls):
        """Milliseconds from its first connect to its first vector; who is cut off tries again."""
        began = time.monotonic()
        while time.monotonic() - began < 10:
            self.serial += 1
            host, context = f"new-{self.serial}.{realm('00101')}", None
            if tls:
                context = ssl.create_default_context(cafile=self.authority.ca)
                context.check_hostname = False
                context.load_cert_chain(*self.authority.issue(f"new.{realm('00101')}"))
                host = f"new.{realm('00101')}"
            try:
                c = Client(self.target["tls_port" if tls else "port"], host, realm("00101"), address="127.0.0.201",
                           tls=context)
                ok = c.cea is not None and c.cea.result == 2001 and c.request("AIR", air(str(FIRST))).result == 2001
                took = (time.monotonic() - began) * 1000
                c.close()
                if ok:
                    return took
            except (OSError, AttributeError):
                time.sleep(0.02)
        return float("inf")

    def sample(self, stop):
        while not stop.wait(0.1):
            for name, value in self.figures().items():
                self.peak[name] = max(self.peak.get(name, 0), value)

    def settle(self, before):
        """Wait until the descriptors are what they were, and give what is held back a moment."""
        try:
            poll(lambda: self.fds("edge") <= before["fds"] + 8, 15, "descriptors")
        except AssertionError:
            pass

    def attack_patiently(self, name, seconds):
        """Up to three times: what else the machine does makes a p99 worse, and never better."""
        seconds = max(seconds, LONG.get(name, 0))
        return any(self.attack(name, seconds) for _ in range(3))

    def attack(self, name, seconds):
        quiet, _ = self.p99(self.peer(2))
        self.quiet.append(quiet)
        before, counted = self.figures(), self.counters()
        self.peak, stop = dict(before), threading.Event()
        sampler = threading.Thread(target=self.sample, args=(stop,))
        sampler.start()
        cpu0 = [self.cpu(r) for r in ("edge", "home")]
        peer = self.peer(seconds + 1)
        time.sleep(0.3)
        evil = Attack(name, self.target, ATTACKS[name][1], seconds, yielding=True)
        time.sleep(1.5)
        new = self.newcomer(name.startswith("TLS"))
        p99, lost = self.p99(peer)
        cpu = [int(a[0] - b[0]) for a, b in zip([self.cpu(r) for r in ("edge", "home")], cpu0)]
        tally = evil.tally(seconds + 30)
        tally["CPU ms of edge"], tally["CPU ms of home"] = cpu
        self.settle(before)
        stop.set()
        sampler.join()
        time.sleep(1.1)  # the counters are gathered each second
        now = self.counters()
        tally.update({k: v - counted.get(k, 0) for k, v in now.items() if v > counted.get(k, 0)})
        return self.verdict(name, tally, quiet, p99, lost, new, before)

    def verdict(self, name, tally, quiet, p99, lost, new, before):
        after, why = self.figures(), []
        limit = 2 * max(quiet, sorted(self.quiet)[len(self.quiet) // 2]) + 2
        if not any(tally.get(k) for k in ATTACKS[name][3]):
            why.append("no proof")
        if p99 > limit:
            why.append(f"p99 above {limit:.1f} ms")
        if lost:
            why.append(f"{lost} lost or refused")
        if new > 2000:
            why.append("newcomer")
        if self.peak["edge"] > BOUND_MB or self.peak["home"] > BOUND_MB:
            why.append("memory")
        if after["fds"] > before["fds"] + 8:
            why.append("descriptors")
        if roles(self.m.process.pid) != self.pids or "crashed" in tally:
            why.append("a process ended")
            self.pids = roles(self.m.process.pid)
        print(f"{name:34} {quiet:6.2f} {p99:7.2f} {new:7.0f}   {before['edge']:5.0f} {self.peak['edge']:5.0f} "
              f"{after['edge']:5.0f}   {before['home']:4.0f} {self.peak['home']:4.0f} {after['home']:4.0f}  "
              f"{self.peak['fds']:5.0f}   {'met' if not why else 'MISSED: ' + ', '.join(why)}")
        print("    " + ", ".join(f"{k} {v}" for k, v in sorted(tally.items())), flush=True)
        return not why


def main():
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 6
    names = [n for n in ATTACKS if not sys.argv[3:] or any(part in n for part in sys.argv[3:])]
    work, b = tempfile.mkdtemp(prefix="mh-", dir="/tmp"), None
    try:
        b = Bench(work)
        print(f"{'':34}   p99 ms of AIR   new      edge, MB              home, MB       edge")
        print(f"{'attack':34}  quiet attacked   ms   before  peak after   bef. peak aft.   fds", flush=True)
        met = [b.attack_patiently(n, seconds) for n in names]
    finally:
        code = b.m.stop() if b else 1
        if code or sys.exc_info()[0]:
            print(b.m.tail() if b else "not started", file=sys.stderr)
        shutil.rmtree(work, ignore_errors=True)
    print(f"goal every attack met: {sum(met)} of {len(met)} {'met' if all(met) else 'missed'}")
    print(f"goal the product ends as it should: {'met' if code == 0 else 'missed'}")
    sys.exit(0 if all(met) and code == 0 else 1)


if __name__ == "__main__":
    main()
