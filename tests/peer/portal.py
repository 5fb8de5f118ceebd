"""A person and a program at the portal: HTTPS by Python's own, codes by RFC 6238 in a few lines."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import ssl
import struct
import time
import urllib.parse

from diameter import poll
from merlon import Merlon, free_port

PASSWORD = "nine wandering teapots hum"
API = "/api/v1"


def code(secret, at=None):
    """RFC 6238: SHA-1, six digits, 30 s."""
    step = struct.pack(">Q", int(at if at is not None else time.time()) // 30)
    mac = hmac.new(base64.b32decode(secret), step, hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000:06d}"


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.raw = response.status, response.headers, response.read()

    @property
    def json(self):
        return json.loads(self.raw)

    @property
    def problem(self):
        return self.json["type"].rsplit(":", 1)[1]

    def __repr__(self):
        return f"{self.status} {self.raw[:300]!r}"


class Caller:
    """One client: its cookie and CSRF token, or an API key."""

    def __init__(self, port, cafile, key=None):
        self.port, self.key, self.cookie, self.csrf = port, key, None, None
        self.context = ssl.create_default_context(cafile=cafile)
        self.connection = None
        self.secret = self.user = None

    def call(self, method, path, body=None, headers=None, raw=False, csrf=True):
        h = {"Host": f"localhost:{self.port}"}
        if body is not None and not raw:
            body = json.dumps(body).encode()
            h["Content-Type"] = "application/json"
        if self.key:
            h["Authorization"] = f"Bearer {self.key}"
        if self.cookie:
            h["Cookie"] = f"__Host-merlon={self.cookie}"
        if self.csrf and csrf and method not in ("GET", "HEAD"):
            h["X-CSRF-Token"] = self.csrf
        for attempt in (0, 1):
            if not self.connection:
                self.connection = http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=60)
            try:
                self.connection.request(method, (API if not path.startswith("//") else "") +
                                        (path if not path.startswith("//") else path[1:]), body, {**h, **(headers or {})})
                a = Answer(self.connection.getresponse())
                break
            except (http.client.HTTPException, OSError):
                self.connection.close()
                self.connection = None
                if attempt:
                    raise
        if a.headers.get("Connection", "").lower() == "close":
            self.connection.close()
            self.connection = None
        for c in a.headers.get_all("Set-Cookie") or []:
            name, value = c.split(";")[0].split("=", 1)
            assert name == "__Host-merlon"
            self.cookie = value or None
        if a.headers.get("Content-Type") == "application/json" and a.raw.startswith(b"{") and b'"csrf"' in a.raw:
            self.csrf = a.json["csrf"]
        return a

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.call("POST", path, {} if body is None else body, **more)

    def patch(self, path, body, **more):
        return self.call("PATCH", path, body, **more)

    def delete(self, path, **more):
        return self.call("DELETE", path, **more)

    # --- a person's ways ---
    used = {}  # of each secret the last step: a code counts once

    def code(self):
        """The next code that counts: of now, or of the 30 s after, which is accepted too."""
        now = int(time.time()) // 30
        step = max(Caller.used.get(self.secret, 0) + 1, now - 1)
        if step > now + 1:
            poll(lambda: int(time.time()) // 30 + 1 >= step, timeout=65)
        Caller.used[self.secret] = step
        return code(self.secret, step * 30)

    def enrol(self):
        a = self.post("/me/totp", {"label": "test"})
        assert a.status == 200, a
        self.secret = a.json["secret"]
        a = self.post("/me/totp/confirm", {"code": self.code()})
        assert a.status == 200 and a.json["next"] == "", a
        return self

    def sign_in(self, user, secret, password=PASSWORD):
        self.user, self.secret = user, secret
        a = self.post("/session", {"user": user, "password": password})
        assert a.status == 200 and a.json["next"] == "second-factor", a
        a = self.post("/session/totp", {"code": self.code()})
        assert a.status == 200 and a.json["next"] == "", a
        return self

    def step_up(self):
        a = self.post("/session/totp", {"code": self.code()})
        assert a.status == 200, a
        return self


class Portal:
    """The product with a portal, and its first person."""

    def __init__(self, where, roles="keeper, home, portal, watch", conf=None, secret=None, **more):
        self.port = free_port()
        self.m = Merlon(where, roles=roles, more={"portal": {"listen": f"127.0.0.1:{self.port}", "rate": 100000,
                                                             **(conf or {})}}, **more)
        self.dir = os.path.join(self.m.data_dir, "portal")
        try:
            self.m.wait_up(300 if secret else 20)
            self.cafile = os.path.join(self.dir, "tls.chain")
            self.admin = self.caller().sign_in("ada", secret) if secret else self.set_up()
        except BaseException:
            self.m.stop()
            raise

    def caller(self, key=None):
        return Caller(self.port, self.cafile, key)

    def link(self):
        with open(os.path.join(self.dir, "setup-link"), encoding="ascii") as f:
            return f.read().strip().split("#")[1]

    def set_up(self, user="ada"):
        c = self.caller()
        a = c.post("/setup", {"token": self.link(), "user": user, "password": PASSWORD, "full_name": "Ada Lovelace"})
        assert a.status == 200 and a.json["next"] == "enrol", a
        c.user = user
        return c.enrol()

    def person(self, user, role, tenant=""):
        """Invited by the first person, with a password and a second factor."""
        a = self.admin.post("/users", {"name": user, "role": role, **({"tenant": tenant} if tenant else {})})
        if a.status == 403 and a.problem == "step-up":
            a = self.admin.step_up().post("/users", {"name": user, "role": role, **({"tenant": tenant} if tenant else {})})
        assert a.status == 201, a
        c = self.caller()
        b = c.post("/welcome", {"token": a.json["link"].split("#")[1], "password": PASSWORD})
        assert b.status == 200 and b.json["next"] == "enrol", b
        c.user = user
        return c.enrol()

    def stop(self):
        return self.m.stop()


def query(**fields):
    return "?" + urllib.parse.urlencode(fields)
