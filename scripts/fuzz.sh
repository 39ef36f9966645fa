#!/bin/sh
# Runs every fuzz target of the module, each for so many inputs (20000x) or
# for so long (10m). Inputs are what CI counts: Go before 1.27 now and then
# calls the end of a time a failure (golang/go#75804), which is passed over
# here, since a real finding leaves its input behind.
# usage: scripts/fuzz.sh 20000x|10m [PACKAGE...]
set -eu
limit=${1:?usage: scripts/fuzz.sh 20000x|10m [PACKAGE...]}
shift
# A target that hangs would otherwise never reach its number of inputs.
patience=20m
# shellcheck disable=SC2046 # a list of packages
[ $# -gt 0 ] || set -- $(go list ./internal/... ./cmd/...)
out=$(mktemp)
trap 'rm -f "$out"' EXIT

end_of_time() {
	case $limit in *x) return 1 ;; esac
	grep -q '^ *context deadline exceeded' "$out" && ! grep -q 'Failing input' "$out"
}

targets=0
for pkg in "$@"; do
	for name in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
		targets=$((targets + 1))
		echo "fuzz $pkg $name $limit"
		timeout "$patience" go test -run '^$' -fuzz "^$name\$" -fuzztime "$limit" \
			-fuzzminimizetime 1000x "$pkg" >"$out" 2>&1 || end_of_time || {
			cat "$out"
			echo "fuzz: $name of $pkg failed"
			exit 1
		}
	done
done
echo "fuzz: $targets targets, no finding"
[ "$targets" -gt 0 ]
