#!/bin/sh
# A million suspended by one job, and how fast the serving nodes are told: see jobs.py.
ninja -C "$1" src/records/bench_million >/dev/null || exit 1
exec /usr/bin/python3 "$(dirname "$0")/jobs.py" "$@"
