"""TUAK (TS 35.231) and Keccak-f[1600] (FIPS 202) in big numbers, written for the tests alone from the
specification: an opinion on our vectors that shares no line with Merlon or OpenSSL."""
import milenage

LANES = [(x, y) for y in range(5) for x in range(5)]
MASK = (1 << 64) - 1


def _rol(v, n):
    return (v << n % 64 | v >> (64 - n % 64)) & MASK


def _offsets():
    at, r = (1, 0), {(0, 0): 0}
    for t in range(24):
        r[at] = (t + 1) * (t + 2) // 2
        at = (at[1], (2 * at[0] + 3 * at[1]) % 5)
    return r


def _round_constants():
    bits, lfsr = [], 1
    for _ in range(24 * 7):
        bits.append(lfsr & 1)
        lfsr = lfsr << 1 ^ (0x171 if lfsr & 0x80 else 0)
    return [sum(bits[7 * i + j] << (1 << j) - 1 for j in range(7)) for i in range(24)]


ROTATE, ROUND = _offsets(), _round_constants()


def keccak(state):
    """One permutation of 200 octets."""
    a = {p: int.from_bytes(state[8 * i:8 * i + 8], "little") for i, p in enumerate(LANES)}
    for rc in ROUND:
        c = [a[x, 0] ^ a[x, 1] ^ a[x, 2] ^ a[x, 3] ^ a[x, 4] for x in range(5)]
        d = [c[(x - 1) % 5] ^ _rol(c[(x + 1) % 5], 1) for x in range(5)]
        b = {(y, (2 * x + 3 * y) % 5): _rol(a[x, y] ^ d[x], ROTATE[x, y]) for x, y in LANES}
        a = {(x, y): b[x, y] ^ (~b[(x + 1) % 5, y] & b[(x + 2) % 5, y]) for x, y in LANES}
        a[0, 0] ^= rc
    return b"".join(a[p].to_bytes(8, "little") for p in LANES)


def _bits_in(state, first, field):
    """Bit n of the field, counted from its end, is bit first + n of Keccak (TS 35.231 6)."""
    return state | int.from_bytes(field, "big") << first


def _run(top, instance, k, rand=bytes(16), amf=bytes(2), sqn=bytes(6), iterations=1):
    x = _bits_in(0, 0, top)
    x |= (instance | (len(k) == 32)) << 256
    x = _bits_in(x, 264, b"TUAK1.0")
    x = _bits_in(x, 320, rand)
    x = _bits_in(x, 448, amf)
    x = _bits_in(x, 464, sqn)
    x = _bits_in(x, 512, k)
    for bit in (768, 769, 770, 771, 772, 1087):  # the padding
        x |= 1 << bit
    state = x.to_bytes(200, "little")
    for _ in range(iterations):
        state = keccak(state)
    return int.from_bytes(state, "little")


def _out(x, first, octets):
    return (x >> first & (1 << 8 * octets) - 1).to_bytes(octets, "big")


def _code(octets):
    return 0 if octets < 8 else octets


def topc_of(k, top, iterations=1):
    return _out(_run(top, 0, k, iterations=iterations), 0, 32)


def f1(k, topc, rand, sqn, amf, star=False, mac=8, iterations=1):
    return _out(_run(topc, (0x80 if star else 0) | _code(mac), k, rand, amf, sqn, iterations), 0, mac)


def f2345(k, topc, rand, res=8, ck=16, ik=16, iterations=1):
    """RES, CK, IK, AK."""
    instance = 0x40 | _code(res) | (4 if ck == 32 else 0) | (2 if ik == 32 else 0)
    x = _run(topc, instance, k, rand, iterations=iterations)
    return _out(x, 0, res), _out(x, 256, ck), _out(x, 512, ik), _out(x, 768, 6)


def f5_star(k, topc, rand, iterations=1):
    return _out(_run(topc, 0xc0, k, rand, iterations=iterations), 768, 6)


class Usim:
    """A card with TUAK: as milenage.Usim, with RES of `res` octets."""

    def __init__(self, k, topc, res=8, iterations=1):
        self.k, self.topc, self.res, self.n = k, topc, res, iterations

    def check(self, vector, plmn):
        rand, autn = vector["RAND"], vector["AUTN"]
        res, ck, ik, ak = f2345(self.k, self.topc, rand, self.res, iterations=self.n)
        sqn, amf = milenage.xor(autn[:6], ak), autn[6:8]
        assert autn[8:] == f1(self.k, self.topc, rand, sqn, amf, iterations=self.n), "MAC-A"
        assert amf[0] & 0x80, "separation bit (TS 33.401 6.1.1)"
        assert vector["XRES"] == res, "XRES"
        assert vector["KASME"] == milenage.kasme(ck, ik, plmn, autn[:6]), "KASME"
        return int.from_bytes(sqn, "big")

    def auts(self, rand, sqn_ms):
        sqn = sqn_ms.to_bytes(6, "big")
        mac = f1(self.k, self.topc, rand, sqn, bytes(2), star=True, iterations=self.n)
        return milenage.xor(sqn, f5_star(self.k, self.topc, rand, self.n)) + mac
