#!/bin/sh
# S6a and S13 under load beside a bare echo and freeDiameter: see s6a.py.
exec /usr/bin/python3 "$(dirname "$0")/s6a.py" "$@"
