#!/bin/sh
# The serving copy under churn for an hour, or SECONDS: one writer, READERS (5), and one that scribbles.
#   churn.sh BUILD [SECONDS [READERS]]
exec nice "$1/src/records/churn_serving" "${2:-3600}" "${3:-5}"
