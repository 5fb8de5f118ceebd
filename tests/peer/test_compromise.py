"""An edge in an attacker's hands: a build that runs a table of attacks as code in the edge's process, in its sandbox,
while it serves (tests/compromise). Each must be denied, and nobody else must feel it."""
import itertools
import os
import re
import shutil
import signal
import tempfile
import threading
import time

import pytest
from ask import air
from diameter import Client, poll
from fd import Authority
from merlon import BINARY, HOME, Merlon, keys, realm
from test_signer import Renewable, dial, hup, private_number, processes, served, shown

HOSTILE = os.environ.get("MERLON_HOSTILE") or BINARY.replace("/src/cli/merlon", "-compromise/src/cli/merlon")
IMSI = "999705000900001"  # whose keys the attacker looks for
SIMS = [str(999705000900001 + i) for i in range(500)]


@pytest.fixture(scope="module")
def house():
    """(the hostile product, its log; another edge, of the usual build, before the same home)"""
    if os.geteuid() != 0:
        pytest.skip("roles have users of their own only when started as root")
    if not os.path.exists(HOSTILE):
        pytest.skip(f"{HOSTILE} is not built: meson setup build-compromise -Dcompromise=true")
    where = tempfile.mkdtemp(prefix="mc-", dir="/tmp")
    os.chmod(where, 0o755)
    ca = Authority(where)
    own = Renewable(ca, where)
    own.issue(None)
    secrets = os.path.join(where, "secrets")
    m = other = None
    try:
        k, opc = keys(IMSI)
        masked = {"k": k, "opc": opc, "private": private_number(own.pair("first")[1])}
        with open(secrets, "w", encoding="ascii") as f:
            f.writelines(f"{name} {bytes(b ^ 0x5a for b in s).hex()}\n" for name, s in masked.items())
        m = Merlon(os.path.join(where, "m"), authority=own, binary=HOSTILE, user="merlon",
                   env={"MERLON_COMPROMISE": secrets})
        m.own, m.secrets = own, secrets
        m.wait_up()
        m.import_sims(SIMS, "meter")
        m.set("network", "00101", trust="trusted", rate=0)
        other = Merlon(os.path.join(where, "o"), roles="edge, watch", data_dir=m.data_dir, demo=False,
                       home_port=m.home_port, user="merlon", host=f"edge2.{HOME}").wait_up()
        yield m, other, ca
    finally:
        codes = [x.stop() for x in (other, m) if x]
        if not os.environ.get("KEEP"):
            shutil.rmtree(where, ignore_errors=True)
    assert codes == [0, 0], m.tail()


class Load(threading.Thread):
    """Requests through the other edge, one after another: how long each took, and what came in place of an answer."""

    def __init__(self, other):
        super().__init__(daemon=True)
        self.client = Client(other.port, f"load{time.monotonic_ns()}.{realm('00101')}", realm("00101"))
        self.took, self.failed, self.done = [], [], threading.Event()

    def run(self):
        for imsi in itertools.cycle(SIMS):
            if self.done.wait(0.01):
                return
            began = time.monotonic()
            answer = self.client.request("AIR", air(imsi))
            result = answer.result if answer is not None else None
            if result == 2001:
                self.took.append(time.monotonic() - began)
            else:
                self.failed.append(result)

    def end(self):
        self.done.set()
        self.join(10)
        self.client.close()
        return sorted(self.took)


def attack(m):
    """Every line that the attacker wrote."""
    size = os.path.getsize(m.log)
    os.kill(processes(m)["edge"], signal.SIGUSR2)

    def told():
        with open(m.log, encoding="utf-8", errors="replace") as f:
            f.seek(size)
            text = f.read()
        return text if "attack: done" in text else None
    return re.findall(r"^attack: (.*)$", poll(told, 90, lambda: f"the attack's end: {m.tail()}"), re.M)


def test_a_compromised_edge_gains_nothing_and_harms_nobody(house):
    """R-5.6: no file, no store, no key, no process, no other service; home, keeper, watch, signer and another edge
    answer all the while."""
    m, other, _ = house
    first = Client(other.port, f"first.{realm('00101')}", realm("00101"))
    sims = itertools.cycle(SIMS)
    results = []

    def answers():
        results.append(first.request("AIR", air(next(sims))).result)
        return results[-1] == 2001
    poll(answers, 15, lambda: f"the other edge: {results[-5:]}")
    before, since = processes(m), m.mark()
    load = Load(other)
    load.start()
    lines = attack(m)
    m.set("subscription", IMSI, life="active")
    took = load.end()
    print("\n".join(lines))
    assert not [x for x in lines if "HOLE" in x]
    counted = re.match(r"done, (\d+) denied, 0 holes", lines[-1])
    assert counted and int(counted[1]) >= 140
    assert processes(m) == before, "nobody died, edge not either"
    print(f"{len(took)} requests by the other edge meanwhile, slowest {took[-1] * 1000:.0f} ms; failed: {load.failed}")
    assert not load.failed and len(took) > 50 and took[-1] < 3
    assert 'merlon_signer_refused_total{role="signer",reason="form"}' in m.metrics()
    assert m.event(since, event="signer.refused", role="signer", why="the signer signs TLS handshakes only")
    assert m.event(since, event="signer.refused", why="the signer's limit is reached (signer.rate)")
    assert not [e for e in m.events(since) if e["event"] == "attack.forged" and e["role"] != "edge"]
    assert not [p for p in os.listdir("/tmp") if p.startswith("merlon-attack")]


def test_the_search_finds_what_is_there(house):
    """The oracle of the search: a text that edge must have in memory is found."""
    m, _, _ = house
    with open(m.secrets, "r+", encoding="ascii") as f:
        kept = f.read()
        f.write("realm " + bytes(b ^ 0x5a for b in b"edge." + m.run("check", "--json").stdout.split('"')[5].encode())
                .hex() + "\n")
    try:
        edge = processes(m)["edge"]
        os.kill(edge, signal.SIGKILL)
        poll(lambda: processes(m).get("edge", edge) != edge, 10, "another edge")
        time.sleep(1)
        assert [x for x in attack(m) if "realm is in memory" in x]
    finally:
        with open(m.secrets, "w", encoding="ascii") as f:
            f.write(kept)


def test_afterwards_certificates_are_renewed_and_all_is_well(house):
    """Junk that the attacker left with the supervisor does not answer for it."""
    m, _, ca = house
    m.own.put("second")
    hup(m, "configuration reloaded")

    def renewed():
        try:
            return shown(m) == "second"
        except OSError:  # the line to the signer is still full of the attacker's own junk
            return False
    poll(renewed, 10, "a handshake with the new certificate")
    n = dial(m, ca)
    assert served(n)
    n.close()
