"""Roles in other places: nothing but the 3GPP interface, the serving copy, events and counters lies between them."""
import os

import pytest
from ask import air, ulr
from diameter import Client, plmn, poll, vsai
from fd import FreeDiameter
from merlon import HOME, Merlon, free_port, realm, usim

SIM = "999706000000001"


def test_home_on_another_address_under_a_supervisor_of_its_own(work):
    """One machine's edge, another's home: two `merlon run`, joined by S6a and the serving copy alone."""
    where = os.path.join(work, "apart")
    back = Merlon(os.path.join(where, "back"), roles="keeper, home, watch", home_address="127.0.0.9")
    front = None
    try:
        back.wait_up()
        back.import_sims([SIM], "meter")
        front = Merlon(os.path.join(where, "front"), roles="edge", data_dir=back.data_dir, demo=False,
                       home_address="127.0.0.9", home_port=back.home_port).wait_up()
        n = Client(front.port, f"mme.{realm('00101')}", realm("00101"))
        answer = poll(lambda: answered(n.request("AIR", air(SIM))), 10, "home behind the edge")
        usim(SIM).check(answer["Authentication-Info"]["E-UTRAN-Vector"], plmn("00101"))
        assert n.request("ULR", ulr(SIM)).result == 2001
        back.set("subscription", SIM, life="suspended")
        assert n.expect("CLR", SIM)["Cancellation-Type"] == 2
        n.close()
    finally:
        codes = [m.stop() for m in (front, back) if m]
    assert codes == [0, 0], back.tail()


def answered(answer):
    """An answer of home; 3002 while the edge has not reached it yet."""
    return answer if answer is not None and answer.result != 3002 else None


VECTOR = [("Item-Number", 1), ("RAND", bytes(range(16))), ("XRES", bytes(8)), ("AUTN", bytes(16)), ("KASME", bytes(32))]


@pytest.fixture(scope="module")
def foreign_home(work, extension, authority):
    """freeDiameter in home's place: (edge, hss, a partner's node)."""
    hss = FreeDiameter(work, extension, authority, f"hss.{HOME}", HOME, "127.0.0.1", port=free_port(),
                       allow=[f"*.{HOME}"], routes=[(realm("00101"), f"edge-0.{HOME}")])
    m = Merlon(os.path.join(work, "foreign"), roles="keeper, edge, watch", home_port=hss.port)
    try:
        m.wait_up()
        m.set("subscription", SIM, tenant="meters", profile="meter")
        hss.wait_open(f"edge-0.{HOME}")
        n = Client(m.port, f"mme.{realm('00101')}", realm("00101"))
        yield m, hss, n
        n.close()
    finally:
        code = m.stop()
        hss.stop()
    assert code == 0, m.tail()


def test_any_hss_can_stand_in_homes_place(foreign_home):
    """The answers of freeDiameter reach the partner, who sees the edge alone; the edge screens as ever."""
    _, hss, n = foreign_home
    hss.reply("AIR", [("Result-Code", 2001), ("Auth-Session-State", 1), vsai(),
                      ("Authentication-Info", [("E-UTRAN-Vector", VECTOR)])])
    hss.reply("ULR", [("Result-Code", 2001), ("Auth-Session-State", 1), vsai(), ("ULA-Flags", 1)])
    answer = n.request("AIR", air(SIM))
    assert answer.result == 2001 and answer["Origin-Host"] == f"edge.{HOME}"
    assert answer["Authentication-Info"]["E-UTRAN-Vector"]["RAND"] == bytes(range(16))
    asked = hss.expect("AIR", SIM)
    assert asked["Route-Record"] == n.host and "Destination-Host" not in asked
    assert n.request("ULR", ulr(SIM)).result == 2001
    assert n.request("AIR", air(SIM, Origin_Realm=realm("00102"), Origin_Host=f"x.{realm('00102')}")).result == 5003
    assert hss.expect("AIR", SIM, timeout=0.5) is None, "the spoofed request must not reach the HSS"


def test_what_another_vendors_hss_sends_reaches_the_partners_node(foreign_home):
    """R-5.6.1.k: CLR through the edge, with the HSS's name taken out."""
    _, hss, n = foreign_home
    answer = hss.request("CLR", [("Auth-Session-State", 1), vsai(), ("Destination-Host", n.host),
                                 ("Destination-Realm", n.realm), ("User-Name", SIM), ("Cancellation-Type", 2)])
    assert answer is not None and answer.result == 2001, answer.get("Error-Message")
    clr = n.expect("CLR", SIM)
    assert clr["Origin-Host"] == f"edge.{HOME}" and hss.host.encode() not in clr.bytes
