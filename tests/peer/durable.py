"""A load that keeps a ledger of what it was promised, a product that is killed under it, and the comparison.

Each ULR carries an IMEI of its own, so a stored registration tells which ULR made it: it must be the last one that
was answered with success, or one sent after it."""
import ctypes
import glob
import json
import os
import random
import signal
import struct
import subprocess
import threading
import time

import lmdb
from ask import air, ulr
from diameter import Client, poll
from merlon import BINARY, ROOT, keys, realm
from milenage import _out, xor
from process import children, role_of

VISITED = "00101"
SHIM = r"""
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long set_back(void) { const char *s = getenv("CLOCK_SET_BACK"); return s ? atol(s) : 0; }
static long back;
__attribute__((constructor)) static void begin(void) { back = set_back(); }
int clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, id, t);
	if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) t->tv_sec -= back;
	return rc;
}
time_t time(time_t *to)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	if (to) *to = t.tv_sec;
	return t.tv_sec;
}
int gettimeofday(struct timeval *restrict to, void *restrict zone)
{
	struct timespec t;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &t);
	to->tv_sec = t.tv_sec;
	to->tv_usec = t.tv_nsec / 1000;
	return 0;
}
"""


def build_shim(where):
    """A library that sets a process's wall clock back by CLOCK_SET_BACK seconds."""
    path = os.path.join(where, "clock.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", path, "-xc", "-"], input=SHIM.encode(), check=True)
    return path


def bcd(digits):
    return int(digits.ljust(16, "f"), 16)


def registrations(stores):
    """IMSI and IMEI of every row of the file; nobody writes it now."""
    env = lmdb.open(os.path.join(stores, "registrations"), readonly=True, lock=False, max_dbs=2)
    rows = {}
    with env.begin(env.open_db(b"rows", integerkey=True, create=False)) as txn:
        for key, row in txn.cursor():
            imsi, imei = struct.unpack_from("=QQ", row)
            assert struct.unpack("=Q", key)[0] == imsi
            rows[imsi] = imei
    env.close()
    return rows


class Ledger:
    """What was promised: by IMSI the last success, and what may also have come in."""

    def __init__(self):
        self.lock = threading.Lock()
        self.done, self.maybe = {}, {}
        self.successes = self.errors = 0
        self.results = {}

    def sent(self, key, value):
        with self.lock:
            self.maybe.setdefault(key, []).append(value)

    def answered(self, key, value, result=2001):
        """With success: it is what must be there, unless a later one is."""
        with self.lock:
            self.results[result] = self.results.get(result, 0) + 1
            if result != 2001:
                self.errors += 1
                return
            self.successes += 1
            waiting = self.maybe[key]
            self.done[key] = value
            self.maybe[key] = waiting[waiting.index(value) + 1:]

    def wrong(self, stored):
        """Keys whose stored value was not promised."""
        with self.lock:
            return [(k, v, stored.get(k), self.maybe[k]) for k, v in self.done.items()
                    if stored.get(k) != v and stored.get(k) not in self.maybe[k]]


class Load:
    """Nodes that register devices and take vectors, whatever happens to the product; and a clerk who changes records."""

    def __init__(self, m, imsis, cards, clerk=(), threads=6):
        self.m, self.imsis, self.cards = m, imsis, cards
        self.regs, self.records, self.vectors = Ledger(), Ledger(), []
        self.end, self.serial = threading.Event(), random.randrange(10 ** 6)
        self.counter, self.changing = threading.Lock(), threading.Lock()
        self.threads = [threading.Thread(target=self._register, args=(i, imsis[i::threads]), daemon=True)
                        for i in range(threads)]
        self.threads.append(threading.Thread(target=self._authenticate, daemon=True))
        if clerk:
            self.threads.append(threading.Thread(target=self._clerk, args=(clerk,), daemon=True))
        for t in self.threads:
            t.start()

    def next(self):
        with self.counter:
            self.serial += 1
            return self.serial

    def _client(self, name):
        while not self.end.is_set():
            try:
                c = Client(self.m.port, f"{name}.{realm(VISITED)}", realm(VISITED))
                if c.cea is not None and c.cea.result == 2001:
                    return c
                c.close()
            except (OSError, ValueError):
                pass
            time.sleep(0.01)
        return None

    def _loop(self, name, turn):
        client = None
        while not self.end.is_set():
            if client is None or client.closed.is_set():
                client = self._client(name)
                continue
            try:
                if not turn(client):
                    time.sleep(0.01)
            except OSError:
                client.closed.set()
        if client:
            client.close()

    def _register(self, number, imsis):
        def turn(client):
            imsi = random.choice(imsis)
            imei = f"{35 * 10 ** 12 + self.next():014d}"
            self.regs.sent(bcd(imsi), bcd(imei))
            answer = client.request("ULR", ulr(imsi, VISITED, imei=imei), timeout=4)
            if answer is not None:
                self.regs.answered(bcd(imsi), bcd(imei), answer.result)
            return answer is not None and answer.result == 2001
        self._loop(f"mme{number}", turn)

    def _authenticate(self):
        def turn(client):
            imsi = random.choice(self.cards)
            answer = client.request("AIR", air(imsi, VISITED, vectors=2), timeout=4)
            if answer is None or answer.result != 2001:
                return False
            for v in answer["Authentication-Info"].all("E-UTRAN-Vector"):
                self.vectors.append((imsi, v["RAND"], v["AUTN"]))
            time.sleep(0.01)
            return True
        self._loop("auc", turn)

    def _clerk(self, imsis):
        while not self.end.is_set():
            imsi, number = random.choice(imsis), f"99972{self.next():09d}"
            with self.changing:
                self.records.sent(imsi, number)
                done = self.m.run("set", "subscription", imsi, f"msisdn={number}", check=False)
                self.records.answered(imsi, number, 2001 if done.returncode == 0 else done.stderr.strip()[-60:])
            time.sleep(0.02 if done.returncode == 0 else 0.05)

    def progress(self, timeout=30):
        """Wait for a registration and a vector more."""
        regs, vectors = self.regs.successes, len(self.vectors)
        poll(lambda: self.regs.successes > regs and len(self.vectors) > vectors, timeout,
             lambda: f"service after a kill: {self.regs.results}, {self.m.tail()}")

    def stop(self):
        self.end.set()
        for t in self.threads:
            t.join(10)

    def check_registrations(self, stores=None):
        wrong = self.regs.wrong(registrations(stores or self.m.data_dir))
        assert not wrong, f"{len(wrong)} registrations answered with success are not there: {wrong[:3]}"

    def check_records(self):
        poll(lambda: self.m.run("list", "tenant", check=False).returncode == 0, 20, "the keeper")
        with self.changing:
            shown = {i: self.m.show("subscription", i)["msisdn"] for i in list(self.records.done)}
            wrong = self.records.wrong(shown)
        assert not wrong, f"{len(wrong)} changes answered with success are not there: {wrong[:3]}"

    def check_vectors(self):
        """SEQ of each card strictly increasing in the order of the answers, so none was used twice."""
        last = {}
        for imsi, rand, autn in list(self.vectors):
            k, opc = keys(imsi)
            seq = int.from_bytes(xor(autn[:6], _out(k, opc, rand, 0, 1)[:6]), "big") >> 5
            assert seq > last.get(imsi, 0), f"{imsi}: SEQ {seq} after {last[imsi]}"
            last[imsi] = seq
        return len(self.vectors)


# --- killing ----------------------------------------------------------------------------------------------------------

def kill_role(m, name):
    for pid in children(m.process.pid):
        if role_of(pid) == name:
            os.kill(pid, signal.SIGKILL)


def kill_supervisor(m):
    """It alone, and a new one, as often as it takes: the roles of the old still have their ports on their way out."""
    m.process.kill()
    m.process.wait()

    def up():
        if m.process.poll() is not None:
            start(m)
            time.sleep(0.5)
        return m.process.poll() is None and len(children(m.process.pid)) >= len(m.roles)
    poll(up, 20, "the roles to be started again")


def kill_tree(m):
    """Everything at once, as when the machine stops."""
    pids = children(m.process.pid) + [m.process.pid]
    for pid in [m.process.pid] + pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    m.process.wait()
    poll(lambda: not any(_lives(p) for p in pids), 20, "all to end")


def _lives(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def start(m, shim=None, back=0):
    env = dict(os.environ)
    if shim:
        env.update(LD_PRELOAD=shim, CLOCK_SET_BACK=str(back))
    with open(m.log, "ab") as log:
        m.process = subprocess.Popen([BINARY, "run", "--config", m.config], stdout=log, stderr=log, env=env,
                                     stdin=subprocess.DEVNULL, cwd=ROOT)


# --- what a disk may do to a tail that was never synced ---------------------------------------------------------------

def _append(path, data):
    if os.path.exists(path):
        with open(path, "ab") as f:
            f.write(data)


def torn_wal(m, rng):
    """Half a frame of a transaction that was under way."""
    _append(f"{m.data_dir}/records.db-wal", rng.randbytes(rng.randrange(1, 9000)))


def torn_lmdb(m, rng):
    """Pages of a transaction whose meta page was not written yet."""
    for path in ("registrations/data.mdb", "vault-auc/data.mdb", "serving.mdb"):
        _append(f"{m.data_dir}/{path}", rng.randbytes(4096 * rng.randrange(1, 9)))


def torn_sqn(m, rng):
    """The place that the next reservation is written to (sqn.c): garbage."""
    with open(f"{m.data_dir}/sqn", "r+b") as f:
        slots = [f.read(4096)[at:at + 32].ljust(32, b"\0") if not f.seek(0) else b"" for at in (0, 2048)]
        turns = [int.from_bytes(s[8:16], "big") for s in slots]
        f.seek(0 if turns[0] < turns[1] else 2048)
        f.write(rng.randbytes(rng.randrange(1, 33)))


def torn_spool(m, rng):
    """A file of keys that was not whole yet."""
    with open(f"{m.data_dir}/spool/{rng.randrange(16 ** 8):016x}.part", "wb") as f:
        f.write(b"MERLONK2" + rng.randbytes(rng.randrange(200)))


def torn_events(m, rng):
    _append(m.events_path, b'{"event":"torn","detail":"' + b"x" * rng.randrange(500))


def torn_sightings(m, rng):
    for path in glob.glob(f"{m.data_dir}/sightings.*"):
        _append(path, rng.randbytes(rng.randrange(1, 5000)))


def undone_serving(m, _rng):
    """The serving copy's last commit undone, whole: its meta page is the one thing it does not wait for."""
    with open(f"{m.data_dir}/serving.mdb", "r+b") as f:
        pages = [f.read(4096), f.read(4096)]
        # md_root of both, then mm_last_pg and mm_txnid: the last 16 bytes of struct MDB_meta
        txns = [struct.unpack_from("=Q", p, 16 + 24 + 2 * 48 + 8)[0] for p in pages]
        old = 0 if txns[0] < txns[1] else 1
        f.seek(16 if old == 1 else 4096 + 16)  # after the page's own header
        f.write(pages[old][16:16 + 24 + 2 * 48 + 16])


def stale_head(m, _rng):
    """journal.head as it was at the first kill: it is written without waiting for the disk."""
    path, kept = f"{m.data_dir}/journal.head", f"{m.where}/journal.head.old"
    if not os.path.exists(kept):
        with open(path, "rb") as f, open(kept, "wb") as g:
            g.write(f.read())
    with open(kept, "rb") as f, open(path, "wb") as g:
        g.write(f.read())


TORN = [torn_wal, torn_lmdb, torn_sqn, torn_spool, torn_events, torn_sightings, undone_serving, stale_head]


def events(m):
    """Every line of the events' file is whole."""
    with open(m.events_path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


assert ctypes.sizeof(ctypes.c_void_p) == 8  # the layouts above
