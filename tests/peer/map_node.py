"""VLRs, SGSNs and other MAP nodes for tests: BER, TCAP and SCCP read by a second hand, dialogues with the HLR."""
import os
import queue
import struct
import sys

from merlon import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "attacks"))
import ss7  # noqa: E402

KINDS = {0x62: "begin", 0x64: "end", 0x65: "continue", 0x67: "abort"}
PARTS = {0xa1: "invoke", 0xa2: "result", 0xa3: "error", 0xa4: "reject"}


def elements(data):
    """(tag, value) of each element; definite lengths are all that Merlon writes."""
    at, out = 0, []
    while at < len(data):
        start, tag = at, data[at]
        at += 1
        if tag & 31 == 31:
            tag = tag << 8 | data[at]
            at += 1
        n = data[at]
        at += 1
        if n & 0x80:
            octets = n & 0x7f
            assert 1 <= octets <= 2, "the shortest form"
            n = int.from_bytes(data[at:at + octets], "big")
            at += octets
        assert at + n <= len(data), (start, data.hex())
        out.append((tag, data[at:at + n]))
        at += n
    return out


def tree(data):
    """The same, constructed ones opened."""
    def opened(tag, value):
        first = tag >> 8 if tag > 255 else tag
        return tree(value) if first & 0x20 else value
    return [(t, opened(t, v)) for t, v in elements(data)]


def within(nodes, *tags):
    """The value at the end of a path of tags, or None."""
    for tag in tags:
        nodes = next((v for t, v in nodes if t == tag), None)
        if nodes is None:
            return None
    return nodes


def digits(tbcd):
    return "".join(f"{b & 15:x}{b >> 4:x}" for b in tbcd).rstrip("f")


class Tcap:
    """One message: kind, otid, dtid, context (the last two arcs), accepted, parts: [(what, invoke id, code, nodes)]."""

    def __init__(self, data):
        (tag, body), = elements(data)
        self.kind, self.raw = KINDS[tag], data
        parts = dict(elements(body))
        self.otid, self.dtid, self.p_abort = parts.get(0x48), parts.get(0x49), parts.get(0x4a)
        self.context = self.accepted = None
        if 0x6b in parts:
            pdu = within(tree(parts[0x6b]), 0x28, 0xa0)
            name = within(pdu, pdu[0][0], 0xa1, 6)
            self.context = tuple(name[5:]) if name else None
            verdict = within(pdu, 0x61, 0xa2, 2)
            self.accepted = verdict == b"\0" if verdict is not None else None
        self.parts = [self._part(t, v) for t, v in elements(parts.get(0x6c, b""))]

    @staticmethod
    def _part(tag, value):
        what, inside = PARTS[tag], elements(value)
        no, code, rest = inside[0][1][0], None, inside[1:]
        if what == "result" and rest:
            rest = elements(rest[0][1])
        if what == "reject":
            code, rest = rest[0][1][0], []
        elif rest:
            code, rest = rest[0][1][0], rest[1:]
        return what, no, code, [(t, tree(v) if t & 0x20 else v) for t, v in rest]


def sccp(user):
    """(called, calling, data, segment or None)"""
    assert user[0] in (9, 0x11), user.hex()
    first = 2 if user[0] == 9 else 3
    parts = []
    for i in range(3):
        at = first + i + user[first + i]
        parts.append(user[at + 1:at + 1 + user[at]])
    if user[0] == 0x11 and user[first + 3]:
        at = first + 3 + user[first + 3]
        assert user[at:at + 2] == b"\x10\x04"
        parts.append((bool(user[at + 2] & 0x80), user[at + 2] & 15, user[at + 3:at + 6]))
    else:
        parts.append(None)
    return parts


class Net:
    """A link to home, and the nodes behind it; all that home says is written down for Wireshark."""

    def __init__(self, peer, capture, hlr="99970000", point=100, home=1):
        self.peer, self.hlr, self.point, self.home = peer, hlr, point, home
        self.our_points = (home,)
        self.capture, self.nodes, self.pieces, self.serial = capture, {}, {}, 0x01000000
        peer.answer = self._heard

    def join(self, peer):
        """In place of a link that was lost."""
        self.peer.close()
        self.peer, peer.answer = peer, self._heard

    def _heard(self, _, msu):
        opc, dpc, user = msu[:3]
        assert opc in self.our_points and dpc == self.point
        if self.capture:
            self.capture.add(ss7.transfer(opc, dpc, user), src="192.0.2.2", dst="192.0.2.1")
        called, calling, data, segment = sccp(user)
        if segment:
            data = self.pieces.pop(segment[2], b"") + data
            if segment[1]:
                self.pieces[segment[2]] = data
                return
        node = self.nodes.get((self._number(called), called[1]))
        if node:
            node.got.put((calling, Tcap(data)))

    @staticmethod
    def _number(address):
        assert address[0] == 0x12
        n = digits(address[5:])
        return n[:-1] if address[3] & 15 == 1 else n

    def node(self, number, ssn):
        return self.nodes.setdefault((number, ssn), Node(self, number, ssn))

    def say(self, sender, data, ssn=ss7.HLR, pack=ss7.udt):
        out = pack(ss7.title(self.hlr, ssn), ss7.title(sender.number, sender.ssn), data)
        for user in out if isinstance(out, list) else [out]:
            if self.capture:
                self.capture.add(ss7.transfer(self.point, self.home, user))
            self.peer.send(self.point, self.home, user)


class Node:
    def __init__(self, net, number, ssn):
        self.net, self.number, self.ssn, self.got, self.kept = net, number, ssn, queue.Queue(), []
        self.deaf = False

    def hear(self, wanted, timeout=10):
        """The first message that is wanted; the others are kept for later."""
        for i, m in enumerate(self.kept):
            if wanted(m):
                return self.kept.pop(i)
        while True:
            _, m = self.got.get(timeout=timeout)
            if wanted(m):
                return m
            self.kept.append(m)

    def silent(self, for_s=0.3):
        try:
            return self.kept.pop(0) if self.kept else self.got.get(timeout=for_s)[1]
        except queue.Empty:
            return None

    def begin(self, op, argument, ac, version=3, ssn=ss7.HLR, user=b"", pack=ss7.udt, parts=None):
        self.net.serial += 1
        tid = self.net.serial
        dialogue = ss7.aarq(ss7.context(ac, version), user) if version > 1 else b""
        parts = [ss7.invoke(op, argument)] if parts is None else parts
        self.net.say(self, ss7.begin(tid, *parts, dialogue=dialogue), ssn, pack)
        return tid

    def answer(self, tid):
        return self.hear(lambda m: m.dtid == tid.to_bytes(4, "big"))

    def ask(self, *args, **how):
        """A request in a dialogue of its own, and the message that comes back."""
        return self.answer(self.begin(*args, **how))

    def goes_on(self, tid, message, *parts, dialogue=b""):
        self.net.say(self, ss7.cont(tid, int.from_bytes(message.otid, "big"), *parts, dialogue=dialogue))

    def update(self, op, argument, ac, version=3, result=b"", **how):
        """An update to its end: the last message, and the arguments of what home inserted meanwhile."""
        tid, inserted = self.begin(op, argument, ac, version, **how), []
        while True:
            m = self.answer(tid)
            if m.kind != "continue":
                return m, inserted
            (what, no, code, nodes), = m.parts
            assert (what, code) == ("invoke", 7)
            inserted.append(nodes[0][1])
            self.goes_on(tid, m, ss7.result(7 if result else None, result, no=no))

    def asked(self, op, timeout=10):
        """A dialogue that home began with that operation."""
        return self.hear(lambda m: m.kind == "begin" and m.parts[0][2] == op, timeout)

    def accept(self, message, op=None, value=b"", ac=None, close=True):
        """Answer it, and end the dialogue."""
        dialogue = ss7.aare(ss7.context(*(ac or message.context))) if message.context else b""
        part = ss7.result(op, value, no=message.parts[0][1])
        there = int.from_bytes(message.otid, "big")
        if close:
            self.net.say(self, ss7.end(there, part, dialogue=dialogue), pack=ss7.udt)
            return None
        self.net.serial += 1
        self.net.say(self, ss7.cont(self.net.serial, there, part, dialogue=dialogue))
        return self.net.serial

    def refuse(self, message, code, ac=None):
        dialogue = ss7.aare(ss7.context(*(ac or message.context)))
        self.net.say(self, ss7.end(int.from_bytes(message.otid, "big"), ss7.error(code, no=message.parts[0][1]), dialogue=dialogue))


def offer(message, version):
    """An abort that offers another version of the context (TS 29.002 5.3)."""
    ac = ss7.context(message.context[0], version)
    dialogue = ss7.tlv(0x6b, ss7.tlv(ss7.EXTERNAL, ss7.DIALOGUE_AS, ss7.ctx(0, ss7.tlv(
        0x61, ss7.ctx(0, b"\x07\x80"), ss7.ctx(1, ac, made=True), ss7.ctx(2, ss7.integer(1), made=True),
        ss7.ctx(3, ss7.ctx(1, ss7.integer(2), made=True), made=True)), made=True)))
    return ss7.abort(int.from_bytes(message.otid, "big"), dialogue=dialogue)


def submit(to, text=b"\x00" * 8):
    """SMS-SUBMIT to a number."""
    return b"\x01\x00" + bytes([len(to), 0x91]) + ss7.tbcd(to) + b"\x00\x00" + struct.pack("B", len(text)) + text
