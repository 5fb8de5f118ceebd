"""merlon inspect: what the judge would have done with a capture; ours, others', and broken ones."""
import json
import os
import random
import struct
import subprocess

import pytest
from ask import air, pur, ulr
from diameter import S6A, encode, message, vsai
from merlon import BINARY, HOME, ROOT, realm

scapy = pytest.importorskip("scapy.all")

CAPTURES = os.environ.get("MERLON_CAPTURES") or os.path.join(ROOT, "..", "shared", "captures", "s6a")
R, P = 0x80, 0x40
MME, OTHER = f"mme1.{realm('00101')}", f"mme2.{realm('00101')}"
CODES = {"AIR": 318, "ULR": 316, "PUR": 321}


def cer(host=MME, of="00101", answer=False):
    body = [("Origin-Host", host), ("Origin-Realm", realm(of)), ("Host-IP-Address", "192.0.2.1"), ("Vendor-Id", 10415),
            ("Product-Name", "test"), vsai()]
    return message(257, 0, 0 if answer else R, 1, 1, encode(([("Result-Code", 2001)] if answer else []) + body))


def request(command, body, hop=7, host=MME, of="00101"):
    names = {a[0] for a in body}
    head = [("Session-Id", f"{host};1;{hop}")]
    head += [(n, v) for n, v in (("Origin-Host", host), ("Origin-Realm", realm(of))) if n not in names]
    return message(CODES[command], S6A, R | P, hop, hop, encode(head + body))


def answer(command, hop, result=2001):
    return message(CODES[command], S6A, P, hop, hop, encode(
        [("Session-Id", f"x;1;{hop}"), ("Result-Code", result), ("Auth-Session-State", 1),
         ("Origin-Host", f"edge.{HOME}"), ("Origin-Realm", HOME)]))


LINKS = {
    "ethernet": lambda ip: scapy.Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / ip,
    "vlan": lambda ip: scapy.Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / scapy.Dot1Q(vlan=7) / ip,
    "cooked": lambda ip: scapy.CookedLinux() / ip,
    "raw": lambda ip: ip,
    "loopback": lambda ip: scapy.Loopback(type=2) / ip,
}


def over_ip(v6=False, back=False):
    ends = ("2001:db8::1", "2001:db8::2") if v6 else ("192.0.2.1", "192.0.2.2")
    src, dst = reversed(ends) if back else ends
    return scapy.IPv6(src=src, dst=dst) if v6 else scapy.IP(src=src, dst=dst)


def segment(seq, data, back=False, flags="PA", v6=False):
    sport, dport = (3868, 40000) if back else (40000, 3868)
    return over_ip(v6, back) / scapy.TCP(sport=sport, dport=dport, seq=seq, flags=flags) / scapy.Raw(data)


def stream(data, step=None, first=1000, v6=False, back=False):
    """A direction from its SYN on, cut into steps."""
    sport, dport = (3868, 40000) if back else (40000, 3868)
    yield over_ip(v6, back) / scapy.TCP(sport=sport, dport=dport, seq=first - 1 & 0xffffffff,
                                        flags="SA" if back else "S")
    step = step or len(data)
    for at in range(0, len(data), step):
        yield segment(first + at & 0xffffffff, data[at:at + step], back, v6=v6)


def sctp(tsn, data, flags=3, ppid=46):
    return (over_ip() / scapy.SCTP(sport=40000, dport=3868, tag=1) /
            scapy.SCTPChunkData(tsn=tsn, stream_id=0, stream_seq=0, proto_id=ppid, data=data,
                                beginning=flags >> 1 & 1, ending=flags & 1))


def write(tmp_path, packets, link="ethernet", name="x.pcap"):
    path = str(tmp_path / name)
    (scapy.wrpcapng if name.endswith("ng") else scapy.wrpcap)(path, [LINKS[link](p) for p in packets])
    return path


def inspect(path, *args, code=0, timeout=20):
    done = subprocess.run([BINARY, "inspect", path, "--json", *args], capture_output=True, text=True, cwd=ROOT,
                          timeout=timeout)
    assert done.returncode == code, f"{done.returncode}: {done.stderr}"
    return json.loads(done.stdout) if done.stdout else None


def commands(report):
    return [r["command"] for r in report["requests"]]


IMSI = "999700000000001"
THREE = [cer(), request("AIR", air(IMSI), 8), request("ULR", ulr(IMSI), 9), request("PUR", pur(IMSI), 10)]


@pytest.mark.parametrize("link", LINKS)
def test_every_link_layer_is_read(tmp_path, link):
    report = inspect(write(tmp_path, stream(b"".join(THREE)), link), "--data", str(tmp_path))
    assert commands(report) == ["AIR", "ULR", "PUR"]
    assert report["requests"][0]["peer_host"] == MME and report["requests"][0]["peer_known"]
    assert report["requests"][0]["imsi"] == IMSI and report["requests"][0]["visited"] == "00101"
    assert report["summary"]["refused"] == {"partner.peer_unknown": 3}  # an empty book knows nobody


@pytest.mark.parametrize("v6", [False, True])
@pytest.mark.parametrize("step", [1, 7, 100, 1400])
def test_a_stream_is_put_together_however_it_was_cut(tmp_path, step, v6):
    report = inspect(write(tmp_path, stream(b"".join(THREE), step, v6=v6), "raw"), "--data", str(tmp_path))
    assert commands(report) == ["AIR", "ULR", "PUR"] and report["summary"]["gaps"] == 0


def test_segments_out_of_order_twice_and_overlapping_are_one_stream(tmp_path):
    data, first = b"".join(THREE), 0xfffffff0  # the sequence number turns over on the way
    syn, *rest = stream(data, 90, first)
    order = random.Random(7)
    for at in range(0, len(rest) - 4, 4):
        part = rest[at:at + 4]
        order.shuffle(part)
        rest[at:at + 4] = part
    rest.insert(3, segment(first + 40 & 0xffffffff, data[40:200]))
    rest.append(segment(first, data[:500]))
    report = inspect(write(tmp_path, [syn] + rest), "--data", str(tmp_path))
    assert commands(report) == ["AIR", "ULR", "PUR"] and report["summary"]["gaps"] == 0


def test_after_a_gap_reading_goes_on_with_the_next_message(tmp_path):
    at, packets = 1000, []
    for m in THREE[:2] + [request("ULR", ulr(IMSI), n) for n in range(20, 60)]:
        packets.append(segment(at, m))
        at += len(m)
    del packets[3]
    report = inspect(write(tmp_path, packets), "--data", str(tmp_path))
    assert len(commands(report)) == 40 and report["summary"]["gaps"] == 1


def test_a_capture_that_begins_in_the_middle_takes_the_first_claim_for_the_peer(tmp_path):
    report = inspect(write(tmp_path, [segment(5000, THREE[1])], name="x.pcapng"), "--data", str(tmp_path))
    assert commands(report) == ["AIR"]
    assert report["requests"][0]["peer_host"] == MME and not report["requests"][0]["peer_known"]


def test_sctp_data_whole_and_in_parts(tmp_path):
    whole, parts = THREE[1], THREE[2]
    packets = [sctp(10, cer()), sctp(11, whole, ppid=0), sctp(11, whole), sctp(12, parts[:60], 2),
               sctp(13, parts[60:150], 0), sctp(14, parts[150:], 1), sctp(15, THREE[3], ppid=47)]
    assert commands(inspect(write(tmp_path, packets), "--data", str(tmp_path))) == ["AIR", "ULR"]


def test_sctp_streams_may_overtake_each_other(tmp_path):
    packets = [sctp(10, cer()), sctp(13, THREE[3]), sctp(11, THREE[1]), sctp(12, THREE[2]), sctp(13, THREE[3]),
               sctp(11, THREE[1])]
    report = inspect(write(tmp_path, packets), "--data", str(tmp_path))
    assert commands(report) == ["PUR", "AIR", "ULR"] and report["summary"]["gaps"] == 0


def test_what_is_no_diameter_is_passed_over(tmp_path):
    packets = [*stream(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20, 100),
               over_ip() / scapy.UDP(dport=53) / scapy.Raw(b"x" * 40), scapy.IP(dst="192.0.2.9", proto=89) / scapy.Raw(b"x")]
    report = inspect(write(tmp_path, packets), "--data", str(tmp_path))
    assert report["requests"] == [] and report["summary"]["messages"] == 0


def test_with_records_it_says_what_the_edge_would_have_said(merlon, sim, tmp_path):
    """R-5.6.1.g, R-5.6.1.h: the same verdicts as test_screening.py has from the running edge."""
    imsi = sim()
    forged = air(imsi, Origin_Realm=realm("00102"), Origin_Host=f"mme.{realm('00102')}")
    there = [cer(), request("AIR", air(imsi), 21), request("AIR", forged, 22), request("ULR", ulr(imsi), 23),
             request("AIR", air("001020000000001"), 24), request("ULR", ulr(imsi, visited="00102"), 25),
             request("PUR", pur(imsi), 26, host=OTHER)]
    at, packets = 1, []
    for m in there:
        packets.append(segment(at, m))
        at += len(m)
        if m is there[3]:
            packets.append(segment(1, answer("ULR", 23), back=True))
    report = inspect(write(tmp_path, packets), "--config", merlon.config)
    assert [(r["command"], r.get("check", r["verdict"])) for r in report["requests"]] == [
        ("AIR", "pass"), ("AIR", "partner.origin_realm"), ("ULR", "pass"), ("AIR", "category.foreign_imsi"),
        ("ULR", "partner.visited_plmn"), ("PUR", "plausibility.serving_host")]
    assert report["requests"][1]["clause"] == "R-5.6.1.h" and report["requests"][0]["network"] == "00101"
    assert report["summary"]["passed"] == 2 and report["summary"]["refused"]["partner.origin_realm"] == 1


def test_the_peer_can_be_given(merlon, sim, tmp_path):
    path = write(tmp_path, stream(b"".join([cer(), request("AIR", air(sim()))])))
    assert inspect(path, "--config", merlon.config)["summary"]["passed"] == 1
    report = inspect(path, "--config", merlon.config, "--network", "00102")
    assert report["requests"][0]["check"] == "partner.origin_realm" and report["requests"][0]["network"] == "00102"
    report = inspect(path, "--config", merlon.config, "--peer-realm", realm("00103"))
    assert report["requests"][0]["check"] == "partner.peer_blocked"


def test_a_malformed_request_is_told_with_its_answer(tmp_path):
    bad = request("AIR", air(IMSI, User_Name=None))
    r = inspect(write(tmp_path, stream(cer() + bad)), "--data", str(tmp_path))["requests"][0]
    assert r["verdict"] == "malformed" and r["result"] == 5005


def test_text_for_people(tmp_path):
    path = write(tmp_path, stream(b"".join(THREE)))
    done = subprocess.run([BINARY, "inspect", path, "--data", str(tmp_path)], capture_output=True, text=True, cwd=ROOT,
                          timeout=20)
    assert done.returncode == 0 and "partner.peer_unknown" in done.stdout and "3 requests" in done.stdout
    hostile = request("AIR", air(IMSI))[:-4].replace(b"mme1", b"m\x1b[2")
    done = subprocess.run([BINARY, "inspect", write(tmp_path, stream(cer() + hostile)), "--data", str(tmp_path)],
                          capture_output=True, cwd=ROOT, timeout=20)
    assert b"\x1b" not in done.stdout


def survives(path, data):
    with open(path, "wb") as f:
        f.write(data)
    done = subprocess.run([BINARY, "inspect", path, "--json", "--data", "/nonexistent"], capture_output=True, timeout=20,
                          cwd=ROOT)
    assert done.returncode in (0, 1), f"{done.returncode}: {done.stderr.decode(errors='replace')}"
    if done.stdout:
        json.loads(done.stdout)


def test_a_capture_cut_anywhere_neither_crashes_nor_hangs(tmp_path):
    path = write(tmp_path, stream(b"".join(THREE), 300))
    with open(path, "rb") as f:
        data = f.read()
    for n in [*range(0, 60), *range(60, len(data), 61)]:
        survives(path, data[:n])


def test_captures_of_garbage_neither_crash_nor_hang(tmp_path):
    chance = random.Random(29)
    path = write(tmp_path, [*stream(b"".join(THREE), 300), sctp(1, THREE[1]), sctp(2, THREE[2][:50], 2)])
    with open(path, "rb") as f:
        data = f.read()
    for _ in range(120):
        bad = bytearray(data)
        for _ in range(chance.randrange(1, 30)):
            bad[chance.randrange(24, len(bad))] = chance.randrange(256)
        survives(path, bytes(bad))
    for link in (0, 1, 12, 101, 108, 113, 228, 229, 276, 147):
        packets = b"".join(struct.pack("<IIII", 1, 1, n, n) + chance.randbytes(n) for n in (0, 1, 13, 14, 20, 40, 60, 1500))
        survives(path, struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link) + packets)


def test_no_capture_at_all_is_one_clear_line(tmp_path):
    path = tmp_path / "x"
    path.write_text("this is no capture, but long enough to look at")
    for name in (path, tmp_path / "none"):
        done = subprocess.run([BINARY, "inspect", str(name), "--data", str(tmp_path)], capture_output=True, text=True,
                              cwd=ROOT, timeout=20)
        assert done.returncode == 1 and done.stdout == "" and len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize("name,count,check", [("attach_s1ap_s6a_gx_gtpv2c.pcap", 8, None),
                                              ("relay_forged_origin_60pkts.pcap", 13, "partner.origin_realm")])
def test_captures_of_real_nodes(merlon, name, count, check):
    """A real MME's attach; and a relay of freeDiameter that passed on a forged origin, which Merlon would not."""
    path = os.path.join(CAPTURES, name)
    if not os.path.exists(path):
        pytest.skip(f"{name} is not here (MERLON_CAPTURES names its folder)")
    asked = [r for r in inspect(path, "--config", merlon.config, "--network", "00101")["requests"]
             if r["command"] in CODES and r["peer_host"] != r.get("origin_host") or check is None]
    asked = [r for r in asked if r["command"] in CODES]
    assert len(asked) == count
    assert check is None or all(r["check"] == check and r["clause"] == "R-5.6.1.h" for r in asked)
