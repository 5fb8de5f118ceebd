#!/usr/bin/env python3
"""Hold dia.tab and our encoder against Wireshark, which we did not write (R-3.4.2.a).

wire_oracle.py DIA_TOOL: 77 (skipped) where Wireshark is not installed. Also parses the Diameter of
the captures in the folder MERLON_CAPTURES, if that is set.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

DICTIONARY = "/usr/share/wireshark/diameter"
KINDS = {
    "Unsigned32": {"number", "enum"}, "AppId": {"number"}, "VendorId": {"number"},
    "Integer32": {"number"}, "Time": {"number"}, "Enumerated": {"enum", "number"},
    "Unsigned64": {"u64"}, "UTF8String": {"text", "digits"}, "DiameterIdentity": {"identity"},
    "DiameterURI": {"text"}, "IPAddress": {"address"},
    "OctetString": {"bytes", "tbcd", "plmn", "digits"}, "OctetStringOrUTF8": {"bytes", "text"},
    "Grouped": {"group", "bytes"},
}


def dictionary():
    text = ""
    for name in sorted(glob.glob(DICTIONARY + "/*.xml")):
        with open(name, encoding="latin-1") as f:
            text += f.read()
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    vendors = dict(re.findall(r'<vendor\s+vendor-id="([^"]+)"\s+code="(\d+)"', text))
    rows = {}
    for head, body in re.findall(r"<avp\s([^>]*)>(.*?)</avp>", text, flags=re.S):
        a = dict(re.findall(r'([\w-]+)="([^"]*)"', head))
        kind = re.search(r'type-name="([^"]+)"', body)
        kind = "Grouped" if "<grouped" in body else kind[1] if kind else "?"
        key = int(a["code"]), int(vendors.get(a.get("vendor-id"), 0))
        rows.setdefault(key, []).append((a["name"], kind))
    return rows


def check_rows(tool):
    known, bad = dictionary(), 0
    for line in subprocess.check_output([tool, "rows"], text=True).splitlines():
        name, code, vendor, kind, _ = line.split()
        there = known.get((int(code), int(vendor)), [])
        if not any(n == name and kind in KINDS[k] for n, k in there):
            print(f"{line}: Wireshark has {there or 'nothing'}")
            bad += 1
    return bad


def pcap(path, messages):
    """Each message in a TCP segment of its own, as text2pcap makes it."""
    lines = "".join("0000 " + " ".join(re.findall("..", m)) + "\n" for m in messages)
    subprocess.run(["text2pcap", "-q", "-T", "50000,3868", "-", path], input=lines, text=True,
                   check=True, stderr=subprocess.DEVNULL)


def check_encoder(tool):
    messages = subprocess.check_output([tool, "examples"], text=True).split()
    with tempfile.TemporaryDirectory() as d:
        pcap(d + "/ours.pcap", messages)
        out = subprocess.check_output(
            ["tshark", "-r", d + "/ours.pcap", "-o", "tcp.check_checksum:FALSE", "-T", "fields",
             "-e", "diameter.cmd.code", "-e", "_ws.expert.message", "-e", "diameter.avp.unknown"],
            text=True, stderr=subprocess.DEVNULL).splitlines()
    read = [line for line in out if line.split("\t")[0]]
    bad = [line for line in read if [x for x in line.split("\t")[1:] if x]]
    for line in bad:
        print("Wireshark says:", line)
    if len(read) != len(messages):
        print(f"Wireshark read {len(read)} of {len(messages)} messages")
    return len(bad) + (len(read) != len(messages))


def ours(hexed):
    """Is this segment one whole message of the base protocol or S6a?"""
    return (hexed[:2] == "01" and len(hexed) >= 40 and int(hexed[2:8], 16) * 2 == len(hexed)
            and int(hexed[16:24], 16) in (0, 16777251))


def check_captures(tool, folder):
    """Every S6a and base message that real nodes sent passes its row."""
    bad = 0
    for name in sorted(glob.glob(folder + "/s6a/*.pcap")):
        out = subprocess.check_output(["tshark", "-r", name, "-T", "fields", "-e", "tcp.payload"],
                                      text=True, stderr=subprocess.DEVNULL)
        frames = [line for line in out.split() if ours(line)]
        done = subprocess.run([tool, "parse"], input="".join(f + "\n" for f in frames), text=True,
                              stdout=subprocess.PIPE)
        refused = [line for line in done.stdout.splitlines() if not line.endswith(": ok")]
        print(f"{name}: {len(frames)} messages, {len(refused)} refused", *refused, sep="\n")
        bad += done.returncode != 0 or not frames
    return bad


def main():
    if not os.path.isdir(DICTIONARY) or not shutil.which("tshark"):
        return 77
    bad = check_rows(sys.argv[1]) + check_encoder(sys.argv[1])
    folder = os.environ.get("MERLON_CAPTURES")
    if folder:
        bad += check_captures(sys.argv[1], folder)
    return 1 if bad else 0


sys.exit(main())
