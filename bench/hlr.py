#!/usr/bin/env python3
"""Authentication and registration over MAP beside S6a: the same subscriptions, keys and profile, one connection each, 5,000
requests a second from merlon simulate. CPU is that of home's process with all its threads; the registrations' store is on a disk in memory.

A sendAuthenticationInfo is answered with two quintuplets, an AIR with one EPS vector; an updateGprsLocation is two messages each
way (the data are inserted within its dialogue), a ULR one.

hlr.py BUILD-FOLDER [DEVICES]"""
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build"))
BINARY = os.environ["MERLON"] = os.path.join(BUILD, "src/cli/merlon")
sys.path.insert(0, os.path.join(ROOT, "tests/peer"))

from diameter import poll  # noqa: E402
from merlon import Merlon, free_port, keys  # noqa: E402
from process import cpu_us, roles  # noqa: E402

FIRST, HLR, RATE = 999708600000000, "99970000", 5000


def vectors(m):
    return sum(int(n) for n in re.findall(r"^merlon_home_vectors_total\{[^}]*\} (\d+)", m.metrics(), re.M))


def measure(m, n, *args):
    """Requests at one rate: how many a second were done, home's CPU and vectors for each, the time of one (p50, p99)."""
    pid = roles(m.process.pid)["home"]
    before, made = cpu_us(pid), vectors(m)
    done = subprocess.run([BINARY, "simulate", *args, "--group", f"x={FIRST}:{n}", "--rate", str(RATE), "--duration", "6", "--json",
                           "--quiet"], capture_output=True, text=True, timeout=120, cwd=ROOT)
    r = json.loads(done.stdout)
    g, (op,) = r["groups"][0], [o for o in (r.get("operations") or r["commands"]).values() if o["n"]]
    assert g["refused"] == 0 and g["silent"] * 100 < g["done"], (args, g, done.stderr)  # silent: in flight at the end
    n = g["done"]
    return (n / r["seconds"], (cpu_us(pid) - before) / n, (vectors(m) - made) / n, op["p50_us"], op["p99_us"])


def prepare(work, n):
    port = free_port()
    m = Merlon(os.path.join(work, "m"), roles="keeper, home, watch", home={
        "m3ua": [f"listen tcp:127.0.0.1:{port}"], "map_number": HLR, "map_point_code": 1, "map_gateway": 7})
    m.map_to = ["--to", f"tcp:127.0.0.1:{port}", "--hlr", HLR]
    m.s6a_to = ["--to", f"tcp:127.0.0.1:{m.home_port}", "--network", "99970"]
    m.wait_up()
    m.run("set", "profile", "tracker", "tenant=cars", "rats=geran utran wb-eutran", "services=sms-mt",
          "apn1=t.iot:ipv4:9:12:1000:1000")
    path = os.path.join(work, "cards.csv")
    with open(path, "w", encoding="ascii") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow("imsi,msisdn,alg,k,opc,amf,tenant,profile".split(","))
        for imsi in map(str, range(FIRST, FIRST + n)):
            k, opc = keys(imsi)
            out.writerow([imsi, "9997" + imsi[5:], "milenage", k.hex(), opc.hex(), "8000", "cars", "tracker"])
    subprocess.run([BINARY, "import", path, "--config", m.config], check=True, cwd=ROOT, stdout=subprocess.DEVNULL, timeout=300)

    def last_card():
        done = subprocess.run([BINARY, "simulate", "--map", "vectors", *m.map_to, "--group", f"x={FIRST + n - 1}:1", "--json", "--quiet"],
                              capture_output=True, text=True, timeout=60, cwd=ROOT)
        return json.loads(done.stdout)["groups"][0]["done"] == 1
    poll(last_card, 60, "the last card's key")
    return m


def main():
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 30000
    work = tempfile.mkdtemp(prefix="mhlr-", dir="/dev/shm")
    m = None
    try:
        m = prepare(work, n)
        rows = [("sendAuthenticationInfo", measure(m, n, "--map", "vectors", *m.map_to)),
                ("AIR", measure(m, n, "--mix", "air", *m.s6a_to)),
                ("updateGprsLocation", measure(m, n, "--map", "update", *m.map_to)),
                ("ULR", measure(m, n, "--mix", "ulr", *m.s6a_to))]
    finally:
        if m:
            m.stop()
        shutil.rmtree(work, ignore_errors=True)
    for name, (rate, cpu, each, p50, p99) in rows:
        print(f"{name:24} {rate:8,.0f}/s  {cpu:6.1f} us of CPU each, {each:3.1f} vectors; p50 {p50 / 1000:.2f} ms p99 {p99 / 1000:.2f} ms")
    print(f"SAI / AIR {rows[0][1][1] / rows[1][1][1]:.2f}, UGL / ULR {rows[2][1][1] / rows[3][1][1]:.2f} of the CPU")


main()
