"""How soon a SIM that is seen in another device meets its reaction (R-5.1.1.2.b, R-5.7.3.b; goal: a second).

An own node registers each SIM in its device, then tells of another one by ULR or NOR, and waits for what follows:
the answer, the CLR or IDR that home sends, and for greylisting the case in the records. Times are from the request that
told of the device. binding.py BUILD [TRIES]"""
import os
import shutil
import statistics
import sys
import tempfile
import time

build, tries = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20
os.environ["MERLON"] = os.path.join(os.path.abspath(build), "src/cli/merlon")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "peer"))

from ask import nor, ulr  # noqa: E402
from diameter import Client, poll  # noqa: E402
from merlon import Merlon, realm  # noqa: E402

OWN, OTHER = "00101780000001", "00101790000001"
# what is waited for: the reaction's request of home; "" = the answer itself
CASES = [("alert", "ULR", "event"), ("refuse", "ULR", ""), ("refuse", "NOR", "CLR"), ("quarantine", "ULR", ""),
         ("quarantine", "NOR", "IDR"), ("detach", "ULR", "CLR"), ("detach", "NOR", "CLR"), ("greylist", "ULR", "CLR"),
         ("greylist", "NOR", "CLR"), ("greylist", "ULR", "case"), ("greylist", "NOR", "case")]


def one(m, node, binding, way, until, imsi):
    m.set("subscription", imsi, tenant="meters", profile=f"b-{binding}", imei=OWN)
    poll(lambda: node.request("ULR", ulr(imsi, imei=OWN)).result == 2001, 5, f"{imsi} attaches")
    while node.expect("CLR", imsi, timeout=0.05):
        pass
    mark, start = m.mark(), time.monotonic()
    if way == "ULR":
        node.request("ULR", ulr(imsi, imei=OTHER))
    else:
        node.request("NOR", nor(imsi, Terminal_Information=[("IMEI", OTHER)]))
    if until in ("CLR", "IDR"):
        assert node.expect(until, imsi), f"{binding}: no {until}"
    elif until == "event":
        m.event(mark, event="home.stranger", imsi=imsi)
    elif until == "case":
        m.event(mark, event="records.hold", imsi=imsi, state="open")
    return (time.monotonic() - start) * 1000


def main():
    work = tempfile.mkdtemp(prefix="mb-", dir="/tmp")
    m, worst, serial = Merlon(os.path.join(work, "m")), 0, 0
    try:
        m.wait_up()
        for name in {c[0] for c in CASES}:
            m.set("profile", f"b-{name}", tenant="meters", binding=name, apn1="meters.iot:ipv4", rats="wb-eutran lte-m",
                  quarantine="quarantine.iot:ipv4")
        node = Client(m.port, f"bench.{realm('00101')}", realm("00101"))
        print(f"{'binding':12}{'seen by':9}{'until':8}{'median':>9}{'longest':>9}  of {tries}, in ms")
        for binding, way, until in CASES:
            times = []
            for _ in range(tries):
                serial += 1
                times.append(one(m, node, binding, way, until, f"9997090{serial:08d}"))
            worst = max(worst, *times)
            print(f"{binding:12}{way:9}{until or 'answer':8}{statistics.median(times):9.1f}{max(times):9.1f}", flush=True)
        node.close()
    finally:
        m.stop()
        shutil.rmtree(work, ignore_errors=True)
    print(f"longest {worst:.0f} ms, goal 1000 ms: {'met' if worst < 1000 else 'NOT MET'}")
    return worst >= 1000


sys.exit(main())
