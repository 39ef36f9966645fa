#!/bin/sh
# Builds the daemon in two different folders and compares the results.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for n in one two; do
	mkdir -p "$work/$n/deeper"
	git -C "$here" archive HEAD | tar -x -C "$work/$n/deeper"
	make -s -C "$work/$n/deeper" VERSION=repro build >/dev/null
done
cd "$work"
sha256sum one/deeper/build/ntsd two/deeper/build/ntsd
cmp one/deeper/build/ntsd two/deeper/build/ntsd
echo "repro: both builds are the same"
