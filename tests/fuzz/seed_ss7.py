#!/usr/bin/env python3
"""Seeds for fuzz_m3ua, fuzz_sccp, fuzz_tcap, fuzz_map, fuzz_ss7 and fuzz_hlr, by tests/attacks/ss7.py: seed_ss7.py FOLDER (the corpus)."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "attacks"))
from ss7 import *  # noqa: E402, F403

IMSI, VLR_NO = tbcd("999700000000001"), number("358401")
UPDATE = seq(octets(IMSI), ctx(1, VLR_NO), octets(VLR_NO))
A, B = title("358401", VLR), title("49170123", HLR)
MESSAGES = {
    "begin": begin(1, invoke(2, UPDATE), dialogue=aarq(context(1, 3), map_open(number("999701"), VLR_NO))),
    "continue": cont(7, 1, invoke(7, seq(ctx(0, IMSI)), no=2), dialogue=aare(context(1, 3))),
    "end": end(1, result(2, seq(octets(VLR_NO)))), "end_error": end(1, error(8)), "abort": abort(1, 1),
    "unidirectional": tlv(0x61, components(invoke(72, seq(ctx(0, IMSI))))),
    "open_lengths": begin(1, invoke(2, UPDATE), open_end=True), "global": begin(1, invoke(2, UPDATE, code=oid(1, 2, 3))),
    "long_tag": tlv(0x62, tid(0x48, 1), tlv(b"\x7f\x8c\x0c", b"xyz"), tlv(0x6c, invoke(2, UPDATE))),
    "nested": tlv(0x62, tid(0x48, 1), b"\x6c\x80" + b"\xa1\x80" * 40 + b"\0\0" * 41),
    "many": begin(1, *[invoke(56, octets(IMSI), no=i) for i in range(60)]),
}
ARGUMENTS = {2: UPDATE, 3: ctx(3, octets(IMSI), enum(0), made=True), 7: seq(ctx(0, IMSI), ctx(13, ctx(0, seq(seq(
    enum(2), integer(5), ctx(0, VLR_NO))), made=True), made=True)), 43: seq(octets(tbcd("353166090000010f"))),
    44: seq(ctx(0, IMSI), ctx(4, VLR_NO), octets(b"sms")), 56: octets(IMSI), 67: ctx(3, octets(IMSI), ctx(1, VLR_NO), made=True),
    71: seq(ctx(0, ctx(0, IMSI), made=True), ctx(1, b"", made=True), ctx(3, VLR_NO))}


def write(folder, name, data):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def hlr():
    """Conversations with the HLR of tests/unit/hlr_world.h; ffffffff is the identifier that it named last."""
    last, us, them, sgsn = 0xffffffff, title("99970000", HLR), title("99901100", VLR), title("99901300", SGSN)
    sms = seq(ctx(4, number("99970600")), ctx(2, number("99970123456")), octets(b"\1\0\x09\x91\x99\x79\0\0\xf1\0\0\1x"))

    def asks(op, argument, ac, version=3, frm=them, user=b""):
        return udt(us, frm, begin(9, invoke(op, argument), dialogue=aarq(context(ac, version), user) if version > 1 else b""))

    def goes_on(*parts, frm=them):
        return udt(us, frm, cont(9, last, *parts))
    gprs = seq(octets(IMSI), octets(number("99901300")), octets(b"\4\x7f\0\0\1"), ctx(4, ctx(0, bytes(8)), made=True), ctx(8, b"\1"))
    return {
        "vectors3": [asks(56, seq(ctx(0, IMSI), integer(5), ctx(1, b""), seq(octets(bytes(16)), octets(bytes(14))), ctx(3, b"\1"),
                                  ctx(4, b"\0\xf1\x10"), ctx(5, b"\2"), ctx(6, b"")), 14)],
        "vectors2": [asks(56, octets(IMSI), 14, 2)] * 2,
        "update": [asks(2, seq(octets(IMSI), ctx(1, VLR_NO), octets(number("99901100"))), 1), goes_on(result(no=1)),
                   asks(57, seq(octets(IMSI)), 1), goes_on(error(36, no=1)),
                   asks(67, ctx(3, octets(IMSI), ctx(0, number("99901100")), made=True), 27),
                   asks(45, seq(ctx(0, number("99970123456")), ctx(1, b"\1"), ctx(2, VLR_NO)), 20)],
        "gprs": [asks(23, gprs, 32, frm=sgsn), goes_on(result(7, seq(ctx(4, b"\6\x80\0\0")), no=1), frm=sgsn), goes_on(result(no=2), frm=sgsn)],
        "begun": [udt(us, them, begin(9, dialogue=aarq(context(14, 3)))), goes_on(invoke(56, seq(ctx(0, IMSI), integer(1))))],
        "devices": [asks(43, seq(octets(tbcd("3531660900000201"))), 13), asks(43, octets(tbcd("3531660900000101")), 13, 1)],
        "sms": [asks(46, sms, 21), asks(47, seq(octets(number("99970123456")), octets(VLR_NO), enum(1)), 20),
                asks(66, seq(ctx(0, IMSI), enum(0)), 24)],
        "ussd": [asks(59, seq(octets(b"\x0f"), octets(b"*100#")), 19, 2, user=map_open(number("999700000000001", 0x96))),
                 asks(10, seq(octets(b"\x21")), 18, 2), asks(15, seq(octets(IMSI), enum(1)), 39)],
        "versions": [asks(2, UPDATE, 1, 7), asks(2, UPDATE, 1, 1), asks(71, UPDATE, 29), goes_on(result(no=1)), asks(56, UPDATE, 1)],
        "segments": split(us, them, begin(9, invoke(56, seq(ctx(0, IMSI), integer(5))), dialogue=aarq(context(14, 3))), 40),
        "returned": [asks(2, UPDATE, 1), udts(them, us, begin(last, invoke(7)))],
    }


def main():
    to = pathlib.Path(sys.argv[1])
    for name, m in MESSAGES.items():
        write(to / "tcap", name, m)
    for op, a in ARGUMENTS.items():
        write(to / "map", f"op{op}", bytes([op]) + a)
    data = MESSAGES["begin"]
    for name, m in {"udt": udt(B, A, data), "udts": udts(B, A, data), "xudt": xudt(B, A, data, importance=3),
                    "xudt_part": split(B, A, data, 60)[0], "xudts": xudts(B, A, data), "ludt": ludt(B, A, data * 3),
                    "title1": udt(title("123", 6, kind=1), A, data), "title2": udt(title("1234", 6, kind=2), A, data),
                    "title3": udt(title("12345", 6, kind=3), title("", 8, kind=0, pc=77), data)}.items():
        write(to / "sccp", name, m)
    user = udt(B, A, data)
    for name, m in {"data": transfer(1, 2, user, routing_context=5), "aspup": m3ua(3, 1, parameter(17, bytes(4))),
                    "duna": m3ua(2, 1, parameter(18, bytes(8))), "beat": m3ua(3, 3, parameter(9, b"hello")),
                    "reg": m3ua(9, 1, parameter(0x207, parameter(0x20a, bytes(4)) + parameter(0x20b, bytes(4)))),
                    "scon": m3ua(2, 4, parameter(18, bytes(4)), parameter(0x205, b"\0\0\0\1"))}.items():
        write(to / "m3ua", name, m)
    us, them = title("9997011", VLR), title("99901900", HLR)
    talk = {"asked": [udt(title("9997001", HLR), title("99901100", VLR), data)],
            "segments": split(title("9997001", HLR), title("99901100", VLR), data * 2, 60),
            "dialogue": [udt(them, us, begin(9, invoke(2, UPDATE), dialogue=aarq(context(1, 3)))),
                         udt(us, them, cont(7, 9, invoke(7, seq(ctx(0, IMSI)), no=2), dialogue=aare(context(1, 3)))),
                         udt(them, us, cont(9, 7, result(no=2))), udt(us, them, end(9, result(2, seq(octets(VLR_NO)))))],
            "late": [udt(us, them, end(9, invoke(2, UPDATE)))] * 4}
    for name, messages in hlr().items():
        write(to / "hlr", name, b"".join(len(m).to_bytes(2, "big") + m for m in messages))
    for name, messages in talk.items():
        write(to / "ss7", name, b"".join(len(m).to_bytes(2, "big") + m for m in messages))


main()
