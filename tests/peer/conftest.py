import os
import shutil
import socket
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from fd import Authority, build_extension  # noqa: E402


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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
