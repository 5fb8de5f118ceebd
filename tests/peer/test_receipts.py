"""Non-repudiation (R-3.2.b): a message of a device, signed for on its way to the platform and by the platform; both in the
journal, verified by merlon audit receipts, and by PyJWT; nothing can be altered, taken away, or acknowledged twice."""
import base64
import hashlib
import json
import os
import signal
import sqlite3
import struct

import jwt
import pytest
from diameter import poll
from oidc import Platform, Portal, b64
from process import roles

IMSIS = {"meter": [f"9997{n:011d}" for n in range(97000, 97020)], "car": [f"9997{n:011d}" for n in range(97100, 97102)]}


@pytest.fixture(scope="module")
def portal(work, authority):
    p = Portal(os.path.join(work, "receipts"), authority, IMSIS)
    try:
        p.acme, p.grid = p.platform("acme.example", "meters"), p.platform("grid.example", "meters")
        d = p.device()
        poll(lambda: p.ask_token(d, "grid.example").status == 200, 5, "the platforms to be known")
        yield p
    finally:
        code = p.m.stop()
    assert code == 0, p.m.tail()


def send(portal, d, message, to="acme.example", token=None):
    token = token or portal.tokens(d, to)["access_token"]
    return token, portal.post(f"/relay/to/{to}", message, {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"})


def take(platform):
    answer = platform.call("/relay/take")
    return json.loads(answer.body) if answer.status == 200 else None


def acknowledge(portal, ack):
    return portal.post("/relay/acknowledge", {"acknowledgement": ack})


def exchange(portal, message=b"meter 4711: 12.5 kWh"):
    d = portal.device()
    token, sent = send(portal, d, message)
    assert sent.status == 202, (sent.status, sent.body)
    item = take(portal.acme)
    ack = portal.acme.acknowledgement(item)
    assert acknowledge(portal, ack).status == 200
    return d, token, item, ack


def audit(portal, code=0):
    done = portal.m.run("audit", "receipts", "--json", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_message_is_signed_for_by_both(portal):
    d, message, mark = portal.device(), b"\x00\xff meter 4711", portal.m.mark()
    token, sent = send(portal, d, message)
    sent = json.loads(sent.body)
    item = take(portal.acme)
    assert item["id"] == sent["id"] and item["token"] == sent["token"]
    assert base64.b64decode(item["message"]) == message and item["type"] == "text/plain"
    # What the platform checks: who signed, over what, from which SIM.
    claims = portal.verify(item["token"], "acme.example", "receipt+jwt")
    assert claims["sha256"] == b64(hashlib.sha256(message).digest()) and claims["jti"] == item["id"]
    assert claims["sub"] == portal.verify(token, "acme.example")["sub"]
    assert take(portal.acme) is None  # it is being worked on
    where = {"Authorization": f"Bearer {token}"}
    assert json.loads(portal.get(f"/relay/receipt/{item['id']}", where).body)["status"] == "taken"
    ack = portal.acme.acknowledgement(item)
    assert acknowledge(portal, ack).status == 200
    got = json.loads(portal.get(f"/relay/receipt/{item['id']}", where).body)
    assert got["status"] == "acknowledged" and got["acknowledgement"] == ack
    portal.m.event(mark, event="portal.receipt", imsi=d.imsi, platform="acme.example", clause="R-3.2.b")
    assert portal.get(f"/relay/receipt/{item['id']}").status == 401
    other = portal.tokens(portal.device(), "acme.example")["access_token"]
    assert portal.get(f"/relay/receipt/{item['id']}", {"Authorization": f"Bearer {other}"}).status == 404
    told = audit(portal)
    mine = next(r for r in told["list"] if r["id"] == item["id"])
    assert mine["verified"] and mine["platform"] == "acme.example" and mine["sub"] == claims["sub"]
    assert told["chain"] and told["bad"] == 0


def test_an_acknowledgement_is_the_platforms_own_and_counts_once(portal):
    d, _, item, ack = exchange(portal)
    assert acknowledge(portal, ack).status == 409
    _, sent = send(portal, d, b"another")
    item = take(portal.acme)
    stranger = Platform(portal, "acme.example")  # the right name, another key
    for wrong in (stranger.acknowledgement(item), portal.grid.acknowledgement(item),
                  portal.acme.acknowledgement(item, receipt="x"), portal.acme.acknowledgement(item, aud="https://x"),
                  portal.acme.acknowledgement(item, receipt_sha256="x"), portal.acme.acknowledgement(item, iat=1), ack + "A",
                  "a.b.c", ""):
        assert acknowledge(portal, wrong).status in (400, 409), wrong
    assert take(portal.grid) is None  # another platform has none of it
    assert acknowledge(portal, portal.acme.acknowledgement(item)).status == 200
    assert audit(portal)["bad"] == 0


def test_only_a_device_that_may_sends(portal):
    d = portal.device()
    token, sent = send(portal, d, b"x")
    assert sent.status == 202
    assert send(portal, d, b"x", "grid.example", token)[1].status == 401  # a token of another platform
    assert send(portal, d, b"x", "nobody.example", token)[1].status == 401
    assert send(portal, d, b"x" * 5000, token=token)[1].status == 413
    assert portal.post("/relay/to/acme.example", b"x", {}).status == 401
    portal.m.set("subscription", d.imsi, life="suspended")
    poll(lambda: send(portal, d, b"x", token=token)[1].status == 401, 5, "the token to end")
    crowd = portal.device()
    token = portal.tokens(crowd, "grid.example")["access_token"]
    got = [send(portal, crowd, b"x", "grid.example", token)[1].status for _ in range(20)]
    assert got == [202] * 16 + [429] * 4  # one device takes no more than its share
    assert take(portal.acme)["token"] == json.loads(sent.body)["token"]


def test_a_turned_key_and_a_changed_platform_leave_old_receipts_good(portal):
    """Each receipt is verified with the keys that the journal had at its time."""
    exchange(portal)
    open(os.path.join(portal.m.data_dir, "portal", "rotate"), "w").close()
    before = set(portal.keys())
    poll(lambda: set(portal.keys()) > before, 10, "another signing key")
    old = portal.acme
    portal.acme = portal.platform("acme.example", "meters")

    def known():
        return portal.acme.call("/relay/take").status in (200, 204)
    poll(known, 5, "the platform's other key to be known")
    assert old.call("/relay/take").status == 401
    exchange(portal)
    told = audit(portal)
    assert told["bad"] == 0 and told["receipts"] >= 4


def journal(portal):
    return sqlite3.connect(os.path.join(portal.m.data_dir, "records.db"), timeout=10)


def rechain(db):
    """What a forger with the file in hand would do: every hash anew."""
    head = bytes(32)
    for seq, at, actor, action, obj, key, detail in db.execute(
            "SELECT seq, at_ms, actor, action, object, key, detail FROM journal ORDER BY seq").fetchall():
        text = head + struct.pack("!QQ", seq, at)
        for v in (actor, action, obj, key, detail):
            text += struct.pack("!Q", len(v.encode())) + v.encode()
        head = hashlib.sha256(text).digest()
        db.execute("UPDATE journal SET hash = ? WHERE seq = ?", (head, seq))


def test_what_is_altered_or_taken_away_shows(portal):
    exchange(portal)
    with journal(portal) as db:
        was = db.execute("SELECT * FROM journal ORDER BY seq").fetchall()
        rechain(db)
        assert db.execute("SELECT * FROM journal ORDER BY seq").fetchall() == was
    seq, detail = next((r[0], r[6]) for r in was if r[4] == "receipt")
    assert {r[2] for r in was if r[4] in ("receipt", "key")} == {"(portal)"}  # a connection that may do no more
    token, ack = json.loads(detail)["text"].split(" ")
    claims = jwt.decode(token, options={"verify_signature": False})
    forged = jwt.encode({**claims, "sha256": b64(hashlib.sha256(b"no kWh at all").digest())}, portal.grid.key, "ES256",
                        headers=jwt.get_unverified_header(token))
    swapped = portal.grid.sign(**jwt.decode(ack, options={"verify_signature": False}))

    def put(db, text):
        db.execute("UPDATE journal SET detail = ? WHERE seq = ?", (json.dumps({"text": text}, separators=(",", ":")), seq))

    def attempts():
        def changed(db):
            put(db, f"{forged} {ack}")
        yield changed, "chain", None

        def changed_and_chained(db):
            put(db, f"{forged} {ack}")
            rechain(db)
        yield changed_and_chained, "head", "the token is not signed with a key that the journal holds"

        def other_ack(db):
            put(db, f"{token} {swapped}")
            rechain(db)
        yield other_ack, "head", "the acknowledgement is not signed with the platform's key of that time"

        def taken_away(db):
            db.execute("DELETE FROM journal WHERE seq = ?", (seq,))
        yield taken_away, "chain", None

        def last_taken_away(db):
            db.execute("DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)")
        yield last_taken_away, "head", None

    for change, fault, why in attempts():
        with journal(portal) as db:
            change(db)
        told = audit(portal, code=1)
        assert not told["chain"] and fault in told["fault"], (change.__name__, told["fault"])
        assert why is None or [r["why"] for r in told["list"] if not r["verified"]] == [why], change.__name__
        with journal(portal) as db:
            db.execute("DELETE FROM journal")
            db.executemany("INSERT INTO journal VALUES (?,?,?,?,?,?,?,?)", was)
    told = audit(portal)
    assert told["chain"] and told["bad"] == 0
    done = portal.m.run("audit", "receipts")
    assert f"{told['receipts']} receipts, {told['receipts']} verified" in done.stdout and "chain whole" in done.stdout


def test_a_keeper_that_restarts_is_found_again(portal):
    """The portal begins anew with it; tokens are none the worse, for no table holds them."""
    d, was = portal.device(), roles(portal.m.process.pid)
    token = portal.tokens(d, "acme.example")["access_token"]
    os.kill(was["keeper"], signal.SIGKILL)
    poll(lambda: roles(portal.m.process.pid).get("portal", was["portal"]) != was["portal"] and portal.m._ready(), 20,
         "another portal")
    poll(lambda: portal.ask_token(d, "acme.example").status == 200, 10, "home to be reached")
    assert portal.acme.active(token)
    exchange(portal)
    assert audit(portal)["bad"] == 0
