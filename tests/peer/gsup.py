"""MSCs and SGSNs: gsup_client.c, made of Debian's libosmo-gsup-client, and a socket for what no library sends."""
import json
import os
import shutil
import socket
import subprocess
import threading
import time

from diameter import poll
from milenage import f2345, xor
from merlon import ROOT, keys

LIBRARIES = ["libosmo-gsup-client", "libosmogsm", "libosmocore", "talloc"]
# TS 24.008 10.5.5.14
IMSI_UNKNOWN, NO_SERVICE, NOT_HERE, NETWORK, CONGESTION, BAD_FIELD, NO_SUCH_MESSAGE = 2, 8, 13, 17, 22, 96, 97


def build_client(work):
    """The program's path; None where the library is not installed."""
    if not shutil.which("pkg-config") or subprocess.run(["pkg-config", "--exists", *LIBRARIES], check=False).returncode:
        return None
    flags = subprocess.check_output(["pkg-config", "--cflags", "--libs", *LIBRARIES], text=True).split()
    path = os.path.join(work, "gsup_client")
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-o", path, os.path.join(ROOT, "tests/peer/gsup_client.c"),
                    *flags], check=True)
    return path


class Node:
    """An MSC or SGSN that answers whatever it is asked, and keeps it."""

    def __init__(self, program, port, name, up=True):
        self.messages, self.lock = [], threading.Lock()
        self.process = subprocess.Popen([program, "127.0.0.1", str(port), name], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        if up:
            self.expect("up")

    def _read(self):
        for line in self.process.stdout:
            with self.lock:
                self.messages.append(json.loads(line))

    def say(self, *words):
        self.process.stdin.write(" ".join(str(w) for w in words) + "\n")

    def take(self, message, imsi):
        """The first message of that name since the last look at it."""
        with self.lock:
            for i, m in enumerate(self.messages):
                if m["message"].endswith(message) and imsi in (None, m.get("imsi")):
                    return self.messages.pop(i)
        return None

    def expect(self, message, imsi=None, timeout=10):
        return poll(lambda: self.take(message, imsi), timeout, lambda: f"{message} {imsi} among {self.messages}")

    def ask(self, *words, result, imsi):
        """The result, or the cause of the error that came instead."""
        self.say(*words)
        m = poll(lambda: self.take(f"{result}_RESULT", imsi) or self.take(f"{result}_ERROR", imsi), 10,
                 lambda: f"{words} among {self.messages}")
        return m.get("cause", m)

    def vectors(self, imsi, domain="cs", *resync):
        return self.ask("sai", imsi, domain, *resync, result="SEND_AUTH_INFO", imsi=imsi)

    def register(self, imsi, domain, *rats):
        """What the data were that came first; or the cause of the error."""
        with self.lock:
            self.messages.clear()
        answer = self.ask("ul", imsi, domain, *rats, result="UPDATE_LOCATION", imsi=imsi)
        return answer if isinstance(answer, int) else self.expect("INSERT_DATA_REQUEST", imsi)

    def purge(self, imsi, domain):
        return self.ask("purge", imsi, domain, result="PURGE_MS", imsi=imsi)

    def check(self, imsi, imei):
        answer = self.ask("imei", imsi, imei, result="CHECK_IMEI", imsi=imsi)
        return answer if isinstance(answer, int) else answer["imei"]

    def close(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait(5)
        self.thread.join(5)


def gsm_of(imsi, rand):
    """SRES and Kc of the card (TS 33.102 6.8.1.2: c2, c3)."""
    res, ck, ik, _ = f2345(*keys(imsi), rand)
    return xor(res[:4], res[4:]), xor(xor(ck[:8], ck[8:]), xor(ik[:8], ik[8:]))


class Raw:
    """A connection that says what it likes."""

    def __init__(self, port, address="127.0.0.1"):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(address, 0))

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass
        return self

    def identify(self, name):
        tags = [b"\x080/0/0\0", b"\x01" + name.encode() + b"\0", b"\x00" + name.encode() + b"\0"]
        body = b"\x05" + b"".join(len(t).to_bytes(2, "big") + t for t in tags)
        return self.send(len(body).to_bytes(2, "big") + b"\xfe" + body)

    def gsup(self, message):
        return self.send((len(message) + 1).to_bytes(2, "big") + b"\xee\x05" + message)

    def heard(self, timeout=10):
        """All that came until the other side closed; None: it did not."""
        data, end = b"", time.monotonic() + timeout
        while time.monotonic() < end:
            try:
                self.sock.settimeout(max(0.01, end - time.monotonic()))
                more = self.sock.recv(65536)
            except (TimeoutError, socket.timeout):
                return None
            except OSError:
                return data
            if not more:
                return data
            data += more
        return None

    def close(self):
        self.sock.close()
