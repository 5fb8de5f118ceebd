"""A device that bootstraps (TS 33.220, TS 24.109, RFC 3310), written for the tests alone: the card of milenage.py, its
digests, and two ways to send a request: Python's own HTTP client, and curl."""
import base64
import hashlib
import hmac
import http.client
import re
import secrets
import ssl
import subprocess
import urllib.parse

from milenage import f1, f2345, xor

BSF = "bsf.mnc070.mcc999.pub.3gppnetwork.org"
HTTP_DIGEST = bytes([1, 0, 0, 0, 2])  # TS 33.220 H.3


def impi(imsi):
    return f"{imsi}@ims.mnc070.mcc999.3gppnetwork.org"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = [(k.lower(), v) for k, v in headers]

    def get(self, name):
        return next((v for k, v in self.headers if k == name.lower()), None)

    def all(self, name):
        return [v for k, v in self.headers if k == name.lower()]


def by_python(url, headers, method="GET", body=b"", cafile=None):
    u = urllib.parse.urlsplit(url)
    context = ssl.create_default_context(cafile=cafile) if u.scheme == "https" else None
    kind = http.client.HTTPSConnection if context else http.client.HTTPConnection
    c = kind(u.hostname, u.port, timeout=10, **({"context": context} if context else {}))
    try:
        c.request(method, (u.path or "/") + ("?" + u.query if u.query else ""), body or None, headers)
        r = c.getresponse()
        return Answer(r.status, r.getheaders(), r.read())
    finally:
        c.close()


def by_curl(url, headers, method="GET", body=b"", cafile=None, more=()):
    command = ["curl", "-sS", "-i", "--max-time", "10", "-X", method, *more]
    for k, v in headers.items():
        command += ["-H", f"{k}: {v}"]
    if cafile:
        command += ["--cacert", cafile]
    if body:
        command += ["--data-binary", "@-"]
    done = subprocess.run(command + [url], input=body, capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr.decode()
    data = done.stdout
    while True:  # of several responses (curl's own two steps of Digest) the last counts
        head, _, data = data.partition(b"\r\n\r\n")
        if not data.startswith(b"HTTP/1.1 "):
            break
    lines = head.decode().split("\r\n")
    return Answer(int(lines[0].split()[1]), [tuple(x.split(": ", 1)) for x in lines[1:]], data)


def parameters(header):
    """Those of a Digest challenge, or of Authentication-Info."""
    return {k: v or w for k, v, w in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,"]+))', header)}


def digest(username, realm, password, method, uri, p, body=b"", name="md5"):
    """RFC 7616 3.4.1; the password is bytes: of AKA it is RES as it stands (RFC 3310 3.3)."""
    def h(data):
        return hashlib.new(name, data).hexdigest().encode()
    a1 = h(f"{username}:{realm}:".encode() + password)
    a2 = f"{method}:{uri}".encode() + (b":" + h(body) if p["qop"] == "auth-int" else b"")
    return h(b":".join([a1, p["nonce"].encode(), p["nc"].encode(), p["cnonce"].encode(), p["qop"].encode(),
                        h(a2)])).decode()


class Device:
    """`sqn`: the highest that the card has accepted; a challenge that is not above is refused with AUTS."""

    def __init__(self, url, imsi, keys, send=by_python, cafile=None, sqn=-1):
        self.url, self.imsi, self.k, self.opc, self.send = url, imsi, *keys, send
        self.cafile, self.sqn, self.btid, self.ks, self.rand = cafile, sqn, None, None, None

    def header(self, nonce="", response="", more=""):
        return {"Authorization": f'Digest username="{impi(self.imsi)}", realm="{BSF}", nonce="{nonce}", uri="/", '
                                 f'response="{response}"{more}'}

    def ask(self, headers):
        return self.send(self.url, headers, cafile=self.cafile)

    def challenge(self):
        return self.ask(self.header())

    def read(self, answer):
        """RAND, AUTN of a challenge, as the BSF's own; the network is authenticated by MAC-A."""
        p = parameters(answer.get("WWW-Authenticate"))
        assert (p["realm"], p["algorithm"], p["qop"]) == (BSF, "AKAv1-MD5", "auth-int")
        both = base64.b64decode(p["nonce"], validate=True)
        rand, autn = both[:16], both[16:32]
        res, ck, ik, ak = f2345(self.k, self.opc, rand)
        sqn = xor(autn[:6], ak)
        assert autn[8:] == f1(self.k, self.opc, rand, sqn, autn[6:8]), "MAC-A"
        assert not autn[6] & 0x80, "separation bit: this is no EPS"
        return p["nonce"], rand, int.from_bytes(sqn, "big"), res, ck + ik

    def authorization(self, nonce, password, auts=None):
        p = {"nonce": nonce, "nc": "00000001", "cnonce": secrets.token_hex(8), "qop": "auth-int"}
        self.sent = p
        more = f', qop=auth-int, nc=00000001, cnonce="{p["cnonce"]}", algorithm=AKAv1-MD5'
        if auts:
            more += f', auts="{base64.b64encode(auts).decode()}"'
        return self.header(nonce, digest(impi(self.imsi), BSF, password, "GET", "/", p), more)

    def bootstrap(self):
        """The whole of Ub, re-synchronisation where the card wants it; the B-TID."""
        answer = self.challenge()
        for _ in range(2):
            assert answer.status == 401, (answer.status, answer.body)
            nonce, rand, sqn, res, ks = self.read(answer)
            if sqn > self.sqn:
                break
            from milenage import Usim
            auts = Usim(self.k, self.opc).auts(rand, self.sqn)
            answer = self.ask(self.authorization(nonce, b"", auts))
        self.sqn = sqn
        return self.finish(self.ask(self.authorization(nonce, res)), rand, res, ks)

    def finish(self, answer, rand, res, ks):
        assert answer.status == 200, (answer.status, answer.body)
        assert answer.get("Content-Type") == "application/vnd.3gpp.bsf+xml"
        p = {**self.sent, **parameters(answer.get("Authentication-Info"))}
        # The server knows RES too: its proof is over its own body (RFC 7616 3.5: no method).
        assert p["rspauth"] == digest(impi(self.imsi), BSF, res, "", "/", self.sent, answer.body)
        self.btid = re.search(rb"<btid>([^<]+)</btid>", answer.body)[1].decode()
        self.lifetime = re.search(rb"<lifetime>([^<]+)</lifetime>", answer.body)[1].decode()
        assert self.btid == f"{base64.b64encode(rand).decode()}@{BSF}"
        self.rand, self.ks = rand, ks
        return self.btid

    def ks_naf(self, fqdn, protocol=HTTP_DIGEST):
        """TS 33.220 Annex B."""
        parts = [b"gba-me", self.rand, impi(self.imsi).encode(), fqdn.encode() + protocol]
        s = b"\x01" + b"".join(p + len(p).to_bytes(2, "big") for p in parts)
        return hmac.new(self.ks, s, hashlib.sha256).digest()
