"""R-5.7.3.a: bulk equipment lists (a CEIR's) through the product: an import, a delta, a typo that would blacklist a
whole TAC, a dry run, swaps while ECRs run, a file that was tampered with. IMEIs are made up (TAC 001017..)."""
import json
import os
import shutil
import subprocess
import threading

import pytest
from ask import ecr
from diameter import Client, poll
from merlon import BINARY, ROOT, Merlon, realm

WHITE, BLACK, GREY = 0, 1, 2
NODE = f"lists.{realm('00101')}"


@pytest.fixture(scope="module")
def eir(work):
    m = Merlon(os.path.join(work, "lists"), workers=2)
    try:
        m.wait_up()
        m.client = Client(m.port, NODE, realm("00101"))
        yield m
        m.client.close()
    finally:
        code = m.stop()
    assert code == 0, f"merlon run ended with {code}: {m.tail()}"


def status(m, imei, client=None):
    answer = (client or m.client).request("ECR", ecr(imei))
    assert answer.result == 2001, answer
    return answer["Equipment-Status"]


def becomes(m, imei, colour):
    poll(lambda: status(m, imei) == colour, 10, lambda: f"{imei} to be {colour}, is {status(m, imei)}: {m.tail()}")


def load(m, form, lines, *more, check=True):
    path = os.path.join(m.where, f"{form}.txt")
    with open(path, "w", encoding="ascii") as f:
        f.write("\n".join(lines) + "\n")
    return m.run("import", "--form", form, *more, path, check=check)


def checked(imei):
    """With its check digit (TS 23.003 annex B)."""
    digits = [int(d) * (1 + i % 2) for i, d in enumerate(imei)]
    return imei + str(-sum(d // 10 + d % 10 for d in digits) % 10)


def records(*lines):
    return ["H|TEST01|20260101", *lines, f"T|{len(lines)}"]


def test_ecr_follows_a_full_list_and_a_delta(eir):
    """SG.18 forms; 14 digits, 15 with a check digit, 16 with a software version; a range."""
    full = records("I|00101750000001||0011", f"I|{checked('00101750000002')}||0011", "I|0010175000000301||0011",
                   "I|00101750000100|00101750000199|0011")
    done = load(eir, "gsma-full", full, "--list", "black")
    assert "generation 1" in done.stdout
    for imei in ("00101750000001", "00101750000002", "00101750000003", "00101750000100", "00101750000199"):
        becomes(eir, imei, BLACK)
    assert status(eir, "00101750000200") == WHITE
    delta = records("R|00101750000001", "I|00101750000300||0011", "R|00101750000777")
    done = load(eir, "gsma-delta", delta, "--list", "black")
    assert "1 devices to be taken off were on no list (0003)" in done.stdout
    becomes(eir, "00101750000300", BLACK)
    assert status(eir, "00101750000001") == WHITE and status(eir, "00101750000002") == BLACK
    done = load(eir, "csv", ["imei", "00101750000001"], "--list", "grey")
    becomes(eir, "00101750000001", GREY)
    assert status(eir, "00101750000002") == BLACK  # a whole grey list says nothing of the black one


def test_an_exemption_made_by_hand_counts_before_the_list(eir):
    load(eir, "csv-delta", ["imei,list,action", "00101751000001,black,add"])
    becomes(eir, "00101751000001", BLACK)
    eir.set("equipment", "00101751000001", list="white", reason="ours")
    becomes(eir, "00101751000001", WHITE)


def generation(m):
    return int(next(x.split()[-1] for x in m.metrics().splitlines()
                    if x.startswith('merlon_equipment_generation{role="home"')))


def test_a_typo_that_would_blacklist_a_whole_tac_is_stopped(eir):
    lines = ["imei,list,action", "00101752000001,black,add", "00101753,black,add"]
    before = sorted(os.listdir(os.path.join(eir.data_dir, "equipment")))
    done = load(eir, "csv-delta", lines, check=False)
    assert done.returncode == 1
    assert "STOP   would blacklist all of TAC 00101753: 1000000 devices, now 0" in done.stdout
    assert status(eir, "00101753000007") == WHITE and status(eir, "00101752000001") == WHITE
    assert sorted(os.listdir(os.path.join(eir.data_dir, "equipment"))) == before
    code = done.stderr.split("--confirm ")[-1].strip()
    done = load(eir, "csv-delta", lines + ["00101754,black,add"], "--confirm", code, check=False)
    assert done.returncode == 1 and "that was another change" in done.stderr
    assert status(eir, "00101754000007") == WHITE
    done = load(eir, "csv-delta", lines, "--confirm", code)
    becomes(eir, "00101753000007", BLACK)
    load(eir, "csv-delta", ["imei,list,action", "00101753,black,remove"])
    becomes(eir, "00101753000007", WHITE)


def test_a_range_that_takes_in_too_much_of_a_tac_and_a_list_cut_short_are_stopped(eir):
    load(eir, "csv-delta", ["from,to,list", "00101755000000,00101755004999,black"])
    becomes(eir, "00101755004999", BLACK)
    done = load(eir, "csv-delta", ["from,to,list", "00101756000000,00101756149999,black"], "--json", check=False)
    plan = json.loads(done.stdout)["plan"]
    assert done.returncode == 1 and json.loads(done.stdout)["written"] is None
    rules = {f["rule"]: f for f in plan["findings"]}
    assert rules["tac_most"]["tac"] == "00101756" and rules["tac_most"]["added"] == 150000
    assert rules["grows"]["after"] - rules["grows"]["before"] == 150000
    done = load(eir, "gsma-full", records("I|00101755000001||0011"), "--list", "black", check=False)
    assert done.returncode == 1 and "the black list would shrink from" in done.stdout
    assert status(eir, "00101755004999") == BLACK


def test_a_dry_run_says_what_would_change_and_changes_nothing(eir):
    before = sorted(os.listdir(os.path.join(eir.data_dir, "equipment")))
    lines = ["imei,list,action", "00101757000001,black,add", "00101757000002,white,add"]
    done = load(eir, "csv-delta", lines, "--dry-run", "--json")
    plan = json.loads(done.stdout)["plan"]
    tally = {t["list"]: t for t in plan["lists"]}
    assert tally["black"]["added"] == 1 and tally["white"]["added"] == 1 and tally["grey"]["added"] == 0
    assert plan["top"][0]["tac"] == "00101757" and plan["finding_n"] == 0
    done = load(eir, "csv-delta", lines, "--dry-run")
    assert "TAC 00101757  black  +1 -0" in done.stdout
    assert status(eir, "00101757000001") == WHITE
    assert sorted(os.listdir(os.path.join(eir.data_dir, "equipment"))) == before
    done = load(eir, "csv-delta", ["imei,list,action", "00101757,black,add"], "--dry-run", check=False)
    assert done.returncode == 1 and "would be stopped" in done.stderr


@pytest.mark.parametrize("lines,says", [
    (["I|00101758000001||0011"], "0006 no header"),
    (["H|TEST01", "I|00101758000001||0011"], "0007 no trailer"),
    (["H|TEST01", "I|00101758000001||0011", "T|2"], "0005"),
    (records("I|00101758000001" + str((int(checked("00101758000001")[-1]) + 1) % 10)), "check digit"),
    (records("I|00101758000009|00101758000001|0011"), "0009 negative range"),
    (records("I|00101758000001||99999"), "0010"),
    (records("I|0010175800000x||0011"), "0011"),
])
def test_a_file_with_a_fault_is_told_by_line_and_number(eir, lines, says):
    done = load(eir, "gsma-delta", lines, "--list", "black", "--dry-run", check=False)
    assert done.returncode == 1 and says in done.stderr


def test_the_journal_says_who_imported_what(eir):
    load(eir, "csv-delta", ["imei,list,action", "00101759000001,black,add"])
    newest = max(int(f.split(".")[0]) for f in os.listdir(os.path.join(eir.data_dir, "equipment")) if f[0].isdigit())
    event = eir.event(0, event="keeper.lists", generation=newest)
    assert event["actor"] and event["clause"] == "R-5.7.3.a"
    assert sum(f.endswith(".lists") for f in os.listdir(os.path.join(eir.data_dir, "equipment"))) == 2


def test_lists_are_swapped_while_ecrs_run_without_an_error(eir):
    stop, failed, asked = threading.Event(), [], [0]

    def ask_on():
        client = Client(eir.port, f"swap.{realm('00101')}", realm("00101"))
        try:
            while not stop.is_set():
                if status(eir, "00101760000000", client) not in (WHITE, BLACK):
                    failed.append("colour")
                asked[0] += 1
        except Exception as e:  # noqa: BLE001: whatever it is, the test must say so
            failed.append(repr(e))
        client.close()

    t = threading.Thread(target=ask_on)
    t.start()
    for i in range(6):
        action = "add" if i % 2 == 0 else "remove"
        load(eir, "csv-delta", ["from,to,list,action", f"00101760000000,00101760000499,black,{action}"])
        becomes(eir, "00101760000000", BLACK if i % 2 == 0 else WHITE)
    stop.set()
    t.join(10)
    assert not failed and asked[0] > 50


def test_a_tampered_file_is_refused_and_the_old_one_stays(eir):
    load(eir, "csv-delta", ["imei,list,action", "00101761000001,black,add"])
    becomes(eir, "00101761000001", BLACK)
    mark, place = eir.mark(), os.path.join(eir.data_dir, "equipment")
    newest = max(int(f.split(".")[0]) for f in os.listdir(place) if f[0].isdigit())
    with open(os.path.join(place, f"{newest}.lists"), "rb") as f:
        data = bytearray(f.read())
    data[-40] ^= 1
    with open(os.path.join(place, "forged"), "wb") as f:
        f.write(data)
    os.rename(os.path.join(place, "forged"), os.path.join(place, f"{newest + 1}.lists"))
    event = eir.event(mark, event="serving.lists_refused", role="home")
    assert "digest" in event["why"]
    assert status(eir, "00101761000001") == BLACK
    os.unlink(os.path.join(place, f"{newest + 1}.lists"))


def test_a_backup_brings_the_lists_back(eir, work):
    to, m = os.path.join(work, "lists-backup"), Merlon(os.path.join(work, "lists2"))
    m.wait_up()
    load(m, "csv-delta", ["imei,list,action", "00101762000001,black,add"])  # of the new system: it goes
    assert m.stop() == 0
    eir.run("backup", to)
    assert sum(f.endswith(".lists") for f in os.listdir(os.path.join(to, "equipment"))) == 2
    m.run("restore", to, "--yes")
    shutil.copy(os.path.join(eir.data_dir, "master.key"), os.path.join(m.data_dir, "master.key"))
    m.process = subprocess.Popen([BINARY, "run", "--config", m.config], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, cwd=ROOT)
    try:
        m.wait_up()
        m.client = poll(lambda: again(m), 15, "the lists of the backup")
        assert status(m, "00101762000001") == WHITE
        load(m, "csv-delta", ["imei,list,action", "00101762000002,black,add"])
        becomes(m, "00101762000002", BLACK)
        m.client.close()
    finally:
        assert m.stop() == 0


def test_a_restart_serves_the_same_lists(eir):
    eir.client.close()
    home = [int(p) for p in os.popen(f"pgrep -P {eir.process.pid}").read().split()]
    before = generation(eir)
    for pid in home:
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            if "home" in f.read():
                os.kill(pid, 9)
    eir.client = poll(lambda: again(eir), 15, "home to be back")
    assert generation(eir) == before


def again(m):
    try:
        client = Client(m.port, NODE, realm("00101"))
    except OSError:
        return None
    answer = client.request("ECR", ecr("00101761000001"))
    if answer.result == 2001 and answer["Equipment-Status"] == BLACK:
        return client
    client.close()
    return None
