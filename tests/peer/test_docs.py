"""The documents: reference pages are as the tables, every command that README and guide give works as written on a
running Merlon, links lead somewhere, every event is explained."""
import os
import re
import subprocess
import sys

import pytest

from merlon import BINARY, ROOT, Merlon

PAGES = sorted(os.path.join(d, f) for d in ("", "docs") for f in os.listdir(os.path.join(ROOT, d)) if f.endswith(".md"))
RUN = ["README.md", "docs/guide.md"]
SHOWS = {  # what a block prints when it works, by a word that it contains
    "life=suspended": r"from the HSS: CLR [1-9]\d* IDR [1-9]",
    "--clause R-5.6.1.h": r"R-5\.6\.1\.h +shown",
    "mix ecr": r"\nECR +[1-9]",
    "meters.csv": r"\b20 records, 0 lines refused",
    "merlon show profile": r"\napn1 +meters\.iot:",
    "merlon watch": r"\n00101 +[1-9]",
    "grep plausibility.velocity": r'"event":"edge\.refused".*"check":"plausibility\.velocity","network":"00201"',
    "flights": r'"event":"edge\.observed".*"check":"plausibility\.velocity","network":"00201"',
}


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as f:
        return f.read()


def blocks(name):
    return re.findall(r"^```sh\n(.*?)^```$", read(name), re.M | re.S)


@pytest.fixture(scope="module")
def demo(work):
    """The demo network of ./do run, on ports of its own."""
    m = Merlon(os.path.join(work, "docs"))
    try:
        m.wait_up()
        yield m
    finally:
        m.stop()


def here(block, m):
    """The block for this Merlon: another folder, other ports; else as it is written."""
    for old, new in [("/tmp/", m.where + "/"), ("--data run", f"--config {m.config}"), ("run/events/events.jsonl", m.events_path),
                     ("merlon simulate", f"merlon simulate --to tcp:127.0.0.1:{m.port}"),
                     ("127.0.0.1:9464", f"127.0.0.1:{m.http_port}"), ("$PWD/build/src/cli", os.path.dirname(BINARY))]:
        block = block.replace(old, new)
    return block


def test_reference_pages_are_what_the_tables_say():
    done = subprocess.run([sys.executable, "tool/docs", BINARY, "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name,i", [(name, i) for name in RUN for i in range(len(blocks(name)))])
def test_the_commands_of_the_page_work_in_their_order(demo, name, i):
    block = blocks(name)[i]
    env = {**os.environ, "PATH": os.path.dirname(BINARY) + ":" + os.environ["PATH"]}
    done = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", here(block, demo)], cwd=ROOT, env=env,
                          capture_output=True, text=True, timeout=60)
    said = f"{block}\n--- {done.returncode}\n{done.stdout}{done.stderr}--- merlon run\n{demo.tail()}"
    assert done.returncode == 0, said
    for word, pattern in SHOWS.items():
        assert word not in block or re.search(pattern, done.stdout), f"no {pattern} in\n{said}"


def test_every_block_that_we_expect_something_of_is_there():
    text = "".join(b for name in RUN for b in blocks(name))
    assert not [word for word in SHOWS if word not in text]


def test_links_lead_to_files_that_are_there():
    lost = []
    for name in PAGES:
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", read(name)):
            if not link.startswith("http") and not os.path.exists(os.path.join(ROOT, os.path.dirname(name), link)):
                lost.append(f"{name}: {link}")
    assert not lost


def test_every_event_is_explained():
    found = set()
    for folder, _, files in os.walk(os.path.join(ROOT, "src")):
        for f in files:
            if f.endswith(".c"):
                text = read(os.path.relpath(os.path.join(folder, f), ROOT))
                found |= set(re.findall(r'\bLOG\([^;"]*"([a-z0-9_.]+\.[a-z0-9_.]+)"', text))
                found |= set(re.findall(r'\? "([a-z]+\.[a-z_.]+)" : "[a-z]+\.[a-z_.]+"', text))
    page = read("docs/events.md")
    assert not sorted(e for e in found if f"`{e}`" not in page)
    assert len(found) > 30
