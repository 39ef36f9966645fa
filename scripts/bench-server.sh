#!/bin/sh
# What serving costs: ntsd, chronyd and ntpsec in turns on one core, each in a
# network namespace of its own, the load generator (cmd/ntsload) on another core
# and at the other end of a virtual cable. Prints tables with ratios; what could
# not be measured is printed as absent. Progress goes to standard error.
#
# usage: scripts/bench-server.sh [SECTION...]     (default: cpu ke rate memory)
#   cpu     CPU time per answered request, rate and latency at full load
#   ke      NTS key establishments
#   rate    latency and loss at fixed rates
#   memory  resident memory after many clients
#   offset  the error of the time that clients get under load (make bench-gc)
# SECONDS_PER_RUN (2) and ROUNDS (3) say how long. CHRONYD names another chronyd
# than Debian's, which knows no AEAD 30; it becomes a column of its own.
set -eu
cd "$(dirname "$0")/.."
seconds=${SECONDS_PER_RUN:-2}
rounds=${ROUNDS:-3}
[ $# -gt 0 ] || set -- cpu ke rate memory
if [ "$(nproc)" -lt 2 ]; then
	echo "bench-server: needs two processors, one of them for the generator" >&2
	exit 1
fi
for tool in ip nsenter taskset setpriv openssl; do
	if ! command -v $tool >/dev/null; then
		echo "bench-server: needs $tool" >&2
		exit 1
	fi
done
if [ -z "${BENCH_NETNS:-}" ]; then
	export BENCH_NETNS=1
	exec unshare --map-root-user --net "$0" "$@"
fi
export LC_ALL=C
work=$(mktemp -d)
started=
finish() {
	for pid in $started; do kill "$pid" 2>/dev/null || :; done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM
ntsd=${NTSD:-build/ntsd}
ntsload=${NTSLOAD:-build/ntsload}
chronyd=''
ntpd=''
library_path=''
if [ -d build/peers ] && scripts/peers.sh >"$work/peers"; then
	# shellcheck source=/dev/null # assignments
	. "$work/peers"
fi

. scripts/bench-servers.sh
. scripts/bench-tables.sh
for section; do
	"section_$section"
done
