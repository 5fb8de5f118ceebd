"""Network namespaces without names: each is held by a process, and gone with it."""
import os
import shutil
import subprocess
import time

from diameter import poll
from merlon import BINARY, Merlon


def missing(*programs):
    """Why a test between namespaces cannot run here; None: it can."""
    if os.geteuid() != 0:
        return "not root"
    lost = [p for p in ("ip", "unshare", "nsenter", *programs) if not shutil.which(p)]
    if lost:
        return f"not installed: {', '.join(lost)}"
    probe = subprocess.run(["unshare", "-n", "sh", "-c", "ip link add v0 type veth peer name v1"],
                           capture_output=True, check=False, timeout=20)
    return f"no namespaces or veth here: {probe.stderr.decode().strip()}" if probe.returncode else None


class Namespace:
    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        own = os.readlink("/proc/self/ns/net")
        poll(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != own, 10, "a namespace")
        self.children = []
        self("ip", "link", "set", "lo", "up")

    def enter(self, *command):
        return ["nsenter", "-t", str(self.holder.pid), "-n", *command]

    def __call__(self, *command, check=True, timeout=30):
        done = subprocess.run(self.enter(*command), capture_output=True, text=True, timeout=timeout, check=False)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def start(self, *command, log=None, cwd=None):
        with open(log or os.devnull, "ab") as out:
            child = subprocess.Popen(self.enter(*command), stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=cwd)
        self.children.append(child)
        return child

    def veth(self, name, other, other_name):
        """A cable from here to another namespace."""
        self("ip", "link", "add", name, "type", "veth", "peer", "name", other_name, "netns", str(other.holder.pid))
        self("ip", "link", "set", name, "up")
        other("ip", "link", "set", other_name, "up")

    def close(self):
        for child in self.children:
            child.kill()
            child.wait(5)
        self.holder.kill()
        self.holder.wait(5)


class MerlonBetween(Merlon):
    """Merlon in a namespace of its own, with the inspect role between the interfaces m0 and m1."""
    def __init__(self, where, space, **inspect):
        os.makedirs(where, exist_ok=True)
        self.space = space
        runner = os.path.join(where, "merlon")
        with open(runner, "w", encoding="ascii") as f:
            f.write(f'#!/bin/sh\nexec {" ".join(space.enter(BINARY))} "$@"\n')
        os.chmod(runner, 0o755)
        super().__init__(where, roles="keeper, watch, inspect", binary=runner,
                         more={"inspect": {"pairs": ["m0=m1"], **inspect}})

    def metrics(self):
        return self.space("curl", "-s", "-m", "5", f"http://127.0.0.1:{self.http_port}/metrics").stdout

    def metric(self, name, label=None):
        total = 0
        for line in self.metrics().splitlines():
            if line.startswith(f"merlon_inspect_{name}") and (label is None or f'"{label}"' in line):
                total += int(line.split()[-1])
        return total

    def _ready(self):
        self._alive()
        return self.space("curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}",
                          f"http://127.0.0.1:{self.http_port}/readyz", check=False).stdout == "200"


def until(what, timeout, message):
    """poll, for what may also fail by itself at first."""
    def look():
        try:
            return what()
        except (AssertionError, OSError, subprocess.SubprocessError):
            time.sleep(0.05)
            return None
    return poll(look, timeout, message)
