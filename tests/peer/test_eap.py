"""Wi-Fi access: hostapd's RADIUS server asks Merlon for vectors, eapol_test is the device (R-5.3.a, R-3.1.g).
RFC 4186 (EAP-SIM), RFC 4187 (EAP-AKA), RFC 9048 (EAP-AKA'); what is asserted is what the two of them print."""
import grp
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading

import durable
import milenage
import pytest
import tuak
from diameter import poll
from merlon import Merlon, free_port, keys
from milenage import xor

pytestmark = pytest.mark.skipif(not shutil.which("hostapd") or not shutil.which("eapol_test"),
                                reason="hostapd and eapoltest are not installed")

REALM = "wlan.mnc070.mcc999.3gppnetwork.org"
# The first digit of an identity names the method: permanent, pseudonym, fast (TS 23.003 14.1, 19.3; RFC 9048).
METHODS = {"SIM": ("1", "EAP-SIM"), "AKA": ("0", "EAP-AKA"), "AKA'": ("6", "EAP-AKA'")}
USERS = {"AKA": "024", "SIM": "135", "AKA'": "678"}
GROUP = "nogroup"
WIFI = "wifi-sim wifi-aka wifi-aka-prime"
numbers = (f"999708{i:09d}" for i in range(1000))


class Milenage(milenage.Usim):
    def f1(self, *args):
        return milenage.f1(self.k, self.opc, *args)

    def f2345(self, rand):
        return milenage.f2345(self.k, self.opc, rand)


class Tuak(tuak.Usim):
    def f1(self, *args):
        return tuak.f1(self.k, self.topc, *args, iterations=self.n)

    def f2345(self, rand):
        return tuak.f2345(self.k, self.topc, rand, self.res, iterations=self.n)


class Card(threading.Thread):
    """The USIM of an eapol_test with external_sim=1: answers CTRL-REQ-SIM on its control interface."""

    def __init__(self, ctrl, usim, sqn_ms=0, forger=None):
        super().__init__(daemon=True)
        self.path, self.me, self.usim = os.path.join(ctrl, "test"), ctrl + ".card", usim
        self.sqn_ms, self.forger = sqn_ms, forger  # forger: who makes AUTS in the place of the card
        self.did, self.amf = [], []
        self.over = threading.Event()
        self.start()

    def run(self):
        poll(lambda: os.path.exists(self.path) or self.over.is_set(), 10, "eapol_test's control interface")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(self.me)
            s.connect(self.path)
            s.settimeout(0.1)
            s.send(b"ATTACH")
            while not self.over.is_set():
                try:
                    self.answer(s, s.recv(4096).decode(errors="replace"))
                except TimeoutError:
                    pass

    def stop(self):
        """eapol_test has gone, and with it whoever would write to us."""
        self.over.set()
        self.join(10)

    def answer(self, s, text):
        asked = re.search(r"CTRL-REQ-SIM-(\d+):(\S+) needed", text)
        if asked:
            kind, *args = asked[2].split(":")
            args = [bytes.fromhex(a) for a in args]
            reply = self.umts(*args) if kind == "UMTS-AUTH" else self.gsm(args)
            self.did.append(reply.split(":")[0])
            s.send(f"CTRL-RSP-SIM-{asked[1]}:{reply}".encode())

    def umts(self, rand, autn):
        res, ck, ik, ak = self.usim.f2345(rand)
        sqn, amf = xor(autn[:6], ak), autn[6:8]
        self.amf.append(amf)
        if autn[8:] != self.usim.f1(rand, sqn, amf):
            return "UMTS-FAIL"
        if int.from_bytes(sqn, "big") <= self.sqn_ms:  # TS 33.102 6.3.3: a replay, or we are ahead
            return "UMTS-AUTS:" + (self.forger or self.usim).auts(rand, self.sqn_ms).hex()
        self.sqn_ms = int.from_bytes(sqn, "big")
        return f"UMTS-AUTH:{ik.hex()}:{ck.hex()}:{res.hex()}"

    def gsm(self, rands):
        out = []
        for rand in rands:  # TS 33.102 6.8.1.2: c2, c3
            res, ck, ik, _ = self.usim.f2345(rand)
            out += [xor(xor(ck[:8], ck[8:]), xor(ik[:8], ik[8:])).hex(), xor(res[:4], res[4:]).hex()]
        return "GSM-AUTH:" + ":".join(out)


class Hostapd:
    """A RADIUS server and nothing else. eap_sim_id: 1 pseudonyms, 2 fast re-authentication, 3 both."""

    def __init__(self, where, auc, sim_id):
        os.makedirs(where)
        self.port, self.log = free_port(), os.path.join(where, "log")
        for name, text in (("clients", "127.0.0.1 testing123\n"),
                           ("users", "".join(f'"{d}"*  {m}\n' for m, ds in USERS.items() for d in ds)),
                           ("hostapd.conf", f"""interface=lo
driver=none
ctrl_interface={where}/ctrl
logger_stdout=-1
logger_stdout_level=1
radius_server_clients={where}/clients
radius_server_auth_port={self.port}
eap_server=1
eap_user_file={where}/users
eap_sim_db=unix:{auc}
eap_sim_aka_result_ind=1
eap_sim_id={sim_id}
""")):
            with open(os.path.join(where, name), "w", encoding="ascii") as f:
                f.write(text)
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(["hostapd", "-d", os.path.join(where, "hostapd.conf")],
                                            stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        poll(lambda: "AP-ENABLED" in self.said() or self.process.poll() is not None, 10, self.said)
        assert self.process.poll() is None, self.said()

    def mark(self):
        return os.path.getsize(self.log)

    def said(self, since=0):
        with open(self.log, "rb") as f:
            f.seek(since)
            return f.read().decode(errors="replace")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Outcome:
    """What came of one run of eapol_test: its exit code, what each of the two said, what the card did."""

    def __init__(self, code, device, server, card):
        self.code, self.device, self.server, self.card = code, device, server, card

    def accepted(self, times):
        assert self.code == 0 and self.device.rstrip().endswith("SUCCESS"), self.device[-3000:]
        assert self.device.count("CTRL-EVENT-EAP-SUCCESS") == times
        assert f"MPPE keys OK: {times}  mismatch: 0" in self.device, "both derived the same MSK each time"

    def refused(self):
        assert self.code != 0 and self.device.rstrip().endswith("FAILURE"), self.device[-3000:]
        assert "CTRL-EVENT-EAP-FAILURE" in self.device and "CTRL-EVENT-EAP-SUCCESS" not in self.device


class Wifi:
    def __init__(self, work):
        self.where = os.path.join(work, "wifi")
        self.open = tempfile.mkdtemp()  # others may go in there: what the socket's own mode does is tested
        os.chmod(self.open, 0o1777)
        self.auc = os.path.join(self.open, "auc.sock")
        self.merlon = Merlon(self.where, home={"auc_socket": self.auc, "auc_group": GROUP, "auc_subscriber": 600}).wait_up()
        self.servers, self.runs = {}, 0
        self.profile("aka", "wifi-aka")
        self.profile("all", WIFI)
        self.profile("none", "")
        self.profile("barred", WIFI, odb=1)

    def profile(self, name, services, **fields):
        fields = {"tenant": "cars", "rats": "geran wb-eutran", "apn1": "cars.iot:ipv4:9:12:200000:200000",
                  "services": services, **fields}
        self.merlon.set("profile", "wifi-" + name, **fields)

    def sim(self, profile="all"):
        imsi = next(numbers)
        self.merlon.import_sims([imsi], "car")
        self.merlon.set("subscription", imsi, profile="wifi-" + profile)
        return imsi

    def server(self, sim_id):
        if sim_id not in self.servers:
            self.servers[sim_id] = Hostapd(os.path.join(self.where, f"h{sim_id}"), self.auc, sim_id)
        return self.servers[sim_id]

    def try_it(self, method, imsi, again=0, sim_id=3, usim=None, **card):
        """One device authenticates, then `again` times more."""
        self.runs += 1
        server, ctrl = self.server(sim_id), os.path.join(self.where, f"c{self.runs}")
        conf, since = ctrl + ".conf", server.mark()
        with open(conf, "w", encoding="ascii") as f:
            f.write(f'ctrl_interface={ctrl}\nexternal_sim=1\nnetwork={{\n key_mgmt=WPA-EAP\n eap={method}\n'
                    f' identity="{METHODS[method][0]}{imsi}@{REALM}"\n phase1="result_ind=1"\n}}\n')
        sim = Card(ctrl, usim or Milenage(*keys(imsi)), **card)
        done = subprocess.run(["eapol_test", "-c", conf, "-a", "127.0.0.1", "-p", str(server.port), "-s", "testing123",
                               "-t", "15", "-W", f"-r{again}"], capture_output=True, text=True, timeout=60,
                              errors="replace")
        sim.stop()
        return Outcome(done.returncode, done.stdout, server.said(since), sim)

    def ask(self, *lines, answers=None):
        """Lines to the socket as they are; the answers of those that get one."""
        self.runs += 1
        me, got = os.path.join(self.where, f"a{self.runs}"), []
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(me)
            s.settimeout(5)
            s.connect(self.auc)
            for line in lines:
                s.send(line.encode("latin-1"))
                if answers is None or len(got) < answers:
                    got.append(s.recv(4096).decode())
        return got

    def metric(self, outcome):
        found = re.search(rf'merlon_home_wifi_total{{.*outcome="{outcome}"}} (\d+)', self.merlon.metrics())
        return int(found[1]) if found else 0

    def stop(self):
        for s in self.servers.values():
            s.stop()
        code = self.merlon.stop()
        shutil.rmtree(self.open)
        return code


@pytest.fixture(scope="module")
def wifi(work):
    w = Wifi(work)
    try:
        yield w
    finally:
        code = w.stop()
    assert code == 0, w.merlon.tail()


@pytest.fixture(params=METHODS, ids=["sim", "aka", "aka-prime"])
def method(request):
    return request.param


def test_full_and_fast_re_authentication(wifi, method):
    """R-5.3.a, R-3.1.g: one full authentication, two fast ones that ask neither card nor home."""
    imsi = wifi.sim()
    drawn = wifi.metric("vectors")
    o = wifi.try_it(method, imsi, again=2)
    o.accepted(3)
    prefix, name = METHODS[method]
    assert o.server.count("EAP-SIM DB: External response=") == 1, "one draw of vectors"
    assert f"Permanent username '{prefix}{imsi}'" in o.server
    assert o.server.count("sing fast re-authentication") == 2 and "AT_COUNTER 2" in o.server
    assert o.card.did == ["GSM-AUTH" if method == "SIM" else "UMTS-AUTH"], f"{name}: the card worked once"
    poll(lambda: wifi.metric("vectors") == drawn + 1, 5, "the metric of it")


def test_pseudonyms_hide_the_imsi_from_the_second_time_on(wifi, method):
    """RFC 4186 4.2.1, RFC 4187 4.1.1: without fast re-authentication the pseudonym of the first time is used."""
    imsi = wifi.sim()
    o = wifi.try_it(method, imsi, again=2, sim_id=1)
    o.accepted(3)
    assert len(o.card.did) == 3, "each is a full authentication"
    pseudonyms = set(re.findall(r"Pseudonym username '([^']+)'", o.server))
    assert len(pseudonyms) == 2, "a new one each time"
    first, second = o.device.split("Triggering EAP reauthentication", 1)
    assert f"{imsi}@" in first and not re.search(rf"AT_IDENTITY.*{imsi}", second)
    assert all(imsi not in p for p in pseudonyms)


def test_the_separation_bit_is_for_aka_prime_alone(wifi):
    """TS 33.402 6.2: a profile without EAP-AKA' gets vectors that make no KASME; the device refuses EAP-AKA' with them."""
    imsi = wifi.sim("aka")
    o = wifi.try_it("AKA", imsi)
    o.accepted(1)
    assert [amf[0] & 0x80 for amf in o.card.amf] == [0]
    o = wifi.try_it("AKA'", imsi)
    o.refused()
    assert "AMF separation bit" in o.device or "Authentication failure" in o.device or "separation" in o.device
    o = wifi.try_it("AKA'", wifi.sim())
    o.accepted(1)
    assert [amf[0] & 0x80 for amf in o.card.amf] == [0x80]


def test_a_wrong_key_fails(wifi, method):
    """RFC 4187 6.3.1: AUTN is not genuine for this card; RFC 4186 6.3: AT_MAC is not."""
    imsi = wifi.sim()
    o = wifi.try_it(method, imsi, usim=Milenage(bytes(16), keys(imsi)[1]))
    o.refused()
    if method == "SIM":
        assert "EAP-SIM: Client reported error 0" in o.server
    else:
        assert o.card.did == ["UMTS-FAIL"] and "EAP-AKA: Client rejected authentication" in o.server


@pytest.mark.parametrize("method", ["AKA", "AKA'"], ids=["aka", "aka-prime"])
def test_a_card_that_is_ahead_resynchronises(wifi, method):
    """RFC 4187 6.3.1, TS 33.102 6.3.5: AUTS, then a vector beyond what the card has seen; and it stays so."""
    imsi, ahead, since = wifi.sim(), 1 << 46, wifi.merlon.mark()
    o = wifi.try_it(method, imsi, sqn_ms=ahead)
    o.accepted(1)
    assert o.card.did == ["UMTS-AUTS", "UMTS-AUTH"] and o.card.sqn_ms > ahead
    assert "AT_AUTS" in o.server and "Synchronization-Failure" in o.server
    assert wifi.merlon.event(since, event="home.resync", imsi=imsi)["genuine"] == 1
    later = wifi.try_it(method, imsi, sqn_ms=o.card.sqn_ms)
    later.accepted(1)
    assert later.card.did == ["UMTS-AUTH"]


def test_a_replayed_challenge_is_answered_by_resynchronisation(wifi):
    """The card has seen that SQN before: it says so, and the next vector is fresh."""
    imsi = wifi.sim()
    first = wifi.try_it("AKA", imsi)
    first.accepted(1)
    seen = first.card.sqn_ms + (1 << 20)
    o = wifi.try_it("AKA", imsi, sqn_ms=seen)
    o.accepted(1)
    assert o.card.did == ["UMTS-AUTS", "UMTS-AUTH"] and o.card.sqn_ms > seen


def test_a_forged_auts_moves_nothing(wifi):
    imsi, since = wifi.sim(), wifi.merlon.mark()
    o = wifi.try_it("AKA", imsi, sqn_ms=1 << 46, forger=Milenage(bytes(16), keys(imsi)[1]))
    o.refused()
    assert wifi.merlon.event(since, event="home.resync", imsi=imsi)["genuine"] == 0
    wifi.try_it("AKA", imsi).accepted(1)


def test_a_resynchronisation_outlives_a_crash(wifi):
    imsi, ahead = wifi.sim(), 1 << 45
    first = wifi.try_it("AKA", imsi, sqn_ms=ahead)
    first.accepted(1)
    before = os.stat(wifi.auc).st_ctime_ns
    durable.kill_role(wifi.merlon, "home")
    poll(lambda: os.path.exists(wifi.auc) and os.stat(wifi.auc).st_ctime_ns != before, 20, "another home")
    wifi.merlon.wait_up()
    o = wifi.try_it("AKA", imsi, sqn_ms=first.card.sqn_ms)  # hostapd finds the new socket by itself
    o.accepted(1)
    assert o.card.did == ["UMTS-AUTH"]


@pytest.mark.parametrize("method,why", [*((m, w) for m in METHODS for w in ("unknown", "barred")),
                                        *((m, w) for m in ("SIM", "AKA") for w in ("no wifi", "suspended")),
                                        ("SIM", "another method")])
def test_who_may_not_use_wifi_gets_an_eap_failure(wifi, method, why):
    """R-5.3.a: unknown, not allowed by the profile, barred, suspended: no vector leaves home."""
    profile = {"no wifi": "none", "barred": "barred", "another method": "aka"}.get(why, "all")
    imsi = next(numbers) if why == "unknown" else wifi.sim(profile)
    if why == "suspended":
        wifi.merlon.set("subscription", imsi, life="suspended")
    since = wifi.merlon.mark()
    o = wifi.try_it(method, imsi)
    o.refused()
    assert o.card.did == []
    assert "External server reported failure" in o.server
    e = wifi.merlon.event(since, event="home.wifi_refused", imsi=imsi)
    code, clause = {"unknown": (5001, "R-5.6.b"), "barred": (5004, "R-5.7.3.b"),
                    "suspended": (5420, "R-5.7.1.a")}.get(why, (5450, "R-5.3.a"))
    assert (e["code"], e["clause"]) == (code, clause)


def test_a_profile_without_2g_has_no_eap_sim(wifi):
    """EAP-SIM lives on 2G vectors: it cannot be given to a profile whose radio has no GERAN."""
    done = wifi.merlon.run("set", "profile", "wifi-none", "services=wifi-sim", "rats=lte-m", check=False)
    assert done.returncode != 0 and "EAP-SIM needs 2G vectors" in done.stdout + done.stderr


def test_one_subscribers_vectors_are_bounded(wifi):
    imsi, other, since = wifi.sim(), wifi.sim(), wifi.merlon.mark()
    got = wifi.ask(*[f"SIM-REQ-AUTH {imsi} 3"] * 190)
    assert all("FAILURE" not in line for line in got[:100])
    for _ in range(4):
        got += wifi.ask(*[f"SIM-REQ-AUTH {imsi} 3"] * 190)
    assert got[-1] == f"SIM-RESP-AUTH {imsi} FAILURE"
    assert wifi.merlon.event(since, event="home.wifi_limited")["clause"] == "R-5.3.a"
    poll(lambda: "FAILURE" not in wifi.ask(f"AKA-REQ-AUTH {other}")[0], 5, "another subscriber is served")


@pytest.mark.parametrize("line", ["", "AKA-REQ-AUTH", "AKA-REQ-AUTH ", "SIM-REQ-AUTH 999708000000000", "x" * 5000,
                                  "SIM-REQ-AUTH 999708000000000 0", "SIM-REQ-AUTH 999708000000000 99",
                                  "AKA-AUTS 999708000000000 00 00", "AKA-REQ-AUTH 1\n2", "HLR-DUMP 1",
                                  "AKA-REQ-AUTH 999708000000000 %n%n"])
def test_what_is_no_request_is_dropped(wifi, line):
    before = wifi.metric("malformed")
    assert wifi.ask(line, answers=0) == []
    poll(lambda: wifi.metric("malformed") == before + 1, 5, "the metric of it")


@pytest.mark.parametrize("who", ["abc", "0", "12345", "1234567890123456", "12345678901234567890", "%s%n"])
def test_an_identity_that_is_no_imsi_is_unknown(wifi, who):
    assert wifi.ask(f"AKA-REQ-AUTH {who}") == [f"AKA-RESP-AUTH {who} FAILURE"]


ASK = """import os, socket, sys
os.umask(0)  # home answers with no privilege of its own
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[2])
s.settimeout(5)
s.sendto(b"AKA-REQ-AUTH " + sys.argv[3].encode(), sys.argv[1])
print(s.recv(4096).decode())
"""


def test_only_members_of_the_group_may_ask(wifi):
    mode = os.stat(wifi.auc).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660
    imsi, nobody, said = wifi.sim(), 65534, []
    for group in (grp.getgrnam(GROUP).gr_gid, grp.getgrnam("daemon").gr_gid):
        mine = os.path.join(wifi.open, f"a{group}")
        done = subprocess.run([sys.executable, "-c", ASK, wifi.auc, mine, imsi], capture_output=True, text=True,
                              user=nobody, group=group, extra_groups=[], timeout=20)
        said.append((done.returncode, done.stdout.count("AKA-RESP-AUTH"), "PermissionError" in done.stderr))
    assert said == [(0, 1, False), (1, 0, True)]


def test_a_card_with_tuak_and_a_long_res(wifi):
    """RFC 4187 10.8: RES is 32 to 128 bits long; TS 35.231 makes them all (R-5.2.1.b)."""
    for n in (4, 16):
        imsi, k, topc = next(numbers), bytes(range(32)), tuak.topc_of(bytes(range(32)), bytes(32))
        wifi.merlon.import_csv(
            ["imsi", "alg", "k", "topc", "amf", "tuak", "tenant", "profile"],
            [{"imsi": imsi, "alg": "tuak", "k": k.hex(), "topc": topc.hex(), "amf": "8000", "tuak": str(8 * n),
              "tenant": "cars", "profile": "wifi-all"}])
        o = wifi.try_it("AKA", imsi, usim=Tuak(k, topc, n), sqn_ms=1 << 44 if n == 16 else 0)
        o.accepted(1)
        assert o.card.did == (["UMTS-AUTS"] if n == 16 else []) + ["UMTS-AUTH"]
