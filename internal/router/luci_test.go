package router

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
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
	dir := packages(t)
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

// plugin runs rpcd's plugin in the router and returns what it answers.
func (r *root) plugin(input string, args ...string) string {
	r.t.Helper()
	// As rpcd does, which has that umask.
	cmd := r.command(append([]string{"/bin/sh", "-c", `umask 077; exec /usr/libexec/rpcd/luci.ntsd "$@"`, "sh"}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		r.t.Errorf("%q: %v", args, err)
	}
	return string(out)
}

// luciRoot is a router with the application's files.
func luciRoot(t *testing.T) *root {
	t.Helper()
	r := newRoot(t)
	if err := os.CopyFS(r.dir, os.DirFS(luci+"/root")); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(r.path("bin/ntsctl")) // the stand-in; each test brings its own
	return r
}

// TestPlugin: what rpcd passes on reaches ntsctl as it is, whatever is in it; a
// daemon that is to be started is, unless it is switched off.
func TestPlugin(t *testing.T) {
	r := luciRoot(t)
	r.write("usr/sbin/ntsctl", "#!/bin/sh\nfor a; do echo \"<$a>\"; done; cat\n", 0o755)
	nasty := `{"command":"$(reboot)` + "`reboot`" + `\"; reboot; \\","argument":"a  b"}`
	for _, tt := range []struct {
		config string
		args   []string
		want   string
	}{
		{"", []string{"list"}, "<-h>\n</var/run/ntsd/ntsd.sock>\n<rpcd>\n<list>\n"},
		{"", []string{"call", "action"}, "<-h>\n</var/run/ntsd/ntsd.sock>\n<rpcd>\n<call>\n<action>\n"},
		{"config ntsd 'main'\n\toption run_dir '/tmp/a b'\n", []string{"call", "a b;c"}, "<-h>\n</tmp/a b/ntsd.sock>\n<rpcd>\n<call>\n<a b;c>\n"},
	} {
		r.config(tt.config)
		if got := r.plugin(nasty, tt.args...); got != tt.want+nasty {
			t.Errorf("%q: got %q, want %q", tt.args, got, tt.want+nasty)
		}
	}
	r.write("usr/sbin/ntsctl", "#!/bin/sh\nexit 2\n", 0o755)
	if got := r.plugin("", "list"); !strings.Contains(got, `"code":"missing"`) {
		t.Errorf("ntsctl of another version: got %q", got)
	}

	r.config("config ntsd 'main'\n\toption enabled '0'\n")
	if got := r.plugin("{}", "call", "start"); !strings.Contains(got, `"code":"disabled"`) {
		t.Errorf("start: got %q, want that it is switched off", got)
	}
	r.config("config ntsd 'main'\n")
	_ = os.Remove(r.path("etc/rc.d/S21ntsd"))
	if got := r.plugin("{}", "call", "start"); got != "{\"ok\":true}\n" {
		t.Errorf("start: got %q", got)
	}
	calls, _ := os.ReadFile(r.path("calls"))
	has(t, string(calls), "procd_open_instance ", "procd_set_param command /usr/sbin/ntsd -l syslog")
	if !r.exists("etc/rc.d/S21ntsd") {
		t.Error("the daemon was started, but not for the next boot")
	}
}

// TestPluginHide: keys go out of the configuration into files of the daemon's user;
// what cannot be a file, or is another one's, stays, and so does what somebody has
// not committed.
func TestPluginHide(t *testing.T) {
	r := luciRoot(t)
	ntpUser(t, r)
	config := "config ntsd 'main'\n"
	for id, secret := range map[string]string{"1": "HEX:00112233", "2": "ASCII:a$b`c\"d", "3": "two words", "4": "HEX:44", "../5": "HEX:55", "6": "HEX:66"} {
		config += "\nconfig key 'k" + strings.Trim(id, "./") + "'\n\toption id '" + id + "'\n\toption secret '" + secret + "'\n"
	}
	config += "\nconfig key 'k7'\n\toption id '7'\n\toption secret_file '/etc/k7'\n"
	r.config(config)
	r.write("etc/ntsd/keys/4", "another\n", 0o600)
	r.write("etc/ntsd/keys/6", "HEX:66\n", 0o600) // moved before a power cut
	_ = os.Chmod(r.path("etc/ntsd/keys"), 0o700)  // as rpcd's umask makes it: the daemon could read nothing there
	r.write("changes", "ntsd.k1.id='8'\n", 0o644)
	if got := r.plugin("{}", "call", "hide"); !strings.Contains(got, `"code":"pending"`) {
		t.Errorf("with changes of others: got %q", got)
	}
	_ = os.Remove(r.path("changes"))
	if got := r.plugin("{}", "call", "hide"); got != "{\"moved\":3,\"left\":3}\n" {
		t.Errorf("got %q", got)
	}
	for id, want := range map[string]string{"1": "HEX:00112233\n", "2": "ASCII:a$b`c\"d\n", "4": "another\n", "6": "HEX:66\n"} {
		text, err := os.ReadFile(r.path("etc/ntsd/keys/" + id))
		if err != nil || string(text) != want {
			t.Errorf("key %s: got %q, %v, want %q", id, text, err, want)
		}
		if uid, _, mode := r.owner("etc/ntsd/keys/" + id); id != "4" && (uid != 123 || mode != 0o600) {
			t.Errorf("key %s: belongs to %d with mode %o, want 123, 600", id, uid, mode)
		}
	}
	if uid, _, mode := r.owner("etc/ntsd/keys"); uid != 0 || mode != 0o755 {
		t.Errorf("the folder: belongs to %d with mode %o, want root's, 755", uid, mode)
	}
	left, _ := os.ReadFile(r.path("etc/config/ntsd"))
	for text, want := range map[string]int{"option secret ": 3, "secret_file '/etc/ntsd/keys/": 3, "two words": 1, "HEX:44": 1, "HEX:55": 1, "/etc/k7": 1} {
		if got := strings.Count(string(left), text); got != want {
			t.Errorf("%q stands there %d times, want %d:\n%s", text, got, want, left)
		}
	}
	calls, _ := os.ReadFile(r.path("calls"))
	has(t, string(calls), "uci commit ntsd", "procd_send_signal ntsd * HUP")
	if got := r.plugin("{}", "call", "hide"); got != "{\"moved\":0,\"left\":3}\n" {
		t.Errorf("again: got %q", got)
	}
}

// TestPluginReal: the same with the real ntsctl, and no daemon.
func TestPluginReal(t *testing.T) {
	r := luciRoot(t)
	_ = os.MkdirAll(r.path("usr/sbin"), 0o755)
	cmd := exec.Command("go", "build", "-o", r.path("usr/sbin/ntsctl"), "../../cmd/ntsd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, tt := range []struct{ method, input, want string }{
		{"status", `{}`, `"code":"not_running"`},
		{"action", `{"command":"makestep"}`, `"code":"not_running"`},
		{"check", `{}`, `"ok":true`},
		{"check", `{"config":"config server\n\toption minpoll 99\n"}`, `"option":"minpoll"`},
		{"import", `{"from":"system"}`, `"sections":[`},
		{"import", `{"from":"/etc/passwd"}`, `"error":`},
		{"nothing", `{}`, `"error":"no such method"`},
	} {
		if got := r.plugin(tt.input, "call", tt.method); !strings.Contains(got, tt.want) || !json.Valid([]byte(got)) {
			t.Errorf("%s %s: got %q, want %q in it", tt.method, tt.input, got, tt.want)
		}
	}
	if got := r.plugin("", "list"); !json.Valid([]byte(got)) || !strings.Contains(got, `"start":{}`) {
		t.Errorf("list: got %q", got)
	}
}
