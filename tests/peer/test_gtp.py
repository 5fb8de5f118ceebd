"""GTP-C in merlon inspect: attacks are refused, honest roaming is not, Wireshark reads what we answer as we meant it, and captures
cut anywhere end in bounds."""
import glob
import json
import os
import re
import shutil
import struct
import subprocess
import sys

import pytest
from diameter import poll
from merlon import BINARY, ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "attacks"))
import gtp_clean  # noqa: E402
import gtp_corpus  # noqa: E402
from gtp import *  # noqa: E402, F403

CAPTURES = os.environ.get("MERLON_CAPTURES") or os.path.join(ROOT, "..", "shared", "captures")
ADDRESSES = {"99970": "198.51.100.0/24", "00101": "192.0.2.0/25", "00102": "192.0.2.128/25", "00103": "203.0.113.0/25"}


@pytest.fixture(scope="module")
def records(merlon, tmp_path_factory):
    """What the corpora need beyond the demo: nodes' addresses, SIMs that may use what the corpora use."""
    for network, prefix in ADDRESSES.items():
        merlon.set("network", network, addresses=f"127.0.0.0/8 ::1/128 {prefix}", apps="s6a s13 map gtp")
    merlon.set("profile", "roamer", tenant="meters", rats="utran wb-eutran nb-iot lte-m", apn1="meters.iot:ipv4:9:12:100000:100000")
    rows = [{"imsi": i, "msisdn": f"99970{i[-9:]}", "tenant": "meters", "profile": "roamer"}
            for i in [gtp_corpus.OWN, gtp_corpus.OWN2, *gtp_clean.SIMS]]
    if merlon.run("show", "subscription", gtp_corpus.OWN, check=False).returncode != 0:  # a second try finds them there
        merlon.import_csv(["imsi", "msisdn", "tenant", "profile"], rows)
    path = str(tmp_path_factory.mktemp("gtp") / "first.pcap")
    out = Capture(path)
    out.add(gtp_corpus.SGW, gtp_corpus.PGW, gtp_corpus.sim(gtp_clean.SIMS[-1]).create(1))
    out.close()
    poll(lambda: inspect(merlon, path)["summary"]["passed"] == 1, 20, "the records in the serving copy")
    yield merlon
    for network in ADDRESSES:
        merlon.set("network", network, addresses="127.0.0.0/8 ::1/128")


def inspect(merlon, path, *args):
    done = subprocess.run([BINARY, "inspect", path, "--json", "--config", merlon.config, *args], capture_output=True, text=True,
                          timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def at(report):
    h, m, s = re.search(r"T(\d+):(\d+):(\d+)", report["when"]).groups()
    return int(h) * 3600 + int(m) * 60 + int(s)


def test_every_attack_of_the_corpus_is_refused_and_by_the_check_it_is_about(records, tmp_path):
    """R-5.2.1.e, R-5.6.1.g, R-5.6.1.h, R-5.6.1.k, R-5.6.3.d: FS.20 categories, forged places and tunnels, hijacks, floods."""
    path = str(tmp_path / "attacks.pcap")
    rows = gtp_corpus.write(path)
    reports, wrong = {}, []
    for r in inspect(records, path)["requests"]:
        reports.setdefault(at(r), []).append(r)
    for when, name, _, _, refused in rows:
        said = [r.get("check", r["verdict"]) for r in reports.get(int(when) % 86400, [])]
        if not said or said[-1] != refused:
            wrong.append(f"{name}: {said[-3:]}, not {refused}")
    assert not wrong, "\n".join(wrong)
    assert len(rows) >= 90


def test_honest_roaming_is_not_refused(records, tmp_path):
    path = str(tmp_path / "clean.pcap")
    assert gtp_clean.write(path, 3000) >= 3000
    report = inspect(records, path, "--summary")
    s, gtp = report["summary"], report["traffic"]["signalling"]
    assert s["refused"] == {} and s["malformed"] == 0 and s["passed"] == s["requests"] > 2500
    assert gtp["opened"] > 500 and gtp["restarts"] > 5 and gtp["dropped"] == 0 and gtp["repeated"] > 50
    assert not s["observed"]


def test_categories_are_configured(records, tmp_path):
    """FS.20's lists are a default: an operator may agree on a message, or withdraw another."""
    path, config = str(tmp_path / "x.pcap"), str(tmp_path / "merlon.yaml")
    out = Capture(path)
    out.add(gtp_corpus.SGW, gtp_corpus.PGW, v2(128, ie(1, tbcd(gtp_corpus.OWN)), seq=4))
    out.close()
    with open(records.config, encoding="ascii") as f:
        conf = json.load(f)
    assert inspect(records, path)["requests"][0]["check"] == "category.command"
    for text, code, verdict in (("gtp2:IdentificationRequest=3", 0, "pass"), ("gtp2:Nothing=3", 1, None)):
        conf.setdefault("inspect", {})["categories"] = text
        with open(config, "w", encoding="ascii") as f:
            json.dump(conf, f)
        done = subprocess.run([BINARY, "inspect", path, "--json", "--config", config], capture_output=True, text=True, timeout=30, cwd=ROOT)
        assert done.returncode == code, done.stderr
        if code == 0:
            assert json.loads(done.stdout)["requests"][0]["verdict"] == verdict
        else:
            assert "gtp2:Nothing" in done.stderr


def recorded():
    found = sorted(glob.glob(os.path.join(CAPTURES, "gtp", "*")) + glob.glob(os.path.join(CAPTURES, "5g-trace", "doc", "*"))
                   + glob.glob(os.path.join(CAPTURES, "zeek", "testing", "btest", "Traces", "tunnels", "gtp", "*")))
    if not found:
        pytest.skip("the recorded captures are not here (MERLON_CAPTURES names their folder)")
    return found


def test_recorded_captures_are_read(records):
    """Nobody in them has a subscriber of ours: each request of theirs is refused, none is misread."""
    messages = malformed = 0
    for path in recorded():
        report = inspect(records, path, "--summary")
        s = report["summary"]
        messages += report["traffic"]["signalling"]["messages"]
        malformed += s["malformed"]
        assert set(s["refused"]) <= {"partner.peer_unknown", "partner.origin_realm", "partner.origin_host",
                                     # some are from loopback, as the demo's partners are; and the answer to what was refused
                                     "category.foreign_imsi", "category.unasked"}, (path, s)
    assert messages >= 15


def datagrams(path):
    """UDP payloads of port 2123 in a classic capture of Ethernet and IPv4."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:4] not in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4"):
        return
    order, i = "<" if data[0] == 0xd4 else ">", 24
    while i + 16 <= len(data):
        n = struct.unpack_from(order + "I", data, i + 8)[0]
        frame, i = data[i + 16:i + 16 + n], i + 16 + n
        at = 14 + 4 * (frame[12:14] == b"\x81\0")
        if frame[at - 2:at] != b"\x08\0" or frame[at + 9:at + 10] != b"\x11" or frame[at + 6] & 0x3f or frame[at + 7]:
            continue
        udp = frame[at + 4 * (frame[at] & 15):]
        if 2123 in struct.unpack_from("!HH", udp):
            yield udp[8:struct.unpack_from("!H", udp, 4)[0]]


def test_captures_cut_at_every_byte_end_in_bounds(records, tmp_path):
    """Of each recorded message every beginning, from a partner's node: none crashes, none passes but what is whole."""
    found = {m for path in recorded() for m in datagrams(path)}
    found |= {gtp_corpus.sim().create(9), gtp_corpus.sim().create1(9), gtp_corpus.sim().created(9)}
    path, n = str(tmp_path / "cut.pcap"), 0
    out = Capture(path)
    for m in sorted(found):
        for end in range(len(m)):
            out.add(gtp_corpus.SGW, gtp_corpus.PGW, m[:end])
            n += 1
    out.close()
    report = inspect(records, path, "--summary")
    assert report["traffic"]["signalling"]["messages"] == n > 1000
    assert report["summary"]["malformed"] > n * 0.9


def test_wireshark_reads_our_back_off(tmp_path):
    """R-5.6.1.f: the refusals that gen_gtp had written by node/gtp_reject.c: APN Congestion, ten minutes, in both versions."""
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    path = str(tmp_path / "refusals.pcap")
    out = Capture(path)
    for target in ("gtp1", "gtp2"):
        with open(os.path.join(ROOT, "tests", "fuzz", "corpus", target, "refusal"), "rb") as f:
            out.add(gtp_corpus.PGW, gtp_corpus.SGW, f.read())
    out.close()
    done = subprocess.run(["tshark", "-r", path, "-V"], capture_output=True, text=True, check=True, timeout=60)
    text = done.stdout
    assert "Malformed" not in text and "Create PDP context response" in text and "Create Session Response" in text
    assert re.search(r"Cause: APN Congestion \(229\)", text) and re.search(r"Cause: APN [Cc]ongestion \(113\)", text), text
    assert len(re.findall(r"Timer unit: value is incremented in multiples of 1 minute", text)) + len(re.findall(r"Timer value: 10", text)) >= 2, text
