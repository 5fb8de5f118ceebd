"""Wireshark, which we did not write, reads all that the other tests made Merlon send. It comes last."""
import subprocess

import pytest
from merlon import Merlon

# test_errors.py sends what is wrong on purpose: an AVP of this code, and faults that come back in a Failed-AVP.
ON_PURPOSE = "!(diameter.avp.code == 3999) && !(diameter.avp.code == 279)"
FIELDS = ["frame.number", "diameter.cmd.code", "_ws.expert.group", "_ws.expert.message"]
TCP_ONLY = "Sequence"  # what the expert says of retransmissions and windows


def sent_by_merlon():
    edge = [m.port for m in Merlon.all if "edge" in m.roles]
    home = [m.home_port for m in Merlon.all if "home" in m.roles]
    ports = sorted(set(edge + home))
    out = " || ".join([f"tcp.srcport == {p}" for p in ports] + [f"tcp.dstport == {p}" for p in home])
    return ports, f"diameter && {ON_PURPOSE} && ({out})"


def test_wireshark_has_no_complaint_about_anything_we_sent(merlon, capture):
    if capture is None:
        pytest.skip("dumpcap may not listen on lo here")
    capture.stop()
    ports, what = sent_by_merlon()
    command = ["tshark", "-r", capture.path, "-Y", what, "-T", "fields", "-E", "separator=|"]
    for p in ports:
        command += ["-d", f"tcp.port=={p},diameter"]
    for f in FIELDS:
        command += ["-e", f]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines()]
    codes = {code for row in rows for code in row[1].split(",")}
    assert {"257", "301", "303", "304", "305", "316", "317", "318", "319", "320", "321", "323", "324"} <= codes, codes
    assert len(rows) > 100
    bad = [row for row in rows if set(row[2].split(",")) - {"", TCP_ONLY}]
    assert not bad, bad[:20]
