# A stand-in: every interface has the device /devices names, "lan" addresses, one
# of them a unique local one, while there is no file /down; with a file /lan4 the
# one address in that, and none of IPv6.
network_get_device() {
	local got
	got="$(sed -n "s/^$2 //p" /devices)"
	[ -n "$got" ] && eval "$1=$got"
}
network_get_ipaddrs6() {
	[ ! -e /down ] && [ ! -e /lan4 ] && [ "$2" = lan ] && eval "$1='2001:db8::1 fd00:1::1'"
}
network_get_ipaddr() {
	[ ! -e /down ] && [ "$2" = lan ] && eval "$1=$(cat /lan4 2>/dev/null || echo 192.0.2.1)"
}
