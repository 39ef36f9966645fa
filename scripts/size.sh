#!/bin/sh
# Prints the size of each binary and of its BSS, and fails when the BSS is one
# that small routers refuse to load (1 MB).
# usage: scripts/size.sh FILE...
set -eu
limit=1000000
printf '%-24s %10s %10s\n' binary bytes bss
for file in "$@"; do
	bytes=$(wc -c <"$file")
	bss=$(readelf -SW "$file" | sed 's/^ *\[ *[0-9]*\]//' | awk '$2 == "NOBITS" && $1 != ".tbss" { print $5 }' | {
		sum=0
		while read -r hex; do sum=$((sum + 0x$hex)); done
		echo "$sum"
	})
	printf '%-24s %10d %10d\n' "${file##*/}" "$bytes" "$bss"
	if [ "$bss" -gt "$limit" ]; then
		echo "size: $file: BSS of $bss bytes is more than $limit: was it built with GOFIPS140?" >&2
		exit 1
	fi
done
