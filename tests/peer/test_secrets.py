"""No byte of a key in a core, a log, a file or swap (R-2.b): known keys are loaded, vectors made of them, and then all
that can be looked into is searched, as root."""
import itertools
import os
import re
import resource
import shutil
import subprocess

import pytest
import tuak
from ask import air
from diameter import Client, plmn, poll
from memory import core, data_key, held, page_out, search
from merlon import HOME, Merlon, keys, usim
from process import roles
from test_tuak import HEADER

serial = itertools.count()
SIMS = [f"9997090000010{i:02d}" for i in range(4)]
TUAK = "999709000002005"
TOP, TUAK_K = os.urandom(32), os.urandom(32)


@pytest.fixture(scope="module")
def site(work):
    if os.geteuid() != 0:
        pytest.skip("only root may look into memory")
    m = Merlon(os.path.join(work, "secrets"), roles="keeper, home, edge, watch")
    try:
        m.wait_up()
        m.import_sims(SIMS, "meter")
        m.import_csv(HEADER, [{"imsi": TUAK, "alg": "tuak", "k": TUAK_K.hex(), "op": TOP.hex(),
                               "amf": "8000", "tuak": "64:1", "tenant": "meters", "profile": "meter"}])
        os.unlink(os.path.join(m.where, "rows.csv"))  # the test's own file of keys
        yield m
    finally:
        m.stop()


@pytest.fixture(scope="module")
def secrets(site):
    """By name, once vectors were made with each."""
    n = Client(site.home_port, f"n{next(serial)}.{HOME}", HOME)
    for _ in range(20):
        for imsi in SIMS:
            answer = poll(lambda i=imsi: (lambda a: a if a and a.result == 2001 else None)(
                n.request("AIR", air(i, vectors=5))), 20, "vectors")
        assert n.request("AIR", air(TUAK, vectors=5)).result == 2001
        # a forged AUTS runs f1* and f5* too
        rand = answer["Authentication-Info"]["E-UTRAN-Vector"]["RAND"]
        assert n.request("AIR", air(SIMS[-1], resync=rand + bytes(14))).result == 2001
    usim(SIMS[-1]).check(answer["Authentication-Info"]["E-UTRAN-Vector"], plmn("00101"))
    n.close()
    found = {"data key": data_key(site.data_dir), "TOPc": tuak.topc_of(TUAK_K, TOP, 1),
             "TUAK K": TUAK_K, "TOP": TOP}
    with open(os.path.join(site.data_dir, "master.key"), encoding="ascii") as f:
        found["master key"] = bytes.fromhex(f.read().strip())
    for imsi in SIMS:
        found["K " + imsi], found["OPc " + imsi] = keys(imsi)
    return found


def test_memory_holds_the_data_key_alone_locked_and_left_out_of_cores(site, secrets):
    found = {}
    for role, pid in {"supervisor": site.process.pid, **roles(site.process.pid)}.items():
        for name, place in search(pid, secrets):
            found.setdefault(name, []).append((role, place))
    print(found)
    assert set(found) == {"data key"}, found
    for role, place in found["data key"]:
        assert role == "home" and {"dd", "lo"} <= place.flags, found


def test_a_core_holds_no_key(site, secrets, tmp_path):
    """As gdb makes it with the kernel's rules. That the search can find is shown by what is no secret."""
    if not shutil.which("gdb"):
        pytest.skip("gdb is not installed")
    home = roles(site.process.pid)["home"]
    usual = core(home, str(tmp_path / "core"))
    assert os.path.getsize(usual) > 1 << 20
    assert held(usual, {**secrets, "its name": f"home.{HOME}".encode()}) == ["its name"]


def test_no_role_dumps_core(site):
    for role, pid in roles(site.process.pid).items():
        assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0), role


def swapped_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmSwap:\s+(\d+) kB", f.read())[1])


def forget(fd):
    """What the page cache knows of a file: the kernel swaps past it."""
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


@pytest.fixture
def swap(tmp_path):
    """A swap file, which only some machines let root have."""
    path = str(tmp_path / "swap")
    with open(path, "wb") as f:
        for _ in range(256):  # written, not only allocated: what never was reads as zeros, whatever the kernel puts there
            f.write(bytes(1 << 20))
        forget(f.fileno())
    os.chmod(path, 0o600)
    for command in ("mkswap", "swapon"):
        done = subprocess.run([command, path], capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            pytest.skip(f"{command}: {done.stderr.strip()}")
    yield path
    subprocess.run(["swapoff", path], check=True, timeout=120)


def test_swap_holds_no_key(site, secrets, swap):
    """Home is put out into swap as far as the kernel can. That the search can find is shown by what is no secret."""
    home = roles(site.process.pid)["home"]
    page_out(home)
    poll(lambda: swapped_kb(home) > 500, 20, "home in swap")
    with open(swap, "rb") as f:
        forget(f.fileno())
    assert held(swap, {**secrets, "its name": f"home.{HOME}".encode()}) == ["its name"]
    n = Client(site.home_port, f"n{next(serial)}.{HOME}", HOME)
    assert n.request("AIR", air(SIMS[0])).result == 2001  # and comes back from there
    n.close()


def test_no_file_and_no_log_holds_a_key(site, secrets):
    found, looked = [], 0
    texts = dict(secrets)
    for name, secret in secrets.items():
        texts |= {name + " in hex": secret.hex().encode(), name + " in HEX": secret.hex().upper().encode()}
    site.run("backup", os.path.join(site.where, "backup"))
    for folder, _, files in os.walk(site.where):
        for name in files:
            path = os.path.join(folder, name)
            if name.endswith(".sock") or name == "master.key":
                continue
            looked += 1
            found += [(path, what) for what in held(path, texts)]
    assert looked > 15 and not found
