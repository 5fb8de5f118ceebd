#!/usr/bin/env python3
"""Attacks over GTP-C, one row each, written from the public descriptions: GSMA FS.20's categories as public sources give them
(IR.88, vendors' GTP firewalls), Positive Technologies 2017 and 2020 "Threat vector: GTP", Trend Micro and EURECOM on GTP
flooding and fuzzing, P1 Security on GRX scans, ENISA 2018.

    gtp_corpus.py FILE.pcap     writes the capture: what came before, then the attacks, one a second
    gtp_corpus.py --list        the rows

The cast: we are 999-70 at 198.51.100.0/24; partner 001-01 at 192.0.2.0/25, 001-02 at 192.0.2.128/25, 001-03 (blocked) at
203.0.113.0/25; nobody is at 203.0.113.128/25."""
import copy
import sys

from gtp import *

SGW, SGW_B, SGW2, BLOCKED, NOBODY = "192.0.2.1", "192.0.2.2", "192.0.2.129", "203.0.113.1", "203.0.113.201"
PGW, OUR_SGW, THEIR_PGW = "198.51.100.1", "198.51.100.33", "192.0.2.77"
P1, P2, P3, US = "00101", "00102", "00103", "99970"
OWN, OWN2, OWN_UNKNOWN, OF_P2, ROAMER = "999708000000011", "999708000000012", "999708999999999", "001020000000009", "001010000000077"
PT, FS20, GRX = "Positive Technologies 2017/2020", "FS.20 (public: IR.88, vendors)", "P1 Security, GRX scans"


def sim(of=OWN, visited=SGW, network=P1, **how):
    return Session(of, visited, PGW, network, teid=how.pop("teid", 0x7000), **how)


class World:
    """Before the attacks: a session of ours at P1, one of P1's roamer at our gateway's other side."""

    def __init__(self, out):
        self.out, self.seq = out, 100
        self.own = sim(teid=0x2000)
        self.guest = Session(ROAMER, OUR_SGW, THEIR_PGW, US, teid=0x3000, apn="internet")

    def prelude(self):
        out = self.out
        out.add(SGW, PGW, self.own.create(1))
        out.add(PGW, SGW, self.own.created(1))
        out.add(OUR_SGW, THEIR_PGW, self.guest.create(2))
        out.add(THEIR_PGW, OUR_SGW, self.guest.created(2))


def v2_only(type, teid=0, to=PGW, ies=()):
    return lambda w, n: [(SGW, to, v2(type, *ies, teid=teid, seq=n))]


def asks(make, frm=None, to=PGW):
    """A create of version 2, then of version 1."""
    def two(version):
        def send(w, n):
            s = make()
            return [(frm or s.visited, to, s.create(n) if version == 2 else s.create1(n))]
        return send
    return two


CREATES = [
    ("a node of nobody's", "0", GRX, "partner.peer_unknown", asks(lambda: sim(visited=NOBODY))),
    ("a blocked network's node", "0", FS20, "partner.peer_blocked", asks(lambda: sim(visited=BLOCKED, network=P3))),
    ("our own address as source", "0", FS20, "partner.origin_ours", asks(lambda: sim(visited=OUR_SGW), frm="198.51.100.9")),
    ("a serving network that is not the sender's", "3", PT, "partner.visited_plmn", asks(lambda: sim(network=P2))),
    ("tunnels that end at another network's node", "3", PT, "partner.node_address", asks(lambda: sim(uplane=SGW2))),
    ("tunnels that end at our own gateway", "3", PT, "partner.node_address", asks(lambda: sim(uplane=PGW))),
    ("tunnels that end at nobody's address", "3", PT, "partner.node_address", asks(lambda: sim(uplane="8.8.8.8"))),
    ("another network's subscriber at our gateway", "3", PT, "category.foreign_imsi", asks(lambda: sim(OF_P2))),
    ("no IMSI at all", "3", PT, "category.foreign_imsi", asks(lambda: sim(""))),
    ("an IMSI that was never made", "3", PT, "subscriber.unknown", asks(lambda: sim(OWN_UNKNOWN))),
    ("an APN that the profile does not have", "3", FS20, "subscriber.apn", asks(lambda: sim(apn="internet"))),
    ("an APN of management", "3", PT, "subscriber.apn", asks(lambda: sim(apn="oam.mgmt.mnc070.mcc999.gprs"))),
    ("an APN of a hundred labels", "3", PT, "subscriber.apn", asks(lambda: sim(apn=".".join(["a"] * 49)))),
    ("a PDN type that the profile does not have", "3", FS20, "subscriber.pdn_type", asks(lambda: sim(pdn=2))),
    ("an MSISDN of somebody else", "3", PT, "subscriber.msisdn", asks(lambda: sim(msisdn="4917012345678"))),
    ("a radio that the profile does not have", "3", FS20, "subscriber.rat", asks(lambda: sim(rat=2))),
]


def third_session(version):
    def send(w, n):
        out = []
        for i in range(2):
            s = sim(OWN2, teid=0x5000 + 0x10 * i + 0x100 * version, visited=SGW)
            s.ebi = 5 + i
            out.append((SGW, PGW, s.create(n + i) if version == 2 else s.create1(n + i)))
            out.append((PGW, SGW, s.created(n + i) if version == 2 else s.created1(n + i)))
        s = sim(OWN2, teid=0x5080 + 0x100 * version)
        s.ebi = 7
        return out + [(SGW, PGW, s.create(n + 2) if version == 2 else s.create1(n + 2))]
    return send


def on_own(of, frm=SGW2, to=PGW):
    """About a session of P1's, by P2, which says so."""
    def send(w, n):
        s = copy.copy(w.own)
        s.network = P2
        return [(frm, to, of(s, n))]
    return send


def reused(w, n):
    s = sim(OWN2, teid=0x2000, recovery=None)
    return [(SGW, PGW, s.create(n))]


def same_number(w, n):
    a, b = sim(teid=0x7100), sim(teid=0x7200)
    a.ebi = b.ebi = 5
    return [(SGW, PGW, a.create(n)), (SGW, PGW, b.create(n))]


def flood(w, n):
    return [(SGW_B, PGW, echo(n + i)) for i in range(150)]


def behind(w, n):
    return [(SGW, PGW, sim().create(n) + echo(n + 1))]


def rides(w, n):
    """A forbidden message rides behind an allowed one: the whole datagram is dropped."""
    return [(SGW, PGW, v2(1, ie(3, b"\1"), teid=None, seq=n, flags=0x10) + v2(130, ie(1, tbcd(OWN)), teid=0, seq=n + 1))]


INTERNAL2 = [("Identification Request", 128), ("Context Request", 130), ("Context Acknowledge", 132), ("Forward Relocation Request", 133),
             ("Forward Access Context Notification", 137), ("Relocation Cancel Request", 139), ("Configuration Transfer Tunnel", 141),
             ("Detach Notification", 149), ("CS Paging Indication", 151), ("RAN Information Relay", 152), ("Alert MME", 153),
             ("UE Activity Notification", 155), ("Create Forwarding Tunnel Request", 160), ("Create Indirect Data Forwarding Tunnel", 166),
             ("Release Access Bearers Request", 170), ("Downlink Data Notification", 176), ("PGW Restart Notification", 179),
             ("Delete PDN Connection Set Request", 101), ("Trace Session Activation", 71), ("MBMS Session Start Request", 231),
             ("SRVCC PS to CS Request", 25), ("Modify Access Bearers Request", 211)]
INTERNAL1 = [("Send Routing Information for GPRS", 32), ("Failure Report Request", 34), ("Note MS GPRS Present", 36), ("Identification Request", 48),
             ("SGSN Context Request", 50), ("Forward Relocation Request", 53), ("Relocation Cancel Request", 56), ("RAN Information Relay", 70),
             ("Create MBMS Context Request", 100), ("MBMS Session Start Request", 116), ("Data Record Transfer Request", 240),
             ("Redirection Request", 6), ("Error Indication", 26), ("T-PDU: GTP in GTP", 255)]


def all_rows():
    for name, cat, source, check, make in CREATES:
        yield f"Create Session: {name}", cat, source, check, make(2)
        yield f"Create PDP Context: {name}", cat, source, check, make(1)
    for name, type in INTERNAL2:
        yield f"{name} from a partner", "1", FS20, "category.command", v2_only(type)
    for name, type in INTERNAL1:
        yield f"GTPv1 {name} from a partner", "1", FS20, "category.command", (
            lambda t: lambda w, n: [(SGW, PGW, v1(t, seq=n))])(type)
    yield "a message type that nobody knows", "1", FS20, "category.application", v2_only(220)
    yield "GTPv1: a message type that nobody knows", "1", FS20, "category.application", lambda w, n: [(SGW, PGW, v1(140, seq=n))]
    yield "a third session on one APN", "3", "R-5.6.3.d", "subscriber.sessions", third_session(2)
    yield "another network ends a session", "3", PT, "plausibility.session_network", on_own(lambda s, n: s.delete(n))
    yield "another network changes a session", "3", PT, "plausibility.session_network", on_own(lambda s, n: s.modify(n, moves=False))
    yield "another network asks for bearer resources", "3", PT, "plausibility.session_network", on_own(
        lambda s, n: v2(68, ie(73, b"\5"), teid=s.far, seq=n))
    yield "another network suspends a session", "3", PT, "plausibility.session_network", on_own(lambda s, n: v2(162, teid=s.far, seq=n))
    yield "a session taken over with the old network's node named", "3", PT, "partner.node_address", on_own(lambda s, n: s.modify(n))
    yield "Delete Session with a guessed TEID", "3", PT, "category.tunnel", lambda w, n: [(SGW, PGW, v2(36, ie(73, b"\5"), teid=0xdead, seq=n))]
    yield "Modify Bearer with a guessed TEID", "3", PT, "category.tunnel", lambda w, n: [
        (SGW, PGW, v2(34, ie(82, b"\6"), teid=0xbeef, seq=n))]
    yield "Update PDP Context with a guessed TEID", "3", PT, "category.tunnel", lambda w, n: [
        (SGW, PGW, v1(18, b"\x10\0\0\0\1", b"\x14\5", teid=0xbeef, seq=n))]
    yield "Delete PDP Context with a guessed TEID", "3", PT, "category.tunnel", lambda w, n: [
        (SGW, PGW, v1(20, b"\x13\xff", b"\x14\5", teid=0xbeef, seq=n))]
    yield "a TEID that another session has", "3", PT, "category.reused_tunnel", reused
    yield "a gateway that is not the home network's ends a roamer's session", "2", PT, "category.home_only", lambda w, n: [
        (SGW2, OUR_SGW, w.guest.delete_bearer(n))]
    yield "a gateway that is not the home network's makes a bearer", "2", PT, "category.home_only", lambda w, n: [
        (SGW2, OUR_SGW, v2(97, bearer(5), teid=w.guest.teid, seq=n))]
    yield "a bearer asked for our own subscriber from outside", "2", PT, "category.own_subscriber", lambda w, n: [
        (SGW2, PGW, v2(97, bearer(5), teid=w.own.far, seq=n))]
    yield "PDU Notification about our own subscriber", "2", PT, "category.own_subscriber", lambda w, n: [
        (SGW2, OUR_SGW, v1(27, b"\2" + tbcd(OWN).ljust(8, b"\xff"), b"\x11\0\0\0\1", tlv(133, ip(SGW2)), seq=n))]
    yield "PDU Notification about a roamer of another home", "2", PT, "category.home_only", lambda w, n: [
        (SGW2, OUR_SGW, v1(27, b"\2" + tbcd(ROAMER).ljust(8, b"\xff"), b"\x11\0\0\0\1", tlv(133, ip(SGW2)), seq=n))]
    yield "PDU Notification about a roamer who is not here", "2", PT, "category.registered_roamer", lambda w, n: [
        (SGW2, OUR_SGW, v1(27, b"\2" + tbcd(OF_P2).ljust(8, b"\xff"), b"\x11\0\0\0\1", tlv(133, ip(SGW2)), seq=n))]
    yield "Create Session Response that nobody asked for", "3", FS20, "category.unasked", lambda w, n: [(SGW, PGW, sim().created(n, 73))]
    yield "Create PDP Context Response that nobody asked for", "3", FS20, "category.unasked", lambda w, n: [(SGW, PGW, sim().created1(n, 199))]
    yield "Delete Bearer Response that nobody asked for", "2", FS20, "category.unasked", lambda w, n: [(SGW, PGW, w.own.answer(100, n, True))]
    yield "Context Response that nobody asked for", "1", FS20, "category.command", v2_only(131, ies=[ie(2, b"\x10\0")])
    yield "one number for two requests", "3", FS20, "category.sequence", same_number
    yield "a message behind a message", "0", FS20, "category.layers", behind
    yield "a forbidden message rides behind an Echo", "0", FS20, "category.command", rides
    yield "a flood of Echo Requests", "0", "Trend Micro: GTP flooding", "load.path_rate", flood


def write(path):
    """Returns rows of (second, name, category, source, check)."""
    out = Capture(path)
    w, rows = World(out), []
    w.prelude()
    out.now += 70  # sessions that began before the capture are no longer thought of
    for name, cat, source, check, send in all_rows():
        out.now = float(int(out.now) + 1)
        w.seq += 200
        rows.append((int(out.now), name, cat, source, check))
        for i, (src, dst, m) in enumerate(send(w, w.seq)):
            out.add(src, dst, m, after=0.001 if i else 0)
    out.close()
    return rows


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--list":
        for name, cat, source, check, _ in all_rows():
            print(f"{cat:2} {check:32} {name} ({source})")
    else:
        print(f"{len(write(sys.argv[1]))} attacks")
