#!/bin/sh
# Ten million subscriptions, or N: see million.py.
ninja -C "$1" src/records/bench_million >/dev/null || exit 1
exec /usr/bin/python3 "$(dirname "$0")/million.py" "$@"
