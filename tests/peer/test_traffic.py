"""merlon inspect on users' packets: leaks, threats, the page; on captures of our own and on the shared ones."""
import json
import os
import re
import subprocess
import xml.dom.minidom

import pytest
from merlon import BINARY, ROOT

scapy = pytest.importorskip("scapy.all")
CAPTURES = os.environ.get("MERLON_CAPTURES") or os.path.join(ROOT, "..", "shared", "captures")
SECRET = "262019876543210"


def inspect(path, *more):
    done = subprocess.run([BINARY, "inspect", path, "--json", "--summary", "--data", "/nonexistent", *more],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout, "the leaked value itself is shown"
    return json.loads(done.stdout)["traffic"]


def shared(*name):
    path = os.path.join(CAPTURES, *name)
    if not os.path.exists(path):
        pytest.skip(f"no {path}")
    return path


def gtpu(inner, teid=7):
    body = bytes(inner)
    head = b"\x30\xff" + len(body).to_bytes(2, "big") + teid.to_bytes(4, "big")
    return (scapy.Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / scapy.IP(src="192.0.2.1", dst="192.0.2.2") /
            scapy.UDP(sport=2152, dport=2152) / scapy.Raw(head + body))


def own(tmp_path):
    """A device that leaks through a tunnel, one that scans, one that says nothing wrong, and a name to escape."""
    ip = scapy.IP(src="10.0.0.5", dst="203.0.113.9")
    packets = [gtpu(ip / scapy.UDP(sport=40000, dport=5683) / scapy.Raw(f'{{"imsi":"{SECRET}"}}'.encode()))
               for _ in range(3)]
    packets += [gtpu(scapy.IP(src="10.0.0.6", dst=f"198.51.100.{i}") /
                     scapy.TCP(sport=4444, dport=2323, flags="S", seq=(198 << 24) + (51 << 16) + (100 << 8) + i))
                for i in range(1, 41)]
    packets += [gtpu(scapy.IP(src="10.0.0.7", dst="203.0.113.10") / scapy.UDP(sport=40001, dport=5683) /
                     scapy.Raw(b'{"temp":21.5,"sn":"262019876543211"}')) for _ in range(50)]
    packets += [gtpu(ip / scapy.TCP(sport=40002, dport=80, flags="PA", seq=9) /
                     scapy.Raw(b"GET / HTTP/1.1\r\nHost: <script>alert(1)</script>.example\r\n"
                               b"Authorization: Basic YWRtaW46YWRtaW4=\r\n\r\n"))]
    for i, p in enumerate(packets):
        p.time = 1700000000 + i / 10
    path = str(tmp_path / "own.pcap")
    scapy.wrpcap(path, packets)
    return path


def test_leaks_and_threats_of_a_tunnel(tmp_path):
    """R-5.8.2.a, R-5.8.2.b: what a device gives away and does, with where to; nothing of one that does neither."""
    t = inspect(own(tmp_path))
    assert t["in_tunnels"] == t["packets"] == 94
    leaks = {(k["form"], k["from"], k["to"], k["port"]): k for k in t["leaks"]}
    imsi = leaks[("imsi", "10.0.0.5", "203.0.113.9", 5683)]
    assert imsi["count"] == 3 and imsi["evidence"] == "9" * 15 and imsi["clause"] == "R-5.8.2.b"
    assert ("basic-auth", "10.0.0.5", "203.0.113.9", 80) in leaks
    assert ("default-login", "10.0.0.5", "203.0.113.9", 80) in leaks
    threats = {(k["kind"], k["from"]) for k in t["threats"]}
    assert threats == {("mirai-scan", "10.0.0.6"), ("scan-hosts", "10.0.0.6")}
    assert not [k for k in t["leaks"] if k["from"] == "10.0.0.7"]


def test_page(tmp_path):
    """The page stands alone: no script, nothing fetched, plots inline, strangers' text escaped, no value in it."""
    page = tmp_path / "report.html"
    inspect(own(tmp_path), "--html", str(page))
    text = page.read_text()
    assert "<script" not in text and not re.search(r"(src|href)=", text) and SECRET not in text
    svgs = re.findall(r"<svg.*?</svg>", text, re.S)
    assert len(svgs) >= 5
    for svg in svgs:
        xml.dom.minidom.parseString(svg)
    for what in ("mirai-scan", "default-login", "over time", "10.0.0.6"):
        assert what in text


def test_page_that_cannot_be_written(tmp_path):
    done = subprocess.run([BINARY, "inspect", own(tmp_path), "--summary", "--html", str(tmp_path / "no" / "x.html")],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "cannot be written" in done.stderr


def test_mirai_by_its_labels():
    """Each infected device is found, and no other (R-5.8.2.a)."""
    labels = set(open(shared("mirai-like-synthetic.pcap.labels")).read().split())
    t = inspect(shared("mirai-like-synthetic.pcap"))
    assert {k["from"] for k in t["threats"] if k["kind"] == "mirai-scan"} == labels
    assert {k["from"] for k in t["threats"]} == labels


@pytest.mark.parametrize("name, threat", [
    ("synscan.pcap", "scan-ports"), ("log4j-webapp-exploit.pcap", "exploit"), ("dns_exfiltration.pcap", "dga"),
    ("selfsigned.pcap", "tls-suspect")])
def test_threats_of_shared_captures(name, threat):
    assert threat in {k["kind"] for k in inspect(shared("ndpi", name))["threats"]}


def test_leak_corpus():
    """Every class of the shared corpus, through the scanner's own bench where it is built."""
    tool = os.path.join(os.path.dirname(BINARY), "..", "inspect", "bench_scan")
    if not os.path.exists(tool):
        pytest.skip("bench_scan is not built")
    done = subprocess.run([tool, "corpus", shared("leak-corpus-seed7.bin")], capture_output=True, text=True, timeout=60)
    print(done.stdout)
    assert done.returncode == 0, done.stdout
