#!/bin/sh
# SIGKILL at random moments under load: see kill.py.
exec /usr/bin/python3 "$(dirname "$0")/kill.py" "$@"
