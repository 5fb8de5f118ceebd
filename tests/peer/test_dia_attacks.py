"""The attack corpus over Diameter (tests/attacks/dia_corpus.py): each refused by the check it is about, none seen by home."""
import os
import re
import sys

from ask import ulr
from diameter import poll
from merlon import ROOT, realm

sys.path.insert(0, os.path.join(ROOT, "tests", "attacks"))
import dia_corpus  # noqa: E402


def check_names():
    with open(os.path.join(ROOT, "src/judge/check.tab"), encoding="utf-8") as f:
        return [None] + re.findall(r'^CHECK\(\w+, +\w+, +"([\w.]+)"', f.read(), re.M)


def counted(merlon):
    """Refusals by check, malformed requests, and what home was asked."""
    text, names = merlon.metrics(), check_names()
    found = {}
    for label, n in re.findall(r'^merlon_edge_refused_total\{.*check="(\w+)"\} (\d+)', text, re.M):
        found[names[int(label)] if label.isdigit() and int(label) < len(names) else label] = int(n)
    found["malformed"] = sum(int(n) for n in re.findall(r'^merlon_edge_dropped_total\{.*reason="malformed"\} (\d+)', text, re.M))
    home = sum(int(n) for n in re.findall(r"^merlon_home_requests_total\{.*\} (\d+)", text, re.M))
    return found, home


def test_every_attack_of_the_corpus_is_refused_and_home_hears_of_none(merlon, node, sim):
    """R-5.6.1.g, R-5.6.1.h, R-5.6.1.k, R-5.6.b: FS.19 categories 0 to 3."""
    merlon.set("network", dia_corpus.FAR, realm=realm(dia_corpus.FAR), addresses="127.0.0.0/8", trust="trusted", clear_ok="yes",
               lat_cdeg=-3300, lon_cdeg=15100)

    def far():
        n = node(dia_corpus.FAR)
        return n if n.cea.result == 2001 else None
    nodes = {dia_corpus.FAR: poll(far, 10, "the far network in the serving copy")}
    cast = {"sim": sim("car"), "free": sim("car")}
    assert node().request("ULR", ulr(cast["sim"])).result == 2001
    wrong, rows = [], list(dia_corpus.all_rows())
    before, home_before = counted(merlon)
    for i, row in enumerate(rows):
        n = nodes.setdefault(row.network, None) or node(row.network)
        nodes[row.network] = n
        answer = n.ask(row.code, row.app, row.octets(n.host, n.realm, f"{n.host};attack;{i}", cast))
        after, _ = counted(merlon)
        said = [k for k in after if after[k] > before.get(k, 0)]
        if answer is None or answer.result == 2001 or said != [row.check]:
            wrong.append(f"{row.name}: {answer and answer.result} by {said}, not {row.check}")
        before = after
    assert not wrong, "\n".join(wrong)
    assert counted(merlon)[1] == home_before
    assert len(rows) >= 100
