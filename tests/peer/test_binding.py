"""R-5.1.1.2.b, R-5.7.3: a SIM in another device than its own. freeDiameter as the partner's MME; each reaction is seen on
the wire, in the events and in the records. IMEIs are made up (TAC 001017..)."""
import itertools
import json
import os
import time

import pytest
from ask import ecr, nor, ulr
from diameter import Client, poll
from merlon import Merlon, realm
from process import roles

WHITE, BLACK, GREY = 0, 1, 2
OWN, OTHER = "00101780000001", "00101790000001"
QUARANTINE = "quarantine.iot"
serial = itertools.count(1)


@pytest.fixture(scope="module")
def mme(merlon, fd_tcp):
    for name in ("alert", "refuse", "greylist", "quarantine", "detach"):
        merlon.set("profile", f"b-{name}", tenant="meters", binding=name, apn1="meters.iot:ipv4", apn2="more.iot:ipv4",
                   quarantine=f"{QUARANTINE}:ipv4", grey_s=3600, rats="wb-eutran lte-m nb-iot")
    for grey in ("bar", "quarantine", "watch"):
        merlon.set("profile", f"g-{grey}", tenant="meters", binding="greylist", grey=grey, apn1="meters.iot:ipv4",
                   quarantine=f"{QUARANTINE}:ipv4", grey_s=3600, rats="wb-eutran lte-m nb-iot")
    return fd_tcp


@pytest.fixture
def bound(merlon):
    def make(profile, tenant="meters", **binding):
        imsi = f"9997091{next(serial):08d}"
        merlon.set("subscription", imsi, tenant=tenant, profile=profile, **(binding or {"imei": OWN}))
        poll(lambda: merlon.show("subscription", imsi)["profile"] == profile, 5, "the subscription")
        return imsi
    return make


def apns(message):
    data = message["Subscription-Data"]["APN-Configuration-Profile"]
    return [a["Service-Selection"] for a in data.all("APN-Configuration")]


def attach(mme, imsi, imei=OWN):
    """Until the serving copy has it."""
    answer = poll(lambda: next((a for a in [mme.request("ULR", ulr(imsi, imei=imei))] if a.result == 2001), None), 5,
                  f"{imsi} attaches")
    while mme.expect("CLR", imsi, timeout=0.01):
        pass
    return answer


def moved(mme, imsi, imei=OTHER):
    """The node that serves says that the SIM is in another device now."""
    assert mme.request("NOR", nor(imsi, Terminal_Information=[("IMEI", imei)])).result == 2001


def stranger(merlon, mark, imsi, reaction):
    event = merlon.event(mark, event="home.stranger", imsi=imsi)
    assert event["reaction"] == reaction and event["clause"] == "R-5.1.1.2.b" and event["imei"] == OTHER
    return event


def held(merlon, imsi, state="open"):
    done = merlon.run("show", "hold", imsi, "--json", check=False)
    return done.returncode == 0 and json.loads(done.stdout)["state"] == state


def test_alert_tells_and_serves(merlon, mme, bound):
    imsi, mark = bound("b-alert"), merlon.mark()
    attach(mme, imsi)
    assert apns(attach(mme, imsi, OTHER)) == ["meters.iot", "more.iot"]
    stranger(merlon, mark, imsi, "alert")
    assert mme.expect("CLR", imsi, timeout=0.5) is None


def test_refuse_refuses_there_and_leaves_the_device_at_home_alone(merlon, mme, bound):
    imsi = bound("b-refuse")
    attach(mme, imsi)
    mark = merlon.mark()
    assert mme.request("ULR", ulr(imsi, imei=OTHER)).result == -5004
    assert mme.expect("CLR", imsi, timeout=0.5) is None
    moved(mme, imsi)  # registered already: it cannot be refused any more
    assert mme.expect("CLR", imsi)["Cancellation-Type"] == 2
    stranger(merlon, mark, imsi, "refuse")


@pytest.mark.parametrize("way", ["ULR", "NOR"])
def test_quarantine_leaves_one_apn_until_the_sim_is_back(merlon, mme, bound, way):
    imsi = bound("b-quarantine")
    assert apns(attach(mme, imsi)) == ["meters.iot", "more.iot"]
    mark = merlon.mark()
    if way == "ULR":
        assert apns(attach(mme, imsi, OTHER)) == [QUARANTINE]
    else:
        moved(mme, imsi)
        idr = mme.expect("IDR", imsi)
        assert apns(idr) == [QUARANTINE] and idr["Subscription-Data"]["APN-Configuration-Profile"][
            "All-APN-Configurations-Included-Indicator"] == 0
    stranger(merlon, mark, imsi, "quarantine")
    if way == "ULR":
        assert apns(attach(mme, imsi)) == ["meters.iot", "more.iot"]
    else:  # it is given to the new device
        merlon.set("subscription", imsi, imei=OTHER)
        assert apns(mme.expect("IDR", imsi)) == ["meters.iot", "more.iot"]


@pytest.mark.parametrize("way", ["ULR", "NOR"])
def test_detach_withdraws_it(merlon, mme, bound, way):
    imsi = bound("b-detach")
    attach(mme, imsi)
    mark = merlon.mark()
    if way == "ULR":
        assert mme.request("ULR", ulr(imsi, imei=OTHER)).result == -5004
    else:
        moved(mme, imsi)
    clr = mme.expect("CLR", imsi)
    assert clr["Cancellation-Type"] == 2, "subscription withdrawal"
    stranger(merlon, mark, imsi, "detach")
    attach(mme, imsi)


def test_greylist_opens_a_case_and_returns(merlon, mme, bound):
    """R-5.7.3.b: refused and withdrawn at once; the case has notes, is escalated, and gives the SIM back."""
    imsi = bound("b-greylist")
    attach(mme, imsi)
    mark = merlon.mark()
    answer = mme.request("ULR", ulr(imsi, imei=OTHER))
    assert answer.result == -5004 and answer["Error-Diagnostic"] == 2
    assert mme.expect("CLR", imsi)["Cancellation-Type"] == 2
    stranger(merlon, mark, imsi, "greylist")
    poll(lambda: held(merlon, imsi), 5, "the case")
    case = merlon.show("hold", imsi)
    assert case["imei"] == OTHER and case["cause"] == "SIM seen in another device" and case["until"]
    assert merlon.event(mark, event="records.hold", imsi=imsi, state="open")["clause"] == "R-5.7.3.b"
    assert mme.request("ULR", ulr(imsi, imei=OWN)).result == -5004, "greylisted, wherever it is"
    merlon.set("hold", imsi, note="customer called")
    merlon.set("hold", imsi, state="escalated")
    assert merlon.show("subscription", imsi)["grey_until"].startswith("2106-")
    merlon.set("hold", imsi, state="returned", note="device was repaired")
    assert merlon.show("subscription", imsi)["grey_until"] == ""
    attach(mme, imsi)
    assert merlon.run("set", "hold", imsi, "state=escalated", check=False).returncode == 1


def test_a_case_ends_by_itself(merlon, mme, bound):
    """R-5.7.3.b: undone on expiry, and the node that serves hears it."""
    imsi = bound("g-quarantine")
    attach(mme, imsi)
    merlon.set("hold", imsi, until=str(int(time.time()) + 4), cause="complaint")
    assert apns(mme.expect("IDR", imsi)) == [QUARANTINE]
    assert mme.request("ECR", ecr(OWN, imsi))["Equipment-Status"] == GREY
    assert apns(mme.expect("IDR", imsi, timeout=15)) == ["meters.iot"]
    assert held(merlon, imsi, "expired") and mme.request("ECR", ecr(OWN, imsi))["Equipment-Status"] == WHITE


def test_what_a_greylisted_sim_gets_is_the_profile_s(merlon, mme, bound):
    imsi = bound("g-quarantine")
    assert apns(attach(mme, imsi, OTHER)) == [QUARANTINE]
    poll(lambda: held(merlon, imsi), 5, "the case")
    imsi = bound("g-watch")
    assert apns(attach(mme, imsi, OTHER)) == ["meters.iot"]
    poll(lambda: held(merlon, imsi), 5, "the case")
    assert mme.request("ECR", ecr(OWN, imsi))["Equipment-Status"] == GREY
    imsi = bound("g-bar")
    features = [("Vendor-Id", 10415), ("Feature-List-ID", 1), ("Feature-List", 1)]
    poll(lambda: mme.request("ULR", ulr(imsi, imei=OWN, Supported_Features=features)).result == 2001, 5, "an attach")
    moved(mme, imsi)
    assert mme.expect("IDR", imsi)["Subscription-Data"]["Operator-Determined-Barring"] == 1
    poll(lambda: held(merlon, imsi), 5, "the case")


def test_a_critical_subscription_only_alerts(merlon, mme, bound):
    """R-5.1.g, R-5.7.3.c"""
    imsi = bound("b-detach")
    merlon.set("subscription", imsi, priority="critical")
    attach(mme, imsi)
    mark = merlon.mark()
    attach(mme, imsi, OTHER)
    stranger(merlon, mark, imsi, "alert")
    assert mme.request("ECR", ecr(OTHER, imsi))["Equipment-Status"] == GREY
    done = merlon.run("set", "hold", imsi, "until=2031-01-01", check=False)
    assert "second person" in done.stdout + done.stderr and not held(merlon, imsi)


@pytest.mark.parametrize("profile,colour", [("b-alert", GREY), ("b-refuse", BLACK), ("b-greylist", GREY),
                                            ("b-quarantine", GREY), ("b-detach", BLACK)])
def test_the_eir_knows_the_sim_s_own_device(mme, bound, profile, colour):
    imsi = bound(profile)
    poll(lambda: mme.request("ECR", ecr(OTHER, imsi))["Equipment-Status"] == colour, 5, "the serving copy")
    assert mme.request("ECR", ecr(OWN, imsi))["Equipment-Status"] == WHITE


def test_a_sim_may_be_bound_to_types_of_device(merlon, mme, bound):
    imsi = bound("b-quarantine", tacs="00101777 00101778")
    mark = merlon.mark()
    assert apns(attach(mme, imsi, "00101777000005")) == ["meters.iot", "more.iot"]
    assert apns(attach(mme, imsi, "00101778000005")) == ["meters.iot", "more.iot"]
    assert apns(attach(mme, imsi, OTHER)) == [QUARANTINE]
    stranger(merlon, mark, imsi, "quarantine")


def test_two_hosts_on_one_module_are_told_apart(merlon, mme, bound):
    """R-5.7.3.a, DHIR (TS.34): the TAC is the module's; what it is built into it says itself."""
    meter, router = "00101776000001", "00101776000002"
    merlon.import_csv(["imei", "maker", "model", "unique"], [
        {"imei": meter, "maker": "Acme", "model": "Meter 7", "unique": "A-1"}], "--object", "host")
    imsi = bound("b-quarantine", host="Acme/Meter 7")
    assert apns(attach(mme, imsi, meter)) == ["meters.iot", "more.iot"]
    assert apns(attach(mme, imsi, router)) == ["meters.iot", "more.iot"], "nobody knows its host yet: not known is not bad"
    merlon.import_csv(["imei", "maker", "model", "imsi"], [
        {"imei": router, "maker": "Acme", "model": "Router", "imsi": imsi}], "--object", "host")
    assert apns(mme.expect("IDR", imsi)) == [QUARANTINE], "the report comes after the attach"
    assert apns(attach(mme, imsi, meter)) == ["meters.iot", "more.iot"]
    assert apns(attach(mme, imsi, router)) == [QUARANTINE]


def test_a_profile_may_ask_for_the_device_too(merlon, mme, bound):
    """R-3.1.j: a SIM alone is not assurance enough."""
    merlon.set("profile", "b-assured", tenant="meters", assurance="bound-device", apn1="meters.iot:ipv4",
               rats="wb-eutran lte-m nb-iot")
    imsi, free = bound("b-assured"), bound("b-assured", imei="")
    attach(mme, imsi)
    poll(lambda: mme.request("ULR", ulr(free, imei=OWN)).result == -5004, 5, "a SIM that is bound to nothing is refused")
    assert mme.request("ULR", ulr(imsi, Terminal_Information=None)).result == -5004, "nobody says which device it is"


def test_it_is_greylisted_while_the_keeper_is_away(work):
    """The reaction does not wait for the records, and they get the case when they are back; a restart of home between
    loses nothing."""
    m = Merlon(os.path.join(work, "hold"))
    try:
        m.wait_up()
        m.set("profile", "p", tenant="meters", binding="greylist", apn1="meters.iot:ipv4", rats="wb-eutran lte-m nb-iot")
        imsi = "999709900000001"
        m.set("subscription", imsi, tenant="meters", profile="p", imei=OWN)
        n = Client(m.port, f"hold.{realm('00101')}", realm("00101"))
        attach(n, imsi)
        keeper = roles(m.process.pid)["keeper"]
        os.kill(keeper, 19)
        try:
            assert n.request("ULR", ulr(imsi, imei=OTHER)).result == -5004
            assert n.expect("CLR", imsi)["Cancellation-Type"] == 2
            assert n.request("ULR", ulr(imsi, imei=OWN)).result == -5004
            home = roles(m.process.pid)["home"]
            os.kill(home, 9)
            poll(lambda: roles(m.process.pid).get("home", home) != home, 10, "another home")
        finally:
            os.kill(keeper, 18)
        poll(lambda: held(m, imsi), 15, "the case")
        m.set("hold", imsi, state="returned")
        attach(n, imsi)
        n.close()
    finally:
        m.stop()
