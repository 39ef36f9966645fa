package router

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ntsd/internal/interop"
)

// files is the tree that the package puts on a router, and control are its
// scripts.
const (
	files   = "../../files/router"
	control = "../../scripts/package"
)

// root is a router as far as the scripts see it.
type root struct {
	t   *testing.T
	dir string
	in  []string // the command line that runs the rest of it in there
}

// standins is the path of the program that stands for OpenWrt's, binDir the
// folder of ntsd.
var standins, binDir string //nolint:gochecknoglobals // TestMain has no other way to tell the tests

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "router")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		standins = filepath.Join(dir, "standin")
		cmd := exec.Command("go", "build", "-o", standins, "./standin")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v: %s\n", err, out)
			return 1
		}
		return interop.RunTests(m, 3, &binDir)
	}())
}

// newRoot puts the package's files over the stand-ins, with a LAN and a WAN.
func newRoot(t *testing.T) *root {
	t.Helper()
	r := &root{t: t, dir: t.TempDir()}
	r.in = []string{"unshare", "--user", "--map-root-user", "--", "chroot", r.dir}
	if os.Geteuid() == 0 {
		r.in = []string{"chroot", r.dir}
	}
	for _, tree := range []string{"testdata/root", files} {
		if err := os.CopyFS(r.dir, os.DirFS(tree)); err != nil {
			t.Fatal(err)
		}
	}
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		interop.Unavailable(t, "router: busybox is not installed: %v", err)
	}
	r.write("bin/busybox", string(busybox), 0o755)
	out, err := exec.Command("/bin/busybox", "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(standins)
	if err != nil {
		t.Fatal(err)
	}
	r.write("bin/standin", string(program), 0o755)
	ours := map[string]bool{}
	for _, name := range []string{"uci", "ubus", "logger", "nft", "ntsctl", "flock"} {
		ours[name] = true
		r.link("standin", name)
	}
	for _, name := range strings.Fields(string(out)) {
		// An applet that is called by its path cannot hide a stand-in.
		if !ours[name] && name != "busybox" {
			r.link("busybox", name)
		}
	}
	for path, text := range map[string]string{
		"devices":             "lan br-lan\nwan eth1\n",
		"etc/config/dhcp":     "config dhcp 'lan'\n\toption interface 'lan'\n",
		"etc/config/firewall": "config defaults\n",
		"etc/config/system":   "config timeserver 'ntp'\n\toption enabled '1'\n",
		"etc/ssl/cert.pem":    "",
		// Users that exist without being root: busybox runs chown itself.
		"etc/passwd": "ntp:x:0:0:ntp:/:/bin/false\n",
		"etc/group":  "ntp:x:0:\n",
		"dev/null":   "",
		// Of which procd is told which one it is.
		"usr/sbin/ntsd": "",
	} {
		r.write(path, text, 0o644)
	}
	for _, dir := range []string{"etc/rc.d", "running", "var/lock", "var/run", "tmp", "sbin", "proc"} {
		if err := os.MkdirAll(filepath.Join(r.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.service("sysntpd", true)
	if out, err := r.command("/bin/sh", "-c", "exit 0").CombinedOutput(); err != nil {
		interop.Unavailable(t, "router: chroot: %v: %s", err, out)
	}
	return r
}

func (r *root) path(name string) string { return filepath.Join(r.dir, name) }

func (r *root) write(name, text string, mode fs.FileMode) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.path(name)), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(r.path(name), []byte(text), mode); err != nil {
		r.t.Fatal(err)
	}
}

func (r *root) link(to, name string) {
	r.t.Helper()
	if err := os.Symlink(to, r.path("bin/"+name)); err != nil {
		r.t.Fatal(err)
	}
}

// service installs another init script, which is enabled and perhaps runs.
func (r *root) service(name string, running bool) {
	r.write("etc/init.d/"+name, "#!/bin/sh /etc/rc.common\nSTART=98\nstart_service() { echo \""+name+" starts\" >>/calls; }\nservice_triggers() { :; }\n", 0o755)
	r.write("etc/rc.d/S98"+name, "", 0o644)
	if running {
		r.write("running/"+name, "", 0o644)
	}
}

// socket is one that nobody listens on any more.
func (r *root) socket(name string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.path(name)), 0o755); err != nil {
		r.t.Fatal(err)
	}
	// A socket's path must be short.
	r.t.Chdir(filepath.Dir(r.path(name)))
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Base(name), Net: "unix"})
	if err != nil {
		r.t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
}

// config replaces /etc/config/ntsd.
func (r *root) config(text string) { r.write("etc/config/ntsd", text, 0o644) }

func (r *root) exists(name string) bool {
	_, err := os.Stat(r.path(name))
	return err == nil
}

func (r *root) command(args ...string) *exec.Cmd {
	line := append(append([]string{}, r.in...), args...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = []string{"PATH=/bin:/sbin:/usr/sbin:/usr/bin"}
	return cmd
}

// run runs a script in there, which must succeed and print nothing, and
// returns what it called.
func (r *root) run(env []string, args ...string) string {
	r.t.Helper()
	_ = os.Remove(r.path("calls"))
	cmd := r.command(args...)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		r.t.Errorf("%v: %v: %s", args, err, out)
	}
	calls, _ := os.ReadFile(r.path("calls"))
	return string(calls)
}

// defaults runs what is to do once after the installation.
func (r *root) defaults(env ...string) string {
	r.t.Helper()
	return r.run(env, "/bin/sh", "/etc/uci-defaults/90_ntsd")
}

// script runs one of the package's own scripts.
func (r *root) script(name string, env ...string) string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(control, name))
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(name, string(text), 0o755)
	return r.run(env, "/bin/sh", "/"+name)
}

// has checks that calls contain each of these lines, in this order.
func has(t *testing.T, calls string, lines ...string) {
	t.Helper()
	rest := "\n" + calls
	for _, line := range lines {
		_, after, found := strings.Cut(rest, "\n"+line+"\n")
		if !found {
			t.Errorf("no %q, or not after the one before, in\n%s", line, calls)
			return
		}
		rest = "\n" + after
	}
}

func lacks(t *testing.T, calls string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(calls, part) {
			t.Errorf("%q in\n%s", part, calls)
		}
	}
}
