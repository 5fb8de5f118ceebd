"""A request that is wrong by itself gets the base protocol's error, with the AVP that is at fault (RFC 6733 7)."""
import pytest
from ask import air, ecr, ulr
from diameter import S6A, encode, encode_raw, message
from merlon import EDGE_HOST

UNKNOWN_AVP = 3999


def body(n, avps, extra=b""):
    origin = [("Origin-Host", n.host), ("Origin-Realm", n.realm)]
    return encode([("Session-Id", f"{n.host};9;{n._next()}")] + origin + list(avps)) + extra


def without(avps, name):
    return [a for a in avps if a[0] != name]


WRONG = {
    "no User-Name": (5005, 1, lambda i: encode(without(air(i), "User-Name"))),
    "no Visited-PLMN-Id": (5005, 1407, lambda i: encode(without(ulr(i), "Visited-PLMN-Id"))),
    "a PLMN of two bytes": (5014, 1407, lambda i: encode(air(i, Visited_PLMN_Id=b"\x00\xf1"))),
    "a Session-State of 7": (5004, 277, lambda i: encode(air(i, Auth_Session_State=7))),
    "two User-Names": (5009, 1, lambda i: encode(air(i) + [("User-Name", i)])),
    "an AVP that must be understood": (5001, UNKNOWN_AVP, lambda i: encode(air(i)) +
                                       encode_raw(UNKNOWN_AVP, 0, b"abcd")),
    "an AVP longer than the message": (5014, UNKNOWN_AVP, lambda i: encode(air(i)) +
                                       bytes.fromhex("00000f9f40ffffff")),
}


@pytest.mark.parametrize("what", WRONG)
def test_the_answer_names_the_fault(node, sim, what):
    """R-5.6.1.g"""
    n, (result, code, make) = node(), WRONG[what]
    command = 316 if "Visited" in what else 318
    answer = n.ask(command, S6A, body(n, [], make(sim("pacemaker"))))
    assert answer is not None and answer.result == result, answer
    assert answer["Origin-Host"] == EDGE_HOST and not answer.flags & 0x80
    assert [a.code for a in answer["Failed-AVP"]] == [code]
    assert bool(answer.flags & 0x20) == (result // 1000 == 3), "the E bit is for protocol errors"


def test_an_avp_that_need_not_be_understood_changes_nothing(node, sim):
    n = node()
    answer = n.ask(318, S6A, body(n, air(sim()), encode_raw(UNKNOWN_AVP, 0, b"abcd", flags=0)))
    assert answer.result == 2001


def test_a_request_that_came_by_us_already_is_a_loop(node, sim):
    """RFC 6733 6.1.3"""
    assert node().request("AIR", air(sim(), Route_Record=EDGE_HOST)).result == 3005


def test_proxy_info_comes_back_as_it_was(node, sim):
    """RFC 6733 6.2: also in a refusal of the edge's own."""
    n = node()
    for imsi, result in ((sim(), 2001), ("999709999999997", -5001)):
        proxy = [("Proxy-Info", [("Proxy-Host", "dra.example"), ("Proxy-State", b"\x01\x02\x03")])]
        answer = n.request("AIR", air(imsi) + proxy)
        assert answer.result == result
        assert [a.raw for a in answer.avps if a.code == 284] == [encode(proxy[0][1])]


def test_a_message_of_another_version_is_cut_off(node):
    """Nothing says how long a message of version 2 is: what follows it cannot be read (RFC 6733 3)."""
    n = node()
    data = message(280, 0, 0x80, 77, 77, encode([("Origin-Host", n.host), ("Origin-Realm", n.realm)]))
    n.send(b"\x02" + data[1:])
    assert n.closed.wait(5)
    assert node().request("DWR", [], session=False).result == 2001, "others are served on"


@pytest.mark.parametrize("what", ["many", "deep"])
def test_avps_without_end_are_refused_and_cost_nothing(node, sim, what):
    """R-5.6.1.g: count and depth are bounded."""
    n, extra = node(), b""
    if what == "many":
        extra = encode_raw(UNKNOWN_AVP, 0, b"", flags=0) * 5000
    else:
        for _ in range(200):
            extra = encode_raw(284, 0, extra)
    answer = n.ask(318, S6A, body(n, air(sim()), extra))
    assert answer is None or answer.result // 1000 in (3, 5), answer
    assert node().request("ECR", ecr("35000000000077")).result == 2001


def test_garbage_closes_its_own_connection_only(node, sim):
    n = node()
    n.send(b"GET / HTTP/1.1\r\nHost: edge\r\n\r\n" * 4)
    assert n.closed.wait(5), "what is no Diameter is cut off"
    assert node().request("AIR", air(sim())).result == 2001
