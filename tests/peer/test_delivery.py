"""Keys from who makes the cards: CMS made with the openssl command, taken in when a supplier's record vouches for it,
refused with a reason that the journal keeps otherwise; and keys that never leave in clear (R-5.1.1.4.c, R-2.b)."""
import itertools
import json
import os
import shutil
import sqlite3
import subprocess

import pytest
from ask import air
from diameter import Client, plmn, poll
from merlon import BINARY, HOME, ROOT, Merlon, keys, usim

serial = itertools.count()

HEADER = "imsi,iccid,alg,k,opc,amf,tenant,profile"
ICCID = {"giesecke": "89999700000000001", "thalia": "89999700000000002"}  # how those of each begin


def openssl(*args):
    done = subprocess.run(["openssl", *args], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"openssl {args}: {done.stderr}"
    return done.stdout


class Maker:
    """Who can sign: an EC key and a certificate of its own."""

    def __init__(self, where, name, days="30"):
        self.name, self.where = name, where
        self.cert, self.key = os.path.join(where, name + ".crt"), os.path.join(where, name + ".key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", days,
                "-subj", f"/O={name}/CN=personalisation", "-keyout", self.key, "-out", self.cert)

    def print(self):
        return openssl("x509", "-in", self.cert, "-noout", "-fingerprint", "-sha256").split("=")[1].strip()

    def sign(self, path, to, *more):
        openssl("cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-signer", self.cert, "-inkey", self.key,
                "-in", path, "-out", to, *more)
        return to


class World:
    def __init__(self, work):
        self.where = os.path.join(work, "delivery")
        os.makedirs(self.where)
        self.ours = Maker(self.where, "import")
        os.chmod(self.ours.key, 0o400)
        self.maker = {n: Maker(self.where, n) for n in ("giesecke", "thalia", "lapsed", "unaudited", "stranger", "other")}
        self.m = Merlon(os.path.join(self.where, "m"), roles="keeper, home, watch")
        with open(self.m.config, encoding="ascii") as f:
            conf = json.load(f)
        conf["import"] = {"key": self.ours.key, "certificate": self.ours.cert}
        with open(self.m.config, "w", encoding="ascii") as f:
            json.dump(conf, f)
        self.m.wait_up()
        for name, until in (("giesecke", "2099-01-01"), ("thalia", "2099-01-01"), ("lapsed", "2020-01-01"),
                            ("unaudited", "")):
            self.m.set("supplier", name, certificate=self.maker[name].print(), sas_until=until, sas_scope="SAS-UP")
        for name, begin in ICCID.items():
            self.m.set("batch", name + "-1", supplier=name, iccid_from=begin + "00", iccid_to=begin + "99", form="4ff")
        self.serial = 0

    def csv(self, imsis, of="giesecke"):
        path = os.path.join(self.where, f"{self.serial}.csv")
        self.serial += 1
        with open(path, "w", encoding="ascii") as f:
            f.write(HEADER + "\n")
            for i, imsi in enumerate(imsis):
                k, opc = keys(imsi)
                f.write(f"{imsi},{ICCID[of]}{int(imsi[-2:]):02d},milenage,{k.hex()},{opc.hex()},8000,meters,meter\n")
        return path

    def envelope(self, path, to=None, cipher="-aes256"):
        out = path + ".env"
        openssl("cms", "-encrypt", "-binary", cipher, "-outform", "DER", "-in", path, "-out", out,
                (to or self.ours).cert)
        return out

    def delivery(self, imsis, by="giesecke", of="giesecke", **more):
        path = self.csv(imsis, of)
        return self.maker[by].sign(self.envelope(path, **more), path + ".cms")

    def take(self, path, *more):
        return subprocess.run([BINARY, "import", "subscriptions", path, *more, "--config", self.m.config],
                              capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)

    def journal(self):
        with sqlite3.connect(f"file:{self.m.data_dir}/records.db?mode=ro", uri=True) as db:
            return db.execute("SELECT action, key, detail FROM journal WHERE object = 'delivery' ORDER BY seq "
                              "DESC LIMIT 1").fetchone()

    def served(self, imsi):
        n = Client(self.m.home_port, f"n{next(serial)}.{HOME}", HOME)
        try:
            answer = n.request("AIR", air(imsi))
            if answer is None or answer.result != 2001:
                return None
            usim(imsi).check(answer["Authentication-Info"]["E-UTRAN-Vector"], plmn("00101"))
            return True
        finally:
            n.close()


@pytest.fixture(scope="module")
def world(work):
    if os.geteuid() != 0:
        pytest.skip("the key's file must be root's")
    w = World(work)
    yield w
    w.m.stop()


@pytest.mark.parametrize("cipher, tail", [("-aes256", "01"), ("-aes-256-gcm", "02")])
def test_an_accredited_suppliers_delivery_is_taken_in(world, cipher, tail):
    imsi = "9997081000000" + tail
    path, since = world.delivery([imsi], cipher=cipher), world.m.mark()
    done = world.take(path, "--supplier", "giesecke")
    assert done.returncode == 0 and "1 records, 0 lines refused" in done.stdout, done.stderr
    poll(lambda: world.served(imsi), 20, "a vector of the card")
    action, key, detail = world.journal()
    assert (action, key) == ("import", "giesecke") and "1 records" in detail and "SHA-256" in detail
    assert world.m.event(since, event="keeper.noted", action="import", key="giesecke", clause="R-5.1.1.4.c")


def test_pem_is_taken_in_too(world):
    path = world.delivery(["999708100000003"])
    openssl("cms", "-cmsout", "-inform", "DER", "-outform", "PEM", "-in", path, "-out", path + ".pem")
    assert world.take(path + ".pem").returncode == 0


def altered(w, imsi):
    path = w.delivery([imsi])
    with open(path, "rb") as f:
        text = bytearray(f.read())
    text[len(text) // 3] ^= 1
    with open(path, "wb") as f:
        f.write(text)
    return path


def cut(w, imsi):
    path = w.delivery([imsi])
    os.truncate(path, os.path.getsize(path) - 40)
    return path


def bare_signature(w, imsi):
    """The signature without the certificate of who made it."""
    path = w.csv([imsi])
    return w.maker["giesecke"].sign(w.envelope(path), path + ".cms", "-nocerts")


def twice_signed(w, imsi):
    path = w.delivery([imsi])
    other = w.maker["stranger"]
    openssl("cms", "-resign", "-inform", "DER", "-outform", "DER", "-binary", "-nodetach", "-signer", other.cert,
            "-inkey", other.key, "-in", path, "-out", path + ".2")
    return path + ".2"


def weak_digest(w, imsi):
    path = w.csv([imsi])
    return w.maker["giesecke"].sign(w.envelope(path), path + ".cms", "-md", "sha1")


REFUSED = [
    ("not signed", lambda w, i: w.envelope(w.csv([i])), "is not signed", "nobody's"),
    ("altered", altered, "was altered", "nobody's"),
    ("cut short", cut, "is no CMS file", "nobody's"),
    ("by a stranger", lambda w, i: w.delivery([i], by="stranger"), "a certificate that no supplier's record has",
     "nobody's"),
    ("accreditation ended", lambda w, i: w.delivery([i], by="lapsed"), "the SAS accreditation of lapsed ended 2020-01-01",
     "lapsed"),
    ("never accredited", lambda w, i: w.delivery([i], by="unaudited"), "has no SAS accreditation", "unaudited"),
    ("not encrypted", lambda w, i: (lambda p: w.maker["giesecke"].sign(p, p + ".cms"))(w.csv([i])),
     "is signed but not encrypted", "giesecke"),
    ("for somebody else", lambda w, i: w.delivery([i], to=w.maker["other"]), "is not encrypted for our certificate",
     "giesecke"),
    ("no certificate in it", bare_signature, "does not hold the certificate", "nobody's"),
    ("two signers", twice_signed, "must have one signer", "nobody's"),
    ("SHA-1", weak_digest, "a digest that is not SHA-256", "nobody's"),
]


@pytest.mark.parametrize("make, why, whose", [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_no_record_vouches_for_is_refused_and_journalled(world, make, why, whose):
    imsi = f"9997082000000{[r[1] for r in REFUSED].index(make):02d}"
    path, since = make(world, imsi), world.m.mark()
    done = world.take(path)
    assert done.returncode == 1 and why in done.stderr and done.stderr.count("\n") == 1, done.stderr
    action, key, detail = world.journal()
    assert (action, key) == ("refuse", whose) and os.path.basename(path) in detail and why in detail
    assert world.m.event(since, event="keeper.noted", action="refuse", key=whose)
    assert world.m.run("show", "subscription", imsi, check=False).returncode != 0
    assert not [f for f in os.listdir(f"{world.m.data_dir}/spool") if f.endswith(".keys")]


def test_the_wrong_supplier_is_refused(world):
    """Both of the file, when one was expected, and of single cards that another one makes."""
    done = world.take(world.delivery(["999708300000001"], by="thalia", of="thalia"), "--supplier", "giesecke")
    assert done.returncode == 1 and "signed by thalia, not by giesecke" in done.stderr
    done = world.take(world.delivery(["999708300000002"], by="thalia", of="giesecke"))
    assert done.returncode == 1 and "iccid: lies in a batch of another supplier" in done.stderr
    done = world.take(world.csv(["999708300000003"]), "--supplier", "giesecke")
    assert done.returncode == 1 and "no signed delivery" in done.stderr
    for i in (1, 2, 3):
        assert world.m.run("show", "subscription", f"99970830000000{i}", check=False).returncode != 0


def test_plain_files_of_keys_can_be_forbidden(world, tmp_path):
    path = world.csv(["999708400000044"])
    with open(world.m.config, encoding="ascii") as f:
        conf = json.load(f)
    conf["import"]["plain"] = False
    strict = tmp_path / "strict.yaml"
    strict.write_text(json.dumps(conf))
    done = subprocess.run([BINARY, "import", path, "--config", str(strict)], capture_output=True, text=True, timeout=30,
                          cwd=ROOT, check=False)
    assert done.returncode == 1 and "import.plain forbids" in done.stderr
    assert world.journal()[0] == "refuse"
    bare = tmp_path / "bare.csv"
    bare.write_text("imsi,tenant,profile\n999708400000002,meters,meter\n")  # without keys: nothing to forbid
    done = subprocess.run([BINARY, "import", str(bare), "--config", str(strict)], capture_output=True, text=True,
                          timeout=30, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert world.take(path).returncode == 0  # by default, for tests and the demo, they are taken


def test_keys_never_leave_in_clear(world):
    """R-2.b: whatever a command prints or a backup holds, no K and no OPc is in it."""
    imsi = "999708100000001"
    out = [world.m.run("export", "subscription").stdout, world.m.run("list", "subscription", "--json").stdout,
           world.m.run("show", "subscription", imsi, "--json").stdout, world.m.run("vault", "status", "--json").stdout]
    assert imsi in out[0]
    refused = world.m.run("list", "subscription", "k=00", check=False)
    assert refused.returncode != 0
    to = os.path.join(world.where, "backup")
    world.m.run("backup", to)
    for folder, _, files in os.walk(to):
        for name in files:
            with open(os.path.join(folder, name), "rb") as f:
                out.append(f.read().decode("latin-1"))
    for secret in keys(imsi):
        for form in (secret.hex(), secret.hex().upper(), secret.decode("latin-1")):
            assert not [text[:80] for text in out if form in text]
    shutil.rmtree(to)


def test_a_certificate_that_is_none_is_told_when_it_is_set(world):
    done = world.m.run("set", "supplier", "giesecke", "certificate=deadbeef", check=False)
    assert done.returncode == 1 and "must be its SHA-256" in done.stderr


def test_a_removable_card_is_refused_where_tampering_is_a_threat(world):
    """R-5.1.1.2.a: by the form of its batch; a card of no batch has no form that is known."""
    m = world.m
    m.set("batch", "soldered", supplier="giesecke", iccid_from="8999970000000009000", iccid_to="8999970000000009099",
          form="mff2")
    m.set("profile", "outdoor", tenant="meters", apn1="meters.iot:ipv4:9:15:100000:100000", tamper="yes")
    for iccid, why in ((ICCID["giesecke"] + "77", "of a batch of removable cards"), ("8999970000000055555", "in no batch"),
                       ("", "in no batch")):
        done = m.run("set", "subscription", "999708500000001", "tenant=meters", "profile=outdoor", f"iccid={iccid}",
                     check=False)
        assert done.returncode == 1 and why in done.stderr and "R-5.1.1.2.a" in done.stderr, done.stderr
    m.set("subscription", "999708500000001", tenant="meters", profile="outdoor", iccid="8999970000000009001")
    m.set("subscription", "999708500000002", tenant="meters", profile="meter", iccid=ICCID["giesecke"] + "78")
    moved = m.run("set", "subscription", "999708500000002", "profile=outdoor", check=False)
    assert moved.returncode == 1 and "R-5.1.1.2.a" in moved.stderr


def test_what_is_past_its_end_is_reported_line_by_line(world):
    """R-5.2.a, R-5.2.4.l, R-5.1.1.2.a: keys and algorithms, accreditations and certifications, cards that come out."""
    m = world.m
    m.set("batch", "worn", supplier="giesecke", iccid_from="8999970000000008000", iccid_to="8999970000000008099",
          form="mff2", certificate="EAL4+", certified_until="2099-01-01", keys_until="2021-01-01")
    m.set("subscription", "999708600000001", tenant="meters", profile="meter", iccid="8999970000000008001")
    m.set("subscription", "999708600000002", tenant="meters", profile="meter", iccid="8999970000000008002", alg="tuak")
    m.set("equipment", "35111111", list="white", certificate="PSA-1", certified_until="2022-01-01")
    m.set("equipment", "35222222", list="white", certificate="PSA-1", certified_until="2099-01-01")
    m.set("batch", "late", supplier="giesecke", iccid_from="8999970000000007000", iccid_to="8999970000000007099", form="mff2")
    m.set("profile", "roadside", tenant="meters", apn1="meters.iot:ipv4:9:15:100000:100000", tamper="yes")
    m.set("subscription", "999708600000003", tenant="meters", profile="roadside", iccid="8999970000000007001")
    m.set("batch", "late", form="4ff")  # it turned out to be another form
    with open(m.config, encoding="ascii") as f:
        conf = json.load(f)
    conf["sourcing"] = {"algorithms": ["tuak=2020-01-01", "milenage=2099-01-01"]}
    path = os.path.join(world.where, "sourcing.yaml")
    with open(path, "w", encoding="ascii") as f:
        json.dump(conf, f)
    done = subprocess.run([BINARY, "sourcing", "--json", "--config", path], capture_output=True, text=True, timeout=30,
                          cwd=ROOT, check=False)
    found = {(o["object"], o["key"], o["clause"]) for o in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1, done.stderr
    assert {("subscription", "999708600000001", "R-5.2.a"), ("subscription", "999708600000002", "R-5.2.a"),
            ("subscription", "999708600000003", "R-5.1.1.2.a"), ("supplier", "lapsed", "R-5.2.4.l"),
            ("supplier", "unaudited", "R-5.2.4.l"), ("equipment", "35111111", "R-5.2.4.l"),
            ("batch", "worn", "R-5.2.a"), ("batch", "late", "R-5.2.4.l")} <= found
    assert not found & {("supplier", "giesecke", "R-5.2.4.l"), ("equipment", "35222222", "R-5.2.4.l"),
                        ("batch", "worn", "R-5.2.4.l"), ("subscription", "999708300000001", "R-5.2.a")}
    assert sum("past its end: tuak" in f"{o['finding']} {o['of']}" for o in map(json.loads, done.stdout.splitlines())) == 1
    plain = m.run("sourcing", check=False)
    assert plain.returncode == 1 and "findings" in plain.stdout and "its keys are past their end: batch worn" in plain.stdout
