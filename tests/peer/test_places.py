"""Roles in other places: nothing but the 3GPP interface, the serving copy, events and counters lies between them."""
import os
import socket

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


def ready(m):
    """Which roles the metrics call ready."""
    lines = [x for x in m.metrics().splitlines() if x.startswith("merlon_role_ready{")]
    return {x.split('"')[1] for x in lines if x.endswith(" 1")} if lines else None


def test_a_supervisor_for_each_role(work):
    """As systemd starts them: watch knows all, sees a role go and come, and is found again when it was away."""
    where = os.path.join(work, "single")
    m = Merlon(where, roles="watch, keeper, home, edge", watch_socket=os.path.join(where, "w"))
    of = {"watch": m.process}
    everybody = {"watch", "keeper", "home", "edge"}
    try:
        poll(lambda: os.path.exists(os.path.join(where, "w")), 10, m.tail)
        poll(lambda: ready(m) == {"watch"}, 10, lambda: f"{ready(m)}: {m.tail()}")
        assert not m._ready(), "three roles are still missing"
        for role in ("keeper", "home", "edge"):
            of[role] = m.start_role(role)
            poll(lambda role=role: role in ready(m), 20, lambda: f"{ready(m)}: {m.tail()}")
        m.wait_up()
        m.import_sims([SIM], "meter")
        n = Client(m.port, f"mme.{realm('00101')}", realm("00101"))
        answer = poll(lambda: answered(n.request("AIR", air(SIM))), 10, "home behind the edge")
        usim(SIM).check(answer["Authentication-Info"]["E-UTRAN-Vector"], plmn("00101"))
        mark = m.mark()
        assert n.request("AIR", air(SIM, Origin_Realm=realm("00102"), Origin_Host=f"x.{realm('00102')}")).result == 5003
        m.event(mark, check="partner.origin_realm")
        n.close()
        of["edge"].terminate()
        assert of["edge"].wait(15) == 0
        poll(lambda: ready(m) == everybody - {"edge"}, 5, lambda: f"{ready(m)}")
        of["edge"] = m.start_role("edge")
        poll(lambda: ready(m) == everybody, 20, lambda: f"{ready(m)}: {m.tail()}")
        of["watch"].terminate()
        assert of["watch"].wait(15) == 0
        m.process = of["watch"] = m.start_role("watch")
        m.wait_up()
        poll(lambda: ready(m) == everybody, 10, lambda: f"{ready(m)}: {m.tail()}")
    finally:
        for process in of.values():
            process.terminate()
        codes = [process.wait(15) for process in of.values()]
    assert codes == [0] * 4, m.tail()


def test_the_door_of_watch_takes_nobodys_word_for_nothing(work):
    """Nonsense ends its connection, and nothing else; a role that watch's own supervisor started is not to be had."""
    where = os.path.join(work, "door")
    path = os.path.join(where, "w")
    m = Merlon(where, roles="watch", watch_socket=path, demo=False)
    try:
        poll(lambda: os.path.exists(path), 10, m.tail)
        page = os.memfd_create("page", os.MFD_ALLOW_SEALING)
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for word, fds in ((b"\0edge", []), (b"\0edge", [page, there.fileno()]), (b"\x07x", []), (b"", [page] * 2),
                          (b"\0watch", [page, there.fileno()]), (b"\0../x", [page, there.fileno()])):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
                s.settimeout(5)
                poll(lambda s=s: s.connect_ex(path) == 0, 5, "the door")
                socket.send_fds(s, [word or b"\0"], fds)
                assert s.recv(1) == b"", word
        here.close(), there.close(), os.close(page)
        assert poll(lambda: ready(m), 10, m.tail) == {"watch"}
    finally:
        m.process.terminate()
        assert m.process.wait(15) == 0, m.tail()


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
