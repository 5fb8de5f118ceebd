"""What must outlast trouble: a restart, kill -9, a lost disk, a reload, and the two named storms."""
import json
import os
import shutil
import signal
import subprocess

import pytest
from ask import air, ulr
from diameter import Client, plmn, poll
from merlon import BINARY, ROOT, Merlon, realm, usim
from process import roles

SIMS = [f"9997060000001{i:02d}" for i in range(4)]


def role_pid(m, name):
    return roles(m.process.pid).get(name)


def partner(m, name="mme"):
    return Client(m.port, f"{name}.{realm('00101')}", realm("00101"))


def attach(n, imsi):
    answer = poll(lambda: (lambda a: a if a is not None and a.result != 3002 else None)(n.request("AIR", air(imsi))),
                  15, "an answer of home")
    assert answer.result == 2001
    vector = answer["Authentication-Info"]["E-UTRAN-Vector"]
    usim(imsi).check(vector, plmn("00101"))
    assert n.request("ULR", ulr(imsi)).result == 2001
    return vector


@pytest.fixture(scope="module")
def kept(work):
    m = Merlon(os.path.join(work, "kept")).wait_up()
    m.import_sims(SIMS, "meter")
    yield m
    m.stop()


def test_a_reload_takes_effect_and_drops_no_connection(kept):
    """R-5.6.1.h: clear partners may be forbidden on a running edge; the connections that are up stay up."""
    n = partner(kept, "stays")
    attach(n, SIMS[0])
    with open(kept.config, encoding="ascii") as f:
        before = f.read()
    conf = json.loads(before)
    conf["edge"]["clear"] = False
    with open(kept.config, "w", encoding="ascii") as f:
        json.dump(conf, f)
    kept.process.send_signal(signal.SIGHUP)
    since = kept.mark()

    def refused():
        late = partner_or_none(kept, "late")
        if late is not None:
            late.close()
        return late is None
    poll(refused, 10, "a clear partner to be refused")
    assert kept.event(since, event="edge.peer_refused", why="this network must use TLS", clause="R-5.6.1.h")
    assert n.request("AIR", air(SIMS[0])).result == 2001  # the old one goes on
    with open(kept.config, "w", encoding="ascii") as f:
        f.write("edge: {workers: many}\n")
    kept.process.send_signal(signal.SIGHUP)  # a bad one changes nothing, and is said
    poll(lambda: "not reloaded" in kept.tail() and "edge.workers must be a number" in kept.tail(), 5, kept.tail)
    with open(kept.config, "w", encoding="ascii") as f:
        f.write(before)
    kept.process.send_signal(signal.SIGHUP)
    poll(lambda: not refused(), 10, "clear partners to be let in again")
    n.close()


def partner_or_none(m, name):
    """An open connection, or None where it is refused or nobody listens."""
    try:
        n = partner(m, name)
    except (AssertionError, OSError):
        return None
    if n.cea is not None and n.cea.result == 2001:
        return n
    n.close()
    return None


@pytest.mark.parametrize("role", ["home", "edge", "keeper", "watch"])
def test_a_role_that_is_killed_comes_back(kept, role):
    """R-5.1.g: kill -9 of any one role: what was registered stays, service returns by itself."""
    n = partner(kept, f"before-{role}")
    attach(n, SIMS[1])
    pid = role_pid(kept, role)
    os.kill(pid, signal.SIGKILL)
    poll(lambda: role_pid(kept, role) not in (None, pid), 10, f"{role} to be started again")
    n.close()
    n = poll(lambda: partner_or_none(kept, f"after-{role}"), 15, "the edge")
    attach(n, SIMS[1])
    poll(lambda: kept.run("show", "subscription", SIMS[1], check=False).returncode == 0, 15, "the keeper")
    number = kept.show("subscription", SIMS[1])["msisdn"]
    kept.set("subscription", SIMS[1], msisdn="99970777" if number != "99970777" else "99970778")
    assert n.expect("IDR", SIMS[1], timeout=10) is not None  # the keeper writes, home tells the node
    n.close()


def test_no_sqn_is_used_twice_when_home_is_killed(kept):
    """R-3.1.c: the card accepts every vector in order across three kills, so none was used before."""
    card, last = usim(SIMS[2]), 0
    for i in range(3):
        n = partner(kept, f"sqn-{i}")
        for _ in range(5):
            answer = poll(lambda: (lambda a: a if a is not None and a.result == 2001 else None)(
                n.request("AIR", air(SIMS[2]))), 15, "vectors")
            sqn = card.check(answer["Authentication-Info"]["E-UTRAN-Vector"], plmn("00101"))
            assert sqn > last
            last = sqn
        n.close()
        pid = role_pid(kept, "home")
        os.kill(pid, signal.SIGKILL)
        poll(lambda: role_pid(kept, "home") not in (None, pid), 10, "home")


def test_backup_and_restore_bring_everything_back(work, kept):
    """R-5.1.i, R-2.b: a backup of the running system, restored elsewhere, serves the same cards; the master key is
    not in it, and without that key home refuses to start with one clear line."""
    to = os.path.join(work, "backup")
    done = kept.run("backup", to)
    assert "without the master key" in done.stdout
    assert sorted(os.listdir(to))[:2] == ["journal.head", "keeper.key"] and not os.path.exists(f"{to}/master.key")
    again = kept.run("backup", to, check=False)
    assert again.returncode == 1 and "cannot make" in again.stderr  # never over another
    over = kept.run("restore", to, check=False)
    assert over.returncode == 1 and "is running" in over.stderr
    where = os.path.join(work, "restored")
    m = Merlon(where)  # makes its configuration; its own data goes
    m.wait_up()
    assert m.stop() == 0
    assert m.run("restore", to, check=False).returncode == 1  # there are records already: --yes is asked for
    m.run("restore", to, "--yes")
    wrong = subprocess.run([BINARY, "run", "--config", m.config], capture_output=True, text=True, timeout=30, cwd=ROOT)
    assert wrong.returncode == 3 and "master" in wrong.stderr and wrong.stderr.count("\n") == 1
    shutil.copy(os.path.join(kept.data_dir, "master.key"), os.path.join(m.data_dir, "master.key"))
    back = subprocess.Popen([BINARY, "run", "--config", m.config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            cwd=ROOT)
    m.process = back
    try:
        m.wait_up()
        assert m.event(0, event="home.reset", timeout=10)  # what registered since the backup is asked for again
        assert m.show("subscription", SIMS[0]) == kept.show("subscription", SIMS[0])
        n = poll(lambda: partner_or_none(m, "mme"), 15, "the edge")
        attach(n, SIMS[0])
        m.set("subscription", SIMS[0], life="suspended")
        assert n.expect("CLR", SIMS[0])["Cancellation-Type"] == 2
        n.close()
    finally:
        assert m.stop() == 0


@pytest.mark.parametrize("scenario", ["docomo", "kddi"])
def test_the_named_storms_play(kept, scenario):
    """R-5.6.1.a, R-5.6.1.e: both storms against the running edge; every critical first try succeeds."""
    meters = [f"9997061{i:08d}" for i in range(400)]
    critical = [f"9997062{i:08d}" for i in range(20)]
    if kept.run("show", "subscription", meters[0], check=False).returncode:
        kept.import_sims(meters, "meter")
        kept.import_sims(critical, "pacemaker")
    poll(lambda: 'merlon_edge_peers_open{role="edge",kind="home"} 1' in kept.metrics(), 10, "home behind the edge")
    done = subprocess.run(
        [BINARY, "simulate", "--to", f"tcp:127.0.0.1:{kept.port}", "--scenario", scenario, "--batch", "100", "--gap", "1",
         "--duration", "8", "--group", f"meters={meters[0]}:400", "--group", f"cardio={critical[0]}:20", "--json",
         "--quiet"], capture_output=True, text=True, timeout=60, cwd=ROOT, check=True)
    groups = {g["group"]: g for g in json.loads(done.stdout)["groups"]}
    print(groups, kept.events()[-8:])
    assert groups["cardio"]["first_try"] == 20 and groups["cardio"]["refused"] == 0
    assert groups["meters"]["done"] + groups["meters"]["refused"] + groups["meters"]["silent"] >= 400
    assert groups["meters"]["done"] > 300 and groups["meters"]["attempts"] >= 400


def test_watch_and_list_read_the_running_system(kept):
    """Figures for people and for programs."""
    live = json.loads(kept.run("watch", "--json").stdout)
    assert {r["role"] for r in live["roles"]} == {"keeper", "home", "edge", "watch"} and all(r["ready"] for r in live["roles"])
    assert "returns expected" in kept.run("watch", "--once").stdout
    rows = [line for line in kept.run("list", "subscription", "profile=meter").stdout.splitlines() if line.startswith("99970")]
    assert len(rows) > 10
