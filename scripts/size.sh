#!/bin/sh
# Prints the size of each binary, of its BSS, what it takes in an .ipk (gzip)
# and on the flash of a router (squashfs with xz, where mksquashfs is
# installed), and fails when the BSS is one that small routers refuse to load
# (1 MB) or the .ipk has grown beyond what is bearable.
# usage: scripts/size.sh FILE...
set -eu
limit=1000000
most=3000000
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

squashed() {
	if ! command -v mksquashfs >/dev/null; then
		echo -
		return
	fi
	mksquashfs "$1" "$work/image" -comp xz -b 256k -noappend -no-xattrs -quiet -no-progress >/dev/null
	stat -c %s "$work/image"
}

# As the packages are.
packed() {
	if command -v libdeflate-gzip >/dev/null; then
		libdeflate-gzip -12 -c "$1" | wc -c
	else
		gzip -9nc "$1" | wc -c
	fi
}

printf '%-24s %10s %10s %10s %10s\n' binary bytes bss ipk squashfs
for file in "$@"; do
	bytes=$(wc -c <"$file")
	bss=$(readelf -SW "$file" | sed 's/^ *\[ *[0-9]*\]//' | awk '$2 == "NOBITS" && $1 != ".tbss" { print $5 }' | {
		sum=0
		while read -r hex; do sum=$((sum + 0x$hex)); done
		echo "$sum"
	})
	ipk=$(packed "$file")
	printf '%-24s %10d %10d %10d %10s\n' "${file##*/}" "$bytes" "$bss" "$ipk" "$(squashed "$file")"
	if [ "$ipk" -gt "$most" ]; then
		echo "size: $file: an .ipk of $ipk bytes is more than $most: what came in (internal/adr/0018)?" >&2
		exit 1
	fi
	if [ "$bss" -gt "$limit" ]; then
		echo "size: $file: BSS of $bss bytes is more than $limit: was it built with GOFIPS140?" >&2
		exit 1
	fi
done
