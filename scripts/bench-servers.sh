# shellcheck shell=sh disable=SC2154 # part of bench-server.sh, which sets the variables
# Starting the servers, each in a namespace of its own with the address
# 10.98.N.2; 10.98.N.1 and all of 10.64.0.0/12 are the generator's.

ip link set lo up
ip route add local 10.64.0.0/12 dev lo
hosts=0
# More lines of configuration for the servers that are started next.
ntsd_more=""
chronyd_more=""

# certificate KIND: makes KIND.key and KIND.cert.
certificate() {
	case $1 in
	p256) new="ec -pkeyopt ec_paramgen_curve:P-256" ;;
	rsa2048) new=rsa:2048 ;;
	esac
	# shellcheck disable=SC2086 # two words
	openssl req -x509 -newkey $new -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
		-keyout "$work/$1.key" -out "$work/$1.cert" 2>/dev/null || return 1
	chmod 600 "$work/$1.key"
}

# host NAME: a namespace; leaves the process that holds it in $holder and its
# address in $address.
host() {
	hosts=$((hosts + 1))
	address=10.98.$hosts.2
	mkdir "$work/$1"
	unshare --net sleep 1000000 &
	holder=$!
	started="$started $holder"
	while [ "$(readlink /proc/$holder/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
	ip link add "v$hosts" type veth peer name eth0 netns "$holder"
	ip addr add "10.98.$hosts.1/24" dev "v$hosts"
	ip link set "v$hosts" up
	nsenter -t $holder -n sh -c "ip link set lo up; ip addr add $address/24 dev eth0; ip link set eth0 up
		ip route add default via 10.98.$hosts.1"
}

# start NAME COMMAND...: runs it in the namespace on the cores of $cores, never
# with the right to set the clock.
start() {
	name=$1
	shift
	nsenter -t "$holder" -n taskset -c "${cores:-0}" setpriv --bounding-set=-sys_time --inh-caps=-sys_time \
		"$@" >"$work/$name/log" 2>&1 &
	started="$started $!"
	echo "$! $address" >"$work/$name/server"
}

# server NAME KIND: starts ntsd, chronyd, newer or ntpsec under a name, with the
# certificate KIND. It fails where the program or its certificate is missing.
server() {
	case $2 in
	none) ;;
	*) [ -f "$work/$2.cert" ] || certificate "$2" || return 1 ;;
	esac
	case $1 in
	ntsd*) server_ntsd "$@" ;;
	chronyd*) server_chronyd "$chronyd" "$@" ;;
	newer*) server_chronyd "${CHRONYD:-}" "$@" ;;
	ntpsec*) server_ntpsec "$@" ;;
	esac
}

server_ntsd() {
	host "$1"
	cat >"$work/$1/conf" <<END
config ntsd main
	option run_dir $work/$1/run
	option state_dir $work/$1/state
config local
	option enabled 1
config allow
	list subnet 0.0.0.0/0
$ntsd_more
config nts_server
	option enabled 1
	list cert $work/$2.cert
	list key $work/$2.key
END
	start "$1" "$ntsd" -x -f "$work/$1/conf"
}

server_chronyd() {
	[ -x "$1" ] || return 1
	host "$2"
	cat >"$work/$2/conf" <<END
local
allow
cmdport 0
bindcmdaddress /
pidfile $work/$2/pid
ntsserverkey $work/$3.key
ntsservercert $work/$3.cert
ntsprocesses 0
$chronyd_more
END
	start "$2" env "LD_LIBRARY_PATH=$library_path" "$1" -u root -x -d -f "$work/$2/conf"
}

server_ntpsec() {
	[ -x "$ntpd" ] || return 1
	host "$1"
	cat >"$work/$1/conf" <<END
disable ntp
restrict 10.0.0.0/8
statsdir $work/$1
tos orphan 3 orphanwait 1
nts enable
nts key $work/$2.key
nts cert $work/$2.cert
nts cookie $work/$1/cookies
END
	start "$1" env "LD_LIBRARY_PATH=$library_path" "$ntpd" -n -c "$work/$1/conf" -l /dev/stderr -p "$work/$1/pid"
}

# answering NAME...: waits until all of them answer.
answering() {
	for name; do
		read -r pid address <"$work/$name/server"
		tries=0
		until "$ntsload" -server "$address:123" -inflight 1 -time 10ms >/dev/null 2>&1; do
			tries=$((tries + 1))
			if [ $tries -gt 50 ] || ! kill -0 "$pid" 2>/dev/null; then
				echo "bench-server: $name does not answer:" >&2
				tail -5 "$work/$name/log" >&2
				exit 1
			fi
			sleep 0.2
		done
	done
}

# servers KIND SUFFIX NAME...: starts those that are here; they are in $running.
servers() {
	kind=$1 suffix=$2 running=
	shift 2
	for s; do
		if server "$s$suffix" "$kind"; then
			running="$running $s$suffix"
		else
			echo "bench-server: $s is absent" >&2
		fi
	done
	# shellcheck disable=SC2086 # many
	answering $running
}
