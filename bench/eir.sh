#!/bin/sh
# The equipment lists of an EIR at scale, 100 million devices: memory, load time, look-ups, a swap while serving.
# bench/eir.sh BUILD [DEVICES [TYPES]]; bench/eir.sh BUILD product [MILLIONS]: through merlon import, with ECRs.
set -u
B=$1
ninja -C "$B" src/records/bench_equip >/dev/null || exit 1
[ "${2:-}" = product ] && exec /usr/bin/python3 "$(dirname "$0")/eir.py" "$@"
shift
where=$(mktemp -d /tmp/merlon-eir-XXXXXX)
trap 'rm -rf "$where"' EXIT
"$B/src/records/bench_equip" "$where" "$@"
