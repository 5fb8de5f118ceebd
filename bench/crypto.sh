#!/bin/sh
# Authentication vectors beside libosmocore and the bare instructions, and the ciphers of the radio beside the
# library they stand on. About 15 s; one core; figures are the best of many short windows of thread time.
set -eu
"$1/src/crypto/bench_vector"
echo
"$1/src/crypto/bench_radio"
