#!/bin/sh
# How soon a SIM in another device meets its reaction, on the running product.   binding.sh BUILD [TRIES]
exec /usr/bin/python3 "$(dirname "$0")/binding.py" "$@"
