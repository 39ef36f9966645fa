#!/bin/sh
# Fetches Debian's kernel for virtual machines, and the modules that a machine
# of "make test-vm" needs, into build/vm-ARCH. Nothing is installed, and apt's
# own state is left alone: another architecture needs a folder of its own for
# it. What is there already is kept; remove the folder to fetch anew.
# usage: scripts/vm-kernel.sh [ARCH [FOLDER]]     (arm64, or arm: 32 bits)
# Where apt is out of reach, put the linux-image-*.deb there first.
set -eu
arch=${1:-arm64}
top=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "${2:-$top/build/vm-$arch}"
vm=$(cd "${2:-$top/build/vm-$arch}" && pwd)
[ ! -f "$vm/complete" ] || exit 0
[ "$arch" != mips ] || [ ! -f "$vm/vmlinuz" ] || exit 0

# In the order in which they are loaded.
modules="virtio_ring virtio virtio_mmio virtio_blk failover net_failover virtio_net"
case $arch in
	arm64) debian=arm64 image=linux-image-cloud-arm64 ;;
	arm) debian=armhf image=linux-image-armmp-lpae
		modules="crc16 crc32c_generic mbcache jbd2 ext4 $modules" ;;
	mips) echo "vm-kernel: Debian has none: put one of your own there, as $vm/vmlinuz" >&2 && exit 2 ;;
	*) echo "vm-kernel: no kernel is known for $arch" >&2 && exit 2 ;;
esac

for tool in apt-get apt-cache dpkg-deb; do
	if ! command -v $tool >/dev/null; then
		echo "vm-kernel: $tool is missing: this needs Debian or a relative" >&2
		exit 1
	fi
done

# apt with the machine's sources, but for another architecture and with nothing
# installed.
private_apt() {
	mkdir -p "$vm/apt/lists/partial" "$vm/apt/cache/archives/partial"
	cat >"$vm/apt/conf" <<-END
		APT::Architecture "$debian";
		APT::Architectures { "$debian"; };
		APT::Sandbox::User "root";
		Dir::State::lists "$vm/apt/lists";
		Dir::State::status "/dev/null";
		Dir::Cache "$vm/apt/cache";
		Acquire::Languages "none";
		Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
	END
	APT_CONFIG=$vm/apt/conf
	export APT_CONFIG
}

deb() {
	for f in "$vm"/linux-image-*.deb; do
		[ -f "$f" ] && echo "$f" && return
	done
	return 1
}

if ! deb >/dev/null; then
	private_apt
	# A source that does not have the architecture is no reason to give up.
	apt-get -qq update >&2 || true
	package=$(apt-cache depends "$image" | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n 1)
	(cd "$vm" && apt-get -qq download "$package") >&2
fi
rm -rf "$vm/unpacked"
dpkg-deb -x "$(deb)" "$vm/unpacked"
mkdir -p "$vm/modules"
cp "$vm"/unpacked/boot/vmlinuz-* "$vm/vmlinuz"
n=10
for m in $modules; do
	# What is not there is built in.
	find "$vm/unpacked/lib/modules" -name "$m.ko" -exec cp {} "$vm/modules/$n-$m.ko" \;
	n=$((n + 1))
done
rm -rf "$vm/unpacked" "$vm/apt"
: >"$vm/complete"
