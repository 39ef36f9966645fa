#!/bin/sh
# Runs the checks that the guides come to on the built binary, and prints one
# line for each: its number, whether it holds, what it is about. What went wrong
# follows each failure. It fails unless all of them hold; one that could not be
# made here does not.
# usage: scripts/acceptance.sh [flags of go test]
set -eu
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
go test -count=1 -v "$@" -run 'TestCheck|TestEveryCheck' ./internal/acceptance >"$log" 2>&1 || true
awk -v checks=63 '
	# A test that runs beside others has its lines under its name.
	/^=== (RUN|CONT|NAME) +Test/ { name = $3; sub(/\/.*/, "", name); next }
	/^--- (PASS|FAIL|SKIP): TestCheck[0-9]/ {
		n = substr($3, 10, 2) + 0
		verdict[n] = tolower(substr($2, 1, 4))
		title[n] = substr($3, 12); key[n] = $3
		next
	}
	/^(ok|FAIL|panic|---)/ { last = last $0 "\n"; next }
	{ said[name] = said[name] $0 "\n" }
	END {
		for (n = 1; n <= checks; n++) {
			v = n in verdict ? verdict[n] : "missing"
			about = title[n]
			while (match(about, /[a-z][A-Z0-9]|[A-Z][A-Z][a-z]/)) about = substr(about, 1, RSTART) " " substr(about, RSTART + 1)
			printf "%2d  %-7s  %s\n", n, v, about
			if (v == "pass") held++
			else if (n in key) printf "%s", said[key[n]]
		}
		printf "%d of %d hold\n", held, checks
		if (held < checks) printf "%s", last
		exit held < checks
	}' "$log"
