#!/bin/sh
# Builds the packages for routers and for other Linux from binaries that "make
# size" left, without an OpenWrt SDK, and the same bytes each time:
#   build/packages/ARCH/ntsd-go_VERSION_ARCH.ipk   OpenWrt up to 24.10, GL-iNet
#   build/packages/ARCH/ntsd-go-VERSION.apk        OpenWrt from 25.12, where apk is installed here
#   build/packages/all/luci-*                      LuCI's pages and their languages, also in each feed
#   build/packages/ntsd-go_VERSION_ARCH.deb        other Linux, where dpkg-deb is
#   build/packages/ARCH/Packages, .gz, .sig        a feed, signed where usign or signify-openbsd is
#   build/packages/ARCH/packages.adb               the same for apk, signed where openssl is
# usage: scripts/package.sh VERSION GOARCH=ROUTERARCH...
set -eu
version=$1
shift
here=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$here/build} # holds the binaries, gets the packages
out=$build/packages
epoch=${SOURCE_DATE_EPOCH:?the time of the commit, see Makefile}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

description='Time daemon: authenticated time (NTS) for this router and its LAN'

maintainer=${MAINTAINER:-The ntsd authors} # Debian wants an address, too: Name <name@host>

# The same bytes whoever builds, and whenever. libdeflate packs 4 % tighter.
if command -v libdeflate-gzip >/dev/null; then
	squeeze() { libdeflate-gzip -12 -c; }
else
	squeeze() { gzip -9n; }
fi
archive() {
	(cd "$1" && shift && tar --format=gnu --numeric-owner --owner=0 --group=0 --sort=name --mtime="@$epoch" -cf - "$@") | squeeze
}

# router_tree GOARCH FOLDER: the files as they land on the router.
router_tree() {
	mkdir -p "$2/usr/sbin" "$2/usr/bin" "$2/etc/ntsd"
	cp -R "$here/files/router/." "$2"
	cp "$build/ntsd-$1" "$2/usr/sbin/ntsd"
	ln -s ../sbin/ntsd "$2/usr/bin/ntsctl"
	find "$2" -type d -exec chmod 0755 {} +
	find "$2" -type f -exec chmod 0644 {} +
	chmod 0600 "$2/etc/config/ntsd"
	chmod 0755 "$2/usr/sbin/ntsd" "$2/etc/init.d/ntsd" "$2/usr/share/ntsd/"*
}

size_of() { archive "$1" . | gzip -dc | wc -c; }

# assemble NAME CONTROL TREE FILE: an .ipk from its two folders.
assemble() {
	mkdir -p "$work/ipk.$1"
	archive "$3" . >"$work/ipk.$1/data.tar.gz"
	archive "$2" . >"$work/ipk.$1/control.tar.gz"
	echo 2.0 >"$work/ipk.$1/debian-binary"
	archive "$work/ipk.$1" ./debian-binary ./data.tar.gz ./control.tar.gz >"$4"
}

# on_router: how the scripts of OpenWrt's packages begin.
on_router() {
	cat <<-'END'
		#!/bin/sh
		[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0
		[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0
		. "${IPKG_INSTROOT}/lib/functions.sh"
	END
}

# ipk ROUTERARCH TREE
ipk() {
	control=$work/control.$1
	mkdir -p "$control" "$out/$1"
	cat >"$control/control" <<-END
		Package: ntsd-go
		Version: $version
		Depends: ca-bundle
		Source: feeds/packages/net/ntsd-go
		SourceName: ntsd-go
		License: Apache-2.0
		LicenseFiles: LICENSE
		Section: net
		Require-User: ntp=123:ntp=123
		SourceDateEpoch: $epoch
		Maintainer: $maintainer
		Architecture: $1
		Installed-Size: $(size_of "$2")
		Description: $description
	END
	echo /etc/config/ntsd >"$control/conffiles"
	# It creates the user, runs uci-defaults, enables and starts the service.
	# shellcheck disable=SC2016 # expanded on the router
	{ on_router && echo 'default_postinst "$0" "$@"'; } >"$control/postinst"
	# shellcheck disable=SC2016
	{ on_router | grep -v IPKG_NO_SCRIPT && echo 'default_prerm "$0" "$@"'; } >"$control/prerm"
	cp "$here/scripts/package/prerm-pkg" "$control"
	cp "$here/scripts/package/postrm-pkg" "$control/postrm"
	chmod 0755 "$control"/p*
	chmod 0644 "$control"/c*
	assemble "$1" "$control" "$2" "$out/$1/ntsd-go_${version}_$1.ipk"
}

# debian_documents FOLDER: what Debian wants to be told of each package.
debian_documents() {
	cat >"$1/copyright" <<-END
		Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
		Upstream-Name: ntsd

		Files: *
		Copyright: $(date -u -d "@$epoch" +%Y) The ntsd authors
		License: Apache-2.0
		 The text of the Apache License 2.0 is in /usr/share/common-licenses/Apache-2.0.
	END
	gzip -9nc "$here/CHANGELOG.md" >"$1/changelog.gz"
	gzip -9nc >"$1/changelog.Debian.gz" <<-END
		ntsd-go ($version) unstable; urgency=medium

		  * See changelog.gz.

		 -- $maintainer  $(LC_ALL=C date -u -R -d "@$epoch")
	END
}

# deb GOARCH DEBARCH
deb() {
	tree=$work/deb.$1
	mkdir -p "$tree/DEBIAN" "$tree/usr/sbin" "$tree/usr/bin" "$tree/usr/share/man/man5" "$tree/usr/share/man/man8" \
		"$tree/etc/ntsd" "$tree/usr/share/doc/ntsd-go"
	cp "$build/ntsd-$1" "$tree/usr/sbin/ntsd"
	ln -s ../sbin/ntsd "$tree/usr/bin/ntsctl"
	gzip -9nc "$here/cmd/ntsd/ntsd.8" >"$tree/usr/share/man/man8/ntsd.8.gz"
	gzip -9nc "$here/cmd/ntsd/ntsctl.8" >"$tree/usr/share/man/man8/ntsctl.8.gz"
	gzip -9nc "$here/cmd/ntsd/ntsd.conf.5" >"$tree/usr/share/man/man5/ntsd.conf.5.gz"
	debian_documents "$tree/usr/share/doc/ntsd-go"
	mkdir -p "$tree/usr/share/lintian/overrides"
	echo 'ntsd-go: statically-linked-binary [usr/sbin/ntsd]' >"$tree/usr/share/lintian/overrides/ntsd-go"
	cp -r "$here/files/monitoring" "$tree/usr/share/doc/ntsd-go/"
	# bash-completion reads this when ntsctl is first completed.
	mkdir -p "$tree/usr/share/bash-completion/completions"
	# shellcheck disable=SC2016 # for the shell that reads it
	echo 'eval "$(ntsctl completion bash)"' >"$tree/usr/share/bash-completion/completions/ntsctl"
	cp "$here/files/systemd/etc/ntsd/ntsd" "$tree/etc/ntsd/ntsd"
	echo /etc/ntsd/ntsd >"$tree/DEBIAN/conffiles"
	for unit in "$here"/files/systemd/*.service "$here"/files/systemd/*.socket; do
		install -Dm644 "$unit" "$tree/usr/lib/systemd/system/${unit##*/}"
	done
	install -Dm644 "$here/files/systemd/ntsd.sysusers" "$tree/usr/lib/sysusers.d/ntsd.conf"
	install -Dm644 "$here/files/systemd/60-ntsd.rules" "$tree/usr/lib/udev/rules.d/60-ntsd.rules"
	# What "timedatectl set-ntp" switches on and off; the first of these lists wins.
	mkdir -p "$tree/usr/lib/systemd/ntp-units.d"
	echo ntsd.service >"$tree/usr/lib/systemd/ntp-units.d/50-ntsd.list"
	for script in postinst prerm postrm; do
		cp "$here/scripts/package/deb/$script" "$tree/DEBIAN/"
	done
	cat >"$tree/DEBIAN/control" <<-END
		Package: ntsd-go
		Version: $version
		Architecture: $2
		Maintainer: $maintainer
		Depends: ca-certificates, systemd | systemd-standalone-sysusers
		Installed-Size: $(find "$tree" -path "$tree/DEBIAN" -prune -o -type f -printf '%s\n' | awk '{ s += $1 } END { print int(s / 1024) + 1 }')
		Conflicts: time-daemon
		Provides: time-daemon
		Replaces: time-daemon
		Section: net
		Priority: optional
		Description: Time daemon with Network Time Security (NTS)
		 Keeps the clock by NTS and NTP servers, and serves time to the network. Its
		 configuration is /etc/ntsd/ntsd.
	END
	find "$tree" -type d -exec chmod 0755 {} +
	find "$tree" -type f -exec chmod 0644 {} +
	(cd "$tree" && find usr -type f | LC_ALL=C sort | xargs md5sum >DEBIAN/md5sums)
	chmod 0644 "$tree/DEBIAN/md5sums"
	chmod 0755 "$tree/usr/sbin/ntsd" "$tree/DEBIAN/postinst" "$tree/DEBIAN/prerm" "$tree/DEBIAN/postrm"
	find "$tree" -exec touch -h -d "@$epoch" {} +
	SOURCE_DATE_EPOCH=$epoch dpkg-deb --root-owner-group -Zxz --build "$tree" "$out/ntsd-go_${version}_$2.deb" >/dev/null
}

# feed ROUTERARCH: the index of a folder of packages, as opkg reads it.
feed() {
	cd "$out/$1"
	for file in *.ipk; do
		tar -xzOf "$file" ./control.tar.gz | tar -xzO ./control | sed '/^Description:/d'
		printf 'Filename: %s\nSize: %s\nSHA256sum: %s\nDescription: %s\n\n' "$file" "$(wc -c <"$file")" \
			"$(sha256sum "$file" | cut -d' ' -f1)" "$(tar -xzOf "$file" ./control.tar.gz | tar -xzO ./control | sed -n 's/^Description: //p')"
	done >Packages
	gzip -9nkf Packages
	rm -f Packages.sig
	sign Packages
	cd "$here"
}

# The builder's own key; "opkg-key add build/feed.pub" makes a router trust it.
sign() {
	if command -v usign >/dev/null; then
		[ -f "$build/feed.key" ] || usign -G -s "$build/feed.key" -p "$build/feed.pub" -c 'ntsd feed'
		usign -S -m "$1" -s "$build/feed.key"
	elif command -v signify-openbsd >/dev/null; then
		[ -f "$build/feed.sec" ] || signify-openbsd -G -n -c 'ntsd feed' -s "$build/feed.sec" -p "$build/feed.pub"
		signify-openbsd -S -s "$build/feed.sec" -m "$1" -x "$1.sig"
	else
		echo "package: the feed is not signed: neither usign nor signify-openbsd is installed" >&2
	fi
}

. "$here/scripts/package/apk.sh"
. "$here/scripts/package/luci.sh"

rm -rf "$out"
luci_packages
for pair in "$@"; do
	goarch=${pair%%=*}
	arch=${pair#*=}
	router_tree "$goarch" "$work/tree.$arch"
	ipk "$arch" "$work/tree.$arch"
	cp "$out"/all/*.ipk "$out/$arch"
	feed "$arch"
	if have_apk; then
		apk_package "$work/control.$arch" "$work/tree.$arch" "$out/$arch"
		cp "$out"/all/*.apk "$out/$arch"
		apk_feed "$out/$arch"
	fi
done
if command -v dpkg-deb >/dev/null; then
	deb amd64 amd64
	deb arm64 arm64
fi
cd "$out"
find . -name '*.ipk' -o -name '*.apk' -o -name '*.deb' | sort | while read -r file; do
	printf '%8d  %s\n' "$(wc -c <"$file")" "${file#./}"
done
