"""Partitions (R-5.1.h, R-5.1.i): IoT cards told from handsets' by range, and a home of their own for some of them,
with its own limits and keys, whose overload the others do not feel. Two homes, one edge."""
import csv
import json
import os
import re
import signal
import subprocess
import threading

import pytest
from ask import air, ulr
from diameter import Client, poll
from merlon import BINARY, HOME, ROOT, Merlon, free_port, keys, realm
from process import roles

MANY = 300
COMMON, OWN, PHONE, NOWHERE = 999700100000000, 999701000000000, 999702000000000, 999703000000000
USER_UNKNOWN, UNABLE_TO_DELIVER, NO_VECTORS = -5001, 3002, -4181


def write_sims(m, imsis, **more):
    """A file of subscriptions with keys, and its path."""
    path = os.path.join(m.where, "sims.csv")
    with open(path, "w", encoding="ascii") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["imsi", "alg", "k", "opc", "amf", "tenant", "profile", *more])
        for imsi in imsis:
            k, opc = keys(imsi)
            out.writerow([imsi, "milenage", k.hex(), opc.hex(), "8000", "meters", "meter", *more.values()])
    return path


def cards(first, n=MANY):
    return [str(first + i) for i in range(n)]


def metric(m, name, **labels):
    wanted = [f'{k}="{v}"' for k, v in labels.items()]
    for line in m.metrics().splitlines():
        found = re.match(r"merlon_(\w+)\{(.*)\} (\d+)$", line)
        if found and found[1] == name and all(w in found[2].split(",") for w in wanted):
            return int(found[3])
    return 0


@pytest.fixture(scope="module")
def homes(work):
    """(front, back): all roles with the common home; and the home of partition 1, on the same serving copy."""
    where, port = os.path.join(work, "partition"), free_port()
    front = Merlon(os.path.join(where, "front"), partitions=[f"1=tcp:127.0.0.1:{port} concurrency=32"])
    back = None
    try:
        front.wait_up()
        front.set("range", "999700000000000", to="999700999999999")
        front.set("range", str(OWN), to=OWN + 999999, partition=1)
        front.set("range", str(PHONE), to=PHONE + 999999, handset="yes")
        front.set("range", str(NOWHERE), to=NOWHERE + 999999, partition=2)
        front.set("network", "00102", trust="trusted", rate=0)
        back = Merlon(os.path.join(where, "back"), roles="home, watch", data_dir=front.data_dir, demo=False,
                      home_port=port, home={"partition": 1}).wait_up()
        front.run("import", write_sims(front, cards(COMMON) + cards(PHONE, 1)))
        front.run("import", "--partition", "1", write_sims(front, cards(OWN)))
        with Partner(front) as n:
            poll(lambda: n.result("AIR", air(str(OWN))) == 2001, 15, "the edge on its way to both homes")
        yield front, back
    finally:
        codes = [m.stop() for m in (back, front) if m]
    assert codes == [0, 0], front.tail()


class Partner(Client):
    serial = 0

    def __init__(self, m):
        Partner.serial += 1
        super().__init__(m.port, f"p{Partner.serial}.{realm('00101')}", realm("00101"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def result(self, command, avps):
        answer = self.request(command, avps)
        return answer.result if answer is not None else None


@pytest.fixture
def partner(homes):
    with Partner(homes[0]) as n:
        yield n


def test_each_partition_is_served_by_its_own_home(homes, partner):
    """R-5.1.i: the counters of the two homes say who did the work."""
    front, back = homes
    for imsi, does, rests in ((str(OWN + 1), back, front), (str(COMMON + 1), front, back)):
        before = [metric(m, "home_requests_total", op="ULR") for m in (does, rests)]
        assert partner.result("AIR", air(imsi)) == 2001
        assert partner.result("ULR", ulr(imsi)) == 2001
        assert [metric(m, "home_requests_total", op="ULR") for m in (does, rests)] == [before[0] + 1, before[1]]


def test_a_card_belongs_to_the_partition_of_its_range(homes):
    """R-5.1.h: unless its record says another."""
    front, _ = homes
    front.set("subscription", str(OWN + 900000), tenant="meters", profile="meter")
    front.set("subscription", str(OWN + 900001), tenant="meters", profile="meter", partition=0)
    front.set("subscription", str(COMMON + 900000), tenant="meters", profile="meter")
    assert [front.show("subscription", str(i))["partition"]
            for i in (OWN + 900000, OWN + 900001, COMMON + 900000)] == [1, 0, 0]


def test_keys_are_not_taken_into_another_vault_than_the_records(homes):
    front, _ = homes
    done = front.run("import", write_sims(front, cards(OWN + 800000, 2)), check=False)
    assert done.returncode != 0 and "lies in a range of a partition" in done.stderr
    assert front.run("show", "subscription", str(OWN + 800000), check=False).returncode != 0
    done = front.run("import", write_sims(front, cards(OWN + 800000, 2), partition="1"), check=False)
    assert done.returncode != 0 and "say --partition" in done.stderr


def test_keys_of_a_partition_are_in_its_vault_alone(homes, partner):
    """R-5.1.i: a record moved to the common home finds no keys there; moved back, it does."""
    front, back = homes
    common, own = (os.path.join(front.data_dir, d) for d in ("", "partition-1"))
    for name in ("master.key", "vault.pub", "sqn"):
        with open(os.path.join(common, name), "rb") as a, open(os.path.join(own, name), "rb") as b:
            assert a.read() != b.read(), name
    imsi, since = str(OWN + 2), front.mark()
    front.set("subscription", imsi, partition=0)
    assert partner.result("AIR", air(imsi)) == NO_VECTORS
    assert front.event(since, event="home.no_key", imsi=imsi)
    front.set("subscription", imsi, partition=1)
    assert partner.result("AIR", air(imsi)) == 2001


def test_a_home_answers_for_its_own_partition_alone(homes):
    """Asked past the edge: unknown here, and an event that says whose it is."""
    _, back = homes
    since, imsi = back.mark(), str(COMMON + 3)
    n = Client(back.home_port, f"mme.{HOME}", HOME)
    answer = n.request("ULR", ulr(imsi))
    n.close()
    assert answer.result == USER_UNKNOWN
    told = back.event(since, event="home.other_partition", imsi=imsi)
    assert (told["partition"], told["ours"], told["clause"]) == (0, 1, "R-5.1.i")


def test_a_partition_without_a_home_is_not_asked_for_elsewhere(homes, partner):
    """A wrong 5001 would lock the card: 3002 can be tried again."""
    front, back = homes
    front.set("subscription", str(NOWHERE), tenant="meters", profile="meter")
    before = [metric(m, "home_requests_total", op="AIR") for m in homes]
    assert partner.result("AIR", air(str(NOWHERE))) == UNABLE_TO_DELIVER
    assert [metric(m, "home_requests_total", op="AIR") for m in homes] == before


def test_handsets_are_told_from_iot_by_range(homes, partner):
    """R-5.1.h: on the wire, at each request, by one look-up."""
    front, _ = homes
    before = {k: metric(front, "edge_cards_total", kind=k) for k in ("iot", "handset")}
    for imsi in (PHONE, COMMON + 4, OWN + 4):
        assert partner.result("AIR", air(str(imsi))) == 2001
    after = {k: metric(front, "edge_cards_total", kind=k) for k in ("iot", "handset")}
    assert after == {"iot": before["iot"] + 2, "handset": before["handset"] + 1}


@pytest.mark.parametrize("item, good", [
    ("1=tcp:127.0.0.1:3871", True), ("15=tcp:[::1]:3871 capacity=9 concurrency=8", True),
    ("0=tcp:127.0.0.1:3871", False), ("16=tcp:127.0.0.1:3871", False), ("tcp:127.0.0.1:3871", False),
    ("1=tcp:127.0.0.1", False), ("1=tcp:127.0.0.1:3871 concurrency=0", False), ("concurrency=8", False),
    ("1=tcp:127.0.0.1:3871 2=tcp:127.0.0.1:3872", False), ("1=tcp:127.0.0.1:3871 speed=1", False)])
def test_a_partition_is_named_with_its_home_and_limits(tmp_path, item, good):
    path = tmp_path / "m.yaml"
    path.write_text(json.dumps({"edge": {"partitions": [item]}}))
    done = subprocess.run([BINARY, "check", "--config", str(path)], capture_output=True, text=True, timeout=10)
    assert (done.returncode == 0) == good, done.stderr
    assert good or "edge.partitions" in done.stderr


def simulate(m, network, group, first, rate, seconds):
    command = [BINARY, "simulate", "--to", f"tcp:127.0.0.1:{m.port}", "--network", network,
               "--group", f"{group}={first}:{MANY}", "--mix", "air+ulr", "--rate", str(rate),
               "--duration", str(seconds), "--json", "--quiet"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)


def result(process):
    out, _ = process.communicate(timeout=30)
    return json.loads(out)


def common_load(front):
    r = result(simulate(front, "00101", "common", COMMON, 100, 3))
    return r["groups"][0], {c: r["commands"][c]["p99_us"] for c in ("AIR", "ULR")}


@pytest.fixture(scope="module")
def quiet(homes):
    """The common home's 99th percentiles while nobody else does anything."""
    group, p99 = common_load(homes[0])
    assert group["refused"] == 0 and group["done"] > 200
    return p99


def hold_up(pid, ends, run_s, stop_s):
    """Let a process run and stand in turns; for good where it may not run at all."""
    while not ends.is_set():
        os.kill(pid, signal.SIGSTOP)
        ends.wait(stop_s)
        if run_s:
            os.kill(pid, signal.SIGCONT)
            ends.wait(run_s)
    os.kill(pid, signal.SIGCONT)


@pytest.fixture(params=[(0.01, 0.2), (0, 5)], ids=["its home is slow", "its home hangs"])
def overload(request, homes):
    """Partition 1 asked for 800 attaches a second, while its home does not keep up."""
    front, back = homes
    ends, since = threading.Event(), front.mark()
    thread = threading.Thread(target=hold_up, args=(roles(back.process.pid)["home"], ends, *request.param))
    thread.start()
    storm = simulate(front, "00102", "own", OWN, 800, 5)
    try:
        front.event(since, event="edge.refused", check="load.admission", network="00102")
        yield storm
    finally:
        ends.set()
        thread.join(5)
        storm.kill()
        storm.wait(5)


def test_overload_of_a_partition_leaves_the_others_latency_flat(homes, quiet, overload):
    """R-5.1.i: admission turns away what the one home cannot carry, and nothing of the other's; beside some that
    a machine with a busy disk makes the common home itself too slow for."""
    front, _ = homes
    group, p99 = common_load(front)
    own = result(overload)["groups"][0]
    assert own["refused"] > 500, own
    assert group["refused"] <= group["attempts"] / 10 and group["done"] > 200, group
    for command, us in p99.items():
        assert us <= 2 * quiet[command] + 20000, (command, quiet, p99)


def test_failover_stays_inside_the_partition(homes, partner):
    """The last test: the home of partition 1 is gone, the common one is not asked in its place."""
    front, back = homes
    assert back.stop() == 0
    since, before = front.mark(), metric(front, "home_requests_total", op="AIR")
    poll(lambda: partner.result("AIR", air(str(OWN + 5))) == UNABLE_TO_DELIVER, 10, "3002")
    assert metric(front, "home_requests_total", op="AIR") == before
    assert partner.result("AIR", air(str(COMMON + 5))) == 2001
    assert not [e for e in front.events(since) if e["event"] == "home.other_partition"]
