"""The portal under attack: what scanners try, as tests of our own (R-5.8.4.b, R-5.8.4.c)."""
import random
import socket
import ssl
import threading

import pytest
from diameter import poll
from portal import PASSWORD, Portal, query

NASTY = ["' OR '1'='1", "1; DROP TABLE subscription;--", "\" UNION SELECT data FROM credential--", "%' AND 1=1 --", "../../etc/passwd",
         "<script>alert(1)</script>", "{{7*7}}", "${jndi:ldap://x}", "a\tb", "a\nb", "a\rSet-Cookie: x=y", "\u0000", "\ud7ff", "🦊" * 20,
         "A" * 2000, "-1", "99999999999999999999", "1e400", "=cmd|' /C calc'!A0", "*", "(select 1)", "\\", "%00", "%2e%2e%2f", "null"]


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    p = Portal(str(tmp_path_factory.mktemp("attacks")), roles="keeper, home, portal, watch")
    yield p
    assert p.stop() == 0, p.m.tail()


@pytest.fixture
def same(portal):
    """Whatever was sent: the same process serves, and the records hold."""
    before = portal.admin.get("/state").json["records"]
    yield
    assert portal.admin.get("/state").json["records"] == before
    assert not [e for e in portal.m.events() if e["event"] in ("portal.begins_anew", "records.sql", "keeper.malformed")]


def raw(portal, data, timeout=20):
    """Bytes as they are, over TLS; what comes back until the end, or until nothing more comes."""
    context = ssl.create_default_context(cafile=portal.cafile)
    with socket.create_connection(("127.0.0.1", portal.port), timeout=timeout) as s:
        with context.wrap_socket(s, server_hostname="localhost") as t:
            got = b""
            try:
                t.sendall(data)
                while True:
                    part = t.recv(65536)
                    if not part:
                        break
                    got += part
                    if b"\r\n\r\n" in got and b"Connection: close" not in got:
                        t.settimeout(1)
            except (TimeoutError, ssl.SSLError, ConnectionError):
                pass
            return got


def test_injection_in_every_field(portal, same):
    a, api = portal.admin, portal.admin.get("/openapi.json").json
    rng = random.Random(7)
    n = 0
    for path, methods in api["paths"].items():
        for method, op in methods.items():
            if path.startswith(("/session", "/me/", "/setup", "/welcome", "/journal/verify")) and method == "delete":
                continue
            for nasty in rng.sample(NASTY, 4):
                where = path.replace("{id}", urlquote(nasty)) + query(q=nasty, sort=nasty, after=nasty, limit=nasty)
                schema = op.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
                fields = schema.get("properties") or api["components"]["schemas"].get(schema.get("$ref", "/").split("/")[-1], {}).get("properties", {})
                body = {rng.choice(list(fields)): nasty} if fields else {}
                if method == "post" and rng.random() < 0.5:
                    body = {f: nasty for f in fields if f not in ("id", "version")}
                if path.endswith(("password", "recovery", "totp", "passkey")) or "session" in path:
                    continue
                r = a.call(method.upper(), where, body if method in ("post", "patch", "put") else None)
                n += 1
                assert r.status < 500, (method, where, body, r)
                assert r.status != 200 or "$argon2" not in r.raw.decode(), r
                if r.status == 201:
                    key = r.json.get("name") or r.json.get("imsi") or r.json.get("user")
                    assert a.delete(f"{path}/{urlquote(key)}").status == 204, (path, key)
    assert n > 200


def urlquote(text):
    import urllib.parse
    return urllib.parse.quote(text.encode("utf-8", "surrogatepass"), safe="")


def test_what_is_stored_comes_back_as_it_was(portal):
    a = portal.admin
    for nasty in ("<script>alert(1)</script>", "' OR 1=1 --", "=cmd|x", "🦊 grüße"):
        assert a.patch("/tenants/meters", {"contact": nasty}).json["contact"] == nasty
        assert a.get("/tenants/meters").headers["X-Content-Type-Options"] == "nosniff"
    assert a.patch("/tenants/meters", {"contact": "a\nb"}).status == 400
    assert a.patch("/tenants/meters", {"contact": ""}).status == 200


def test_no_path_leads_out(portal, same):
    for path in ("/../../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/../../../etc/passwd", "//etc/passwd",
                 "/assets/%2e%2e/%2e%2e/portal/tls.key", "/api/v1/../../portal/tls.key", "/api/v1/subscriptions/..%2f..%2fusers",
                 "/api/v1/subscriptions/%2e%2e/users", "/api/v1//users", "/api/v1/users/", "/.git/config", "/portal/credentials.key"):
        got = raw(portal, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        head = got.split(b"\r\n")[0]
        assert b"root:" not in got and b"PRIVATE KEY" not in got, path
        assert b" 404 " in head or b" 400 " in head or b"<html" in got.lower(), (path, head)


def test_bodies_and_heads_have_an_end(portal, same):
    a = portal.admin
    assert a.post("/suppliers", {"name": "x" * 70000}).status == 413
    assert a.call("POST", "/suppliers", b"x" * 400000, headers={"Content-Type": "application/json"}, raw=True).status == 413
    deep = b'{"name":' + b"[" * 5000 + b"]" * 5000 + b"}"
    assert a.call("POST", "/suppliers", deep, headers={"Content-Type": "application/json"}, raw=True).status == 400
    assert a.call("POST", "/suppliers", b'{"name":"a","name":"b"}', headers={"Content-Type": "application/json"}, raw=True).status == 400
    assert a.call("POST", "/suppliers", b'{"name":"\xff"}', headers={"Content-Type": "application/json"}, raw=True).status == 400
    long = raw(portal, b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert b" 414 " in long.split(b"\r\n")[0]
    many = raw(portal, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: b\r\n" * 5000 + b"\r\n")
    assert not many or b" 431 " in many.split(b"\r\n")[0] or b" 413 " in many.split(b"\r\n")[0] or b" 400 " in many.split(b"\r\n")[0]


@pytest.fixture(scope="module", autouse=True)
def slow(portal):
    """Forty half requests, open while all else here is tried."""
    context = ssl.create_default_context(cafile=portal.cafile)
    slow = []
    for i in range(40):
        s = context.wrap_socket(socket.create_connection(("127.0.0.1", portal.port), timeout=60), server_hostname="localhost")
        s.sendall(b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n" + (b"\r\n{" if i % 2 else b"X: "))
        slow.append(s)
    yield slow
    for s in slow:
        s.close()


@pytest.mark.parametrize("head", [
    "Content-Length: 5\r\nTransfer-Encoding: chunked", "Content-Length: 5\r\nContent-Length: 6", "Transfer-Encoding: chunked, identity",
    "Content-Length: +5", "Content-Length: 5,5", "Transfer-Encoding : chunked", "Content-Length: -1", "Content-Length: 0x5",
    "Transfer-Encoding: xchunked"])
def test_one_request_is_one_request(portal, head):
    """Header smuggling: whatever two servers could read in two ways is answered once, and the connection ends or the
    second request is never taken for a body."""
    hidden = b"GET /api/v1/state HTTP/1.1\r\nHost: localhost\r\n\r\n"
    got = raw(portal, f"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{head}\r\n\r\n".encode() +
              b"0\r\n\r\n" + hidden, timeout=2)
    answers = [line for line in got.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert not any(b" 200 " in x or b" 201 " in x for x in answers), got
    assert len(answers) <= 1 or b" 400 " in answers[0] or b" 400 " in answers[1] or b" 401 " in answers[1], got


def test_two_hosts_or_a_strange_one_are_refused(portal):
    for heads in ("Host: evil.example", "Host: localhost\r\nHost: evil.example", "Host: localhost.evil.example", "X: y",
                  "Host: 127.0.0.1.evil.example:8443"):
        got = raw(portal, f"GET /api/v1/session HTTP/1.1\r\n{heads}\r\nConnection: close\r\n\r\n".encode())
        assert got.split(b"\r\n")[0].split()[1] in (b"421", b"400"), (heads, got)


def test_no_redirect_and_no_other_origin(portal):
    for path in ("/", "//evil.example/", "/\\evil.example", "/?next=https://evil.example", "/api/v1/session?redirect=//evil.example"):
        got = raw(portal, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nConnection: close\r\n\r\n".encode())
        head = got.split(b"\r\n\r\n")[0].lower()
        assert b"\nlocation:" not in head and b"access-control-allow" not in head, got


def test_another_sites_page_can_do_nothing(portal):
    """CSRF."""
    a, path, change = portal.admin, "/tenants/meters", {"contact": "forged"}
    before = a.get(path).json
    for headers, csrf in (({}, False), ({"X-CSRF-Token": "A" * 43}, False), ({"Origin": "https://evil.example"}, True),
                          ({"Origin": "null"}, True), ({"Sec-Fetch-Site": "cross-site"}, True), ({"Sec-Fetch-Site": "same-site"}, True)):
        r = a.patch(path, change, headers=headers, csrf=csrf)
        assert r.status == 403 and r.problem in ("csrf", "origin"), (headers, r)
    form = a.call("POST", "/suppliers", b'{"name":"x"}', headers={"Content-Type": "text/plain"}, raw=True)
    assert form.status == 415
    login = portal.caller().post("/session", {"user": "ada", "password": PASSWORD}, headers={"Sec-Fetch-Site": "cross-site"})
    assert login.status == 403
    assert a.get(path).json == before


def test_a_session_cannot_be_planted(portal):
    """Fixation: each step up has another cookie, and none that was there before lives on."""
    c = portal.caller()
    c.cookie = "A" * 43
    first = c.post("/session", {"user": "ada", "password": PASSWORD})
    half = c.cookie
    assert first.status == 200 and half != "A" * 43
    c.secret = portal.admin.secret
    assert c.post("/session/totp", {"code": c.code()}).status == 200
    whole = c.cookie
    assert whole != half
    for old in ("A" * 43, half):
        other = portal.caller()
        other.cookie = old
        assert other.get("/state").status == 401
    both = portal.caller()
    assert both.get("/state", headers={"Cookie": f"__Host-merlon={whole}; __Host-merlon={half}"}).status == 401
    flags = [h for h in first.headers.get_all("Set-Cookie")][0].lower()
    assert all(f in flags for f in ("secure", "httponly", "samesite=strict", "path=/")) and "domain" not in flags
    assert c.delete("/session").status == 204


def test_every_answer_says_what_a_browser_may(portal):
    for path in ("/state", "/no-such"):
        h = portal.admin.get(path).headers
        assert int(h["Strict-Transport-Security"].split(";")[0].split("=")[1]) >= 31536000
        assert h["Content-Security-Policy"].startswith("default-src 'none'") and h["Cache-Control"] == "no-store"
        assert h["X-Content-Type-Options"] == "nosniff"


def test_who_asks_too_often_waits(tmp_path):
    p = Portal(str(tmp_path / "p"), roles="keeper, home, portal, watch", conf={"rate": 20})
    try:
        got = [p.admin.get("/session").status for _ in range(120)]
        assert 429 in got and got.count(200) >= 20
        poll(lambda: p.admin.get("/session").status == 200, 10, "to be heard again")
    finally:
        assert p.stop() == 0, p.m.tail()


def test_hashes_in_flight_are_few(portal):
    """A flood of sign-ins takes no more memory than a few, and others are still served."""
    done = []

    def one(i):
        done.append(portal.caller().post("/session", {"user": f"flood{i}", "password": "not the right password"}).status)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(24)]
    for t in threads:
        t.start()
    assert portal.admin.get("/state").status == 200
    for t in threads:
        t.join()
    assert len(done) == 24 and set(done) <= {401, 503, 429} and 401 in done


def test_the_slow_hold_nobody_up(portal, slow):
    """The last here: the half requests are cut, unanswered."""
    assert portal.admin.get("/state").status == 200
    for s in slow:
        s.settimeout(60)
        try:
            assert b" 200 " not in s.recv(4096)
        except ConnectionError:
            pass
