"""MSCs and SGSNs of Osmocom register with home by GSUP (R-5.1.b, R-5.1.c)."""
import os
import shutil
import signal
import subprocess
import time

import pytest
from ask import air, ulr
from diameter import Client, poll
from gb import ATTACH_ACCEPT, ATTACH_REJECT, DETACH_REQUEST, Bss, Device
from gsup import (BAD_FIELD, CONGESTION, IMSI_UNKNOWN, NO_SERVICE, NO_SUCH_MESSAGE, NOT_HERE, Node, Raw, build_client,
                  gsm_of)
from merlon import Merlon, free_port, keys, realm, usim
from milenage import f1, f2345, xor
from process import roles

APN = "apn1=trackers.iot:ipv4:9:12:100000:100000"
PROFILES = {"tracker": ["rats=geran utran wb-eutran", "services=sms-mo sms-mt", APN,
                        "apn2=service.iot:ipv4v6:9:12:1000:1000"],
            "utran": ["rats=utran", "services=voice", APN],
            "lte": ["rats=wb-eutran nb-iot", "services=sms-mt", APN],
            "data": ["rats=geran", APN],
            "barred": ["rats=geran", "services=sms-mt", "odb=1", APN],
            "moved": ["rats=geran wb-eutran", "services=sms-mt", APN, "apn2=gone.iot:ipv4:9:12:1000:1000"],
            "narrowed": ["rats=geran", "services=sms-mt", APN]}
HEADER = "imsi,msisdn,alg,k,opc,amf,tenant,profile".split(",")
EACH = 40


@pytest.fixture(scope="module")
def client(work):
    path = build_client(work)
    if not path:
        pytest.skip("libosmo-gsup-client is not installed")
    return path


@pytest.fixture(scope="module")
def hlr(work, capture, client):
    port = free_port()
    m = Merlon(os.path.join(work, "gsup"), home={
        "gsup_listen": [f"tcp:127.0.0.1:{port}"], "gsup_idle": 3000, "gsup_rate": 300,
        "gsup_nodes": ["msc-1 msc-2 sgsn-1 sgsn-2 quiet osmo-msc osmo-sgsn", "far from 10.0.0.0/8", "near from 127.0.0.9/32"]})
    m.gsup_port, m.cards = port, {}
    try:
        m.wait_up()
        rows = []
        for n, (name, fields) in enumerate(PROFILES.items()):
            m.run("set", "profile", name, "tenant=cars", "priority=normal", "binding=refuse", *fields)
            imsis = [f"99970{n + 1}77{i:07d}" for i in range(EACH)]
            m.cards[name] = iter(imsis)
            for imsi in imsis:
                k, opc = keys(imsi)
                rows.append({"imsi": imsi, "msisdn": "9997" + imsi[5:], "alg": "milenage", "k": k.hex(),
                             "opc": opc.hex(), "amf": "8000", "tenant": "cars", "profile": name})
        m.import_csv(HEADER, rows)
        yield m
    finally:
        code = m.stop()
    assert code == 0, f"merlon run ended with {code}: {m.tail()}"


@pytest.fixture(scope="module")
def nodes(hlr, client):
    all_of = {name: Node(client, hlr.gsup_port, name) for name in ("msc-1", "msc-2", "sgsn-1", "sgsn-2")}
    yield all_of
    for n in all_of.values():
        n.close()


@pytest.fixture
def card(hlr):
    return lambda profile="tracker": next(hlr.cards[profile])


def sqn_of(imsi, v):
    """The SQN of a quintuplet whose every part is the card's (TS 33.102 6.3)."""
    rand, autn = bytes.fromhex(v["RAND"]), bytes.fromhex(v["AUTN"])
    k, opc = keys(imsi)
    res, ck, ik, ak = f2345(k, opc, rand)
    sqn, amf = xor(autn[:6], ak), autn[6:8]
    assert autn[8:] == f1(k, opc, rand, sqn, amf), "MAC-A"
    assert not amf[0] & 0x80, "the separation bit is for EPS (TS 33.401 6.1.1)"
    assert (v["XRES"], v["CK"], v["IK"]) == (res.hex(), ck.hex(), ik.hex())
    return int.from_bytes(sqn, "big")


# --- authentication

def test_vectors_are_those_of_the_card_as_quintuplets_and_triplets(nodes, card):
    """R-5.2.2.a, R-5.2.1.b: five, rising, each whole for UTRAN and for GERAN."""
    imsi = card()
    got = nodes["msc-1"].vectors(imsi, "cs")["vectors"]
    got += nodes["sgsn-1"].vectors(imsi, "ps")["vectors"]
    assert len(got) == 10 and len({v["RAND"] for v in got}) == 10
    sqn = [sqn_of(imsi, v) for v in got]
    assert sqn[:5] == sorted(set(sqn[:5])) and sqn[5:] == sorted(set(sqn[5:]))
    assert len({s & 31 for s in sqn[:5]}) == 1 and sqn[0] & 31 != sqn[5] & 31, "an IND for each domain"
    for v in got:
        sres, kc = gsm_of(imsi, bytes.fromhex(v["RAND"]))
        assert (v["SRES"], v["KC"]) == (sres.hex(), kc.hex())


def test_without_geran_in_the_profile_nobody_authenticates_there(nodes, card):
    """R-5.2.1.c: SRES and Kc are there, for libosmocore takes zero for what is not; they are nobody's."""
    imsi = card("utran")
    got = nodes["msc-1"].vectors(imsi, "cs")["vectors"]
    assert len(got) == 5
    for v in got:
        sqn_of(imsi, v)
        assert v["SRES"] != gsm_of(imsi, bytes.fromhex(v["RAND"]))[0].hex() and int(v["KC"], 16) != 0
    assert len({v["SRES"] for v in got}) == 5


def test_resynchronisation_moves_the_sequence_and_a_forged_one_does_not(nodes, card):
    """TS 33.102 6.3.5, R-5.6.2.d."""
    imsi, msc = card(), nodes["msc-1"]
    first = msc.vectors(imsi)["vectors"][0]
    ahead, rand = sqn_of(imsi, first) + (1 << 24), bytes.fromhex(first["RAND"])
    auts = bytearray(usim(imsi).auts(rand, ahead))
    auts[-1] ^= 1
    assert sqn_of(imsi, msc.vectors(imsi, "cs", rand.hex(), auts.hex())["vectors"][0]) < ahead
    auts[-1] ^= 1
    assert sqn_of(imsi, msc.vectors(imsi, "cs", rand.hex(), auts.hex())["vectors"][0]) > ahead


# --- registration

def test_both_domains_register_with_the_data_of_the_profile(nodes, card):
    """R-5.1.b: its APNs and no wildcard, its MSISDN, and nothing else."""
    imsi = card()
    data = nodes["msc-1"].register(imsi, "cs")
    assert data["msisdn"] == "9997" + imsi[5:] and data["domain"] == "cs" and not data["pdps"]
    data = nodes["sgsn-1"].register(imsi, "ps", 1, 2)
    assert data["msisdn"] == "9997" + imsi[5:] and data["domain"] == "ps" and data["complete"] == 1
    assert [(p["context"], p["type"], p["apn"]) for p in data["pdps"]] == [
        (1, 0x121, "trackers.iot"), (2, 0x18d, "service.iot")]


def test_a_move_cancels_the_node_before_and_not_that_of_the_other_domain(nodes, card):
    imsi = card()
    assert "pdps" in nodes["msc-1"].register(imsi, "cs") and "pdps" in nodes["sgsn-1"].register(imsi, "ps")
    assert "pdps" in nodes["msc-1"].register(imsi, "cs"), "again in the same: nobody is cancelled"
    nodes["msc-2"].register(imsi, "cs")
    cancel = nodes["msc-1"].expect("CANCEL_REQUEST", imsi)
    assert (cancel["cancel"], cancel["domain"]) == ("update", "cs")
    nodes["sgsn-2"].register(imsi, "ps")
    cancel = nodes["sgsn-1"].expect("CANCEL_REQUEST", imsi)
    assert (cancel["cancel"], cancel["domain"]) == ("update", "ps")
    assert not nodes["msc-1"].take("CANCEL_REQUEST", imsi) and not nodes["msc-2"].take("CANCEL_REQUEST", imsi)


def test_lte_and_2g_know_of_each_other(hlr, nodes, card):
    """One record: an MME's attach cancels the SGSN, the SGSN's the MME."""
    imsi = card("moved")
    mme = Client(hlr.port, f"mme-2g.{realm('00101')}", realm("00101"))
    try:
        nodes["sgsn-1"].register(imsi, "ps")
        assert mme.request("AIR", air(imsi)).result == 2001 and mme.request("ULR", ulr(imsi)).result == 2001
        assert nodes["sgsn-1"].expect("CANCEL_REQUEST", imsi)["cancel"] == "update"
        nodes["sgsn-2"].register(imsi, "ps")
        assert mme.expect("CLR", imsi, 10)["Cancellation-Type"] == 0  # TS 29.272 5.2.1.1.3
    finally:
        mme.close()


REFUSED = [("lte", "cs", NOT_HERE, "R-5.1.b"), ("lte", "ps", NOT_HERE, "R-5.1.b"),
           ("data", "cs", IMSI_UNKNOWN, "R-5.1.c"), ("barred", "ps", NOT_HERE, "R-5.7.3.b")]


@pytest.mark.parametrize("profile, domain, cause, clause", REFUSED)
def test_what_the_profile_does_not_allow_is_refused_with_its_cause(hlr, nodes, card, profile, domain, cause, clause):
    imsi, since = card(profile), hlr.mark()
    node = nodes["msc-1" if domain == "cs" else "sgsn-1"]
    assert node.register(imsi, domain) == cause
    hlr.event(since, event="home.gsup_denied", imsi=imsi, cause=cause, clause=clause)
    if profile != "barred":  # the radio and the domain are known before: no vector either
        assert node.vectors(imsi, domain) == cause


def test_who_is_unknown_or_suspended_is_refused(hlr, nodes, card):
    """R-5.6.b, R-5.7.1.a: unknown locks the card, and only an unknown one."""
    assert nodes["msc-1"].vectors("999709990000001") == IMSI_UNKNOWN
    assert nodes["sgsn-1"].vectors("999709990000001", "ps") == NO_SERVICE
    imsi = card()
    hlr.set("subscription", imsi, life="suspended")
    assert poll(lambda: nodes["msc-1"].vectors(imsi) == NOT_HERE, 5, "the change")
    assert nodes["sgsn-1"].register(imsi, "ps") == NOT_HERE


def test_a_device_that_is_only_allowed_data_registers_for_data(nodes, card):
    imsi = card("data")
    assert [p["apn"] for p in nodes["sgsn-1"].register(imsi, "ps")["pdps"]] == ["trackers.iot"]


# --- changes

def test_a_suspension_cancels_both_nodes(hlr, nodes, card):
    """R-5.7.1.a; within a second of the change."""
    imsi = card()
    nodes["msc-1"].register(imsi, "cs")
    nodes["sgsn-1"].register(imsi, "ps")
    hlr.set("subscription", imsi, life="suspended")
    for name in ("msc-1", "sgsn-1"):
        assert nodes[name].expect("CANCEL_REQUEST", imsi)["cancel"] == "withdraw"


def test_a_changed_profile_is_deleted_and_inserted(hlr, nodes, card):
    """R-5.6.3.b: what is withdrawn first, then the whole of what is left."""
    imsi = card("moved")
    hlr.set("profile", "moved", apn2="gone.iot:ipv4:9:12:1000:1000")
    nodes["msc-1"].register(imsi, "cs")
    assert len(nodes["sgsn-1"].register(imsi, "ps")["pdps"]) == 2
    hlr.set("profile", "moved", apn2="")
    assert nodes["sgsn-1"].expect("DELETE_DATA_REQUEST", imsi)["domain"] == "ps"
    data = nodes["sgsn-1"].expect("INSERT_DATA_REQUEST", imsi)
    assert [p["apn"] for p in data["pdps"]] == ["trackers.iot"]
    assert nodes["msc-1"].expect("INSERT_DATA_REQUEST", imsi)["domain"] == "cs"
    hlr.set("subscription", imsi, msisdn="99971234567")
    poll(lambda: (nodes["msc-1"].take("INSERT_DATA_REQUEST", imsi) or {}).get("msisdn") == "99971234567", 10, "it")


def test_a_profile_that_loses_2g_and_3g_is_withdrawn(hlr, nodes, card):
    """R-5.1.b: GSUP cannot bar a radio technology, so the node may not serve at all."""
    imsi = card("narrowed")
    hlr.set("profile", "narrowed", rats="geran")
    assert poll(lambda: isinstance(nodes["msc-2"].register(imsi, "cs"), dict), 5, "the change")
    hlr.set("profile", "narrowed", rats="lte-m")
    assert nodes["msc-2"].expect("CANCEL_REQUEST", imsi)["cancel"] == "withdraw"
    assert nodes["msc-2"].register(imsi, "cs") == NOT_HERE


# --- purge, device

def test_only_the_node_that_serves_purges(nodes, card):
    imsi = card()
    nodes["sgsn-1"].register(imsi, "ps")
    assert "freeze" not in nodes["sgsn-2"].purge(imsi, "ps")
    assert "freeze" not in nodes["sgsn-1"].purge(imsi, "cs"), "it is no MSC"
    assert nodes["sgsn-1"].purge(imsi, "ps")["freeze"]


def test_devices_are_checked_against_the_lists_and_the_binding(hlr, nodes, card):
    """R-5.7.3.a, R-5.1.1.2.b."""
    imsi, bound = card(), card()
    hlr.set("equipment", "35000000000021", list="black", reason="stolen")
    hlr.set("subscription", bound, imei="35000000000022")
    assert poll(lambda: nodes["msc-1"].check(imsi, "350000000000217") == "nack", 5, "the list")
    assert nodes["msc-1"].check(imsi, "350000000000233") == "ack"
    since = hlr.mark()
    assert poll(lambda: nodes["msc-1"].check(bound, "350000000000233") == "nack", 5, "the binding")
    hlr.event(since, event="home.device_refused", imsi=bound, clause="R-5.1.1.2.b")
    assert nodes["msc-1"].check(bound, "350000000000225") == "ack"
    assert nodes["msc-1"].check(bound, "3500") == BAD_FIELD


# --- durability

def test_a_registration_that_was_answered_outlives_a_kill(hlr, nodes, card):
    imsi = card()
    nodes["msc-1"].register(imsi, "cs")
    os.kill(roles(hlr.process.pid)["home"], signal.SIGKILL)
    nodes["msc-1"].expect("down")
    nodes["msc-1"].expect("up", timeout=20)
    nodes["msc-2"].expect("up", timeout=20)
    assert nodes["msc-1"].purge(imsi, "cs")["freeze"]


# --- who may not, and what may not

def test_names_and_addresses_that_are_not_configured_are_cut(hlr, client):
    """R-5.6.1.h."""
    since = hlr.mark()
    assert Raw(hlr.gsup_port).identify("stranger").heard() is not None
    hlr.event(since, event="home.gsup_refused", name="stranger", clause="R-5.6.1.h")
    assert Raw(hlr.gsup_port).identify("far").heard() is not None, "it comes from 10.0.0.0/8"
    assert Raw(hlr.gsup_port).identify("near").heard() is not None, "it comes from 127.0.0.9"
    near = Raw(hlr.gsup_port, "127.0.0.9").identify("near")
    hlr.event(since, event="home.gsup_up", host="gsup:near")
    near.close()


def test_garbage_oversize_silence_and_haste_are_cut_and_counted(hlr, nodes, card):
    before = hlr.metrics()
    port, imsi = hlr.gsup_port, card()
    update = b"\x04\x01\x08" + bytes.fromhex("99790000000000f1")
    for junk in (b"GET / HTTP/1.1\r\n\r\n", b"\x7f\xff\xee" + bytes(100), b"\x00\x00\xfe", os.urandom(300)):
        assert Raw(port).send(junk).heard() is not None
    assert Raw(port).gsup(update).heard() is not None, "asks before it has said who it is"
    quiet = Raw(port).identify("quiet")
    silent = Raw(port)
    assert quiet.heard(15) is not None and silent.heard(15) is not None
    after = hlr.metrics()
    for reason in ("frame", "oversize", "before_identity", "idle"):
        assert dropped(after, reason) > dropped(before, reason), reason
    assert len(nodes["msc-1"].vectors(imsi)["vectors"]) == 5


def dropped(metrics, reason):
    line = f'merlon_home_gsup_dropped_total{{role="home",reason="{reason}"}} '
    return next(float(x[len(line):]) for x in metrics.splitlines() if x.startswith(line))


def test_malformed_and_unknown_requests_are_answered_or_dropped(hlr, nodes):
    """An answer where there is an IMSI to answer about; and none of it hurts."""
    msc, imsi = nodes["msc-1"], "0108" + "99790000000000f1"
    msc.say("raw", "04" + imsi + "280109")
    assert msc.expect("UPDATE_LOCATION_ERROR")["cause"] == BAD_FIELD
    msc.say("raw", "20" + imsi + "3001aa")
    assert msc.expect("PROC_SS_ERROR")["cause"] == NO_SUCH_MESSAGE
    msc.say("raw", "30" + imsi)
    assert msc.expect("CHECK_IMEI_ERROR")["cause"] == BAD_FIELD
    for bad in ("04", "0401", "040108", "ff" + imsi, "12" + imsi, "0a" + imsi + "0300", "04" + imsi * 20):
        msc.say("raw", bad)
    assert msc.check("999709990000001", "350000000000233") == "ack"


def test_a_flood_is_told_to_wait_and_others_are_served(hlr, nodes, card):
    """R-5.6.a: 300 requests a second of one node; beyond that, congestion."""
    flood, before = [f"9997099{i:08d}" for i in range(1500)], dropped(hlr.metrics(), "rate")
    for imsi in flood:
        nodes["msc-2"].say("sai", imsi, "cs")
    assert len(nodes["msc-1"].vectors(card())["vectors"]) == 5
    causes = [nodes["msc-2"].expect("SEND_AUTH_INFO_ERROR", imsi)["cause"] for imsi in flood]
    assert set(causes) == {IMSI_UNKNOWN, CONGESTION}, "every one is answered"
    poll(lambda: dropped(hlr.metrics(), "rate") - before == causes.count(CONGESTION), 5, "the counter")


def test_a_crowd_of_strangers_takes_no_node_its_place(hlr, nodes, card):
    crowd, since = [Raw(hlr.gsup_port) for _ in range(100)], hlr.mark()
    try:
        assert len(nodes["msc-1"].vectors(card("moved"))["vectors"]) == 5
        late = Raw(hlr.gsup_port).identify("quiet")
        hlr.event(since, event="home.gsup_up", host="gsup:quiet")
        late.close()
    finally:
        for c in crowd:
            c.close()


# --- Osmocom's own

SGSN = """log stderr
 logging filter all 1
 logging level set-all notice
sgsn
 gtp local-ip 127.0.0.1
 authentication required
 auth-policy remote
 gsup remote-ip 127.0.0.1
 gsup remote-port {port}
 gsup ipa-name osmo-sgsn
ns
 bind udp local
  listen 127.0.0.1 {ns}
  accept-ipaccess
bssgp
"""


@pytest.fixture(scope="module")
def bss(hlr, work):
    """Debian's osmo-sgsn as it is, home its register, and a base station without a radio before it."""
    if not shutil.which("osmo-sgsn"):
        pytest.skip("osmo-sgsn is not installed")
    where, since, ns = os.path.join(work, "sgsn"), hlr.mark(), free_port()
    os.makedirs(where)
    with open(os.path.join(where, "cfg"), "w", encoding="ascii") as f:
        f.write(SGSN.format(port=hlr.gsup_port, ns=ns))
    with open(os.path.join(where, "log"), "wb") as log:
        sgsn = subprocess.Popen(["osmo-sgsn", "-c", "cfg"], stdout=log, stderr=log, cwd=where)
    b = None
    try:
        hlr.event(since, timeout=15, event="home.gsup_up", host="gsup:osmo-sgsn")
        b = Bss(ns)
        yield b
        assert sgsn.poll() is None
    finally:
        if b:
            b.close()
        sgsn.kill()
        sgsn.wait(5)


def test_osmo_sgsn_registers_a_device_detaches_it_and_refuses_it(hlr, bss, card):
    """It authenticates as a USIM, with a quintuplet; a suspension detaches it at once; then it is told to look elsewhere."""
    imsi, since = card(), hlr.mark()
    device = Device(bss, imsi)
    device.attach()
    device.expect(ATTACH_ACCEPT)
    hlr.set("subscription", imsi, life="suspended")
    device.expect(DETACH_REQUEST)
    device = Device(bss, imsi)
    device.attach()
    assert device.expect(ATTACH_REJECT)[2] == NOT_HERE
    hlr.event(since, event="home.gsup_denied", imsi=imsi, cause=NOT_HERE, clause="R-5.7.1.a")
    assert not [e for e in hlr.events(since) if e["event"] == "home.gsup_down"], "it answers our PING"


def test_osmo_sgsn_purges_what_is_switched_off(hlr, bss, card):
    imsi = card()
    device = Device(bss, imsi)
    device.attach()
    device.expect(ATTACH_ACCEPT)
    before = purges(hlr)
    device.detach()
    poll(lambda: purges(hlr) > before, 15, "the purge")
    since = hlr.mark()
    hlr.set("subscription", imsi, life="suspended")
    time.sleep(1)  # a purged node hears nothing
    assert not [e for e in hlr.events(since) if e["event"] == "home.node_refused"]


def purges(hlr):
    line = 'merlon_home_gsup_requests_total{role="home",op="PURGE"} '
    return next(float(x[len(line):]) for x in hlr.metrics().splitlines() if x.startswith(line))


def test_osmo_sgsn_refuses_a_device_without_2g_in_its_profile(bss, card):
    """R-5.1.b, R-5.2.1.c."""
    device = Device(bss, card("lte"))
    device.attach()
    assert device.expect(ATTACH_REJECT)[2] == NOT_HERE
