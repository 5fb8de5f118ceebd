"""People at the portal: from the one-time link to what is enforced on the wire (R-5.8.4, R-5.8.6)."""
import os
import subprocess
import time

import pytest
from ask import ulr
from diameter import Client, poll
from merlon import realm
from passkey import Passkey
from portal import PASSWORD, Caller, Portal, code, query

SIM = "999700000000001"  # of the demo: of meters
CAR = "999700000000101"
HEART = "999700000000201"  # critical


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    p = Portal(str(tmp_path_factory.mktemp("portal")), roles="keeper, home, edge, portal, watch")
    yield p
    assert p.stop() == 0, p.m.tail()


@pytest.fixture(scope="module")
def tina(portal):
    return portal.person("tina", "tenant-admin", "meters")


def test_the_link_works_once_and_is_in_no_log(portal):
    assert portal.admin.get("/session").json["role"] == "operator-admin"
    assert not os.path.exists(os.path.join(portal.dir, "setup-link"))
    again = portal.caller().post("/setup", {"token": "A" * 43, "user": "eve", "password": PASSWORD})
    assert again.status == 403 and again.problem == "link"
    assert portal.caller().get("/session").json == {"user": None, "set_up": True, "next": "sign-in"}
    with open(portal.m.events_path, encoding="utf-8") as f:
        assert "setup#" not in f.read()


def test_a_change_is_enforced_on_the_wire(portal):
    """HSS and edge: R-5.8.4.a."""
    a = portal.admin
    mme = Client(portal.m.port, f"portal-mme.{realm('00101')}", realm("00101"))
    try:
        assert a.get(f"/subscriptions/{CAR}").json["life"] == "active"
        assert mme.request("ULR", ulr(CAR)).result == 2001
        done = a.patch(f"/subscriptions/{CAR}", {"life": "suspended"})
        assert done.status == 200 and done.json["life"] == "suspended"
        assert mme.request("ULR", ulr(CAR)).result != 2001
        assert a.patch(f"/subscriptions/{CAR}", {"life": "active"}).status == 200
        poll(lambda: mme.request("ULR", ulr(CAR)).result == 2001, 10, "the SIM to be let in again")
    finally:
        mme.close()


def test_a_record_is_changed_only_as_it_was_seen(portal):
    a, path = portal.admin, f"/subscriptions/{SIM}"
    seen = a.get(path)
    assert a.get(path, headers={"If-None-Match": seen.headers["ETag"]}).status == 304
    assert a.patch(path, {"host": "maker/one"}, headers={"If-Match": seen.headers["ETag"]}).status == 200
    late = a.patch(path, {"host": "maker/two"}, headers={"If-Match": seen.headers["ETag"]})
    assert late.status == 412 and late.problem == "changed"
    assert a.patch(path, {"host": ""}).json["host"] == ""
    story = a.get(path + "/history").json["items"]
    assert [e["detail"]["host"] for e in story if "host" in e["detail"]][-2:] == [["", "maker/one"], ["maker/one", ""]]
    assert {e["actor"] for e in story} == {"ada"}


def test_lists_are_searched_filtered_sorted_and_paged(portal):
    a = portal.admin
    poll(lambda: len(a.get("/subscriptions?limit=500").json["items"]) >= 30, 10, "the demo's subscriptions")
    seen, after = [], None
    for _ in range(20):
        page = a.get("/subscriptions" + query(limit=7, sort="-imsi", **({"after": after} if after else {}))).json
        seen += [r["imsi"] for r in page["items"]]
        after = page["next"]
        if not after:
            break
    assert len(seen) >= 30 and seen == sorted(seen, reverse=True) and len(set(seen)) == len(seen)
    cars = a.get("/subscriptions" + query(tenant="cars", limit=500)).json["items"]
    assert cars and {r["tenant"] for r in cars} == {"cars"}
    assert [r["imsi"] for r in a.get("/subscriptions" + query(q=CAR)).json["items"]] == [CAR]
    number = next(r for r in cars if r["msisdn"])
    assert [r["imsi"] for r in a.get("/subscriptions" + query(q=number["msisdn"])).json["items"]] == [number["imsi"]]
    assert [r["imsi"] for r in a.get("/subscriptions" + query(q=number["iccid"])).json["items"]] == [number["imsi"]]
    by_number = [r["msisdn"] for r in a.get("/subscriptions" + query(sort="msisdn", limit=500)).json["items"]]
    assert by_number == sorted(by_number) and "" not in by_number
    assert a.get("/subscriptions?sort=life").status == 400
    assert a.get("/subscriptions?limit=0").status == 400
    assert a.get("/subscriptions?life=nonsense").status == 400
    assert [p["name"] for p in a.get("/profiles?sort=-priority&q=PACE").json["items"]] == ["pacemaker"]


def test_a_critical_subscription_needs_a_second_person(portal):
    """R-5.1.f; and whoever asks does not approve."""
    a = portal.admin
    asked = a.patch(f"/subscriptions/{HEART}", {"life": "suspended"})
    assert asked.status == 202, asked
    number = asked.json["approval"]
    assert number in [x["approval"] for x in a.get("/approvals").json["items"]]
    assert a.post(f"/approvals/{number}/approve").status == 422
    assert a.get(f"/subscriptions/{HEART}").json["life"] == "active"
    sec = portal.person("sec", "security-engineer")
    assert sec.post(f"/approvals/{number}/approve").status == 204
    assert a.get(f"/subscriptions/{HEART}").json["life"] == "suspended"
    assert a.patch(f"/subscriptions/{HEART}", {"life": "active"}).status == 200


def test_the_same_request_sent_twice_is_carried_out_once(portal):
    a, h = portal.admin, {"Idempotency-Key": "one-of-a-kind"}
    first = a.post("/suppliers", {"name": "card-maker"}, headers=h)
    again = a.post("/suppliers", {"name": "card-maker"}, headers=h)
    assert first.status == again.status == 201 and first.raw == again.raw
    assert a.post("/suppliers", {"name": "card-maker"}).status == 409
    other = a.post("/suppliers", {"name": "another"}, headers=h)
    assert other.status == 422 and other.problem == "idempotency"
    assert a.delete("/suppliers/card-maker").status == 204 and a.get("/suppliers/card-maker").status == 404


def test_passwords_are_judged_as_nist_wants(portal):
    """R-5.8.4.c: SP 800-63B-4 3.1.1.2."""
    c = portal.person("nia", "noc-viewer")
    for wrong in ("short but odd %&", "passwordpassword", "Password1234567", "qwertyuiopasdfghjkl", "123456789012345678",
                  "aaaaaaaaaaaaaaaaaaaa", "abcabcabcabcabcabc", "merlonportal2026", "nia nia nia nia nia", "x" * 257):
        a = c.post("/me/password", {"current": PASSWORD, "password": wrong})
        if wrong == "short but odd %&":
            assert a.status == 204, a  # 16 characters that no list has
            assert c.post("/me/password", {"current": wrong, "password": PASSWORD}).status == 204
            continue
        assert a.status == 400 and a.problem == "password", (wrong, a)
    assert c.post("/me/password", {"current": "not the current one", "password": PASSWORD + "!"}).status == 403
    long = "grüße aus dem süden " * 10
    assert c.post("/me/password", {"current": PASSWORD, "password": long}).status == 204
    assert portal.caller().sign_in("nia", c.secret, password=long).get("/session").json["role"] == "noc-viewer"


def test_another_password_ends_all_other_sessions(portal):
    one = portal.person("otto", "noc-viewer")
    two = portal.caller().sign_in("otto", one.secret)
    assert two.get("/me/sessions").json["items"].__len__() == 2
    assert one.post("/me/password", {"current": PASSWORD, "password": PASSWORD + " again"}).status == 204
    assert two.get("/me/sessions").status == 401 and one.get("/me/sessions").status == 200


def test_a_code_counts_once(portal):
    """Replayed TOTP: RFC 6238 5.2."""
    c = portal.person("rick", "noc-viewer")
    used = code(c.secret, Caller.used[c.secret] * 30)
    again = portal.caller()
    assert again.post("/session", {"user": "rick", "password": PASSWORD}).json["next"] == "second-factor"
    assert again.get("/state").problem == "second-factor"
    assert again.post("/session/totp", {"code": used}).status == 403
    for _ in range(3):
        assert again.post("/session/totp", {"code": "000000"}).status == 403
    assert again.post("/session/totp", {"code": "000000"}).status == 401  # the session has ended
    assert again.get("/me/factors").status == 401


def test_a_recovery_code_counts_once(portal):
    c = portal.person("rosa", "noc-viewer")
    codes = c.post("/me/recovery").json["codes"]
    assert len(set(codes)) == 10
    for want in (200, 403):
        other = portal.caller()
        other.post("/session", {"user": "rosa", "password": PASSWORD})
        assert other.post("/session/recovery", {"code": codes[3].lower()}).status == want


def test_a_stolen_password_enrols_nothing(portal):
    portal.person("paul", "noc-viewer")
    thief = portal.caller()
    assert thief.post("/session", {"user": "paul", "password": PASSWORD}).json["next"] == "second-factor"
    for path in ("/me/totp", "/me/passkey"):
        a = thief.post(path)
        assert a.status == 403 and a.problem == "second-factor"
    assert thief.post("/me/recovery").status == 403


def test_strangers_wait_and_lock_nobody_out(portal):
    """R-5.8.4.c. Both come from 127.0.0.1, where the user has signed in before: the wait is theirs too, a passkey is not."""
    c = portal.person("walt", "noc-viewer")
    origin = f"https://localhost:{portal.port}"
    key = Passkey(origin)
    assert c.post("/me/passkey/confirm", key.create(c.post("/me/passkey").json)).status == 200
    mark = portal.m.mark()
    seen = set()
    for _ in range(8):
        a = portal.caller().post("/session", {"user": "walt", "password": "wrong wrong wrong wrong"})
        seen.add((a.status, a.problem))
    assert seen == {(401, "credentials"), (429, "throttled")}
    portal.m.event(mark, event="portal.throttled", user="walt", clause="R-5.8.4.c")
    mine = portal.caller()
    assert mine.post("/session/passkey", key.get(mine.post("/session/passkey/challenge").json)).status == 200


def test_who_there_is_is_not_told(portal):
    """ASVS 6.3.8: the same words, and the same work."""
    portal.person("real", "noc-viewer")
    answers, took = [], []
    for user in ("real", "nobody-at-all"):
        begin = time.monotonic()
        a = portal.caller().post("/session", {"user": user, "password": "some wrong password here"})
        took.append(time.monotonic() - begin)
        answers.append((a.status, a.raw))
    assert answers[0] == answers[1] and min(took) > max(took) / 20, (answers, took)


def test_passkeys_sign_in_step_up_and_are_verified(portal):
    """WebAuthn, verified by libfido2; R-5.8.6.a."""
    c = portal.person("pia", "security-engineer")
    origin = f"https://localhost:{portal.port}"
    key = Passkey(origin)
    for wrong in ({"flags": 0x41}, {"origin": "https://evil.example"}):
        assert c.post("/me/passkey/confirm", Passkey(origin).create(c.post("/me/passkey").json, **wrong)).status == 403
    made = c.post("/me/passkey/confirm", key.create(c.post("/me/passkey", {"label": "blue"}).json))
    assert made.status == 200 and "passkey" in made.json["factors"]
    alone = portal.caller()
    options = alone.post("/session/passkey/challenge").json
    assert "allowCredentials" not in options  # nobody's are named to a stranger
    answer = key.get(options)
    a = alone.post("/session/passkey", answer)
    assert a.status == 200 and (a.json["user"], a.json["next"], a.json["by"]) == ("pia", "", "passkey")
    assert alone.get("/state").status == 200
    assert portal.caller().post("/session/passkey", answer).status == 401  # the same answer again
    for wrong in ({"flags": 0x01}, {"origin": "https://evil.example"}, {"kind": "webauthn.create"}):
        other = portal.caller()
        assert other.post("/session/passkey", key.get(other.post("/session/passkey/challenge").json, **wrong)).status == 401
    stranger = portal.caller()
    assert stranger.post("/session/passkey", Passkey(origin).get(stranger.post("/session/passkey/challenge").json)).status == 401
    assert alone.post("/session/passkey", key.get(alone.post("/session/passkey/challenge").json)).status == 200  # step-up


def test_a_cloned_authenticator_is_found(portal):
    c = portal.person("cleo", "noc-viewer")
    key = Passkey(f"https://localhost:{portal.port}")
    assert c.post("/me/passkey/confirm", key.create(c.post("/me/passkey").json)).status == 200
    one = portal.caller()
    assert one.post("/session/passkey", key.get(one.post("/session/passkey/challenge").json, count=9)).status == 200
    mark = portal.m.mark()
    two = portal.caller()
    assert two.post("/session/passkey", key.get(two.post("/session/passkey/challenge").json, count=4)).status == 401
    portal.m.event(mark, event="portal.passkey_cloned", user="cleo", clause="R-5.8.6.a")


def test_who_is_disabled_is_out_at_once(portal):
    c = portal.person("dora", "noc-viewer")
    key = portal.caller(c.post("/me/api-keys", {"label": "x", "scopes": "read", "expires": "2030-01-01"}).json["key"])
    assert c.get("/state").status == 200 and key.get("/state").status == 200
    portal.m.set("user", "dora", state="disabled")  # behind the portal's back
    poll(lambda: c.get("/state").status == 401, 10, "the session to end")
    poll(lambda: key.get("/state").status == 401, 10, "the key to end")
    assert portal.caller().post("/session", {"user": "dora", "password": PASSWORD}).status == 401
    last = portal.admin.patch("/users/ada", {"state": "disabled"})
    assert last.status == 422 and "last" in last.json["detail"]


def test_api_keys_have_scopes_an_end_and_addresses(portal, tina):
    def make(**fields):
        a = tina.post("/me/api-keys", {"label": "k", "scopes": "read", "expires": "2030-01-01", **fields})
        assert a.status == 201, a
        return a.json["id"], portal.caller(a.json["key"])

    number, reader = make()
    assert reader.get(f"/subscriptions/{SIM}").status == 200
    assert reader.get(f"/subscriptions/{CAR}").status == 404
    assert reader.patch(f"/subscriptions/{SIM}", {"host": "x"}).problem == "scope"
    assert reader.get("/me/api-keys").problem == "scope" and reader.delete(f"/profiles/meter").problem == "scope"
    writer = make(scopes="read write")[1]
    assert writer.patch(f"/subscriptions/{SIM}", {"host": "by/key"}).status == 200
    assert writer.patch(f"/subscriptions/{SIM}", {"host": ""}).status == 200
    assert make(addresses="192.0.2.0/24")[1].get(f"/subscriptions/{SIM}").status == 401
    assert make(addresses="192.0.2.0/24 127.0.0.0/8")[1].get(f"/subscriptions/{SIM}").status == 200
    assert make(expires="2020-01-01")[1].get(f"/subscriptions/{SIM}").status == 401
    stolen = reader.key[:-1] + ("A" if reader.key[-1] != "A" else "B")
    assert portal.caller(stolen).get(f"/subscriptions/{SIM}").status == 401
    assert tina.delete(f"/me/api-keys/{number}").status == 204
    assert reader.get(f"/subscriptions/{SIM}").status == 401
    assert "hash" not in tina.get("/me/api-keys").json["items"][0]


def test_a_person_who_was_reset_begins_anew(portal):
    c = portal.person("rene", "noc-viewer")
    link = portal.admin.step_up().post("/users/rene/reset").json["link"].split("#")[1]
    assert c.get("/state").status == 401
    assert portal.caller().post("/session", {"user": "rene", "password": PASSWORD}).status == 401
    n = portal.caller()
    a = n.post("/welcome", {"token": link, "password": PASSWORD + " two"})
    assert a.status == 200 and a.json["next"] == "enrol"
    n.enrol()
    assert portal.caller().post("/welcome", {"token": link, "password": PASSWORD}).status == 403


def test_who_leaves_is_gone_with_all_that_was_theirs(portal):
    c = portal.person("lena", "noc-viewer")
    c.post("/me/recovery")
    key = portal.caller(c.post("/me/api-keys", {"label": "x", "scopes": "read", "expires": "2030-01-01"}).json["key"])
    assert key.get("/state").status == 200
    portal.admin.step_up()
    assert portal.admin.patch("/users/lena", {"role": "compliance-officer"}).status == 200
    assert c.get("/session").json["role"] == "compliance-officer" and c.get("/journal").status == 200  # at once
    assert portal.admin.delete("/users/lena").status == 204
    assert c.get("/state").status == 401 and portal.admin.get("/users/lena").status == 404
    poll(lambda: key.get("/state").status == 401, 10, "the key to end")
    assert portal.admin.delete("/users/ada").status == 422
    assert not [k for k in portal.admin.get("/api-keys?user=lena").json["items"]]


def dial(p, *more):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{p.port}", "-CAfile", p.cafile,
                           "-verify_hostname", "localhost", *more], input=b"", capture_output=True, timeout=30,
                          check=False).stdout.decode()


def test_a_dangerous_act_wants_a_second_factor_again(tmp_path):
    """Step-up: R-5.8.6.b. And the older TLS, where it is asked for: R-5.8.4.b."""
    p = Portal(str(tmp_path / "p"), conf={"step_up": 1, "tls": "1.2"})
    try:
        for cipher, taken in (("ECDHE-ECDSA-AES128-GCM-SHA256", True), ("ECDHE-ECDSA-AES128-SHA256", False),
                              ("ECDHE-ECDSA-AES256-SHA", False)):  # TLS 1.2 by configuration: AEAD alone
            told = dial(p, "-tls1_2", "-cipher", cipher)
            assert ("Cipher is (NONE)" not in told) == taken, told
        assert "Cipher is (NONE)" in dial(p, "-tls1_1")
        poll(lambda: p.admin.get("/session").json["stepped_up_s"] == 0, 10, "the step-up to end")
        a = p.admin.patch("/networks/00101", {"rate": 5})
        assert a.status == 403 and a.problem == "step-up"
        p.admin.step_up()
        assert p.admin.patch("/networks/00101", {"rate": 5}).status == 200
    finally:
        assert p.stop() == 0, p.m.tail()


def test_the_journal_holds_who_did_what_and_no_secret(portal):
    j, after = [], ""
    while True:
        page = portal.admin.get("/journal" + query(**({"after": after} if after else {}))).json
        if not page["items"]:
            break
        j += page["items"]
        after = page["next"]
    text = str(j)
    assert any(e["action"] == "sign-in" and e["key"] == "ada" for e in j)
    assert PASSWORD not in text and "$argon2" not in text and portal.admin.secret not in text
    data = [e["detail"]["data"] for e in j if e["object"] == "credential" and "data" in e["detail"]]
    assert data and all(set(d) == {"(hidden)"} for d in data)
    verdict = portal.admin.get("/journal/verify").json
    assert verdict["journal_bad"] == 0 and verdict["tampered"] == 0 and verdict["head_ok"]


def test_tls_is_what_sp_800_52_wants(portal):
    """R-5.8.4.b, by openssl s_client."""
    good = dial(portal)
    assert "TLSv1.3" in good and "Verify return code: 0 (ok)" in good
    for old in ("-tls1_2", "-tls1_1", "-tls1"):
        assert "Cipher is (NONE)" in dial(portal, old), old
    assert "TLS_AES_256_GCM_SHA384" in dial(portal, "-ciphersuites", "TLS_AES_256_GCM_SHA384")
    assert "Cipher is (NONE)" in dial(portal, "-ciphersuites", "TLS_AES_128_CCM_8_SHA256")
