"""SS7 over SIGTRAN, written down by a second hand: BER (X.690), TCAP (Q.773), MAP (TS 29.002), SCCP (Q.713), M3UA
(RFC 4666), and packets of them in a capture. Shares nothing with src/wire, so each is the other's oracle."""
import struct

INTEGER, OCTETS, NULL, OID, ENUM, EXTERNAL, SEQUENCE = 2, 4, 5, 6, 10, 0x28, 0x30
HLR, VLR, MSC, EIR, GMLC, SCF, SGSN = 6, 7, 8, 9, 145, 147, 149


# --- BER -------------------------------------------------------------------------------------------------------------

def length(n, least=0):
    """`least`: so many octets at least, in the long form."""
    if n < 0x80 and not least:
        return bytes([n])
    octets = max(least, 1, (n.bit_length() + 7) // 8)
    return bytes([0x80 | octets]) + n.to_bytes(octets, "big")


def tlv(tag, *parts, least=0, open_end=False):
    """`tag`: the identifier octets as a number, or bytes."""
    value = b"".join(parts)
    head = tag if isinstance(tag, bytes) else tag.to_bytes((tag.bit_length() + 7) // 8 or 1, "big")
    if open_end:
        return head + b"\x80" + value + b"\0\0"
    return head + length(len(value), least) + value


def ctx(n, *parts, made=False):
    return tlv((0xa0 if made else 0x80) | n, *parts)


def seq(*parts):
    return tlv(SEQUENCE, *parts)


def octets(value):
    return tlv(OCTETS, value)


def enum(n):
    return tlv(ENUM, bytes([n]))


def integer(n):
    return tlv(INTEGER, n.to_bytes((n.bit_length() // 8) + 1, "big", signed=True))


def oid(*arcs):
    out = bytes([arcs[0] * 40 + arcs[1]])
    for a in arcs[2:]:
        part = [a & 0x7f]
        while a := a >> 7:
            part.append(0x80 | a & 0x7f)
        out += bytes(reversed(part))
    return tlv(OID, out)


# --- numbers ---------------------------------------------------------------------------------------------------------

def tbcd(digits, filler="f"):
    digits += filler * (len(digits) % 2)
    return bytes(int(digits[i + 1] + digits[i], 16) for i in range(0, len(digits), 2))


def number(digits, nature=0x91):
    """AddressString: international, E.164."""
    return bytes([nature]) + tbcd(digits)


def title(digits, ssn, plan=1, nature=4, kind=4, translation=0, pc=None, by_ssn=False):
    """A party address with a global title of the kind given (0: none)."""
    out = bytes([(0x40 if by_ssn else 0) | kind << 2 | (2 if ssn is not None else 0) | (1 if pc is not None else 0)])
    if pc is not None:
        out += struct.pack("<H", pc)
    if ssn is not None:
        out += bytes([ssn])
    odd = len(digits) % 2
    if kind == 1:
        out += bytes([odd << 7 | nature])
    elif kind == 2:
        out += bytes([translation])
    elif kind == 3:
        out += bytes([translation, plan << 4 | (1 if odd else 2)])
    elif kind == 4:
        out += bytes([translation, plan << 4 | (1 if odd else 2), nature])
    return out + (tbcd(digits, "0") if kind else b"")


# --- TCAP ------------------------------------------------------------------------------------------------------------

DIALOGUE_AS, MAP_DIALOGUE = oid(0, 0, 17, 773, 1, 1, 1), oid(0, 4, 0, 0, 1, 1, 1, 1)


def context(number_, version):
    return oid(0, 4, 0, 0, 1, 0, number_, version)


def map_open(dest=None, orig=None):
    """User information with MAP's own map-open."""
    body = (ctx(0, dest) if dest else b"") + (ctx(1, orig) if orig else b"")
    return tlv(0xbe, tlv(EXTERNAL, MAP_DIALOGUE, ctx(0, ctx(0, body, made=True), made=True)))


def aarq(ac, user=b""):
    return tlv(0x6b, tlv(EXTERNAL, DIALOGUE_AS, ctx(0, tlv(0x60, ctx(0, b"\x07\x80"), ctx(1, ac, made=True), user), made=True)))


def aare(ac, user=b""):
    return tlv(0x6b, tlv(EXTERNAL, DIALOGUE_AS, ctx(0, tlv(
        0x61, ctx(0, b"\x07\x80"), ctx(1, ac, made=True), ctx(2, integer(0), made=True),
        ctx(3, ctx(1, integer(0), made=True), made=True), user), made=True)))


def invoke(op, argument=b"", no=1, code=None):
    """`code`: another form of the operation code than the local one."""
    return tlv(0xa1, integer(no), code or integer(op), argument)


def result(op=None, value=b"", no=1):
    return tlv(0xa2, integer(no), seq(integer(op), value) if op is not None else b"")


def error(code, no=1, value=b""):
    return tlv(0xa3, integer(no), integer(code), value)


def tid(tag, n):
    return tlv(tag, n.to_bytes(4, "big"))


def components(*parts, **how):
    return tlv(0x6c, *parts, **how)


def begin(otid, *parts, dialogue=b"", **how):
    return tlv(0x62, tid(0x48, otid), dialogue, components(*parts, **how) if parts else b"")


def cont(otid, dtid, *parts, dialogue=b""):
    return tlv(0x65, tid(0x48, otid), tid(0x49, dtid), dialogue, components(*parts) if parts else b"")


def end(dtid, *parts, dialogue=b""):
    return tlv(0x64, tid(0x49, dtid), dialogue, components(*parts) if parts else b"")


def abort(dtid, cause=None, dialogue=b""):
    return tlv(0x67, tid(0x49, dtid), tlv(0x4a, bytes([cause])) if cause is not None else b"", dialogue)


# --- SCCP, M3UA ------------------------------------------------------------------------------------------------------

def udt(called, calling, data, cls=0):
    at = 3 + len(called) + 1 - 1
    return bytes([9, cls, 3, at, at + len(calling)]) + b"".join(bytes([len(p)]) + p for p in (called, calling, data))


def udts(called, calling, data, cause=1):
    return bytes([10]) + udt(called, calling, data, cause)[1:]


def xudt(called, calling, data, cls=0, hops=15, segment=None, importance=None, kind=0x11):
    """`segment`: (first, how many follow, reference)."""
    options = b""
    if segment is not None:
        first, left, reference = segment
        options += bytes([0x10, 4, (0x80 if first else 0) | left]) + reference.to_bytes(3, "big")
    if importance is not None:
        options += bytes([0x12, 1, importance])
    at = 4 + len(called)
    pointers = [4, at, at + len(calling), at + len(calling) + len(data) if options else 0]
    return bytes([kind, cls, hops, *pointers]) + b"".join(
        bytes([len(p)]) + p for p in (called, calling, data)) + (options + b"\0" if options else b"")


def xudts(called, calling, data, cause=1, **how):
    return xudt(called, calling, data, cls=cause, kind=0x12, **how)


def ludt(called, calling, data, cls=0, hops=15, kind=0x13):
    # A pointer of two octets counts from its second one (Q.713 2.3).
    first = 7
    second = first - 2 + 1 + len(called)
    third = second - 2 + 1 + len(calling)
    return bytes([kind, cls, hops]) + struct.pack("<4H", first, second, third, 0) + bytes([len(called)]) + called + bytes(
        [len(calling)]) + calling + struct.pack("<H", len(data)) + data


def split(called, calling, data, size=160, reference=1, hops=15):
    """XUDTs that are one message."""
    parts = [data[i:i + size] for i in range(0, len(data), size)]
    return [xudt(called, calling, p, cls=1, hops=hops, segment=(i == 0, len(parts) - 1 - i, reference)) for i, p in enumerate(parts)]


def parameter(tag, value):
    return struct.pack(">HH", tag, len(value) + 4) + value + bytes(-len(value) % 4)


def m3ua(cls, kind, *parameters):
    body = b"".join(parameters)
    return struct.pack(">BBBBI", 1, 0, cls, kind, len(body) + 8) + body


def transfer(opc, dpc, user, si=3, ni=0, sls=0, routing_context=None):
    label = struct.pack(">IIBBBB", opc, dpc, si, ni, 0, sls)
    return m3ua(1, 1, *([parameter(6, struct.pack(">I", routing_context))] if routing_context is not None else []),
                parameter(0x210, label + user))


# --- captures --------------------------------------------------------------------------------------------------------

def packet(tsn, message, src="192.0.2.1", dst="192.0.2.2", port=2905, ppid=3, flags=3):
    """An IPv4 packet with one SCTP DATA chunk."""
    def address(a):
        return bytes(int(x) for x in a.split("."))
    chunk = struct.pack(">BBHIHHI", 0, flags, 16 + len(message), tsn, 1, tsn & 0xffff, ppid) + message + bytes(-len(message) % 4)
    sctp = struct.pack(">HHII", port, port, 7 + address(src)[3], 0) + chunk
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(sctp), 0, 0, 64, 132, 0) + address(src) + address(dst) + sctp


class Capture:
    """Writes pcap; a direction is named by its addresses, and counts its chunks."""

    def __init__(self, path, start=1700000000.0):
        self.file = open(path, "wb")
        self.file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 101))
        self.now, self.tsn = start, {}

    def add(self, message, src="192.0.2.1", dst="192.0.2.2", after=0.001, **how):
        self.now += after
        self.tsn[src] = self.tsn.get(src, 1000000 * len(self.tsn)) + 1
        raw = packet(self.tsn[src], message, src, dst, **how)
        at = round(self.now * 1e6)
        self.file.write(struct.pack("<IIII", at // 1000000, at % 1000000, len(raw), len(raw)) + raw)

    def close(self):
        self.file.close()
