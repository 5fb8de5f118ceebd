"""Bootstrapping (TS 33.220): a device of ours and curl against home's bootstrapping server, applications that ask for
the keys over Zn (R-3.1.d, R-3.1.h, R-3.3.g)."""
import datetime
import os
import subprocess

import pytest
from diameter import ZN, Client, poll, vsai
from gba import BSF, HTTP_DIGEST, Device, by_curl, by_python, impi
from merlon import HOME, HOME_HOST, Merlon, free_port, keys
from test_partition import metric

NAF, OTHER = "naf.mnc070.mcc999.pub.3gppnetwork.org", "other.example.org"
NAF_HOST, OTHER_HOST = f"naf.{HOME}", f"other.{HOME}"
IMSIS = [f"9997{n:011d}" for n in range(99000, 99040)]
DIAMETER_EPOCH = 2208988800


@pytest.fixture(scope="module")
def bsf(work, capture):
    m = with_gba(os.path.join(work, "gba"), free_port())
    try:
        yield m
    finally:
        assert m.stop() == 0, m.tail()


def with_gba(where, port, **more):
    m = Merlon(where, roles="keeper, home, watch", more={"gba": {
        "listen": f"127.0.0.1:{port}", "lifetime": 3600, "nafs": [f"{NAF}={NAF_HOST}", f"{OTHER}={OTHER_HOST}"],
        **more}})
    m.gba = f"http://127.0.0.1:{port}/"
    m.wait_up()
    m.set("profile", "meter", services="gba")
    m.import_sims(IMSIS, "meter")
    m.cards = iter(IMSIS)
    return m


@pytest.fixture
def device(bsf):
    def make(send=by_python, **kw):
        imsi = next(bsf.cards)
        return Device(bsf.gba, imsi, keys(imsi), send, **kw)
    return make


@pytest.fixture
def naf(bsf):
    """naf(): the application of this name, on Zn."""
    clients = {}

    def make(host=NAF_HOST):
        if host not in clients:
            clients[host] = Client(bsf.home_port, host, HOME, apps=(ZN,))
        return clients[host]
    yield make
    for c in clients.values():
        c.close()


def bir(client, btid, fqdn=NAF):
    return client.request("BIR", [vsai(ZN), ("Destination-Realm", HOME), ("Destination-Host", HOME_HOST),
                                  ("Transaction-Identifier", btid.encode()),
                                  ("NAF-Hostname", fqdn.encode() + HTTP_DIGEST)])


@pytest.mark.parametrize("send", [by_python, by_curl])
def test_a_device_bootstraps_and_both_ends_have_the_same_key(bsf, device, naf, send):
    """With Python's HTTP client and with curl as the one who sends. R-3.3.g."""
    d, mark = device(send), bsf.mark()
    btid = d.bootstrap()
    answer = bir(naf(), btid)
    assert answer.result == 2001
    assert answer["User-Name"] == impi(d.imsi)
    assert answer["ME-Key-Material"] == d.ks_naf(NAF)
    until = datetime.datetime.fromisoformat(d.lifetime.replace("Z", "+00:00")).timestamp()
    assert answer["Key-ExpiryTime"] == until + DIAMETER_EPOCH
    assert answer["Key-ExpiryTime"] - answer["BootstrapInfoCreationTime"] == 3600
    bsf.event(mark, event="home.gba_bootstrapped", imsi=d.imsi, clause="R-3.1.h")


def test_each_application_has_a_key_of_its_own_and_asks_for_no_other(bsf, device, naf):
    """R-3.1.d: one bootstrap, a key a platform."""
    d = device()
    btid = d.bootstrap()
    one, two = bir(naf(), btid), bir(naf(OTHER_HOST), btid, OTHER)
    assert (one.result, two.result) == (2001, 2001)
    assert one["ME-Key-Material"] == d.ks_naf(NAF) != two["ME-Key-Material"] == d.ks_naf(OTHER)
    assert bir(naf(), btid, OTHER).result == -5402
    assert bir(naf(f"stranger.{HOME}"), btid).result == -5402


def test_curl_alone_cannot_for_the_password_comes_of_the_challenge(bsf, device):
    """What curl can do of this: it knows MD5 and SHA-256, not AKAv1-MD5, and gives up at the challenge."""
    d = device(by_curl)
    done = subprocess.run(["curl", "-sS", "-i", "--max-time", "10", "--digest", "-u", f"{impi(d.imsi)}:secret",
                           *(x for k, v in d.header().items() for x in ("-H", f"{k}: {v}")), bsf.gba],
                          capture_output=True, text=True, timeout=20)
    assert "200 OK" not in done.stdout
    assert d.bootstrap()


def test_an_answer_counts_once(bsf, device):
    """Replay: the challenge is gone with the first right answer."""
    d = device()
    nonce, rand, _, res, ks = d.read(d.challenge())
    headers = d.authorization(nonce, res)
    d.finish(d.ask(headers), rand, res, ks)
    again = d.ask(headers)
    assert again.status == 401
    assert d.read(again)[1] != rand


def test_a_wrong_card_is_refused_and_keeps_nobody_from_answering(bsf, device):
    """One challenge stands: another who asks or answers wrongly costs no sequence number and takes nothing away."""
    d, mark = device(), bsf.mark()
    nonce, rand, _, res, ks = d.read(d.challenge())
    assert d.read(d.challenge())[1] == rand
    wrong = d.ask(d.authorization(nonce, bytes(8)))
    assert wrong.status == 401
    bsf.event(mark, event="home.gba_wrong", imsi=d.imsi)
    d.finish(d.ask(d.authorization(nonce, res)), rand, res, ks)


def test_the_body_and_the_target_are_within_the_digest(bsf, device):
    d = device()
    nonce, _, _, res, _ = d.read(d.challenge())
    headers = d.authorization(nonce, res)
    assert by_python(bsf.gba, {**headers, "Content-Type": "text/plain"}, body=b"more").status == 401
    assert by_python(bsf.gba + "?more", headers).status == 400
    assert d.ask(headers).status == 200


def test_a_card_that_is_ahead_is_followed(bsf, device):
    """AUTS (RFC 3310 3.4), and a forged one changes nothing."""
    d = device()
    _, _, sqn, _, _ = d.read(d.challenge())
    d.sqn = sqn + (1 << 24)
    assert d.bootstrap() and d.sqn > sqn + (1 << 24)
    e = device()
    nonce, rand, sqn, _, _ = e.read(e.challenge())
    again = e.ask(e.authorization(nonce, b"", bytes(14)))
    assert again.status == 401 and e.read(again)[2] < sqn + (1 << 20)


def test_only_who_may_by_profile_and_is_active(bsf, device, naf):
    """R-3.1.h: revocation is by the subscription's state: bootstrapped keys end with it."""
    d, client = device(), naf()
    btid = d.bootstrap()
    assert bir(client, btid).result == 2001
    bsf.set("subscription", d.imsi, life="suspended")
    poll(lambda: bir(client, btid).result < 0, 3, "the key to be refused")
    assert d.challenge().status == 403
    bsf.set("subscription", d.imsi, life="active")
    poll(lambda: d.challenge().status == 401, 3, "the card to be welcome again")
    assert bir(client, btid).result == -5403  # what was withdrawn stays so
    stranger = Device(bsf.gba, "999709999999999", keys("999709999999999"))
    assert stranger.challenge().status == 403
    bsf.import_sims(["999709999999998"], "car")
    not_by_profile = Device(bsf.gba, "999709999999998", keys("999709999999998"))
    assert not_by_profile.challenge().status == 403


def test_a_newer_bootstrapping_replaces_the_older(device, naf):
    d, client = device(), naf()
    first, second = d.bootstrap(), d.bootstrap()
    assert bir(client, first).result == -5403
    assert bir(client, second).result == 2001
    assert bir(client, "AAAA@" + BSF).result == -5403


def test_a_subscription_may_not_ask_for_ever(bsf, device):
    """Each bootstrapping takes a sequence number: ten a minute by default."""
    d = device()
    before = metric(bsf, "home_gba_total", outcome="limited")
    for _ in range(10):
        d.bootstrap()
    assert d.challenge().status == 429
    assert d.challenge().get("Retry-After")
    assert device().challenge().status == 401  # others may
    assert metric(bsf, "home_gba_total", outcome="limited") == before + 2


MALFORMED = ["", "Basic AAAA", "Digest", 'Digest username="x', 'Digest username=a, username=b', "Digest " + "a=b," * 2000,
             'Digest username="\\"", realm="x"', "Bearer x"]


def test_what_is_malformed_is_refused(bsf, device):
    d = device()
    for header in MALFORMED:
        assert by_python(bsf.gba, {"Authorization": header}).status in (400, 431), header
    assert by_python(bsf.gba + "elsewhere", d.header()).status == 404
    assert by_python(bsf.gba, d.header(), method="POST", body=b"x").status == 405
    assert by_python(bsf.gba, d.header(), body=b"x" * 2000).status == 413
    assert by_python(bsf.gba + "x" * 2000, d.header()).status == 414
    assert by_python(bsf.gba, {"Authorization": d.header()["Authorization"].replace(BSF, "bsf.example.org")}).status == 403
    assert d.bootstrap()


def test_over_tls(work, authority):
    chain, key = authority.issue(BSF)
    port = free_port()
    m = with_gba(os.path.join(work, "gba2"), port, chain=chain, key=key)
    try:
        url = f"https://{BSF}:{port}/"
        to = ("--resolve", f"{BSF}:{port}:127.0.0.1")
        d = Device(url, IMSIS[0], keys(IMSIS[0]), lambda *a, **kw: by_curl(*a, **kw, more=to), authority.ca)
        assert d.bootstrap()
        # SECLEVEL=0, or curl itself would not even ask for what is to be refused
        for most, ciphers, code in (("1.2", "DEFAULT", 0), ("1.1", "DEFAULT", 35), ("1.2", "AES128-SHA", 35)):
            done = subprocess.run(["curl", "-sS", "--tlsv1.0", "--cacert", authority.ca, *to, "--tls-max", most, "--ciphers",
                                   f"{ciphers}@SECLEVEL=0", url], capture_output=True, timeout=20)
            assert done.returncode == code, (most, ciphers, done.stderr)
    finally:
        assert m.stop() == 0, m.tail()
