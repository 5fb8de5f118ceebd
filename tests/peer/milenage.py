"""MILENAGE (TS 35.206), AES-128 (FIPS 197) and KASME (TS 33.401 A.2), written for the tests alone:
an opinion on our vectors that shares no line with Merlon or OpenSSL."""
import hashlib
import hmac


def _tables():
    sbox, p, q = [0x63] * 256, 1, 1
    while True:
        p ^= p << 1 ^ (0x11b if p & 0x80 else 0)
        p &= 0xff
        for shift in (1, 2, 4):
            q ^= q << shift
        q = (q ^ (0x09 if q & 0x80 else 0)) & 0xff
        sbox[p] = q ^ 0x63 ^ _rot(q, 1) ^ _rot(q, 2) ^ _rot(q, 3) ^ _rot(q, 4)
        if p == 1:
            return sbox


def _rot(x, n):
    return (x << n | x >> 8 - n) & 0xff


def _double(x):
    return x << 1 & 0xff ^ (0x1b if x & 0x80 else 0)


SBOX = _tables()


def aes(key, block):
    words, rcon = [list(key[i:i + 4]) for i in range(0, 16, 4)], 1
    while len(words) < 44:
        w = words[-1]
        if len(words) % 4 == 0:
            w = [SBOX[b] for b in w[1:] + w[:1]]
            w[0] ^= rcon
            rcon = _double(rcon)
        words.append([a ^ b for a, b in zip(w, words[-4])])
    keys = [sum(words[i:i + 4], []) for i in range(0, 44, 4)]
    s = [a ^ b for a, b in zip(block, keys[0])]
    for n in range(1, 11):
        s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if n < 10:
            s = [_double(s[i]) ^ _double(s[t]) ^ s[t] ^ s[i - i % 4 + (i + 2) % 4] ^
                 s[i - i % 4 + (i + 3) % 4]
                 for i in range(16) for t in [i - i % 4 + (i + 1) % 4]]
        s = [a ^ b for a, b in zip(s, keys[n])]
    return bytes(s)


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def _out(k, opc, rand, r, c):
    t = xor(aes(k, xor(rand, opc)), opc)
    t = t[r // 8:] + t[:r // 8]
    return xor(aes(k, xor(t, bytes(15) + bytes([c]))), opc)


def opc_of(k, op):
    return xor(aes(k, op), op)


def f1(k, opc, rand, sqn, amf, star=False):
    t = aes(k, xor(rand, opc))
    i = xor((sqn + amf) * 2, opc)
    out = xor(aes(k, xor(t, i[8:] + i[:8])), opc)
    return out[8:] if star else out[:8]


def f2345(k, opc, rand):
    """RES, CK, IK, AK."""
    two = _out(k, opc, rand, 0, 1)
    return two[8:], _out(k, opc, rand, 32, 2), _out(k, opc, rand, 64, 4), two[:6]


def f5_star(k, opc, rand):
    return _out(k, opc, rand, 96, 8)[:6]


def kasme(ck, ik, plmn, sqn_xor_ak):
    text = b"\x10" + plmn + b"\x00\x03" + sqn_xor_ak + b"\x00\x06"
    return hmac.new(ck + ik, text, hashlib.sha256).digest()


class Usim:
    """The card's side: checks what the network sends, as TS 33.102 6.3.3 has it."""

    def __init__(self, k, opc):
        self.k, self.opc = k, opc

    def check(self, vector, plmn):
        """The SQN of an E-UTRAN-Vector whose every part is right; else AssertionError."""
        rand, autn = vector["RAND"], vector["AUTN"]
        res, ck, ik, ak = f2345(self.k, self.opc, rand)
        sqn, amf = xor(autn[:6], ak), autn[6:8]
        assert autn[8:] == f1(self.k, self.opc, rand, sqn, amf), "MAC-A"
        assert amf[0] & 0x80, "separation bit (TS 33.401 6.1.1)"
        assert vector["XRES"] == res, "XRES"
        assert vector["KASME"] == kasme(ck, ik, plmn, autn[:6]), "KASME"
        return int.from_bytes(sqn, "big")

    def auts(self, rand, sqn_ms):
        """AUTS of a card whose SQN_MS is this (TS 33.102 6.3.3: AMF* is zero)."""
        sqn = sqn_ms.to_bytes(6, "big")
        mac = f1(self.k, self.opc, rand, sqn, bytes(2), star=True)
        return xor(sqn, f5_star(self.k, self.opc, rand)) + mac
