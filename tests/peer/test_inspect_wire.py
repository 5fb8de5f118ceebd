"""Merlon as a bump in the wire between Osmocom's sgsnemu and osmo-ggsn (GTPv1): sessions are set up through it, and
real traffic through the tunnel keeps to the profile (R-5.1.d); the wire outlives the process."""
import os
import signal
import subprocess
import time

import pytest
from netns import MerlonBetween, Namespace, missing, until
from process import roles

IMSI = "999700000000001"
CREATES = 40
PLATFORM, ELSEWHERE = "192.0.2.10", "198.51.100.1"
GGSN = """log stderr
 logging filter all 1
 logging level lgtp info
line vty
 no login
ggsn ggsn0
 gtp state-dir {where}
 gtp bind-ip 10.99.0.2
 apn meters.iot
  gtpu-mode tun
  tun-device tun4
  type-support v4
  ip prefix dynamic 10.45.0.0/24
  ip dns 0 {platform}
  ip ifconfig 10.45.0.0/24
  no shutdown
 default-apn meters.iot
 no shutdown ggsn
"""


class Network:
    """sgsn (10.99.0.1) - Merlon - ggsn (10.99.0.2), with the platform and somebody else behind it."""
    def __init__(self, where, **inspect):
        os.makedirs(where, exist_ok=True)
        self.where = where
        self.sgsn, self.mid, self.ggsn = Namespace(), Namespace(), Namespace()
        self.sgsn.veth("s0", self.mid, "m0")
        self.ggsn.veth("g0", self.mid, "m1")
        for address in ("10.99.0.1/24", "10.99.0.3/24"):
            self.sgsn("ip", "addr", "add", address, "dev", "s0")
        self.ggsn("ip", "addr", "add", "10.99.0.2/24", "dev", "g0")
        for address in (PLATFORM, ELSEWHERE):
            self.ggsn("ip", "addr", "add", f"{address}/32", "dev", "lo")
        self.ggsn("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", check=False)
        config = os.path.join(where, "ggsn.cfg")
        with open(config, "w", encoding="ascii") as f:
            f.write(GGSN.format(where=where, platform=PLATFORM))
        self.ggsn.start("osmo-ggsn", "-c", config, log=os.path.join(where, "ggsn.log"), cwd=where)
        self.ggsn.start("/usr/bin/python3", "-m", "http.server", "8080", "--bind", "0.0.0.0", cwd=where)
        with open(os.path.join(where, "hello"), "w", encoding="ascii") as f:
            f.write("hello " * 2000)
        self.merlon = MerlonBetween(os.path.join(where, "merlon"), self.mid, **inspect)

    def records(self):
        m = self.merlon
        m.wait_up(40)
        m.set("network", "00101", addresses="10.99.0.1/32 10.99.0.3/32", trust="trusted", apps="s6a map gtp")
        m.set("network", "99970", addresses="10.99.0.2/32")
        m.import_rows([IMSI], "meter")

    def emulate(self, *more, imsi=IMSI, address="10.99.0.1"):
        where = os.path.join(self.where, f"sgsnemu-{address}")
        os.makedirs(where, exist_ok=True)
        return self.sgsn.start("sgsnemu", "-l", address, "-r", "10.99.0.2", "-a", "meters.iot", "-i", imsi,
                               "--rai=001.01.1.1", "--userloc=0.001.01.1.1", "--imeisv=3512340000000011",
                               "--statedir", where, "--pidfile", os.path.join(where, "pid"), *more,
                               log=os.path.join(where, "log"), cwd=where)

    def curl(self, address, timeout=5, check=True):
        done = self.sgsn("curl", "-sS", "-m", str(timeout), f"http://{address}:8080/hello", check=False,
                         timeout=timeout + 10)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout if done.returncode == 0 else None

    def close(self):
        self.merlon.stop()
        for space in (self.sgsn, self.mid, self.ggsn):
            space.close()


@pytest.fixture(scope="module")
def network(work):
    why = missing("osmo-ggsn", "sgsnemu", "curl", "tshark") or (not os.path.exists("/dev/net/tun") and "no /dev/net/tun")
    if why:
        pytest.skip(why)
    n = Network(os.path.join(work, "wire"), mark=True, devices=["10.45.0.0/16"], capacity=2, concurrency=4)
    try:
        n.records()
        yield n
    finally:
        n.close()


def test_a_session_is_set_up_through_it_and_only_the_platform_is_reached(network):
    m, since = network.merlon, network.merlon.mark()
    m.set("profile", "meter", reach=f"tcp:{PLATFORM}:8080 icmp:{PLATFORM}")
    network.emulate("--createif", "--defaultroute", "--tun-device", "tun0")
    until(lambda: "10.45." in network.sgsn("ip", "addr", "show", "tun0").stdout, 20, "the tunnel")
    assert network.curl(PLATFORM).startswith("hello ")
    assert network.curl(ELSEWHERE, 2, check=False) is None
    assert m.metric("sessions") == 1
    until(lambda: m.metric("dropped_total", "destination") > 0, 10, "what was dropped, counted")
    e = m.event(since, 10, event="inspect.dropped", reason="destination")
    assert (e["to"], e["clause"], e["imsi"]) == (ELSEWHERE, "R-5.1.d", IMSI)
    m.set("profile", "meter", reach="")
    until(lambda: network.curl(ELSEWHERE, 2), 20, "elsewhere, once it is allowed")


def test_a_leak_is_told_once_its_tenant_has_agreed(network):
    """A card's number in clear text through the tunnel (R-5.8.2.b): told with its shape, not with the number."""
    m = network.merlon

    def leak():
        network.sgsn("curl", "-s", "-m", "5", "-o", "/dev/null", "-d", '{"card": "4111 1111 1111 1111"}',
                     f"http://{PLATFORM}:8080/", check=False)
    since = m.mark()
    leak()
    m.set("agreement", "meters-2026", tenant="meters", purposes="inspection", signed="2026-01-01")

    def told():
        leak()
        return next((e for e in m.events(since) if e["event"] == "inspect.leak"), None)
    e = until(told, 30, "the leak")
    assert (e["imsi"], e["other"], e["direction"]) == (IMSI, PLATFORM, "up")
    with open(m.events_path, encoding="utf-8") as f:
        assert "4111" not in f.read()


def test_a_forged_tunnel_and_a_forged_address_go_no_further(network):
    """With scapy in sgsn's place: the GGSN's tunnels are numbered from 1."""
    script = """
import sys
from scapy.all import IP, UDP, Ether, Raw, sendp, getmacbyip
from scapy.contrib.gtp import GTPHeader
teid, source = int(sys.argv[1], 16), sys.argv[2]
inner = IP(src=source, dst="192.0.2.10") / UDP(sport=4000, dport=4000) / Raw(b"x")
sendp(Ether(dst=getmacbyip("10.99.0.2")) / IP(src="10.99.0.1", dst="10.99.0.2") / UDP(sport=2152, dport=2152) /
      GTPHeader(version=1, PT=1, gtp_type=255, teid=teid) / inner, iface="s0", verbose=False)
"""
    m = network.merlon

    def forge(teid, source):
        network.sgsn("/usr/bin/python3", "-c", script, teid, source)
    before = m.metric("dropped_total", "unknown_tunnel")
    forge("deadbeef", "10.45.0.2")
    until(lambda: m.metric("dropped_total", "unknown_tunnel") == before + 1, 10, "a forged tunnel, counted")
    with open(os.path.join(network.where, "ggsn.log"), encoding="utf-8", errors="replace") as f:
        assert "deadbeef" not in f.read().lower()


def test_a_refused_create_carries_a_back_off_that_wireshark_reads(network):
    """More sessions at once than the gateway is said to carry (inspect.capacity): TS 29.060 7.7.102."""
    m, since = network.merlon, network.merlon.mark()
    capture = os.path.join(network.where, "creates.pcap")
    # sgsnemu counts contexts in the last digit but one
    m.import_rows([str(int(IMSI) + 1000 + 10 * i) for i in range(CREATES)], "meter")
    sniffer = network.sgsn.start("tshark", "-q", "-i", "s0", "-w", capture, "-f", "udp port 2123")
    until(lambda: os.path.getsize(capture) > 0, 20, "the capture")
    emulator = network.emulate("--contexts", str(CREATES), "--createif", "--tun-device", "tun9", imsi=str(int(IMSI) + 1000),
                               address="10.99.0.3")
    e = m.event(since, 20, event="inspect.refused", check="load.admission")
    assert e["message"] == "CreatePDPContextRequest" and int(e["cause"]) == 229
    time.sleep(1)
    for child in (emulator, sniffer):
        child.terminate()
        child.wait(10)
    told = subprocess.run(["tshark", "-r", capture, "-Y", "gtp.cause == 229", "-V"], capture_output=True, text=True,
                          timeout=60, check=True).stdout
    assert "APN Congestion (229)" in told and "GGSN Back-Off Time" in told and "Malformed" not in told, told[:3000]


def direct(network, timeout=2):
    """Not through the tunnel: the wire itself."""
    return network.curl("10.99.0.2", timeout).startswith("hello ")


def test_the_wire_outlives_the_process(network):
    """kill -9 of the role: the kernel forwards after the watchdog's time, until the supervisor has started it
    again; of all of Merlon: it forwards for good."""
    m = network.merlon
    since = m.mark()
    os.kill(roles(m.process.pid)["inspect"], signal.SIGKILL)
    until(lambda: direct(network), 20, "the wire after the role was killed")
    m.event(since, 20, event="role.up", name="inspect")
    assert network.curl(PLATFORM, 10).startswith("hello ")  # its session is still known
    assert m.metric("dropped_total", "unknown_tunnel") == 0  # of the new process
    os.kill(m.process.pid, signal.SIGSTOP)  # so that it starts nothing again
    for pid in roles(m.process.pid).values():
        os.kill(pid, signal.SIGKILL)
    m.process.kill()
    m.process.wait(10)
    until(lambda: direct(network), 20, "the wire without Merlon")
    assert "merlon_wire" in m.space("tc", "filter", "show", "dev", "m0", "ingress").stdout
    assert network.curl(PLATFORM).startswith("hello ")


def test_by_af_xdp_it_is_the_same_wire(network):
    """inspect.driver: xdp. A veth hands over packets without the checksums that a card would add: they are made
    before, as on a real wire (ETHTOOL_STXCSUM)."""
    script = """
import ctypes, fcntl, socket, struct, sys
value = ctypes.create_string_buffer(struct.pack("II", 0x17, 0))
fcntl.ioctl(socket.socket(), 0x8946, struct.pack("16sP", sys.argv[1].encode(), ctypes.addressof(value)))
"""
    for space, device in ((network.sgsn, "s0"), (network.ggsn, "g0")):
        space("/usr/bin/python3", "-c", script, device)
    m = MerlonBetween(os.path.join(network.where, "xdp"), network.mid, driver="xdp")
    try:
        m.wait_up(40)
        until(lambda: direct(network), 20, "the wire by AF_XDP")
        assert "xdp" in network.mid("ip", "link", "show", "m0").stdout
        until(lambda: m.metric("frames_total") > 0, 10, "frames, counted")
        os.kill(roles(m.process.pid)["inspect"], signal.SIGKILL)
        until(lambda: direct(network), 20, "the wire after the role was killed")
    finally:
        m.stop()
    until(lambda: direct(network), 20, "the wire without Merlon")


def test_closed_the_wire_ends_with_the_process(network):
    """The same interfaces, and inspect.fail: closed: the kernel's filter is gone, and so is the wire."""
    m = MerlonBetween(os.path.join(network.where, "closed"), network.mid, fail="closed")
    try:
        m.wait_up(40)
        until(lambda: direct(network), 20, "the wire with Merlon")
        assert "merlon_wire" not in m.space("tc", "filter", "show", "dev", "m0", "ingress").stdout
    finally:
        m.stop()
    with pytest.raises(AssertionError):
        direct(network)
