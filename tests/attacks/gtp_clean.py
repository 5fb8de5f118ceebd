#!/usr/bin/env python3
"""Honest roaming over GTP-C: gtp_clean.py FILE.pcap [TRANSACTIONS [SEED]]. SIMs of ours who set up sessions at partners, in both
versions, move between their nodes and between partners, get bearers, are repeated, refused and ended; nodes that ask whether we
live and are started again; partners' subscribers at ours. Not one of these may be refused. The cast is that of gtp_corpus.py."""
import random
import sys

from gtp import *
from gtp_corpus import OUR_SGW, P1, P2, PGW, THEIR_PGW, US

SIMS = [f"9997082{i:08d}" for i in range(80)]
GUESTS = [f"00101{i:010d}" for i in range(1, 40)]
NODES = {P1: ["192.0.2.11", "192.0.2.12", "192.0.2.13"], P2: ["192.0.2.140", "192.0.2.141"]}


class World:
    def __init__(self, path, seed):
        self.out, self.random, self.count = Capture(path), random.Random(seed), 0
        self.seq, self.teid, self.restart, self.at, self.open = {}, 0x10000, {}, {}, {}

    def number(self, node):
        """Numbers are a node's own, and begin anew when it does."""
        self.seq[node] = self.seq.get(node, 0) + 1
        return self.seq[node]

    def ask(self, frm, to, question, answer, lossy=0.03):
        """A whole transaction, some of it sent again."""
        self.count += 1
        self.out.add(frm, to, question, after=0.02)
        if self.random.random() < lossy:
            self.out.add(frm, to, question, after=3)
        self.out.add(to, frm, answer, after=0.005)
        if self.random.random() < lossy:
            self.out.add(frm, to, question, after=0.001)
            self.out.add(to, frm, answer, after=0.001)

    def create(self, sim):
        network = self.at.setdefault(sim, self.random.choice([P1, P2]))
        node, version = self.random.choice(NODES[network]), self.random.choice([1, 2, 2])
        self.teid += 16
        s = Session(sim, node, PGW, network, teid=self.teid, rat=1 if version == 1 else self.random.choice([6, 8, 9]),
                    apn=self.random.choice(["meters.iot", "METERS.iot", "meters.iot.mnc070.mcc999.gprs"]), lapi=self.random.random() < 0.5,
                    imei="3566091700000" + f"{self.random.randrange(100):02d}", recovery=self.restart.get(node, 1),
                    ue=f"10.{self.teid >> 20 & 255}.{self.teid >> 12 & 255}.{self.teid >> 4 & 255}")
        s.version, n = version, self.number(node)
        refused = self.random.random() < 0.02
        if version == 2:
            self.ask(node, PGW, s.create(n), s.created(n, 73 if refused else 16))
        else:
            self.ask(node, PGW, s.create1(n), s.created1(n, 199 if refused else 128))
        if not refused:
            self.open[sim] = s

    def end(self, sim):
        s = self.open.pop(sim)
        if s.version == 2 and self.random.random() < 0.3:
            n = self.number(PGW)
            self.ask(PGW, s.visited, s.delete_bearer(n), s.answer(100, n, True))
        elif s.version == 2:
            n = self.number(s.visited)
            self.ask(s.visited, PGW, s.delete(n), s.answer(37, n))
        elif self.random.random() < 0.3:
            n = self.number(PGW)
            self.ask(PGW, s.visited, s.delete1(n, False), s.answer1(21, n, True))
        else:
            n = self.number(s.visited)
            self.ask(s.visited, PGW, s.delete1(n), s.answer1(21, n))

    def move(self, sim):
        """To another node, now and then of the other partner: nobody goes faster than a border is crossed."""
        s = self.open[sim]
        if self.random.random() < 0.2:
            s.network = self.at[sim] = P2 if s.network == P1 else P1
        s.visited = s.uplane = self.random.choice(NODES[s.network])
        self.teid += 16
        s.teid = self.teid
        n = self.number(s.visited)
        if s.version == 2:
            self.ask(s.visited, PGW, s.modify(n), s.answer(35, n))
        else:
            self.ask(s.visited, PGW, s.update1(n), s.answer1(19, n))

    def bearer(self, sim):
        s = self.open[sim]
        if s.version != 2:
            return
        n = self.number(PGW)
        self.ask(PGW, s.visited, s.create_bearer(n), s.bearer_created(n))
        n = self.number(PGW)
        self.ask(PGW, s.visited, s.delete_bearer(n, 6), s.answer(100, n, True))

    def echo(self):
        node = self.random.choice(NODES[self.random.choice([P1, P2])])
        version, n = self.random.choice([1, 2]), self.number(node)
        self.ask(node, PGW, echo(n, version=version, recovery=self.restart.get(node, 1)), echo(n, True, version=version))

    def again(self):
        """A node is started again: its sessions are gone, and it says so with the first thing it asks."""
        node = self.random.choice(NODES[self.random.choice([P1, P2])])
        self.restart[node] = self.restart.get(node, 1) % 255 + 1
        self.open = {k: s for k, s in self.open.items() if s.visited != node}
        self.out.now += 25
        self.seq[node] = 0
        n = self.number(node)
        self.ask(node, PGW, echo(n, recovery=self.restart[node]), echo(n, True))

    def guest(self):
        self.teid += 16
        s = Session(self.random.choice(GUESTS), OUR_SGW, THEIR_PGW, US, teid=self.teid, apn="internet")
        n = self.number(OUR_SGW)
        self.ask(OUR_SGW, THEIR_PGW, s.create(n), s.created(n))
        n = self.number(THEIR_PGW)
        self.ask(THEIR_PGW, OUR_SGW, v2(97, bearer(5), teid=s.teid, seq=n), v2(98, ie(2, b"\x10\0"), bearer(5, qos=False, cause=16), teid=s.far, seq=n))
        n = self.number(OUR_SGW)
        self.ask(OUR_SGW, THEIR_PGW, s.delete(n), s.answer(37, n))


def write(path, transactions=3000, seed=1):
    w = World(path, seed)
    while w.count < transactions:
        sim, what = w.random.choice(SIMS), w.random.random()
        if what < 0.01:
            w.again()
        elif what < 0.08:
            w.echo()
        elif what < 0.12:
            w.guest()
        elif sim not in w.open:
            w.create(sim)
        elif what < 0.45:
            w.move(sim)
        elif what < 0.6:
            w.bearer(sim)
        else:
            w.end(sim)
    w.out.close()
    return w.count


if __name__ == "__main__":
    print(write(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3000, int(sys.argv[3]) if len(sys.argv) > 3 else 1), "transactions")
