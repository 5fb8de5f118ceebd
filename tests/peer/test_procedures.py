"""freeDiameter as a partner's MME completes the procedures of S6a and S13 through edge and home."""
import pytest
from ask import air, ecr, nor, pur, ulr
from diameter import S6A, S13, plmn
from merlon import EDGE_HOST, HOME, HOME_HOST, usim

BLACK, GREY, WHITE = "35000000000001", "35000000000002", "35000000000003"


def vectors(answer):
    return answer["Authentication-Info"].all("E-UTRAN-Vector")


def attach(mme, imsi, **kw):
    assert mme.request("AIR", air(imsi)).result == 2001
    answer = mme.request("ULR", ulr(imsi, **kw))
    assert answer.result == 2001
    return answer


def test_the_edge_introduces_itself_with_both_applications(node):
    cea = node().cea
    assert cea.result == 2001 and cea["Origin-Host"] == EDGE_HOST and cea["Origin-Realm"] == HOME
    offered = [a["Auth-Application-Id"] for a in cea.avps.all("Vendor-Specific-Application-Id")]
    assert {S6A, S13} <= set(offered)


def test_vectors_are_those_of_the_card(mme, sim):
    """R-5.1.1.4.c: every part of the vector is right for this card and this visited network."""
    imsi = sim()
    answer = mme.request("AIR", air(imsi))
    assert answer.result == 2001
    assert usim(imsi).check(vectors(answer)[0], plmn("00101")) > 0


def test_the_answer_hides_home_from_a_partner(mme, sim):
    answer = mme.request("AIR", air(sim()))
    assert answer["Origin-Host"] == EDGE_HOST and answer["Origin-Realm"] == HOME
    assert HOME_HOST.encode() not in answer.bytes


def test_five_vectors_are_all_different_and_rise(mme, sim):
    imsi = sim()
    got = vectors(mme.request("AIR", air(imsi, vectors=5)))
    got += vectors(mme.request("AIR", air(imsi, vectors=5)))
    sqn = [usim(imsi).check(v, plmn("00101")) for v in got]
    assert len(got) == 10 and len({v["RAND"] for v in got}) == 10
    assert sqn == sorted(set(sqn)), "a card must be given rising sequence numbers"


def test_resynchronisation_moves_the_sequence_beyond_the_card(mme, sim):
    """TS 33.102 6.3.5: the card's SQN_MS is ahead by 2^24; the next vector is ahead of that."""
    imsi = sim()
    card, first = usim(imsi), vectors(mme.request("AIR", air(imsi)))[0]
    ahead = card.check(first, plmn("00101")) + (1 << 24)
    auts = first["RAND"] + card.auts(first["RAND"], ahead)
    answer = mme.request("AIR", air(imsi, resync=auts))
    assert answer.result == 2001
    assert card.check(vectors(answer)[0], plmn("00101")) > ahead


def test_a_forged_resynchronisation_moves_nothing(mme, sim):
    imsi = sim()
    card, first = usim(imsi), vectors(mme.request("AIR", air(imsi)))[0]
    before = card.check(first, plmn("00101"))
    forged = bytearray(first["RAND"] + card.auts(first["RAND"], before + (1 << 24)))
    forged[-1] ^= 1
    mme.request("AIR", air(imsi, resync=bytes(forged)))
    after = card.check(vectors(mme.request("AIR", air(imsi)))[0], plmn("00101"))
    assert before < after < before + (1 << 20)


def test_a_meter_is_given_what_it_needs_and_nothing_else(mme, sim):
    """R-5.1.b, R-5.1.c: packet domain only, one named APN, no SMS, no voice, no wildcard."""
    data = attach(mme, sim())["Subscription-Data"]
    profile = data["APN-Configuration-Profile"]
    apns = profile.all("APN-Configuration")
    assert data["Network-Access-Mode"] == 2
    assert [a["Service-Selection"] for a in apns] == ["meters.iot"]
    assert profile["Context-Identifier"] == apns[0]["Context-Identifier"]
    assert apns[0]["EPS-Subscribed-QoS-Profile"]["QoS-Class-Identifier"] == 9
    assert apns[0]["VPLMN-Dynamic-Address-Allowed"] == 0
    for beyond in ("Teleservice-List", "STN-SR", "LCS-Info", "Call-Barring-Infor-List"):
        assert beyond not in data
    assert data.get("Subscription-Data-Flags", 0) & 3 == 0, "no SMS of any kind"
    assert data["Access-Restriction-Data"] & 3 == 3, "neither UTRAN nor GERAN"
    assert data["Subscribed-Periodic-RAU-TAU-Timer"] == 86400


def test_a_car_may_send_sms_and_a_meter_is_not_registered_for_it(mme, sim):
    assert attach(mme, sim())["ULA-Flags"] & 2 == 0
    assert "Teleservice-List" in attach(mme, sim("car"))["Subscription-Data"]


def test_purge_and_notify_are_answered(mme, sim):
    imsi = sim()
    attach(mme, imsi)
    assert mme.request("NOR", nor(imsi)).result == 2001
    answer = mme.request("PUR", pur(imsi))
    assert answer.result == 2001 and answer.get("PUA-Flags", 0) & 1 == 1


@pytest.fixture(scope="module")
def lists(merlon):
    merlon.import_csv(["imei", "list", "reason", "expires"],
                      [{"imei": BLACK, "list": "black", "reason": "stolen"},
                       {"imei": GREY, "list": "grey", "reason": "watched"},
                       {"imei": WHITE, "list": "white"}])


@pytest.mark.parametrize("imei,status", [(WHITE, 0), (BLACK, 1), (GREY, 2)])
def test_the_eir_knows_white_black_and_grey(mme, lists, imei, status):
    """R-5.7.3.a: TS 29.272 6.2; the edge may have to wait for the serving copy, we do not."""
    answer = mme.request("ECR", ecr(imei))
    assert answer.result == 2001 and answer["Equipment-Status"] == status


def test_an_mme_that_loses_the_subscriber_hears_so(fd_tcp, fd_tls, sim):
    """TS 29.272 5.2.1.1.3: the previous MME gets CLR, type MME update."""
    imsi = sim()
    attach(fd_tcp, imsi)
    attach(fd_tls, imsi)
    clr = fd_tcp.expect("CLR", imsi)
    assert clr and clr["Cancellation-Type"] == 0 and clr["Destination-Host"] == fd_tcp.host


def test_a_profile_change_reaches_the_mme_as_idr_and_dsr(merlon, mme, sim):
    """R-5.8.3.h: what the profile no longer grants is taken from the MME, what it grants is given."""
    name = f"p-{mme.host[:6]}"
    merlon.set("profile", name, tenant="meters", rats="wb-eutran lte-m nb-iot", apn1="meters.iot:ipv4:9:12:1000:1000",
               apn2="extra.iot:ipv4:9:12:1000:1000")
    imsi = sim()
    merlon.set("subscription", imsi, profile=name)
    data = attach(mme, imsi)["Subscription-Data"]
    apns = data["APN-Configuration-Profile"].all("APN-Configuration")
    assert [a["Service-Selection"] for a in apns] == ["meters.iot", "extra.iot"]
    merlon.set("profile", name, ul_bps=54321)
    idr = mme.expect("IDR", imsi)
    assert idr and idr["Subscription-Data"]["AMBR"]["Max-Requested-Bandwidth-UL"] == 54321
    merlon.set("profile", name, apn2="")
    dsr = mme.expect("DSR", imsi)
    assert dsr and dsr["DSR-Flags"] & 8 and dsr["Context-Identifier"] == apns[1]["Context-Identifier"]


def test_a_suspended_sim_is_cancelled_and_refused(merlon, mme, sim):
    """R-5.7.1.a: CLR, type subscription withdrawal; then 5420, and the event says so."""
    imsi = sim()
    attach(mme, imsi)
    mark = merlon.mark()
    merlon.set("subscription", imsi, life="suspended")
    clr = mme.expect("CLR", imsi)
    assert clr and clr["Cancellation-Type"] == 2
    assert mme.request("AIR", air(imsi)).result == -5420
    merlon.event(mark, event="edge.refused", check="subscriber.not_active", clause="R-5.7.1.a")
