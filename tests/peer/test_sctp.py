"""freeDiameter over SCTP. It knows only the kernel's; Merlon's own, by usrsctp, is in tests/unit/test_sctp.c."""
import os
import socket

import pytest
from ask import air
from diameter import plmn
from fd import FreeDiameter
from merlon import EDGE_HOST, Merlon, free_port, realm, usim

SIM = "999706000000002"


def kernel_sctp():
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP).close()
        return True
    except OSError:
        return False


@pytest.mark.skipif(not kernel_sctp(), reason="this kernel has no SCTP, and freeDiameter has no other")
def test_freediameter_is_served_over_sctp(work, extension, authority):
    port = free_port()
    m = Merlon(os.path.join(work, "sctp"), listen=[f"sctp:127.0.0.1:{port}"])
    fd = None
    try:
        m.wait_up()
        m.import_sims([SIM], "meter")
        fd = FreeDiameter(work, extension, authority, f"fd-sctp.{realm('00101')}", realm("00101"), "127.0.0.1",
                          peers=[{"host": EDGE_HOST, "port": port, "sctp": True}])
        answer = fd.wait_open(EDGE_HOST).request("AIR", air(SIM))
        usim(SIM).check(answer["Authentication-Info"]["E-UTRAN-Vector"], plmn("00101"))
    finally:
        if fd:
            fd.stop()
        assert m.stop() == 0
