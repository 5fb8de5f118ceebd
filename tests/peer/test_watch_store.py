"""The event store, the alarms and the counts of each second, on the product as it runs (R-5.8.2.c)."""
import json
import os
import signal
import sqlite3
import subprocess
import time

import pytest
from ask import air
from diameter import Client, poll
from merlon import BINARY, ROOT, Merlon, realm
from process import roles


@pytest.fixture(scope="module")
def m(work):
    m = Merlon(os.path.join(work, "watch-store"))
    try:
        m.wait_up()
        m.import_sims(["999705000000001"], "meter")
        yield m
    finally:
        m.stop()


def found(m, *filters):
    done = m.run("events", *filters, "--json")
    return [json.loads(line) for line in done.stdout.splitlines()]


def alarms(m, *more):
    return json.loads(m.run("alarms", "--json", *more).stdout)


def ask_from(m, plmn, imsi="999705000000001"):
    c = Client(m.port, f"n{time.monotonic_ns()}.{realm(plmn)}", realm(plmn))
    try:
        return c.request("AIR", air(imsi, visited=plmn))
    finally:
        c.close()


def test_an_event_is_found_by_each_of_its_indices(m):
    assert ask_from(m, "00103").result == 5003
    got = poll(lambda: found(m, "network=00103", "check=partner.peer_blocked"), 10, "the refusal in the store")
    e = got[0]
    assert e["event"] == "edge.refused" and e["clause"] == "R-5.6.b" and e["id"] > 0
    for f in ("clause=R-5.6.b", f"imsi={e['imsi']}", "event=edge.*", "role=edge", f"after={e['id'] - 1}"):
        assert e in found(m, f, "check=partner.peer_blocked"), f
    assert not found(m, "network=00103", f"to={int(e['time']) - 3600}")
    bad = m.run("events", "nonsense=1", check=False)
    assert bad.returncode == 2 and "is no filter" in bad.stderr


def test_the_store_has_what_the_file_has(m):
    def same():
        lines = {(e["role"], e["seq"], e["event"]) for e in m.events()}
        stored = {(e["role"], e["seq"], e["event"]) for e in found(m, "after=0", "--most", "100000")}
        return lines == stored
    poll(same, 10, "the store to have every event of the file")


def test_a_stream_shows_an_event_within_a_second(m):
    with subprocess.Popen([BINARY, "events", "network=00103", "--follow", "--json", "--config", m.config], cwd=ROOT,
                          stdout=subprocess.PIPE, text=True) as stream:
        try:
            time.sleep(0.5)
            ask_from(m, "00103")
            e = json.loads(stream.stdout.readline())
            assert e["network"] == "00103"
        finally:
            stream.kill()


def test_a_blocked_partner_raises_an_alarm_that_somebody_takes(m):
    ask_from(m, "00103")
    a = poll(lambda: [a for a in alarms(m) if a["alarm"] == "partner.blocked"], 10, "the alarm")[0]
    assert a["subject"] == "00103" and a["clause"] == "R-5.6.b" and a["cleared_us"] == 0
    assert a["event"]["check"] == "partner.peer_blocked"
    assert poll(lambda: found(m, "event=watch.alarm_raised"), 10, "the alarm as an event")


def test_alarms_and_events_outlive_a_killed_watch(m):
    before = poll(lambda: [a for a in alarms(m) if a["alarm"] == "partner.blocked"], 10, "the alarm")[0]
    old = roles(m.process.pid)["watch"]
    os.kill(old, signal.SIGKILL)
    poll(lambda: roles(m.process.pid).get("watch") not in (None, old) and m._ready(), 20, "another watch")
    after = [a for a in alarms(m) if a["alarm"] == "partner.blocked"]
    assert [a["id"] for a in after] == [before["id"]]
    ask_from(m, "00103")
    poll(lambda: any(e["time"] > before["last_us"] / 1e6 for e in found(m, "network=00103")), 10, "events again")


def test_each_second_is_counted_for_hours(m):
    for _ in range(10):
        ask_from(m, "00101")
    path = os.path.join(m.data_dir, "events", "events.db")

    def seconds():
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            rows = db.execute("SELECT counts FROM second ORDER BY at_s").fetchall()
        return [json.loads(r[0]) for r in rows]
    poll(lambda: sum(s["arrived"] for s in seconds()) > 9, 10, lambda: f"arrivals in {seconds()[-5:]}")
    assert any("00101" in s["networks"] for s in seconds())
