#!/bin/sh
# bench/gtp.sh BUILD [TRANSACTIONS]: that many honest roaming transactions over GTP-C (default 100000), and the attacks, through
# merlon inspect with records: what is refused; then what screening costs, from memory, on one core.
set -eu
B=$1
N=${2:-100000}
W=$(mktemp -d /tmp/merlon-gtp.XXXXXX)
P=
trap '[ -z "$P" ] || { kill $P 2>/dev/null; wait $P 2>/dev/null; } || true; rm -rf "$W"' EXIT
trap 'exit 1' INT TERM
M="$B/src/cli/merlon"
cat >"$W/merlon.yaml" <<Y
data_dir: $W/data
roles: [keeper, watch]
user: ""
Y
"$M" run --config "$W/merlon.yaml" --demo >"$W/log" 2>&1 &
P=$!
up=
for _ in $(seq 120); do
	"$M" show network 99970 --config "$W/merlon.yaml" >/dev/null 2>&1 && up=1 && break
	kill -0 $P 2>/dev/null || break
	sleep 0.5
done
[ -n "$up" ] || {
	echo "gtp.sh: merlon did not start:" >&2
	tail -n 5 "$W/log" >&2
	exit 1
}
while read -r network addresses; do
	"$M" set network "$network" "addresses=$addresses" "apps=s6a s13 map gtp" --config "$W/merlon.yaml" >/dev/null
done <<N
99970 198.51.100.0/24
00101 192.0.2.0/25
00102 192.0.2.128/25
00103 203.0.113.0/25
N
"$M" set profile roamer tenant=meters "rats=utran wb-eutran nb-iot lte-m" apn1=meters.iot:ipv4:9:12:100000:100000 \
	--config "$W/merlon.yaml" >/dev/null
{
	echo imsi,msisdn,tenant,profile
	echo 999708000000011,99970000000011,meters,roamer
	echo 999708000000012,99970000000012,meters,roamer
	seq -f '9997082%08.0f,,meters,roamer' 0 79
} >"$W/sims.csv"
"$M" import "$W/sims.csv" --config "$W/merlon.yaml"
sleep 2 # the serving copy is published
python3 tests/attacks/gtp_corpus.py "$W/attacks.pcap"
python3 tests/attacks/gtp_clean.py "$W/clean.pcap" "$N"
echo "== attacks (2 sessions before them are honest)"
"$M" inspect "$W/attacks.pcap" --summary --config "$W/merlon.yaml" | grep requests
echo "== honest roaming"
a=$(date +%s%N)
"$M" inspect "$W/clean.pcap" --summary --json --config "$W/merlon.yaml" >"$W/out.json"
b=$(date +%s%N)
python3 - "$W/out.json" "$a" "$b" <<'PY'
import json, sys
report, ns = json.load(open(sys.argv[1])), int(sys.argv[3]) - int(sys.argv[2])
s, gtp = report["summary"], report["traffic"]["signalling"]
print(f"{gtp['messages']} messages, {s['requests']} requests: {s['passed']} pass, refused {s['refused']}, {s['malformed']} malformed; "
      f"sessions {gtp['opened']}, nodes started again {gtp['restarts']}; {ns / gtp['messages'] / 1000:.1f} us a message, all in")
sys.exit(s["passed"] != s["requests"])
PY
echo "== from memory"
nice ninja -C "$B" src/inspect/bench_gtpc >/dev/null
"$B/src/inspect/bench_gtpc" 3
