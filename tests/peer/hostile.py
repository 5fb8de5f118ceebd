"""Peers that mean harm: what tests/peer/test_hostile.py plays small, and bench/hostile.py at full size.

Each attack is a function of a target, a size, a time, and a tally of what it did and what it saw. Attacks
run in processes of their own; for a measurement 19 steps nicer than the product: they take what CPU is
left, so that what others feel is the product's doing and not the scheduler's."""
import collections
import json
import os
import random
import select
import socket
import ssl
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from ask import air  # noqa: E402
from diameter import (P, R, S6A, VENDOR, Message, encode, encode_raw, frames, message,  # noqa: E402
                      vsai)
from merlon import realm  # noqa: E402

HERE, FOREIGN = realm("00101"), realm("00988")
MANY = [f"127.{a}.{b}.{c}" for a in (1, 2) for b in (1, 2, 3, 4) for c in range(1, 251)]
ONE = ["127.0.3.1"]


def cer(host, where=HERE, number=7):
    body = encode([("Origin-Host", host), ("Origin-Realm", where), ("Host-IP-Address", "127.0.0.1"),
                   ("Vendor-Id", 0), ("Product-Name", "hostile"), ("Supported-Vendor-Id", VENDOR), vsai()])
    return message(257, 0, R, number, number, body)


def dwr(host, number):
    return message(280, 0, R, number, number, encode([("Origin-Host", host), ("Origin-Realm", HERE)]))


def hello(version=None, ticket=b""):
    """A ClientHello as OpenSSL writes it; with a session ticket, or of an old version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    except ssl.SSLWantReadError:
        pass
    data = bytearray(out.read())
    if not ticket and version is None:
        return bytes(data)
    if version is not None:  # 3.1: TLS 1.0, and nothing newer among the extensions
        body = struct.pack("!H", version) + os.urandom(32) + b"\x00" + bytes.fromhex("0008c013c014002f0035") + b"\x01\x00"
    else:
        body = b"\x03\x03" + os.urandom(32) + b"\x00" + bytes.fromhex("0004c02bc02f") + b"\x01\x00"
    groups, algorithms = b"\x00\x04\x00\x1d\x00\x17", b"\x00\x04\x04\x03\x08\x04"
    extensions = b"".join(struct.pack("!HH", kind, len(v)) + v
                          for kind, v in ((10, groups), (13, algorithms), (11, b"\x01\x00"), (35, ticket)) if v)
    body += struct.pack("!H", len(extensions)) + extensions
    shake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack("!H", len(shake)) + shake


def records(data, kind=0x16):
    """As TLS records of at most 16 KB."""
    return b"".join(struct.pack("!BHH", kind, 0x0301, len(data[i:i + 16384])) + data[i:i + 16384]
                    for i in range(0, len(data), 16384))


# --- crowds: many connections by nobody -----------------------------------------------------------

class Crowd:
    """`alive` connections at once that send `first`, then one octet of `drip` a tick; who is cut off comes
    again. leave: "" stays, "close" and "reset" go at once, "answer" goes when something came back."""

    def __init__(self, tally, port, alive, addresses, first=None, drip=b"", leave=""):
        self.tally, self.port, self.alive, self.addresses = tally, port, alive, addresses
        self.first, self.drip, self.leave = first or (lambda i: b""), drip, leave
        self.poll, self.socks, self.serial, self.ticked = select.epoll(), {}, 0, 0

    def _open(self):
        s = socket.socket()
        s.setblocking(False)
        s.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        s.bind((self.addresses[self.serial % len(self.addresses)], 0))
        self.serial += 1
        s.connect_ex(("127.0.0.1", self.port))
        self.socks[s.fileno()] = [s, self.first(self.serial), 0, True]
        self.poll.register(s, select.EPOLLIN | select.EPOLLOUT)
        self.tally["opened"] += 1

    def _end(self, s, how):
        self.tally[how] += 1
        self.poll.unregister(s)
        del self.socks[s.fileno()]
        if how == "reset":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()

    def _write(self, entry):
        s, first = entry[0], entry[1]
        if first:
            entry[1] = first[s.send(first):]
        if entry[1]:
            return
        if self.leave in ("close", "reset"):
            self._end(s, self.leave)
        elif entry[3]:
            entry[3] = False
            self.poll.modify(s, select.EPOLLIN)

    def _read(self, s):
        data = s.recv(65536)
        if not data:
            self._end(s, "cut off")
            return
        if data[0] == 21:  # a TLS alert says why
            self.tally[f"alert {data[6]}"] += 1
        elif data[0] == 1:
            count_answers(self.tally, data)
        if self.leave == "answer":
            self._end(s, "reset")

    def step(self, open_max=200):
        for _ in range(min(open_max, self.alive - len(self.socks))):
            self._open()
        for fd, events in self.poll.poll(0.02, 1024):
            if fd not in self.socks:
                continue
            entry = self.socks[fd]
            try:
                if events & select.EPOLLOUT:
                    self._write(entry)
                if events & ~select.EPOLLOUT and fd in self.socks:
                    self._read(entry[0])
            except OSError:
                if fd in self.socks:
                    self._end(entry[0], "cut off")
        if self.drip and time.monotonic() - self.ticked >= 0.1:
            self.ticked = time.monotonic()
            self._drip()

    def _drip(self):
        for entry in list(self.socks.values()):
            if entry[3] or entry[2] >= len(self.drip):
                continue
            try:
                entry[0].send(self.drip[entry[2]:entry[2] + 1])
                entry[2] += 1
            except OSError:
                self._end(entry[0], "cut off")

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step()
            self.tally["at once"] = max(self.tally["at once"], len(self.socks))
        for entry in list(self.socks.values()):
            entry[0].close()


def crowd(port="port", **how):
    def attack(t, size, seconds, tally):
        options = dict(how)
        for name in ("first", "drip"):
            if name in options and callable(options[name]) and name == "drip":
                options[name] = options[name]()
        Crowd(tally, t[port], size, **options).run(seconds)
    return attack


def tls_crowd(make, **how):
    def attack(t, size, seconds, tally):
        data = make()
        Crowd(tally, t["tls_port"], size, addresses=MANY, first=lambda i: data, **how).run(seconds)
    return attack


# --- the admitted ---------------------------------------------------------------------------------

def count_answers(tally, data):
    """Tally the Result-Codes of whole messages; what is left."""
    while len(data) >= 20:
        n = int.from_bytes(data[1:4], "big")
        if n < 20 or len(data) < n:
            break
        try:
            m = Message(data[:n])
            tally[f"result {m.result}" if not m.is_request else f"asked {m.command}"] += 1
        except (ValueError, KeyError):
            tally["unreadable"] += 1
        data = data[n:]
    return data


def known(t, host, rcvbuf=0, address="127.0.0.1"):
    """A connection whose CER was accepted."""
    s = socket.socket()
    if rcvbuf:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    s.settimeout(5)
    s.bind((address, 0))
    s.connect(("127.0.0.1", t["port"]))
    s.sendall(cer(host))
    got = next(frames(lambda: s.recv(65536)), None)
    if got is None or Message(got).result != 2001:
        raise OSError("not admitted")
    return s


def pour(make, read=True, rcvbuf=0):
    """`size` admitted peers send make(host, number) as fast as it is taken, and read what comes, or never."""
    def attack(t, size, seconds, tally):
        end, serial, peers = time.monotonic() + seconds, 0, {}
        while time.monotonic() < end:
            while len(peers) < size:
                host = f"evil-{os.getpid()}-{serial}.{HERE}"
                try:
                    s = known(t, host, rcvbuf)
                except OSError:
                    tally["not admitted"] += 1
                    break
                serial += 1
                s.setblocking(False)
                one = [make(host, n) for n in range(64)]
                peers[s.fileno()] = [s, b"".join(one), b"", len(b"".join(one)), b""]
                tally["opened"] += 1
            served = select.select([p[0] for p in peers.values()] if read else [],
                                   [p[0] for p in peers.values()], [], 0.05)
            for s in served[0] + served[1]:
                p = peers.get(s.fileno())
                if not p:
                    continue
                try:
                    if s in served[0]:
                        more = s.recv(262144)
                        if not more:
                            raise OSError("cut off")
                        p[4] = count_answers(tally, p[4] + more)
                    if s in served[1]:
                        p[2] = p[2] or p[1]
                        n = s.send(p[2])
                        p[2] = p[2][n:]
                        tally["octets"] += n
                        tally["messages"] += n * 64 // p[3]
                except BlockingIOError:
                    pass
                except OSError:
                    tally["cut off"] += 1
                    peers.pop(s.fileno(), None)
                    s.close()
        for p in peers.values():
            p[0].close()
    return attack


def drip_known(t, size, seconds, tally):
    """Admitted peers that send a request octet by octet."""
    peers, end, n = [known(t, f"drip-{i}.{HERE}") for i in range(size)], time.monotonic() + seconds, 0
    data = message(318, S6A, R | P, 1, 1, bytes(60000))
    tally["opened"] = size
    while time.monotonic() < end and peers:
        for s in list(peers):
            try:
                s.send(data[n:n + 1])
            except OSError:
                tally["cut off"] += 1
                peers.remove(s)
        n += 1
        time.sleep(0.1)


def lengths(t, size, seconds, tally):
    """Headers that no message has, as a stranger and as an admitted peer; each must end its connection."""
    bad = [b"\x01" + n.to_bytes(3, "big") for n in [*range(20), 21, 22, 23, 65, 1 << 16 | 4, 0xfffffc, 0xffffff]]
    bad += [bytes([v]) + b"\x00\x00\x54" for v in (0, 2, 3, 127, 255)]
    end = time.monotonic() + seconds
    for turn in range(size):
        for i, head in enumerate(bad):
            for admitted in (False, True):
                if admitted:
                    s = known(t, f"len-{turn}-{i}.{HERE}")
                else:
                    s = socket.create_connection(("127.0.0.1", t["port"]), 5)
                tally["sent"] += 1
                try:
                    s.sendall(head + b"\x80\x00\x01\x18" + bytes(1000))
                    while s.recv(65536):
                        pass
                    tally["cut off"] += 1
                except ConnectionError:
                    tally["cut off"] += 1
                except OSError:
                    tally["not cut off"] += 1
                s.close()
        if time.monotonic() > end:
            break


def deep_body(levels, code=279):
    heads = [struct.pack("!IB", code, 0x40) + (8 * (i + 1)).to_bytes(3, "big") for i in range(levels)]
    return b"".join(reversed(heads))


def deep(host, number):
    """Groups in groups, 60 KB of them: 7,600 deep."""
    deep.made = deep.made or deep_body(7600)
    origin = [("Session-Id", f"{host};1;{number}"), ("Origin-Host", host), ("Origin-Realm", HERE)]
    return message(318, S6A, R | P, number, number, encode(origin + air("999705000000001")) + deep.made)


deep.made = b""


def many(host, number):
    origin = [("Session-Id", f"{host};1;{number}"), ("Origin-Host", host), ("Origin-Realm", HERE)]
    return message(318, S6A, R | P, number, number, encode(origin + air("999705000000001")) +
                   encode_raw(3999, 0, b"", flags=0) * 7000)


def stray(host, number):
    """An answer to nothing."""
    body = encode([("Session-Id", f"x;{number}"), ("Result-Code", 2001), ("Auth-Session-State", 1),
                   ("Origin-Host", host), ("Origin-Realm", HERE)])
    return message(318, S6A, P, random.getrandbits(32), random.getrandbits(32), body)


def stray_base(host, number):
    code = (257, 280, 282)[number % 3]
    body = encode([("Result-Code", 2001), ("Origin-Host", host), ("Origin-Realm", HERE)])
    return message(code, 0, 0, random.getrandbits(32), random.getrandbits(32), body)


def unknown_command(host, number):
    body = encode([("Session-Id", f"x;{number}"), ("Origin-Host", host), ("Origin-Realm", HERE)])
    return message(8388000 + number, S6A, R | P, random.getrandbits(32), 1, body)


def thirsty(host, number):
    return dwr(host, number) * 4


def cer_storm(where, stay):
    def attack(t, size, seconds, tally):
        Crowd(tally, t["port"], size, MANY, first=lambda i: cer(f"cer-{os.getpid()}-{i}.{where}", where),
              leave="" if stay else "answer").run(seconds)
    return attack


# --- TLS ------------------------------------------------------------------------------------------

def long_chain(t, size, seconds, tally):
    """The certificate, and a hundred more behind it."""
    path = t["cert"] + f".chain-{os.getpid()}"
    with open(t["cert"], encoding="ascii") as f, open(t["ca"], encoding="ascii") as g:
        own, more = f.read(), g.read()
    with open(path, "w", encoding="ascii") as f:
        f.write(own + more * 100)
    context = ssl.create_default_context(cafile=t["ca"])
    context.check_hostname = False
    context.load_cert_chain(path, t["key"])
    end = time.monotonic() + seconds
    while time.monotonic() < end and tally["opened"] < size:
        tally["opened"] += 1
        try:
            with context.wrap_socket(socket.create_connection(("127.0.0.1", t["tls_port"]), 5)) as s:
                s.settimeout(5)
                s.sendall(cer(f"x.{HERE}"))
                tally["answered" if s.recv(10) else "cut off"] += 1
        except OSError:
            tally["cut off"] += 1
    os.unlink(path)


def again(key, version):
    """openssl s_client's own commands: R renegotiates, k updates keys."""
    def attack(t, size, seconds, tally):
        end = time.monotonic() + seconds
        while time.monotonic() < end and tally["opened"] < size:
            done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{t['tls_port']}", version,
                                   "-cert", t["cert"], "-key", t["key"], "-CAfile", t["ca"]],
                                  input=f"{key}\n".encode() * 200, capture_output=True, timeout=30, check=False)
            tally["opened"] += 1
            said = done.stdout + done.stderr
            for word in (b"no renegotiation", b"RENEGOTIATING", b"KEYUPDATE", b"unexpected message"):
                tally[word.decode()] += word in said
    return attack


# --- SCTP, in UDP ---------------------------------------------------------------------------------

def crc32c(data, table=[]):  # noqa: B006: made once
    if not table:
        for i in range(256):
            for _ in range(8):
                i = i >> 1 ^ (0x82f63b78 if i & 1 else 0)
            table.append(i)
    crc = 0xffffffff
    for b in data:
        crc = table[(crc ^ b) & 255] ^ crc >> 8
    return crc ^ 0xffffffff


def sctp_packet(port, tag, chunks):
    head = struct.pack("!HHI", random.randrange(1024, 65535), port, tag)
    return head + struct.pack("<I", crc32c(head + bytes(4) + chunks)) + chunks


def sctp(t, size, seconds, tally):
    """INITs that nobody follows up, cookies of our own making, noise."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setblocking(False)
    end = time.monotonic() + seconds
    while time.monotonic() < end and tally["sent"] < size:
        tag = random.getrandbits(32) | 1
        init = struct.pack("!BBHIIHHI", 1, 0, 20, tag, 65536, 10, 10, tag)
        cookie = struct.pack("!BBH", 10, 0, 104) + os.urandom(100)
        s.sendto(random.choice([sctp_packet(t["sctp_port"], 0, init), sctp_packet(t["sctp_port"], tag, cookie),
                                os.urandom(random.randrange(1, 300))]), ("127.0.0.1", t["udp_port"]))
        tally["sent"] += 1
        try:
            while True:
                got = s.recv(2048)
                tally[{2: "INIT ACK", 6: "ABORT"}.get(got[12], "other")] += 1
        except BlockingIOError:
            pass


def cer_drip():
    return cer(f"drip.{HERE}")


def half(i):
    return cer(f"half-{i}.{HERE}")[:60]


def big_shake():
    return records(b"\x01" + (1 << 20).to_bytes(3, "big") + bytes(1 << 20))


# name: attack, size at full, size in the test, proof: any of these must have happened. "cut:x" is a reason of
# merlon_connections_cut_total, "drop:x" of merlon_dia_dropped_total, "edge:x" of merlon_edge_dropped_total;
# anything else is in the attack's own tally.
ATTACKS = {
    "slow-loris before CER": (crowd(addresses=MANY, drip=cer_drip), 2000, 60, ["cut:time", "cut:limit"]),
    "slow-loris after CER": (drip_known, 200, 20, ["cut:time"]),
    "10,000 idle": (crowd(addresses=MANY), 10000, 400, ["cut:limit"]),
    "10,000 idle, one address": (crowd(addresses=ONE), 10000, 400, ["cut:limit"]),
    "10,000 with half a message": (crowd(addresses=MANY, first=half), 10000, 400, ["cut:limit"]),
    "connection flood, one address": (crowd(addresses=ONE, leave="close"), 200, 50, ["close"]),
    "connection flood, 2,000 addresses": (crowd(addresses=MANY, leave="reset"), 200, 50, ["reset"]),
    "lengths and versions": (lengths, 20, 1, ["cut:frame"]),
    "nested AVPs": (pour(deep), 4, 1, ["result 5012"]),
    "7,000 AVPs": (pour(many), 4, 1, ["result 5012"]),
    "answers to nothing": (pour(stray), 4, 1, ["drop:unmatched"]),
    "unknown Hop-by-Hop": (pour(stray_base), 4, 1, ["drop:unmatched"]),
    "unknown commands": (pour(unknown_command), 4, 1, ["result 3001"]),
    "CER storm, refused": (cer_storm(FOREIGN, False), 200, 20, ["edge:not_admitted"]),
    "CER storm, ever new hosts": (cer_storm(HERE, False), 200, 20, ["result 2001"]),
    "CER after CER": (pour(lambda host, n: cer(host, number=n)), 4, 1, ["result 2001"]),
    "DWR flood": (pour(dwr), 4, 1, ["result 2001"]),
    "peers that never read": (pour(thirsty, read=False, rcvbuf=4096), 32, 2, ["cut:output"]),
    "TLS handshake never finished": (tls_crowd(hello), 3000, 100, ["cut:time", "cut:limit"]),
    "TLS handshake flood": (tls_crowd(hello, leave="answer"), 100, 20, ["cut:tls"]),
    "TLS garbage": (tls_crowd(lambda: os.urandom(300)), 100, 20, ["cut:tls"]),
    "TLS early close": (tls_crowd(hello, leave="reset"), 100, 20, ["reset"]),
    "TLS made-up tickets": (tls_crowd(lambda: hello(ticket=os.urandom(16000)), leave="answer"), 100, 20, ["cut:tls"]),
    "TLS 1.0": (tls_crowd(lambda: hello(version=0x0301)), 50, 5, ["alert 70"]),
    "plain Diameter on the TLS port": (tls_crowd(lambda: cer(f"plain.{HERE}")), 100, 20, ["cut:tls"]),
    "TLS message of 1 MB": (tls_crowd(big_shake), 20, 5, ["cut:tls"]),
    "TLS chain of 100 certificates": (long_chain, 200, 3, ["cut:tls"]),
    "TLS renegotiation": (again("R", "-tls1_2"), 20, 1, ["no renegotiation"]),
    "TLS key updates": (again("k", "-tls1_3"), 20, 1, ["KEYUPDATE"]),
    "SCTP: INITs, cookies, noise": (sctp, 1000000, 2000, ["INIT ACK"]),
    "home: idle": (crowd("home_port", addresses=MANY), 1000, 100, ["cut:limit"]),
    "home: garbage": (crowd("home_port", addresses=MANY, first=lambda i: os.urandom(100)), 100, 20, ["cut:frame"]),
}


class Attack:
    """One of them, running in a process of its own."""

    def __init__(self, name, target, size, seconds, yielding=False):
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), name, json.dumps(target),
                                         str(size), str(seconds), *("y" if yielding else "")],
                                        stdout=subprocess.PIPE, text=True,
                                        start_new_session=True)

    def tally(self, timeout=60):
        try:
            out = self.process.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            out = self.process.communicate()[0]
        return json.loads(out or '{"crashed": 1}')


def give_way():
    """To everybody else. With autogroups a session's own number counts, and nice(2) within it alone."""
    os.nice(19)
    try:
        with open("/proc/self/autogroup", "w", encoding="ascii") as f:
            f.write("19")
    except OSError:
        pass


def main():
    name, target, size, seconds = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    if len(sys.argv) > 5:
        give_way()
    tally = collections.Counter()
    ATTACKS[name][0](target, size, seconds, tally)
    print(json.dumps({k: v for k, v in tally.items() if v}))


if __name__ == "__main__":
    main()
