package ctl

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ntsd/internal/control"
)

// ending is how a command that failed must end its one line: with what to do next.
var ending = regexp.MustCompile(`; (see ntsctl |start it with |or say with -h|restart it with |give ntsctl -h |name |run ntsctl as root|to change its options, ntsctl |add |put |set them |correct |ntsctl |where |y says)|usage: ntsctl |: run ntsctl as root|as in ntsctl |wants the daemon's|that is in|this device has none|each in quotes: ntsctl `)

// TestEveryErrorSaysWhatNext: every command, used wrongly, without a daemon, and
// refused by it: the exit status, one line, and in it what to do.
func TestEveryErrorSaysWhatNext(t *testing.T) {
	const absent = "/nowhere/ntsd.sock"
	check := func(socket string, status int, args ...string) {
		t.Helper()
		code, out, errs := ntsctl(append([]string{"-h", socket}, args...)...)
		if code != status || out != "" || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "ntsctl: ") || !ending.MatchString(errs) {
			t.Errorf("%q: status %d, stdout %q, stderr %q; want status %d and one line that says what to do next", args, code, out, errs, status)
		}
	}
	// Arguments that are right, where some are needed.
	right := map[string][]string{
		"accheck": {"192.0.2.1"}, "burst": {"1/1"}, "add": {"server 192.0.2.1"}, "delete": {"192.0.2.1"}, "smoothtime": {"reset"},
		"waitsync": {"1"}, "sourcename": {"192.0.2.1"},
	}
	alone := []string{"rtcdata", "test", "keygen", "import", "rpcd", "options", "help", "completion", "version"} // need no daemon
	for _, c := range Commands() {
		if c.most < 64 {
			check(absent, ExitUsage, append([]string{c.Name}, slices.Repeat([]string{"x"}, c.most+1)...)...)
		}
		if c.least > 0 {
			check(absent, ExitUsage, c.Name)
		}
		if !slices.Contains(alone, c.Name) {
			check(absent, ExitUnreachable, append([]string{c.Name}, right[c.Name]...)...)
		}
	}
	for _, line := range []string{
		"burst 9/1", "burst x", "clients -p", "clients x", "smoothtime x", "ca burn", "metrics x",
		"keygen 0", "keygen 1 ROT13", "keygen 1 MD5 3", "keygen 1 AES128 256", "completion tcsh", "options x", "help x", "waitsync soon",
		"offline 1.2.3/44", "import a b", "rpcd x", "frobnicate", "--frobnicate", "-h", "-m", "top -c", "metrics -c",
	} {
		check(startFake(t).socket, ExitUsage, strings.Fields(line)...)
	}
}

// TestRefusalsSayWhatNext: what the daemon refuses.
func TestRefusalsSayWhatNext(t *testing.T) {
	for code, lines := range map[control.Code][]string{
		control.CodeFailed: {
			"daemon: that source is there already", "daemon: there is no usable key of that id in the configuration", "daemon: more than 32 sources cannot be added",
			"engine: facility not enabled: section smoothtime", "no authority of the LAN is in use: that needs 'enabled'", "daemon: configuration not reloaded, the old one stays in force: ntsd:3: broken",
		},
		control.CodeArguments: {"control: wrong arguments: 9/1"},
		control.CodeMalformed: {"control: malformed request"},
		control.CodeNoSource:  {"engine: no such source"},
	} {
		for _, text := range lines {
			err := advised("add", refusal("add", []string{"x"}, control.Response{Code: code, Message: text}))
			if !ending.MatchString(err.Error()) {
				t.Errorf("%s: got %q, want what to do next", text, err)
			}
		}
	}
}

// TestImportFails: files that cannot be taken over.
func TestImportFails(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	if err := os.WriteFile(garbage, []byte("frobnicate\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, want string }{
		{filepath.Join(dir, "none"), "no such file or directory; name the file to import, as in ntsctl import /etc/chrony/chrony.conf"},
		{dir, "is a directory; name a file in it"},
		{garbage, "missing from the result, or wrong in it: correct it in " + garbage},
	} {
		code, _, errs := ntsctl("import", c.file)
		if code != ExitFailed || !strings.Contains(errs, c.want) {
			t.Errorf("%s: status %d, %q; want %q", c.file, code, errs, c.want)
		}
	}
}

// TestWayOutOfATest: what a test of a server found, as it comes from the probe, ends
// with what to try.
func TestWayOutOfATest(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1:4460 refused the connection: the server may not offer NTS": "; ntsctl test 'server NAME' asks it without",
		"a.example has no address: no such host, says 192.0.2.53:53":          "; check how its name is spelt",
		"a.example has no address: no name server reachable: refused":         "; is the network up, and does /etc/resolv.conf name a server?",
	} {
		if err := advised("test", failf(ExitFailed, "test: %s", text)); !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %q, want it to end with %q", err, want)
		}
	}
}
