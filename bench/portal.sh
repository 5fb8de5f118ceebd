#!/bin/sh
# The portal: pages of millions of subscriptions, API requests a second, a change until it is enforced: see portal.py.
ninja -C "$1" src/portal/bench_portal_static src/portal/bench_portal_fill >/dev/null || exit 1
exec /usr/bin/python3 "$(dirname "$0")/portal.py" "$@"
