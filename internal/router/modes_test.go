package router

import (
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
)

// owner is who a file belongs to; everything is root's where the test is not run
// by root.
func (r *root) owner(name string) (uid, gid uint32, mode fs.FileMode) {
	r.t.Helper()
	fi, err := os.Lstat(r.path(name))
	if err != nil {
		r.t.Fatal(err)
	}
	st := fi.Sys().(*syscall.Stat_t)
	return st.Uid, st.Gid, fi.Mode().Perm()
}

// ntpUser makes the daemon's user one of its own, for which the test must be
// root.
func ntpUser(t *testing.T, r *root) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("router: only root can give files to others")
	}
	r.write("etc/passwd", "root:x:0:0:root:/:/bin/sh\nntp:x:123:124:ntp:/:/bin/false\n", 0o644)
	r.write("etc/group", "root:x:0:\nntp:x:124:\n", 0o644)
}

// TestSecretsAreNotForAll: a configuration with keys in it is for the daemon's
// user and nobody else, also after uci has made the file anew, before the daemon
// is told to read it; one without is for all, so that the daemon can read it
// whoever has written it.
func TestSecretsAreNotForAll(t *testing.T) {
	r := newRoot(t)
	ntpUser(t, r)
	const plain = "config ntsd 'main'\n"
	secret := plain + "config key\n\toption id '7'\n\toption secret 'HEX:00112233445566778899aabbccddeeff'\n"
	for _, tt := range []struct {
		text, action string
		mode         fs.FileMode // before
		gid          uint32      // after
		want         fs.FileMode
	}{
		{plain, "start", 0o600, 0, 0o644},
		{secret, "start", 0o644, 124, 0o640},
		{secret, "reload", 0o640, 124, 0o640},
		{secret, "reload", 0o600, 124, 0o640},
		{plain, "reload", 0o640, 0, 0o644},
		{strings.Replace(plain, "\n", "\n\toption enabled '0'\n", 1), "reload", 0o600, 0, 0o600},
	} {
		_ = os.Remove(r.path("etc/config/ntsd"))
		r.write("etc/config/ntsd", tt.text, tt.mode) // as libuci does: root's, with the mode it had
		r.write("signalled", "#!/bin/sh\nls -ln /etc/config/ntsd | cut -d' ' -f1 >>/calls\n", 0o755)
		calls := r.run(nil, "/etc/init.d/ntsd", tt.action)
		uid, gid, mode := r.owner("etc/config/ntsd")
		if uid != 0 || gid != tt.gid || mode != tt.want {
			t.Errorf("%q, %s: got %d:%d %o, want 0:%d %o", tt.text, tt.action, uid, gid, mode, tt.gid, tt.want)
		}
		if tt.action == "reload" {
			has(t, calls, "procd_send_signal ntsd * HUP", "-"+strings.TrimPrefix(tt.want.String(), "-"))
		}
	}
	// Another user's group is its own.
	r.write("etc/passwd", "root:x:0:0:root:/:/bin/sh\nntp:x:123:124:ntp:/:/bin/false\nclock:x:200:201:clock:/:/bin/false\n", 0o644)
	r.config(strings.Replace(secret, "\n", "\n\toption user 'clock'\n", 1))
	r.run(nil, "/etc/init.d/ntsd", "start")
	if _, gid, mode := r.owner("etc/config/ntsd"); gid != 201 || mode != 0o640 {
		t.Errorf("option user: got group %d, mode %o, want 201, 640", gid, mode)
	}
}

// TestFoldersOfOthers: what bears our name is made ours, but no file that a link
// in it leads to, which the daemon's user may have made; folders that others use
// are left alone, whatever the configuration says.
func TestFoldersOfOthers(t *testing.T) {
	r := newRoot(t)
	ntpUser(t, r)
	r.write("etc/shadow", "secret", 0o600)
	r.write("var/run/ntsd/drift", "", 0o600)
	r.write("srv/theirs", "", 0o600)
	if err := os.Symlink("/etc/shadow", r.path("var/run/ntsd/link")); err != nil {
		t.Fatal(err)
	}
	r.config("config ntsd 'main'\n\toption state_dir '/srv'\n")
	r.run(nil, "/etc/init.d/ntsd", "start")
	for name, want := range map[string]struct {
		uid  uint32
		mode fs.FileMode
	}{
		"var/run/ntsd": {123, 0o750}, "var/run/ntsd/drift": {123, 0o600}, "etc/shadow": {0, 0o600},
		"srv": {0, 0o755}, "srv/theirs": {0, 0o600},
	} {
		if uid, _, mode := r.owner(name); uid != want.uid || mode != want.mode {
			t.Errorf("%s: got user %d, mode %o, want %d, %o", name, uid, mode, want.uid, want.mode)
		}
	}
	// OpenWrt's busybox, built smaller than the one here, follows links unless told.
	if script, err := os.ReadFile(files + "/etc/init.d/ntsd"); err != nil || strings.Contains(string(script), "chown -R ") {
		t.Errorf("chown -R without -h (%v)", err)
	}
	// A new folder is the daemon's user's.
	r.config("config ntsd 'main'\n\toption state_dir '/mnt/flash/time'\n")
	r.run(nil, "/etc/init.d/ntsd", "start")
	if uid, _, mode := r.owner("mnt/flash/time"); uid != 123 || mode != 0o700 {
		t.Errorf("a new folder: got user %d, mode %o, want 123, 700", uid, mode)
	}
}

// TestNewBinary: procd starts the daemon anew where a reload finds another binary,
// as after apk's upgrades, which stop nothing.
func TestNewBinary(t *testing.T) {
	r := newRoot(t)
	line := func() string {
		for l := range strings.Lines(r.run(nil, "/etc/init.d/ntsd", "start")) {
			if strings.HasPrefix(l, "procd_set_param env NTSD_BINARY=") {
				return l
			}
		}
		t.Fatal("procd is not told of the binary")
		return ""
	}
	first := line()
	if again := line(); again != first {
		t.Errorf("the same binary: got %q, want %q", again, first)
	}
	r.write("usr/sbin/new", "new", 0o755)
	if err := os.Rename(r.path("usr/sbin/new"), r.path("usr/sbin/ntsd")); err != nil {
		t.Fatal(err)
	}
	if other := line(); other == first {
		t.Errorf("another binary: got %q as before", other)
	}
}
