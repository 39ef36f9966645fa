#!/bin/sh
# CPU time per answered request of ntsd and of chronyd, in turns on one core
# with the generator on the other, in a network namespace of their own. Prints a
# table with the ratio; a row that could not be measured says "absent".
# usage: scripts/bench-server.sh [SECONDS [ROUNDS]]   (default: 2 3)
# CHRONYD names another chronyd than Debian's, which knows no AEAD 30.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-2}
rounds=${2:-3}
if [ -z "${BENCH_NETNS:-}" ]; then
	export BENCH_NETNS=1
	exec unshare --map-root-user --net "$0" "$seconds" "$rounds"
fi
ip link set lo up
work=$(mktemp -d)
ours=
theirs=
finish() {
	for pid in $ours $theirs; do kill "$pid" 2>/dev/null || :; done
	rm -rf "$work"
}
trap finish EXIT INT TERM
export LC_ALL=C

have_tls=yes
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-keyout "$work/key" -out "$work/cert" 2>/dev/null || have_tls=
ke=
tls=
if [ "$have_tls" ]; then
	chmod 600 "$work/key"
	ke="config nts_server
	option enabled 1
	list cert $work/cert
	list key $work/key"
	tls="ntsserverkey $work/key
ntsservercert $work/cert
ntsport 4461
ntsprocesses 0"
fi
cat >"$work/ntsd" <<END
config ntsd main
	option run_dir $work/run
	option state_dir $work/state
config local
	option enabled 1
config allow
	list subnet 127.0.0.0/8
$ke
END
cat >"$work/chrony.conf" <<END
port 1123
local
allow 127.0.0.0/8
cmdport 0
bindcmdaddress /
pidfile $work/chronyd.pid
$tls
END

taskset -c 0 "${NTSD:-build/ntsd}" -x -f "$work/ntsd" 2>"$work/log" &
ours=$!
chronyd=${CHRONYD:-build/peers/chrony/usr/sbin/chronyd}
if [ -x "$chronyd" ]; then
	# Never with the right to set the clock.
	taskset -c 0 setpriv --bounding-set=-sys_time --inh-caps=-sys_time \
		"$chronyd" -u root -x -d -f "$work/chrony.conf" >"$work/chronyd.log" 2>&1 &
	theirs=$!
fi
sleep 2

# load PID PORT KE ARGUMENTS...: "total user" in ns per reply, or nothing.
load() {
	pid=$1 port=$2 ke=$3
	shift 3
	[ -n "$pid" ] || return 0
	taskset -c 1 "${NTSLOAD:-build/ntsload}" -server "127.0.0.1:$port" -ke "$ke" -pid "$pid" -time "${seconds}s" "$@" 2>"$work/error" |
		sed -n 's/.* wrong 0 .* cpu\/reply \([0-9]*\) ns user \([0-9]*\) ns.*/\1 \2/p'
}

printf '%-26s %16s %16s %7s\n' "ns per reply (user)" ntsd chronyd ratio
for mode in plain interleaved nts15 "nts15 -placeholders 7" nts30 "nts30 -placeholders 7"; do
	: >"$work/ntsd.out"
	: >"$work/chronyd.out"
	for _ in $(seq "$rounds"); do
		# shellcheck disable=SC2086 # several words
		load "$ours" 123 4460 -mode $mode >>"$work/ntsd.out" || :
		# shellcheck disable=SC2086
		load "$theirs" 1123 4461 -mode $mode >>"$work/chronyd.out" || :
	done
	awk -v mode="$mode" '
		{ n[FILENAME]++; total[FILENAME] += $1; user[FILENAME] += $2 }
		function mean(f) { return n[f] ? sprintf("%d (%d)", total[f] / n[f], user[f] / n[f]) : "absent" }
		END {
			a = ARGV[1]; b = ARGV[2]
			ratio = n[a] && n[b] ? sprintf("%.2f", total[a] / n[a] / (total[b] / n[b])) : "-"
			printf "%-26s %16s %16s %7s\n", mode, mean(a), mean(b), ratio
		}' "$work/ntsd.out" "$work/chronyd.out"
done
