package acceptance

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ntsd/internal/demo"
	"ntsd/internal/interop"
)

// standardPorts gives a server the ports that everybody assumes: 4460, 123.
func standardPorts(c *demo.ServerConfig) {
	c.NTPAddr = netip.AddrPortFrom(c.NTPAddr.Addr(), 123)
}

// port123 belongs to one test at a time: some servers take it on all addresses.
var port123 sync.Mutex //nolint:gochecknoglobals // there is one such port

// needPort123 gives the test NTP's own port until it ends, and skips it where
// that cannot be had.
func needPort123(t *testing.T) {
	t.Helper()
	port123.Lock()
	t.Cleanup(port123.Unlock)
	if os.Geteuid() != 0 {
		interop.Unavailable(t, "acceptance: port 123 needs root")
	}
}

// TestGuideFileRuns: the guide's file as it stands, in /etc/config, with a
// server of that name that the system's authorities vouch for, synchronises the daemon; its state is in /var/run/ntsd.
func TestGuideFileRuns(t *testing.T) {
	w := newWorld(t)
	needPort123(t)
	s := w.nts(nil, "time.cloudflare.com")
	w.write("ntsd", guideFile)
	ca, err := os.ReadFile(w.caFile())
	if err != nil {
		t.Fatal(err)
	}
	inside := w.mount(files{
		"/etc/hosts": host(s) + " time.cloudflare.com\n", "/etc/ssl/certs/ca-certificates.crt": string(ca),
	})
	script := inside[len(inside)-2] // ends in exec "$@"
	// Nothing is written into this machine's own /etc.
	inside[len(inside)-2] = "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /etc && mkdir -p /etc/ssl/certs && " +
		"touch /etc/hosts /etc/ssl/certs/ca-certificates.crt && " + script
	d := w.spawn(append(inside, tool("ntsd"), "-x", "-t", lifetime, "-c", w.dir), filepath.Join(w.dir, "ntsd"), "")
	d.socket = fmt.Sprintf("/proc/%d/root/run/ntsd/ntsd.sock", d.cmd.Process.Pid)
	d.untilLog(`selected source.*` + host(s) + ` \(time\.cloudflare\.com\)`)
	d.untilLog(`clock is synchronised`)
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/root/run/ntsd/%s.nts", d.cmd.Process.Pid, host(s))); err != nil {
		t.Error(err)
	}
	table := d.ask("sources")
	if got := row(t, table, "time.cloudflare.com"); got[0] != "^*" || got[2] != "1" || got[3] != "6" {
		t.Errorf("sources:\n%s", table)
	}
	// With rtccheck the first keys are on trial, the second are for good.
	if got := d.authdata("time.cloudflare.com"); strings.Join(got[1:5], " ") != "NTS 2 30 128" {
		t.Errorf("authdata: got %v", got)
	}
	d.stop()
}

// TestCheck11DeadAddressIsReplaced: a name with two IPv4 and two IPv6
// addresses; the dead ones are replaced by the one that works, and the log
// says so.
func TestCheck11DeadAddressIsReplaced(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil, "many.example")
	dead := newAddr()
	hosts := fmt.Sprintf("%s many.example\n2001:db8::1 many.example\n2001:db8::2 many.example\n%s many.example\n", dead, host(s))
	d := w.startWith(files{"/etc/hosts": hosts}, w.config(section("server", quick("hostname", "many.example", "nts", "yes")...)))
	r := d.synchronised()
	if got := r.Sources; len(got) != 1 || got[0].Address != host(s) || got[0].Name != "many.example" {
		t.Errorf("got %+v", got)
	}
	d.untilLog(`source replaced by another address of its name.*` + host(s) + ` \(many\.example\)`)
}

// TestDeadAddressWhileRunning: the address in use stops answering; another one
// of the name takes over.
func TestDeadAddressWhileRunning(t *testing.T) {
	w := newWorld(t)
	a, b := w.nts(nil, "many.example"), w.nts(nil, "many.example")
	hosts := fmt.Sprintf("%s many.example\n%s many.example\n", host(a), host(b))
	d := w.startWith(files{"/etc/hosts": hosts}, w.config(section("server", quick("hostname", "many.example", "nts", "yes")...)))
	first := d.synchronised().Sources[0].Address
	silent := a
	if first == host(b) {
		silent = b
	}
	silent.Pause()
	d.until("the other address", func(r *report) bool {
		return len(r.Sources) == 1 && r.Sources[0].Address != first && r.Sources[0].Counters.Good >= 3
	})
	d.synchronised()
}

// TestCheck38BothPortsAreNeeded: by default keys come from TCP 4460 and time
// from UDP 123. Without the one there are no keys, without the other no
// replies, and the status tells the two apart.
func TestCheck38BothPortsAreNeeded(t *testing.T) {
	w := newWorld(t)
	needPort123(t)
	good, noUDP, noTCP := w.nts(standardPorts), w.nts(standardPorts), w.plain(standardPorts)
	noUDP.NoReply(true)
	var sections []string
	for _, s := range []*demo.Server{good, noUDP, noTCP} {
		sections = append(sections, section("server", quick("hostname", host(s), "nts", "yes")...))
	}
	d := w.start(w.config(sections...))
	d.synchronised()
	d.untilLog(`source gives no usable reply.*` + host(noUDP) + `.*no reply`)
	d.untilLog(`NTS key establishment failed.*` + host(noTCP) + `.*refused`)
	r := d.until("a report", func(*report) bool { return true })
	if x := find(t, r, host(noUDP)); x.Auth.KEs == 0 || x.Reach != 0 || x.Counters.Sent == 0 {
		t.Errorf("without UDP: %d key establishments, reach %o, %d requests", x.Auth.KEs, x.Reach, x.Counters.Sent)
	}
	if x := find(t, r, host(noTCP)); x.Auth.KEs != 0 || x.Counters.Sent != 0 {
		t.Errorf("without TCP: %d key establishments, %d requests", x.Auth.KEs, x.Counters.Sent)
	}
}

// TestCheck45PoolsWithoutNTS: the hosts of a classic pool have no certificate
// for its name, so with nts it gives nothing: no time from them, the reason
// told, and no plain NTP instead.
func TestCheck45PoolsWithoutNTS(t *testing.T) {
	w := newWorld(t)
	misnamed, bare := w.nts(nil), w.plain(nil)
	hosts := fmt.Sprintf("%s pool.example\n%s pool.example\n", host(misnamed), host(bare))
	d := w.startWith(files{"/etc/hosts": hosts}, w.config(section("pool", quick("hostname", "pool.example", "nts", "yes")...)))
	d.untilLog(`NTS key establishment failed.*pool\.example.*reason=".*the certificate is for`)
	d.untilLog(`NTS key establishment failed.*pool\.example.*reason=".*refused`)
	if got := misnamed.Stats().Requests + bare.Stats().Requests; got != 0 {
		t.Errorf("got %d NTP requests, want none", got)
	}
	if r, err := d.report(); err != nil || r.Tracking.Synchronised {
		t.Errorf("synchronised without NTS: %v", err)
	}
}

// TestCheck58DebugLogShowsKeyEstablishment: in the foreground with -d the log
// tells of each key establishment its TLS version, cipher, certificate and its
// validity, the AEAD, the cookies and how long it took.
func TestCheck58DebugLogShowsKeyEstablishment(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	d := w.start(w.config(source(s)), "-d")
	line := d.untilLog(`NTS keys established.*`)
	for _, part := range []string{
		"source=" + host(s), `tls="TLS 1.3"`, "cipher=TLS_", `subject="CN=localhost"`, `issuer="CN=acceptance CA"`,
		"not_before=20", "not_after=20", "aead=AES-128-GCM-SIV", "cookies=8", "cookie_bytes=", "duration_ms=",
	} {
		if !strings.Contains(line, part) {
			t.Errorf("no %s in %s", part, line)
		}
	}
}

// TestCheck61Memory: with four NTS servers and everything in use the daemon
// takes less memory than the 26.9 MB that the guide measured for ntpd.
func TestCheck61Memory(t *testing.T) {
	const most = 26900 // kB
	w := newWorld(t)
	var sections []string
	for range 4 {
		sections = append(sections, source(w.nts(nil)))
	}
	d := w.start(w.config(sections...))
	d.until("twenty rounds", func(r *report) bool { return r.Sources[3].Counters.Good >= 20 })
	for _, name := range tables() {
		d.ask(name)
	}
	peak := d.memory("VmRSS")
	t.Logf("memory: %d kB", peak)
	if peak > most {
		t.Errorf("memory: %d kB, want less than %d", peak, most)
	}
}

// TestCheck46PausesDoNotCount: the daemon is held up, as a collector of garbage
// or a busy router would, while a reply is on its way: the kernel has noted
// when it came, so delay and offset are those of the path.
func TestCheck46PausesDoNotCount(t *testing.T) {
	w := newWorld(t)
	r := w.relayed(relayConfig{})
	d := w.start(w.config(relaySource(r)))
	d.synchronised()
	d.until("replies", func(r *report) bool { return r.Sources[0].Counters.Good >= 4 })
	if x := d.until("a report", func(*report) bool { return true }).Sources[0]; x.NTP.Received != "Kernel" {
		interop.Unavailable(t, "acceptance: this kernel stamps no packets: %s", x.NTP.Received)
	}
	const pause = 150 * time.Millisecond
	r.set(nil, func(reply []byte) [][]byte {
		_ = d.cmd.Process.Signal(syscall.SIGSTOP)
		time.AfterFunc(pause, func() { _ = d.cmd.Process.Signal(syscall.SIGCONT) })
		return [][]byte{reply}
	})
	n := len(r.seen())
	eventually(t, "six held up replies", func() bool { return len(r.seen()) >= n+6 })
	// If pauses counted it would be each time; a busy machine delays some replies.
	d.until("a held up reply, measured as if it was not", func(rep *report) bool {
		x := rep.Sources[0].NTP
		return x.DelayS < pause.Seconds()/2 && x.OffsetS < pause.Seconds()/4 && x.OffsetS > -pause.Seconds()/4
	})
	r.set(nil, nil)
}

// TestStaticBinary: the binary needs no library and stands alone on a router.
func TestStaticBinary(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(tool("ntsd"))
	if err != nil {
		t.Fatal(err)
	}
	if string(data[:4]) != "\x7fELF" || strings.Contains(string(data), "/lib64/ld-linux") {
		t.Errorf("not a static ELF file: %s", hex.EncodeToString(data[:4]))
	}
	out, err := exec.Command(tool("ntsd"), "-v").Output()
	if err != nil || !strings.Contains(string(out), "+NTS") {
		t.Errorf("-v: got %q, %v", out, err)
	}
	if link, err := os.Readlink(tool("ntsctl")); err != nil || link != "ntsd" {
		t.Errorf("ntsctl: got %q, %v", link, err)
	}
}
