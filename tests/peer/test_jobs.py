"""Bulk jobs on the product as it runs: tried first, carried out once whatever is killed, told to the serving nodes (R-5.8.4.a)."""
import csv
import io
import json
import os
import random
import signal
import sqlite3
import time

import pytest
from ask import air, ulr
from diameter import Client, poll
from merlon import Merlon, realm
from process import roles

MANY = 6000


def imsi(i):
    return f"99970{5 * 10 ** 9 + i:010d}"


@pytest.fixture(scope="module")
def m(work):
    m = Merlon(os.path.join(work, "jobs"), more={"keeper": {"job_share": 100}})
    try:
        m.wait_up()
        m.import_rows([imsi(i) for i in range(MANY)], "meter")
        m.import_sims(["999706000000001"], "meter")
        m.import_rows(["999707000000001", "999707000000002"], "pacemaker")
        yield m
    finally:
        m.stop()


def job(m, *args, check=True):
    done = m.run("job", *args, "--json", check=check)
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout else done


def result(m, number, *more):
    return list(csv.DictReader(io.StringIO(m.run("job", "result", str(number), *more).stdout)))


def journal(m, number):
    """How often the journal says that a record was changed by this job, by record."""
    seen = {}
    with sqlite3.connect(f"file:{m.data_dir}/records.db?mode=ro", uri=True) as db:
        for (key,) in db.execute("SELECT key FROM journal WHERE detail LIKE ?", (f'{{"job":{number},%',)):
            seen[key] = seen.get(key, 0) + 1
    return seen


def test_a_trial_says_what_devices_lose_before_anything_changes(m):
    m.set("profile", "talker", tenant="meters", services="voice", apn1="meters.iot:ipv4:9:12:1000:1000")
    job(m, "new", "subscription", "profile=talker", "--filter", f"imsi={imsi(0)[:-1]}*", "--start", "--wait")
    tried = job(m, "new", "subscription", "profile=meter", "--filter", "profile=talker", "--wait")
    assert tried["state"] == "ready" and tried["rows"] == tried["change"] == 10
    assert {"what": "lose voice", "devices": 10} in tried["trial"]["effects"]
    assert m.show("subscription", imsi(1))["profile"] == "talker"
    whole = job(m, "new", "profile", "services=sms-mo", "--filter", "name=talker", "--wait")
    assert {"what": "lose voice", "devices": 10} in whole["trial"]["effects"]


def test_critical_devices_wait_for_a_second_person(m):
    done = m.run("job", "new", "subscription", "life=suspended", "--filter", "imsi=99970700000000*", "--start", "--wait",
                 check=False)
    assert done.returncode == 1 and "a second person must agree (R-5.1.f)" in done.stderr
    waiting = next(j for j in job(m, "list") if j["state"] == "asked")
    assert waiting["second_person"] == 2
    again = m.run("job", "approve", str(waiting["id"]), check=False)
    assert again.returncode == 1 and "another person" in again.stderr
    m.run("job", "cancel", str(waiting["id"]))
    assert m.show("subscription", "999707000000001")["life"] == "active"


def test_each_line_of_a_file_has_its_result(m):
    path = os.path.join(m.where, "moves.csv")
    with open(path, "w", encoding="ascii") as f:
        f.write(f"imsi,imei\n{imsi(100)},35390000000001\n{imsi(101)},nonsense\n123456789,\n")
    done = job(m, "new", "subscription", "--csv", path, "--start", "--wait")
    assert (done["state"], done["done"], done["refused"]) == ("done", 1, 2)
    rows = result(m, done["id"])
    assert [r["result"] for r in rows] == ["done", "refused", "refused"]
    assert "IMEI" in rows[1]["reason"] and rows[2]["imsi"] == "123456789"
    assert [r["line"] for r in result(m, done["id"], "--failed")] == ["2", "3"]


def test_what_a_job_suspends_is_cancelled_at_the_node_that_serves_it(m):
    node = Client(m.port, f"jobs.{realm('00101')}", realm("00101"))
    try:
        assert node.request("AIR", air("999706000000001")).result == 2001
        assert node.request("ULR", ulr("999706000000001")).result == 2001
        job(m, "new", "subscription", "life=suspended", "--filter", "imsi=999706000000001", "--start", "--wait")
        assert node.expect("CLR", "999706000000001", timeout=10)
    finally:
        node.close()


def test_a_paced_job_is_paused_and_goes_on(m):
    made = job(m, "new", "subscription", "life=suspended", "--filter", f"imsi={imsi(0)[:-4]}*", "--pace", "3000", "--wait")
    m.run("job", "start", str(made["id"]))
    poll(lambda: job(m, "show", str(made["id"]))["at"] > 0, 20, "the first rows")
    job(m, "pause", str(made["id"]))
    stays = job(m, "show", str(made["id"]))
    assert stays["state"] == "paused" and stays["at"] < stays["rows"]
    assert job(m, "start", str(made["id"]), "--wait")["state"] == "done"
    assert set(journal(m, made["id"]).values()) == {1}
    back = job(m, "new", "subscription", "life=active", "--filter", "life=suspended", "--filter", "tenant=meters", "--start",
               "--wait")
    assert back["refused"] == 0


def test_killed_at_any_moment_each_row_is_done_once(m):
    """Point 6: a role is killed again and again while the job runs."""
    made = job(m, "new", "subscription", "life=suspended", "--filter", "tenant=meters", "--filter", "life=active", "--pace",
               "2000", "--wait")
    m.run("job", "start", str(made["id"]))
    rng, kills, end = random.Random(7), 0, time.monotonic() + 60
    poll(lambda: job(m, "show", str(made["id"]))["at"] > 0, 20, "the first rows")
    os.kill(roles(m.process.pid)["keeper"], signal.SIGKILL)

    def state():
        shown = job(m, "show", str(made["id"]), check=False)
        return shown if isinstance(shown, dict) else None
    while time.monotonic() < end:
        now = state()
        if now and now["state"] not in ("running",):
            break
        name = rng.choice(["keeper", "keeper", "home", "watch", "edge"])
        pid = roles(m.process.pid).get(name)
        if pid and kills < 8:
            os.kill(pid, signal.SIGKILL)
            kills += 1
        time.sleep(rng.uniform(0.05, 0.6))
    done = poll(lambda: (state() or {}).get("state") == "done" and state(), 60, lambda: f"the job's end: {state()}")
    assert kills > 1 and done["done"] == done["rows"] == done["change"]
    seen = journal(m, made["id"])
    assert len(seen) == done["rows"] and set(seen.values()) == {1}
    poll(lambda: m._ready() and m.show("subscription", imsi(MANY - 1))["life"] == "suspended", 20, "the records")
    assert json.loads(m.run("list", "tenant", "--json").stdout)
