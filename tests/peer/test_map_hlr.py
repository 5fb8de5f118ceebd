"""VLRs, SGSNs and SMS centres ask home by MAP, over M3UA and SCTP (R-5.1.b, R-5.1.c, R-5.1.e)."""
import os
import shutil
import signal
import subprocess
import sys

import pytest
from ask import ulr
from diameter import Client, poll
from gsup import gsm_of
from m3ua import Pipe, connect
from map_node import Net, digits, offer, submit, within
from merlon import HOME, ROOT, Merlon, free_port, keys, usim
from milenage import f1, f2345, kasme, xor
from process import roles

sys.path.insert(0, os.path.join(ROOT, "tests", "attacks"))
from ss7 import *  # noqa: E402, F403

HLR_NO, VLR_NO, VLR_2, MSC_NO, SGSN_NO, SGSN_2, SMSC_NO = (
    "99970000", "99901100", "99901101", "99901200", "99901300", "99902300", "99970600")
APN = "apn1=trackers.iot:ipv4:9:12:100000:100000"
PROFILES = {"tracker": ["rats=geran utran wb-eutran", "services=sms-mo sms-mt", "tau_s=7200", APN,
                        "apn2=service.iot:ipv4v6:9:12:1000:1000"],
            "many": ["rats=geran utran", "services=sms-mt", *(
                f"apn{i}={'a' * 40}{i}.{'b' * 18}:ipv4:9:12:1000:1000" for i in (1, 2, 3, 4))],
            "utran": ["rats=utran", "services=voice", APN],
            "lte": ["rats=wb-eutran nb-iot", "services=sms-mt", APN],
            "data": ["rats=geran", APN],
            "listed": ["rats=geran", "services=sms-mo ussd", "sms_to=999700001 999700002", APN],
            "barred": ["rats=geran utran", "services=voice", "odb=8", APN],
            "abroad": ["rats=geran utran wb-eutran", "services=sms-mt", "countries=001", APN],
            "moved": ["rats=geran", "services=sms-mt", APN, "apn2=gone.iot:ipv4:9:12:1000:1000"]}
HEADER = "imsi,msisdn,alg,k,opc,amf,tenant,profile".split(",")
EACH = 40
POINT, HOME_POINT = 100, 1


@pytest.fixture(scope="module")
def hlr(work):
    sctp, udp, pipe = free_port(), [free_port() for _ in range(2)], free_port()
    m = Merlon(os.path.join(work, "hlr"), roles="keeper, home, watch", home={
        "m3ua": [f"listen sctp:127.0.0.1:{sctp}?udp={udp[0]} context=7"], "map_number": HLR_NO,
        "map_point_code": HOME_POINT, "map_gateway": POINT, "map_smsc": SMSC_NO, "map_ussd": "99970900"})
    m.cards, m.pipe_port, line = {}, pipe, None
    try:
        m.wait_up()
        m.set("network", "99970", numbers="99970")
        m.set("network", "00101", numbers="99901", trust="trusted", apps="s6a map")
        m.set("network", "00102", numbers="99902", trust="trusted", apps="s6a map")
        rows = []
        for n, (name, fields) in enumerate(PROFILES.items()):
            m.run("set", "profile", name, "tenant=cars", "priority=normal", "binding=refuse", *fields)
            imsis = [f"99970{n + 1}88{i:07d}" for i in range(EACH)]
            m.cards[name] = iter(imsis)
            for imsi in imsis:
                k, opc = keys(imsi)
                rows.append({"imsi": imsi, "msisdn": "9997" + imsi[5:], "alg": "milenage", "k": k.hex(),
                             "opc": opc.hex(), "amf": "8000", "tenant": "cars", "profile": name})
        m.import_csv(HEADER, rows)
        line = Pipe(f"tcp:127.0.0.1:{pipe}", f"sctp:127.0.0.1:{sctp}?udp={udp[1]}/{udp[0]}")
        yield m
    finally:
        code = m.stop()
        if line:
            line.stop()
    assert code == 0, f"merlon run ended with {code}: {m.tail()}"


@pytest.fixture(scope="module")
def net(hlr, work):
    peer = connect(hlr.pipe_port, context=7)
    assert peer.active.wait(10)
    path = os.path.join(work, "map.pcap")
    n = Net(peer, Capture(path), HLR_NO, POINT, HOME_POINT)
    n.path = path
    n.again = lambda: n.join(connect(hlr.pipe_port, context=7))
    yield n
    n.peer.close()


@pytest.fixture(scope="module")
def vlr(net):
    return net.node(VLR_NO, VLR)


@pytest.fixture(scope="module")
def sgsn(net):
    return net.node(SGSN_NO, SGSN)


@pytest.fixture
def card(hlr):
    return lambda profile="tracker": next(hlr.cards[profile])


def imsi_of(imsi):
    return octets(tbcd(imsi))


def vectors(node, imsi, version=3, n=5, pack=udt, more=b"", ssn=HLR):
    argument = seq(ctx(0, tbcd(imsi)), integer(n), more) if version == 3 else imsi_of(imsi)
    return node.ask(56, argument, 14, version, pack=pack, ssn=ssn)


def update(node, imsi, version=3, number_=None, more=b"", **how):
    return node.update(2, seq(imsi_of(imsi), ctx(1, number(MSC_NO)), octets(number(number_ or node.number)), more), 1, version, **how)


def update_gprs(node, imsi, more=b"", **how):
    return node.update(23, seq(imsi_of(imsi), octets(number(node.number)), octets(b"\x04\xc0\x00\x02\x07"), more), 32, 3, **how)


def only(m, what="result"):
    (kind, _, code, nodes), = m.parts
    assert m.kind == "end" and kind == what, (m.kind, m.parts)
    return code, nodes


def error_of(m):
    code, nodes = only(m, "error")
    cause = None
    if nodes:
        tag, value = nodes[0]
        cause = (value[0][1] if tag == SEQUENCE else value)[0]
    return code, cause


def done(m, number_=HLR_NO):
    code, nodes = only(m)
    assert digits(within(nodes, SEQUENCE, OCTETS)[1:]) == number_
    return code


# --- authentication

def quintuplet(imsi, nodes):
    rand, xres, ck, ik, autn = (v for _, v in nodes)
    k, opc = keys(imsi)
    res, ck_, ik_, ak = f2345(k, opc, rand)
    sqn, amf = xor(autn[:6], ak), autn[6:8]
    assert autn[8:] == f1(k, opc, rand, sqn, amf) and not amf[0] & 0x80
    assert (xres, ck, ik) == (res, ck_, ik_)
    return int.from_bytes(sqn, "big")


def test_version_3_gets_quintuplets_as_many_as_its_messages_hold(vlr, sgsn, card):
    """R-5.2.2.a: two in a message that the network carries whole, five for who speaks XUDT."""
    imsi = card()
    _, nodes = only(vectors(vlr, imsi))
    short = within(nodes, 0xa3, 0xa1)
    _, nodes = only(vectors(sgsn, imsi, pack=xudt))
    long_ = within(nodes, 0xa3, 0xa1)
    sqn = [quintuplet(imsi, v) for _, v in short + long_]
    assert len(short) == 2 and len(long_) == 5 and sqn[0] & 31 != sqn[2] & 31, "an IND for each domain"
    assert sqn[:2] == sorted(set(sqn[:2])) and sqn[2:] == sorted(set(sqn[2:]))


def test_version_2_gets_triplets(vlr, card):
    """R-5.2.1.b"""
    imsi = card()
    _, nodes = only(vectors(vlr, imsi, 2))
    found = [tuple(v for _, v in t) for _, t in within(nodes, SEQUENCE)]
    assert len(found) >= 4
    for rand, sres, kc in found:
        assert (sres, kc) == gsm_of(imsi, rand)
    assert error_of(vectors(vlr, card("utran"), 2)) == (34, None), "triplets are of GERAN"


def test_an_mme_behind_it_gets_eps_vectors(vlr, card):
    imsi, plmn = card(), bytes.fromhex("00f110")
    _, nodes = only(vectors(vlr, imsi, more=ctx(3, b"\x10") + ctx(4, plmn)))
    found = within(nodes, 0xa3, 0xa2)
    assert len(found) == 2
    for _, e in found:
        rand, xres, autn, key = (v for _, v in e)
        k, opc = keys(imsi)
        res, ck, ik, ak = f2345(k, opc, rand)
        assert xres == res and autn[6] & 0x80 and key == kasme(ck, ik, plmn, autn[:6])
    assert error_of(vectors(vlr, imsi, more=ctx(3, b"\x10")))[0] == 35, "KASME is of a network"


def test_resynchronisation_moves_the_sequence_and_a_forged_one_does_not(vlr, hlr, card):
    """TS 33.102 6.3.5, R-5.6.2.d."""
    imsi, since = card(), hlr.mark()
    first = within(only(vectors(vlr, imsi))[1], 0xa3, 0xa1)[0][1]
    ahead, rand = quintuplet(imsi, first) + (1 << 24), first[0][1]
    auts = bytearray(usim(imsi).auts(rand, ahead))

    def again():
        m = vlr.ask(56, seq(ctx(0, tbcd(imsi)), integer(1), seq(octets(rand), octets(bytes(auts)))), 14)
        return quintuplet(imsi, within(only(m)[1], 0xa3, 0xa1)[0][1])
    auts[-1] ^= 1
    assert again() < ahead
    auts[-1] ^= 1
    assert again() > ahead
    hlr.event(since, event="home.resync", genuine=1, clause="R-5.6.2.d")


def test_who_is_not_served_is_told_so_and_only_the_unknown_is_locked(vlr, sgsn, hlr, card):
    """R-5.1.b, R-5.1.c, R-5.7.1.a"""
    assert error_of(vectors(vlr, "999709999999999"))[0] == 1
    assert error_of(vectors(vlr, card("data")))[0] == 1, "no circuit-switched service: that domain alone"
    assert error_of(vectors(sgsn, card("lte")))[0] == 34
    for node, tell in ((vlr, update), (sgsn, update_gprs)):
        assert error_of(tell(node, "999709999999999")[0])[0] == 1
        assert error_of(tell(node, card("lte"))[0]) == (8, 0)
    imsi = card()
    hlr.set("subscription", imsi, life="suspended")
    poll(lambda: error_of(update(vlr, imsi)[0]) == (8, 3), 10, "suspended: operator determined barring")
    assert error_of(vectors(vlr, imsi))[0] == 34


# --- registration

def test_a_vlr_is_told_the_services_of_the_profile_and_nothing_else(vlr, card):
    """R-5.1.b, R-5.1.c: MSISDN, SMS, no voice; what is barred by radio; then it serves."""
    imsi = card()
    m, (data,) = update(vlr, imsi)
    assert done(m) == 2 and m.context is None
    assert digits(within(data, 0x81)[1:]) == "9997" + imsi[5:]
    assert within(data, 0x83) == b"\0" and within(data, 0xa6) == [(4, b"\x21"), (4, b"\x22")]
    assert {t for t, _ in data} == {0x81, 0x82, 0x83, 0xa6, 0x98, 0x93}
    assert within(data, 0x93)[1] & 0xc0 == 0, "UTRAN and GERAN are allowed"
    m, (data,) = update(vlr, card("utran"))
    assert done(m) == 2 and within(data, 0x93)[1] & 0xc0 == 0x40, "GERAN is not"
    m, (data,) = update(vlr, card(), version=2)
    assert done(m) == 2 and {t for t, _ in data} == {0x81, 0x82, 0x83, 0xa6}, "version 2 knows no more"


def test_an_sgsn_is_told_its_contexts_in_as_many_messages_as_they_need(sgsn, card):
    """R-5.1.b: the APNs of the profile, complete, no wildcard; a timer; in parts that a UDT holds."""
    imsi = card()
    m, parts = update_gprs(sgsn, imsi)
    assert done(m) == 23
    found = [c for p in parts for _, c in within(p, 0xb0, 0xa1) or []]
    assert [(within(c, INTEGER), within(c, 0x90).hex(), within(c, 0x94)) for c in found] == [
        (b"\1", "f121", b"\x08trackers\x03iot"), (b"\2", "f121", b"\x07service\x03iot")]
    assert within(found[1], 0x86).hex() == "f18d" and within(parts[0], 0xb0, NULL) == b""
    assert int.from_bytes(within(parts[0], 0x9f24), "big") == 7200
    m, parts = update_gprs(sgsn, card("many"))
    assert done(m) == 23 and len(parts) >= 3
    assert sum(len(within(p, 0xb0, 0xa1) or []) for p in parts) == 4
    assert [within(p, 0xb0, NULL) is not None for p in parts if within(p, 0xb0)] == [True] + [False] * (len(parts) - 2)


def test_a_move_cancels_the_node_before_and_not_that_of_the_other_domain(net, vlr, sgsn, card):
    imsi = card()
    done(update(vlr, imsi)[0])
    done(update_gprs(sgsn, imsi)[0])
    done(update(vlr, imsi)[0])
    assert vlr.silent() is None and sgsn.silent() is None
    done(update(net.node(VLR_2, VLR), imsi)[0])
    m = vlr.asked(3)
    assert m.context == (2, 3)
    assert within(m.parts[0][3], 0xa3, OCTETS) == tbcd(imsi) and within(m.parts[0][3], 0xa3, ENUM) == b"\0"
    vlr.accept(m)
    done(update_gprs(net.node(SGSN_2, SGSN), imsi)[0])
    sgsn.accept(sgsn.asked(3))
    assert vlr.silent() is None and sgsn.silent() is None


def test_s6a_and_map_are_one_history(hlr, sgsn, vlr, card):
    """The MME that served hears CLR when an SGSN of Gr registers, and the SGSN cancelLocation when an MME does;
    a VLR stands beside both (TS 23.401 D.3)."""
    imsi = card()
    m = Client(hlr.home_port, f"mme1.{HOME}", HOME)
    try:
        done(update(vlr, imsi)[0])
        assert m.request("ULR", ulr(imsi, "99970")).result == 2001
        done(update_gprs(sgsn, imsi)[0])
        assert m.expect("CLR", imsi), "the MME hears of it"
        assert m.request("ULR", ulr(imsi, "99970")).result == 2001
        sgsn.accept(sgsn.asked(3))
        assert vlr.silent() is None
    finally:
        m.close()


def test_roaming_is_where_the_nodes_number_is(vlr, net, card):
    """R-5.1.b: the profile's countries; a number that is nobody's is in none of them."""
    done(update(vlr, card("abroad"))[0])
    done(update(net.node(SGSN_2, VLR), card("abroad"), number_=SGSN_2)[0])
    stranger = net.node("4670000001", VLR)
    assert error_of(update(stranger, card("abroad"))[0]) == (8, 0)
    assert error_of(vectors(stranger, card("abroad")))[0] == 34


def test_a_bar_is_told_and_a_node_that_cannot_carry_it_out_does_not_serve(vlr, card):
    """R-5.7.3.b: all outgoing calls barred."""
    imsi = card("barred")
    m, (data,) = update(vlr, imsi)
    assert done(m) == 2 and within(data, 0x83) == b"\1" and within(data, 0xa8, 3) == b"\x06\x80\0\0"
    m, _ = update(vlr, card("barred"), result=seq(ctx(4, b"\x06\x80\0\0")))
    assert error_of(m) == (8, 3)


def test_purge_freezes_only_for_who_serves(vlr, net, sgsn, card):
    imsi = card()
    done(update(vlr, imsi)[0])
    done(update_gprs(sgsn, imsi)[0])

    def purge(node, which, no):
        m = node.ask(67, ctx(3, imsi_of(imsi), ctx(which, number(no)), made=True), 27)
        return [t for t, _ in within(only(m)[1], SEQUENCE) or []]
    assert purge(net.node(VLR_2, VLR), 0, VLR_2) == []
    assert purge(vlr, 0, VLR_NO) == [0x80] and purge(sgsn, 1, SGSN_NO) == [0x81]
    m = vlr.ask(67, seq(imsi_of(imsi), octets(number(VLR_NO))), 27, 2)
    assert only(m) == (None, [])


def test_restored_data_go_to_the_vlr_that_serves_and_to_no_other(vlr, net, card):
    imsi = card()
    done(update(vlr, imsi)[0])
    m, (data,) = vlr.update(57, seq(imsi_of(imsi)), 1)
    assert done(m) == 57 and digits(within(data, 0x81)[1:]) == "9997" + imsi[5:]
    m, none = net.node(VLR_2, VLR).update(57, seq(imsi_of(imsi)), 1)
    assert error_of(m)[0] == 34 and not none


def test_the_device_of_an_update_is_kept_and_a_stranger_is_refused(vlr, hlr, card):
    """R-5.1.1.2.b"""
    imsi, own, other = card(), "35390000000001", "35390000000002"
    hlr.set("subscription", imsi, imei=own)

    def with_device(imei):
        return update(vlr, imsi, more=ctx(13, ctx(0, tbcd(imei + "01")), made=True))[0]
    poll(lambda: with_device(other).parts[0][0] == "error", 10, "the binding in the serving copy")
    done(with_device(own))
    assert error_of(with_device(other)) == (8, 3)


def test_check_imei_in_all_versions(net, hlr):
    """R-5.7.3.a"""
    msc = net.node(MSC_NO, MSC)
    hlr.set("equipment", "35316609000002", list="black")

    def ask(imei, version):
        argument = octets(tbcd(imei + "01"))
        _, nodes = only(msc.ask(43, seq(argument) if version == 3 else argument, 13, version, ssn=EIR))
        return within(nodes, SEQUENCE, ENUM) if version == 3 else within(nodes, ENUM)
    poll(lambda: ask("35316609000002", 3) == b"\1", 10, "the blacklist")
    assert [ask("35316609000002", v) for v in (1, 2)] == [b"\1", b"\1"]
    assert [ask("35316609000009", v) for v in (1, 2, 3)] == [b"\0"] * 3


def test_a_failed_authentication_is_an_event(vlr, hlr, card):
    imsi, since = card(), hlr.mark()
    assert only(vlr.ask(15, seq(imsi_of(imsi), enum(1)), 39)) == (None, [])
    hlr.event(since, event="home.auth_failure", cause="wrong network signature", clause="R-5.6.2.d")


# --- short messages, USSD

def route(net, imsi, version=3, centre=SMSC_NO):
    gmsc = net.node(centre, MSC)
    return gmsc.ask(45, seq(ctx(0, number("9997" + imsi[5:])), ctx(1, b"\1"), ctx(2, number(centre))), 20, version)


def test_where_a_short_message_goes_is_told_only_if_the_profile_has_sms(net, vlr, sgsn, card):
    """R-5.1.c: by the number alone; to the MSC, or the SGSN."""
    imsi = card()
    assert error_of(route(net, imsi)) == (6, 1), "absent"
    done(update_gprs(sgsn, imsi)[0])
    _, nodes = only(route(net, imsi))
    assert digits(within(nodes, SEQUENCE, 0xa0, 0x81)[1:]) == SGSN_NO and within(nodes, SEQUENCE, 0xa0, 0x85) == b""
    done(update(vlr, imsi)[0])
    for version in (1, 2, 3):
        _, nodes = only(route(net, imsi, version))
        assert digits(within(nodes, SEQUENCE, OCTETS)) == imsi
        assert digits(within(nodes, SEQUENCE, 0xa0, 0x81)[1:]) == MSC_NO
    assert error_of(route(net, card("data")))[0] == 11
    assert error_of(route(net, "99970" + "9" * 10))[0] == 1


def test_a_short_message_goes_only_to_the_numbers_of_the_profile(net, hlr, card):
    """R-5.1.e: what is listed is handed on to the centre as it came, the rest is refused."""
    msc, centre, imsi = net.node(MSC_NO, MSC), net.node(SMSC_NO, MSC), card("listed")

    def send(to, of=imsi):
        return msc.begin(46, seq(ctx(4, number(SMSC_NO)), ctx(2, number("9997" + of[5:])), octets(submit(to)), imsi_of(of)),
                         21, ssn=MSC)
    tid = send("999700001")
    m = centre.asked(46)
    assert int.from_bytes(m.otid, "big") == tid and m.context == (21, 3)
    since = hlr.mark()
    assert error_of(msc.answer(send("999700003"))) == (32, 5), "invalidSME-Address"
    hlr.event(since, event="home.service_refused", clause="R-5.1.e")
    assert error_of(msc.answer(send("999700001", card("data")))) == (32, 6)
    tid = send("4670000001", card())
    assert int.from_bytes(centre.asked(46).otid, "big") == tid, "no list: anywhere"


def test_ussd_is_barred_unless_the_profile_declares_it(net, vlr, hlr, card):
    """R-5.2.b"""
    def ask(imsi):
        return vlr.begin(59, seq(octets(b"\x0f"), octets(b"*100#")), 19, 2, user=map_open(number(imsi, 0x96)))
    since = hlr.mark()
    assert error_of(vlr.answer(ask(card())))[0] == 13
    hlr.event(since, event="home.service_refused", clause="R-5.2.b")
    tid = ask(card("listed"))
    assert int.from_bytes(net.node("99970900", HLR).asked(59).otid, "big") == tid
    assert error_of(vlr.ask(10, seq(octets(b"\x21")), 18, 2))[0] == 16, "supplementary services"


# --- dialogues

def test_versions_are_negotiated_and_what_is_unknown_is_rejected(vlr, sgsn, card):
    """TS 29.002 5.3: an abort that offers the version which is served."""
    imsi = card()
    for ac, asked, offered in ((1, 4, 3), (32, 2, 3), (14, 7, 3)):
        m = vlr.begin(2, seq(imsi_of(imsi), ctx(1, number(MSC_NO)), octets(number(VLR_NO))), ac, asked)
        m = vlr.answer(m)
        assert (m.kind, m.context, m.accepted) == ("abort", (ac, offered), False)
    m = vlr.ask(71, seq(), 29)
    assert (m.kind, m.accepted) == ("abort", False), "a context of nobody's here"
    m = update(vlr, imsi, version=1)[0]
    assert (m.kind, m.p_abort) == ("abort", b"\3"), "registration of version 1 cannot be told of bars"
    m = vlr.ask(56, octets(tbcd(imsi)), 1)
    assert m.parts == [("reject", 1, 1, [])], "not an operation of this context"
    m = vlr.ask(56, seq(ctx(0, b"")), 14)
    assert m.parts == [("reject", 1, 2, [])], "mistyped"
    m = vlr.ask(2, seq(imsi_of(imsi)), 1)
    assert error_of(m) == (35, None), "dataMissing"


def test_a_request_may_follow_its_begin(vlr, card):
    """TS 29.002 17.1.6: where a context leaves no room for the argument."""
    imsi = card()
    tid = vlr.begin(0, b"", 14, parts=[])
    m = vlr.answer(tid)
    assert (m.kind, m.context, m.accepted, m.parts) == ("continue", (14, 3), True, [])
    vlr.goes_on(tid, m, invoke(56, seq(ctx(0, tbcd(imsi)), integer(2)), no=4))
    m = vlr.answer(tid)
    assert m.context is None and m.parts[0][:3] == ("result", 4, 56)


def test_a_request_in_segments_is_read_as_one(sgsn, card):
    _, nodes = only(vectors(sgsn, card(), pack=lambda a, b, d: split(a, b, d, 40, 99)))
    assert len(within(nodes, 0xa3, 0xa1)) == 5


def test_what_belongs_to_no_dialogue_is_aborted_and_garbage_is_not_answered(net, vlr, hlr, card):
    vlr.net.say(vlr, cont(77, 0x12345678, result(7)))
    m = vlr.hear(lambda m: m.dtid == (77).to_bytes(4, "big"))
    assert (m.kind, m.p_abort) == ("abort", b"\1")
    for junk in (b"\x62\x80", b"\x62\x06\x48\x04" + bytes(4) + b"\xff", b"\xe2\x03abc", b"", bytes(30)):
        net.say(vlr, junk)
    assert only(vectors(vlr, card()))[0] == 56
    assert 'merlon_home_map_dropped_total{role="home",reason="tcap"} 0' not in hlr.metrics()


PDUS = os.path.join(os.environ.get("MERLON_CAPTURES_MAP") or os.path.join(ROOT, "..", "shared", "captures", "map"), "tcap_pdus.hex")


def recorded():
    """The begins that others recorded; long ones go over two lines."""
    if not os.path.exists(PDUS):
        pytest.skip("the recorded messages are not here (MERLON_CAPTURES_MAP names their folder)")
    found = []
    with open(PDUS, encoding="ascii") as f:
        for line in f:
            data = bytes.fromhex(line.strip())
            if data and data[0] in (0x61, 0x62, 0x64, 0x65, 0x67):
                found.append(data)
            elif data:
                found[-1] += data
    return [d for d in found if d[0] == 0x62]


def test_messages_of_others_are_answered_in_words_that_are_right(net, vlr, card):
    """What real nodes sent, about subscribers of nobody's here and in contexts that are not an HLR's: Wireshark reads the
    answers below."""
    sent = recorded()
    for data in sent:
        at = data.index(b"\x48") + 1
        tid = data[at + 1:at + 1 + data[at]]
        vlr.net.say(vlr, data, pack=udt if len(data) < 230 else lambda a, b, d: split(a, b, d, 150, len(d)))
        m = vlr.hear(lambda m: m.dtid == tid)
        assert m.kind in ("end", "abort", "continue"), data.hex()
        assert not any(p[0] == "result" for p in m.parts), data.hex()
    assert len(sent) >= 5
    done(update(vlr, card())[0])


# --- what home tells by itself

def follow(node, message, keep_open):
    """Take what home tells, in one dialogue that is left open, or in one for each part: (operation, argument)."""
    found = [(message.parts[0][2], message.parts[0][3][0][1])]
    if not keep_open:
        node.accept(message)
        return found
    tid = node.accept(message, close=False)
    while True:
        m = node.hear(lambda m: m.dtid == tid.to_bytes(4, "big"), 20)
        if m.kind == "end":
            return found
        found.append((m.parts[0][2], m.parts[0][3][0][1]))
        node.goes_on(tid, m, result(no=m.parts[0][1]))


def test_a_changed_profile_is_told_and_a_withdrawn_service_taken_back(vlr, sgsn, hlr, card):
    """R-5.1.b: what is gone is deleted, then what holds is inserted, in both nodes."""
    imsi = card("moved")
    done(update(vlr, imsi)[0])
    done(update_gprs(sgsn, imsi)[0])
    hlr.set("profile", "moved", rats="geran", services="voice", apn1="trackers.iot:ipv4:9:12:100000:100000", apn2="")
    told = {vlr: [], sgsn: []}

    def both():
        for node, keep_open in ((vlr, True), (sgsn, False)):
            m = node.silent(0.1)
            if m and m.kind == "begin":
                told[node] += follow(node, m, keep_open)
        return all(7 in [op for op, _ in found] for found in told.values())
    poll(both, 40, lambda: f"told {told}")
    assert all(within(a, 0x80) == tbcd(imsi) for found in told.values() for _, a in found)
    assert [(INTEGER, b"\2")] in [within(a, 0xaa, SEQUENCE) for op, a in told[sgsn] if op == 8], "the context that is gone"
    assert {v for _, v in within(told[vlr][0][1], 0xa1)} == {b"\x21", b"\x22"}, "SMS is withdrawn"
    data = [a for op, a in told[vlr] if op == 7][-1]
    assert within(data, 0xa6) == [(OCTETS, b"\x11")]
    data = [a for op, a in told[sgsn] if op == 7][-1]
    assert len(within(data, 0xb0, 0xa1)) == 1


def test_a_suspended_subscription_is_cancelled_also_in_a_node_of_version_2(vlr, hlr, card):
    """R-5.7.1.a; TS 29.002 5.3: the node offers version 2, and is asked in that."""
    imsi = card()
    done(update(vlr, imsi)[0])
    hlr.set("subscription", imsi, life="suspended")
    m = vlr.asked(3, 20)
    assert m.context == (2, 3) and within(m.parts[0][3], 0xa3, ENUM) == b"\1"
    vlr.net.say(vlr, offer(m, 2))
    m = vlr.asked(3, 20)
    assert m.context == (2, 2) and within(m.parts[0][3], OCTETS) == tbcd(imsi)
    vlr.accept(m)


def test_a_registration_survives_a_kill_and_its_cancellation_too(net, vlr, hlr, card):
    """What was answered is durable: after kill -9 of home the move still cancels the VLR before."""
    imsi = card()
    done(update(vlr, imsi)[0])
    pid = roles(hlr.process.pid)["home"]
    os.kill(pid, signal.SIGKILL)
    poll(lambda: roles(hlr.process.pid).get("home", pid) != pid, 20, "home again")

    def up():
        net.again()
        return net.peer.active.wait(3)
    poll(up, 40, "the link again")
    done(update(net.node(VLR_2, VLR), imsi)[0])
    vlr.accept(vlr.asked(3, 20))


def test_nodes_are_told_of_a_reset(vlr, sgsn, hlr, card):
    done(update(vlr, card())[0])
    with open(os.path.join(hlr.data_dir, "spool", "reset"), "wb"):
        pass
    m = vlr.asked(37, 20)
    assert m.context == (10, 2) and digits(within(m.parts[0][3], SEQUENCE, OCTETS)[1:]) == HLR_NO


# --- Wireshark, which we did not write, reads it all

def test_tshark_has_no_complaint_about_our_map(net):
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    net.capture.file.flush()
    command = ["tshark", "-r", net.path, "-Y", "ip.src == 192.0.2.2", "-T", "fields", "-E", "separator=|", "-E", "occurrence=a"]
    for f in ("frame.number", "gsm_old.localValue", "_ws.expert.message", "gsm_map.old.Component", "tcap.tid"):
        command += ["-e", f]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    rows = [line.split("|") for line in out.splitlines()]
    assert len(rows) > 100
    assert not [r for r in rows if r[2]], [r for r in rows if r[2]][:10]
    ops = {op for r in rows for op in r[1].split(",") if op}
    assert {"2", "3", "7", "8", "23", "37", "43", "45", "56", "57"} <= ops, ops
