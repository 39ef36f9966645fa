#!/bin/sh
# Runs the unit tests of other architectures under qemu-user. A missing
# emulator is named and skipped, unless NTSD_CI is set.
# usage: scripts/cross.sh ARCH...   (arm64, arm, mips, mipsle)
set -eu
packages=$(go list ./internal/... ./cmd/... | grep -v -e /interop -e /acceptance -e /archtest -e /demo -e /router -e /linetab)
for arch in "$@"; do
	case $arch in
	arm64) emulator=qemu-aarch64-static ;;
	arm) emulator=qemu-arm-static ;;
	mips) emulator="qemu-mips-static -cpu 24Kc" ;;
	mipsle) emulator="qemu-mipsel-static -cpu 24Kc" ;;
	*) echo "cross: unknown architecture $arch" >&2; exit 2 ;;
	esac
	if ! command -v "${emulator%% *}" >/dev/null; then
		echo "cross: $arch skipped: ${emulator%% *} is not installed (Debian: qemu-user-static)" >&2
		[ -z "${NTSD_CI:-}" ] || exit 1
		continue
	fi
	echo "cross: $arch under $emulator"
	# shellcheck disable=SC2086 # a list of packages
	GOOS=linux GOARCH=$arch GOMIPS=softfloat GOARM=7 CGO_ENABLED=0 go test -short -exec "$emulator" $packages
done
