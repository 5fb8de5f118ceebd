#!/usr/bin/env python3
"""A bulk job on the product as it runs: N subscriptions of one tenant suspended, a second person not asked for
(keeper.job_share 100), while some of them are registered at a partner; seconds from the command to the last row in the
serving copy, and how many CLRs a second home sends.    jobs.py BUILD-FOLDER [N]"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build"))
os.environ["MERLON"] = os.path.join(BUILD, "src/cli/merlon")
sys.path.insert(0, os.path.join(ROOT, "tests/peer"))

from merlon import BINARY, Merlon  # noqa: E402
from diameter import poll  # noqa: E402
from process import cpu_us, roles  # noqa: E402

TOOL = os.path.join(BUILD, "src/records/bench_million")
FIRST, REGISTERED = 999701000000000, 2000


def say(text):
    print(text, flush=True)


def run(m, *args):
    done = subprocess.run([BINARY, *args, "--config", m.config], capture_output=True, text=True, cwd=ROOT, timeout=900)
    assert done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
    return done.stdout


def metric(m, head):
    return sum(float(line.split()[-1]) for line in m.metrics().splitlines() if line.startswith(head))


def main(n):
    where = tempfile.mkdtemp(prefix="jobs-", dir="/tmp")
    m = Merlon(where, roles="keeper, home, edge, watch", heard=False, more={"keeper": {"job_share": 100}})
    try:
        m.wait_up()
        m.set("profile", "million", tenant="meters", apn1="million.iot:ipv4:9:15:1000:1000", rats="lte-m nb-iot wb-eutran")
        began = time.monotonic()
        with subprocess.Popen([TOOL, "gen", str(FIRST), str(n), "million", str(n)], stdout=subprocess.PIPE) as source:
            subprocess.run([BINARY, "import", "-", "--config", m.config, "--json"], stdin=source.stdout, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        say(f"{n} subscriptions imported in {time.monotonic() - began:.1f} s")
        subprocess.run([BINARY, "simulate", "--to", f"tcp:127.0.0.1:{m.port}", "--network", "00101", "--group",
                        f"meter={FIRST}:{REGISTERED}", "--mix", "air+ulr", "--rate", "500", "--duration", "5", "--quiet"],
                       check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
        began = time.monotonic()
        job = json.loads(run(m, "job", "new", "subscription", "life=suspended", "--filter", "profile=million", "--wait",
                             "--json"))
        say(f"tried: {job['rows']} rows in {time.monotonic() - began:.1f} s; {job['change']} change")
        keeper = roles(m.process.pid)["keeper"]
        cpu = cpu_us(keeper)
        began, clr = time.monotonic(), metric(m, 'merlon_home_sent_total{role="home",op="CLR"}')
        run(m, "job", "start", str(job["id"]), "--wait")
        poll(lambda: metric(m, "merlon_serving_feed") == metric(m, "merlon_records_feed"), 600, "the serving copy")
        spent = time.monotonic() - began
        job = json.loads(run(m, "job", "show", str(job["id"]), "--json"))
        sent = metric(m, 'merlon_home_sent_total{role="home",op="CLR"}') - clr
        cpu = (cpu_us(keeper) - cpu) / max(job["done"], 1)
        say(f"keeper: {cpu:.1f} us of processor a row: {cpu:.0f} s for a million where nobody else wants it")
        say(f"carried out: {job['done']} rows in {spent:.1f} s, {job['done'] / spent:.0f} a second, {job['refused']} refused "
            f"(goal: a million in under 60 s: {'met' if spent < 60 * n / 1e6 else 'NOT met'})")
        say(f"CLRs: {sent:.0f} in {spent:.1f} s, {sent / spent:.0f} a second (paced: at most 250)")
    finally:
        m.stop()
        shutil.rmtree(where, ignore_errors=True)


main(int(sys.argv[2]) if len(sys.argv) > 2 else 1000000)
