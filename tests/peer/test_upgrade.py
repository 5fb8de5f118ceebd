"""R-3.1.c: a data directory that the first release left (tests/vectors/records_format1) is taken over at start: the records,
the journal and its head as they were, what was tampered with found out, the serving copy made anew."""
import os
import shutil
import sqlite3

import pytest
from merlon import ROOT, Merlon

OLD = os.path.join(ROOT, "tests", "vectors", "records_format1")


def left_behind(to, more=""):
    os.makedirs(to)
    for name in ("keeper.key", "journal.head"):
        shutil.copy(os.path.join(OLD, name), to)
        os.chmod(os.path.join(to, name), 0o600)
    with open(os.path.join(OLD, "records.sql"), encoding="ascii") as f:
        db = sqlite3.connect(os.path.join(to, "records.db"))
        db.executescript(f.read() + more)
        db.close()


@pytest.mark.parametrize("name,sql,result", [
    ("whole", "", "shown"), ("tampered", "UPDATE subscription SET life = 2 WHERE imsi = '999700000000101';", "not shown")])
def test_the_records_of_the_first_release_are_taken_over(work, name, sql, result):
    where = os.path.join(work, f"old-{name}")
    left_behind(os.path.join(where, "data"), sql)
    m = Merlon(where, demo=False)
    try:
        m.wait_up()
        event = m.event(0, event="records.migrated")
        assert event["from"] == 1 and event["columns"] > 0
        assert m.show("subscription", "999700000000001")["imei"] == "00101700000001"
        assert m.show("rule", "steer")["check"] == "steering.weight"
        assert m.show("profile", "meter")["grey"] == "cancel", "what came later has its default"
        done = m.run("audit", "--clause", "R-3.1.c", "--no-keep", check=False)
        assert (done.returncode == 0) == (result == "shown"), done.stdout
        m.set("profile", "meter", binding="quarantine", quarantine="q.iot:ipv4")
    finally:
        assert m.stop() == 0, m.tail()
