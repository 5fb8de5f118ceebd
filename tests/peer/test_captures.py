"""Traffic that others recorded: a real MME's requests, and a relay that forwarded forged ones."""
import os
import subprocess

import pytest
from conftest import CAPTURE_IMSI
from diameter import S6A, Message, encode_raw, frames, plmn
from merlon import HOME, OWN_MME, ROOT, realm, usim

CAPTURES = os.environ.get("MERLON_CAPTURES") or os.path.join(ROOT, "..", "shared", "captures", "s6a")
ORIGIN_HOST, ORIGIN_REALM, DESTINATION_REALM, VISITED, DESTINATION_HOST = 264, 296, 283, 1407, 293


def requests(name):
    """The Diameter messages of a capture, by direction of each TCP connection, as they went."""
    path = os.path.join(CAPTURES, name)
    if not os.path.exists(path):
        pytest.skip(f"{name} is not here (MERLON_CAPTURES names its folder)")
    rows = subprocess.run(["tshark", "-r", path, "-Y", "tcp.len > 0", "-T", "fields", "-e", "tcp.stream",
                           "-e", "tcp.srcport", "-e", "tcp.payload"], capture_output=True, text=True, check=True)
    flows = {}
    for row in rows.stdout.splitlines():
        stream, port, payload = row.split("\t")
        flows.setdefault((stream, port), []).append(bytes.fromhex(payload))
    for pieces in flows.values():
        left = iter(pieces)
        for data in frames(lambda: next(left, b"")):
            m = Message(data)
            if m.is_request:
                yield m


def rewritten(m, to):
    """The bytes of its AVPs as they were, but for these codes."""
    return b"".join(encode_raw(a.code, a.vendor, to.get(a.code, a.raw), a.flags & 0x7f) for a in m.avps)


def replay(node, m, to):
    return node.ask(m.code, m.app, rewritten(m, to), m.flags, hop_by_hop=m.hop_by_hop)


@pytest.mark.parametrize("whose", ["partner", "own"])
def test_a_real_mmes_requests_are_answered(node, whose):
    """Open5GS attaching twice, with a wrong key in between: AIR, ULR and a resynchronisation."""
    n = node("00101") if whose == "partner" else node("99970", address=OWN_MME)
    to = {ORIGIN_HOST: n.host.encode(), ORIGIN_REALM: n.realm.encode(), DESTINATION_REALM: HOME.encode()}
    if whose == "partner":
        to[VISITED] = plmn("00101")
    asked = [m for m in requests("attach_s1ap_s6a_gx_gtpv2c.pcap") if m.app == S6A]
    assert [m.command for m in asked].count("ULR") == 2 and [m.command for m in asked].count("AIR") == 6
    for m in asked:
        answer = replay(n, m, to)
        assert answer is not None and answer.end_to_end == m.hop_by_hop, m
        assert answer.result == 2001, (m, answer)
        if m.command == "AIR":
            usim(CAPTURE_IMSI).check(answer["Authentication-Info"]["E-UTRAN-Vector"], m_plmn(whose))
        else:
            assert answer["Subscription-Data"]["APN-Configuration-Profile"]


def m_plmn(whose):
    return plmn("00101" if whose == "partner" else "99970")


def forged():
    return [m for m in requests("relay_forged_origin_60pkts.pcap") if m.command == "AIR"]


def test_the_relay_of_the_capture_does_not_become_a_peer(merlon, node):
    """R-5.6.1.h: evil.visited.net, of a network that nobody has an agreement with."""
    m = next(m for m in requests("relay_forged_origin_60pkts.pcap") if m.command == "CER")
    n = node()
    mark = merlon.mark()
    with pytest.raises(Exception):
        n.ask(m.code, m.app, m.bytes[20:], m.flags, timeout=2)["No-Such-AVP"]
    from diameter import Client
    evil = Client(merlon.port, "evil.visited.net", "visited.net")
    assert evil.cea.result == 3010
    merlon.event(mark, event="edge.peer_refused", clause="R-5.6.1.h", origin_host="evil.visited.net")
    evil.close()


def test_what_it_forged_is_refused_from_a_partner_too(merlon, node):
    """R-5.6.1.h: a peer of the visited network that says it is the home's MME. A relay passed it on."""
    n = node("00101")
    asked = forged()
    assert asked and all(m["Origin-Realm"] == "home.net" for m in asked)
    to = {ORIGIN_HOST: f"mme1.{HOME}".encode(), ORIGIN_REALM: HOME.encode(), DESTINATION_REALM: HOME.encode()}
    mark = merlon.mark()
    for m in asked:
        assert replay(n, m, to).result == 5003
    merlon.event(mark, event="edge.refused", check="partner.origin_ours", clause="R-5.6.1.h")
    mark = merlon.mark()
    for m in asked[:3]:  # as recorded: a realm that is neither ours nor the peer's
        assert replay(n, m, {DESTINATION_REALM: HOME.encode()}).result == 5003
    merlon.event(mark, event="edge.refused", check="partner.origin_realm", clause="R-5.6.1.h", network="00101")
    assert realm("00101") == n.realm
