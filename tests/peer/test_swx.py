"""SWx for a vendor's AAA server (TS 29.273 8): vectors, registration, and what home sends when a subscription changes.
The server is the tests' own; what it is sent Wireshark reads too (test_wireshark.py)."""
import hashlib
import hmac
import os

import durable
import milenage
import pytest
from diameter import SWX, Client, poll, vsai
from merlon import HOME, Merlon, keys, usim
from milenage import xor

REGISTER, DEREGISTER, AUTH_FAILED, DATA, PGW = 1, 5, 9, 12, 13
numbers = (f"999707{i:09d}" for i in range(100))


class Swx:
    def __init__(self, work):
        self.merlon = Merlon(os.path.join(work, "swx"), home={"swx": True}).wait_up()
        self.servers = []
        for name, services in (("all", "wifi-sim wifi-aka wifi-aka-prime"), ("aka", "wifi-aka"), ("none", "sms-mo")):
            self.profile(name, services=services)
        self.profile("barred", services="wifi-aka", odb=1)

    def profile(self, name, **fields):
        fields = {"tenant": "cars", "rats": "geran wb-eutran", "apn1": "cars.iot:ipv4:9:12:200000:200000",
                  "apn2": "meter.iot:non-ip:9:12:1000:1000", "ul_bps": 111000, "dl_bps": 222000, **fields}
        self.merlon.set("profile", "swx-" + name, **fields)

    def sim(self, profile="all"):
        imsi = next(numbers)
        self.merlon.import_sims([imsi], "car")
        self.merlon.set("subscription", imsi, profile="swx-" + profile, msisdn="999" + imsi[6:])
        return imsi

    def server(self, name="aaa", apps=(SWX,)):
        c = Client(self.merlon.home_port, f"{name}.{HOME}", HOME, apps=apps)
        self.servers.append(c)
        return c

    def stop(self):
        for c in self.servers:
            c.close()
        return self.merlon.stop()


@pytest.fixture(scope="module")
def swx(work, capture):
    s = Swx(work)
    try:
        yield s
    finally:
        code = s.stop()
    assert code == 0, s.merlon.tail()


@pytest.fixture(scope="module")
def aaa(swx):
    c = swx.server()
    assert c.cea.result == 2001
    assert SWX in [a["Auth-Application-Id"] for a in c.cea.avps.all("Vendor-Specific-Application-Id")]
    return c


def mar(user, scheme, n=1, resync=None, **more):
    item = [("SIP-Authentication-Scheme", scheme)] + ([("SIP-Authorization", resync)] if resync else [])
    more = {"RAT-Type": 0, **({"ANID": "WLAN"} if scheme == "EAP-AKA'" else {}), **more}
    return [vsai(SWX), ("Auth-Session-State", 1), ("Destination-Realm", HOME), ("User-Name", user),
            ("SIP-Number-Auth-Items", n), ("SIP-Auth-Data-Item", item), *((k.replace("_", "-"), v) for k, v in more.items()
                                                                         if v is not None)]


def sar(user, what):
    return [vsai(SWX), ("Auth-Session-State", 1), ("Destination-Realm", HOME), ("User-Name", user),
            ("Server-Assignment-Type", what)]


def prime(ck, ik, autn, network="WLAN"):
    """CK', IK' (TS 33.402 A.2)."""
    name = network.encode()
    text = b"\x20" + name + len(name).to_bytes(2, "big") + autn[:6] + b"\x00\x06"
    out = hmac.new(ck + ik, text, hashlib.sha256).digest()
    return out[:16], out[16:]


def check(imsi, item, scheme):
    """A vector against the card that it is for: the SQN."""
    k, opc = keys(imsi)
    rand, autn = item["SIP-Authenticate"][:16], item["SIP-Authenticate"][16:]
    res, ck, ik, ak = milenage.f2345(k, opc, rand)
    sqn, amf = xor(autn[:6], ak), autn[6:8]
    assert autn[8:] == milenage.f1(k, opc, rand, sqn, amf)
    assert item["SIP-Authorization"] == res and item["SIP-Authentication-Scheme"] == scheme
    if scheme == "EAP-AKA'":
        ck, ik = prime(ck, ik, autn)
    assert amf[0] & 0x80 == (0x80 if scheme == "EAP-AKA'" else 0)  # TS 33.402 6.2
    assert (item["Confidentiality-Key"], item["Integrity-Key"]) == (ck, ik)
    return int.from_bytes(sqn, "big")


@pytest.mark.parametrize("scheme", ["EAP-AKA", "EAP-AKA'"])
def test_vectors_are_those_of_the_card(swx, aaa, scheme):
    """R-5.3.a: RAND, AUTN, XRES, and the keys; for EAP-AKA' CK' and IK' of the access network."""
    imsi = swx.sim()
    answer = aaa.request("MAR", mar(imsi, scheme, 3))
    assert answer.result == 2001 and answer["User-Name"] == imsi and answer["SIP-Number-Auth-Items"] == 3
    items = answer.avps.all("SIP-Auth-Data-Item")
    sqn = [check(imsi, i, scheme) for i in items]
    assert len(sqn) == 3 and sqn == sorted(set(sqn))
    assert [i["SIP-Item-Number"] for i in items] == [1, 2, 3]


def test_triplets_for_eap_sim(swx, aaa):
    """As on Wx (TS 29.234): RAND and Kc, SRES."""
    imsi = swx.sim()
    answer = aaa.request("MAR", mar(imsi, "EAP-SIM", 3))
    assert answer.result == 2001
    for item in answer.avps.all("SIP-Auth-Data-Item"):
        rand, kc = item["Authentication-Information-SIM"][:16], item["Authentication-Information-SIM"][16:]
        res, ck, ik, _ = milenage.f2345(*keys(imsi), rand)
        assert kc == xor(xor(ck[:8], ck[8:]), xor(ik[:8], ik[8:]))
        assert item["Authorization-Information-SIM"] == xor(res[:4], res[4:])
    assert len(answer.avps.all("SIP-Auth-Data-Item")) == 3


@pytest.mark.parametrize("form", ["{}", "0{}@nai.epc.mnc070.mcc999.3gppnetwork.org", "6{}@wlan"])
def test_the_subscriber_is_an_imsi_or_a_root_nai(swx, aaa, form):
    user = form.format(swx.sim())
    answer = aaa.request("MAR", mar(user, "EAP-AKA"))
    assert answer.result == 2001 and answer["User-Name"] == user


def test_resynchronisation(swx, aaa):
    """TS 33.102 6.3.5: the next vector is ahead of the card; a forged AUTS moves nothing."""
    imsi = swx.sim()
    item = aaa.request("MAR", mar(imsi, "EAP-AKA"))["SIP-Auth-Data-Item"]
    rand, ahead = item["SIP-Authenticate"][:16], check(imsi, item, "EAP-AKA") + (1 << 30)
    auts = bytearray(rand + usim(imsi).auts(rand, ahead))
    auts[-1] ^= 1
    again = aaa.request("MAR", mar(imsi, "EAP-AKA", resync=bytes(auts)))["SIP-Auth-Data-Item"]
    assert check(imsi, again, "EAP-AKA") < ahead
    auts[-1] ^= 1
    since = swx.merlon.mark()
    again = aaa.request("MAR", mar(imsi, "EAP-AKA", resync=bytes(auts)))["SIP-Auth-Data-Item"]
    assert check(imsi, again, "EAP-AKA") > ahead
    assert swx.merlon.event(since, event="home.resync", imsi=imsi, genuine=1)["clause"] == "R-5.6.2.d"


@pytest.mark.parametrize("why,code", [("unknown", -5001), ("no imsi", -5001), ("profile", -5450), ("method", -5450),
                                      ("suspended", -5450), ("scheme", -5006), ("access", -5452), ("no name", 5005)])
def test_who_gets_no_vectors(swx, aaa, why, code):
    """TS 29.273 8.1.2.1.2, 10.3; R-5.3.a."""
    imsi = "999707999999999" if why == "unknown" else swx.sim({"profile": "none", "method": "aka"}.get(why, "all"))
    if why == "suspended":
        swx.merlon.set("subscription", imsi, life="suspended")
    scheme = {"scheme": "Digest-AKAv1-MD5", "method": "EAP-AKA'", "no name": "EAP-AKA'"}.get(why, "EAP-AKA")
    more = {"access": {"RAT_Type": 1004}, "no name": {"ANID": None}}.get(why, {})
    request = mar("nobody@home" if why == "no imsi" else imsi, scheme, **more)
    if why == "access":
        request = [(k, v) for k, v in request if (k, v) != ("RAT-Type", 0)]
    since = swx.merlon.mark()
    answer = aaa.request("MAR", request)
    assert answer.result == code and "SIP-Auth-Data-Item" not in answer
    assert swx.merlon.event(since, event="home.refused", op="MAR")["code"] == abs(code)


def test_registration_brings_what_the_profile_declares(swx, aaa):
    """TS 29.273 8.1.2.2, 8.2.3.1; R-5.1.b: AMBR and the APNs that carry IP, nothing beyond."""
    imsi = swx.sim()
    assert aaa.request("SAR", sar(imsi, DATA)).result == -5003  # not registered yet
    answer = aaa.request("SAR", sar(imsi, REGISTER))
    assert answer.result == 2001 and answer["User-Name"] == imsi
    data = answer["Non-3GPP-User-Data"]
    assert (data["Non-3GPP-IP-Access"], data["Non-3GPP-IP-Access-APN"], data["RAT-Type"]) == (0, 0, 0)
    assert data["AMBR"]["Max-Requested-Bandwidth-UL"] == 111000 and data["AMBR"]["Max-Requested-Bandwidth-DL"] == 222000
    ids = {i["Subscription-Id-Type"]: i["Subscription-Id-Data"] for i in data.all("Subscription-Id")}
    assert ids == {0: "999" + imsi[6:], 1: imsi}
    assert [a["Service-Selection"] for a in data.all("APN-Configuration")] == ["cars.iot"]
    assert data["Context-Identifier"] == data["APN-Configuration"]["Context-Identifier"]
    assert aaa.request("SAR", sar(imsi, DATA))["Non-3GPP-User-Data"]
    assert aaa.request("SAR", sar(imsi, PGW)).result == -5007
    assert aaa.request("SAR", sar(imsi, DEREGISTER)).result == 2001
    assert aaa.request("SAR", sar(imsi, DEREGISTER)).result == -5003
    assert aaa.request("SAR", sar(imsi, AUTH_FAILED)).result == 2001
    none = swx.sim("none")
    assert aaa.request("SAR", sar(none, REGISTER)).result == -5450


def test_one_server_at_a_time(swx, aaa):
    """TS 29.273 8.1.2.1.2: another is told who serves, until it says that one has failed."""
    imsi, second = swx.sim(), swx.server("aaa2")
    assert aaa.request("SAR", sar(imsi, REGISTER)).result == 2001
    for answer in (second.request("MAR", mar(imsi, "EAP-AKA")), second.request("SAR", sar(imsi, REGISTER)),
                   second.request("SAR", sar(imsi, DEREGISTER))):
        assert answer.result == -5005 and answer["3GPP-AAA-Server-Name"] == aaa.host
    assert aaa.request("MAR", mar(imsi, "EAP-AKA")).result == 2001
    assert second.request("MAR", mar(imsi, "EAP-AKA", AAA_Failure_Indication=1)).result == 2001
    assert second.request("SAR", sar(imsi, REGISTER)).result == 2001
    assert aaa.request("MAR", mar(imsi, "EAP-AKA")).result == -5005


@pytest.mark.parametrize("how", ["suspended", "barred", "profile"])
def test_a_withdrawn_subscription_is_terminated(swx, aaa, how):
    """RTR (8.1.2.3): suspended, barred, a profile without Wi-Fi; and no second one follows."""
    imsi = swx.sim()
    assert aaa.request("SAR", sar(imsi, REGISTER)).result == 2001
    swx.merlon.set("subscription", imsi, **{"suspended": {"life": "suspended"}, "barred": {"profile": "swx-barred"},
                                                "profile": {"profile": "swx-none"}}[how])
    rtr = aaa.expect("RTR", imsi)
    assert rtr and rtr["Destination-Host"] == aaa.host and rtr["Deregistration-Reason"]["Reason-Code"] == 0
    assert rtr["Vendor-Specific-Application-Id"]["Auth-Application-Id"] == SWX
    poll(lambda: aaa.request("SAR", sar(imsi, DEREGISTER)).result in (-5003, -5001), 5, "the registration to be gone")
    assert aaa.expect("RTR", imsi, timeout=0.5) is None


def test_a_changed_profile_is_pushed(swx, aaa):
    """PPR (8.1.2.4), to the server that serves and only when what it was told has changed."""
    swx.profile("own", services="wifi-aka")
    imsi, other = swx.sim("own"), swx.sim()
    for i in (imsi, other):
        assert aaa.request("SAR", sar(i, REGISTER)).result == 2001
    swx.profile("own", services="wifi-aka sms-mo", tau_s=3600)  # nothing of an AAA server's
    swx.profile("own", services="wifi-aka", dl_bps=333000)
    ppr = aaa.expect("PPR")
    assert ppr["User-Name"] == imsi
    assert ppr["Non-3GPP-User-Data"]["AMBR"]["Max-Requested-Bandwidth-DL"] == 333000
    assert aaa.expect("PPR", timeout=0.5) is None


def test_only_a_server_of_ours_and_only_itself(swx):
    """R-5.6.1.h: another realm may not connect to home, and nobody asks in another's name or through a partner."""
    imsi = swx.sim()
    foreign = Client(swx.merlon.home_port, "aaa.epc.mnc001.mcc001.3gppnetwork.org", "epc.mnc001.mcc001.3gppnetwork.org",
                     apps=(SWX,))
    assert foreign.cea.result == 3010
    foreign.close()
    liar, since = swx.server("aaa4"), swx.merlon.mark()
    answer = liar.request("MAR", [("Origin-Host", f"aaa.{HOME}"), ("Origin-Realm", HOME)] + mar(imsi, "EAP-AKA"))
    assert answer.result == 5003
    assert swx.merlon.event(since, event="home.aaa_relayed")["clause"] == "R-5.6.1.h"
    partner = Client(swx.merlon.port, "aaa.epc.mnc001.mcc001.3gppnetwork.org", "epc.mnc001.mcc001.3gppnetwork.org",
                     apps=(SWX, 0xffffffff))
    answer = partner.request("MAR", mar(imsi, "EAP-AKA"))
    assert answer is None or answer.result not in (2001, 2002)
    partner.close()


def test_without_swx_in_the_configuration_there_is_none(merlon):
    c = Client(merlon.home_port, f"aaa.{HOME}", HOME, apps=(SWX, 16777251))
    assert c.cea.result == 2001
    assert SWX not in [a["Auth-Application-Id"] for a in c.cea.avps.all("Vendor-Specific-Application-Id")]
    assert c.request("MAR", mar("999700000000101", "EAP-AKA")).result == 3007
    c.close()


def test_a_sim_in_another_device_is_seen_over_wi_fi_too(swx, aaa):
    """R-5.1.1.2.b: the AAA server names the device; what follows is the profile's, in both accesses."""
    own, other = [[("IMEI", imei)] for imei in ("00101780000001", "00101790000001")]

    def apns(message):
        return [a["Service-Selection"] for a in message["Non-3GPP-User-Data"].all("APN-Configuration")]

    def bound(binding, **fields):
        swx.profile(binding, services="wifi-aka", binding=binding, quarantine="quarantine.iot:ipv4", **fields)
        imsi = swx.sim(binding)
        swx.merlon.set("subscription", imsi, imei="00101780000001")
        poll(lambda: aaa.request("MAR", mar(imsi, "EAP-AKA", Terminal_Information=own)).result == 2001, 5, "the record")
        assert aaa.request("SAR", sar(imsi, REGISTER) + [("Terminal-Information", own)]).result == 2001
        return imsi

    imsi = bound("quarantine")
    answer = aaa.request("SAR", sar(imsi, REGISTER) + [("Terminal-Information", other)])
    assert apns(answer) == ["quarantine.iot"]
    swx.merlon.set("subscription", imsi, imei="00101790000001")
    assert apns(aaa.expect("PPR", imsi)) == ["cars.iot"]
    imsi = bound("refuse")
    assert aaa.request("MAR", mar(imsi, "EAP-AKA", Terminal_Information=other)).result == -5450
    for binding, result in (("detach", -5450), ("greylist", -5004)):
        imsi, mark = bound(binding), swx.merlon.mark()
        assert aaa.request("SAR", sar(imsi, REGISTER) + [("Terminal-Information", other)]).result == result
        assert aaa.expect("RTR", imsi), "it is taken from the server"
        assert swx.merlon.event(mark, event="home.stranger", imsi=imsi)["via"] == "SAR"
    poll(lambda: swx.merlon.run("show", "hold", imsi, check=False).returncode == 0, 5, "the case")


def test_a_registration_outlives_a_crash_and_waits_for_its_server(swx):
    """Durable before the SAA; an RTR is kept until the server is back. Last: home ends, and with it every connection."""
    imsi, server = swx.sim(), swx.server("aaa3")
    assert server.request("SAR", sar(imsi, REGISTER)).result == 2001
    durable.kill_role(swx.merlon, "home")
    swx.merlon.set("subscription", imsi, life="suspended")
    server.close()
    swx.merlon.wait_up()
    server = poll(lambda: _connected(swx, "aaa3"), 20, "home to listen again")
    assert server.expect("RTR", imsi, timeout=20)


def _connected(swx, name):
    try:
        return swx.server(name)
    except OSError:
        return None
