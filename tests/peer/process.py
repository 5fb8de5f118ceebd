"""What the system says of a running merlon: its children by role, what they have used."""
import os

TICK_US = 1000000 // os.sysconf("SC_CLK_TCK")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(p) for p in f.read().split()]


def role_of(pid):
    """The role that a child carries in its name; None: it has just ended."""
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            return f.read().strip().split("-")[-1]
    except OSError:
        return None


def roles(supervisor):
    """Process ids by role."""
    return {role_of(p): p for p in children(supervisor)}


def cpu_us(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        after_name = f.read().rsplit(")", 1)[1].split()
    return (int(after_name[11]) + int(after_name[12])) * TICK_US
