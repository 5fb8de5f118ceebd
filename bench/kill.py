#!/usr/bin/env python3
"""The product killed at random moments under load, ROUNDS times, and compared with what it had promised.

Each round something dies by SIGKILL: everything at once, home, the keeper, or the supervisor. Where everything died, the
tails that a crashed disk may lose or fill with garbage are mistreated, and every other start the clock is an hour back.
In the end: every registration and every change of a record that was answered with success is there, no SQN was used
twice, the journal's chain holds, every event is a whole line.    kill.py BUILD-FOLDER [ROUNDS [SEED]]"""
import os
import random
import shutil
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build"))
os.environ["MERLON"] = os.path.join(BUILD, "src/cli/merlon")
sys.path.insert(0, os.path.join(ROOT, "tests/peer"))

import durable  # noqa: E402
from merlon import Merlon  # noqa: E402

IMSIS = [f"99970600{i:07d}" for i in range(300)]
CARDS = [f"99970610{i:07d}" for i in range(12)]
CLERK = [f"99970620{i:07d}" for i in range(20)]


def one_round(m, load, shim, rng, number, said):
    time.sleep(rng.uniform(0.02, 0.4))
    what = rng.choices(["all", "home", "keeper", "supervisor"], [80, 10, 6, 4])[0]
    said[what] = said.get(what, 0) + 1
    if what == "supervisor":
        durable.kill_supervisor(m)
    elif what != "all":
        durable.kill_role(m, what)
    if what != "all":
        load.progress()
        return
    durable.kill_tree(m)
    load.check_registrations()
    for torn in rng.sample(durable.TORN, rng.randrange(3)):
        torn(m, rng)
        said[torn.__name__] = said.get(torn.__name__, 0) + 1
    back = rng.choice([0, 3600])
    said["clock back"] = said.get("clock back", 0) + (back > 0)
    durable.start(m, shim, back)
    load.progress()
    if number % 50 == 0:
        load.check_records()


def main():
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else int(time.time())
    rng, work, said, began = random.Random(seed), tempfile.mkdtemp(prefix="mk-", dir="/tmp"), {}, time.monotonic()
    print(f"seed {seed}", flush=True)
    shim = durable.build_shim(work)
    m = Merlon(os.path.join(work, "m"))
    load = None
    try:
        m.wait_up()
        m.import_sims(IMSIS + CARDS + CLERK, "meter")
        load = durable.Load(m, IMSIS, CARDS, CLERK)
        load.progress()
        for number in range(1, rounds + 1):
            one_round(m, load, shim, rng, number, said)
            if number % 25 == 0:
                print(f"{number:5} kills  {time.monotonic() - began:6.0f} s  {load.regs.successes} registrations, "
                      f"{load.records.successes} changes, {len(load.vectors)} vectors promised", flush=True)
        finish(m, load, rounds, said)
    finally:
        if load:
            load.stop()
        m.stop()
        if not os.environ.get("KEEP"):
            shutil.rmtree(work, ignore_errors=True)


def finish(m, load, rounds, said):
    load.stop()
    load.check_records()
    journal = m.run("audit", "--clause", "R-3.1.c", check=False)
    m.stop()
    load.check_registrations()
    vectors = load.check_vectors()
    lines = durable.events(m)
    broken = [e for e in lines if e.get("event") in ("records.journal_broken", "records.tampered")]
    print("how: " + ", ".join(f"{k} {v}" for k, v in sorted(said.items())))
    print(f"answers other than success: {load.regs.results}")
    print(f"goal: after {rounds} kills every one of {load.regs.successes} registrations and {load.records.successes} "
          f"changes of records answered with success is there, {vectors} vectors without an SQN used twice, "
          f"{len(lines)} events whole: met")
    print(f"goal: the records and the journal are untouched: {'met' if not broken else 'MISSED'} {broken[:2]}")
    if broken:
        print(journal.stdout[-2000:])


if __name__ == "__main__":
    main()
