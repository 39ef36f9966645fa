package acceptance

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ntsd/internal/interop"
)

// shipped is the configuration that the package brings along.
const shipped = "../../files/router/etc/config/ntsd"

// TestCheck30ThreeOperators: the configuration that is shipped asks at least
// three operators, all with NTS, and the daemon has nothing to say against it.
func TestCheck30ThreeOperators(t *testing.T) {
	r := ntsd(t, "-p", "-f", shipped)
	if r.exit != 0 || r.stderr != "" {
		t.Fatalf("exit status %d, stderr %q", r.exit, r.stderr)
	}
	operators := make(map[string]bool)
	for _, s := range strings.Split(r.stdout, "\n\n") {
		host := regexp.MustCompile(`\toption hostname '(.*)'`).FindStringSubmatch(s)
		if !strings.HasPrefix(strings.TrimSpace(s), "config server") || host == nil {
			continue
		}
		if !strings.Contains(s, "\toption nts '1'") {
			t.Errorf("%s is asked without NTS", host[1])
		}
		labels := strings.Split(host[1], ".")
		operators[strings.Join(labels[max(0, len(labels)-2):], ".")] = true
	}
	if len(operators) < 3 {
		t.Errorf("got operators %v, want three", operators)
	}
}

// TestCheck25ChainOfTrust: an NTS server whose own time is not authenticated is
// told so, one with NTS or a key upstream is not; the manual says why.
func TestCheck25ChainOfTrust(t *testing.T) {
	const told = "not authenticated itself"
	server := section("nts_server", "enabled", "yes", "selfsigned", "yes")
	upstream := func(pairs ...string) string {
		return section("server", append([]string{"hostname", "192.0.2.1"}, pairs...)...)
	}
	for name, c := range map[string]struct {
		config string
		want   bool
	}{
		"plain upstream":       {server + upstream(), true},
		"unverified upstream":  {server + upstream("nts", "yes", "noval", "yes"), true},
		"NTS upstream":         {server + upstream() + upstream("nts", "yes"), false},
		"no NTS server":        {upstream(), false},
		"plain, switched off":  {section("nts_server", "enabled", "no", "selfsigned", "yes") + upstream(), false},
		"its own clock serves": {server + section("local", "enabled", "yes"), false},
	} {
		path := filepath.Join(t.TempDir(), "ntsd")
		if err := os.WriteFile(path, []byte(c.config), 0o644); err != nil {
			t.Fatal(err)
		}
		if r := ntsd(t, "-p", "-f", path); r.exit != 0 || strings.Contains(r.stderr, told) != c.want {
			t.Errorf("%s: exit status %d, stderr %q; want %q there: %t", name, r.exit, r.stderr, told, c.want)
		}
	}
	manual, err := os.ReadFile("../../cmd/ntsd/ntsd.conf.5")
	if err != nil || !strings.Contains(string(manual), "all along the chain") {
		t.Errorf("ntsd.conf.5 says nothing of the chain of trust (%v)", err)
	}
}

// TestCheck02PortOfAnotherDaemon: while another program has NTP's port, the clock
// is kept all the same and the log says why nobody is served; once sysntpd is
// off, the port is free, and the LAN is served without a restart.
func TestCheck02PortOfAnotherDaemon(t *testing.T) {
	w := newWorld(t)
	port := freePort(t)
	other, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.IPv4Unspecified(), port)))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	d := w.start(w.config(source(w.nts(nil)), serving(port, "127.0.0.0/8")))
	d.synchronised()
	d.untilLog(fmt.Sprintf("cannot serve time to the network.*port=%d.*reason", port))
	other.Close()
	eventually(t, "a reply", func() bool {
		got, err := interop.ExchangePlain(onLoopback(port), silence)
		return err == nil && got.Header.Stratum == 2
	})
}

// debian looks at the package for Debian, where there is dpkg: its unit is
// enabled and its user made when it is installed, and nothing is left when it is
// purged. systemctl, Debian's helpers and what removes something are stand-ins.
func debian(t *testing.T, dir string) {
	t.Helper()
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Log("no dpkg-deb here")
		return
	}
	at := filepath.Join(dir, "debian")
	out, err := exec.Command("dpkg-deb", "--raw-extract", filepath.Join(dir, "packages/ntsd-go_1.2.3-r1_arm64.deb"), at).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, path := range []string{
		"usr/lib/systemd/system/ntsd.service", "usr/lib/systemd/system/ntsd-wait.service", "usr/lib/sysusers.d/ntsd.conf",
		"DEBIAN/md5sums", "usr/share/doc/ntsd-go/changelog.Debian.gz",
		"usr/lib/udev/rules.d/60-ntsd.rules", "usr/lib/systemd/ntp-units.d/50-ntsd.list", "etc/ntsd/ntsd", "usr/bin/ntsctl",
	} {
		if _, err := os.Lstat(filepath.Join(at, path)); err != nil {
			t.Error(err)
		}
	}
	fakes, log := t.TempDir(), filepath.Join(dir, "called")
	for _, name := range []string{"systemctl", "deb-systemd-helper", "deb-systemd-invoke", "systemd-sysusers", "udevadm", "rm", "rmdir", "userdel", "groupdel"} {
		script := fmt.Sprintf("#!/bin/sh\necho %s \"$*\" >>%s\n", name, log)
		if err := os.WriteFile(filepath.Join(fakes, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct{ script, args, want string }{
		{"postinst", "configure", "deb-systemd-helper enable ntsd.service"},
		{"postinst", "configure", "systemd-sysusers ntsd.conf\n"},
		{"postrm", "purge", "userdel ntsd\n"},
		{"postrm", "purge", "rm -rf /var/lib/ntsd /var/lib/private/ntsd /var/log/ntsd /var/log/private/ntsd\n"},
	} {
		text, err := os.ReadFile(filepath.Join(at, "DEBIAN", step.script))
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(log)
		cmd := exec.Command("sh", "-c", string(text), step.script, step.args)
		cmd.Env = append(os.Environ(), "PATH="+fakes+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s %s: %v: %s", step.script, step.args, err, out)
		}
		if called, _ := os.ReadFile(log); !strings.Contains(string(called), step.want) {
			t.Errorf("%s %s called %q, want %q", step.script, step.args, called, step.want)
		}
	}
}

// TestCheck01PackageRuns: the package for aarch64_cortex-a53, unpacked as opkg
// does, has the binary, its configuration and its service where OpenWrt looks,
// and the binary keeps time by that configuration. What the installation's
// scripts and procd make of it is tested in package router.
func TestCheck01PackageRuns(t *testing.T) {
	t.Parallel()
	const emulator = "qemu-aarch64-static"
	if _, err := exec.LookPath(emulator); err != nil {
		interop.Unavailable(t, "acceptance: %v", err)
	}
	dir := t.TempDir()
	binary := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", filepath.Join(dir, "ntsd-arm64"), "../../cmd/ntsd")
	binary.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFIPS140=v1.0.0", "GOARCH=arm64")
	pack := exec.Command("../../scripts/package.sh", "1.2.3-r1", "arm64=aarch64_cortex-a53")
	pack.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1234567890", "BUILD="+dir)
	unpack := exec.Command("sh", "-ec", `tar -xzf packages/aarch64_cortex-a53/ntsd-go_1.2.3-r1_*.ipk
		mkdir root && tar -xzf data.tar.gz -C root && tar -xzf control.tar.gz`)
	unpack.Dir = dir
	// That for other Linux systems is packed along; nothing looks at it here.
	if err := os.WriteFile(filepath.Join(dir, "ntsd-amd64"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []*exec.Cmd{binary, pack, unpack} {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", cmd.Args, err, out)
		}
	}
	debian(t, dir)
	root := filepath.Join(dir, "root")
	for _, path := range []string{"etc/init.d/ntsd", "usr/sbin/ntsd"} {
		if fi, err := os.Stat(filepath.Join(root, path)); err != nil || fi.Mode().Perm() != 0o755 {
			t.Errorf("%s: got %v, %v; want a program", path, fi, err)
		}
	}
	run := func(args ...string) result {
		line := append(powerless(), emulator, filepath.Join(root, "usr/sbin/ntsd"))
		return runProgram(t, exec.Command(line[0], append(line[1:], args...)...))
	}
	config := filepath.Join(root, "etc/config")
	if r := run("-p", "-c", config); r.exit != 0 || r.stderr != "" {
		t.Errorf("its configuration: exit status %d, stderr %q", r.exit, r.stderr)
	}
	text, err := os.ReadFile(filepath.Join(config, "ntsd"))
	if err != nil {
		t.Fatal(err)
	}
	moved := section("ntsd 'here'", "run_dir", filepath.Join(dir, "run"), "state_dir", filepath.Join(dir, "state"))
	if err := os.WriteFile(filepath.Join(config, "ntsd"), append(text, moved...), 0o644); err != nil {
		t.Fatal(err)
	}
	r := run("-x", "-t", "2", "-c", config)
	if r.exit != 0 || !strings.Contains(r.stderr, "ntsd version") || !strings.Contains(r.stderr, "ntsd exiting") || strings.Contains(r.stderr, "level=ERROR") {
		t.Errorf("the service: exit status %d, log\n%s", r.exit, r.stderr)
	}
}
