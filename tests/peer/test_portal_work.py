"""Events, alarms, bulk jobs and what clause 4 asks for, over the API (R-5.8.2.c, R-5.8.4.a, R-4, R-2.h)."""
import csv
import io
import json
import time

import jwt
import pytest
from diameter import Client, poll
from ask import air
from merlon import realm
from portal import Portal, query


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    p = Portal(str(tmp_path_factory.mktemp("work")), roles="keeper, home, edge, portal, watch")
    try:
        poll(lambda: p.admin.get("/subscriptions/999700000000101").status == 200, 10, "the demo's subscriptions")
        p.tenant = p.person("tess", "tenant-admin", "meters")
        p.second = p.person("sepp", "operator-admin")
        p.noc = p.person("nora", "noc-viewer")
        yield p
    finally:
        assert p.stop() == 0, p.m.tail()


def blocked(p):
    c = Client(p.m.port, f"w{time.monotonic_ns()}.{realm('00103')}", realm("00103"))
    try:
        c.request("AIR", air("999700000000001", visited="00103"))
    finally:
        c.close()


def until(p, job, *states):
    return poll(lambda: next((j for j in [p.admin.get(f"/jobs/{job}").json] if j["state"] in states), None), 20,
                lambda: f"job {job}: {p.admin.get(f'/jobs/{job}').json}")


def test_events_are_found_and_streamed(house):
    p = house
    blocked(p)
    got = poll(lambda: p.noc.get("/events" + query(network="00103")).json["items"], 10, "the refusal")
    assert got[0]["check"] == "partner.peer_blocked"
    assert p.noc.get("/events" + query(limit="9999")).status == 400
    last = p.noc.get("/events" + query(limit="1")).json["items"][0]["id"]
    blocked(p)
    a = poll(lambda: (lambda r: r if "data: {" in r.raw.decode() else None)(
        p.noc.get("/events/live" + query(after=str(last), network="00103"))), 20, "the stream")
    first = json.loads(a.raw.decode().split("data: ", 1)[1].split("\n\n")[0])
    assert first["network"] == "00103" and first["id"] > last and f"id: {first['id']}" in a.raw.decode()
    assert a.headers["Content-Type"].startswith("text/event-stream")
    assert p.tenant.get("/events").status == 403


def test_a_tenant_sees_the_events_of_its_own_sims(house):
    p = house
    poll(lambda: p.admin.get("/subscriptions/999700000000001/events").json["items"], 10, "events of the SIM")
    assert p.tenant.get("/subscriptions/999700000000001/events").json["items"]
    assert p.tenant.get("/subscriptions/999700000000101/events").status == 404


def test_alarms_are_shown_and_taken(house):
    p = house
    blocked(p)
    a = poll(lambda: [x for x in p.noc.get("/alarms").json["items"] if x["alarm"] == "partner.blocked"], 10, "the alarm")[0]
    made = p.noc.post("/alarm-care", {"number": str(a["id"]), "assigned": "nora", "note": "known"})
    assert made.status == 201, made
    shown = p.noc.get(f"/alarm-care/{a['id']}").json
    assert shown["state"] == "acknowledged" and shown["by"] == "nora"


def test_live_figures_are_there(house):
    p = house
    live = poll(lambda: (lambda r: r.json if r.status == 200 else None)(p.noc.get("/live")), 10, "figures")
    assert {r["role"] for r in live["live"]["roles"]} >= {"edge", "home", "keeper"}
    blocked(p)
    poll(lambda: any("00103" in s["counts"]["networks"] for s in p.noc.get("/live/seconds").json["items"]), 10, "a second")


def test_a_job_is_tried_started_by_one_and_agreed_to_by_another(house):
    p = house
    made = p.admin.post("/jobs", {"object": "subscription", "changes": "life=suspended", "filter": "tenant=cardio"})
    assert made.status == 201, made
    job = made.json["job"]
    tried = until(p, job, "ready")
    assert tried["second_person"] == tried["change"] == 10
    a = p.admin.post(f"/jobs/{job}/start", {})
    assert a.status == 202 and "second person" in a.json["detail"], a
    assert p.admin.post(f"/jobs/{job}/approve", {}).status == 422
    assert p.second.post(f"/jobs/{job}/approve", {}).status == 204
    done = until(p, job, "done")
    assert done["done"] == 10 and (done["starter"], done["approver"]) == ("ada", "sepp")
    assert p.admin.get("/subscriptions/" + "999700000000201").json["life"] == "suspended"
    back = p.admin.post("/jobs", {"object": "subscription", "changes": "life=active", "filter": "tenant=cardio"}).json["job"]
    until(p, back, "ready")
    assert p.admin.post(f"/jobs/{back}/start", {}).status == 204
    until(p, back, "done")


def test_a_tenants_job_touches_its_own_alone(house):
    p = house
    t = p.tenant
    made = t.post("/jobs", {"object": "subscription",
                            "csv": "imsi,life\n999700000000001,suspended\n999700000000101,suspended\n"})
    assert made.status == 201, made
    job = made.json["job"]
    tried = until(p, job, "ready")
    assert (tried["change"], tried["bad"]) == (1, 1)
    assert t.post(f"/jobs/{job}/start", {}).status == 204
    until(p, job, "done")
    rows = list(csv.DictReader(io.StringIO(t.get(f"/jobs/{job}/result").raw.decode())))
    assert [r["result"] for r in rows] == ["done", "refused"] and "none of that key" in rows[1]["reason"]
    assert p.admin.get("/subscriptions/999700000000101").json["life"] == "active"
    for body in ({"object": "subscription", "changes": "priority=critical", "filter": "imsi=9*"},
                 {"object": "subscription", "csv": "imsi,tenant\n"}, {"object": "equipment", "changes": "list=black", "filter": "imei=3*"}):
        assert t.post("/jobs", body).status == 403, body
    theirs = p.admin.post("/jobs", {"object": "subscription", "changes": "life=suspended", "filter": "imsi=999700000000102"})
    assert t.get(f"/jobs/{theirs.json['job']}").status == 404
    assert theirs.json["job"] not in {str(j["id"]) for j in t.get("/jobs").json["items"]}
    wide = t.post("/jobs", {"object": "subscription", "changes": "life=suspended", "filter": "imsi=99970*"}).json["job"]
    assert until(p, wide, "ready")["rows"] == 10


def test_duties_incidents_and_what_may_be_done(house):
    p = house
    now = int(time.time())
    a = p.admin.post("/incidents", {"name": "i1", "found": str(now - 25 * 3600), "summary": "keys stolen", "tenant": "meters"})
    assert a.status == 201, a
    due = {d["duty"]: d for d in p.tenant.get("/duties").json["items"] if d["key"] == "i1"}
    assert due["early warning"]["late"] and due["notification"]["due_s"] == now + 47 * 3600
    assert all(d["tenant"] in ("meters", "") for d in p.tenant.get("/duties").json["items"])
    may = p.tenant.get("/may" + query(tenant="meters", purpose="analytics")).json
    assert not may["may"] and "R-4.b" in may["why"]
    assert p.tenant.get("/may" + query(tenant="cars", purpose="analytics")).status == 404


def test_a_class_is_nominated_by_the_tenant_and_approved_by_the_operator(house):
    p = house
    asked = p.tenant.post("/nominations", {"name": "n1", "tenant": "meters", "imsi": "999700000000002", "priority": "high",
                                           "reason": "smoke alarm"})
    assert asked.status == 201, asked
    assert p.tenant.patch("/nominations/n1", {"state": "approved"}).status in (403, 422)
    a = p.admin.patch("/nominations/n1", {"state": "approved"})
    assert a.status in (200, 204), a
    assert p.admin.get("/subscriptions/999700000000002").json["priority"] == "high"


def test_the_checklist_and_a_signed_annex(house):
    """R-1.3.d: another report is another annex; the signature is verified by somebody else's library."""
    p = house
    path = f"{p.dir}/audit.json"
    assert p.admin.get("/audit").status == 404
    p.m.run("audit", "--json", check=False)
    report = p.admin.get("/audit").json
    assert len(report["clauses"]) > 100 and any(c["state"] == "shown" for c in report["clauses"])
    page = p.tenant.get("/annex/meters")
    assert page.status == 200 and b"R-5.6.1.h" in page.raw and page.headers["Content-Type"].startswith("text/html")
    assert p.tenant.get("/annex/cars").status == 404
    token = p.tenant.get("/annex/meters?form=jws").raw.decode()
    keys = p.caller().call("GET", "//jwks").json["keys"]
    key = jwt.PyJWK(next(k for k in keys if k["kid"] == jwt.get_unverified_header(token)["kid"])).key
    annex = jwt.decode(token, key, algorithms=["ES256"])
    assert annex["tenant"] == "meters" and annex["clauses"] == report["clauses"]
    changed = token[:200] + ("A" if token[200] != "A" else "B") + token[201:]
    with pytest.raises(jwt.PyJWTError):
        jwt.decode(changed, key, algorithms=["ES256"])
    clause = next(c for c in report["clauses"] if c["state"] == "shown")
    clause["state"] = "not shown"
    with open(path, "w", encoding="utf-8") as f:
        json.dump(report, f)
    again = jwt.decode(p.tenant.get("/annex/meters?form=jws").raw.decode(), key, algorithms=["ES256"])
    assert [a["clause"] for a, b in zip(again["clauses"], annex["clauses"]) if a["state"] != b["state"]] == [clause["clause"]]


def test_an_erasure_takes_the_events_too(house):
    """R-4.a: two people, a subscription that is retired; then neither record nor event is left."""
    p, imsi = house, "999700000000003"
    c = Client(p.m.port, f"e{time.monotonic_ns()}.{realm('00103')}", realm("00103"))
    try:
        c.request("AIR", air(imsi, visited="00103"))
    finally:
        c.close()
    poll(lambda: p.admin.get("/events" + query(imsi=imsi)).json["items"], 10, "an event about them")
    for life in ("suspended", "retired"):
        assert p.admin.patch(f"/subscriptions/{imsi}", {"life": life}).status in (200, 204)
    made = p.admin.post("/subject-requests", {"name": "w1", "imsi": imsi, "kind": "erasure", "received": "2026-01-01"})
    assert made.status == 201, made
    asked = p.admin.patch("/subject-requests/w1", {"state": "done"})
    assert asked.status == 202, asked
    assert p.second.post(f"/approvals/{asked.json['approval']}/approve", {}).status == 204
    assert p.admin.get(f"/subscriptions/{imsi}").status == 404
    left = lambda: [e for e in p.admin.get("/events" + query(imsi=imsi)).json["items"] if e["event"] != "records.erased"]
    poll(lambda: not left(), 10, left)
