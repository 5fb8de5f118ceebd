"""GTP-C as nodes send it, and captures of it. Written for tests: whole where a firewall looks, bare elsewhere."""
import ipaddress
import struct

V2_CSR, V2_CSA, V2_MBR, V2_MBA, V2_DSR, V2_DSA = 32, 33, 34, 35, 36, 37


def tbcd(digits):
    d = digits + "f" * (len(digits) % 2)
    return bytes(int(d[i + 1] + d[i], 16) for i in range(0, len(d), 2))


def plmn(digits):
    mcc, mnc = digits[:3], digits[3:]
    mnc3 = mnc[2] if len(mnc) == 3 else "f"
    return bytes.fromhex(mcc[1] + mcc[0] + mnc3 + mcc[2] + mnc[1] + mnc[0])


def labels(apn):
    return b"".join(bytes([len(x)]) + x.encode() for x in apn.split("."))


def ip(address):
    return ipaddress.ip_address(address).packed


# --- version 2 ---

def ie(type, value, instance=0):
    return struct.pack("!BHB", type, len(value), instance) + value


def v2(type, *ies, teid=0, seq=1, flags=0):
    body = b"".join(ies)
    head = b"" if teid is None else struct.pack("!I", teid)
    rest = head + seq.to_bytes(3, "big") + b"\0" + body
    return struct.pack("!BBH", 0x40 | (0 if teid is None else 8) | flags, type, len(rest)) + rest


def fteid(instance, interface, teid, address):
    a = ip(address)
    return ie(87, struct.pack("!BI", interface | (0x80 if len(a) == 4 else 0x40), teid) + a, instance)


def bearer(ebi, *ends, qos=True, cause=None, instance=0):
    v = ie(73, bytes([ebi]))
    if cause is not None:
        v += ie(2, bytes([cause, 0]))
    v += b"".join(ends)
    if qos:
        v += ie(80, bytes([0x30, 9]) + bytes(20))
    return ie(93, v, instance)


class Session:
    """What both nodes say of it. `visited` and `gateway` are addresses, `network` is who serves."""

    def __init__(self, imsi, visited, gateway, network, teid=0x1000, apn="meters.iot", **how):
        self.imsi, self.visited, self.gateway, self.network, self.apn = imsi, visited, gateway, network, apn
        self.teid, self.far = teid, teid | 0x80000000
        self.msisdn, self.imei, self.rat, self.ebi, self.ue = how.get("msisdn"), how.get("imei"), how.get("rat", 6), 5, how.get("ue", "10.9.0.1")
        self.pdn, self.recovery, self.lapi = how.get("pdn", 1), how.get("recovery", 1), how.get("lapi", False)
        self.extra, self.uplane = how.get("extra", b""), how.get("uplane", visited)

    def create(self, seq):
        m = [ie(1, tbcd(self.imsi))] if self.imsi else []
        m += [ie(76, tbcd(self.msisdn))] if self.msisdn else []
        m += [ie(75, tbcd(self.imei))] if self.imei else []
        m += [ie(86, b"\x18" + plmn(self.network) + b"\0\1" + plmn(self.network) + b"\0\0\0\1"), ie(83, plmn(self.network)),
              ie(82, bytes([self.rat])), fteid(0, 6, self.teid, self.visited), ie(71, labels(self.apn)), ie(128, b"\0"),
              ie(99, bytes([self.pdn]))]
        m += [ie(79, b"\1\0\0\0\0" if self.pdn == 1 else b"\2\0" + bytes(16) if self.pdn == 2 else b"\3\0" + bytes(20))]
        m += [ie(127, b"\0"), ie(72, bytes(8)), bearer(self.ebi, fteid(2, 4, self.teid + 1, self.uplane))]
        m += [ie(3, bytes([self.recovery]))] if self.recovery is not None else []
        m += [ie(157, b"\1")] if self.lapi else []
        return v2(V2_CSR, *m, self.extra, seq=seq)

    def created(self, seq, cause=16):
        if cause != 16:
            return v2(V2_CSA, ie(2, bytes([cause, 0])), teid=self.teid, seq=seq)
        return v2(V2_CSA, ie(2, b"\x10\0"), fteid(1, 7, self.far, self.gateway), ie(79, b"\1" + ip(self.ue)), ie(127, b"\0"),
                  bearer(self.ebi, fteid(2, 5, self.far + 1, self.gateway), cause=16), ie(3, b"\7"), teid=self.teid, seq=seq)

    def modify(self, seq, moves=True):
        m = [ie(86, b"\x08" + plmn(self.network) + b"\0\1"), ie(83, plmn(self.network)), ie(82, bytes([self.rat]))]
        if moves:
            m += [fteid(0, 6, self.teid, self.visited), bearer(self.ebi, fteid(1, 4, self.teid + 1, self.visited), qos=False)]
        return v2(V2_MBR, *m, teid=self.far, seq=seq)

    def answer(self, type, seq, to_gateway=False, cause=16):
        return v2(type, ie(2, bytes([cause, 0])), teid=self.far if to_gateway else self.teid, seq=seq)

    def delete(self, seq):
        return v2(V2_DSR, ie(73, bytes([self.ebi])), ie(86, b"\x08" + plmn(self.network) + b"\0\1"), teid=self.far, seq=seq)

    def create_bearer(self, seq):
        return v2(95, ie(73, bytes([self.ebi])), bearer(0, ie(84, b"\0"), fteid(1, 5, self.far + 2, self.gateway)), teid=self.teid, seq=seq)

    def bearer_created(self, seq):
        return v2(96, ie(2, b"\x10\0"), bearer(6, fteid(2, 4, self.teid + 2, self.visited), fteid(3, 5, self.far + 2, self.gateway), qos=False,
                                             cause=16), teid=self.far, seq=seq)

    def delete_bearer(self, seq, ebi=None):
        return v2(99, ie(73, bytes([self.ebi])) if ebi is None else ie(73, bytes([ebi]), 1), teid=self.teid, seq=seq)

    # --- version 1 ---

    def create1(self, seq):
        m = [b"\2" + tbcd(self.imsi).ljust(8, b"\xff")] if self.imsi else []
        m += [b"\3" + plmn(self.network) + b"\0\1\1"]
        m += [b"\x0e" + bytes([self.recovery])] if self.recovery is not None else []
        m += [b"\x0f\xfc", b"\x10" + struct.pack("!I", self.teid + 1), b"\x11" + struct.pack("!I", self.teid), bytes([20, self.ebi]),
              tlv(128, b"\xf1\x21" if self.pdn == 1 else b"\xf1\x57"), tlv(131, labels(self.apn)), tlv(132, b"\x80"),
              tlv(133, ip(self.visited)), tlv(133, ip(self.uplane))]
        m += [tlv(134, b"\x91" + tbcd(self.msisdn))] if self.msisdn else []
        m += [tlv(135, b"\1\x0b\x92\x1f"), tlv(151, bytes([self.rat]))]
        m += [tlv(154, tbcd(self.imei).ljust(8, b"\xff"))] if self.imei else []
        m += [tlv(203, b"\1")] if self.lapi else []
        return v1(16, *m, self.extra, seq=seq)

    def created1(self, seq, cause=128):
        if cause != 128:
            return v1(17, bytes([1, cause]), teid=self.teid, seq=seq)
        return v1(17, b"\1\x80", b"\x08\xfe", b"\x0e\7", b"\x10" + struct.pack("!I", self.far + 1), b"\x11" + struct.pack("!I", self.far),
                  b"\x7f\0\0\0\1", tlv(128, b"\xf1\x21" + ip(self.ue)), tlv(133, ip(self.gateway)), tlv(133, ip(self.gateway)),
                  tlv(135, b"\1\x0b\x92\x1f"), teid=self.teid, seq=seq)

    def update1(self, seq):
        return v1(18, b"\3" + plmn(self.network) + b"\0\1\1", b"\x10" + struct.pack("!I", self.teid + 1), b"\x11" + struct.pack("!I", self.teid),
                  bytes([20, self.ebi]), tlv(133, ip(self.visited)), tlv(133, ip(self.visited)), tlv(135, b"\1\x0b\x92\x1f"), teid=self.far,
                  seq=seq)

    def answer1(self, type, seq, to_gateway=False):
        return v1(type, b"\1\x80", teid=self.far if to_gateway else self.teid, seq=seq)

    def delete1(self, seq, to_gateway=True):
        return v1(20, b"\x13\xff", bytes([20, self.ebi]), teid=self.far if to_gateway else self.teid, seq=seq)


def tlv(type, value):
    return struct.pack("!BH", type, len(value)) + value


def v1(type, *ies, teid=0, seq=1, flags=0x32):
    body = struct.pack("!HBB", seq & 0xffff, 0, 0) + b"".join(ies)
    return struct.pack("!BBHI", flags, type, len(body), teid) + body


def echo(seq, answer=False, recovery=7, version=2):
    if version == 1:
        return v1(2, bytes([14, recovery]), seq=seq) if answer else v1(1, seq=seq)
    return v2(2 if answer else 1, ie(3, bytes([recovery])), teid=None, seq=seq)


class Capture:
    """A pcap file of raw IPv4 datagrams of UDP."""

    def __init__(self, path, start=1700000000):
        self.f, self.now = open(path, "wb"), float(start)
        self.f.write(struct.pack("!IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))

    def add(self, src, dst, payload, after=0.01, sport=2123, dport=2123):
        self.now += after
        udp = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
        packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + ip(src) + ip(dst) + udp
        us = int(round(self.now * 1000000))
        self.f.write(struct.pack("!IIII", us // 1000000, us % 1000000, len(packet), len(packet)) + packet)
        return self.now

    def close(self):
        self.f.close()
