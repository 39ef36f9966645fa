#!/bin/sh
# Run by the feed's CI on the target's CPU: test.sh PACKAGE VERSION.
case "$1" in
	ntsd-go)
		ntsd -v | grep -F "$2" && ntsd -p >/dev/null && ntsctl help >/dev/null
		;;
esac
