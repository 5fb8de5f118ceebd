#!/usr/bin/env python3
"""Attacks over MAP, one row each, written from the public descriptions: GSMA FS.11's categories as public sources give
them (category pages of Oracle's and Cisco's signalling firewalls), Engel 31C3 2014, Nohl 31C3 2014, ENISA 2018 "Signalling
Security in Telecom", Positive Technologies 2018 "SS7 vulnerabilities", P1 Security on TCAP evasion, Puzankov 2019-2021 on
bypassing SS7 firewalls (global codes, double components, application contexts, malformed acknowledgements).

    map_corpus.py FILE.pcap     writes the capture: what came before (a registration here, a roamer there), then the attacks
    map_corpus.py --list        the rows

The cast: we are 999-70, titles +99970...; partners 001-01 (+99901...) and 001-02 (+99902...), 001-03 (+99903...) is blocked,
310-260 (+1999...) is far away."""
import sys

from ss7 import *

OWN, OWN_LTE, OWN_UNKNOWN = "999708000000001", "999708000000002", "999708999999999"
ROAMER, STRANGER, OF_P2 = "001010000000007", "001010000000099", "001020000000007"
HLR_US, VLR_US, MSC_US = "9997001", "9997011", "9997012"
P1, P2, FAR, BLOCKED, NOBODY = "99901", "99902", "1999", "99903", "77777"
COMBINED = "Engel 2014; Nohl 2014"
EVASION = "Puzankov 2019"


def node(network, what):
    return network + {VLR: "100", MSC: "200", SGSN: "300", HLR: "900", GMLC: "500", SCF: "600", EIR: "700"}[what]


def imsi(digits=OWN):
    return tbcd(digits)


class Ask:
    """A request: who asks whom what, how; each attack changes something."""
    serial = 0x10000000

    def __init__(self, op, argument, ac, version=3, frm=P1, who=VLR, to=HLR_US, ssn=HLR, **how):
        self.__dict__.update(op=op, argument=argument, ac=ac, version=version, frm=frm, who=who, to=to, ssn=ssn, user=b"",
                             code=None, also=(), tail=b"", pack=udt, opc=100, called=None, calling=None, open_end=False)
        self.__dict__.update(how)
        Ask.serial += 1
        self.tid = Ask.serial

    def tcap(self):
        return begin(self.tid, invoke(self.op, self.argument, code=self.code), *self.also, open_end=self.open_end,
                     dialogue=aarq(context(self.ac, self.version), self.user) if self.version > 1 else b"") + self.tail

    def ends(self):
        return self.called or title(self.to, self.ssn), self.calling or title(node(self.frm, self.who), self.who)

    def messages(self):
        called, calling = self.ends()
        out = self.pack(called, calling, self.tcap())
        return [transfer(self.opc, 1, m) for m in (out if isinstance(out, list) else [out])]


def update(of=OWN, vlr=None, **how):
    at = vlr or node(how.get("frm", P1), VLR)
    return Ask(2, seq(octets(imsi(of)), ctx(1, number(node(vlr[:5] if vlr else how.get("frm", P1), MSC))), octets(number(at))),
               1, **how)


def update_gprs(of=OWN, sgsn=None, **how):
    at = sgsn or node(how.get("frm", P1), SGSN)
    return Ask(23, seq(octets(imsi(of)), octets(number(at)), octets(b"\x04\xc0\x00\x02\x07")), 32, who=SGSN, **how)


def vectors(of=OWN, **how):
    return Ask(56, seq(ctx(0, imsi(of)), integer(3), ctx(3, b"\0")), 14, **how)


def identity(of=OWN):
    return ctx(0, ctx(0, imsi(of)), made=True)


def by_number(of="99970555"):
    return ctx(0, ctx(1, number(of)), made=True)


SCF_NO, ONE = number(node(P1, SCF)), number("99970555")
# Category 1: operation, context, version, argument, subsystem asked, subsystem asking, what it gives the attacker.
CATEGORY_1 = [
    ("anyTimeInterrogation by IMSI", 71, 29, 3, seq(identity(), ctx(1, b"", made=True), ctx(3, SCF_NO)), HLR, SCF, COMBINED),
    ("anyTimeInterrogation by number", 71, 29, 3, seq(by_number(), ctx(1, b"", made=True), ctx(3, SCF_NO)), HLR, SCF, COMBINED),
    ("sendIMSI", 58, 26, 2, octets(ONE), HLR, VLR, COMBINED),
    ("sendRoutingInfo", 22, 5, 3, seq(ctx(0, ONE), ctx(3, b"\0"), ctx(6, number(node(P1, MSC)))), HLR, MSC, COMBINED),
    ("sendRoutingInfo, version 2", 22, 5, 2, seq(ctx(0, ONE)), HLR, MSC, COMBINED),
    ("sendRoutingInfoForGprs", 24, 33, 3, seq(ctx(0, imsi())), HLR, SGSN, "FS.11 category 1"),
    ("sendRoutingInfoForLCS by IMSI", 85, 37, 3, seq(ctx(0, SCF_NO), ctx(1, ctx(0, imsi()), made=True)), HLR, GMLC, "Engel 2014"),
    ("sendRoutingInfoForLCS by number", 85, 37, 3, seq(ctx(0, SCF_NO), ctx(1, ctx(1, ONE), made=True)), HLR, GMLC, "Engel 2014"),
    ("anyTimeModification", 65, 43, 3, seq(identity(), ctx(1, SCF_NO)), HLR, SCF, "FS.11 category 1"),
    ("anyTimeSubscriptionInterrogation", 62, 43, 3, seq(identity(), ctx(1, b"", made=True), ctx(2, SCF_NO)), HLR, SCF, "FS.11 category 1"),
    ("noteSubscriberDataModified", 5, 22, 3, seq(octets(imsi()), octets(ONE)), SCF, HLR, "FS.11 category 1"),
    ("sendIdentification", 55, 15, 3, seq(octets(b"\1\2\3\4"), integer(1)), VLR, VLR, "Nohl 2014"),
    ("sendIdentification, version 2", 55, 15, 2, octets(b"\1\2\3\4"), VLR, VLR, "Nohl 2014"),
    ("checkIMEI", 43, 13, 3, seq(octets(tbcd("3531660900000101"))), EIR, MSC, "FS.11 category 1"),
    ("checkIMEI, version 2", 43, 13, 2, octets(tbcd("3531660900000101")), EIR, MSC, "FS.11 category 1"),
    ("prepareHandover", 68, 11, 3, ctx(3, b"", made=True), MSC, MSC, "Nohl 2014"),
    ("prepareSubsequentHandover", 69, 11, 3, ctx(3, b"", made=True), MSC, MSC, "FS.11 category 1"),
    ("performHandover", 28, 11, 1, seq(), MSC, MSC, "FS.11 category 1"),
    ("sendEndSignal", 29, 11, 3, ctx(3, b"", made=True), MSC, MSC, "FS.11 category 1"),
    ("processAccessSignalling", 33, 11, 3, ctx(3, b"", made=True), MSC, MSC, "FS.11 category 1"),
    ("forwardAccessSignalling", 34, 11, 3, ctx(3, b"", made=True), MSC, MSC, "FS.11 category 1"),
    ("prepareGroupCall", 39, 31, 3, seq(), MSC, MSC, "FS.11 category 1"),
    ("sendGroupCallEndSignal", 40, 31, 3, seq(), MSC, MSC, "FS.11 category 1"),
    ("processGroupCallSignalling", 41, 31, 3, seq(), MSC, MSC, "FS.11 category 1"),
    ("forwardGroupCallSignalling", 42, 31, 3, seq(), MSC, MSC, "FS.11 category 1"),
    ("failureReport", 25, 34, 3, seq(ctx(0, imsi()), ctx(1, SCF_NO)), HLR, SGSN, "FS.11 category 1"),
    ("noteMsPresentForGprs", 26, 35, 3, seq(ctx(0, imsi())), 150, HLR, "FS.11 category 1"),
    ("resumeCallHandling", 6, 6, 3, seq(ctx(3, imsi())), MSC, MSC, "FS.11 category 1"),
    ("releaseResources", 20, 6, 3, b"", MSC, MSC, "FS.11 category 1"),
    ("setReportingState", 73, 7, 3, seq(ctx(0, imsi())), VLR, HLR, "FS.11 category 1"),
    ("statusReport", 74, 7, 3, seq(ctx(0, imsi())), HLR, VLR, "FS.11 category 1"),
    ("remoteUserFree", 75, 7, 3, seq(ctx(0, imsi())), HLR, VLR, "FS.11 category 1"),
    ("sendParameters", 9, 14, 1, seq(ctx(0, imsi())), HLR, VLR, "FS.11 category 1"),
    ("an operation that MAP does not have", 99, 29, 3, seq(ctx(0, imsi())), HLR, SCF, "FS.11 category 0"),
]
# Category 2: operation, context, version, argument for an IMSI (None: the dialogue names him), subsystem asked.
CATEGORY_2 = [
    ("cancelLocation", 3, 2, 3, lambda i: ctx(3, octets(imsi(i)), enum(1), made=True), VLR, COMBINED),
    ("cancelLocation, version 2", 3, 2, 2, lambda i: octets(imsi(i)), VLR, COMBINED),
    ("provideRoamingNumber", 4, 3, 3, lambda i: seq(ctx(0, imsi(i)), ctx(1, number(MSC_US)), ctx(2, ONE)), VLR, COMBINED),
    ("insertSubscriberData", 7, 16, 3, lambda i: seq(ctx(0, imsi(i)), ctx(1, ONE)), VLR, COMBINED),
    ("deleteSubscriberData", 8, 16, 3, lambda i: seq(ctx(0, imsi(i))), VLR, "FS.11 category 2"),
    ("activateTraceMode", 50, 17, 3, lambda i: seq(ctx(0, imsi(i)), ctx(1, b"\1\2"), ctx(2, b"\1")), VLR, "FS.11 category 2"),
    ("deactivateTraceMode", 51, 17, 3, lambda i: seq(ctx(0, imsi(i)), ctx(1, b"\1\2")), VLR, "FS.11 category 2"),
    ("provideSubscriberInfo", 70, 28, 3, lambda i: seq(ctx(0, imsi(i)), ctx(2, b"", made=True)), VLR, COMBINED),
    ("provideSubscriberLocation", 83, 38, 3, lambda i: seq(seq(ctx(0, b"\0")), octets(number(node(P1, GMLC))), ctx(2, imsi(i))), MSC, "Engel 2014"),
    ("unstructuredSS-Request", 60, 19, 2, None, VLR, "FS.11 category 2"),
    ("unstructuredSS-Notify", 61, 19, 2, None, VLR, "FS.11 category 2"),
    ("istCommand", 88, 9, 3, lambda i: seq(ctx(0, imsi(i))), MSC, "FS.11 category 2"),
    ("cancelVcsgLocation", 36, 45, 3, lambda i: seq(octets(imsi(i))), VLR, "FS.11 category 2"),
]
# Category 3, which a network that serves the subscriber may ask: the same, subsystem asking.
CATEGORY_3 = [
    ("restoreData", 57, 1, 3, lambda i: seq(octets(imsi(i))), VLR), ("registerSS", 10, 18, 2, None, VLR),
    ("eraseSS", 11, 18, 2, None, VLR), ("activateSS", 12, 18, 2, None, VLR), ("deactivateSS", 13, 18, 2, None, VLR),
    ("interrogateSS", 14, 18, 2, None, VLR), ("registerPassword", 17, 18, 2, None, VLR),
    ("processUnstructuredSS-Request", 59, 19, 2, None, VLR),
    ("authenticationFailureReport", 15, 39, 3, lambda i: seq(octets(imsi(i)), enum(0)), VLR),
    ("readyForSM", 66, 24, 3, lambda i: seq(ctx(0, imsi(i)), enum(0)), VLR),
    ("ss-InvocationNotification", 72, 36, 3, lambda i: seq(ctx(0, imsi(i)), ctx(1, ONE)), MSC),
]
SS = {10: seq(octets(b"\x21"), ctx(4, number("99902123"))), 17: octets(b"\x99"), 38: b"", 18: enum(0)}


def plain(op):
    return SS.get(op, seq(octets(b"\x0f"), octets(b"*100#")) if op in (59, 60, 61) else seq(octets(b"\x21")))


def opened(of):
    return map_open(number(of, 0x96))


def home_asks(row, of, frm=P1):
    _, op, ac, version, argument, ssn, _ = row
    return Ask(op, argument(of) if argument else plain(op), ac, version, frm=frm, who=HLR, to=VLR_US, ssn=ssn,
               user=b"" if argument else opened(of))


def visited_asks(row, of, frm=P1, **how):
    _, op, ac, version, argument, who = row
    return Ask(op, argument(of) if argument else plain(op), ac, version, frm=frm, who=who, user=b"" if argument else opened(of),
               ssn={72: SCF}.get(op, HLR), **how)


def sms(op, destination, origin, ac, **how):
    return Ask(op, seq(destination, origin, octets(b"\x04\x05\x91\x99\x99\0\0" + bytes(20))), ac, **how)


def pieces(called, calling, data):
    return split(called, calling, data, 50, Ask.serial & 0xffffff)


def all_rows():
    """(name, category, source, the check that refuses; "malformed": no judge is needed, what is sent)"""
    for name, op, ac, version, argument, ssn, who, source in CATEGORY_1:
        how = dict(who=who, ssn=ssn, to=HLR_US if ssn == HLR else VLR_US)
        yield name, "1", source, "category.application" if op == 99 else "category.command", Ask(op, argument, ac, version, **how)
        if version > 1 and op in (71, 58, 22, 24, 85):
            yield name + " from our own title", "1", source, "partner.origin_ours", Ask(
                op, argument, ac, version, calling=title(HLR_US + "9", who), **how)
            for kind, pack in ("XUDT", xudt), ("LUDT", ludt), ("segments", pieces):
                yield f"{name} in {kind}", "1", EVASION, "category.command", Ask(op, argument, ac, version, pack=pack, **how)
            yield name + " with a global code", "1", EVASION, "category.command", Ask(
                op, argument, ac, version, code=oid(0, 4, 0, 0, 1, 0, 999, op), **how)
    for row in CATEGORY_2:
        yield row[0] + " about our subscriber", "2", row[-1], "category.own_subscriber", home_asks(row, OWN)
        yield row[0] + " about another network's", "2", row[-1], (
            "partner.node_address" if row[1] == 83 else "category.home_only"), home_asks(row, ROAMER, frm=P2)
        yield row[0] + " about a subscriber who is not here", "2", row[-1], "category.registered_roamer", home_asks(row, STRANGER)
    yield ("reset in another HLR's name", "2", "FS.11 category 2", "partner.node_address",
           Ask(37, seq(octets(number(node(P2, HLR)))), 10, 2, who=HLR, to=VLR_US, ssn=VLR))
    yield ("insertSubscriberData with a foreign gsmSCF", "2", "Engel 2014: calls rerouted by CAMEL", "partner.node_address", Ask(7, seq(
        ctx(0, imsi(ROAMER)), ctx(13, ctx(0, seq(seq(enum(2), integer(5), ctx(0, number(node(P2, SCF))))), made=True), made=True)),
        16, who=HLR, to=VLR_US, ssn=VLR))
    yield "unstructuredSS-Notify that names nobody", "2", "FS.11 category 2", "category.home_only", Ask(
        61, plain(61), 19, 2, who=HLR, to=VLR_US, ssn=VLR)
    yield "getPassword about our subscriber", "2", "FS.11", "category.own_subscriber", Ask(
        18, enum(0), 18, 2, who=HLR, to=VLR_US, ssn=VLR, user=opened(OWN))
    for row in CATEGORY_3:
        yield row[0] + " about another network's subscriber", "3", "FS.11 category 3", (
            "category.foreign_imsi" if row[4] else "category.foreign_imsi"), visited_asks(row, OF_P2)
        yield row[0] + " from a network that does not serve", "3", "FS.11 category 3", "plausibility.serving_network", \
            visited_asks(row, OWN, frm=P2)
    for name, make, who in ("updateLocation", update, VLR), ("updateGprsLocation", update_gprs, SGSN):
        yield name + " about another network's subscriber", "3", "FS.11 category 3", "category.foreign_imsi", make(OF_P2)
        yield name + " in another network's node's name", "3", COMBINED, "partner.visited_plmn", make(OWN, node(P2, who))
        yield name + " from nobody's title", "3", COMBINED, "partner.peer_unknown", make(OWN, frm=NOBODY)
        yield name + " from a blocked network", "3", COMBINED, "partner.peer_blocked", make(OWN, frm=BLOCKED)
        yield name + " from our own title", "3", COMBINED, "partner.origin_ours", make(OWN, calling=title("9997099", who))
        yield name + " from the other end of the world", "3", "FS.11 velocity", "plausibility.velocity", make(OWN, frm=FAR)
        yield name + " of an unknown subscriber", "3", "FS.11 category 3", "subscriber.unknown", make(OWN_UNKNOWN)
        yield name + " of a SIM that has no 2G or 3G", "3", "CLP.14 5.1", "subscriber.rat", make(OWN_LTE)
        yield name + " to another network, through us", "3", "FS.11 category 0", "partner.dest_realm", make(OWN, to=node(P2, HLR))
        yield name + ", E.214 title of another IMSI", "3", EVASION, "category.identities", make(
            OWN, called=title("99970" + "8000000099", HLR, plan=7))
        yield name + ", IMSI of the dialogue is another", "3", EVASION, "category.identities", make(OWN, user=opened(OWN_LTE))
        yield name + " with a global code", "3", EVASION, "category.code_form", make(OWN, code=oid(0, 4, 0, 0, 1, 0, 1, make(OWN).op))
        yield name + " in another context", "3", EVASION, "category.context", make(OWN, **{"user": b""}).__class__(
            make(OWN).op, make(OWN).argument, 14, who=who)
        yield name + " to another subsystem", "3", EVASION, "category.context", make(OWN, ssn=MSC)
        yield name + " in phase 1", "3", EVASION, "category.version", make(OWN, version=1)
        yield name + " and a second one", "3", EVASION, "category.several", make(OWN, also=(invoke(56, octets(imsi()), no=2),))
        yield name + " twice", "3", EVASION, "category.several", make(OWN, also=(invoke(make(OWN).op, make(OWN).argument, no=2),))
        yield name + " before another message", "3", EVASION, "category.layers", make(OWN, tail=update(OWN).tcap())
        yield name + " before odd bytes", "3", EVASION, "category.layers", make(OWN, tail=b"\0")
        yield name + " in needless pieces", "3", EVASION, "category.split", make(OWN, pack=pieces)
    yield "sendAuthenticationInfo about another network's", "3", COMBINED, "category.foreign_imsi", vectors(OF_P2)
    yield "sendAuthenticationInfo, version 2, the same", "3", COMBINED, "category.foreign_imsi", Ask(56, octets(imsi(OF_P2)), 14, 2)
    yield "sendAuthenticationInfo from the other end of the world", "3", "Nohl 2014", "plausibility.velocity", vectors(frm=FAR)
    yield "sendAuthenticationInfo about nobody", "3", "FS.11 category 3", "category.foreign_imsi", Ask(56, b"", 14)
    yield "purgeMS from a VLR that does not serve", "3", COMBINED, "plausibility.serving_host", Ask(
        67, ctx(3, octets(imsi()), ctx(0, number(node(P1, VLR) + "77")), made=True), 27)
    yield "purgeMS in another network's node's name", "3", COMBINED, "partner.visited_plmn", Ask(
        67, ctx(3, octets(imsi()), ctx(0, number(node(P2, VLR))), made=True), 27)
    yield "purgeMS from another network", "3", COMBINED, "plausibility.serving_host", Ask(
        67, ctx(3, octets(imsi()), ctx(0, number(node(P2, VLR))), made=True), 27, frm=P2)
    yield "mo-forwardSM in our subscriber's name", "SMS", "ENISA 2018", "plausibility.serving_network", Ask(46, seq(
        ctx(4, number(MSC_US)), ctx(2, ONE), octets(bytes(20)), octets(imsi())), 21, who=MSC, frm=P2, ssn=MSC)
    yield "mt-forwardSM from another's centre", "SMS", "ENISA 2018: faked SMS", "partner.node_address", sms(
        44, ctx(0, imsi(ROAMER)), ctx(4, number(node(P2, MSC))), 25, who=MSC, to=MSC_US, ssn=MSC)
    yield "mt-forwardSM, version 2, the same", "SMS", "ENISA 2018: faked SMS", "partner.node_address", sms(
        46, ctx(0, imsi(ROAMER)), ctx(4, number(node(P2, MSC))), 25, version=2, who=MSC, to=MSC_US, ssn=MSC)
    yield "mt-forwardSM from nobody's title", "SMS", "ENISA 2018: spoofed SMS", "partner.peer_unknown", sms(
        44, ctx(0, imsi(ROAMER)), ctx(4, number(node(NOBODY, MSC))), 25, who=MSC, to=MSC_US, ssn=MSC, frm=NOBODY)
    yield "sendRoutingInfoForSM in another centre's name", "SMS", COMBINED, "partner.node_address", Ask(
        45, seq(ctx(0, ONE), ctx(1, b"\1"), ctx(2, number(node(P2, MSC)))), 20, who=MSC)
    yield "sendRoutingInfoForSM from our own title", "SMS", COMBINED, "partner.origin_ours", Ask(
        45, seq(ctx(0, ONE), ctx(1, b"\1"), ctx(2, number("9997012"))), 20, who=MSC, calling=title("9997012", MSC))
    yield "CAMEL's initialDP", "1", "FS.11: CAP", "category.application", Cap()
    for name, tcap in MALFORMED:
        yield name, "0", EVASION, "malformed", Raw(tcap)
    for name, make, refused in LATE:
        yield name, "2", EVASION, refused, make


class Raw(Ask):
    def __init__(self, tcap, **how):
        super().__init__(0, b"", 1, **how)
        self.bytes = tcap

    def tcap(self):
        return self.bytes(self) if callable(self.bytes) else self.bytes


class Cap(Ask):
    def __init__(self):
        super().__init__(0, seq(ctx(0, b"\5")), 0, who=MSC, ssn=146)

    def tcap(self):
        return begin(self.tid, invoke(0, self.argument), dialogue=aarq(oid(0, 4, 0, 0, 1, 21, 3, 4)))


UL = seq(octets(imsi()), ctx(1, number(node(P1, MSC))), octets(number(node(P1, VLR))))
D = aarq(context(1, 3))
MALFORMED = [
    ("an IMSI in pieces", begin(1, invoke(2, seq(tlv(0x24, octets(imsi()[:4]), octets(imsi()[4:])), ctx(1, number("999012")),
                                                octets(number("999011")))), dialogue=D)),
    ("an IMSI with letters", begin(1, invoke(2, seq(octets(b"\xab" + imsi()[1:]), ctx(1, number("999012")), octets(number("999011")))), dialogue=D)),
    ("an IMSI twice", begin(1, invoke(71, seq(ctx(0, ctx(0, imsi()), ctx(1, ONE), made=True)), code=None) if False else
                            invoke(3, ctx(3, octets(imsi()), octets(imsi()), made=True)), dialogue=aarq(context(2, 3)))),
    ("no VLR number", begin(1, invoke(2, seq(octets(imsi()), ctx(1, number("999012")))), dialogue=D)),
    ("no operation code", begin(1, tlv(0xa1, integer(1), UL), dialogue=D)),
    ("two dialogue portions", tlv(0x62, tid(0x48, 1), D, D, components(invoke(2, UL)))),
    ("two component portions", tlv(0x62, tid(0x48, 1), D, components(invoke(2, UL)), components(invoke(2, UL)))),
    ("two transaction identifiers", tlv(0x62, tid(0x48, 1), tid(0x48, 2), D, components(invoke(2, UL)))),
    ("a length beyond the end", begin(1, invoke(2, UL), dialogue=D)[:-1]),
    ("a length of six octets", b"\x62\x86\0\0\0\0\0\x06" + tid(0x48, 1)),
    ("an open length without an end", tlv(0x62, tid(0x48, 1), b"\x6c\x80" + invoke(2, UL))),
    ("nesting without an end", tlv(0x62, tid(0x48, 1), b"\x6c\x80" + b"\xa1\x80" * 60)),
]


def hijack(self):
    """A Continue in the roamer's own dialogue with his home, sent by another network."""
    return cont(0x777, PRELUDE_TID, invoke(7, seq(ctx(1, ONE)), no=5))


LATE = [
    ("insertSubscriberData in a dialogue that nobody began", Raw(lambda s: cont(s.tid, 0x5555, invoke(7, seq(ctx(0, imsi(ROAMER))))),
                                                                who=HLR, to=VLR_US, ssn=VLR), "category.late_request"),
    ("updateLocation in a dialogue that nobody began", Raw(lambda s: cont(s.tid, 0x5556, invoke(2, UL))), "category.late_request"),
    ("updateLocation in an end", Raw(lambda s: end(0x5557, invoke(2, UL))), "category.late_request"),
    ("insertSubscriberData in another's dialogue", Raw(hijack, who=HLR, to=VLR_US, ssn=VLR, frm=P2), "category.home_only"),
]
PRELUDE_TID = 0x1001


def prelude(out):
    """Our SIM registers at P1; P1's subscriber registers with us, his dialogue stays open."""
    inside = dict(src="192.0.2.2", dst="192.0.2.1")
    first = update(OWN)
    for m in first.messages():
        out.add(m)
    called, calling = first.ends()
    out.add(transfer(1, 100, udt(calling, called, end(first.tid, result(2, seq(octets(number(HLR_US)))), dialogue=aare(context(1, 3))))), **inside)
    us, them = title(VLR_US, VLR), title(node(P1, HLR), HLR)
    for tid_, last in (0x1000, True), (PRELUDE_TID, False):
        out.add(transfer(1, 100, udt(them, us, begin(tid_, invoke(2, seq(octets(imsi(ROAMER)), ctx(1, number(MSC_US)), octets(
            number(VLR_US)))), dialogue=aarq(context(1, 3))))), **inside)
        out.add(transfer(100, 1, udt(us, them, cont(0x2000 + tid_, tid_, invoke(7, seq(ctx(1, ONE)), no=9), dialogue=aare(context(1, 3))))))
        out.add(transfer(1, 100, udt(them, us, cont(tid_, 0x2000 + tid_, result(no=9)))), **inside)
        if last:
            out.add(transfer(100, 1, udt(us, them, end(tid_, result(2, seq(octets(number(node(P1, HLR)))))))))


def write(path):
    """Returns the rows, each with the time of its last packet: how a report is told apart."""
    out, rows = Capture(path), []
    prelude(out)
    out.now = float(int(out.now) + 120)
    for name, category, source, refused, ask in all_rows():
        out.now = float(int(out.now) + 1)
        for m in ask.messages():
            out.add(m, after=0)
        rows.append((out.now, name, category, source, refused))
    out.close()
    return rows


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        for row in all_rows():
            print("%-4s %-62s %-30s %s" % (row[1], row[0], row[3], row[2]))
    else:
        print(len(write(sys.argv[1])), "attacks")
