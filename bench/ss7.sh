#!/bin/sh
# SS7 through the edge beside the bare transport: see ss7.py.
exec /usr/bin/python3 "$(dirname "$0")/ss7.py" "$@"
