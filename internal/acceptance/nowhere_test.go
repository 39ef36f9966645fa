package acceptance

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ntsd/internal/interop"
)

// TestNowhereToWrite: where neither run_dir nor state_dir can be written the time is
// kept and served all the same, which is said once; a second daemon is kept out.
func TestNowhereToWrite(t *testing.T) {
	stranger := func() []string {
		if len(powerless()) == 0 {
			return nil // this user is one
		}
		return []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"}
	}
	for name, c := range map[string]struct {
		mount  string // a script, $0 is the folder
		reason string
	}{
		"not ours":  {"", "permission denied"},
		"read-only": {`mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"`, "read-only file system"},
		"no inodes": {`mount -t tmpfs -o nr_inodes=1 tmpfs "$0"`, "no space left"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			folder := filepath.Join(w.dir, "folder")
			if err := os.Mkdir(folder, 0o555); err != nil {
				t.Fatal(err)
			}
			w.run = filepath.Join(folder, "run")
			cert, key := w.keyPair()
			port, ke := freePort(t), freePort(t)
			config := w.config(source(w.nts(nil)), serving(port, "127.0.0.0/8"), w.ntsSection(ke, cert, key))
			config = strings.Replace(config, filepath.Join(w.dir, "state"), filepath.Join(folder, "state"), 1)
			path := w.write("ntsd.uci", config)
			line := stranger()
			if c.mount != "" {
				line = w.namespace(strings.ReplaceAll(c.mount, `"$0"`, folder) + " && ")
			}
			line = append(line, tool("ntsd"), "-x", "-t", lifetime, "-f", path)
			d := w.spawn(line, path, filepath.Join(w.run, "ntsd.sock"))
			d.untilLog(`option 'run_dir' cannot be used.*` + c.reason)
			eventually(t, "a reply with the time", func() bool {
				got, err := interop.ExchangePlain(onLoopback(port), silence)
				return err == nil && got.Header.Stratum != 0
			})
			if c.mount == "" {
				all := append(powerless(), line...)
				second := runProgram(t, exec.Command(all[0], all[1:]...))
				if second.exit != 1 || !strings.Contains(second.stderr, "already running; stop that one first") {
					t.Errorf("a second daemon: exit status %d, %s", second.exit, second.stderr)
				}
			}
			d.stop()
			for _, once := range []string{"run_dir' cannot be used", "save a session", "save the state for the next boot"} {
				if n := d.count(once); n != 1 {
					t.Errorf("%d lines about %q, want 1:\n%s", n, once, d.log())
				}
			}
		})
	}
}
