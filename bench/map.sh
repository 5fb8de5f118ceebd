#!/bin/sh
# bench/map.sh BUILD [TRANSACTIONS]: that many honest roaming transactions over MAP (default 100000), and the attacks, through
# merlon inspect with records: what is refused, and what a message costs, the start of the program and its report included.
set -eu
B=$1
N=${2:-100000}
W=$(mktemp -d /tmp/merlon-map.XXXXXX)
P=
trap '[ -z "$P" ] || { kill $P 2>/dev/null; wait $P 2>/dev/null; } || true; rm -rf "$W"' EXIT
trap 'exit 1' INT TERM
M="$B/src/cli/merlon"
port=3868
cat >"$W/merlon.yaml" <<Y
data_dir: $W/data
roles: [keeper, home, edge, watch]
user: ""
edge: { listen: ["tcp:127.0.0.1:$port"], home: ["tcp:127.0.0.1:3870"] }
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
	echo "map.sh: merlon did not start (does another use port $port, 3870 or 9464?):" >&2
	tail -n 5 "$W/log" >&2
	exit 1
}
"$M" set network 310260 realm=epc.mnc260.mcc310.3gppnetwork.org trust=trusted lat_cdeg=3405 lon_cdeg=-11824 \
	numbers=1999 "apps=s6a map" --config "$W/merlon.yaml" >/dev/null
"$M" set profile tracker tenant=meters "rats=geran utran" "services=sms-mo sms-mt" \
	apn1=meters.iot:ipv4:9:12:100000:100000 --config "$W/merlon.yaml" >/dev/null
{
	echo imsi,tenant,profile
	echo 999708000000001,meters,tracker
	echo 999708000000002,meters,meter
	seq -f '9997081%08.0f,meters,tracker' 0 59
} >"$W/sims.csv"
"$M" import "$W/sims.csv" --config "$W/merlon.yaml"
sleep 2 # the serving copy is published
python3 tests/attacks/map_corpus.py "$W/attacks.pcap"
python3 tests/attacks/map_clean.py "$W/clean.pcap" "$N"
echo "== attacks (5 requests before them are honest)"
"$M" inspect "$W/attacks.pcap" --summary --config "$W/merlon.yaml" | grep requests
echo "== honest roaming"
a=$(date +%s%N)
"$M" inspect "$W/clean.pcap" --summary --json --config "$W/merlon.yaml" >"$W/out.json"
b=$(date +%s%N)
python3 - "$W/out.json" "$a" "$b" <<'PY'
import json, sys
s, ns = json.load(open(sys.argv[1]))["summary"], int(sys.argv[3]) - int(sys.argv[2])
print(f"{s['messages']} messages, {s['requests']} requests: {s['passed']} pass, refused {s['refused']}, {s['malformed']} malformed; "
      f"{ns / s['messages'] / 1000:.1f} us a message, all in")
sys.exit(s["passed"] != s["requests"])
PY
