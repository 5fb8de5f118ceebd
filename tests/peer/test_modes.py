"""merlon inspect --modes: the security modes of a network judged against the profiles (R-5.2.1.a, R-5.2.3.b, R-5.2.4.d)."""
import json
import subprocess

import pytest
from ask import ulr
from diameter import poll
from merlon import BINARY, ROOT

# rat, ciphering, integrity: what is found of a meter (lte-m, nb-iot)
ROWS = [("lte-m", "EEA2", "EIA2", None), ("nb-iot", "128-EEA1", "128-EIA3", None), ("lte-m", "EEA0", "EIA2", "clear"),
        ("lte-m", "EEA3", "EIA0", "open"), ("geran", "A5/4", "", "old-radio"), ("utran", "UEA1", "UIA1", "old-radio"),
        ("lte-m", "UEA1", "UIA1", "mismatch"), ("nb-iot", "EEA9", "EIA2", "unknown")]


def inspect(merlon, path, *args):
    return subprocess.run([BINARY, "inspect", str(path), "--modes", "--config", merlon.config, *args], capture_output=True,
                          text=True, timeout=30, cwd=ROOT)


@pytest.fixture
def records(merlon, sim, tmp_path):
    path, imsi = tmp_path / "modes.csv", sim()
    path.write_text("cell,imsi,rat,ciphering,integrity\n" + "".join(
        f"c{i},{imsi},{rat},{cipher},{integrity}\n" for i, (rat, cipher, integrity, _) in enumerate(ROWS)))
    return path, imsi


def test_each_mode_is_judged_by_profile_and_strength(merlon, records):
    path, imsi = records
    done = inspect(merlon, path, "--json")
    assert done.returncode == 0, done.stderr
    *found, total = [json.loads(line) for line in done.stdout.splitlines()]
    want = [(i + 2, r[3]) for i, r in enumerate(ROWS) if r[3]]
    assert [(f["line"], f["finding"]) for f in found] == want
    assert all(f["imsi"] == imsi and f["profile"] == "meter" and f["cell"] == f"c{f['line'] - 2}" for f in found)
    assert total["records"] == len(ROWS) and total["fine"] == 2 and total["clear"] == 1


def test_a_cell_of_2g_is_judged_by_the_key_and_not_by_the_name(merlon, tmp_path):
    """A SIM that is not ours has no profile that bars 2G: A5/3 has 64 bits, A5/4 has 128."""
    path = tmp_path / "modes.csv"
    path.write_text("imsi,rat,ciphering,integrity,cell\n" + "".join(
        f"001010000000001,geran,{a},,{i}\n" for i, a in enumerate(("A5/0", "A5/1", "A5/3", "A5/4", "GEA3", "GEA4"))))
    done = inspect(merlon, path, "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()][:-1]
    assert [(f["ciphering"], f["finding"]) for f in found] == [("A5/0", "clear"), ("A5/1", "cipher"), ("A5/3", "cipher"),
                                                              ("GEA3", "cipher")]
    assert "64 bits" in found[2]["why"]


def test_an_operator_may_name_the_algorithms(merlon, records):
    path, _ = records
    done = inspect(merlon, path, "--allow", "EEA2 EIA2", "--summary", "--json")
    total = json.loads(done.stdout)
    assert total["cipher"] == 1 and total["fine"] == 1, "EEA1 with EIA3 is no longer fine"
    assert inspect(merlon, path, "--allow", "EEA2 ROT13").returncode == 2


def test_lines_that_cannot_be_read_are_told(merlon, tmp_path):
    path = tmp_path / "modes.csv"
    path.write_text("imsi,rat,ciphering,integrity\n12,lte-m,EEA2,EIA2\n001010000000001,6g,EEA2,EIA2\n")
    done = inspect(merlon, path)
    assert done.returncode == 1 and ":2: imsi" in done.stderr and ":3: rat" in done.stderr
    path.write_text("imsi,rat\n")
    assert inspect(merlon, path).returncode == 1


def test_a_profile_names_its_algorithms_and_its_oldest_radio(merlon, node, tmp_path):
    """R-5.2.1.a, R-5.2.4.d: what the profile allows counts; what protects nothing it cannot allow; what is older than it
    allows is barred on the wire."""
    imsi = "999709500000001"
    merlon.set("profile", "m-policy", tenant="meters", algorithms="EEA2 EIA2 A5/4", generation="4",
               rats="geran utran wb-eutran lte-m", apn1="meters.iot:ipv4")
    merlon.set("subscription", imsi, tenant="meters", profile="m-policy")
    path = tmp_path / "modes.csv"
    path.write_text("imsi,rat,ciphering,integrity\n" + "".join(
        f"{imsi},{mode}\n" for mode in ("lte-m,EEA2,EIA2", "lte-m,EEA1,EIA2", "lte-m,EEA2,EIA3", "geran,A5/4,")))
    done = inspect(merlon, path, "--json")
    *found, total = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(f["line"], f["finding"]) for f in found] == [(3, "cipher"), (4, "integrity"), (5, "old-radio")]
    assert total["fine"] == 1
    refused = merlon.run("set", "profile", "m-policy", "algorithms=EEA0 EIA2", check=False)
    assert refused.returncode == 1 and "EEA0: no ciphering" in refused.stdout + refused.stderr
    n = node()
    answer = poll(lambda: next((a for a in [n.request("ULR", ulr(imsi))] if a.result == 2001), None), 5, "an attach")
    assert answer["Subscription-Data"]["Access-Restriction-Data"] & 3 == 3, "neither UTRAN nor GERAN"
    assert n.request("ULR", ulr(imsi, rat=1001)).result == -5421
