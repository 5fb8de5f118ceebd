"""Who may what: every endpoint of the API's own description, by every role, of one's own tenant and of another's
(R-5.8.4.a). A route without a row here fails."""
import json
import random

import pytest
from diameter import poll
from portal import PASSWORD, Portal, query

ROLES = {"operator-admin": "", "security-engineer": "", "noc-viewer": "", "compliance-officer": "",
         "tenant-admin": "meters", "tenant-engineer": "meters", "tenant-viewer": "meters"}
NONE = ("999999", "999999")
# Of each path: a record of one's own and of another tenant; what a request says that changes nothing.
PATHS = {
    "/setup": (None, {}), "/session": (None, {}), "/session/totp": (None, {}), "/session/recovery": (None, {}),
    "/session/passkey/challenge": (None, {"user": 1}), "/session/passkey": (None, {}), "/welcome": (None, {}),
    "/me/password": (None, {}), "/me/factors": (None, {}), "/me/factors/{id}": (NONE, {}), "/me/totp": (None, {}),
    "/me/totp/confirm": (None, {}), "/me/passkey": (None, {}), "/me/passkey/confirm": (None, {}),
    "/me/recovery": (None, {}), "/me/sessions": (None, {}), "/me/sessions/{id}": (NONE, {}), "/me/api-keys": (None, {}),
    "/me/api-keys/{id}": (NONE, {}), "/users/{id}/reset": (("spare", "strange"), {}),
    "/users/{id}/sessions": (("spare", "strange"), {}), "/approvals": (None, {}), "/approvals/{id}/approve": (NONE, {}),
    "/journal": (None, {}), "/journal/verify": (None, {}), "/state": (None, {}), "/model": (None, {}),
    "/openapi.json": (None, {}),
    "/subscriptions": ("999700000000001", "999700000000101"), "/profiles": ("meter", "car"), "/tenants": ("meters", "cars"),
    "/networks": ("00101", "00101"), "/rules": NONE, "/ranges": ("999700000000000", "999700000000000"),
    "/equipment": ("35390000000099", "35390000000099"), "/suppliers": NONE, "/batches": NONE,
    "/platforms": ("own.example", "other.example"), "/agreements": ("own", "other"),
    "/events": (None, {}), "/events/live": (None, {}), "/alarms": (None, {}), "/live": (None, {}),
    "/live/seconds": (None, {}), "/subscriptions/{id}/events": (("999700000000001", "999700000000101"), {}),
    "/jobs/{id}/rows": (NONE, {}), "/jobs/{id}/start": (NONE, {}), "/jobs/{id}/pause": (NONE, {}),
    "/jobs/{id}/cancel": (NONE, {}), "/jobs/{id}/approve": (NONE, {}), "/jobs/{id}/result": (NONE, {}),
    "/jobs/{id}": (NONE, {}), "/jobs": (None, {}), "/duties": (None, {}), "/audit": (None, {}),
    "/annex/{id}": (("meters", "cars"), {}), "/may": (None, {}),
    "/alarm-care": NONE, "/consents": NONE, "/jurisdictions": NONE, "/overrides": NONE, "/assessments": NONE,
    "/incidents": NONE, "/subject-requests": NONE, "/nominations": NONE,
    "/holds": NONE, "/hosts": NONE, "/users": ("spare", "strange"), "/api-keys": NONE,
}


def example(path):
    """(own id, another's id, body), or the test knows nothing of this route: add a row to PATHS."""
    if path in PATHS and (PATHS[path][0] is None or isinstance(PATHS[path][1], dict)):
        ids, body = PATHS[path]
        return (*(ids or (None, None)), body)
    base = path.split("/{id}")[0]
    assert base in PATHS, f"{path}: no row in PATHS"
    own, other = PATHS[base]
    return own, other, {}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    p = Portal(str(tmp_path_factory.mktemp("matrix")))
    try:
        a = p.admin
        poll(lambda: a.get("/subscriptions/999700000000101").status == 200, 10, "the demo's subscriptions")
        poll(lambda: a.get("/live").status == 200, 20, "figures: watch keeps them once a second")
        for name, tenant in (("own.example", "meters"), ("other.example", "cars")):
            assert a.post("/platforms", {"name": name, "tenant": tenant}).status == 201
        for name, tenant in (("own", "meters"), ("other", "cars")):
            made = a.post("/agreements", {"name": name, "tenant": tenant, "purposes": "sharing", "signed": "2026-01-01"})
            assert made.status == 201, made
        assert a.post("/users", {"name": "spare", "role": "tenant-viewer", "tenant": "meters"}).status == 201
        assert a.post("/users", {"name": "strange", "role": "tenant-viewer", "tenant": "cars"}).status == 201
        p.people = {r: a if r == "operator-admin" else p.person("quentin" + str(i), r, t)
                    for i, (r, t) in enumerate(ROLES.items())}
        p.half = p.caller()
        p.half.post("/session", {"user": p.people["noc-viewer"].user, "password": PASSWORD})
        key = a.post("/me/api-keys", {"label": "all", "scopes": "read write bulk events audit", "expires": "2030-01-01"})
        p.key = p.caller(key.json["key"])
        p.api = a.get("/openapi.json").json
        yield p
    finally:
        assert p.stop() == 0, p.m.tail()


def operations(api):
    for path, methods in api["paths"].items():
        for method, op in methods.items():
            yield path, method.upper(), op


def ask(who, method, path, key, body):
    where = path.replace("{id}", str(key)) if key else path
    headers = {"If-Match": '"4000000000"'} if method in ("PATCH", "DELETE") else {}
    return who.call(method, where, body if method in ("POST", "PATCH", "PUT") else None, headers=headers)


def kind(a):
    return a.problem if a.headers.get("Content-Type") == "application/problem+json" else ""


def test_every_row_has_an_example(house):
    unknown = [path for path, _, _ in operations(house.api) if not example(path)]
    used = {path.split("/{id}")[0] for path, _, _ in operations(house.api)} | set(house.api["paths"])
    assert not unknown and set(PATHS) <= used


def test_every_endpoint_by_every_role(house):
    n = 0
    for path, method, op in operations(house.api):
        own, other, body = example(path)
        limits = op["x-merlon"]
        if (path, method) == ("/session", "DELETE"):
            continue  # below
        for role, who in house.people.items():
            a = ask(who, method, path, own, body)
            n += 1
            if limits["open"] or role in limits["roles"]:
                assert kind(a) not in ("role", "signed-out", "csrf", "scope", "step-up") and a.status < 500, (role, method, path, a)
            else:
                assert a.status == 403 and kind(a) == "role", (role, method, path, a)
    assert n > 600


def test_nobody_half_signed_in_and_keys(house):
    for path, method, op in operations(house.api):
        own, _, body = example(path)
        limits = op["x-merlon"]
        if (path, method) == ("/session", "DELETE"):
            continue
        stranger = ask(house.caller(), method, path, own, body)
        assert limits["open"] or (stranger.status == 401 and kind(stranger) == "signed-out"), (method, path, stranger)
        if not limits["half"]:
            a = ask(house.half, method, path, own, body)
            assert a.status == 403 and kind(a) == "second-factor", (method, path, a)
        a = ask(house.key, method, path, own, body)
        if not limits["open"]:
            allowed = limits["scope"] and not limits["step_up"] and "operator-admin" in limits["roles"]
            assert (kind(a) == "scope") == (not allowed) or kind(a) == "role", (method, path, a)


def test_of_another_tenant_nothing_is_there(house):
    n = 0
    for path, method, op in operations(house.api):
        own, other, body = example(path)
        if not other or other == own:
            continue
        for role in ("tenant-admin", "tenant-engineer", "tenant-viewer"):
            if role not in op["x-merlon"]["roles"]:
                continue
            a = ask(house.people[role], method, path, other, body)
            n += 1
            if "{id}" in path:
                assert a.status == 404, (role, method, path, a)
    assert n > 30


def test_sign_out_is_everybodys(house):
    for role, who in house.people.items():
        other = house.caller().sign_in(who.user, who.secret) if role == "tenant-viewer" else None
        if other:
            assert other.delete("/session").status == 204 and other.get("/me/sessions").status == 401


def test_a_tenant_writes_no_more_than_its_fields(house):
    """ASVS 8.2.3."""
    t, path = house.people["tenant-engineer"], "/subscriptions/999700000000001"
    for field, value in (("tenant", "cars"), ("partition", 3), ("test", True), ("msisdn", "4917"), ("iccid", "8" * 19)):
        a = t.patch(path, {field: value})
        assert a.status == 403 and a.problem == "field", a
    assert t.patch(path, {"profile": "car"}).status == 422  # another tenant's
    admin = house.people["tenant-admin"]
    assert admin.post("/profiles", {"name": "theirs", "tenant": "cars", "apn1": "a.b:ipv4:9:8:1:1"}).status == 422
    assert admin.patch("/users/spare", {"role": "operator-admin"}).status == 422
    assert admin.post("/users", {"name": "boss", "role": "operator-admin"}).status == 422
    assert admin.patch("/tenants/meters", {"critical_max": 0}).status == 403


def test_nothing_leaks_between_tenants_whatever_is_done(house):
    """Random operations by two tenants: neither ever sees or moves what is the other's."""
    rng = random.Random(20261125)
    a = house.admin
    people = {"meters": house.people["tenant-admin"], "cars": house.person("carla", "tenant-admin", "cars")}
    a.step_up()
    lists = {o: {t: [r for r in a.get(f"/{o}" + query(limit=500, **({"tenant": t} if o != "tenants" else {"name": t}))).json["items"]]
                 for t in people} for o in ("subscriptions", "profiles", "platforms", "users", "agreements", "tenants")}
    key = {"subscriptions": "imsi"}
    ids = {o: {t: [r[key.get(o, "name")] for r in rows] for t, rows in by.items()} for o, by in lists.items()}
    marks = {t: {i for o in ids for i in ids[o][t] if len(i) > 5} - {"spare"} for t in people}
    other = {"meters": "cars", "cars": "meters"}

    def step(tenant):
        who, o = people[tenant], rng.choice(list(ids))
        i = rng.choice(ids[o]["meters"] + ids[o]["cars"])
        what = rng.randrange(7)
        if what == 0:
            return who.get(f"/{o}/{i}"), i
        if what == 1:
            return who.get(f"/{o}/{i}/history"), i
        if what == 2:
            return who.get(f"/{o}" + query(limit=rng.randint(1, 500), sort=rng.choice(["", "-"]) + key.get(o, "name"))), ""
        if what == 3:
            return who.get(f"/{o}" + query(q=rng.choice([i[:6], "a", "9997", "car", "meter"]))), ""
        if what == 4:
            return who.get(f"/{o}" + query(tenant=rng.choice(["cars", "meters"]), after=i)), i
        if what == 5:
            return who.patch(f"/{o}/{i}", rng.choice([{"tenant": tenant}, {"contact": tenant}, {"host": f"of/{tenant}"},
                                                      {"full_name": tenant}, {"sector": f"{tenant}.example"}, {"dl_bps": 1}])), i
        return rng.choice([who.get("/approvals"), who.get("/session"), who.get("/tenants")]), ""

    for _ in range(600):
        tenant = rng.choice(list(people))
        answer, named = step(tenant)
        assert answer.status < 500, answer
        text = answer.raw.decode()
        for mark in marks[other[tenant]] - {named}:
            assert f'"{mark}"' not in text, (tenant, mark, answer)
        if named and any(named in ids[o][other[tenant]] for o in ids) and named not in marks[tenant]:
            assert answer.status != 200 or f'"{named}"' not in text, (tenant, named, answer)
    for o, by in lists.items():
        for t, rows in by.items():
            for r in rows:
                story = a.get(f"/{o}/{r[key.get(o, 'name')]}/history").json["items"]
                doers = {e["actor"] for e in story if e["action"] in ("change", "delete", "set")}
                assert people[other[t]].user not in doers, (o, r, story)
