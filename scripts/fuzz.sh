#!/bin/sh
# Runs every fuzz target of the module for the given time each.
# usage: scripts/fuzz.sh TIME [PACKAGE...]
set -eu
time=${1:?usage: scripts/fuzz.sh TIME [PACKAGE...]}
shift
# shellcheck disable=SC2046 # a list of packages
[ $# -gt 0 ] || set -- $(go list ./internal/... ./cmd/...)
targets=0
for pkg in "$@"; do
	for name in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
		targets=$((targets + 1))
		echo "fuzz $pkg $name $time"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$pkg" >"${TMPDIR:-/tmp}/fuzz.$$" 2>&1 || {
			cat "${TMPDIR:-/tmp}/fuzz.$$"
			rm -f "${TMPDIR:-/tmp}/fuzz.$$"
			exit 1
		}
	done
done
rm -f "${TMPDIR:-/tmp}/fuzz.$$"
echo "fuzz: $targets targets, no finding"
[ "$targets" -gt 0 ]
