"""One sign-on (R-3.1.h): a device signs on with its SIM to platforms of its tenant; tokens verified by PyJWT and by the
jose tool, neither of them ours; revocation, replay, tampering; signed receipts (R-3.2.b)."""
import base64
import json
import os
import subprocess
import time

import jwt
import pytest
from diameter import poll
from oidc import FORM, Portal, b64

IMSIS = {"meter": [f"9997{n:011d}" for n in range(98000, 98060)],
         "car": [f"9997{n:011d}" for n in range(98100, 98110)]}


@pytest.fixture(scope="module")
def portal(work, authority, capture):
    p = Portal(os.path.join(work, "oidc"), authority, IMSIS)
    try:
        p.acme = p.platform("acme.example", "meters")
        p.grid = p.platform("grid.example", "meters")
        p.twin = p.platform("twin.example", "meters", sector="grid.example")
        p.fleet = p.platform("fleet.example", "cars")
        d = p.device()
        poll(lambda: p.ask_token(d, "fleet.example").status == 403 and p.ask_token(d, "twin.example").status == 200, 5,
             "the platforms to be known")
        yield p
    finally:
        code = p.m.stop()
    assert code == 0, p.m.tail()


def test_discovery_leads_to_the_keys(portal):
    d = json.loads(portal.get("/.well-known/openid-configuration").body)
    assert d["issuer"] == portal.issuer and d["jwks_uri"] == portal.issuer + "/jwks"
    assert d["token_endpoint"] == portal.issuer + "/token"
    assert d["introspection_endpoint"] == portal.issuer + "/introspect"
    assert d["subject_types_supported"] == ["pairwise"]
    assert d["id_token_signing_alg_values_supported"] == ["ES256"]
    (key,) = portal.keys().values()
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig") and "d" not in key


def test_a_device_signs_on_and_others_verify_its_tokens(portal, tmp_path):
    d, mark = portal.device(), portal.m.mark()
    t = portal.tokens(d, "acme.example", nonce="n-0S6")
    claims = portal.verify(t["access_token"], "acme.example")
    assert claims["client_id"] == "acme.example" and claims["exp"] - claims["iat"] == 300 == t["expires_in"]
    who = portal.verify(t["id_token"], "acme.example", "JWT")
    assert who["nonce"] == "n-0S6" and who["sub"] == claims["sub"] and d.imsi not in json.dumps([claims, who])
    portal.m.event(mark, event="portal.token_issued", imsi=d.imsi, platform="acme.example", clause="R-3.1.h")
    # the jose tool of Debian
    (tmp_path / "jwks").write_bytes(portal.get("/jwks").body)
    verify = ["jose", "jws", "ver", "-i", "-", "-k", str(tmp_path / "jwks"), "-O", "-"]
    done = subprocess.run(verify, input=t["access_token"].encode(), capture_output=True, timeout=10)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == claims
    head, body, signature = t["access_token"].split(".")
    forged = b64(json.dumps({**claims, "sub": "another"}).encode())
    done = subprocess.run(verify, input=f"{head}.{forged}.{signature}".encode(), capture_output=True, timeout=10)
    assert done.returncode != 0


def test_curl_signs_on_by_itself(portal):
    """At an application the password is a key that the device has: curl --digest does the rest (SHA-256)."""
    answer = portal.ask_token_by_curl(portal.device(), "acme.example")
    assert answer.status == 200, (answer.status, answer.body)
    portal.verify(json.loads(answer.body)["access_token"], "acme.example")


@pytest.mark.parametrize("name,qop", [("MD5", "auth"), ("SHA-256", "auth"), ("MD5", "auth-int")])
def test_each_kind_of_digest(portal, name, qop):
    d, body = portal.device(), b"grant_type=client_credentials&audience=acme.example"
    header = portal.authorization(d, portal.post("/token", body), body, name=name, qop=qop)
    assert portal.post("/token", body, {**FORM, "Authorization": header}).status == 200


def test_each_platform_has_its_own_name_for_a_device(portal):
    """One bootstrap, many platforms; those of one sector share a name, others cannot compare."""
    d, e = portal.device(), portal.device()
    sub = {p: portal.verify(portal.tokens(d, p)["access_token"], p)["sub"]
           for p in ("acme.example", "grid.example", "twin.example")}
    assert sub["acme.example"] != sub["grid.example"] == sub["twin.example"]
    again = portal.verify(portal.tokens(d, "acme.example")["access_token"], "acme.example")["sub"]
    assert again == sub["acme.example"]
    assert portal.verify(portal.tokens(e, "acme.example")["access_token"], "acme.example")["sub"] != again


def test_only_platforms_of_its_tenant(portal):
    meter, car, mark = portal.device(), portal.device("car"), portal.m.mark()
    refused = portal.ask_token(meter, "fleet.example")
    assert refused.status == 403 and json.loads(refused.body)["error"] == "access_denied"
    portal.m.event(mark, event="portal.token_refused", imsi=meter.imsi, clause="R-3.1.h")
    assert portal.ask_token(car, "fleet.example").status == 200
    assert portal.ask_token(car, "acme.example").status == 403
    assert portal.ask_token(car, "nobody.example").status == 403


def test_introspection_and_who_may_ask(portal):
    token = portal.tokens(portal.device(), "acme.example")["access_token"]
    answer = json.loads(portal.acme.introspect(token).body)
    assert answer["active"] is True and answer["aud"] == "acme.example" and answer["client_id"] == "acme.example"
    assert portal.grid.active(token) is False  # another's token, replayed there
    assert portal.post("/introspect", {"token": token}).status == 401
    forged = portal.grid.sign(iss="acme.example", sub="acme.example", aud=portal.issuer, iat=int(time.time()),
                              exp=int(time.time()) + 60, jti="x")
    assert portal.acme.introspect(token, forged).status == 401
    once = portal.acme.assertion()
    assert portal.acme.introspect(token, once).status == 200
    assert portal.acme.introspect(token, once).status == 401  # replayed
    now = int(time.time())
    for wrong in ({"aud": "https://else.example"}, {"exp": now - 1}, {"exp": now + 3600}, {"jti": ""}):
        assert portal.acme.introspect(token, portal.acme.assertion(**wrong)).status == 401, wrong


def test_tampered_tokens_are_refused(portal):
    token = portal.tokens(portal.device(), "acme.example")["access_token"]
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    own = jwt.encode(claims, portal.acme.key, "ES256", headers={"typ": "at+jwt", "kid": next(iter(portal.keys()))})
    none = b64(json.dumps({"alg": "none", "typ": "at+jwt"}).encode()) + "." + body + "."
    longer = b64(json.dumps({**claims, "exp": claims["exp"] + 1000}).encode())
    other = b64(bytes([base64.urlsafe_b64decode(signature + "==")[0] ^ 1]) + base64.urlsafe_b64decode(signature + "==")[1:])
    for bad in (own, none, f"{head}.{longer}.{signature}", f"{head}.{body}.{other}", token + "A", "", "a.b.c", token[:-4]):
        assert portal.acme.active(bad) is False, bad
        with pytest.raises((jwt.PyJWTError, KeyError, AssertionError)):
            portal.verify(bad, "acme.example")
    assert portal.acme.active(token) is True


def test_the_id_token_is_no_access_token(portal):
    t = portal.tokens(portal.device(), "acme.example")
    assert portal.acme.active(t["id_token"]) is False


def test_a_replayed_sign_on_is_refused(portal):
    """A use of a nonce counts once, in its order."""
    d, body = portal.device(), b"grant_type=client_credentials&audience=acme.example"
    challenge = portal.post("/token", body)
    one = {**FORM, "Authorization": portal.authorization(d, challenge, body)}
    two = {**FORM, "Authorization": portal.authorization(d, challenge, body, nc=2)}
    assert portal.post("/token", body, one).status == 200
    assert portal.post("/token", body, one).status == 401
    assert portal.post("/token", body, two).status == 200
    assert portal.post("/token", body, one).status == 401
    stale = portal.post("/token", body, two)
    assert stale.status == 401 and "stale=true" in stale.get("WWW-Authenticate")
    other = b"grant_type=client_credentials&audience=grid.example"
    three = {**FORM, "Authorization": portal.authorization(d, challenge, body, nc=3)}
    assert portal.post("/token", other, three).status == 401  # auth-int: the body is within


def test_a_wrong_key_and_an_unknown_one(portal):
    d = portal.device()
    good = d.ks
    d.ks = bytes(32)
    assert portal.ask_token(d, "acme.example").status == 401
    d.ks, btid = good, d.btid
    d.btid = base64.b64encode(bytes(16)).decode() + btid[btid.index("@"):]
    assert portal.ask_token(d, "acme.example").status == 401
    d.btid = btid
    assert portal.ask_token(d, "acme.example").status == 200


def test_suspending_a_sim_ends_its_tokens_within_a_second(portal):
    """R-3.1.h: revocation by the subscription's state, for tokens given before and for new ones."""
    d = portal.device()
    token = portal.tokens(d, "acme.example")["access_token"]
    assert portal.acme.active(token) is True
    portal.m.set("subscription", d.imsi, life="suspended")
    since = time.monotonic()
    poll(lambda: portal.acme.active(token) is False, 5, "the token to end")
    took = time.monotonic() - since
    assert portal.ask_token(d, "acme.example").status == 403
    portal.m.set("subscription", d.imsi, life="active")
    poll(lambda: portal.acme.active(token) is True, 5, "the token to be back with the SIM")
    print(f"revoked {took * 1000:.0f} ms after the record was written")
    assert took < 3  # of a loaded machine; a second is the aim


def test_a_token_expires(work, authority):
    p = Portal(os.path.join(work, "oidc2"), authority, IMSIS, token=3)
    try:
        acme, d = p.platform("acme.example", "meters"), p.device()
        poll(lambda: p.ask_token(d, "acme.example").status == 200, 5, "the platform to be known")
        token = p.tokens(d, "acme.example")["access_token"]
        exp = p.verify(token, "acme.example")["exp"]
        poll(lambda: time.time() > exp, 10, "the end of the token")
        assert acme.active(token) is False
        with pytest.raises(jwt.ExpiredSignatureError):
            p.verify(token, "acme.example")
    finally:
        assert p.m.stop() == 0, p.m.tail()


def test_signing_keys_are_turned_and_kept_for_their_owner_alone(portal):
    """By kid: the older key still verifies what it signed."""
    d = portal.device()
    token = portal.tokens(d, "acme.example")["access_token"]
    first, where = set(portal.keys()), os.path.join(portal.m.data_dir, "portal")
    open(os.path.join(where, "rotate"), "w").close()
    poll(lambda: len(portal.keys()) == 2, 10, "a second key")
    assert first < set(portal.keys()) and portal.acme.active(token) is True
    newer = portal.tokens(d, "acme.example")["access_token"]
    assert jwt.get_unverified_header(newer)["kid"] not in first
    portal.verify(newer, "acme.example"), portal.verify(token, "acme.example")
    assert len([n for n in os.listdir(where) if n.startswith(("oidc-", "secret"))]) == 3
    for name in os.listdir(where):
        assert os.stat(os.path.join(where, name)).st_mode & 0o77 == 0, name


def test_what_is_malformed_is_refused(portal):
    d, body = portal.device(), b"grant_type=client_credentials&audience=acme.example"
    header = portal.authorization(d, portal.post("/token", body), body, qop="auth")
    for bad in ("Basic AAAA", "Digest username=", header.replace("uri=\"/token\"", "uri=\"/other\""),
                header.replace("3GPP-bootstrapping", "other"), "Digest " + "x" * 3000):
        assert portal.post("/token", body, {**FORM, "Authorization": bad}).status == 400, bad
    for what in (b"grant_type=password", b"grant_type=%zz", b"audience=a&audience=b", b""):
        h = portal.authorization(d, portal.post("/token", what), what)
        assert portal.post("/token", what, {**FORM, "Authorization": h}).status == 400, what
    h = portal.authorization(d, portal.post("/token", body), body)
    assert portal.post("/token", body, {"Content-Type": "text/plain", "Authorization": h}).status == 400
    assert portal.get("/token").status == 405 and portal.get("/assets/nothing").status == 404
    assert portal.post("/token", b"x" * 20000).status == 413
    assert portal.ask_token(d, "acme.example").status == 200


def test_no_imsi_and_no_key_in_what_strangers_see(portal):
    d = portal.device()
    t = portal.tokens(d, "acme.example")
    seen = json.dumps(t) + portal.get("/jwks").body.decode()
    for part in t["access_token"].split(".")[:2] + t["id_token"].split(".")[:2]:
        seen += base64.urlsafe_b64decode(part + "==").decode()
    assert d.imsi not in seen and d.ks.hex() not in seen and d.btid not in seen
