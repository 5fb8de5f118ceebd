"""Cards with TUAK beside cards with MILENAGE, through edge and home (R-3.1.e, R-5.2.1.b, R-5.2.2.b, R-5.2.3.b), and
the algorithms that no card may have."""
import os
import subprocess

import pytest
import tuak
from ask import air
from diameter import plmn
from merlon import BINARY, ROOT
from test_procedures import vectors

HEADER = "imsi,alg,k,opc,op,topc,amf,tuak,tenant,profile".split(",")
TOP = bytes(range(32))
# IMSI, octets of K, octets of RES, iterations; what the column says; TOP or TOPc
CARDS = [("999709000000001", 16, 8, 1, "", "op"), ("999709000000002", 32, 8, 1, "", "topc"),
         ("999709000000003", 32, 4, 1, "32", "topc"), ("999709000000004", 16, 16, 5, "128:5", "op"),
         ("999709000000005", 32, 8, 255, "64:255", "op")]


def key(imsi, n):
    return bytes((i * 7 + int(imsi[-1])) % 256 for i in range(n))


def row(imsi, k_n, n, says, give):
    k = key(imsi, k_n)
    operator = TOP if give == "op" else tuak.topc_of(k, TOP, n)
    return {"imsi": imsi, "alg": "tuak", "k": k.hex(), give: operator.hex(), "amf": "8000", "tuak": says,
            "tenant": "meters", "profile": "meter"}


@pytest.fixture(scope="module")
def cards(merlon):
    merlon.import_csv(HEADER, [row(imsi, k, n, says, give) for imsi, k, _, n, says, give in CARDS])
    return {imsi: tuak.Usim(key(imsi, k), tuak.topc_of(key(imsi, k), TOP, n), res, n)
            for imsi, k, res, n, _, _ in CARDS}


@pytest.mark.parametrize("imsi", [c[0] for c in CARDS])
def test_a_card_of_each_kind_accepts_its_vectors(mme, cards, imsi):
    answer = mme.request("AIR", air(imsi, vectors=3))
    assert answer.result == 2001
    sqn = [cards[imsi].check(v, plmn("00101")) for v in vectors(answer)]
    assert len(sqn) == 3 and sqn == sorted(set(sqn))


@pytest.mark.parametrize("imsi", [CARDS[1][0], CARDS[3][0]])
def test_its_auts_moves_the_sequence_and_a_forged_one_does_not(mme, cards, imsi):
    """TS 33.102 6.3.5, as with MILENAGE."""
    card, first = cards[imsi], vectors(mme.request("AIR", air(imsi)))[0]
    ahead = card.check(first, plmn("00101")) + (1 << 24)
    auts = bytearray(first["RAND"] + card.auts(first["RAND"], ahead))
    auts[-1] ^= 1
    forged = mme.request("AIR", air(imsi, resync=bytes(auts)))
    assert card.check(vectors(forged)[0], plmn("00101")) < ahead
    auts[-1] ^= 1
    answer = mme.request("AIR", air(imsi, resync=bytes(auts)))
    assert answer.result == 2001
    assert card.check(vectors(answer)[0], plmn("00101")) > ahead


def test_a_key_that_is_not_of_the_subscriptions_algorithm_makes_no_vector(merlon, mme, cards):
    imsi = CARDS[0][0]
    merlon.set("subscription", imsi, alg="milenage")
    try:
        assert mme.request("AIR", air(imsi)).result != 2001
    finally:
        merlon.set("subscription", imsi, alg="tuak")
    cards[imsi].check(vectors(mme.request("AIR", air(imsi)))[0], plmn("00101"))


REFUSED = [("comp128-1", "yes", "COMP128-1 and -2 are broken"), ("COMP128v2", "yes", "COMP128-1 and -2 are broken"),
           ("comp128-3", "no", "does not authenticate the network"), ("xor", "no", "protects nothing"),
           ("md5", "yes", "must be milenage or tuak")]


def test_keys_of_other_algorithms_are_refused_with_the_reason(merlon, tmp_path):
    """R-5.2.1.b: at import, line by line; no record is made."""
    path = tmp_path / "bad.csv"
    path.write_text("imsi,alg,k,opc,tenant,profile,life,test\n" + "".join(
        f"99970900000010{i},{alg},{bytes(16).hex()},{bytes(16).hex()},meters,meter,test-ready,{test}\n"
        for i, (alg, test, _) in enumerate(REFUSED)))
    done = subprocess.run([BINARY, "import", str(path), "--config", merlon.config], capture_output=True, text=True,
                          timeout=30, cwd=ROOT)
    assert done.returncode != 0
    for line, (_, _, why) in enumerate(REFUSED, 2):
        told = [x for x in done.stderr.splitlines() if f":{line}:" in x]
        assert told and why in told[0], done.stderr
    assert merlon.run("show", "subscription", "999709000000100", check=False).returncode != 0


test_cards = (f"9997090000002{i:02}" for i in range(100))


def test_xor_is_for_a_subscription_marked_test(merlon, mme):
    """R-5.2.1.b, TS 34.108 8.1.2: its mark is what lets it in, and cannot be taken away."""
    imsi, k = next(test_cards), bytes(range(16))
    merlon.import_csv("imsi,alg,k,amf,tenant,profile,test".split(","), [
        {"imsi": imsi, "alg": "xor", "k": k.hex(), "amf": "8000", "tenant": "meters", "profile": "meter", "test": "yes"}])
    v = vectors(mme.request("AIR", air(imsi)))[0]
    out = bytes(a ^ b for a, b in zip(k, v["RAND"]))
    assert v["XRES"] == out
    sqn = bytes(a ^ b for a, b in zip(v["AUTN"][:6], out[3:9]))
    assert v["AUTN"][8:] == bytes(a ^ b for a, b in zip(out[:8], sqn + v["AUTN"][6:8]))
    done = merlon.run("set", "subscription", imsi, "test=no", check=False)
    assert done.returncode != 0 and "marked test" in done.stderr
    done = merlon.run("set", "subscription", CARDS[0][0], "alg=comp128-3", check=False)
    assert done.returncode != 0 and "marked test" in done.stderr


def test_no_tuak_key_stands_in_a_file(merlon, cards):
    """R-2.b: neither the spool nor the vault nor the records show K or TOPc."""
    found = []
    secrets = [secret for imsi, card in cards.items() for secret in (card.k, card.topc)]
    for folder, _, files in os.walk(merlon.where):
        for name in files:
            if name == "rows.csv" or name.endswith(".sock"):
                continue
            with open(os.path.join(folder, name), "rb") as f:
                text = f.read()
            found += [name for s in secrets if s in text or s.hex().encode() in text]
    assert not found
