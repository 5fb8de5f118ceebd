#!/bin/sh
# The content scanner and full inspection, one core: goals are 1.0 GB/s validated on payloads of 190 bytes, and 90 %
# of ndpiReader's rate on the same capture. CPU time, so that other work on the machine counts little.
set -eu
B=$1
cd "$(dirname "$0")/.."
ninja -C "$B" src/inspect/bench_scan src/inspect/bench_content | tail -n 1
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 bench/leaks.py "$T/own.bin" 11 40000
"$B/src/inspect/bench_scan" corpus "$T/own.bin"
"$B/src/inspect/bench_scan" speed "$T/own.bin"
C=../shared/captures
[ -d "$C" ] || { echo "no ../shared/captures: skipped what needs it"; exit 0; }
"$B/src/inspect/bench_scan" corpus "$C/leak-corpus-seed7.bin"
"$B/src/inspect/bench_scan" speed "$C/leak-corpus-seed7.bin"
echo "receivers' logs (gps/daemon): the checksum-valid fixes in them, counted by another program, and found"
python3 bench/leaks.py --nmea "$C"/gps/daemon/*.log
"$B/src/inspect/bench_scan" lines "$C"/gps/daemon/*.log
python3 bench/leaks.py --merge "$T/all.pcap" "$C"/ndpi/*.pcap
for i in 1 2; do
	"$B/src/inspect/bench_content" "$T/all.pcap" 5 | tail -n 3
	python3 bench/leaks.py --reader "$T/all.pcap" "$T/one.pcap"
done
