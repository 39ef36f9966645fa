# Sourced by scripts/package.sh: packages for OpenWrt's apk. They have the
# scripts, in their order, and the lists in /lib/apk/packages that OpenWrt's
# build system gives its own; functions.sh on the router reads them.
# shellcheck shell=sh disable=SC2154

have_apk() { apk --version 2>/dev/null | grep -q "^apk-tools 3"; }

# part FILE: a script of ours as a part of another.
part() {
	[ ! -f "$1" ] || sed '/^#!/d' "$1"
}

# apk_scripts NAME CONTROL SCRIPTS: from the parts in an .ipk's control folder.
# What comes last may end with "exit 0".
apk_scripts() {
	# shellcheck disable=SC2016 # expanded on the router
	known='export root="${IPKG_INSTROOT}"
export pkgname="'$1'"'
	{
		on_router
		printf '%s\nadd_group_and_user\ndefault_postinst\n' "$known"
		part "$2/postinst-pkg"
	} >"$3/post-install"
	{
		printf '#!/bin/sh\nexport PKG_UPGRADE=1\n'
		part "$3/post-install"
	} >"$3/post-upgrade"
	{
		on_router | grep -v IPKG_NO_SCRIPT
		printf '%s\ndefault_prerm\n' "$known"
		part "$2/prerm-pkg"
	} >"$3/pre-deinstall"
	[ ! -f "$2/postrm" ] || cp "$2/postrm" "$3/post-deinstall"
	chmod 0755 "$3"/*
}

# apk_lists NAME CONTROL TREE
apk_lists() {
	lists=$3/lib/apk/packages
	mkdir -p "$lists"
	user=$(sed -n 's/^Require-User: //p' "$2/control")
	[ -z "$user" ] || echo "$user" >"$lists/$1.rusers"
	(cd "$3" && find . -type f -o -type l | sed 's/^\.//' | LC_ALL=C sort) >"$work/list"
	mv "$work/list" "$lists/$1.list"
	[ -f "$2/conffiles" ] || return 0
	cp "$2/conffiles" "$lists/$1.conffiles"
	while read -r file; do
		echo "$file $(sha256sum "$3$file" | cut -d' ' -f1)"
	done <"$2/conffiles" >"$lists/$1.conffiles_static"
}

# field NAME CONTROL: what the .ipk's control file says.
field() { sed -n "s/^$1: //p" "$2/control"; }

# apk_package CONTROL TREE FOLDER: the .apk of what is already an .ipk. Adds its
# lists to the tree.
apk_package() {
	name=$(field Package "$1")
	arch=$(field Architecture "$1")
	[ "$arch" != all ] || arch=noarch
	scripts=$work/apk.$name.$arch
	mkdir -p "$scripts" "$3"
	apk_scripts "$name" "$1" "$scripts"
	apk_lists "$name" "$1" "$2"
	find "$2" -type d -exec chmod 0755 {} +
	find "$2/lib/apk" -type f -exec chmod 0644 {} +
	find "$2" -exec touch -h -d "@$epoch" {} +
	set -- "$@" --info "name:$name" --info "version:$version" --info "arch:$arch" \
		--info "description:$(field Description "$1")" --info "license:$(field License "$1")" \
		--info "origin:$(field Source "$1")" --info "maintainer:$(field Maintainer "$1")" \
		--info "provides:$name-any" --info "depends:$(field Depends "$1" | tr -d ,)"
	for script in post-install post-upgrade pre-deinstall post-deinstall; do
		[ ! -f "$scripts/$script" ] || set -- "$@" --script "$script:$scripts/$script"
	done
	tree=$2 file=$3/$name-$version.apk
	shift 3
	SOURCE_DATE_EPOCH=$epoch apk mkpkg "$@" --files "$tree" --output "$file"
}

# apk_feed FOLDER: the index of its packages, as apk reads it, signed by the
# builder's own key; "cp feed-apk.pem /etc/apk/keys" makes a router trust it.
apk_feed() {
	set -- "$1" --output packages.adb
	if command -v openssl >/dev/null; then
		[ -f "$build/feed-apk.key" ] || (umask 077 && openssl ecparam -name prime256v1 -genkey -noout -out "$build/feed-apk.key")
		openssl ec -in "$build/feed-apk.key" -pubout -out "$build/feed-apk.pem" 2>/dev/null
		set -- "$@" --sign "$build/feed-apk.key"
	else
		echo "package: the feed of .apk files is not signed: openssl is not installed" >&2
	fi
	cd "$1" || exit
	shift
	apk mkndx --allow-untrusted "$@" ./*.apk
	cd "$here" || exit
}
