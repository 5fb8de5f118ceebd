#!/usr/bin/env python3
"""Send-Auth-Info by GSUP: five quintuplets with their triplets, one connection, 64 requests in flight, the same cards in
Merlon and in Debian's osmo-hlr (its database in memory, where it is fastest). CPU is that of the server's process.

gsup.py BUILD-FOLDER [SECONDS [CARDS]]"""
import csv
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build"))
os.environ["MERLON"] = os.path.join(BUILD, "src/cli/merlon")
sys.path.insert(0, os.path.join(ROOT, "tests/peer"))

from diameter import poll  # noqa: E402
from gsup import Raw  # noqa: E402
from merlon import Merlon, free_port, keys  # noqa: E402
from process import cpu_us, roles  # noqa: E402

WINDOW = 64
HLR = "line vty\n bind 127.0.0.1\nctrl\n bind 127.0.0.1\nhlr\n gsup\n  bind ip 127.0.0.1\n"


def request(imsi):
    digits = imsi + "f"
    message = b"\x08\x01\x08" + bytes(int(digits[i + 1] + digits[i], 16) for i in range(0, 16, 2)) + b"\x28\x01\x02"
    return (len(message) + 1).to_bytes(2, "big") + b"\xee\x05" + message


class Answers:
    """Counts the GSUP messages that come, and those that are no result."""

    def __init__(self, sock):
        self.sock, self.left = sock, b""
        self.good = self.bad = 0

    def take(self, n):
        while n > 0:
            more = self.sock.recv(1 << 18)
            assert more, "it closed the connection"
            self.left += more
            at = 0
            while len(self.left) >= at + 5:
                size = 3 + (self.left[at] << 8 | self.left[at + 1])
                if len(self.left) < at + size:
                    break
                if self.left[at + 2] == 0xee:
                    n -= 1
                    self.good += self.left[at + 4] == 0x0a
                    self.bad += self.left[at + 4] != 0x0a
                at += size
            self.left = self.left[at:]


def load(port, pid, imsis, seconds):
    c = Raw(port).identify("msc-1")
    time.sleep(0.5)
    c.sock.settimeout(20)
    batches = [b"".join(map(request, imsis[i:i + WINDOW])) for i in range(0, len(imsis) - WINDOW + 1, WINDOW)]
    answers = Answers(c.sock)
    while not answers.good:  # the last card's key is there
        c.sock.sendall(request(imsis[-1]))
        answers.take(1)
    answers, began, cpu = Answers(c.sock), time.monotonic(), cpu_us(pid)
    for batch in iter(lambda: batches[answers.good // WINDOW % len(batches)], None):
        c.sock.sendall(batch)
        answers.take(WINDOW)
        if time.monotonic() - began > seconds:
            break
    took, used = time.monotonic() - began, cpu_us(pid) - cpu
    c.close()
    assert answers.bad == 0, f"{answers.bad} errors"
    return answers.good / took, used / answers.good


def merlon(work, imsis, seconds):
    port = free_port()
    m = Merlon(os.path.join(work, "m"), home={"gsup_listen": [f"tcp:127.0.0.1:{port}"], "gsup_nodes": ["msc-1"],
                                              "gsup_rate": 1000000})
    try:
        m.wait_up()
        m.run("set", "profile", "tracker", "tenant=cars", "rats=geran utran", "services=sms-mt",
              "apn1=t.iot:ipv4:9:12:1000:1000")
        path = os.path.join(work, "cards.csv")
        with open(path, "w", encoding="ascii") as f:
            out = csv.writer(f, lineterminator="\n")
            out.writerow("imsi,alg,k,opc,amf,tenant,profile".split(","))
            for imsi in imsis:
                k, opc = keys(imsi)
                out.writerow([imsi, "milenage", k.hex(), opc.hex(), "8000", "cars", "tracker"])
        subprocess.run([os.environ["MERLON"], "import", path, "--config", m.config], check=True, cwd=ROOT,
                       stdout=subprocess.DEVNULL, timeout=120)
        return load(port, roles(m.process.pid)["home"], imsis, seconds)
    finally:
        m.stop()


def osmo_hlr(work, imsis, seconds):
    base = tempfile.mkdtemp(prefix="hlr-", dir="/dev/shm")
    db, conf = os.path.join(base, "hlr.db"), os.path.join(work, "hlr.cfg")
    with open(conf, "w", encoding="ascii") as f:
        f.write(HLR)
    subprocess.run(["osmo-hlr-db-tool", "-l", db, "create"], check=True, stderr=subprocess.DEVNULL)
    with sqlite3.connect(db) as at:
        for n, imsi in enumerate(imsis, 1):
            k, opc = keys(imsi)
            at.execute("INSERT INTO subscriber (id, imsi) VALUES (?, ?)", (n, imsi))
            at.execute("INSERT INTO auc_3g (subscriber_id, algo_id_3g, k, opc, sqn, ind_bitlen) VALUES (?, 5, ?, ?, 0, 5)",
                       (n, k.hex(), opc.hex()))
    p = subprocess.Popen(["osmo-hlr", "-c", conf, "-l", db], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def listens():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", 4222)) == 0
        poll(listens, 10, "osmo-hlr")
        return load(4222, p.pid, imsis, seconds)
    finally:
        p.kill()
        p.wait(5)
        shutil.rmtree(base)


def main():
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 6
    imsis = [f"99970850{i:07d}" for i in range(int(sys.argv[3]) if len(sys.argv) > 3 else 50000)]
    work, rows = tempfile.mkdtemp(prefix="mg-", dir="/tmp"), {}
    try:
        rows["Merlon home"] = merlon(work, imsis, seconds)
        if shutil.which("osmo-hlr"):
            rows["osmo-hlr"] = osmo_hlr(work, imsis, seconds)
        else:
            print("osmo-hlr is not installed: Merlon alone")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for name, (rate, cpu) in rows.items():
        print(f"{name:12} {rate:9,.0f} SAI/s  {cpu:6.1f} us of CPU each")
    if len(rows) == 2:
        print(f"CPU: osmo-hlr takes {rows['osmo-hlr'][1] / rows['Merlon home'][1]:.1f} times as much")


main()
