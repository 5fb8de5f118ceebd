#!/bin/sh
# Two storms that happened, with a store that falls behind: see named.py.
exec /usr/bin/python3 "$(dirname "$0")/named.py" "$@"
