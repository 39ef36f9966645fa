#!/bin/sh
# What a sample costs the filter, beside the AES of its packet, on this machine
# and on mips without floating point. Both are measured in the same process, the
# best of five runs each: under an emulator only the ratio means anything.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
measure() { # name, emulator
	echo "$1"
	# shellcheck disable=SC2086 # an emulator and its options
	${2:-} "$dir/$1" -test.run '^$' -test.bench 'Sample|Worst|Estimate|AES' -test.benchtime "${SAMPLES:-1350}x" \
		-test.count 5 | awk '
		/^Benchmark/ {
			sub(/^Benchmark/, "", $1); sub(/-[0-9]+$/, "", $1)
			if (!($1 in best)) order[n++] = $1
			if (!($1 in best) || $3 < best[$1]) best[$1] = $3
		}
		END {
			for (i = 0; i < n; i++)
				printf "  %-20s %12.0f ns %8.2f of the AES\n", order[i], best[order[i]], best[order[i]] / best["AES"]
		}'
}
CGO_ENABLED=0 go test -c -o "$dir/native" ./internal/filter
measure native
if command -v qemu-mips-static >/dev/null; then
	GOOS=linux GOARCH=mips GOMIPS=softfloat CGO_ENABLED=0 go test -c -o "$dir/mips" ./internal/filter
	measure mips "qemu-mips-static -cpu 24Kc"
else
	echo "cost: mips skipped: qemu-mips-static is not installed (Debian: qemu-user-static)" >&2
fi
