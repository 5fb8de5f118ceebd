"""Agreements, consents, deadlines and erasure on the product as it runs (R-4, R-2.h, R-5.8.3.g)."""
import json
import os
import time

import pytest
from ask import air
from diameter import Client, poll
from merlon import Merlon, realm

IMSI = "999705000000001"


@pytest.fixture(scope="module")
def m(work):
    m = Merlon(os.path.join(work, "care"))
    try:
        m.wait_up()
        m.import_sims([IMSI], "meter")
        yield m
    finally:
        m.stop()


def duties(m):
    return json.loads(m.run("duties", "--json").stdout)


def test_data_are_used_by_agreement_consent_and_law(m):
    no = m.run("may", "meters", "analytics", check=False)
    assert no.returncode == 1 and "R-4.b" in no.stderr
    m.set("agreement", "dpa-meters", tenant="meters", purposes="analytics", signed="2024-01-01")
    assert m.run("may", "meters", "analytics").stdout == "yes\n"
    m.set("jurisdiction", "262", forbids="analytics", law="TDDDG")
    assert m.run("may", "meters", "analytics", "--country", "310").returncode == 0
    no = m.run("may", "meters", "analytics", "--country", "262", check=False)
    assert no.returncode == 1 and "R-1.3.c" in no.stderr
    m.set("consent", "c1", tenant="meters", imsi=IMSI, purposes="analytics", withdrawn="2024-06-01")
    no = m.run("may", "meters", "analytics", "--imsi", IMSI, check=False)
    assert no.returncode == 1 and "R-4.d" in no.stderr
    done = m.run("set", "override", "court", "jurisdiction=262", "purposes=analytics", "reason=order", "until=2099-01-01", check=False)
    assert done.returncode == 1 and "second person" in done.stderr


def test_a_late_report_is_a_duty_an_event_and_an_alarm(m):
    now = int(time.time())
    m.set("incident", "i1", found=now - 25 * 3600, summary="keys stolen", tenant="meters")
    mine = {d["duty"]: d for d in duties(m) if d["key"] == "i1"}
    assert mine["early warning"]["late"] and mine["early warning"]["due_s"] == now - 3600
    assert not mine["notification"]["late"] and mine["notification"]["due_s"] == now + 47 * 3600
    assert m.run("duties", "--late", check=False).returncode == 1
    m.set("incident", "i1", early_sent=now)
    assert "early warning" not in {d["duty"] for d in duties(m) if d["key"] == "i1"}


def test_profiles_without_an_assessment_are_found(m):
    assert any(d["duty"] == "no privacy assessment" and d["key"] == "meter" for d in duties(m))
    m.set("assessment", "a1", profile="meter", kind="privacy", owner="dora", review="2099-01-01", needs="priority=critical")
    found = {d["duty"] for d in duties(m) if d["key"] in ("meter", "a1")}
    assert "no privacy assessment" not in found and "profile is not as its assessment says" in found


def test_an_alarm_is_acknowledged_in_the_records(m):
    c = Client(m.port, f"care.{realm('00103')}", realm("00103"))
    try:
        c.request("AIR", air(IMSI, visited="00103"))
    finally:
        c.close()
    a = poll(lambda: [a for a in json.loads(m.run("alarms", "--json").stdout) if a["alarm"] == "partner.blocked"], 10,
             "the alarm")[0]
    m.set("alarm", str(a["id"]), assigned="dora", note="known")
    shown = m.show("alarm", str(a["id"]))
    assert shown["state"] == "acknowledged" and shown["assigned"] == "dora" and shown["by"]


def test_who_asks_gets_all_that_is_kept_about_them(m):
    got = json.loads(m.run("subject", IMSI).stdout)
    assert got["subscription"]["imsi"] == IMSI and got["consents"][0]["name"] == "c1"
    assert got["events"] and all(e["imsi"] == IMSI for e in got["events"])
    assert "hash" not in json.dumps(got["subscription"]) and isinstance(got["journal"], list)
    assert m.run("subject", "nobody", check=False).returncode == 2


def test_erasure_needs_two_and_only_who_has_left(m):
    m.set("subject-request", "w1", imsi=IMSI, kind="erasure", received="2026-01-01")
    assert any(d["key"] == "w1" and d["clause"] == "R-4.a" for d in duties(m))
    early = m.run("set", "subject-request", "w1", "state=done", check=False)
    assert "retire it first" in early.stderr
    m.set("subscription", IMSI, life="suspended")
    m.set("subscription", IMSI, life="retired")
    asked = m.run("set", "subject-request", "w1", "state=done", check=False)
    assert asked.returncode == 1 and "second person" in asked.stderr
