import itertools
import os
import shutil
import ssl
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from diameter import Client, poll  # noqa: E402
from fd import Authority, FreeDiameter, build_extension  # noqa: E402
from merlon import BINARY, EDGE_HOST, PORTS, Merlon, realm  # noqa: E402

SIMS = {"meter": 90, "car": 40, "pacemaker": 20}
CAPTURE_IMSI = "999707364000060"  # of the real MME's requests (test_captures.py)


# What must not fail even once: a registration, a sequence number or a key that is lost now and then is lost.
ONCE = ("test_durable", "test_keeping", "test_compromise", "test_vault", "test_secrets", "test_receipts", "test_upgrade",
        "outlives")


def pytest_collection_modifyitems(items):
    """What looks at all the traffic of the others comes last. On a busy machine a peer may be late: a second try, said aloud."""
    items.sort(key=lambda item: "test_wireshark.py" in item.nodeid)
    for item in items:
        if not any(name in item.nodeid for name in ONCE):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_runtest_logreport(report):
    if report.outcome == "rerun":
        print(f"\nfailed at the first try: {report.nodeid}\n{report.longreprtext}", file=sys.__stdout__, flush=True)


@pytest.fixture(scope="session")
def work():
    """A folder with a short name (Unix sockets), gone at the end unless KEEP is set."""
    path = tempfile.mkdtemp(prefix="mp-", dir="/tmp")
    yield path
    if not os.environ.get("KEEP"):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def authority(work):
    where = os.path.join(work, "ca")
    os.makedirs(where)
    return Authority(where)


@pytest.fixture(scope="session")
def extension(work):
    if not shutil.which("freeDiameterd"):
        pytest.skip("freeDiameter is not installed")
    return build_extension(work)


class Capture:
    """The Diameter of this run on the loopback interface, to a file."""

    def __init__(self, work):
        self.path = os.path.join(work, "lo.pcapng")
        which = f"tcp portrange {PORTS[0]}-{PORTS[-1]}"
        with open(os.path.join(work, "dumpcap.log"), "wb") as err:
            command = ["dumpcap", "-q", "-B", "64", "-i", "lo", "-f", which, "-w", self.path]
            self.process = subprocess.Popen(command, stderr=err)
        poll(lambda: self.process.poll() is not None or os.path.exists(self.path), 10, "dumpcap")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(5)


@pytest.fixture(scope="session")
def capture(work):
    """From before the product starts; None where dumpcap may not listen."""
    c = Capture(work) if shutil.which("dumpcap") else None
    yield c if c and c.process.poll() is None else None
    if c:
        c.stop()


@pytest.fixture(scope="session")
def merlon(work, authority, capture):
    """The product: all roles, two workers, TCP and TLS, the demo network, cards that we know."""
    assert os.access(BINARY, os.X_OK), f"{BINARY} is not built"
    m = Merlon(os.path.join(work, "merlon"), authority=authority, workers=2)
    try:
        m.wait_up()
        m.numbers = {}
        for n, (profile, count) in enumerate(SIMS.items()):
            imsis = [f"99970{n + 5}{i:09d}" for i in range(count)]
            m.import_sims(imsis, profile)
            m.numbers[profile] = iter(imsis)
        m.import_sims([CAPTURE_IMSI], "meter")
        yield m
    finally:
        code = m.stop()
    assert code == 0, f"merlon run ended with {code}: {m.tail()}"


@pytest.fixture
def sim(merlon):
    """sim("meter"): the IMSI of a card that no other test has had; its keys are those of usim(imsi)."""
    return lambda profile="meter": next(merlon.numbers[profile])


def connect_fd(merlon, work, extension, authority, name, plmn, tls=False, address="127.0.0.1"):
    port = merlon.tls_port if tls else merlon.port
    fd = FreeDiameter(work, extension, authority, f"{name}.{realm(plmn)}", realm(plmn), address,
                      peers=[{"host": EDGE_HOST, "port": port, "tls": tls}])
    return fd.wait_open(EDGE_HOST)


@pytest.fixture(scope="session")
def fd_tcp(merlon, work, extension, authority):
    fd = connect_fd(merlon, work, extension, authority, "fd-tcp", "00101")
    yield fd
    fd.stop()


@pytest.fixture(scope="session")
def fd_tls(merlon, work, extension, authority):
    fd = connect_fd(merlon, work, extension, authority, "fd-tls", "00101", tls=True)
    yield fd
    fd.stop()


@pytest.fixture(params=["tcp", "tls"])
def mme(request):
    """freeDiameter as the MME of partner 001-01, over TCP and over TLS."""
    return request.getfixturevalue(f"fd_{request.param}")


@pytest.fixture
def node(merlon, authority):
    """node("00101"): a plain client as a node of this network, gone after the test."""
    clients, serial = [], itertools.count(1)

    def make(plmn="00101", name=None, tls=False, **kw):
        host = f"{name or f'n{os.getpid()}-{len(made)}-{next(serial)}'}.{realm(plmn)}"
        context = None
        if tls:
            context = ssl.create_default_context(cafile=authority.ca)
            context.check_hostname = False
            context.load_cert_chain(*authority.issue(host))
        c = Client(merlon.tls_port if tls else merlon.port, host, realm(plmn), tls=context, **kw)
        clients.append(c)
        return c

    made.append(1)
    yield make
    for c in clients:
        c.close()


made = []  # tests so far: a host name is not used twice
