#!/bin/sh
# Hostile peers at full size: see hostile.py.   hostile.sh BUILD [SECONDS [NAME-PART...]]
# shellcheck disable=SC3045
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true # ten thousand connections are as many descriptors
exec /usr/bin/python3 "$(dirname "$0")/hostile.py" "$@"
