# A stand-in for OpenWrt's shell library, for tests.
config_load() { eval "$(uci shell "$1")"; }
config_get() {
	if [ $# = 2 ]; then
		eval "echo \"\$CONFIG_$1_$2\""
	else
		eval "$1=\"\${CONFIG_$2_$3:-$4}\""
	fi
}
config_get_bool() {
	config_get "$1" "$2" "$3" "$4"
	eval "case \"\$$1\" in 1|on|true|yes|enabled) $1=1;; *) $1=0;; esac"
}
config_foreach() {
	local function="$1" type="$2" name got
	shift 2
	for name in $CONFIG_SECTIONS; do
		config_get got "$name" TYPE
		[ "$got" = "$type" ] && $function "$name" "$@"
	done
}
append() { eval "$1=\"\${$1:+\$$1 }$2\""; }
list_contains() { eval "case \" \$$1 \" in *\" $2 \"*) return 0;; *) return 1;; esac"; }
# What a package's scripts call; ROOT, PACKAGE and whether it is an upgrade.
for function in add_group_and_user default_postinst default_prerm; do
	eval "$function() { echo \"$function \$root \$pkgname \$PKG_UPGRADE\" >>/calls; }"
done
