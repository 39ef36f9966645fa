# A stand-in: every call is written down.
for name in open_instance set_param append_param close_instance add_jail add_jail_mount add_jail_mount_rw add_reload_trigger add_validation; do
	eval "procd_$name() { echo \"procd_$name \$*\" >>/calls; }"
done
procd_send_signal() {
	echo "procd_send_signal $*" >>/calls
	[ ! -x /signalled ] || /signalled
}
procd_running() { [ -e "/running/$1" ]; }
# uci_load_validate PACKAGE TYPE SECTION FUNCTION NAME:TYPE[:DEFAULT]...; all is
# valid while there is no file /invalid.
uci_load_validate() {
	local section="$3" function="$4" rule name value
	config_load "$1"
	shift 4
	for rule in "$@"; do
		name="${rule%%:*}"
		value=""
		case "$rule" in *:*:*) value="${rule##*:}" ;; esac
		config_get "$name" "$section" "$name" "$value"
	done
	$function "$section" "$([ -e /invalid ] && echo 255 || echo 0)"
}
