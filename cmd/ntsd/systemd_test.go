package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ntsd/internal/config"
	"ntsd/internal/interop"
)

// The units and the configuration for Linux with systemd.
const systemdFiles = "../../files/systemd"

// unit returns the settings of a unit; one that stands several times has its
// values joined by blanks.
func unit(t *testing.T, name string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(systemdFiles, name))
	if err != nil {
		t.Fatal(err)
	}
	settings := make(map[string]string)
	for line := range strings.Lines(string(b)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		settings[key] = strings.TrimSpace(settings[key] + " " + value)
	}
	return settings
}

func TestUnits(t *testing.T) {
	s := unit(t, "ntsd.service")
	for key, want := range map[string]string{
		"Type": "notify", "ExecStart": "/usr/sbin/ntsd -c /etc/ntsd", "User": "ntsd", "ProtectSystem": "strict",
		"AmbientCapabilities": "CAP_SYS_TIME CAP_NET_BIND_SERVICE", "CapabilityBoundingSet": "CAP_SYS_TIME CAP_NET_BIND_SERVICE",
		"RuntimeDirectory": "ntsd", "StateDirectory": "ntsd", "NoNewPrivileges": "yes",
		// Members of the group use ntsctl, and may have files of keys: no user that
		// exists only meanwhile, whose folders nobody but root can enter.
		"Group": "ntsd", "DynamicUser": "", "RuntimeDirectoryMode": "0750",
		// gpsd's memory and the devices of reference clocks are there.
		"RemoveIPC": "", "PrivateIPC": "", "PrivateDevices": "", "DeviceAllow": "char-pps rw char-ptp rw",
		// A reload that is refused fails; a start that is refused is not tried again.
		"ExecReload": "/usr/sbin/ntsd ctl reload", "RestartPreventExitStatus": "1",
		// It is ready before it is synchronised.
		"Wants": "",
	} {
		if s[key] != want {
			t.Errorf("%s: got %q, want %q", key, s[key], want)
		}
	}
	for _, other := range []string{"systemd-timesyncd", "chronyd", "chrony", "ntp", "ntpsec"} {
		if !slices.Contains(strings.Fields(s["Conflicts"]), other+".service") {
			t.Errorf("does not conflict with %s", other)
		}
	}
	// The paths are told where an administrator looks for them.
	man, err := os.ReadFile("ntsd.8")
	if err != nil {
		t.Fatal(err)
	}
	paths := regexp.MustCompile(`(/etc/ntsd|/usr/sbin)[a-z/]*`).FindAllString(s["ExecStart"]+" "+s["ConditionPathExists"], -1)
	for _, path := range append(paths, "/var/lib/ntsd", "/run/ntsd", "ntsd.service", "ntsd.socket", "ntsd-wait.service", "ntsd.sysusers") {
		if !strings.Contains(string(man), path) {
			t.Errorf("ntsd.8 does not tell of %s", path)
		}
	}
	if w := unit(t, "ntsd-wait.service"); w["Wants"] != "time-sync.target" || w["Before"] != "time-sync.target" || w["Requires"] != "ntsd.service" {
		t.Errorf("ntsd-wait.service: got %v", w)
	}
	if b, err := os.ReadFile(filepath.Join(systemdFiles, "ntsd.sysusers")); err != nil || !strings.Contains(string(b), "\nu "+s["User"]+" -") {
		t.Errorf("ntsd.sysusers does not make user %s: %s %v", s["User"], b, err)
	}
	sock := unit(t, "ntsd.socket")
	if sock["BindIPv6Only"] != "ipv6-only" || sock["ReusePort"] != "yes" || sock["ListenDatagram"] != "0.0.0.0:123 [::]:123" ||
		sock["ListenStream"] != "0.0.0.0:4460 [::]:4460" {
		t.Errorf("socket: got %v", sock)
	}
}

// The configuration that is shipped is without fault, and serves nobody.
func TestSystemdConfig(t *testing.T) {
	o := options{dir: filepath.Join(systemdFiles, "etc/ntsd")}
	cfg, diagnostics := o.load()
	for _, d := range diagnostics {
		t.Error(d)
	}
	if cfg == nil || len(cfg.Sources) != 3 || len(cfg.Allow) != 0 || cfg.NTSServer.Enabled {
		t.Errorf("got %+v", cfg)
	}
}

func TestSystemdFolders(t *testing.T) {
	env := map[string]string{"STATE_DIRECTORY": "/var/lib/ntsd:/var/lib/other", "RUNTIME_DIRECTORY": "/run/chrony:/run/ntsd"}
	m := config.Default().Main
	systemdFolders(&m, func(name string) string { return env[name] })
	if m.StateDir != "/var/lib/ntsd" || m.RunDir != "/run/ntsd" {
		t.Errorf("got %s, %s", m.StateDir, m.RunDir)
	}
	if got := ownFolder("/var/lib/time:/var/lib/zone"); got != "/var/lib/time" {
		t.Errorf("folders of other names: got %s, want the first", got)
	}
	m.StateDir = "/mnt/state"
	systemdFolders(&m, func(name string) string { return env[name] })
	if m.StateDir != "/mnt/state" {
		t.Errorf("a folder that is configured: got %s", m.StateDir)
	}
	m = config.Default().Main
	systemdFolders(&m, func(string) string { return "" })
	if m.StateDir != config.Default().Main.StateDir {
		t.Errorf("without systemd: got %s", m.StateDir)
	}
}

// maxExposure is what systemd-analyze may give in tenths: what is left are the
// network, the clock, reference clocks and the capabilities for them.
const maxExposure = "23"

// TestUnitsAnalyzed: systemd finds nothing wrong with the units, and little
// that they leave open.
func TestUnitsAnalyzed(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		interop.Unavailable(t, "ntsd: systemd-analyze: %v", err)
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var units []string
	for _, name := range []string{"ntsd.service", "ntsd-wait.service", "ntsd.socket"} {
		b, err := os.ReadFile(filepath.Join(systemdFiles, name))
		if err != nil {
			t.Fatal(err)
		}
		// It wants the program to be there.
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(b), "/usr/sbin/ntsd", self)), 0o644); err != nil {
			t.Fatal(err)
		}
		units = append(units, path)
	}
	if out, err := exec.Command(analyze, append([]string{"verify", "--man=no"}, units...)...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v: %s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--no-pager", "--offline=yes", "--threshold="+maxExposure, units[0]).CombinedOutput()
	if err != nil {
		t.Errorf("security: %v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	t.Log(lines[len(lines)-1])
}

// TestNotifyDoesNotWait: where systemd hangs nobody makes room for a word, and we do
// not wait for it.
func TestNotifyDoesNotWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	notify("READY=1")
	buf := make([]byte, 100)
	if n, err := l.Read(buf); err != nil || string(buf[:n]) != "READY=1" {
		t.Fatalf("got %q, %v", buf[:n], err)
	}
	full, err := net.Dial("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for err == nil {
		if err = full.SetWriteDeadline(time.Now().Add(time.Millisecond)); err == nil {
			_, err = full.Write(buf)
		}
	}
	notify("STOPPING=1") // or the test never ends
}

func TestUnknownLog(t *testing.T) {
	var told strings.Builder
	if _, err := parseFlags([]string{"-l", "/var/log/ntsd"}, io.Discard, &told); err == nil || !strings.Contains(told.String(), `only "syslog" is allowed`) {
		t.Errorf("got %v, want what is allowed", err)
	}
}

// TestFailOnJournal: why the program ends is an error in systemd's journal.
func TestFailOnJournal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JOURNAL_STREAM", "")
	fail(f, exitFailed, "no %s", "clock")
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", st.Dev, st.Ino))
	fail(f, exitFailed, "no %s", "clock")
	if got, _ := os.ReadFile(f.Name()); string(got) != "ntsd: no clock\n<3>no clock\n" {
		t.Errorf("got %q", got)
	}
}
