#!/bin/sh
# ./do bench gsup [SECONDS]: Send-Auth-Info by GSUP, five tuples an answer, beside osmo-hlr (Debian) with the same cards.
exec /usr/bin/python3 "$(dirname "$0")/gsup.py" "$@"
