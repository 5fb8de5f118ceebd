"""freeDiameter, Debian's, as a peer: certificates, the daemon, and its line protocol (fd/fdx_mme.c)."""
import json
import os
import queue
import socket
import subprocess
import threading

from diameter import AVPS, Message, await_request, poll

HERE = os.path.dirname(os.path.abspath(__file__))
EXTENSIONS = "/usr/lib/freeDiameter"
DICTIONARIES = ["rfc5777", "mip6i", "nasreq", "nas_mipv6", "dcca", "dcca_3gpp"]


def build_extension(where):
    out = os.path.join(where, "fdx_mme.fdx")
    subprocess.run(["cc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-O1", "-shared",
                    "-fPIC", "-o", out, os.path.join(HERE, "fd", "fdx_mme.c")], check=True)
    return out


class Authority:
    """A CA that lives in a folder, and the certificates it gives out. CN = the Diameter identity, which
    freeDiameter insists on, and a subjectAltName, which everyone else reads."""

    def __init__(self, where):
        self.where = where
        self.ca = self._path("ca.pem")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-days", "2", "-subj", "/CN=test CA", "-keyout", self._path("ca.key"), "-out", self.ca)

    def _path(self, name):
        return os.path.join(self.where, name)

    @staticmethod
    def _openssl(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True)

    def issue(self, name, address=None):
        """Paths of (certificate, key) for a host name, and an address if wanted."""
        cert, key, csr, ext = (self._path(f"{name}.{x}") for x in ("pem", "key", "csr", "ext"))
        if os.path.exists(cert):
            return cert, key
        with open(ext, "w", encoding="ascii") as f:
            f.write(f"subjectAltName=DNS:{name}{f',IP:{address}' if address else ''}\nkeyUsage=digitalSignature\n"
                    "extendedKeyUsage=serverAuth,clientAuth\n")
        short = name if len(name) <= 64 else name[:64]
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                      f"/CN={short}", "-keyout", key, "-out", csr)
        self._openssl("x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey", self._path("ca.key"),
                      "-CAcreateserial", "-days", "2", "-extfile", ext, "-out", cert)
        return cert, key


def words(avps):
    out = []
    for name, value in avps:
        if AVPS[name][2] == "g":
            out += [name + "{", words(value), "}"]
        else:
            out.append(f"{name}={'0x' + value.hex() if isinstance(value, bytes) else value}")
    return " ".join(out)


class FreeDiameter:
    """A daemon. `peers`: whom it dials, dicts with host, port, tls, sctp; `allow`: hosts that may dial it in clear
    TCP; `routes`: pairs of a realm and the peer that leads there; `relay`: it passes on what is not for it."""

    def __init__(self, where, extension, authority, host, realm, address, peers=(), port=None,
                 allow=(), routes=(), threads=2, relay=False):
        self.host, self.realm, self.port = host, realm, port
        self.where = os.path.join(where, host)
        os.makedirs(self.where, exist_ok=True)
        self.received = queue.Queue()
        self.answers, self.open, self.tag = {}, {}, 0
        self.changed = threading.Condition()
        self.log = os.path.join(self.where, "log")
        self.path = os.path.join(where, f"{len(os.listdir(where))}.sock")
        cert, key = authority.issue(host)
        lines = [f'Identity = "{host}";', f'Realm = "{realm}";', "No_IPv6;",
                 "" if any(p.get("sctp") for p in peers) else "No_SCTP;",
                 f'ListenOn = "{address}";', f"Port = {port or 0};", "SecPort = 0;", "TwTimer = 6;",
                 "TcTimer = 6;", f"AppServThreads = {threads};", "" if relay else "NoRelay;",
                 f'TLS_Cred = "{cert}", "{key}";', f'TLS_CA = "{authority.ca}";']
        for name in DICTIONARIES:
            lines.append(f'LoadExtension = "{EXTENSIONS}/dict_{name}.fdx";')
        if allow:
            self._extend(lines, "acl_wl", [f"ALLOW_IPSEC {a}" for a in allow])
        if routes:
            self._extend(lines, "rt_default", [f'dr="{to}" : "{peer}" += 50;' for to, peer in routes])
        lines.append(f'LoadExtension = "{extension}" : "{self.path}";')
        for p in peers:
            security = "" if p.get("tls") else "No_TLS; "
            lines.append(f'ConnectPeer = "{p["host"]}" {{ ConnectTo = "127.0.0.1"; Port = {p["port"]}; '
                         f'{security}{"No_TCP" if p.get("sctp") else "No_SCTP"}; }};')
        conf = os.path.join(self.where, "fd.conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["freeDiameterd", "-c", conf], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        try:
            self._connect()
        except BaseException:
            self.stop()
            raise

    def _extend(self, lines, name, rows):
        path = os.path.join(self.where, name)
        with open(path, "w", encoding="ascii") as f:
            f.write("\n".join(rows) + "\n")
        lines.append(f'LoadExtension = "{EXTENSIONS}/{name}.fdx" : "{path}";')

    def _connect(self):
        self.sock = socket.socket(socket.AF_UNIX)

        def reached():  # the daemon says nowhere that it is up: its socket answers
            return self.process.poll() is not None or self.sock.connect_ex(self.path) == 0
        poll(reached, 15, self.tail)
        assert self.process.poll() is None, f"freeDiameter {self.host} did not start: {self.tail()}"
        threading.Thread(target=self._read, daemon=True).start()

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return "".join(f.readlines()[-30:])

    def _read(self):
        for line in self.sock.makefile(encoding="ascii"):
            event = json.loads(line)
            with self.changed:
                if event["event"] == "peer":
                    self.open[event["host"]] = event["state"] == "STATE_OPEN"
                elif event["event"] == "request":
                    self.received.put(Message(bytes.fromhex(event["hex"])))
                else:
                    self.answers[event["tag"]] = event
                self.changed.notify_all()

    def _line(self, *parts):
        self.sock.sendall((" ".join(parts) + "\n").encode())

    def wait_open(self, host, timeout=15):
        with self.changed:
            ok = self.changed.wait_for(lambda: self.open.get(host), timeout)
        assert ok, f"no connection {self.host} -> {host}: {self.tail()}"
        return self

    def _told(self, what, command, text, timeout):
        with self.changed:
            self.tag += 1
            tag = self.tag
        self._line(what, str(tag), command, text)
        with self.changed:
            self.changed.wait_for(lambda: tag in self.answers, timeout)
            return self.answers.pop(tag, {"event": "timeout"})

    def request(self, command, avps, timeout=8):
        """The answer, or None if freeDiameter got none that it accepts."""
        event = self._told("send", command, words(avps), timeout)
        assert event["event"] != "error", f"freeDiameter refuses to send: {event['why']}"
        return Message(bytes.fromhex(event["hex"])) if event["event"] == "answer" else None

    def reply(self, command, avps):
        """What to answer to `command` from now on; None: nothing at all."""
        event = self._told("answer", command, words(avps or []), 8)
        assert event["event"] == "set", event

    def expect(self, command, imsi=None, timeout=5):
        return await_request(self.received, command, imsi, timeout)

    def leave(self):
        """Stop listening to it: it answers on, without a word."""
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(8)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
