"""Wireshark, which we did not write, reads all that the other tests made Merlon send. It comes last."""
import subprocess

import pytest
from merlon import Merlon

# test_errors.py and test_dia_attacks.py send what is wrong on purpose: an AVP and a command of these codes, and faults that
# come back in a Failed-AVP.
ON_PURPOSE = "!(diameter.avp.code == 3999) && !(diameter.avp.code == 279) && !(diameter.cmd.code == 8388999)"
FIELDS = ["frame.number", "diameter.cmd.code", "_ws.expert.group", "_ws.expert.message", "gsup.msg_type"]
TCP_ONLY = "Sequence"  # what the expert says of retransmissions and windows
ITS_OWN = "gui_max_tree_depth"  # a hundred answers to a flood in one segment are too many for Wireshark


def sent_by_merlon():
    edge = [m.port for m in Merlon.all if "edge" in m.roles]
    home = [m.home_port for m in Merlon.all if "home" in m.roles]
    ports = sorted(set(edge + home))
    out = " || ".join([f"tcp.srcport == {p}" for p in ports] + [f"tcp.dstport == {p}" for p in home])
    return ports, f"diameter && {ON_PURPOSE} && ({out})"


def read(path, what, protocol, ports):
    command = ["tshark", "-r", path, "-Y", what, "-T", "fields", "-E", "separator=|"]
    for p in ports:
        command += ["-d", f"tcp.port=={p},{protocol}"]
    for f in FIELDS:
        command += ["-e", f]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [line.split("|") for line in done.stdout.splitlines()]


def complaints(rows):
    return [row for row in rows if set(row[2].split(",")) - {"", TCP_ONLY} and ITS_OWN not in row[3]][:20]


def test_wireshark_has_no_complaint_about_anything_we_sent(merlon, capture):
    if capture is None:
        pytest.skip("dumpcap may not listen on lo here")
    capture.stop()
    ports, what = sent_by_merlon()
    rows = read(capture.path, what, "diameter", ports)
    codes = {code for row in rows for code in row[1].split(",")}
    assert {"257", "301", "303", "304", "305", "310", "316", "317", "318", "319", "320", "321", "323", "324"} <= codes, codes
    assert len(rows) > 100
    assert not complaints(rows), complaints(rows)


def test_wireshark_has_no_complaint_about_our_gsup(capture):
    """Answers, errors and requests of home, to MSCs and SGSNs (test_gsup.py)."""
    ports = [m.gsup_port for m in Merlon.all if hasattr(m, "gsup_port")]
    if capture is None or not ports:
        pytest.skip("no capture, or no GSUP in it")
    capture.stop()
    what = "gsup && (" + " || ".join(f"tcp.srcport == {p}" for p in ports) + ")"
    rows = read(capture.path, what, "gsm_ipa", ports)
    types = {int(t, 0) for row in rows for t in row[4].split(",")}
    assert {0x05, 0x06, 0x09, 0x0a, 0x0e, 0x10, 0x14, 0x1c, 0x31, 0x32} <= types, types
    assert not complaints(rows), complaints(rows)
