"""The vault's master key: in a file and in a PKCS#11 token (SoftHSM2), changed on the running system, never given to a
token that refuses the PIN twice (R-2.b, R-3.1.c)."""
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import pytest
from ask import air
from diameter import Client, plmn, poll
from hsm import Token
from merlon import BINARY, HOME, ROOT, Merlon, usim
from process import roles

SIMS = [f"9997080000000{i:02d}" for i in range(20)]


def command(m, *args, env=None):
    return subprocess.run([BINARY, *args, "--config", m.config], capture_output=True, text=True, timeout=60, cwd=ROOT,
                          env={**m.env, **(env or {})})


def dial(m):
    """A node of our own at home's door: nothing screens or throttles it."""
    return Client(m.home_port, f"n{random.randrange(1 << 30)}.{HOME}", HOME)


def served(m, imsi=SIMS[0]):
    """A vector that the card takes; None: nobody answers yet."""
    try:
        n = dial(m)
    except OSError:
        return None
    try:
        answer = n.request("AIR", air(imsi))
        if answer is None or answer.result != 2001:
            return None
        usim(imsi).check(answer["Authentication-Info"]["E-UTRAN-Vector"], plmn("00101"))
        return True
    finally:
        n.close()


class Load:
    """Vectors asked for without a pause: what was answered, and what was not as it should be."""

    def __init__(self, m):
        self.n, self.bad, self.stop = 0, [], threading.Event()
        self.node = dial(m)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.stop.is_set():
            imsi = SIMS[self.n % len(SIMS)]
            answer = self.node.request("AIR", air(imsi), timeout=20)
            self.n += 1
            if answer is None or answer.result != 2001:
                self.bad.append(answer)
            else:
                usim(imsi).check(answer["Authentication-Info"]["E-UTRAN-Vector"], plmn("00101"))

    def end(self):
        self.stop.set()
        self.thread.join()
        self.node.close()
        assert self.n > 0 and not self.bad, self.bad[:3]
        return self.n


def kill_home(m):
    pid = roles(m.process.pid)["home"]
    os.kill(pid, signal.SIGKILL)
    poll(lambda: roles(m.process.pid).get("home") not in (None, pid), 20, "home")
    poll(lambda: served(m), 30, lambda: f"vectors: {m.tail()}")


def restart(m):
    assert m.stop() == 0, m.tail()
    m.process = m._start([])
    m.wait_up()
    poll(lambda: served(m), 30, lambda: f"vectors: {m.tail()}")


def set_master(m, where):
    with open(m.config, encoding="ascii") as f:
        conf = json.load(f)
    conf["home"]["master_key"] = where
    with open(m.config, "w", encoding="ascii") as f:
        json.dump(conf, f)


def journal(m, obj):
    with sqlite3.connect(f"file:{m.data_dir}/records.db?mode=ro", uri=True) as db:
        return [row[0] for row in db.execute("SELECT action FROM journal WHERE object = ? ORDER BY seq", (obj,))]


def state(m):
    return json.loads(command(m, "vault", "status", "--json").stdout)


@pytest.fixture(scope="module")
def token(work):
    if os.geteuid() != 0 or not shutil.which("softhsm2-util") or not shutil.which("pkcs11-tool"):
        pytest.skip("softhsm2 or opensc is not installed")
    return Token(os.path.join(work, "hsm"))


@pytest.fixture(scope="module")
def site(work, token):
    m = Merlon(os.path.join(work, "vault"), roles="keeper, home, watch", env=token.env)
    try:
        m.wait_up()
        m.import_sims(SIMS, "meter")
        poll(lambda: served(m), 20, "the first vector")
        yield m
    finally:
        m.stop()


def test_a_key_file_is_changed_under_load_and_no_vector_fails(site):
    """R-2.b: the file is another one, the former opens nothing, home was not disturbed."""
    path = os.path.join(site.data_dir, "master.key")
    with open(path, "rb") as f:
        former = f.read()
    home, load, since = roles(site.process.pid)["home"], Load(site), site.mark()
    for _ in range(5):
        done = command(site, "vault", "rotate")
        assert done.returncode == 0, done.stderr
    assert load.end() > 20
    assert roles(site.process.pid)["home"] == home
    with open(path, "rb") as f:
        assert f.read() != former
    assert os.stat(path).st_mode & 0o777 == 0o400 and not os.path.exists(path + ".new")
    assert state(site)["wrapped"]["by"] == "file" and state(site)["next"]["by"] == "nothing"
    assert journal(site, "vault")[-2:] == ["rotate", "rotated"]
    assert site.event(since, event="keeper.noted", action="rotated", clause="R-2.b")
    kill_home(site)
    aside = path + ".now"
    os.rename(path, aside)
    with open(path, "wb") as f:
        f.write(former)
    os.chmod(path, 0o400)
    refused = command(site, "vault", "status")
    assert refused.returncode == 3 and "not the one this vault was made with" in refused.stderr
    os.rename(aside, path)


def test_killed_at_any_moment_it_leaves_a_vault_that_opens(site):
    """kill -9 of the change, at random moments, then of home, which must find its way in again."""
    load, killed = Load(site), 0
    for _ in range(8):
        p = subprocess.Popen([BINARY, "vault", "rotate", "--config", site.config], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, cwd=ROOT, env=site.env)
        time.sleep(random.uniform(0, 0.06))
        p.kill()
        killed += p.wait() == -signal.SIGKILL
        assert command(site, "vault", "status").returncode == 0
    load.end()
    kill_home(site)
    assert killed > 0
    assert command(site, "vault", "rotate").returncode == 0
    assert state(site)["next"]["by"] == "nothing"


def test_it_moves_into_a_token_whose_key_never_leaves_it(site, token):
    """From the file to the token, both good until home starts with the token; new keys still come in."""
    load = Load(site)
    done = command(site, "vault", "rotate", "--to", token.uri())
    assert done.returncode == 0, done.stderr
    load.end()
    assert "home.master_key" in done.stdout
    kill_home(site)  # it opens with the file too: the configuration has not followed yet
    set_master(site, token.uri())
    restart(site)
    assert state(site)["wrapped"]["by"] == "token"
    key, = token.keys()
    assert "sensitive" in key and "never extractable" in key and "AES length 32" in key, key
    assert site.event(0, event="home.vault_open", master="token")
    late = "999708000000999"
    site.import_sims([late], "meter")
    poll(lambda: served(site, late), 20, "a card imported under the token")
    os.rename(f"{site.data_dir}/master.key", f"{site.data_dir}/former.key")  # nobody needs it any more


def test_the_tokens_key_is_changed_under_load_and_the_former_destroyed(site, token):
    was, load = state(site)["wrapped"]["id"], Load(site)
    for more in ([], ["--destroy"]):
        done = command(site, "vault", "rotate", *more)
        assert done.returncode == 0, done.stderr
    load.end()
    now = state(site)["wrapped"]["id"]
    assert now != was and len(token.keys()) == 2  # the second of three is gone
    for _ in range(3):
        p = subprocess.Popen([BINARY, "vault", "rotate", "--config", site.config], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, cwd=ROOT, env=site.env)
        time.sleep(random.uniform(0, 0.15))
        p.kill()
        p.wait()
    kill_home(site)


def test_a_wrong_pin_is_refused_once_and_never_tried_again(site, token):
    """One clear line and exit code 3; started over and over it does not lock the token: the same PIN is not shown to
    it again, which would succeed here from the second start on."""
    right = token.pin
    assert site.stop() == 0
    token.write_pin("000000")
    first = command(site, "run")
    assert first.returncode == 3 and "the PIN is wrong" in first.stderr and first.stderr.count("\n") == 1, first.stderr
    token.reset_pin("000000")
    again = command(site, "run")
    assert again.returncode == 3 and "it is not tried again" in again.stderr, again.stderr
    assert command(site, "vault", "status").returncode == 3
    token.reset_pin(right)
    for text, mode, why in ((right, 0o444, "must be readable by its owner alone"), ("", 0o400, "must hold the PIN")):
        token.write_pin(text, mode)
        done = command(site, "run")
        assert done.returncode == 3 and why in done.stderr and right not in done.stderr, done.stderr
    token.write_pin(right)
    site.process = site._start([])
    site.wait_up()
    poll(lambda: served(site), 30, lambda: f"vectors: {site.tail()}")
    with open(site.log, encoding="utf-8") as f:
        assert right not in f.read() + open(site.events_path, encoding="utf-8").read()


@pytest.mark.parametrize("where, why", [
    ("pkcs11:object=master", "needs module-path="),
    ("pkcs11:token=x;object=m?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-value=1234", "holds a PIN"),
    ("pkcs11:token=nosuch;object=m?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/p", "no such token"),
    ("pkcs11:token=merlon;object=m?module-path=/nowhere/p11.so&pin-source=/etc/p", "cannot load /nowhere/p11.so"),
    ("pkcs11:nonsense", "is not a PKCS#11 URI")])
def test_a_token_that_cannot_be_had_is_one_clear_line(site, where, why):
    done = command(site, "vault", "rotate", "--to", where)
    assert done.returncode == 3 and why in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert served(site)
