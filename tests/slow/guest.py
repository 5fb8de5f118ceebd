"""A Debian kernel in QEMU (no KVM needed) with the SCTP that this machine's kernel may lack, and osmo-stp on it.

    guest.py FOLDER     fetches what it is made of, while there is a network"""
import glob
import gzip
import os
import re
import shutil
import subprocess
import sys

MODULES = ["lib/libcrc32c", "net/ipv4/udp_tunnel", "net/ipv6/ip6_udp_tunnel", "net/sctp/sctp", "drivers/virtio/virtio_ring",
           "drivers/virtio/virtio", "drivers/virtio/virtio_pci_legacy_dev", "drivers/virtio/virtio_pci_modern_dev",
           "drivers/virtio/virtio_pci", "net/core/failover", "drivers/net/net_failover", "drivers/net/virtio_net"]
INIT = """#!/bin/busybox sh
B=/bin/busybox
$B mount -t proc none /proc
$B mount -t sysfs none /sys
for m in {modules}; do $B insmod /m/$m.ko; done
$B ip link set lo up
$B ip addr add 10.77.0.2/24 dev eth0
$B ip link set eth0 up
echo guest up
/usr/bin/osmo-stp -c /stp.cfg 2>&1
echo osmo-stp ended
$B poweroff -f
"""


class Missing(Exception):
    """Something that the guest is made of is not here, and cannot be fetched."""


def fetch(package, where):
    """The files of a Debian package, not installed."""
    to = os.path.join(where, package)
    if not os.path.isdir(to):
        os.makedirs(where, exist_ok=True)
        done = subprocess.run(["apt-get", "download", package], cwd=where, capture_output=True, text=True, timeout=300, check=False)
        found = glob.glob(os.path.join(where, package + "_*.deb"))
        if done.returncode != 0 or not found:
            raise Missing(f"{package} cannot be fetched: {done.stderr.strip()[-200:]}")
        subprocess.run(["dpkg-deb", "-x", found[0], to + ".new"], check=True, timeout=300)
        os.rename(to + ".new", to)
    return to


def kernel_package():
    done = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"linux-image-[\w.-]+-cloud-amd64", done.stdout.split("\n", 1)[-1])
    if not found:
        raise Missing("no linux-image-cloud-amd64 in the package lists")
    return found.group()


def fetch_all(cache):
    return [fetch(p, cache) for p in (kernel_package(), "osmo-stp", "busybox-static")]


def libraries(program, more):
    """What a program needs of /lib, as ldd says, with libraries of its own beside it."""
    env = {**os.environ, "LD_LIBRARY_PATH": ":".join(more)}
    text = subprocess.run(["ldd", program], capture_output=True, text=True, env=env, timeout=30, check=True).stdout
    if "not found" in text:
        raise Missing(f"libraries of {program}: {text}")
    return re.findall(r"(/\S+) \(0x", text)


def copy(path, root, to=None):
    to = os.path.join(root, (to or path).lstrip("/"))
    os.makedirs(os.path.dirname(to), exist_ok=True)
    shutil.copy(path, to)
    os.chmod(to, 0o755)


def image(cache, config):
    """Kernel and initramfs."""
    kernel, stp, busybox = fetch_all(cache)
    root = os.path.join(cache, "root")
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("proc", "sys", "dev", "tmp", "m"):
        os.makedirs(os.path.join(root, folder))
    program = os.path.join(stp, "usr/bin/osmo-stp")
    for path in libraries(program, []):
        copy(path, root)
    copy(program, root, "/usr/bin/osmo-stp")
    copy(glob.glob(os.path.join(busybox, "*bin", "busybox"))[0] if glob.glob(os.path.join(busybox, "*bin", "busybox"))
         else os.path.join(busybox, "usr/bin/busybox"), root, "/bin/busybox")
    modules = glob.glob(os.path.join(kernel, "*", "modules", "*", "kernel")) + glob.glob(os.path.join(kernel, "usr/lib/modules/*/kernel"))
    names = []
    for m in MODULES:
        path = os.path.join(modules[0], m + ".ko")
        if os.path.exists(path):
            copy(path, root, f"/m/{os.path.basename(m)}.ko")
            names.append(os.path.basename(m))
    with open(os.path.join(root, "init"), "w", encoding="ascii") as f:
        f.write(INIT.format(modules=" ".join(names)))
    os.chmod(os.path.join(root, "init"), 0o755)
    with open(os.path.join(root, "stp.cfg"), "w", encoding="ascii") as f:
        f.write(config)
    files = subprocess.run(["find", "."], cwd=root, capture_output=True, timeout=30, check=True).stdout
    packed = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=files, capture_output=True, timeout=60, check=True).stdout
    initrd = os.path.join(cache, "initrd.gz")
    with gzip.open(initrd, "wb", 1) as f:
        f.write(packed)
    return glob.glob(os.path.join(kernel, "boot", "vmlinuz-*"))[0], initrd


class Guest:
    """Boots it on a tap device of this network namespace: 10.77.0.1 and .3 are the host, .2 the guest."""

    def __init__(self, cache, config, log):
        for tool in ("qemu-system-x86_64", "cpio", "ip"):
            if not shutil.which(tool):
                raise Missing(f"{tool} is not installed")
        kernel, initrd = image(cache, config)
        for command in (["ip", "tuntap", "add", "dev", "tap77", "mode", "tap"], ["ip", "addr", "add", "10.77.0.1/24", "dev", "tap77"],
                        ["ip", "addr", "add", "10.77.0.3/24", "dev", "tap77"], ["ip", "link", "set", "tap77", "up"]):
            subprocess.run(command, check=True, timeout=10)
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", "512", "-nographic", "-kernel", kernel, "-initrd",
                 initrd, "-append", "console=ttyS0 quiet panic=-1", "-netdev", "tap,id=n,ifname=tap77,script=no,downscript=no",
                 "-device", "virtio-net-pci,netdev=n"], stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self):
        self.process.kill()
        self.process.wait(10)
        subprocess.run(["ip", "link", "del", "tap77"], check=False, timeout=10)


if __name__ == "__main__":
    try:
        fetch_all(sys.argv[1])
    except Missing as missing:
        print(missing)  # the tests say what they skip
