#!/bin/sh
# AIR beside freeDiameter: see air.py.
exec /usr/bin/python3 "$(dirname "$0")/air.py" "$@"
