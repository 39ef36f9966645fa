package router

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestApk: what apk is told of a package, its files with their modes, its lists
// and its scripts are what OpenWrt's build system makes of the same Makefile
// (package-pack.mk of January 2026), but for libc, which our binary does not need.
func TestApk(t *testing.T) {
	dir := filepath.Join(packages(t), "mips_24kc")
	got := apkContents(t, filepath.Join(dir, "ntsd-go-1.2.3-r1.apk"), "")
	// Which files those are tests TestLuCIPackages.
	got += apkContents(t, filepath.Join(dir, "../all/luci-app-ntsd-1.2.3-r1.apk"), "files luci-app-ntsd.list")
	compare(t, "testdata/apk", got)
	index, err := os.ReadFile(filepath.Join(dir, "packages.adb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"./ntsd-go-1.2.3-r1.apk", "./luci-app-ntsd-1.2.3-r1.apk", "./luci-i18n-ntsd-de-1.2.3-r1.apk", "signed"} {
		if !strings.Contains("\n"+string(index), "\n"+line+"\n") {
			t.Errorf("no %q in the index\n%s", line, index)
		}
	}
	apkScripts(t, filepath.Join(dir, "ntsd-go-1.2.3-r1.apk.d"))
}

// apkContents is what the stand-in wrote down of a package, without the parts
// named.
func apkContents(t *testing.T, path, without string) string {
	t.Helper()
	info, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(path + ".d")
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("=== %s\n%s", filepath.Base(path), info)
	for _, e := range entries {
		if slices.Contains(strings.Fields(without), e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(path+".d", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got += fmt.Sprintf("--- %s\n%s", e.Name(), text)
	}
	config, err := os.ReadFile(files + "/etc/config/ntsd")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(got, fmt.Sprintf("%x", sha256.Sum256(config)), "SHA256")
}

// apkScripts: OpenWrt's own part runs first, and in the tree of an image that is
// being built nothing of ours runs at all.
func apkScripts(t *testing.T, dir string) {
	t.Helper()
	r := newRoot(t)
	for _, name := range []string{"post-install", "post-upgrade", "pre-deinstall", "post-deinstall"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		r.write(name, string(text), 0o755)
	}
	library, err := os.ReadFile(r.path("lib/functions.sh"))
	if err != nil {
		t.Fatal(err)
	}
	r.write("image/lib/functions.sh", string(library), 0o644)
	for _, tt := range []struct{ script, root, want string }{
		{"post-install", "", "add_group_and_user  ntsd-go \ndefault_postinst  ntsd-go \n"},
		{"post-upgrade", "", "add_group_and_user  ntsd-go 1\ndefault_postinst  ntsd-go 1\n"},
		{"post-install", "/image", "add_group_and_user /image ntsd-go \ndefault_postinst /image ntsd-go \n"},
		{"post-upgrade", "/image", "add_group_and_user /image ntsd-go 1\ndefault_postinst /image ntsd-go 1\n"},
		{"pre-deinstall", "/image", "default_prerm /image ntsd-go \n"},
		{"post-deinstall", "/image", ""},
	} {
		if got := r.run([]string{"IPKG_INSTROOT=" + tt.root}, "/"+tt.script); got != tt.want {
			t.Errorf("%s in %q: got\n%s\nwant\n%s", tt.script, tt.root, got, tt.want)
		}
	}
	r.defaults()
	has(t, r.run(nil, "/pre-deinstall"), "default_prerm  ntsd-go ", "nft delete table inet ntsd_intercept", "uci delete firewall.ntsd")
	has(t, r.run(nil, "/post-deinstall"), "sysntpd starts")
}
