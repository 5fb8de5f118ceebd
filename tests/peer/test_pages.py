"""The portal's pages in Debian's Chromium, against the product as it runs: every page and every dangerous act by mouse,
sign-in by keyboard alone, contrast and names by axe-core, 360 px, dark colours, a tenant's view (R-1.3.a, R-5.8.2.a,
R-5.8.4.a, R-5.8.6.a). SHOTS=docs/portal keeps the screenshots."""
import base64
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import urllib.request

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from diameter import poll
from merlon import BINARY, ROOT, Merlon, free_port

WEB = os.path.join(ROOT, "web")
STEPS = ["set-up", "the link works once", "pages", "dark", "360 px", "search, filter, sort", "SIM: suspend and activate",
         "critical SIM: a second person", "overview: each second anew", "storm console: a lever", "an alarm is seen to",
         "findings, filtered, as they come", "bulk job: tried, then carried out", "dry run of a profile's change", "profile wizard", "rule in trial mode", "invite a tenant's person",
         "invitation, authenticator", "a tenant sees its own alone", "sign-in by keyboard alone", "sign-in by passkey",
         "reset asks for the second factor again, and for the name", "console"]


def _missing():
    for program in ("node", "npm", "chromium"):
        if not shutil.which(program):
            return f"{program} is not installed"
    if not os.path.exists(os.path.join(WEB, "node_modules", "playwright-core")):
        return "what npm brings for the tests of the pages is not there (web/build.sh build/web --tests)"
    return None


pytestmark = pytest.mark.skipif(_missing() is not None, reason=str(_missing()))


@pytest.fixture(scope="module")
def portal(work):
    port = free_port()
    m = Merlon(os.path.join(work, "pages"), roles="keeper, home, edge, watch, portal",
               more={"portal": {"listen": f"127.0.0.1:{port}", "step_up": 20}})
    try:
        m.wait_up(60)
        m.url = f"https://localhost:{port}"
        m.folder = os.path.join(m.data_dir, "portal")
        poll(lambda: os.path.exists(os.path.join(m.folder, "setup-link")), 30, "the one-time link")
        poll(lambda: "999700000000201" in m.run("list", "subscription", check=False).stdout, 60, "the demo's SIMs")
        yield m
    finally:
        m.stop()


def _get(m, path):
    context = ssl.create_default_context(cafile=os.path.join(m.folder, "tls.chain"))
    with urllib.request.urlopen(m.url + path, timeout=20, context=context) as r:
        return r.read(), r.headers


@pytest.fixture(scope="module")
def walk(portal):
    """What the browser saw: step to (ok, detail)."""
    body, _ = _get(portal, "/")
    if b'id="root"' not in body:
        pytest.skip("the pages are not built (web/build.sh)")
    with open(os.path.join(portal.folder, "tls.chain"), "rb") as f:
        key = x509.load_pem_x509_certificate(f.read()).public_key()
    spki = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    with open(os.path.join(portal.folder, "setup-link"), encoding="ascii") as f:
        token = f.read().strip().split("#")[1]
    shots = os.environ.get("SHOTS")
    conf = {"url": portal.url, "link": f"{portal.url}/setup#{token}", "spki": base64.b64encode(spki).decode(),
            "chromium": shutil.which("chromium"), "imsi": "999700000000001", "critical": "999700000000201",
            "passkeys": True, "shots": bool(shots), "out": os.path.abspath(shots) if shots else portal.where, "wait": 40000}
    traffic = [subprocess.Popen([BINARY, "simulate", "--to", f"tcp:127.0.0.1:{portal.port}", "--duration", "900", "--quiet", *what],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
               for what in (["--rate", "20"], ["--network", "00103", "--group", "any=999700000001000:9000", "--rate", "3"])]
    try:
        out = subprocess.run(["node", "test/walk.mjs", json.dumps(conf)], cwd=WEB, capture_output=True, text=True,
                             timeout=600)
    finally:
        for t in traffic:
            t.kill()
            t.wait()
    seen = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
    assert seen, out.stderr[-2000:]
    return {s["step"]: (s["ok"], s["detail"]) for s in seen}


@pytest.mark.parametrize("step", STEPS)
def test_step(walk, step):
    assert step in walk, f"not reached; seen: {list(walk)[-3:]}"
    ok, detail = walk[step]
    assert ok, detail


def test_every_page_of_the_menu(walk):
    pages = {step: seen for step, seen in walk.items() if step.startswith("page ")}
    assert len(pages) >= 25, list(pages)
    assert all(ok for ok, _ in pages.values()), {step: detail for step, (ok, detail) in pages.items() if not ok}


def test_the_policy_lets_nothing_inline_run(portal):
    body, headers = _get(portal, "/")
    policy = headers["Content-Security-Policy"]
    assert "unsafe-inline" not in policy and "unsafe-eval" not in policy and "script-src 'self'" in policy, policy
    assert b"<style" not in body and b"<script>" not in body and b" style=" not in body


def test_the_client_is_made_from_the_api(portal, tmp_path):
    """A page that uses what the API does not have does not compile; and the committed client is the present one."""
    (tmp_path / "openapi.json").write_bytes(_get(portal, "/api/v1/openapi.json")[0])
    made = subprocess.run(["node", "tool/client.mjs", str(tmp_path / "openapi.json")], cwd=WEB, capture_output=True,
                          text=True, timeout=60, check=True).stdout
    with open(os.path.join(WEB, "src", "api.gen.ts"), encoding="utf-8") as f:
        assert f.read() == made, "node web/tool/client.mjs openapi.json >web/src/api.gen.ts"
    checked = subprocess.run(["node_modules/.bin/tsc", "--noEmit"], cwd=WEB, capture_output=True, text=True, timeout=300)
    assert checked.returncode == 0, checked.stdout
