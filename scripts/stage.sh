#!/usr/bin/env bash
# Runs one stage of `make test` and says how long it took. usage: scripts/stage.sh TITLE COMMAND…
set -uo pipefail
title=$1
shift
printf '\n=== %s\n' "$title"
start=$SECONDS
"$@"
code=$?
[ "$code" -eq 0 ] && word='done' || word="FAILED (exit $code)"
printf '=== %s: %s in %d s\n' "$title" "$word" $((SECONDS - start))
exit "$code"
