# Sourced by scripts/package.sh: LuCI's pages, and each of their languages, as
# packages for all architectures in $out/all. They are laid out as luci.mk does.
# shellcheck shell=sh disable=SC2154

luci=$here/luci/luci-app-ntsd

# LuCI keeps its menu, rpcd its access lists and plugins, until they are told.
# shellcheck disable=SC2016 # expanded on the router
reload='[ -n "${IPKG_INSTROOT}" ] || {
	rm -f /tmp/luci-indexcache*
	rm -rf /tmp/luci-modulecache/
	/etc/init.d/rpcd reload 2>/dev/null
	exit 0
}'

# luci_ipk NAME DEPENDS DESCRIPTION TREE
luci_ipk() {
	control=$work/control.$1
	mkdir -p "$control" "$out/all"
	cat >"$control/control" <<-END
		Package: $1
		Version: $version
		Depends: $2
		Source: feeds/luci/applications/luci-app-ntsd
		SourceName: luci-app-ntsd
		License: Apache-2.0
		Section: luci
		SourceDateEpoch: $epoch
		Maintainer: $maintainer
		Architecture: all
		Installed-Size: $(size_of "$4")
		Description: $3
	END
	# shellcheck disable=SC2016 # expanded on the router
	{ on_router && echo 'default_postinst "$0" "$@"'; } >"$control/postinst"
	# shellcheck disable=SC2016
	{ on_router | grep -v IPKG_NO_SCRIPT && echo 'default_prerm "$0" "$@"'; } >"$control/prerm"
	if [ "$1" = luci-app-ntsd ]; then
		printf '#!/bin/sh\n%s\n' "$reload" >"$control/postinst-pkg"
		cp "$control/postinst-pkg" "$control/postrm"
	fi
	chmod 0755 "$control/p"*
	chmod 0644 "$control/control"
	assemble "$1" "$control" "$4" "$out/all/${1}_${version}_all.ipk"
}

# luci_package NAME DEPENDS DESCRIPTION TREE
luci_package() {
	find "$4" -type d -exec chmod 0755 {} +
	find "$4" -type f -exec chmod 0644 {} +
	[ -d "$4/usr/libexec" ] && chmod 0755 "$4/usr/libexec/rpcd/"*
	luci_ipk "$1" "$(echo "$2" | sed 's/ /, /g')" "$3" "$4"
	if have_apk; then
		apk_package "$work/control.$1" "$4" "$out/all"
	fi
}

# luci_language FOLDER: one of po/*, under the name that LuCI gives it.
luci_language() {
	tree=$work/luci.$1
	case $1 in
		zh_Hans) lang=zh-cn ;;
		*) lang=$1 ;;
	esac
	mkdir -p "$tree/etc/uci-defaults" "$tree/usr/lib/lua/luci/i18n"
	"$work/ntspo" lmo "$luci/po/$1/ntsd.po" "$tree/usr/lib/lua/luci/i18n/ntsd.$lang.lmo"
	title=$(sed -n 's/^"X-LuCI-Name: \(.*\)\\n"$/\1/p' "$luci/po/$1/ntsd.po")
	echo "uci set luci.languages.$(echo "$lang" | tr - _)='$title'; uci commit luci" >"$tree/etc/uci-defaults/luci-i18n-ntsd-$lang"
	luci_package "luci-i18n-ntsd-$lang" luci-app-ntsd "Translation for luci-app-ntsd - $title" "$tree"
}

luci_packages() {
	tree=$work/luci
	mkdir -p "$tree/www"
	cp -R "$luci/root/." "$tree"
	[ -d "$luci/htdocs" ] && cp -R "$luci/htdocs/." "$tree/www"
	luci_package luci-app-ntsd "luci-base ntsd-go" "LuCI pages of the time daemon ntsd" "$tree"
	(cd "$here" && go build -o "$work/ntspo" ./cmd/ntspo)
	for po in "$luci"/po/*/ntsd.po; do
		[ -f "$po" ] || continue
		po=${po%/*}
		luci_language "${po##*/}"
	done
}
