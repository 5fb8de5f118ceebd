#!/usr/bin/env python3
"""Honest roaming over MAP: map_clean.py FILE.pcap [TRANSACTIONS [SEED]]. SIMs of ours who register, move, pay, write and leave
at partners, in the versions and containers that nodes use; subscribers of partners at ours, whom their homes look after. Not
one of these may be refused. The cast is that of map_corpus.py."""
import random
import sys

from map_corpus import FAR, HLR_US, MSC_US, P1, P2, SCF_NO, VLR_US, node, opened, prelude  # noqa: F401
from ss7 import *

SIMS = [f"9997081{i:08d}" for i in range(60)]
GUESTS = [(f"00101{i:010d}", P1) for i in range(1, 40)] + [(f"00102{i:010d}", P2) for i in range(1, 40)]
SMSC_US, SCF_US = "9997015", "9997016"
LONG = octets(bytes(150))  # an extension that makes a message long


class World:
    def __init__(self, path, seed):
        self.out, self.random, self.tid, self.reference = Capture(path), random.Random(seed), 1, 0
        self.at, self.last, self.guests, self.count = {}, {}, {}, 0

    def send(self, outside, called, calling, tcap):
        """In the container that its length needs, or any that a node may choose."""
        ends = len(called) + len(calling)
        self.reference = self.reference + 1 & 0xffffff
        if len(tcap) + ends > 240:
            packs = [lambda *a: [ludt(*a)], lambda a, b, c: split(a, b, c, 200, self.reference)]
        else:
            packs = [lambda *a: [udt(*a)]] * 4 + [lambda *a: [xudt(*a)], lambda *a: [xudt(*a, importance=2)]]
        where = {} if outside else dict(src="192.0.2.2", dst="192.0.2.1")
        for m in self.random.choice(packs)(called, calling, tcap):
            self.out.add(transfer(100 if outside else 1, 1 if outside else 100, m), after=0.013, **where)

    def ask(self, outside, called, calling, op, argument, ac, version=3, value=b"", user=b"", between=()):
        """A whole transaction: what is asked, perhaps asked back on the way, and its result."""
        self.tid += 1
        self.count += 1
        mine, theirs, no = self.tid, self.tid | 0x40000000, self.random.randrange(1, 100)
        self.send(outside, called, calling, begin(mine, invoke(op, argument, no), dialogue=aarq(context(ac, version), user),
                                                  open_end=self.random.random() < 0.2))
        # The one who answers has a title of his own, whatever he was called by.
        back = self.answering(called)
        first = True
        for other, data in between:
            self.send(not outside, calling, back, cont(theirs, mine, invoke(other, data, no + 1),
                                                       dialogue=aare(context(ac, version)) if first else b""))
            self.send(outside, back, calling, cont(mine, theirs, result(no=no + 1)))
            first = False
        dialogue = aare(context(ac, version)) if first else b""
        self.send(not outside, calling, back, end(mine, result(op, value, no) if value else result(no=no), dialogue=dialogue))

    @staticmethod
    def answering(called):
        return title(HLR_US, HLR) if called[0] & 0x3c == 0x10 and called[3] >> 4 == 7 else called

    def home(self, of):
        """Our HLR by its title, or by an E.214 one made of the IMSI."""
        return self.random.choice([title(HLR_US, HLR), title("99970" + of[5:], HLR, plan=7)])

    # --- our SIMs abroad

    def attach(self, of):
        to = self.random.choice([P1, P1, P2] + ([FAR] if self.random.random() < 0.02 else []))
        if FAR in (to, self.last.get(of)):
            self.out.now += 20 * 3600
        vlr, sgsn = title(node(to, VLR), VLR), title(node(to, SGSN), SGSN)
        i, gprs, version = tbcd(of), self.random.random() < 0.6, self.random.choice([2, 3, 3])
        who = sgsn if gprs else vlr
        argument = octets(i) if version == 2 else seq(ctx(0, i), integer(3), ctx(3, b"\0"))
        self.ask(True, self.home(of), who, 56, argument, 14, version, seq(octets(bytes(80))))
        data = ((7, seq(ctx(1, number("99970555" + of[-4:])), ctx(2, b"\x0a"))), (7, seq(ctx(16, LONG, made=True))))
        if gprs:
            self.ask(True, self.home(of), who, 23, seq(octets(i), octets(number(node(to, SGSN))), octets(b"\x04\xc0\0\2\7")), 32, 3,
                     seq(octets(number(HLR_US))), between=data)
        else:
            self.ask(True, self.home(of), who, 2, seq(octets(i), ctx(1, number(node(to, MSC))), octets(number(node(to, VLR)))), 1,
                     version, seq(octets(number(HLR_US))), between=data[:self.random.randrange(1, 3)])
        self.at[of], self.last[of] = (to, gprs), to

    def use(self, of):
        to, gprs = self.at[of]
        vlr, msc, i = title(node(to, VLR), VLR), title(node(to, MSC), MSC), tbcd(of)
        hlr, version = title(HLR_US, HLR), self.random.choice([2, 3])
        kind = self.random.randrange(10)
        if kind == 0:
            self.ask(True, hlr, vlr, 14, seq(octets(b"\x21")), 18, 2, seq(octets(b"\0")), user=opened(of))
        elif kind == 1:
            self.ask(True, hlr, vlr, 59, seq(octets(b"\x0f"), octets(b"*100#")), 19, 2, seq(octets(b"\x0f"), octets(b"9")),
                     user=opened(of))
        elif kind == 2:
            self.ask(True, title(SMSC_US, MSC), msc, 46, seq(ctx(4, number(SMSC_US)), ctx(2, number("999705550001")), octets(bytes(90)),
                                                             octets(i)), 21)
        elif kind == 3:
            self.ask(True, hlr, vlr, 66, seq(ctx(0, i), enum(0)), 24)
        elif kind == 4:
            self.ask(True, hlr, vlr, 15, seq(octets(i), enum(1)), 39)
        elif kind == 5 and not gprs:
            self.ask(True, hlr, vlr, 57, seq(octets(i)), 1, version, seq(octets(number(HLR_US))), between=((7, seq(ctx(1, number("999705"
                                                                                                                   "55")))),))
        elif kind == 6:
            self.ask(True, hlr, title(node(to, MSC), MSC), 45, seq(ctx(0, number("99970555")), ctx(1, b"\1"), ctx(2, number(node(
                to, MSC)))), 20, version, seq(octets(i), ctx(0, ctx(1, number(node(to, MSC))), made=True)))
        elif kind == 7:
            self.ask(False, vlr, hlr, 70, seq(ctx(0, i), ctx(2, ctx(0, b""), made=True)), 28, 3, seq(b""))
        elif kind == 8:
            self.ask(False, vlr, hlr, 3, ctx(3, octets(i), enum(0), made=True) if version == 3 else octets(i), 2, version)
        else:
            self.leave(of)

    def leave(self, of):
        to, gprs = self.at.pop(of)
        who = SGSN if gprs else VLR
        self.ask(True, title(HLR_US, HLR), title(node(to, who), who), 67, ctx(3, octets(tbcd(of)), ctx(1 if gprs else 0, number(
            node(to, who))), made=True), 27)

    # --- partners' subscribers here

    def arrive(self, guest):
        of, home = guest
        hlr, us, i = title(node(home, HLR), HLR), title(VLR_US, VLR), tbcd(of)
        self.ask(False, hlr, us, 56, seq(ctx(0, i), integer(5), ctx(3, b"\0")), 14, 3, seq(octets(bytes(100))))
        self.ask(False, hlr, us, 2, seq(octets(i), ctx(1, number(MSC_US)), octets(number(VLR_US))), 1, 3, seq(octets(number(node(
            home, HLR)))), between=((7, seq(ctx(1, number("999015")))), (7, seq(ctx(13, ctx(0, seq(seq(enum(2), integer(5), ctx(
                0, number(node(home, SCF))))), made=True), made=True)))))
        self.guests[guest] = True

    def look_after(self, guest):
        of, home = guest
        hlr, us, i, kind = title(node(home, HLR), HLR), title(VLR_US, VLR), tbcd(of), self.random.randrange(7)
        if kind == 0:
            self.ask(True, us, hlr, 70, seq(ctx(0, i), ctx(2, ctx(0, b""), made=True)), 28, 3, seq(b""))
        elif kind == 1:
            self.ask(True, us, hlr, 4, seq(ctx(0, i), ctx(1, number(MSC_US)), ctx(2, number("999015"))), 3, 3, octets(number("9997017")))
        elif kind == 2:
            self.ask(True, us, hlr, 7, seq(ctx(0, i), ctx(1, number("999015"))), 16, self.random.choice([2, 3]))
        elif kind == 3:
            smsc = self.random.choice([P1, P2])
            self.ask(True, title(MSC_US, MSC), title(node(smsc, MSC), MSC), 44, seq(ctx(0, i), ctx(4, number(node(smsc, MSC))), octets(
                bytes(120))), 25)
        elif kind == 4:
            self.ask(True, us, hlr, 60, seq(octets(b"\x0f"), octets(b"1 or 2?")), 19, 2, seq(octets(b"\x0f"), octets(b"1")), user=opened(of))
        elif kind == 5:
            self.ask(False, hlr, us, 67, ctx(3, octets(i), ctx(0, number(VLR_US)), made=True), 27)
            del self.guests[guest]
        else:
            self.ask(True, us, hlr, 3, ctx(3, octets(i), enum(0), made=True), 2)
            del self.guests[guest]


def write(path, transactions=2000, seed=7):
    """Returns how many transactions were written."""
    w = World(path, seed)
    while w.count < transactions:
        w.out.now += 1
        if w.random.random() < 0.6:
            of = w.random.choice(SIMS)
            if of in w.at and w.random.random() < 0.8:
                w.use(of)
            else:
                w.attach(of)
        else:
            guest = w.random.choice(GUESTS)
            if guest in w.guests:
                w.look_after(guest)
            else:
                w.arrive(guest)
    w.out.close()
    return w.count


if __name__ == "__main__":
    print(write(sys.argv[1], *(int(a) for a in sys.argv[2:])), "transactions")
