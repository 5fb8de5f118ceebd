"""A base station subsystem without a radio: as much of NS, BSSGP, LLC and GMM (TS 48.016, 48.018, 44.064, 24.008) as an
osmo-sgsn needs to attach a device to its home register."""
import socket
import threading
import time

from diameter import poll
from gsup import gsm_of
from merlon import keys
from milenage import f2345

NSEI, BVCI, CELL = 101, 2, bytes.fromhex("99f907" "0001" "01" "0002")  # 999-70, LAC 1, RAC 1, cell 2
CAPABILITY = bytes.fromhex("1918b3432b25966200" "60809ac2c6620060" "80bac8c662006080" "00")  # MS radio access
ATTACH_ACCEPT, ATTACH_REJECT, DETACH_REQUEST, DETACH_ACCEPT = 2, 4, 5, 6
AUTHENTICATE, IDENTIFY = 0x12, 0x15


def tlv(tag, value):
    return bytes([tag, 0x80 | len(value)]) + value if len(value) < 128 else bytes([tag]) + len(value).to_bytes(2, "big") + value


def crc24(data):
    crc = 0xffffff
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = crc >> 1 ^ (0xad85dd if crc & 1 else 0)
    return (crc ^ 0xffffff).to_bytes(3, "little")


def identity(digits, kind):
    """Kind 1 an IMSI, 2 an IMEI, 3 an IMEISV of 16 digits."""
    half = [int(d) for d in digits] + [15] * (len(digits) % 2 == 0)
    body = bytes([half[0] << 4 | len(digits) % 2 << 3 | kind])
    body += bytes(half[i + 1] << 4 | half[i] for i in range(1, len(half), 2))
    return bytes([len(body)]) + body


class Device:
    """What a SIM card and a modem do about attaching."""

    def __init__(self, bss, imsi, imei="350000000000250"):
        self.bss, self.imsi, self.imei, self.tlli, self.sent = bss, imsi, imei, 0x78000000 | int(imsi[-6:]), 0
        self.heard = []  # GMM messages
        bss.devices[self.tlli] = self

    def send(self, gmm):
        ui = bytes([1, 0xc0 | self.sent >> 6, (self.sent & 63) << 2 | 1]) + gmm
        self.sent += 1
        self.bss.bssgp(BVCI, b"\x01" + self.tlli.to_bytes(4, "big") + b"\0\0\x20" + tlv(8, CELL) +
                       tlv(0x0e, ui + crc24(ui)))

    def detach(self):
        """Switched off: nobody answers."""
        self.send(b"\x08\x05\x09")

    def attach(self):
        self.send(bytes.fromhex("0801" "02f5e0" "71" "0802") + identity(self.imsi, 1) + CELL[:6] + CAPABILITY)

    def take(self, gmm):
        self.heard.append(gmm)
        if gmm[1] == IDENTIFY:
            self.send(b"\x08\x16" + (identity(self.imsi, 1) if gmm[2] & 7 == 1 else identity(self.imei, 2)))
        elif gmm[1] == AUTHENTICATE:
            rand, head = gmm[5:21], b"\x08\x13" + bytes([gmm[3] >> 4]) + b"\x22"
            version = b"\x23" + identity(self.imei[:14] + "01", 3) if gmm[2] >> 4 else b""
            if b"\x28\x10" in gmm[21:]:  # AUTN: the card is a USIM, and answers as one
                res = f2345(*keys(self.imsi), rand)[0]
                self.send(head + res[:4] + version + b"\x29\x04" + res[4:])
            else:
                self.send(head + gsm_of(self.imsi, rand)[0] + version)
        elif gmm[1] == ATTACH_ACCEPT:
            if b"\x18\x05\xf4" in gmm:  # its P-TMSI, from which the local TLLI is made (TS 23.003 2.6)
                at = gmm.index(b"\x18\x05\xf4") + 3
                self.tlli = int.from_bytes(gmm[at:at + 4], "big") | 0xc0000000
                self.bss.devices[self.tlli] = self
            self.send(b"\x08\x03")
        elif gmm[1] == DETACH_REQUEST:
            self.send(b"\x08\x06")

    def expect(self, kind, timeout=10):
        def look():
            return next((self.heard.pop(i) for i, m in enumerate(self.heard) if m[1] == kind), None)
        return poll(look, timeout, lambda: f"GMM {kind:#x} among {[m.hex() for m in self.heard]}")


class Bss:
    def __init__(self, port):
        self.devices, self.acks = {}, set()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect(("127.0.0.1", port))
        self.open = True
        threading.Thread(target=self._read, daemon=True).start()
        self._until(3, lambda: self.ns(b"\x02" + tlv(0, b"\0") + tlv(1, NSEI.to_bytes(2, "big")) +
                                       tlv(4, NSEI.to_bytes(2, "big"))))
        self._until(7, lambda: self.ns(b"\x06"))
        self._until((0, 0), lambda: self.bssgp(0, b"\x22" + tlv(4, b"\0\0") + tlv(7, b"\x08")))
        self._until((0, BVCI), lambda: self.bssgp(0, b"\x22" + tlv(4, bytes([0, BVCI])) + tlv(7, b"\x08") + tlv(8, CELL)))

    def _until(self, ack, send):
        end = time.monotonic() + 10
        while ack not in self.acks and time.monotonic() < end:
            send()
            time.sleep(0.3)
        assert ack in self.acks, f"{ack} among {self.acks}"

    def ns(self, data):
        try:
            self.sock.send(data)
        except OSError:
            pass  # it has not opened its port yet

    def bssgp(self, bvci, data):
        self.ns(b"\0\0" + bvci.to_bytes(2, "big") + data)

    def _read(self):
        while self.open:
            try:
                data = self.sock.recv(4096)
            except OSError:
                time.sleep(0.05)
                continue
            if data[0] == 0:
                self._take(data[4:])
            elif data[0] == 0x0a:
                self.ns(b"\x0b")
            else:
                self.acks.add(data[0])

    def _take(self, pdu):
        if pdu[0] == 0x23:
            self.acks.add((0, pdu[pdu.index(b"\x04\x82") + 3]))
        elif pdu[0] == 0:
            device, at = self.devices.get(int.from_bytes(pdu[1:5], "big")), 8
            while device and at < len(pdu):
                tag, n, head = pdu[at], pdu[at + 1] & 0x7f, 2
                if not pdu[at + 1] & 0x80:
                    n, head = int.from_bytes(pdu[at + 1:at + 3], "big"), 3
                if tag == 0x0e:
                    device.take(pdu[at + head + 3:at + head + n - 3])
                at += head + n

    def close(self):
        self.open = False
        self.sock.close()
