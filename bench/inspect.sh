#!/bin/sh
# bench/inspect.sh BUILD [SECONDS]: the packet path on one core: packets and bits a second from memory, and over veth
# beside a forwarder that looks at nothing. Needs root, for a network namespace of its own.
set -eu
B=$1
S=${2:-6}
nice ninja -C "$B" src/inspect/bench_inspect >/dev/null
"$B/src/inspect/bench_inspect" memory "$S"
[ "$(id -u)" = 0 ] || {
	echo "inspect.sh: not root: no measurement over veth"
	exit 0
}
exec unshare -n sh -c '
	ip link add g0 type veth peer name m0 && ip link add m1 type veth peer name r0
	for i in g0 m0 m1 r0; do ip link set $i up; done
	"$1/src/inspect/bench_inspect" wire "$2" g0 m0 m1 r0
	exec "$1/src/inspect/bench_inspect" wire "$2" g0 m0 m1 r0 xdp' sh "$B" "$S"
