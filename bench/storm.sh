#!/bin/sh
# Storms on the running product: see storm.py.   storm.sh BUILD [virtual | OPTION...]
build=$1
shift
if [ "${1:-}" = virtual ]; then
	exec "$build/src/judge/test_storm" --table
fi
exec /usr/bin/python3 "$(dirname "$0")/storm.py" "$build" "$@"
