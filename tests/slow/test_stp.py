"""Interoperation that needs another kernel: osmo-stp on the Linux kernel's SCTP, in QEMU, as the international STP. The edge is
its ASP, by usrsctp over raw IP; a partner's SGSN, another ASP of osmo-stp, registers through both."""
import os
import shutil
import sys
import tempfile

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
for folder in ("tests/peer", "tests/attacks", "tests/slow"):
    sys.path.insert(0, os.path.join(ROOT, folder))
import map_clean  # noqa: E402
import map_corpus  # noqa: E402
from diameter import poll  # noqa: E402
from guest import Guest, Missing  # noqa: E402
from m3ua import Pipe, Waiting, connect  # noqa: E402
from merlon import Merlon, free_port  # noqa: E402
from ss7 import *  # noqa: E402, F403

HOME, OUT = 1, 100
CONFIG = """
log stderr
 logging filter all 1
 logging color 0
 logging print category 1
 logging level lss7 info
 logging level lm3ua info
line vty
 no login
cs7 instance 0
 network-indicator international
 point-code 0.1.1
 asp asp-edge 0 2905 m3ua
  local-ip 10.77.0.2
  remote-ip 10.77.0.1
  role sg
  sctp-role server
 asp asp-sgsn 0 2905 m3ua
  local-ip 10.77.0.2
  remote-ip 10.77.0.3
  role sg
  sctp-role server
 as as-edge m3ua
  asp asp-edge
  routing-key 1 0.0.1
 as as-sgsn m3ua
  asp asp-sgsn
  routing-key 2 0.12.4
 route-table system
  update route 0.0.1 7.255.7 linkset as-edge
  update route 0.12.4 7.255.7 linkset as-sgsn
 listen m3ua 2905
  local-ip 10.77.0.2
  accept-asp-connections pre-configured
"""


@pytest.fixture(scope="module")
def where():
    path = tempfile.mkdtemp(prefix="ms-", dir="/tmp")
    yield path
    if not os.environ.get("KEEP"):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def guest(where):
    if os.geteuid() != 0:
        pytest.skip("raw IP and tap devices need root")
    try:
        g = Guest(os.environ.get("MERLON_SLOW_CACHE") or os.path.join(ROOT, os.environ.get("BUILD", "build"), "slow"), CONFIG,
                  os.path.join(where, "guest.log"))
    except Missing as why:
        pytest.skip(str(why))
    try:
        poll(lambda: "binding m3ua Server" in g.said() or "osmo-stp ended" in g.said() or g.process.poll() is not None, 180, g.said)
        assert "osmo-stp ended" not in g.said() and g.process.poll() is None, g.said()
        yield g
    finally:
        g.stop()


def test_a_sgsn_registers_through_osmo_stp_on_kernel_sctp(guest, where):
    """R-5.6.1: M3UA with a peer that we did not write, over SCTP that we did not write, on both of its sides."""
    back = free_port()
    waiting = Waiting(back, context=2)
    m = Merlon(os.path.join(where, "m"), roles="keeper, edge, watch", heard=False, m3ua=[
        f"outside dial sctp:10.77.0.2:2905?from=10.77.0.1 role=asp context=1 points={OUT}",
        f"home dial tcp:127.0.0.1:{back} context=2 points={HOME}"])
    pipe = sgsn = None
    try:
        m.wait_up()
        m.set("profile", "tracker", tenant="meters", rats="geran utran", apn1="meters.iot:ipv4:9:12:100000:100000")
        m.import_csv(["imsi", "tenant", "profile"], [{"imsi": map_clean.SIMS[0], "tenant": "meters", "profile": "tracker"}])
        poll(lambda: 'side="outside"} 1' in m.metrics(), 90, lambda: f"the edge active at osmo-stp: {guest.said()[-2000:]}{m.tail()}")
        port = free_port()
        pipe = Pipe(f"tcp:127.0.0.1:{port}", "sctp:10.77.0.2:2905?from=10.77.0.3")
        sgsn = connect(port, context=2)
        assert sgsn.active.wait(30), guest.said()[-2000:]
        hlr = waiting.peer()
        for ask, op in ((map_corpus.vectors(map_clean.SIMS[0]), 56), (map_corpus.update_gprs(map_clean.SIMS[0]), 23)):
            called, calling = ask.ends()
            user = udt(called, calling, ask.tcap())
            sgsn.send(OUT, HOME, user, sls=3, ni=0)
            assert hlr.receive(20)[:3] == (OUT, HOME, user)
            answer = udt(calling, called, end(ask.tid, result(op, seq(octets(number("9997001")))) if op == 23 else result(
                op, ctx(3, made=True)), dialogue=aare(context(ask.ac, 3))))
            hlr.send(HOME, OUT, answer, sls=3)
            assert sgsn.receive(20)[:3] == (HOME, OUT, answer)
        forged = map_corpus.update(map_corpus.OF_P2)
        called, calling = forged.ends()
        sgsn.send(OUT, HOME, udt(called, calling, forged.tcap()))
        opc, dpc, user, _, _ = sgsn.receive(20)
        assert (opc, dpc) == (HOME, OUT) and error(1)[2:] in user
        assert hlr.silent() is None
    finally:
        if sgsn:
            sgsn.close()
        if pipe:
            pipe.stop()
        waiting.close()
        assert m.stop() == 0
