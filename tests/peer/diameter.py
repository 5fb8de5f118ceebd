"""Diameter as the tests speak it: a codec of their own (not Merlon's), and a plain client.

AVPs are written as pairs: ("User-Name", "999700000000001"), a group with a list as its value.
"""
import ipaddress
import queue
import socket
import ssl
import struct
import threading
import time

S6A, S13, ZN, SWX = 16777251, 16777252, 16777220, 16777265
VENDOR = 10415
COMMANDS = {"CER": (257, 0), "DWR": (280, 0), "DPR": (282, 0), "ULR": (316, S6A), "CLR": (317, S6A),
            "AIR": (318, S6A), "IDR": (319, S6A), "DSR": (320, S6A), "PUR": (321, S6A),
            "RSR": (322, S6A), "NOR": (323, S6A), "ECR": (324, S13), "BIR": (310, ZN),
            "SAR": (301, SWX), "MAR": (303, SWX), "RTR": (304, SWX), "PPR": (305, SWX)}
NAMES = {code: name for name, (code, _) in COMMANDS.items()}
R, P, E, T = 0x80, 0x40, 0x20, 0x10

# name: code, vendor, kind (t text, u number, a address, o octets, g group), M bit
AVPS = {
    "User-Name": (1, 0, "t"), "Host-IP-Address": (257, 0, "a"),
    "Auth-Application-Id": (258, 0, "u"), "Vendor-Specific-Application-Id": (260, 0, "g"),
    "Session-Id": (263, 0, "t"), "Origin-Host": (264, 0, "t"), "Supported-Vendor-Id": (265, 0, "u"),
    "Vendor-Id": (266, 0, "u"), "Result-Code": (268, 0, "u"), "Product-Name": (269, 0, "t"),
    "Disconnect-Cause": (273, 0, "u"), "Auth-Session-State": (277, 0, "u"),
    "Failed-AVP": (279, 0, "g"), "Error-Message": (281, 0, "t"), "Route-Record": (282, 0, "t"),
    "Destination-Realm": (283, 0, "t"), "Proxy-Info": (284, 0, "g"), "Proxy-Host": (280, 0, "t"),
    "Proxy-State": (33, 0, "o"), "Destination-Host": (293, 0, "t"),
    "Error-Reporting-Host": (294, 0, "t"), "Origin-Realm": (296, 0, "t"),
    "Experimental-Result": (297, 0, "g"), "Experimental-Result-Code": (298, 0, "u"),
    "Service-Selection": (493, 0, "t"), "Origin-State-Id": (278, 0, "u"),
    "Max-Requested-Bandwidth-DL": (515, VENDOR, "u"), "Max-Requested-Bandwidth-UL": (516, VENDOR, "u"),
    "MSISDN": (701, VENDOR, "o"), "QoS-Class-Identifier": (1028, VENDOR, "u"),
    "RAT-Type": (1032, VENDOR, "u"), "Allocation-Retention-Priority": (1034, VENDOR, "g"),
    "Priority-Level": (1046, VENDOR, "u"), "Subscription-Data": (1400, VENDOR, "g"),
    "Terminal-Information": (1401, VENDOR, "g"), "IMEI": (1402, VENDOR, "t"),
    "Software-Version": (1403, VENDOR, "t"), "ULR-Flags": (1405, VENDOR, "u"),
    "ULA-Flags": (1406, VENDOR, "u"), "Visited-PLMN-Id": (1407, VENDOR, "o"),
    "Requested-EUTRAN-Authentication-Info": (1408, VENDOR, "g"),
    "Number-Of-Requested-Vectors": (1410, VENDOR, "u"),
    "Re-Synchronization-Info": (1411, VENDOR, "o"),
    "Immediate-Response-Preferred": (1412, VENDOR, "u"), "Authentication-Info": (1413, VENDOR, "g"),
    "E-UTRAN-Vector": (1414, VENDOR, "g"), "Network-Access-Mode": (1417, VENDOR, "u"),
    "Item-Number": (1419, VENDOR, "u"), "Cancellation-Type": (1420, VENDOR, "u"),
    "DSR-Flags": (1421, VENDOR, "u"), "Context-Identifier": (1423, VENDOR, "u"),
    "Subscriber-Status": (1424, VENDOR, "u"), "Access-Restriction-Data": (1426, VENDOR, "u"),
    "All-APN-Configurations-Included-Indicator": (1428, VENDOR, "u"),
    "APN-Configuration-Profile": (1429, VENDOR, "g"), "APN-Configuration": (1430, VENDOR, "g"),
    "EPS-Subscribed-QoS-Profile": (1431, VENDOR, "g"),
    "VPLMN-Dynamic-Address-Allowed": (1432, VENDOR, "u"), "AMBR": (1435, VENDOR, "g"),
    "PUR-Flags": (1635, VENDOR, "u"), "PUA-Flags": (1442, VENDOR, "u"),
    "NOR-Flags": (1443, VENDOR, "u"), "Equipment-Status": (1445, VENDOR, "u"),
    "RAND": (1447, VENDOR, "o"), "XRES": (1448, VENDOR, "o"), "AUTN": (1449, VENDOR, "o"),
    "KASME": (1450, VENDOR, "o"), "PDN-Type": (1456, VENDOR, "u"),
    "Teleservice-List": (1486, VENDOR, "g"), "TS-Code": (1487, VENDOR, "o"),
    "IDR-Flags": (1490, VENDOR, "u"), "Subscribed-Periodic-RAU-TAU-Timer": (1619, VENDOR, "u"),
    "Error-Diagnostic": (1614, VENDOR, "u"), "CLR-Flags": (1638, VENDOR, "u"),
    "Transaction-Identifier": (401, VENDOR, "o"), "NAF-Hostname": (402, VENDOR, "o"),
    "Key-ExpiryTime": (404, VENDOR, "u"), "ME-Key-Material": (405, VENDOR, "o"),
    "BootstrapInfoCreationTime": (408, VENDOR, "u"), "GBA-Type": (410, VENDOR, "u"),
    "Subscription-Data-Flags": (1654, VENDOR, "u"), "STN-SR": (1433, VENDOR, "o"),
    "Subscription-Id": (443, 0, "g"), "Subscription-Id-Data": (444, 0, "t"), "Subscription-Id-Type": (450, 0, "u"),
    "Authentication-Information-SIM": (301, VENDOR, "o"), "Authorization-Information-SIM": (302, VENDOR, "o"),
    "3GPP-AAA-Server-Name": (318, VENDOR, "t"), "SIP-Number-Auth-Items": (607, VENDOR, "u"),
    "SIP-Authentication-Scheme": (608, VENDOR, "t"), "SIP-Authenticate": (609, VENDOR, "o"),
    "SIP-Authorization": (610, VENDOR, "o"), "SIP-Auth-Data-Item": (612, VENDOR, "g"),
    "SIP-Item-Number": (613, VENDOR, "u"), "Server-Assignment-Type": (614, VENDOR, "u"),
    "Deregistration-Reason": (615, VENDOR, "g"), "Reason-Code": (616, VENDOR, "u"),
    "Confidentiality-Key": (625, VENDOR, "o"), "Integrity-Key": (626, VENDOR, "o"),
    "Non-3GPP-User-Data": (1500, VENDOR, "g"), "Non-3GPP-IP-Access": (1501, VENDOR, "u"),
    "Non-3GPP-IP-Access-APN": (1502, VENDOR, "u"), "ANID": (1504, VENDOR, "t"),
    "AAA-Failure-Indication": (1518, VENDOR, "u"), "LCS-Info": (1473, VENDOR, "g"), "Call-Barring-Infor-List": (1488, VENDOR, "g"),
    "Supported-Features": (628, VENDOR, "g"), "Feature-List-ID": (629, VENDOR, "u"),
    "Feature-List": (630, VENDOR, "u"), "Operator-Determined-Barring": (1425, VENDOR, "u"),
}
BY_CODE = {(code, vendor): (name, kind) for name, (code, vendor, kind) in AVPS.items()}


def poll(ready, timeout, what):
    """Wait for something that nobody announces; what it gave."""
    tick, end = threading.Event(), time.monotonic() + timeout
    while True:
        got = ready()
        if got:
            return got
        assert time.monotonic() < end, f"waited {timeout} s for {what() if callable(what) else what}"
        tick.wait(0.02)


def plmn(digits):
    """Visited-PLMN-Id of MCC and MNC: TS 24.008 10.5.1.13."""
    mcc, mnc = digits[:3], digits[3:].rjust(3, "f")
    if len(digits) == 5:
        mnc = digits[3:] + "f"
    order = mcc[1] + mcc[0] + mnc[2] + mcc[2] + mnc[1] + mnc[0]
    return bytes.fromhex(order)


def encode(avps):
    out = b""
    for name, value in avps:
        code, vendor, kind = AVPS[name]
        if kind == "g":
            value = value if isinstance(value, bytes) else encode(value)
        elif kind == "u":
            value = struct.pack("!I", value)
        elif kind == "a":
            ip = ipaddress.ip_address(value)
            value = struct.pack("!H", 1 if ip.version == 4 else 2) + ip.packed
        elif isinstance(value, str):
            value = value.encode()
        out += encode_raw(code, vendor, value)
    return out


def encode_raw(code, vendor, value, flags=0x40):
    n = (12 if vendor else 8) + len(value)
    head = struct.pack("!IB", code, flags | (0x80 if vendor else 0)) + n.to_bytes(3, "big")
    if vendor:
        head += struct.pack("!I", vendor)
    return head + value + bytes(-n % 4)


class Avp:
    def __init__(self, code, vendor, flags, value):
        self.code, self.vendor, self.flags, self.raw = code, vendor, flags, value
        self.name, self.kind = BY_CODE.get((code, vendor), (str(code), "o"))

    @property
    def value(self):
        if self.kind == "g":
            return Avps(self.raw)
        if self.kind == "u":
            return int.from_bytes(self.raw, "big")
        return self.raw.decode(errors="replace") if self.kind == "t" else self.raw


class Avps(list):
    """A sequence of AVPs: [name] is the first one's value (KeyError if none), all(name) every one's."""

    def __init__(self, data):
        super().__init__()
        while data:
            code, flags = struct.unpack("!IB", data[:5])
            n = int.from_bytes(data[5:8], "big")
            head = 12 if flags & 0x80 else 8
            if n < head or n > len(data):
                raise ValueError(f"AVP {code} of length {n} among {len(data)} bytes")
            vendor = struct.unpack("!I", data[8:12])[0] if head == 12 else 0
            self.append(Avp(code, vendor, flags, data[head:n]))
            data = data[n + -n % 4:]

    def all(self, name):
        return [a.value for a in self if a.name == name]

    def __getitem__(self, name):
        if not isinstance(name, str):
            return super().__getitem__(name)
        for avp in self:
            if avp.name == name:
                return avp.value
        raise KeyError(name)

    def get(self, name, default=None):
        return self[name] if name in self else default

    def __contains__(self, name):
        return any(a.name == name for a in self)

    def names(self):
        return [a.name for a in self]


class Message:
    def __init__(self, data):
        self.bytes = data
        if data[0] != 1 or int.from_bytes(data[1:4], "big") != len(data):
            raise ValueError("not a Diameter message")
        self.flags = data[4]
        self.code = int.from_bytes(data[5:8], "big")
        self.app, self.hop_by_hop, self.end_to_end = struct.unpack("!III", data[8:20])
        self.avps = Avps(data[20:])

    def __getitem__(self, name):
        return self.avps[name]

    def __contains__(self, name):
        return name in self.avps

    def get(self, name, default=None):
        return self.avps.get(name, default)

    @property
    def command(self):
        return NAMES.get(self.code, str(self.code))

    @property
    def is_request(self):
        return bool(self.flags & R)

    @property
    def result(self):
        """Result-Code, or the Experimental-Result-Code as a negative number."""
        if "Experimental-Result" in self:
            return -self["Experimental-Result"]["Experimental-Result-Code"]
        return self["Result-Code"]

    def __repr__(self):
        kind = "request" if self.is_request else f"answer {self.result}"
        return f"<{self.command} {kind} {' '.join(self.avps.names())}>"


def message(code, app, flags, hop_by_hop, end_to_end, body):
    head = b"\x01" + (20 + len(body)).to_bytes(3, "big") + bytes([flags]) + code.to_bytes(3, "big")
    return head + struct.pack("!III", app, hop_by_hop, end_to_end) + body


def vsai(app=S6A):
    return ("Vendor-Specific-Application-Id", [("Vendor-Id", VENDOR), ("Auth-Application-Id", app)])


def frames(recv):
    """Cut what recv() gives into messages, until it gives nothing."""
    data = b""
    while True:
        more = recv()
        if not more:
            return
        data += more
        while len(data) >= 20:
            n = int.from_bytes(data[1:4], "big")
            if len(data) < n:
                break
            yield data[:n]
            data = data[n:]


class Client:
    """A Diameter node over TCP or TLS that answers what it is asked with 2001, and keeps it."""

    def __init__(self, port, host, realm, address="127.0.0.1", to="127.0.0.1", tls=None, apps=(S6A, S13)):
        self.host, self.realm = host, realm
        self.received = queue.Queue()
        self.replies = {}
        self.waiting, self.lock, self.serial = {}, threading.Lock(), int(time.time()) << 8 & 0xffffffff
        self.closed = threading.Event()
        s = socket.create_connection((to, port), timeout=5, source_address=(address, 0))
        self.sock = tls.wrap_socket(s, server_hostname="edge") if tls else s
        self.sock.settimeout(None)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        self.cea = self.request("CER", [("Host-IP-Address", address), ("Vendor-Id", 0),
                                        ("Product-Name", "test"), ("Supported-Vendor-Id", VENDOR)] +
                                [vsai(a) for a in apps], session=False)

    def _next(self):
        with self.lock:
            self.serial = (self.serial + 1) & 0xffffffff
            return self.serial

    def _read(self):
        try:
            for data in frames(lambda: self.sock.recv(65536)):
                self._take(Message(data))
        except (OSError, ssl.SSLError):
            pass
        self.closed.set()
        for box in list(self.waiting.values()):
            box.put(None)

    def _take(self, m):
        if not m.is_request:
            box = self.waiting.pop(m.hop_by_hop, None)
            if box:
                box.put(m)
            return
        reply = self.replies.get(m.command, [("Result-Code", 2001)])
        if m.command not in ("DWR", "DPR"):
            self.received.put(m)
        if reply is None:
            return
        body = [] if "Session-Id" not in m else [("Session-Id", m["Session-Id"])]
        body += [("Auth-Session-State", 1)] if m.app else []
        body += reply + [("Origin-Host", self.host), ("Origin-Realm", self.realm)]
        flags = (m.flags & P) | (E if reply[0][0] == "Result-Code" and reply[0][1] // 1000 == 3 else 0)
        proxies = b"".join(encode_raw(284, 0, a.raw) for a in m.avps if a.code == 284)
        self.send(message(m.code, m.app, flags, m.hop_by_hop, m.end_to_end, encode(body) + proxies))

    def send(self, data):
        self.sock.sendall(data)

    def ask(self, code, app, body, flags=R | P, hop_by_hop=None, timeout=5):
        """Send a request of these bytes; its answer, or None if none came in time."""
        ids = hop_by_hop or self._next()
        box = self.waiting[ids] = queue.Queue()
        self.send(message(code, app, flags, ids, ids, body))
        try:
            return box.get(timeout=timeout)
        except queue.Empty:
            self.waiting.pop(ids, None)
            return None

    def request(self, command, avps, session=True, timeout=5):
        code, app = COMMANDS[command]
        named = {name for name, _ in avps}
        head = [("Session-Id", f"{self.host};{self._next()};1")] if session else []
        origin = [p for p in (("Origin-Host", self.host), ("Origin-Realm", self.realm))
                  if p[0] not in named]
        return self.ask(code, app, encode(head + origin + list(avps)), R | (P if app else 0),
                        timeout=timeout)

    def expect(self, command, imsi=None, timeout=5):
        """The next request of this kind that came, others are passed over; None if there is none."""
        return await_request(self.received, command, imsi, timeout)

    def close(self):
        """Take leave first: a node that is cut off is waited for (facts: RFC 3539 REOPEN)."""
        if not self.closed.is_set():
            try:
                self.request("DPR", [("Disconnect-Cause", 2)], session=False, timeout=2)
            except OSError:
                pass
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        self.thread.join(2)


def await_request(received, command, imsi, timeout):
    end = time.monotonic() + timeout
    while True:
        try:
            m = received.get(timeout=max(0.001, end - time.monotonic()))
        except queue.Empty:
            return None
        if m.command == command and imsi in (None, m.get("User-Name")):
            return m
