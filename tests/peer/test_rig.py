"""The test rig against itself: a verdict of the other files is worth what these show."""
import csv
import json
import os
import time

import milenage
import pytest
import tuak
from merlon import HOME, free_port
from diameter import S13, Message, plmn, vsai
from fd import HERE, FreeDiameter

VISITED = "epc.mnc001.mcc001.3gppnetwork.org"


def test_the_rigs_milenage_agrees_with_every_set_of_ts_35208():
    with open(os.path.join(HERE, "..", "vectors", "milenage_ts35208.csv"), encoding="ascii") as f:
        rows = list(csv.DictReader(line for line in f if not line.startswith("#")))
    assert len(rows) == 20
    for row in rows:
        v = {name: bytes.fromhex(text) for name, text in row.items() if name != "set"}
        k, opc, rand = v["k"], v["opc"], v["rand"]
        assert milenage.opc_of(k, v["op"]) == opc
        assert milenage.f1(k, opc, rand, v["sqn"], v["amf"]) == v["f1"]
        assert milenage.f1(k, opc, rand, v["sqn"], v["amf"], star=True) == v["f1star"]
        assert milenage.f2345(k, opc, rand) == (v["f2"], v["f3"], v["f4"], v["f5"])
        assert milenage.f5_star(k, opc, rand) == v["f5star"]


def test_the_rigs_tuak_agrees_with_every_set_of_ts_35233():
    with open(os.path.join(HERE, "..", "vectors", "tuak_ts35233.json"), encoding="ascii") as f:
        sets = json.load(f)["tuak"]
    assert len(sets) == 6
    for v in sets:
        k, top, rand, sqn, amf = (bytes.fromhex(v[name]) for name in ("K", "TOP", "RAND", "SQN", "AMF"))
        n, size = v["iterations"], {name: v["LEN_" + name] // 8 for name in ("MAC", "RES", "CK", "IK")}
        topc = tuak.topc_of(k, top, n)
        assert topc.hex() == v["TOPc"]
        for star, name in ((False, "f1"), (True, "f1star")):
            assert tuak.f1(k, topc, rand, sqn, amf, star, size["MAC"], n).hex() == v[name]
        out = tuak.f2345(k, topc, rand, size["RES"], size["CK"], size["IK"], n)
        assert [x.hex() for x in out] == [v[name] for name in ("f2", "f3", "f4", "f5")]
        assert tuak.f5_star(k, topc, rand, n).hex() == v["f5star"]


def test_a_plmn_is_coded_as_in_ts_24008():
    assert plmn("00101").hex() == "00f110" and plmn("310410").hex() == "130014"


@pytest.fixture(scope="module")
def pair(work, extension, authority):
    port = free_port()
    hss = FreeDiameter(work, extension, authority, f"hss.{HOME}", HOME, "127.0.0.1", port=port,
                       allow=[f"*.{VISITED}"])
    mme = FreeDiameter(work, extension, authority, f"mme.{VISITED}", VISITED, "127.0.0.2",
                       peers=[{"host": hss.host, "port": port}])
    mme.wait_open(hss.host)
    # freeDiameter says that a connection is open a moment before it routes to it.
    hss.reply("AIR", [("Result-Code", 5012), ("Auth-Session-State", 1), vsai()])
    until = time.monotonic() + 10
    while mme.request("AIR", AIR).result == 3002 and time.monotonic() < until:
        time.sleep(0.05)
    yield mme, hss
    mme.stop()
    hss.stop()


AIR = [("Auth-Session-State", 1), ("User-Name", "999700000000001"), ("Visited-PLMN-Id", plmn("00101")),
       ("Destination-Realm", HOME), ("Requested-EUTRAN-Authentication-Info", [("Number-Of-Requested-Vectors", 2)])]


def test_freediameter_as_mme_asks_and_freediameter_as_hss_answers(pair):
    mme, hss = pair
    vector = [("Item-Number", 1), ("RAND", bytes(16)), ("XRES", bytes(8)), ("AUTN", bytes(16)), ("KASME", bytes(32))]
    hss.reply("AIR", [("Result-Code", 2001), ("Auth-Session-State", 1), vsai(),
                      ("Authentication-Info", [("E-UTRAN-Vector", vector), ("E-UTRAN-Vector", vector)])])
    answer = mme.request("AIR", AIR)
    assert answer.result == 2001
    assert len(answer["Authentication-Info"].all("E-UTRAN-Vector")) == 2
    seen = hss.expect("AIR", "999700000000001")
    assert seen["Visited-PLMN-Id"] == plmn("00101") and seen["Origin-Host"] == mme.host


def test_freediameter_drops_an_answer_that_breaks_its_rules(pair):
    mme, hss = pair
    hss.reply("AIR", [("Result-Code", 2001)])  # no Auth-Session-State
    assert mme.request("AIR", AIR, timeout=2) is None


def test_freediameter_as_hss_cancels_and_as_mme_checks_a_device(pair):
    mme, hss = pair
    mme.reply("CLR", [("Result-Code", 2001), ("Auth-Session-State", 1)])
    answer = hss.request("CLR", [("Auth-Session-State", 1), ("User-Name", "999700000000001"),
                                 ("Destination-Host", mme.host), ("Destination-Realm", VISITED),
                                 ("Cancellation-Type", 2)])
    assert answer.result == 2001 and mme.expect("CLR", "999700000000001")["Cancellation-Type"] == 2
    hss.reply("ECR", [("Result-Code", 2001), ("Auth-Session-State", 1), vsai(S13), ("Equipment-Status", 1)])
    answer = mme.request("ECR", [("Auth-Session-State", 1), ("Destination-Realm", HOME),
                                 ("Terminal-Information", [("IMEI", "35000000000001")])])
    assert answer["Equipment-Status"] == 1


def test_a_message_that_is_cut_short_is_no_message():
    with pytest.raises(ValueError):
        Message(bytes.fromhex("010000140000013e01000023"))
