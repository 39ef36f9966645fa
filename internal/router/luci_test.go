package router

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// luci is the application's folder.
const luci = "../../luci/luci-app-ntsd"

// TestLuCIPackages: LuCI finds every file of the application where it looks for
// it, readable, the plugin executable; every language is a package of its own;
// opkg is told what they need; nothing in them is configuration.
func TestLuCIPackages(t *testing.T) {
	dir := build(t)
	paths, _ := filepath.Glob(filepath.Join(dir, "mips_24kc/luci-*.ipk"))
	var names []string
	for _, path := range paths {
		names = append(names, filepath.Base(path))
		ipk, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		outer, _ := members(t, ipk)
		control, _ := members(t, outer["./control.tar.gz"])
		data, list := members(t, outer["./data.tar.gz"])
		want := []string{"./control", "./postinst", "./prerm"}
		depends := "luci-app-ntsd"
		if strings.Contains(path, "luci-app-ntsd_") {
			want = append(want, "./postinst-pkg", "./postrm")
			depends = "luci-base, ntsd-go"
			luciFiles(t, data, list)
		}
		slices.Sort(want)
		if got := slices.DeleteFunc(slices.Sorted(maps.Keys(control)), func(n string) bool { return n == "./" }); !slices.Equal(got, want) {
			t.Errorf("%s: control has %q, want %q", filepath.Base(path), got, want)
		}
		for _, line := range []string{"Architecture: all", "Version: 1.2.3-r1", "Depends: " + depends, "Section: luci"} {
			if !strings.Contains("\n"+string(control["./control"]), "\n"+line+"\n") {
				t.Errorf("%s: no %q in\n%s", filepath.Base(path), line, control["./control"])
			}
		}
	}
	var want []string
	for _, name := range []string{"app-ntsd", "i18n-ntsd-de", "i18n-ntsd-es", "i18n-ntsd-fr", "i18n-ntsd-ja", "i18n-ntsd-zh-cn"} {
		want = append(want, "luci-"+name+"_1.2.3-r1_all.ipk")
	}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	language := filepath.Join(dir, "all/luci-i18n-ntsd-zh-cn_1.2.3-r1_all.ipk")
	ipk, err := os.ReadFile(language)
	if err != nil {
		t.Fatal(err)
	}
	outer, _ := members(t, ipk)
	data, _ := members(t, outer["./data.tar.gz"])
	if got := string(data["./etc/uci-defaults/luci-i18n-ntsd-zh-cn"]); got != "uci set luci.languages.zh_cn='简体中文 (Simplified Chinese)'; uci commit luci\n" {
		t.Errorf("got %q, want the language's name", got)
	}
	if len(data["./usr/lib/lua/luci/i18n/ntsd.zh-cn.lmo"]) == 0 {
		t.Error("no texts in the language's package")
	}
}

// luciFiles compares what is in the package with the application's folder.
func luciFiles(t *testing.T, data map[string][]byte, list string) {
	t.Helper()
	want := make(map[string]bool)
	for from, to := range map[string]string{"htdocs": "./www/", "root": "./"} {
		_ = filepath.WalkDir(filepath.Join(luci, from), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			name, _ := filepath.Rel(filepath.Join(luci, from), path)
			name = to + name
			want[name] = true
			text, err := os.ReadFile(path)
			if err != nil || string(data[name]) != string(text) {
				t.Errorf("%s: got %d bytes, want those of %s (%v)", name, len(data[name]), path, err)
			}
			mode := "-rw-r--r--"
			if strings.Contains(name, "/libexec/") {
				mode = "-rwxr-xr-x"
			}
			if line := fmt.Sprintf("%s 0/0 %s\n", mode, name); !strings.Contains(list, line) {
				t.Errorf("no %q in\n%s", line, list)
			}
			return nil
		})
	}
	for name, text := range data {
		if len(text) > 0 && !want[name] {
			t.Errorf("%s is in the package, but not in the application", name)
		}
	}
}
