#!/usr/bin/env python3
"""Attacks over Diameter, one row each, written from the public descriptions: GSMA FS.19's categories as public sources give
them (Oracle's and Cisco's Diameter firewalls), Holtmanns and Rao on interconnect attacks (2016), Positive Technologies "Next
generation networks, next level cyber security problems" (2018), ENISA 2018, Mashukov "Diameter security: an auditor's
viewpoint" (2017), P1 Security on S6a.

    dia_corpus.py --list        the rows

The cast is that of map_corpus.py: we are 999-70; partners 001-01 and 001-02, 001-03 is blocked, 505-01 is far away. A row is
sent by a node of its network over a connection that was admitted; {sim} is a SIM of ours that 001-01 serves, {free} one that
nobody serves."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peer"))
from ask import air, ecr, nor, pur, ulr  # noqa: E402
from diameter import S6A, S13, SWX, encode, plmn, vsai  # noqa: E402
from merlon import EDGE_HOST, HOME, HOME_HOST, realm  # noqa: E402

FS19, HR, PT, ENISA, MASHUKOV = "FS.19", "Holtmanns, Rao 2016", "Positive Technologies 2018", "ENISA 2018", "Mashukov 2017"
P1, P2, BLOCKED, FAR = "00101", "00102", "00103", "50501"
ASKS = {"AIR": air, "ULR": ulr, "PUR": pur, "NOR": nor}
CODES = {"AIR": 318, "ULR": 316, "PUR": 321, "NOR": 323, "ECR": 324, "CLR": 317, "IDR": 319, "DSR": 320, "RSR": 322}


class Row:
    """`body(cast)` gives the AVPs; those of the session and of the sender are put before them."""

    def __init__(self, name, category, source, check, command, body, network=P1, app=S6A):
        self.__dict__.update(name=name, category=category, source=source, check=check, network=network, app=app, body=body)
        self.code = CODES.get(command, command)

    def octets(self, host, own_realm, session, cast):
        avps = self.body(cast)
        if isinstance(avps, bytes):
            return avps
        named = {name for name, _ in avps}
        origin = [p for p in (("Origin-Host", host), ("Origin-Realm", own_realm)) if p[0] not in named]
        return encode([("Session-Id", session)] + origin + list(avps))


SPOOFS = [
    ("in another partner's realm", "partner.origin_realm", HR, dict(Origin_Realm=realm(P2), Origin_Host=f"mme.{realm(P2)}")),
    ("in our own realm", "partner.origin_ours", HR, dict(Origin_Realm=HOME, Origin_Host=f"mme.{HOME}")),
    ("in our HSS's name", "partner.origin_ours", MASHUKOV, dict(Origin_Host=HOME_HOST)),
    ("from a host of another realm", "partner.origin_host", PT, dict(Origin_Host=f"mme.{realm(P2)}")),
    ("by a route through another network", "partner.route_record", FS19, dict(Route_Record=f"dra.{realm(P2)}")),
    ("by a route through us", "partner.route_record", FS19, dict(Route_Record=f"mme.{HOME}")),
    ("to an internal host", "partner.dest_internal", PT, dict(Destination_Host=HOME_HOST)),
    ("to another network, through us", "partner.dest_realm", FS19, dict(Destination_Realm=realm(P2))),
]
# FS.19 category 1: interfaces that end inside a network. Application, command, what it is for.
INSIDE = [
    (16777216, 303, "Cx: keys of a subscriber's IMS"), (16777217, 306, "Sh: user data and location"), (16777238, 272, "Gx: policies"),
    (16777236, 265, "Rx: media"), (16777312, 8388647, "S6c: routing of short messages"), (16777255, 8388620, "SLg: location"),
    (16777291, 8388622, "SLh: who can locate"), (16777310, 8388641, "S6m: identities by external identifier"),
    (16777313, 8388645, "SGd: short messages"), (SWX, 303, "SWx: keys for Wi-Fi"), (16777272, 265, "S6b: gateways"),
    (16777266, 272, "Gy: charging"), (4, 272, "Ro: charging"), (16777302, 8388635, "Sy: counters"), (16777345, 8388718, "S6t: monitoring"),
    (16777346, 8388733, "T6a: non-IP data"),
]
HOME_ASKS = {
    "CLR": (dict(Cancellation_Type=2), "denial of service"), "IDR": (dict(Subscription_Data=[("Subscriber-Status", 0)]), "change of the profile"),
    "DSR": (dict(DSR_Flags=2), "loss of the profile"),
}


def to_edge(imsi, **other):
    return [vsai(), ("Auth-Session-State", 1), ("Destination-Realm", HOME), ("Destination-Host", EDGE_HOST), ("User-Name", imsi)] + [
        (k.replace("_", "-"), v) for k, v in other.items()]


def inside(app):
    # what the one of them that we know wants (TS 29.273 8.2.2.1)
    more = [("SIP-Number-Auth-Items", 1), ("SIP-Auth-Data-Item", [("SIP-Authentication-Scheme", "EAP-AKA")]), ("RAT-Type", 0),
            ("ANID", "WLAN")] if app == SWX else []
    return lambda cast: [vsai(app), ("Auth-Session-State", 1), ("Destination-Realm", HOME), ("User-Name", cast["sim"])] + more


def spoofed():
    for how, check, source, other in SPOOFS:
        for command, make in ASKS.items():
            yield Row(f"{command} {how}", "0", source, check, command, lambda cast, make=make, other=other: make(cast["sim"], **other))
        yield Row(f"ECR {how}", "0", source, check, "ECR", lambda cast, other=other: ecr("35390000000001", **other), app=S13)
    for command in ("AIR", "ULR"):
        yield Row(f"{command} for another visited network", "3", HR, "partner.visited_plmn", command,
                  lambda cast, make=ASKS[command]: make(cast["sim"], visited=P2))


def category_1():
    for app, code, what in INSIDE:
        yield Row(what, "1", FS19, "category.application", code, inside(app), app=app)
    for command, code, app in (("ECR under S6a", 324, S6A), ("AIR under S13", 318, S13), ("ULR under S13", 316, S13), ("CCR under S6a", 272, S6A),
                               ("a command that nobody has", 8388999, S6A)):
        yield Row(command, "1", FS19, "category.command", code, inside(app), app=app)


def category_2():
    for command, (other, why) in HOME_ASKS.items():
        yield Row(f"{command} about our own subscriber: {why}", "2", HR, "category.own_subscriber", command,
                  lambda cast, other=other: to_edge(cast["sim"], **other))
        yield Row(f"{command} by a network that is not his home", "2", HR, "category.home_only", command,
                  lambda cast, other=other: to_edge("001010000000009", **other), network=P2)
        yield Row(f"{command} about who is not here", "2", PT, "category.registered_roamer", command,
                  lambda cast, other=other: to_edge("001010000000010", **other))
        yield Row(f"{command} by a blocked network", "2", FS19, "partner.peer_blocked", command,
                  lambda cast, other=other: to_edge("001030000000010", **other), network=BLOCKED)
        yield Row(f"{command} in the name of another home", "2", HR, "partner.origin_realm", command,
                  lambda cast, other=other: to_edge("001020000000010", Origin_Realm=realm(P2), Origin_Host=f"hss.{realm(P2)}", **other))


def category_3():
    for command, make in ASKS.items():
        yield Row(f"{command} about a subscriber of another partner", "3", FS19, "category.foreign_imsi", command,
                  lambda cast, make=make: make("001020000000001"))
        yield Row(f"{command} about a subscriber of nobody we know", "3", FS19, "category.foreign_imsi", command,
                  lambda cast, make=make: make("262990000000001"))
        yield Row(f"{command} by a blocked network", "3", FS19, "partner.peer_blocked", command,
                  lambda cast, make=make: make(cast["sim"], **({"visited": BLOCKED} if make in (air, ulr) else {})), network=BLOCKED)
    for command in ("AIR", "ULR"):
        make = ASKS[command]
        yield Row(f"{command} about an IMSI of our ranges that is no subscriber", "3", ENISA, "subscriber.unknown", command,
                  lambda cast, make=make: make("999709999999997"))
        yield Row(f"{command} from the other end of the world", "3", "FS.19: velocity", "plausibility.velocity", command,
                  lambda cast, make=make: make(cast["sim"], visited=FAR), network=FAR)
    for command in ("PUR", "NOR"):
        yield Row(f"{command} by a node that does not serve him", "3", HR, "plausibility.serving_host", command,
                  lambda cast, make=ASKS[command]: make(cast["sim"]))
    yield Row("ULR by a radio technology that his profile does not have", "3", "CLP.14 5.1", "subscriber.rat", "ULR",
              lambda cast: ulr(cast["free"], rat=1001))


def raw(imsi, *more):
    """An AIR's AVPs up to the ones that are wrong."""
    return encode([("Session-Id", "attack;1"), ("Origin-Host", f"attacker.{realm(P1)}"), ("Origin-Realm", realm(P1))] + air(imsi)) + b"".join(more)


def category_0():
    """Not to be parsed (RFC 6733 7.1.5): answered by the parser, no check is needed."""
    rows = [
        ("AIR without a User-Name", lambda cast: air(cast["sim"], User_Name=None)),
        ("AIR without a Visited-PLMN-Id", lambda cast: air(cast["sim"], Visited_PLMN_Id=None)),
        ("AIR with two User-Names", lambda cast: raw(cast["sim"], encode([("User-Name", "001010000000001")]))),
        ("AIR with two Origin-Hosts", lambda cast: raw(cast["sim"], encode([("Origin-Host", HOME_HOST)]))),
        ("AIR with two Visited-PLMN-Ids", lambda cast: raw(cast["sim"], encode([("Visited-PLMN-Id", plmn(P2))]))),
        ("AIR with an IMSI of 30 digits", lambda cast: air("9" * 30)),
        ("AIR with an IMSI of letters", lambda cast: air("99970abcdefghij")),
        ("AIR with a PLMN of two octets", lambda cast: air(cast["sim"], Visited_PLMN_Id=b"\x00\xf1")),
        ("AIR with an AVP that ends outside", lambda cast: raw(cast["sim"], b"\0\0\1\x1b\x40\0\xff\xff")),
        ("AIR with an AVP shorter than its head", lambda cast: raw(cast["sim"], b"\0\0\1\x1b\x40\0\0\4")),
    ]
    for name, body in rows:
        yield Row(name, "0", "RFC 6733 7.1.5; " + FS19, "malformed", "AIR", body)


def all_rows():
    for part in (spoofed, category_1, category_2, category_3, category_0):
        yield from part()


if __name__ == "__main__":
    for row in all_rows():
        print("%-4s %-70s %-30s %s" % (row.category, row.name, row.check, row.source))
    print(sum(1 for _ in all_rows()), "attacks", file=sys.stderr)
