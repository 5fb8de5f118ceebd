"""What lies in a process's memory, and in a core made of it, as root sees them from outside."""
import ctypes
import ctypes.util
import os
import re
import subprocess

import lmdb


class Place:
    """One mapping: its name, and the flags that smaps gives it (dd: left out of a core, lo: locked)."""

    def __init__(self, head):
        found = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", head)
        self.start, self.end = int(found[1], 16), int(found[2], 16)
        self.mode, self.name, self.flags, self.resident = found[3], found[4].strip(), set(), 0

    def __repr__(self):
        return f"{self.name or 'anonymous'} {self.mode} {' '.join(sorted(self.flags))}"


def places(pid):
    found = []
    with open(f"/proc/{pid}/smaps", encoding="ascii") as f:
        for line in f:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                found.append(Place(line))
            elif line.startswith("Rss:"):
                found[-1].resident = int(line.split()[1]) << 10
            elif line.startswith("VmFlags:"):
                found[-1].flags = set(line.split()[1:])
    return found


def search(pid, secrets):
    """[(name of the secret, the place where it is)] of all that can be read."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for place in places(pid):
            stored = place.name.startswith("/") and place.mode.endswith("s")  # a file of ours: searched as such
            if "r" not in place.mode or place.resident == 0 or place.name.startswith("[v") or stored:
                continue
            for text in resident(pid, mem, place):
                found += [(name, place) for name, secret in secrets.items()
                          if secret in text or secret[::-1] in text]
    return found


def resident(pid, mem, place):
    """Its pages that are there, in runs; what was never touched holds nothing."""
    page, run = os.sysconf("SC_PAGESIZE"), 0
    with open(f"/proc/{pid}/pagemap", "rb", 0) as f:
        f.seek(place.start // page * 8)
        entries = f.read((place.end - place.start) // page * 8)
    there = [entries[i + 7] & 0xc0 for i in range(0, len(entries), 8)] + [0]  # present, or swapped
    for i, one in enumerate(there):
        if one:
            run += 1
            continue
        if run:
            try:
                mem.seek(place.start + (i - run) * page)
                yield mem.read(run * page)
            except OSError:
                pass
        run = 0


class Span(ctypes.Structure):
    """struct iovec"""
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


PROCESS_MADVISE, MADV_PAGEOUT = 440, 21


def page_out(pid):
    """Ask the kernel to put all of a process's memory out into swap; what is locked stays."""
    libc, pidfd = ctypes.CDLL(None, use_errno=True), os.pidfd_open(pid)
    for place in places(pid):
        span = Span(place.start, place.end - place.start)
        libc.syscall(PROCESS_MADVISE, pidfd, ctypes.byref(span), ctypes.c_size_t(1), MADV_PAGEOUT, 0)
    os.close(pidfd)


def core(pid, to):
    """A core of a living process by gdb, which leaves out what the kernel would."""
    done = subprocess.run(["gdb", "-q", "-batch", "-nx", "-p", str(pid), "-ex", f"gcore {to}"], capture_output=True,
                          text=True, timeout=120, check=False)
    assert os.path.exists(to), done.stdout + done.stderr
    return to


def held(path, secrets):
    """The names of those that a file holds, forwards or backwards (TUAK's fields are), read once."""
    with open(path, "rb") as f:
        text = f.read()
    return [name for name, secret in secrets.items() if secret in text or secret[::-1] in text]


def data_key(data_dir):
    """What no command tells: the vault's data key, opened as home opens it (AES-256-GCM under master.key)."""
    sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
    assert sodium.sodium_init() >= 0
    with open(f"{data_dir}/master.key", encoding="ascii") as f:
        master = bytes.fromhex(f.read().strip())
    env = lmdb.open(f"{data_dir}/vault-auc", readonly=True, lock=False, max_dbs=2)
    with env.begin(db=env.open_db(b"meta", create=False)) as txn:
        wrap = bytes(txn.get(b"data-key"))
    env.close()
    aad, out = b"merlon vault auc, data key", ctypes.create_string_buffer(32)
    size = ctypes.c_ulonglong
    rc = sodium.crypto_aead_aes256gcm_decrypt(out, None, None, wrap[12:], size(len(wrap) - 12), aad, size(len(aad)),
                                              wrap[:12], master)
    assert rc == 0
    return out.raw
