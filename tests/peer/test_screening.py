"""What a partner may not do: each refusal has the right answer, and an event that names its clause."""
import pytest
from ask import air, ecr, nor, pur, ulr
from diameter import S6A, encode, plmn, poll, vsai
from merlon import EDGE_HOST, HOME, HOME_HOST, realm

ORIGIN = ("Origin-Host", "Origin-Realm")


@pytest.fixture
def refused(merlon):
    """refused(send, result, check, clause): the answer of send() has this result, and the event tells why."""
    def judge(send, result, check, clause, network="00101"):
        mark = merlon.mark()
        answer = send()
        assert answer is not None and answer.result == result, f"{check}: {answer}"
        assert answer["Origin-Host"] == EDGE_HOST
        return merlon.event(mark, event="edge.refused", check=check, clause=clause, network=network)
    return judge


SPOOFS = {
    "another partner's realm": (dict(Origin_Realm=realm("00102"), Origin_Host=f"mme.{realm('00102')}"),
                                "partner.origin_realm"),
    "our own realm": (dict(Origin_Realm=HOME, Origin_Host=f"mme.{HOME}"), "partner.origin_ours"),
    "our own host under its realm": (dict(Origin_Host=HOME_HOST), "partner.origin_ours"),
    "a host outside its realm": (dict(Origin_Host=f"mme.{realm('00102')}"), "partner.origin_host"),
    "a route through another network": (dict(Route_Record=f"dra.{realm('00102')}"), "partner.route_record"),
    "a route through us": (dict(Route_Record=f"mme.{HOME}"), "partner.route_record"),
    "another visited network": (dict(Visited_PLMN_Id=plmn("00102")), "partner.visited_plmn"),
}


@pytest.mark.parametrize("spoof", SPOOFS)
@pytest.mark.parametrize("command", ["AIR", "ULR"])
def test_a_partner_that_pretends_is_refused(node, sim, refused, spoof, command):
    """R-5.6.1.h"""
    other, check = SPOOFS[spoof]
    body = (air if command == "AIR" else ulr)(sim("car"), **other)
    n = node()
    refused(lambda: n.request(command, body), 5003, check, "R-5.6.1.h")


def test_freediameter_forging_its_origin_is_refused(fd_tcp, sim, refused):
    """R-5.6.1.h: freeDiameter sends, and relays, whatever Origin it is told."""
    body = air(sim(), Origin_Host=f"mme.{realm('00102')}", Origin_Realm=realm("00102"))
    refused(lambda: fd_tcp.request("AIR", body), 5003, "partner.origin_realm", "R-5.6.1.h")


def test_an_internal_node_cannot_be_addressed(node, sim, refused):
    """R-5.6.1.g"""
    n = node()
    refused(lambda: n.request("AIR", air(sim(), Destination_Host=HOME_HOST)), 3002, "partner.dest_internal",
            "R-5.6.1.g")


def test_we_are_no_transit(node, sim, refused):
    """R-5.6.1.g"""
    n = node()
    refused(lambda: n.request("AIR", air(sim(), Destination_Realm=realm("00102"))), 3003, "partner.dest_realm",
            "R-5.6.1.g")


def test_a_blocked_network_gets_nothing(node, sim, refused):
    """R-5.6.b"""
    n = node("00103")
    refused(lambda: n.request("AIR", air(sim(), visited="00103")), 5003, "partner.peer_blocked", "R-5.6.b", "00103")


def test_a_stranger_does_not_become_a_peer(merlon, node):
    """R-5.6.1.h: no network record, no connection."""
    mark = merlon.mark()
    assert node("26299").cea.result == 3010
    merlon.event(mark, event="edge.peer_refused", clause="R-5.6.1.h", result=3010)


def test_our_realm_from_outside_does_not_become_a_peer(merlon, node):
    """R-5.6.1.h: our own MMEs are where edge.own says, nowhere else."""
    mark = merlon.mark()
    assert node("99970").cea.result == 3010
    merlon.event(mark, event="edge.peer_refused", clause="R-5.6.1.h")


def test_category_1_an_application_not_agreed_on(node, sim, refused):
    """R-5.6.1.g: Cx (16777216) Multimedia-Auth."""
    n = node()
    body = encode([("Session-Id", f"{n.host};1;1"), vsai(16777216), ("Auth-Session-State", 1),
                   ("Origin-Host", n.host), ("Origin-Realm", n.realm), ("Destination-Realm", HOME),
                   ("User-Name", sim())])
    refused(lambda: n.ask(303, 16777216, body), 3007, "category.application", "R-5.6.1.g")


def test_category_1_a_command_of_another_application(node, sim, refused):
    """R-5.6.1.g: ME-Identity-Check under S6a."""
    n = node()
    body = encode([("Session-Id", f"{n.host};2;1"), vsai(S6A)] + ecr("35000000000009")[1:] +
                  [("Origin-Host", n.host), ("Origin-Realm", n.realm)])
    refused(lambda: n.ask(324, S6A, body), 3001, "category.command", "R-5.6.1.g")


def to_us(imsi, **other):
    return [vsai(), ("Auth-Session-State", 1), ("Destination-Realm", HOME), ("Destination-Host", EDGE_HOST),
            ("User-Name", imsi)] + [(k.replace("_", "-"), v) for k, v in other.items()]


CATEGORY_2 = {
    "CLR": dict(Cancellation_Type=2), "IDR": dict(Subscription_Data=[("Subscriber-Status", 0)]),
    "DSR": dict(DSR_Flags=2),
}


@pytest.mark.parametrize("command", CATEGORY_2)
def test_category_2_about_our_own_subscriber(node, sim, refused, command):
    """R-5.6.1.k"""
    n = node()
    refused(lambda: n.request(command, to_us(sim("pacemaker"), **CATEGORY_2[command])), 5003,
            "category.own_subscriber", "R-5.6.1.k")


@pytest.mark.parametrize("command", CATEGORY_2)
def test_category_2_by_a_network_that_is_not_the_home(node, refused, command):
    """R-5.6.1.k: 001-02 about a subscriber of 001-01."""
    n = node("00102")
    refused(lambda: n.request(command, to_us("001010000000009", **CATEGORY_2[command])), 5003,
            "category.home_only", "R-5.6.1.k", "00102")


def test_category_2_about_somebody_who_is_not_here(node, refused):
    """R-5.6.1.k"""
    n = node()
    refused(lambda: n.request("CLR", to_us("001010000000010", Cancellation_Type=2)), -5001,
            "category.registered_roamer", "R-5.6.1.k")


def test_category_3_about_another_networks_subscriber(node, refused):
    """R-5.6.1.g"""
    n = node()
    refused(lambda: n.request("AIR", air("001020000000001")), -5001, "category.foreign_imsi", "R-5.6.1.g")


@pytest.mark.parametrize("command,body", [("PUR", pur), ("NOR", nor)])
def test_category_3_by_a_node_that_does_not_serve(node, sim, refused, command, body):
    """R-5.6.1.g"""
    imsi, serving, other = sim(), node(), node()
    assert serving.request("ULR", ulr(imsi)).result == 2001
    refused(lambda: other.request(command, body(imsi)), -5001, "plausibility.serving_host", "R-5.6.1.g")
    assert serving.request(command, body(imsi)).result == 2001


def test_category_3_faster_than_anything_flies(merlon, node, sim, refused):
    """R-5.6.1.g: from 52 N 5 E to 33 S 151 E within a second."""
    merlon.set("network", "50501", realm=realm("50501"), addresses="127.0.0.0/8", trust="trusted", clear_ok="yes",
               lat_cdeg=-3300, lon_cdeg=15100)
    imsi, here = sim(), node()
    far = node_of_new_network(node, "50501")
    assert here.request("ULR", ulr(imsi)).result == 2001
    refused(lambda: far.request("ULR", ulr(imsi, visited="50501")), -5004, "plausibility.velocity", "R-5.6.1.g",
            "50501")


def node_of_new_network(node, plmn):
    """A record reaches the serving copy at the keeper's pace: until then its nodes are strangers."""

    def admitted():
        n = node(plmn)
        return n if n.cea.result == 2001 else None
    return poll(admitted, 5, f"network {plmn} in the serving copy")


def test_an_unknown_subscriber_is_told_so(node, refused):
    """R-5.6.b"""
    n = node()
    refused(lambda: n.request("AIR", air("999709999999998")), -5001, "subscriber.unknown", "R-5.6.b")


def test_a_sim_in_another_device_is_refused(merlon, node, sim, refused):
    """R-5.1.1.2.b: bound to its device by the profile (binding=refuse)."""
    imsi, n = sim(), node()
    merlon.set("subscription", imsi, imei="35390000000007")
    assert n.request("ULR", ulr(imsi, imei="35390000000007")).result == 2001
    refused(lambda: n.request("ULR", ulr(imsi, imei="35391111111111")), -5004, "subscriber.binding", "R-5.1.1.2.b")


def test_a_black_device_is_refused(merlon, node, sim, refused):
    """R-5.7.3.a"""
    merlon.import_csv(["imei", "list", "reason", "expires"],
                      [{"imei": "35390000000666", "list": "black", "reason": "stolen"}])
    imsi, n = sim(), node()
    refused(lambda: n.request("ULR", ulr(imsi, imei="35390000000666")), -5004, "subscriber.equipment", "R-5.7.3.a")


def test_a_radio_technology_that_the_profile_does_not_name_is_refused(node, sim, refused):
    """R-5.1.b: UTRAN (1000)."""
    n = node()
    refused(lambda: n.request("ULR", ulr(sim(), rat=1000)), -5421, "subscriber.rat", "R-5.1.b")


def test_a_check_can_be_set_to_observe(merlon, node, sim):
    """R-5.6.1.g: for one card's messages the check only watches: they pass, and the event is written."""
    imsi, other, n = sim(), sim(), node()
    merlon.set("rule", "watch-routes", check="partner.route_record", mode="observe", imsi_from=imsi, imsi_to=imsi)

    def ask(who):
        return n.request("AIR", air(who, Route_Record=f"dra.{realm('00102')}")).result
    poll(lambda: ask(imsi) == 2001, 5, "the rule in the serving copy")
    mark = merlon.mark()
    assert (ask(imsi), ask(other)) == (2001, 5003)
    merlon.event(mark, event="edge.observed", check="partner.route_record", clause="R-5.6.1.h")


def test_a_refused_update_can_carry_what_open5gs_insists_on(merlon, node, sim):
    """facts of Open5GS: an error ULA without ULA-Flags and Subscription-Data leaves the device hanging."""
    merlon.set("network", "00102", compat_ula="yes")
    imsi, n = sim(), node("00102")
    merlon.set("subscription", imsi, life="suspended")

    def compat():
        answer = n.request("ULR", ulr(imsi, visited="00102"))
        return answer.result == -5420 and "ULA-Flags" in answer and "Subscription-Data" in answer
    poll(compat, 5, "ULA-Flags in the refusal")
