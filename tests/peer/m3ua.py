"""An M3UA peer for tests: gateway (SGP) or server (ASP) over TCP, or over SCTP through sctp_pipe."""
import os
import queue
import socket
import struct
import subprocess
import sys
import threading

from merlon import BINARY, ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "attacks"))
import ss7  # noqa: E402

PIPE = os.path.join(os.path.dirname(BINARY), "..", "edge", "sctp_pipe")
ASPUP, ASPDN, BEAT, ASPUP_ACK, ASPAC, ASPIA, ASPAC_ACK, ASPIA_ACK, NTFY, ERR = (
    (3, 1), (3, 2), (3, 3), (3, 4), (4, 1), (4, 2), (4, 3), (4, 4), (0, 1), (0, 0))


class Pipe:
    """listen -> dial, one of them SCTP."""

    def __init__(self, listen, dial):
        self.process = subprocess.Popen([PIPE, listen, dial], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout.readline() == "ready\n", (listen, dial)

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


def parameters(body):
    found, at = {}, 0
    while at + 4 <= len(body):
        tag, n = struct.unpack_from(">HH", body, at)
        found.setdefault(tag, body[at + 4:at + n])
        at += (n + 3) // 4 * 4
    return found


class Peer:
    """Speaks M3UA on a connected socket; user messages that come are in `got`, others in `said`."""

    def __init__(self, sock, context=None, asks=True):
        self.sock, self.context, self.asks = sock, context, asks
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got, self.said, self.active, self.answer = queue.Queue(), queue.Queue(), threading.Event(), None
        self.frames = []  # all that came, as it came
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        if asks:
            self.say(ASPUP)

    def _context(self):
        return [] if self.context is None else [ss7.parameter(6, struct.pack(">I", self.context))]

    def say(self, what, *fields):
        self.sock.sendall(ss7.m3ua(*what, *fields))

    def send(self, opc, dpc, user, sls=0, ni=0):
        self.sock.sendall(ss7.transfer(opc, dpc, user, sls=sls, ni=ni, routing_context=self.context))

    def _read(self):
        data = b""
        while True:
            try:
                more = self.sock.recv(65536)
            except OSError:
                return
            if not more:
                return
            data += more
            while len(data) >= 8 and len(data) >= struct.unpack_from(">I", data, 4)[0]:
                n = struct.unpack_from(">I", data, 4)[0]
                self.frames.append(data[:n])
                self._take(data[2:4], data[8:n])
                data = data[n:]

    def _take(self, kind, body):
        kind, fields = tuple(kind), parameters(body)
        if kind == (1, 1):
            opc, dpc, si, ni, _, sls = struct.unpack_from(">IIBBBB", fields[0x210])
            assert si == 3
            msu = (opc, dpc, fields[0x210][12:], sls, ni)
            if self.answer:
                self.answer(self, msu)
            else:
                self.got.put(msu)
        elif kind == BEAT:
            self.say((3, 6), *([ss7.parameter(9, fields[9])] if 9 in fields else []))
        elif kind == ASPUP_ACK and self.asks:
            self.say(ASPAC, *self._context())
        elif kind == ASPAC_ACK and self.asks:
            self.active.set()
        elif kind == ASPUP and not self.asks:
            self.say(ASPUP_ACK)
        elif kind == ASPAC and not self.asks:
            self.say(ASPAC_ACK, *self._context())
            self.active.set()
        else:
            self.said.put((kind, fields))

    def receive(self, timeout=10):
        return self.got.get(timeout=timeout)

    def silent(self, for_s=0.3):
        """Nothing came in that time."""
        try:
            return self.got.get(timeout=for_s)
        except queue.Empty:
            return None

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


def connect(port, **how):
    return Peer(socket.create_connection(("127.0.0.1", port), timeout=10), **how)


class Waiting:
    """Waits for the edge to dial; peer() is whoever did last."""

    def __init__(self, port, **how):
        self.server, self.how, self.peers = socket.create_server(("127.0.0.1", port)), how, queue.Queue()
        self.current = None
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            self.peers.put(Peer(sock, asks=False, **self.how))

    def peer(self, timeout=15):
        if self.current is None:
            self.current = self.peers.get(timeout=timeout)
        return self.current

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)  # wakes accept
        self.server.close()
        if self.current:
            self.current.close()
