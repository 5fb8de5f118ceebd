#!/usr/bin/env python3
"""Corpora for the content scanner: telemetry with leaks planted (u16 length, u32 mask, payload, as the shared corpus
has them); NMEA fixes counted by another program; captures put one after another.
    leaks.py FILE SEED N | leaks.py --nmea LOG... | leaks.py --merge OUT.pcap IN.pcap... |
    leaks.py --reader IN.pcap TMP"""
import base64
import random
import re
import resource
import struct
import subprocess
import sys

R = random.Random()


def luhn(digits):
    s = sum(d if i % 2 else d * 2 - 9 * (d > 4) for i, d in enumerate(reversed([int(c) for c in digits])))
    return digits + str(-s % 10)


def num(n):
    return "".join(R.choice("0123456789") for _ in range(n))


def word(n, of="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"):
    return "".join(R.choice(of) for _ in range(n))


def nmea(body):
    x = 0
    for c in body:
        x ^= ord(c)
    return f"${body}*{x:02X}\r\n"


def place():
    return (f"{R.randrange(90):02}{R.uniform(0, 59.99):07.4f},{R.choice('NS')},"
            f"{R.randrange(180):03}{R.uniform(0, 59.99):07.4f},{R.choice('EW')}")


def iban():
    country, n = R.choice([("DE", 18), ("GB", 0), ("NL", 0), ("ES", 20), ("AT", 16)])
    body = num(n) if n else ("MIDL" + num(14) if country == "GB" else "ABNA" + num(10))
    check = 98 - int("".join(str(int(c, 36)) for c in body + country + "00")) % 97
    text = f"{country}{check:02}{body}"
    return text if R.random() < .5 else " ".join(text[i:i + 4] for i in range(0, len(text), 4))


def card():
    n = luhn(R.choice(["4", "51", "55", "2221", "6011"]).ljust(4, "3") + num(11))
    return R.choice([n, " ".join(n[i:i + 4] for i in range(0, 16, 4)), "-".join(n[i:i + 4] for i in range(0, 16, 4))])


def ssn():
    return f"{R.randint(1, 665):03}{R.choice('- ')}{R.randint(1, 99):02}-{R.randint(1, 9999):04}".replace(" ", "-")


LEAKS = [
    lambda: R.choice(['"ssn": "%s"', "SSN=%s&", "<ssn>%s</ssn>", "social security number %s "]) % ssn(),
    lambda: nmea(f"G{R.choice('PNL')}GGA,{num(6)}.00,{place()},{R.choice('12')},08,0.9,545.4,M,46.9,M,,"),
    lambda: nmea(f"GNRMC,{num(6)},A,{place()},022.4,084.4,230394,003.1,W"),
    lambda: R.choice(['{"lat": %.5f, "lng": %.5f}', "gps_lat=%.6f&gps_lon=%.6f", '"Latitude":"%.4f","Longitude":"%.4f"'])
    % (R.uniform(-89, 89), R.uniform(-179, 179)),
    lambda: R.choice(["location: %.5f, %.5f", '"coordinates":[%.6f,%.6f]', "geo:%.4f,%.4f"])
    % (R.uniform(-89, 89), R.uniform(-89, 89)),
    lambda: R.choice(["card %s ", '"pan":"%s"', "payment card: %s,"]) % card(),
    lambda: R.choice(["mail %s ", '"owner":"%s"', "<%s>"]) % f"{word(7).lower()}.{word(3)}@{word(6).lower()}.example.org",
    lambda: R.choice(['"IMSI":"%s"', "imsi=%s ", "<imsi>%s</imsi>"]) % (R.choice(["26201", "310410", "23415", "46000"]) + num(15))[:15],
    lambda: R.choice(['"imei":"%s"', "IMEI: %s ", "##,imei:%s,A;"]) % luhn(R.choice(["35", "86", "01"]) + num(12)),
    lambda: "eyJ" + base64.urlsafe_b64encode(b'hbGciOi' + word(12).encode()).decode().strip("=") + "." + word(60) + "." + word(43) + " ",
    lambda: '"id":"AKIA' + word(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") + '"',
    lambda: f"-----BEGIN {R.choice(['', 'RSA ', 'EC '])}PRIVATE KEY-----\n{word(64)}\n",
    lambda: "Authorization: Basic " + base64.b64encode(f"{word(5)}:{word(9)}".encode()).decode() + "\r\n",
    lambda: R.choice(["password=%s&", '"wifi_pass": "%s"', "pwd: %s\n"]) % word(9),
    lambda: R.choice(["phone +49%s ", '"msisdn":"+44%s"', "tel:+81%s;"]) % num(10),
    lambda: R.choice(["phone %d%s-%d%s-%s ", "call (%d%s) %d%s-%s "]) % (R.randint(2, 9), "0" + num(1), R.randint(2, 9), "3" + num(1), num(4)),
    lambda: "authorization: Bearer " + word(40) + "\r\n",
    lambda: f"pay to {iban()}, ",
    lambda: f"{R.choice(['rtsp', 'ftp', 'amqp'])}://{word(6)}:{word(10)}@host.example/x ",
    lambda: "SharedAccessKey=" + base64.b64encode(word(32).encode()).decode() + " ",
    lambda: R.choice(['"ICCID":"%s"', "+CCID: %s\r\n"]) % luhn("8949" + num(14)),
    lambda: f"token gh{R.choice('pous')}_{word(36)} ",
]


def field():
    k = R.choice(["temp", "hum", "batt", "rssi", "seq", "flow", "level", "latency", "position_error", "pressure", "lonely",
                  "compass", "secondary", "passage"])
    return R.choice([
        lambda: f'"{k}":{R.uniform(-999, 999):.6f}', lambda: f'"{k}":{R.randrange(10 ** R.randint(1, 13))}',
        lambda: f'"sn":"{num(R.randint(8, 20))}"', lambda: f'"ts":17{num(11)}', lambda: f'"mac":"{word(12, "0123456789abcdef")}"',
        lambda: f'"acc":[{R.uniform(-2, 2):.5f},{R.uniform(-2, 2):.5f},{R.uniform(9, 10):.5f}]',
        lambda: f'"fw":"{R.randrange(9)}.{R.randrange(99)}.{R.randrange(99)}-{num(4)}"',
        lambda: f'"ctr":"{num(3)}-{num(2)}-{num(4)}"', lambda: f'"hash":"{word(40, "0123456789abcdef")}"'])()


def benign():
    kind = R.random()
    if kind < .1:
        return bytes(R.randrange(256) for _ in range(R.randint(20, 260)))
    if kind < .2:
        return nmea(f"GPGGA,{num(6)}.00,,,,,0,00,99.99,,,,,,").encode()
    return ("{" + ",".join(field() for _ in range(R.randint(2, 9))) + "}").encode()


def corpus(path, seed, n):
    R.seed(seed)
    with open(path, "wb") as f:
        for i in range(n):
            mask, body = 0, benign()
            if i % 40 == 0:
                k = (i // 40) % len(LEAKS)
                mask, body = 1 << k, body + b" " + LEAKS[k]().encode()
            f.write(struct.pack("<HI", len(body), mask) + body)


def count(paths):
    """Fixes by a pattern and a checksum of our own: what the scanner must find, line by line."""
    n = {"GGA": 0, "RMC": 0, "GLL": 0}
    for path in paths:
        for line in open(path, "rb"):
            for m in re.finditer(rb"\$([A-Z]{2})(GGA|RMC|GLL),([^*$\r\n]*)\*([0-9A-Fa-f]{2})", line):
                body, kind, f = m[0][1:-3], m[2].decode(), m[3].split(b",")
                x = 0
                for c in body:
                    x ^= c
                if x != int(m[4], 16) or len(m[0]) > 96:
                    continue
                at = {"GGA": 1, "RMC": 2, "GLL": 0}[kind]
                ok = {"GGA": lambda: b"1" <= f[5] <= b"9", "RMC": lambda: f[1] == b"A", "GLL": lambda: f[5] == b"A"}[kind]
                if len(f) > 5 and ok() and len(f[at]) >= 4 and len(f[at + 2]) >= 5:
                    n[kind] += 1
    print("  in the logs:", ", ".join(f"{v} {k}" for k, v in n.items()))


def merge(out, paths):
    """Ethernet captures alone, one after another in time, as mergecap -a does."""
    good = [p for p in paths if "Ethernet" in subprocess.run(["capinfos", "-E", p], capture_output=True, text=True).stdout]
    subprocess.run(["mergecap", "-a", "-F", "pcap", "-w", out, *good], check=True)


def reader(path, tmp):
    """ndpiReader's CPU time for a capture, less what it takes to start: the same capture's first packet alone."""
    def cpu(p):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(["ndpiReader", "-q", "-i", p], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    subprocess.run(["editcap", "-r", path, tmp, "1"], check=True)
    n = int(re.search(r"(\d+)\s*$", subprocess.run(["capinfos", "-Mc", path], capture_output=True, text=True).stdout)[1])
    took = sorted(cpu(path) - cpu(tmp) for _ in range(5))
    print(f"ndpiReader: {n / took[2]:.0f} packets/s of CPU time (median of 5; best {n / took[0]:.0f})")


if sys.argv[1] == "--reader":
    reader(sys.argv[2], sys.argv[3])
elif sys.argv[1] == "--nmea":
    count(sys.argv[2:])
elif sys.argv[1] == "--merge":
    merge(sys.argv[2], sys.argv[3:])
else:
    corpus(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
