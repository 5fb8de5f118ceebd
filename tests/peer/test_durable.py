"""What was answered with success is kept: when processes are killed at any moment, when the disk tears what it was not
asked to sync, when the clock is set back, and when the disk is full. `./do bench kill` does the first three a thousand
times."""
import os
import random
import subprocess

import durable
import pytest
from ask import air, ulr
from diameter import Client, poll
from merlon import Merlon, realm

IMSIS = [f"99970600{i:07d}" for i in range(60)]
CARDS = [f"99970610{i:07d}" for i in range(4)]
CLERK = [f"99970620{i:07d}" for i in range(4)]


def test_killed_at_any_moment_nothing_promised_is_lost(work):
    """R-3.1.c, R-3.2.b, R-5.1.g: SIGKILL of everything, of home, the keeper and the supervisor under load, torn tails
    between, the clock an hour back: registrations and records answered with success are there, no SQN is used twice, the journal's
    chain holds."""
    rng, shim = random.Random(3), durable.build_shim(work)
    m = Merlon(os.path.join(work, "killed"), heard=False).wait_up()
    m.import_sims(IMSIS + CARDS + CLERK, "meter")
    load = durable.Load(m, IMSIS, CARDS, CLERK)
    try:
        load.progress()
        for turn in range(8):
            durable.kill_tree(m)
            load.check_registrations()
            durable.TORN[turn % len(durable.TORN)](m, rng)
            durable.start(m, shim, 3600 * (turn % 2))
            load.progress()
        for role in ("home", "keeper"):
            durable.kill_role(m, role)
            load.progress()
        durable.kill_supervisor(m)
        load.progress()
        load.stop()
        m.wait_up()
        load.check_records()
        assert len(load.records.done) > 0
    finally:
        load.stop()
        assert m.stop() == 0
    load.check_registrations()
    assert load.check_vectors() > 10
    names = {e["event"] for e in durable.events(m)}
    assert "torn" not in names and not names & {"records.journal_broken", "records.tampered"}


@pytest.fixture
def small_disk(work):
    path = os.path.join(work, "small")
    os.makedirs(path)
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "none", path]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def fill(path):
    """To the last byte."""
    with open(path, "wb", buffering=0) as f:
        for n in (1 << 20, 4096, 512):
            try:
                while f.write(bytes(n)) == n:
                    pass
            except OSError:
                pass


def test_a_full_disk_is_an_error_answer_and_nothing_is_lost(small_disk):
    """R-5.1.g, R-3.1.c: no space: ULR is answered 5012, AIR goes on, a change is refused with its reason, events wait;
    with space again all goes on by itself; what was answered with success outlasts a kill."""
    m = Merlon(small_disk, heard=False).wait_up()
    m.import_sims(IMSIS + CARDS + CLERK, "meter")
    ledger, clerk = durable.Ledger(), durable.Ledger()
    n = Client(m.port, f"mme.{realm('00101')}", realm("00101"))
    serial = iter(range(1, 10 ** 6))

    def register():
        number = next(serial)
        imsi, imei = IMSIS[number % len(IMSIS)], f"{35 * 10 ** 12 + number:014d}"
        ledger.sent(durable.bcd(imsi), durable.bcd(imei))
        answer = n.request("ULR", ulr(imsi, imei=imei))
        ledger.answered(durable.bcd(imsi), durable.bcd(imei), answer.result)
        return answer.result

    def change():
        number = next(serial)
        imsi, msisdn = CLERK[number % len(CLERK)], f"99972{number:09d}"
        clerk.sent(imsi, msisdn)
        done = m.run("set", "subscription", imsi, f"msisdn={msisdn}", check=False)
        clerk.answered(imsi, msisdn, 2001 if done.returncode == 0 else 5012)
        return done

    try:
        poll(lambda: register() == 2001, 15, "home")
        ledger.results.clear()  # the edge may have been up before home
        full = os.path.join(small_disk, "full")
        fill(full)
        assert poll(lambda: (lambda r: r if r != 2001 else None)(register()), 15, "a refusal") == 5012
        refused = poll(lambda: (lambda d: d if d.returncode else None)(change()), 15, "a change refused")
        assert refused.returncode == 1 and refused.stderr.count("\n") == 1
        assert n.request("AIR", air(CARDS[0])).result == 2001
        blocked = Client(m.port, f"mme.{realm('00103')}", realm("00103"))
        assert blocked.request("AIR", air(CARDS[0], "00103")).result != 2001
        blocked.close()
        fill(full + "2")
        os.remove(full)
        os.remove(full + "2")
        poll(lambda: register() == 2001, 10, "registrations to go on")
        poll(lambda: change().returncode == 0, 10, "changes to go on")
        assert m.event(0, check="partner.peer_blocked", timeout=10)
        assert m.event(0, event="reg.commit_failed", timeout=10)  # it waited for the space
        n.close()
        durable.kill_tree(m)
        wrong = ledger.wrong(durable.registrations(m.data_dir))
        assert not wrong and set(ledger.results) == {2001, 5012}, (wrong, ledger.results)
        durable.start(m)
        m.wait_up()
        shown = {i: m.show("subscription", i)["msisdn"] for i in clerk.done}
        assert not clerk.wrong(shown)
        assert len(durable.events(m)) > 0
    finally:
        assert m.stop() == 0
