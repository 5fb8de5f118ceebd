#!/bin/sh
# The equipment lists of an EIR at scale, 100 million devices: memory, load time, look-ups, a swap while serving.
# bench/eir.sh BUILD [DEVICES] [TYPES]; then, with PRODUCT=1, the same through merlon import: see eir.py.
set -u
B=$1
shift
ninja -C "$B" src/records/bench_equip >/dev/null || exit 1
where=$(mktemp -d /tmp/merlon-eir-XXXXXX)
trap 'rm -rf "$where"' EXIT
"$B/src/records/bench_equip" "$where" "$@"
