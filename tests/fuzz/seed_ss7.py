#!/usr/bin/env python3
"""Seeds for fuzz_m3ua, fuzz_sccp, fuzz_tcap and fuzz_map, by tests/attacks/ss7.py: seed_ss7.py FOLDER (the corpus)."""
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
    for name, messages in talk.items():
        write(to / "ss7", name, b"".join(len(m).to_bytes(2, "big") + m for m in messages))


main()
