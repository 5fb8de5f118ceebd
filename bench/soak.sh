#!/bin/sh
# Half an hour at work: see soak.py.   soak.sh BUILD [MINUTES [ATTACHES-A-SECOND]]
exec /usr/bin/python3 "$(dirname "$0")/soak.py" "$@"
