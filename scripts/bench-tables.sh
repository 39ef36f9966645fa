# shellcheck shell=sh disable=SC2034,SC2086,SC2154 # part of bench-server.sh, which sets the variables
# The sections of the benchmark and their tables.

all_servers="ntsd chronyd newer ntpsec"
everybody=$all_servers

# load SERVER ARGUMENTS...: one line of names and values, or nothing.
load() {
	read -r pid address <"$work/$1/server"
	shift
	taskset -c "${generator:-1}" "$ntsload" -server "$address:123" -pid "$pid" -time "${seconds}s" "$@" 2>>"$work/errors"
}

progress() {
	if [ -t 2 ]; then printf '\r\033[K%s' "$1" >&2; fi
}

# row TITLE ARGUMENTS...: measures every server in $running in turns and prints
# the medians, with the ratio to $reference.
row() {
	title=$1
	shift
	rm -f "$work"/out.*
	for round in $(seq "$rounds"); do
		for s in $running; do
			progress "$title: $s, round $round of $rounds"
			load "$s" "$@" >>"$work/out.$s" || :
		done
	done
	progress ""
	printf '%s\n' "$title"
	for s in $everybody; do
		s=$s$suffix
		[ -f "$work/out.$s" ] || : >"$work/out.$s"
		awk -v server="$s" -v reference="$work/out.$reference" -f scripts/bench-row.awk "$work/out.$s"
	done
}

heading() {
	printf '\n%s\n%-12s %7s %7s %7s %6s %9s %5s %7s %8s %8s %8s\n' "$1" "" "CPU ns" user system ratio "$2" busy lost "p50 us" "p99" "p99.9"
}

section_cpu() {
	servers p256 "" $everybody
	reference=chronyd
	heading "CPU time of the server per answered request, full load; ratio: to chronyd" "replies/s"
	row "plain"
	row "plain, 100000 clients" -from 10.64.0.0/12 -clients 100000
	row "interleaved" -mode interleaved
	row "interleaved, 1000 clients" -mode interleaved -from 10.64.0.0/12 -clients 1000
	for aead in 15 30; do
		row "NTS, AEAD $aead" -mode nts$aead
		row "NTS, AEAD $aead, 7 placeholders" -mode nts$aead -placeholders 7
		row "NTS, AEAD $aead, 2000 key establishments" -mode nts$aead -sessions 2000 -clients 2000
	done
	section_workers
}

# section_workers compares two workers with one where both may run on either
# core, as may the generator.
section_workers() {
	cores=0,1 generator=0,1
	GOMAXPROCS=1 servers p256 -1 ntsd
	one=$running
	GOMAXPROCS=2 servers p256 -2 ntsd
	running="$one $running"
	everybody="ntsd-1 ntsd-2" suffix="" reference=ntsd-1
	heading "One worker and two, on two cores that the generator shares; ratio: to one" "replies/s"
	row "plain" -threads 2 -from 10.64.0.0/12 -clients 1000
	row "interleaved" -threads 2 -from 10.64.0.0/12 -clients 1000 -mode interleaved
	row "NTS, AEAD 15" -threads 2 -mode nts15
	everybody=$all_servers cores=0 generator=1
}

section_ke() {
	heading "NTS key establishments, full TLS 1.3 handshakes; CPU ns per establishment" "KE/s"
	for kind in p256 rsa2048; do
		servers $kind -$kind $everybody
		reference=chronyd-$kind
		row "certificate $kind, x25519" -mode ke -ca "$work/$kind.cert" -inflight 8
		row "certificate $kind, x25519mlkem768" -mode ke -ca "$work/$kind.cert" -group x25519mlkem768 -inflight 8
	done
}

section_rate() {
	[ -f "$work/ntsd/server" ] || servers p256 "" $everybody
	running="" suffix="" reference=chronyd
	for s in $everybody; do
		if [ -f "$work/$s/server" ]; then running="$running $s"; fi
	done
	heading "Fixed rates, whether or not the server follows" "replies/s"
	for rate in 1000 20000 50000 100000; do
		row "$rate requests per second" -rate $rate -inflight 4096
	done
}

# resident NAME: its resident memory in kB.
resident() {
	read -r pid _ <"$work/$1/server"
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status"
}

section_memory() {
	servers p256 -memory $everybody
	printf '\nResident memory in kB\n%-30s' ""
	printf '%10s' $running
	echo
	for n in 0 1000 100000 1000000; do
		printf '%-30s' "after $n clients"
		for s in $running; do
			[ $n -eq 0 ] || load "$s" -from 10.64.0.0/12 -clients $n -mode interleaved >/dev/null || :
			printf '%10s' "$(resident "$s")"
		done
		echo
	done
}

# section_offset: clients that ask once a second while others ask at a rate.
# PLOT names a picture to draw of it.
section_offset() {
	rate=${RATE:-50000} probes=${PROBES:-25} long=${OFFSET_SECONDS:-60}
	# Interleaved clients are remembered only if there is room for the others.
	ntsd_more="config serve
	option max_clients 131072"
	chronyd_more="clientloglimit 16777216"
	servers p256 -offset ntsd chronyd
	printf '\nError of the time that %d clients get, each once a second, while up to %d requests a second are answered; us\n' "$probes" "$rate"
	printf '%-22s %8s %6s %8s %8s %8s %8s %10s %10s\n' "" offsets lost p50 p99 p99.9 max "load/s" "load lost"
	set --
	for mode in basic interleaved; do
		for s in $running; do
			progress "$s, $mode: $long s"
			offsets "$s" $mode
			set -- "$@" "${s%-offset}, $mode=$work/offsets.$s.$mode"
		done
	done
	progress ""
	[ -z "${PLOT:-}" ] || "$ntsload" -mode plot -plot "$PLOT" -title "$probes clients ask once a second, others up to $rate times a second" "$@"
}

# offsets SERVER MODE: one line of the table.
offsets() {
	read -r _ address <"$work/$1/server"
	seconds=$long load "$1" -rate "$rate" -inflight 4096 -from 10.64.0.0/12 -clients 1000 >"$work/load" &
	loading=$!
	sleep 1
	taskset -c "${generator:-1}" "$ntsload" -mode probe "-interleaved=$([ "$2" = interleaved ] && echo true || echo false)" \
		-server "$address:123" -clients "$probes" -time $((long - 2))s -offsets "$work/offsets.$1.$2" >"$work/probe" || :
	wait $loading || :
	progress ""
	awk -v name="${1%-offset}, $2" '
		{ for (i = 1; i < NF; i += 2) v[FILENAME, $i] = $(i + 1) }
		function of(i, n) { return v[ARGV[i], n] }
		END {
			printf "%-22s %8s %6s %8s %8s %8s %8s %10s %10s\n", name, of(2, "offsets"), of(2, "lost"),
				of(2, "p50"), of(2, "p99"), of(2, "p99.9"), of(2, "max"), of(1, "rate"), of(1, "lost") + of(1, "unasked")
		}' "$work/load" "$work/probe"
}
