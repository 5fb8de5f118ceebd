"""An authenticator of ours: ES256 by the cryptography package, the rest by hand (WebAuthn level 2, 6.1, 6.5)."""
import base64
import hashlib
import json
import secrets
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _text(t):
    return bytes([0x60 + len(t)]) + t.encode()


def _bytes(b):
    return (bytes([0x40 + len(b)]) if len(b) < 24 else b"\x58" + bytes([len(b)]) if len(b) < 256 else
            b"\x59" + struct.pack(">H", len(b))) + b


class Passkey:
    def __init__(self, origin, counts=True):
        self.origin, self.key = origin, ec.generate_private_key(ec.SECP256R1())
        self.id, self.count, self.counts = secrets.token_bytes(32), 0, counts

    def _data(self, rp, flags, attested=b""):
        self.count += self.counts
        return hashlib.sha256(rp.encode()).digest() + bytes([flags]) + struct.pack(">I", self.count) + attested

    def _client(self, kind, challenge, origin=None):
        return json.dumps({"type": kind, "challenge": challenge, "origin": origin or self.origin,
                           "crossOrigin": False}).encode()

    def create(self, options, flags=0x45, origin=None):
        n = self.key.public_key().public_numbers()
        cose = (b"\xa5\x01\x02\x03\x26\x20\x01\x21" + _bytes(n.x.to_bytes(32, "big")) + b"\x22" +
                _bytes(n.y.to_bytes(32, "big")))
        attested = bytes(16) + struct.pack(">H", len(self.id)) + self.id + cose
        data = self._data(options["rp"]["id"], flags, attested)
        obj = b"\xa3" + _text("fmt") + _text("none") + _text("attStmt") + b"\xa0" + _text("authData") + _bytes(data)
        return {"id": b64(self.id), "attestation": b64(obj),
                "client_data": b64(self._client("webauthn.create", options["challenge"], origin))}

    def get(self, options, flags=0x05, origin=None, count=None, kind="webauthn.get"):
        if count is not None:
            self.count = count - self.counts
        data = self._data(options["rpId"], flags)
        client = self._client(kind, options["challenge"], origin)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return {"id": b64(self.id), "client_data": b64(client), "authenticator_data": b64(data), "signature": b64(signature)}
