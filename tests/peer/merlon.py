"""Merlon as the tests run it: a folder, free ports, `merlon run`, the commands, the events."""
import csv
import hashlib
import io
import json
import os
import random
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request

from diameter import poll
from milenage import Usim

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BINARY = os.environ.get("MERLON") or os.path.join(ROOT, os.environ.get("BUILD", "build"), "src/cli/merlon")
HOME = "epc.mnc070.mcc999.3gppnetwork.org"
EDGE_HOST, HOME_HOST = f"edge.{HOME}", f"home.{HOME}"
OWN_MME = "127.0.0.77"  # where our own MMEs are
SIM_HEADER = "imsi,iccid,msisdn,eid,alg,k,opc,op,topc,amf,tenant,profile,priority,imei".split(",")
TENANT = {"meter": "meters", "car": "cars", "pacemaker": "cardio"}


def realm(plmn):
    return f"epc.mnc{plmn[3:].zfill(3)}.mcc{plmn[:3]}.3gppnetwork.org"


def _free_ports(n):
    """Below the range that the kernel gives to outgoing connections, so that they stay free until used."""
    first, found = 20000 + os.getpid() * 37 % 10000, []
    for port in range(first, first + 2000):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == n:
            return found
    raise RuntimeError("no free ports")


PORTS = _free_ports(400)  # all that this run uses: what the capture listens to
_left = list(PORTS)


def free_port():
    return _left.pop()


def unheard_ports(n):
    """For what says malformed things, or more than a capture takes in: below those that the system gives to
    connections, and not captured."""
    found = []
    while len(found) < n:
        port = random.randrange(21000, 32000)
        with socket.socket() as s:
            if not PORTS[0] <= port <= PORTS[-1] and port not in found and s.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
    return found


def keys(imsi):
    """K and OPc that both the file we import and the card of the test have."""
    return tuple(hashlib.sha256((name + imsi).encode()).digest()[:16] for name in ("K", "OPc"))


def usim(imsi):
    return Usim(*keys(imsi))


class Merlon:
    all = []  # every one that was started: the ports that test_wireshark.py reads

    def __init__(self, where, roles="keeper, home, edge, watch", data_dir=None, authority=None, demo=True,
                 home_address="127.0.0.1", home_port=None, workers=1, listen=None, home=None, watch_socket=None,
                 binary=None, user="", env=None, heard=True, more=None, **edge):
        os.makedirs(where, exist_ok=True)
        self.where, self.data_dir = where, data_dir or os.path.join(where, "data")
        self.roles = [r.strip() for r in roles.split(",")]
        ports = [free_port() for _ in range(4)] if heard else unheard_ports(4)
        self.port, self.tls_port, self.http_port = ports[:3]
        self.home_address = home_address
        self.home_port = home_port or ports[3]
        self.config = os.path.join(where, "merlon.yaml")
        self.events_path = os.path.join(where, "events.jsonl")
        self.listen = listen or ([f"tcp:127.0.0.1:{self.port}"] +
                                 ([f"tls:127.0.0.1:{self.tls_port}"] if authority else []))
        conf = {"data_dir": self.data_dir, "roles": self.roles, "user": user,
                "edge": {"listen": self.listen, "home": [f"tcp:{home_address}:{self.home_port}"],
                         "own": [OWN_MME + "/32"], "workers": workers, "answer": 3000, **edge},
                "home": {"listen": [f"tcp:{home_address}:{self.home_port}"], **(home or {})},
                "watch": {"listen": f"127.0.0.1:{self.http_port}", "events": self.events_path},
                "logging": {"identities": "clear"}}
        if watch_socket:  # a supervisor a role: prepared first, then started one by one (start_role)
            conf["watch"]["socket"] = watch_socket
        if authority:
            chain, key = authority.issue(EDGE_HOST)
            conf["tls"] = {"chain": chain, "key": key, "ca": authority.ca}
        conf |= more or {}
        if "portal" in self.roles:
            conf["portal"]["home"] = f"{home_address}:{self.home_port}"
        with open(self.config, "w", encoding="ascii") as f:
            json.dump(conf, f)  # JSON is YAML
        self.log = os.path.join(where, "log")
        self.binary, self.env = binary or BINARY, {**os.environ, **(env or {})}
        Merlon.all.append(self)
        self.demo = demo
        if watch_socket:
            self.run("prepare")
            self.process = self.start_role(self.roles[0])
        else:
            self.process = self._start([])

    def _start(self, more):
        command = [self.binary, "run", "--config", self.config, *more] + (["--demo"] if self.demo else [])
        with open(self.log, "ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT,
                                    env=self.env)

    def start_role(self, role):
        return self._start(["--role", role])

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return "".join(f.readlines()[-30:])

    def _alive(self):
        assert self.process.poll() is None, f"merlon run ended: {self.tail()}"

    def _ready(self):
        self._alive()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/readyz", timeout=2) as r:
                return r.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def wait_up(self, timeout=20):
        if "watch" in self.roles:
            poll(self._ready, timeout, lambda: f"/readyz: {self.tail()}")
        if "edge" in self.roles:
            poll(self._listens, timeout, lambda: f"the edge's port: {self.tail()}")
        if {"edge", "home", "watch"} <= set(self.roles):
            poll(lambda: re.search(r'^merlon_edge_peers_open\{.*kind="home"\} [1-9]', self.metrics(), re.M), timeout,
                 lambda: f"home behind the edge: {self.tail()}")
        return self

    def _listens(self):
        self._alive()
        if not any(x.startswith(f"tcp:127.0.0.1:{self.port}") for x in self.listen):
            return True  # SCTP: its peer tries again
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def run(self, *args, check=True):
        done = subprocess.run([BINARY, *args, "--config", self.config], capture_output=True, text=True,
                              timeout=30, cwd=ROOT)
        assert not check or done.returncode == 0, f"merlon {args}: {done.stdout}{done.stderr}"
        return done

    def set(self, what, key, **fields):
        self.run("set", what, key, *(f"{k}={v}" for k, v in fields.items()))

    def show(self, what, key):
        return json.loads(self.run("show", what, key, "--json").stdout)

    def import_csv(self, header, rows, *args):
        text = io.StringIO()
        out = csv.DictWriter(text, header, lineterminator="\n")
        out.writeheader()
        out.writerows(rows)
        path = os.path.join(self.where, "rows.csv")
        with open(path, "w", encoding="ascii") as f:
            f.write(text.getvalue())
        self.run("import", *args, path)

    def import_sims(self, imsis, profile):
        rows = []
        for imsi in imsis:
            k, opc = keys(imsi)
            rows.append({"imsi": imsi, "alg": "milenage", "k": k.hex(), "opc": opc.hex(), "amf": "8000",
                         "tenant": TENANT[profile], "profile": profile})
        self.import_csv(SIM_HEADER, rows)

    def import_rows(self, imsis, profile):
        """Subscriptions without keys: where home is somebody else's."""
        self.import_csv(["imsi", "tenant", "profile"],
                        [{"imsi": i, "tenant": TENANT[profile], "profile": profile} for i in imsis])

    def mark(self):
        """Where the events stand now: give it to event()."""
        return os.path.getsize(self.events_path) if os.path.exists(self.events_path) else 0

    def events(self, since=0):
        with open(self.events_path, encoding="utf-8") as f:
            f.seek(since)
            text = f.read()
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]

    def event(self, since, timeout=5, **fields):
        """The first event since then whose fields are as given."""
        def look():
            return next((e for e in self.events(since)
                         if all(str(e.get(k)) == str(v) for k, v in fields.items())), None)
        return poll(look, timeout, lambda: f"event {fields} among {self.events(since)}")

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/metrics", timeout=5) as r:
            return r.read().decode()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        return self.process.returncode
