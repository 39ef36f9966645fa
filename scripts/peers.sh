#!/bin/sh
# Fetches Debian's chrony and ntpsec with the libraries they use and unpacks
# them side by side (as packages they conflict), for the interoperation tests.
# Nothing is installed. What is there already is kept; remove build/peers to
# fetch anew. Prints where the programs are, one NAME=PATH per line.
# usage: scripts/peers.sh [FOLDER]     (default: build/peers)
# Where apt is out of reach, put the .deb files into FOLDER/debs first.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "${1:-$top/build/peers}"
peers=$(cd "${1:-$top/build/peers}" && pwd)

libraries="libbsd0 libcap2 libedit2 libffi8 libgmp10 libgnutls30 libhogweed6 libidn2-0 libmd0
libnettle8 libp11-kit0 libseccomp2 libssl3 libtasn1-6 libtinfo6 libunistring2"

# fetch PACKAGE: leaves PACKAGE_*.deb in debs.
fetch() {
	for deb in "$peers/debs/$1"_*.deb; do
		[ -f "$deb" ] && return
	done
	(cd "$peers/debs" && apt-get -qq -o APT::Sandbox::User=root download "$1") >&2
}

# unpack PACKAGE FOLDER
unpack() {
	fetch "$1"
	dpkg-deb -x "$peers/debs/$1"_*.deb "$peers/$2"
}

if [ ! -f "$peers/complete" ]; then
	for tool in apt-get apt-cache dpkg-deb; do
		if ! command -v $tool >/dev/null; then
			echo "peers: $tool is missing: this needs Debian or a relative" >&2
			exit 1
		fi
	done
	mkdir -p "$peers/debs"
	apt-cache show chrony >/dev/null 2>&1 || apt-get -qq update >&2
	unpack chrony chrony
	unpack ntpsec ntpsec
	unpack python3-ntp ntpsec
	# ntpq's Python module looks for its library in /usr/lib or beside itself.
	ln -sf "$peers"/ntpsec/usr/lib/*-linux-*/ntp/libntpc.so.1 \
		"$peers/ntpsec/usr/lib/python3/dist-packages/ntp/libntpc.so"
	for package in $libraries; do
		unpack "$package" libraries
	done
	: >"$peers/complete"
fi
# These came later than the others.
[ -x "$peers/ntpsec/usr/bin/ntpdig" ] || unpack ntpsec-ntpdig ntpsec
# Of Prometheus the checker of metrics and rules alone. It can be done without,
# and is tried once.
if [ ! -d "$peers/prometheus" ]; then
	mkdir -p "$peers/prometheus"
	(unpack prometheus prometheus) || echo "peers: no promtool: metrics and alert rules are not checked by it" >&2
	rm -f "$peers/prometheus/usr/bin/prometheus" "$peers/debs"/prometheus_*.deb
fi

library_path=
for folder in "$peers"/libraries/lib/*-linux-* "$peers"/libraries/usr/lib/*-linux-*; do
	[ -d "$folder" ] && library_path=$library_path${library_path:+:}$folder
done
echo "chronyd=$peers/chrony/usr/sbin/chronyd"
echo "chronyc=$peers/chrony/usr/bin/chronyc"
echo "ntpd=$peers/ntpsec/usr/sbin/ntpd"
echo "ntpq=$peers/ntpsec/usr/bin/ntpq"
echo "ntpdig=$peers/ntpsec/usr/bin/ntpdig"
echo "ntpq_pythonpath=$peers/ntpsec/usr/lib/python3/dist-packages"
echo "library_path=$library_path"
