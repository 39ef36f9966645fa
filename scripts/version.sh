#!/bin/sh
# Prints the version of the packages: the tag's, or one that grows with each
# commit. opkg, apk and dpkg order it alike.
set -eu
tag=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null || true)
if [ -n "$tag" ]; then
	echo "${tag#v}-r1"
else
	echo "0.1.$(git rev-list --count HEAD 2>/dev/null || echo 0)-r1"
fi
