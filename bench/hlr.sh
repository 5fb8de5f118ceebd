#!/bin/sh
# ./do bench hlr [DEVICES]: home's CPU a request over MAP (M3UA, SCCP, TCAP), beside the same procedure over S6a.
exec /usr/bin/python3 "$(dirname "$0")/hlr.py" "$@"
