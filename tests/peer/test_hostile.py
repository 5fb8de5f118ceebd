"""Peers that mean harm, small: each attack of hostile.py for two seconds, several at once, while a partner works on.
bench/hostile.sh plays them at full size and measures what the others feel."""
import os
import re
import socket
import ssl
import time

import pytest
from ask import air, ecr
from diameter import Client, message, plmn, poll
from hostile import ATTACKS, HERE, Attack, cer
from merlon import Merlon, realm, unheard_ports, usim
from process import children

CARD = "999707000000001"
COUNTERS = {"merlon_connections_cut_total": "cut", "merlon_dia_dropped_total": "drop", "merlon_edge_dropped_total": "edge"}
SLOW = {"slow-loris after CER", "peers that never read"}  # their limits are 10 s and 30 s: tests/unit/test_crowd.c
PATIENT = ["TLS renegotiation", "TLS key updates"]  # they need their connection for a while
GROUPS = {
    "crowds": [n for n in ATTACKS if "loris before" in n or "idle" in n or "half" in n or "flood," in n],
    "messages": ["lengths and versions", "nested AVPs", "7,000 AVPs", "unknown commands"],
    "nothing asked": ["answers to nothing", "unknown Hop-by-Hop", "DWR flood", "peers that never read", "CER after CER"],
    "CER storms": ["CER storm, refused", "CER storm, ever new hosts", "home: garbage"],
    "TLS": [n for n in ATTACKS if "TLS" in n and n not in PATIENT],
    "handshakes done, and SCTP": [*PATIENT, "SCTP: INITs, cookies, noise"],
}
SECONDS = {"crowds": 6.5}  # a stranger may be silent for 5 s


@pytest.fixture(scope="module")
def evil(work, authority):
    """A product of its own, with few places for strangers; and where to attack it."""
    sctp, udp, port, tls = unheard_ports(4)
    m = Merlon(os.path.join(work, "hostile"), authority=authority, heard=False, strangers=100, strangers_address=40,
               listen=[f"tcp:127.0.0.1:{port}", f"tls:127.0.0.1:{tls}", f"sctp:127.0.0.1:{sctp}?udp={udp}"])
    m.port, m.tls_port = port, tls
    try:
        m.wait_up().import_sims([CARD], "pacemaker")
        cert, key = authority.issue(f"evil.{realm('00101')}")
        m.target = {"port": port, "tls_port": tls, "sctp_port": sctp, "udp_port": udp, "home_port": m.home_port,
                    "ca": authority.ca, "cert": cert, "key": key}
        yield m
    finally:
        code = m.stop()
    assert code == 0, m.tail()


def counters(m):
    found = {}
    for name, labels, value in re.findall(r"^(\w+)\{([^}]*)\} (\d+)", m.metrics(), re.M):
        if name in COUNTERS:
            key = COUNTERS[name] + ":" + re.search(r'reason="(\w+)"', labels).group(1)
            found[key] = found.get(key, 0) + int(value)
    return found


def resident_mb(m):
    total = 0
    for pid in children(m.process.pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            total += int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) / 1024
    return total


def newcomer(m, authority, tls, tries=20):
    """A partner's node that comes now, with its vector; who is pushed out comes again."""
    host, context = f"new.{HERE}", None
    if tls:
        context = ssl.create_default_context(cafile=authority.ca)
        context.check_hostname = False
        context.load_cert_chain(*authority.issue(host))
    for _ in range(tries):
        try:
            c = Client(m.tls_port if tls else m.port, host, HERE, address="127.0.0.201", tls=context)
        except OSError:
            continue
        answer = c.request("AIR", air(CARD)) if c.cea is not None and c.cea.result == 2001 else None
        c.close()
        if answer is not None:
            return answer
    return None


@pytest.mark.parametrize("group", GROUPS)
def test_an_attack_is_met_and_others_are_served(evil, authority, group):
    """R-5.6.1.c, R-5.6.1.g, R-5.6.a: the right error or a counted cut; nobody else feels it, nothing ends."""
    before, memory, processes = counters(evil), resident_mb(evil), children(evil.process.pid)
    worker = Client(evil.port, f"worker-{group.split()[0]}.{HERE}", HERE)
    seconds = SECONDS.get(group, 2)
    running = {n: Attack(n, evil.target, ATTACKS[n][2], seconds) for n in GROUPS[group]}
    end, served = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        assert worker.request("ECR", ecr("35000000000077")).result == 2001
        served += 1
    usim(CARD).check(newcomer(evil, authority, group == "TLS")["Authentication-Info"]["E-UTRAN-Vector"], plmn("00101"))
    tallies = {n: a.tally() for n, a in running.items()}
    assert not worker.closed.is_set() and served > 10
    worker.close()

    def missing():
        now = counters(evil)
        moved = {k for k, v in now.items() if v > before.get(k, 0)}
        return [(n, t) for n, t in tallies.items() if n not in SLOW and not (set(t) | moved) & set(ATTACKS[n][3])]
    poll(lambda: not missing(), 10, lambda: f"a proof of {missing()}")
    assert children(evil.process.pid) == processes, f"a role ended: {evil.tail()}"
    assert resident_mb(evil) < memory + 100


def test_strangers_are_told_of_once_and_by_address(evil):
    """R-5.6.1.c: a flood is attributed to where it comes from."""
    mark = evil.mark()
    a = Attack("10,000 idle, one address", evil.target, 200, 1)
    event = evil.event(mark, event="connection.limit", address="127.0.3.1", clause="R-5.6.1.c")
    assert event["why"] == "too many strangers of one address"
    a.tally()
    assert len([e for e in evil.events(mark) if e["event"] == "connection.limit"]) <= 30, "ten a second are enough"


def test_a_request_longer_than_any_is_refused_by_the_edge(evil):
    """R-5.6.1.g: home need not read 60 KB of a partner's."""
    n = Client(evil.port, f"long.{HERE}", HERE)
    answer = n.request("AIR", air(CARD) + [("Error-Message", "x" * 9000)])
    assert answer.result == 5012
    assert n.request("AIR", air(CARD)).result == 2001
    n.close()


def test_a_cer_octet_by_octet_is_still_a_cer(evil):
    """Slow is not hostile: who is done within five seconds is in."""
    with socket.create_connection(("127.0.0.1", evil.port), 5) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for b in cer(f"slow.{HERE}"):
            s.send(bytes([b]))
            time.sleep(0.005)
        head = s.recv(4096)
    assert head[5:8] == b"\x00\x01\x01" and b"\x00\x00\x07\xd1" in head, "a CEA with 2001"
    assert message(257, 0, 0, 7, 7, b"")[5:8] == head[5:8]
