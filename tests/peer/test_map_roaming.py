"""Partners over SS7, through the edge's firewall to home: merlon simulate --map, and VLRs of ours (R-5.6.1)."""
import json
import os
import re
import subprocess
import sys

import pytest
from diameter import poll
from m3ua import Pipe, connect
from map_node import Net, digits, within
from merlon import BINARY, ROOT, Merlon, free_port, keys

sys.path.insert(0, os.path.join(ROOT, "tests", "attacks"))
from ss7 import *  # noqa: E402, F403

HLR_NO, STP, HOME_POINT, US = "99970000", 100, 1, 7
IMSI = [f"99970199{i:07d}" for i in range(20)]


@pytest.fixture(scope="module")
def world(work):
    (out, inner, direct, pipe), udp = [free_port() for _ in range(4)], [free_port() for _ in range(3)]
    m = Merlon(os.path.join(work, "roaming"), home={
        "m3ua": [f"listen tcp:127.0.0.1:{inner} context=7", f"listen tcp:127.0.0.1:{direct} context=8"], "map_number": HLR_NO, "map_point_code": HOME_POINT, "map_gateway": US},
        m3ua=[f"outside listen sctp:127.0.0.1:{out}?udp={udp[0]} context=1 points={STP}",
              f"home dial tcp:127.0.0.1:{inner} context=7 points={HOME_POINT}"],
        point_code=US, titles=[f"99970={HOME_POINT}", f"*={STP}"])
    m.direct, m.to, line = direct, f"sctp:127.0.0.1:{out}?udp={udp[1]}/{udp[0]}", None
    try:
        m.wait_up()
        poll(lambda: re.search(r'^merlon_edge_m3ua_active\{.*side="home"\} 1$', m.metrics(), re.M), 20, "home behind the edge")
        m.set("profile", "tracker", tenant="cars", priority="normal", rats="geran utran", services="sms-mt",
              apn1="trackers.iot:ipv4:9:12:100000:100000")
        rows = []
        for n, imsi in enumerate(IMSI):
            k, opc = keys(imsi)
            rows.append({"imsi": imsi, "msisdn": f"9997055{n:04d}", "alg": "milenage", "k": k.hex(), "opc": opc.hex(),
                         "amf": "8000", "tenant": "cars", "profile": "tracker"})
        m.import_csv("imsi,msisdn,alg,k,opc,amf,tenant,profile".split(","), rows)
        poll(lambda: simulate(m, "vectors", IMSI[19], 1)["groups"][0]["done"] == 1, 30, "the records in the serving copies")
        line = Pipe(f"tcp:127.0.0.1:{pipe}", f"sctp:127.0.0.1:{out}?udp={udp[2]}/{udp[0]}")
        m.pipe_port = pipe
        yield m
    finally:
        code = m.stop()
        if line:
            line.stop()
    assert code == 0, f"merlon run ended with {code}: {m.tail()}"


def run(m, mix, first, n, *more, to=None, context=1):
    return subprocess.run([BINARY, "simulate", "--map", mix, "--to", to or m.to, "--hlr", HLR_NO, "--point", str(STP), "--hlr-point",
                           str(HOME_POINT), "--context", str(context), "--group", f"x={first}:{n}", "--json", "--quiet", *more],
                          capture_output=True, text=True, timeout=60, cwd=ROOT)


def simulate(m, *args, **how):
    done = run(m, *args, **how)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_devices_of_a_partner_attach_and_are_purged(world):
    r = simulate(world, "attach", IMSI[0], 10)
    assert (r["groups"][0]["done"], r["errors"], r["inserted"]) == (10, {}, 10)
    assert r["operations"]["SAI"]["n"] == r["operations"]["UGL"]["n"] == 10 and r["operations"]["UGL"]["p50_us"] > 0
    r = simulate(world, "attach-cs", IMSI[0], 10)
    assert (r["groups"][0]["done"], r["inserted"]) == (10, 10)
    r = simulate(world, "route", "99970550000", 10)
    assert r["groups"][0]["done"] == 10
    r = simulate(world, "purge", IMSI[0], 10)
    assert r["groups"][0]["done"] == 10
    r = simulate(world, "attach", IMSI[0], 10, "--rate", "50", "--duration", "2")
    assert r["groups"][0]["done"] > 20 and r["groups"][0]["refused"] == 0
    done = run(world, "attach", "999709999999990", 1)
    assert json.loads(done.stdout)["errors"] == {"1": 1}


def test_no_attack_of_the_list_is_answered_through_the_edge(world):
    """R-5.6.1.g, R-5.6.1.h: FS.11, from a partner who may register his roamers here."""
    since = world.mark()
    done = run(world, "attacks", IMSI[5], 1)
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["sent"] >= 40 and report["passed"] == 0, [
        a for a in report["attacks"] if "passed" in a]
    world.event(since, event="edge.refused", check="category.command", clause="R-5.6.1.g")


def test_the_same_list_is_answered_where_no_firewall_stands(world):
    """It can tell: an HLR believes who says that a subscriber is in his network."""
    done = run(world, "attacks", IMSI[6], 1, to=f"tcp:127.0.0.1:{world.direct}", context=8)
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert "updateGprsLocation to another network's SGSN" in [a["attack"] for a in report["attacks"] if "passed" in a]
    text = subprocess.run([BINARY, "simulate", "--map", "attacks", "--to", f"tcp:127.0.0.1:{world.direct}", "--context", "8", "--hlr",
                           HLR_NO, "--group", f"x={IMSI[6]}:1"], capture_output=True, text=True, timeout=60, cwd=ROOT).stdout
    assert re.search(r"^1 +anyTimeInterrogation +aborted$", text, re.M) and "passed" in text.splitlines()[-1]


def test_home_reaches_a_partners_vlr_by_the_edge(world):
    """A registration, a move to another partner and what follows, over SCTP and through the judge."""
    peer = connect(world.pipe_port, context=1)
    assert peer.active.wait(10)
    net = Net(peer, None, HLR_NO, STP, HOME_POINT)
    net.our_points = (HOME_POINT, US)
    vlr, imsi = net.node("99901100", VLR), IMSI[10]
    m, inserted = vlr.update(2, seq(octets(tbcd(imsi)), ctx(1, number("99901200")), octets(number("99901100"))), 1)
    assert m.parts[0][:3] == ("result", 1, 2) and len(inserted) == 1
    world.set("subscription", imsi, life="suspended")
    m = vlr.asked(3, 20)
    assert digits(within(m.parts[0][3], 0xa3, OCTETS)) == imsi
    vlr.accept(m)
    peer.close()


def test_the_demos_configuration_is_one():
    done = subprocess.run([BINARY, "check", "--config", "share/demo/ss7.yaml"], capture_output=True, text=True, timeout=20, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_wrong_use_is_said(world):
    for args in (["--map", "nonsense"], ["--map", "attach", "--to", "x"], ["--map", "attach", "--hlr", "abc"],
                 ["--map", "attach", "--group", "x"]):
        done = subprocess.run([BINARY, "simulate", *args], capture_output=True, text=True, timeout=20, cwd=ROOT)
        assert done.returncode == 2 and "see merlon simulate --help" in done.stderr, args
    done = subprocess.run([BINARY, "simulate", "--map", "attach", "--to", f"tcp:127.0.0.1:{free_port()}"], capture_output=True,
                          text=True, timeout=20, cwd=ROOT)
    assert done.returncode == 1 and "no association" in done.stderr
