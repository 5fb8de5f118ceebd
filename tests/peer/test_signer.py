"""The signer: alone it holds the TLS private key; certificates are renewed while connections stay."""
import os
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest
from ask import air
from diameter import Client, poll
from fd import Authority
from merlon import EDGE_HOST, Merlon, keys, realm

ROLES = ("watch", "signer", "keeper", "home", "edge")


@pytest.fixture(scope="module")
def ca(work):
    where = os.path.join(work, "ca-signer")
    os.makedirs(where)
    return Authority(where)


class Renewable:
    """An authority whose certificates of the edge come one after another, at the same paths."""

    def __init__(self, ca, where):
        self.authority, self.ca, self.made = ca, ca.ca, {}
        self.chain, self.key = (os.path.join(where, f"edge.{x}") for x in ("pem", "key"))

    def issue(self, _):
        self.put("first")
        return self.chain, self.key

    def pair(self, name):
        if name not in self.made:
            paths = self.authority.issue(f"{name}.{EDGE_HOST}")
            self.made[name] = [open(p, "rb").read() for p in paths]
        return self.made[name]

    def put(self, name, key=None):
        for path, text in zip((self.chain, self.key), (self.pair(name)[0], self.pair(key or name)[1])):
            with open(path, "wb") as f:
                f.write(text)


@pytest.fixture(scope="module")
def net(work, ca):
    where = os.path.join(work, "signer")
    os.makedirs(where)
    own = Renewable(ca, where)
    m = Merlon(where, authority=own)
    m.own = own
    try:
        m.wait_up()
        m.import_sims(["999705000900001"], "meter")
        yield m
    finally:
        code = m.stop()
    assert code == 0, m.tail()


serial = iter(range(1, 1000))


def dial(m, ca, **how):
    host = f"s{next(serial)}.{realm('00101')}"
    context = ssl.create_default_context(cafile=ca.ca)
    context.check_hostname = False
    context.load_cert_chain(*ca.issue(host))
    for name, value in how.items():
        setattr(context, name, value)
    return Client(m.tls_port, host, realm("00101"), tls=context)


def served(n):
    answer = n.request("AIR", air("999705000900001"))
    return answer is not None and answer.result == 2001


def shown(m):
    """The name in the certificate that a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", m.tls_port)) as s, context.wrap_socket(s) as t:
        der = t.getpeercert(True)
    text = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-ext", "subjectAltName"], input=der,
                          capture_output=True, check=True).stdout.decode()
    return re.search(r"DNS:(\w+)\.", text)[1]


def hup(m, expect):
    size = os.path.getsize(m.log)
    m.process.send_signal(signal.SIGHUP)

    def said():
        with open(m.log, encoding="utf-8") as f:
            f.seek(size)
            text = f.read()
        return text if re.search(r"reloaded", text) else None
    text = poll(said, 15, "an answer to SIGHUP")
    assert expect in text, text


def processes(m):
    """Of each role, its process."""
    found = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                name, rest = re.match(r"\d+ \((.*)\) (.*)", f.read()).groups()
        except OSError:
            continue
        if int(rest.split()[1]) == m.process.pid:
            found[name] = pid
    return found


def private_number(pem):
    """The secret of an EC key, as bytes: what would lie in a memory that holds the key."""
    text = subprocess.run(["openssl", "pkey", "-noout", "-text"], input=pem, capture_output=True,
                          check=True).stdout.decode()
    digits = re.search(r"priv:\s*([0-9a-f:\s]+)pub:", text)[1]
    return bytes.fromhex(re.sub(r"[^0-9a-f]", "", digits))[-32:]


def memory_of(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            start, end, mode = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            start, end = int(start, 16), int(end, 16)
            if not mode.startswith("rw") or "[v" in line:
                continue
            try:
                mem.seek(start)
                yield mem.read(end - start)
            except (OSError, ValueError, OverflowError):
                continue


def holders(m, **secrets):
    """Of each secret, the processes that have it in memory, in either order of bytes."""
    found = {name: set() for name in secrets}
    for role, pid in {"supervisor": m.process.pid, **processes(m)}.items():
        for part in memory_of(pid):
            for name, secret in secrets.items():
                if secret in part or secret[::-1] in part:
                    found[name].add(role)
    return found


def test_the_private_key_is_in_the_signers_memory_alone(net, ca):
    """R-3.b: after handshakes of both versions, as root sees it from outside."""
    if os.geteuid() != 0:
        pytest.skip("only root may look into memory")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        n = dial(net, ca, maximum_version=version, minimum_version=version)
        assert served(n)
        n.close()
    assert set(processes(net)) == set(ROLES)
    pem = net.own.pair("first")[1]
    k, opc = keys("999705000900001")
    with open(os.path.join(net.data_dir, "master.key"), "rb") as f:
        master = bytes.fromhex(f.read().decode().strip("\n\0"))
    found = holders(net, private=private_number(pem), text=b"".join(pem.splitlines()[1:-1])[:48], k=k, opc=opc,
                    master=master)
    assert found["private"] == {"signer"}
    assert found["text"] == set(), "what was read is wiped"
    assert all(found[x] <= {"home"} for x in ("k", "opc", "master")), found


def test_a_new_certificate_is_taken_over_without_a_restart(net, ca):
    """New connections see it; the old one goes on, and goes on after that."""
    old, before = dial(net, ca), processes(net)
    assert served(old) and shown(net) == "first"
    net.own.put("second")
    assert shown(net) == "first", "not before it is told"
    hup(net, "configuration reloaded")
    assert shown(net) == "second" and served(old)
    n = dial(net, ca)
    assert served(n) and processes(net) == before
    hup(net, "configuration reloaded")  # the same again
    assert shown(net) == "second" and served(old) and served(n)
    n.close()
    old.close()


def test_a_former_key_is_wiped(net):
    if os.geteuid() != 0:
        pytest.skip("only root may look into memory")
    gone = private_number(net.own.pair("second")[1])
    now = private_number(net.own.pair("third")[1])
    net.own.put("third")
    hup(net, "configuration reloaded")
    poll(lambda: holders(net, gone=gone, now=now) == {"gone": set(), "now": {"signer"}}, 30, "the end of the old key")
    assert net.event(0, event="signer.key_wiped")


@pytest.mark.parametrize("chain, key, said", [
    ("fourth", "fifth", "tls.key"), ("fourth", None, "tls.ca"), (None, "fourth", "tls.chain")])
def test_what_does_not_fit_is_refused_and_the_old_stays(net, ca, chain, key, said):
    """One line that says what; nothing changes."""
    now, ca_text = shown(net), open(ca.ca, "rb").read()
    net.own.put(chain or "fourth", key)
    try:
        if said == "tls.ca":
            os.rename(ca.ca, ca.ca + ".away")
        if said == "tls.chain":
            with open(net.own.chain, "wb") as f:
                f.write(b"not a certificate\n")
        hup(net, f"not reloaded: {said}")
    finally:
        if said == "tls.ca":
            os.rename(ca.ca + ".away", ca.ca)
    assert open(ca.ca, "rb").read() == ca_text
    assert shown(net) == now
    n = dial(net, ca)
    assert served(n)
    n.close()
    net.own.put(now)
    hup(net, "configuration reloaded")


def test_without_a_signer_handshakes_fail_at_once_and_connections_stay(net, ca):
    """The supervisor starts it again, and all is as before."""
    open_one, since, now = dial(net, ca), net.mark(), shown(net)
    os.kill(processes(net)["signer"], signal.SIGKILL)
    began, failed = time.monotonic(), 0
    while time.monotonic() - began < 0.5:
        try:
            one = time.monotonic()
            shown(net)
        except OSError:
            failed += 1
            assert time.monotonic() - one < 0.4
    assert failed > 0 and served(open_one)
    poll(lambda: any(e.get("why", "").endswith("the supervisor starts it again") for e in net.events(since)
                     if e["event"] == "tls.refused"), 5, "an event that says what is wrong")

    def back():
        try:
            return shown(net) == now
        except OSError:
            return False
    poll(back, 10, "the signer's return")
    assert served(open_one)
    n = dial(net, ca)
    assert served(n)
    for x in (n, open_one):
        x.close()


def test_an_edge_that_starts_again_after_a_renewal_has_the_key_it_needs(net, ca):
    """The files were changed, nobody said so, and the edge ended."""
    net.own.put("sixth")
    assert shown(net) != "sixth"
    os.kill(processes(net)["edge"], signal.SIGKILL)

    def up():
        try:
            return shown(net) == "sixth"
        except OSError:
            return False
    poll(up, 10, "the edge's return")
    n = dial(net, ca)
    poll(lambda: served(n), 10, "the home behind it")
    n.close()
