"""What a device and a platform do at the portal; tokens by PyJWT, which we did not write."""
import base64
import hashlib
import json
import os
import re
import secrets
import time
import urllib.parse

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from diameter import poll
from gba import Device, by_curl, by_python, digest, parameters
from merlon import Merlon, free_port, keys

NAME = "portal.mnc070.mcc999.pub.3gppnetwork.org"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Portal:
    """The product with a home that bootstraps and a portal."""

    def __init__(self, where, authority, imsis, **more):
        chain, key = authority.issue(NAME, address="127.0.0.1")
        gba, self.port = free_port(), free_port()
        self.issuer = f"https://{NAME}:{self.port}"
        self.url, self.cafile = f"https://127.0.0.1:{self.port}", authority.ca
        self.m = Merlon(where, roles="keeper, home, portal, watch", more={
            "gba": {"listen": f"127.0.0.1:{gba}", "lifetime": 3600, "rate": 600},
            "portal": {"listen": f"127.0.0.1:{self.port}", "chain": chain, "key": key, **more}})
        self.bsf = f"http://127.0.0.1:{gba}/"
        try:
            self.m.wait_up()
            self.m.set("profile", "meter", services="gba")
            self.m.set("profile", "car", services="sms-mo sms-mt gba")
            self.m.import_sims(imsis["meter"], "meter")
            self.m.import_sims(imsis["car"], "car")
        except BaseException:
            self.m.stop()
            raise
        self.left = {k: iter(v) for k, v in imsis.items()}

    def platform(self, name, tenant, sector=""):
        p = Platform(self, name)
        n = p.key.public_key().public_numbers()
        self.m.set("platform", name, tenant=tenant, sector=sector, key_x=b64(n.x.to_bytes(32, "big")),
                   key_y=b64(n.y.to_bytes(32, "big")))
        return p

    def device(self, kind="meter"):
        imsi = next(self.left[kind])
        d = Device(self.bsf, imsi, keys(imsi))
        d.bootstrap()
        return d

    def post(self, path, body, headers=FORM):
        if isinstance(body, dict):
            body = urllib.parse.urlencode(body).encode()
        return by_python(self.url + path, headers, "POST", body, self.cafile)

    def get(self, path, headers=None):
        return by_python(self.url + path, headers or {}, cafile=self.cafile)

    def authorization(self, d, challenge, body, nc=1, name="SHA-256", qop="auth-int", method="POST"):
        p = next(x for x in map(parameters, challenge.all("WWW-Authenticate")) if x["algorithm"] == name)
        p |= {"nc": f"{nc:08x}", "cnonce": secrets.token_hex(8), "qop": qop}
        password = base64.b64encode(d.ks_naf(NAME))
        response = digest(d.btid, p["realm"], password, method, "/token", p, body, name.replace("-", "").lower())
        return (f'Digest username="{d.btid}", realm="{p["realm"]}", nonce="{p["nonce"]}", uri="/token", '
                f'response="{response}", algorithm={name}, qop={qop}, nc={p["nc"]}, cnonce="{p["cnonce"]}"')

    def ask_token(self, d, platform, **more):
        body = urllib.parse.urlencode({"grant_type": "client_credentials", "audience": platform, **more}).encode()
        challenge = self.post("/token", body)
        assert challenge.status == 401
        return self.post("/token", body, {**FORM, "Authorization": self.authorization(d, challenge, body)})

    def tokens(self, d, platform, **more):
        answer = self.ask_token(d, platform, **more)
        assert answer.status == 200, (answer.status, answer.body)
        return json.loads(answer.body)

    def ask_token_by_curl(self, d, platform):
        """curl does Digest by itself: the key is the password."""
        more = ["--digest", "-u", f"{d.btid}:{base64.b64encode(d.ks_naf(NAME)).decode()}"]
        return by_curl(self.url + "/token", FORM, "POST", f"grant_type=client_credentials&audience={platform}".encode(),
                       self.cafile, more)

    def keys(self):
        return {k["kid"]: k for k in json.loads(self.get("/jwks").body)["keys"]}

    def verify(self, token, audience, typ="at+jwt"):
        head = jwt.get_unverified_header(token)
        assert head["alg"] == "ES256" and head["typ"] == typ
        key = jwt.PyJWK.from_dict(self.keys()[head["kid"]]).key
        return jwt.decode(token, key, ["ES256"], audience=audience, issuer=self.issuer,
                          options={"require": ["iss", "sub", "aud", "iat"]})


class Platform:
    def __init__(self, portal, name):
        self.portal, self.name, self.key = portal, name, ec.generate_private_key(ec.SECP256R1())

    def sign(self, **claims):
        return jwt.encode(claims, self.key, "ES256")

    def assertion(self, **other):
        now = int(time.time())
        return self.sign(**{"iss": self.name, "sub": self.name, "aud": self.portal.issuer, "iat": now, "exp": now + 60,
                            "jti": secrets.token_hex(16), **other})

    def call(self, path, assertion=None, **fields):
        return self.portal.post(path, {**fields, "client_assertion_type": ASSERTION,
                                       "client_assertion": assertion or self.assertion()})

    def introspect(self, token, assertion=None):
        return self.call("/introspect", assertion, token=token)

    def active(self, token):
        answer = self.introspect(token)
        assert answer.status == 200, (answer.status, answer.body)
        return json.loads(answer.body)["active"]

    def acknowledgement(self, item, **other):
        return self.sign(**{"iss": self.name, "aud": self.portal.issuer, "iat": int(time.time()),
                            "jti": secrets.token_hex(8), "receipt": item["id"],
                            "receipt_sha256": b64(hashlib.sha256(item["token"].encode()).digest()), **other})
