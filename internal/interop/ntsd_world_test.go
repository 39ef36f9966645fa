package interop

import (
	"context"
	"crypto/md5"
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ntsd/internal/demo"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/status"
)

// lifetime ends an ntsd whose test was killed, in seconds.
const lifetime = "120"

// lab is a segment with the peers and an authority whose certificates ntsd
// trusts. Labs share nothing but the machine's clock: their tests are parallel.
type lab struct {
	*Net
	t     *testing.T
	peers Peers
	ca    *demo.CA
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{Net: NewNet(t), t: t, peers: FindPeers(t), ca: newTestCA(t)}
	t.Parallel()
	return l
}

// certificate returns one for several hosts: a server and the way to it, say.
func (l *lab) certificate(hosts ...*Host) tls.Certificate {
	l.t.Helper()
	return l.certificateFor("", hosts...)
}

// certificateFor returns a certificate for a name that several hosts share.
func (l *lab) certificateFor(name string, hosts ...*Host) tls.Certificate {
	l.t.Helper()
	spec := demo.CertSpec{NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	if name != "" {
		spec.Names = append(spec.Names, name)
	}
	for _, h := range hosts {
		spec.Names = append(spec.Names, h.Name)
		spec.Addrs = append(spec.Addrs, h.IPv4, h.IPv6)
	}
	cert, err := l.ca.Issue(spec)
	if err != nil {
		l.t.Fatal(err)
	}
	return cert
}

// daemon is an ntsd on a host, in dry-run mode.
type daemon struct {
	*Process
	t      *testing.T
	config string // its file
	socket string
	mounts string // shell commands before it starts, in a mount namespace
}

// ntsd starts ntsd on the host of that name with sections of a configuration.
func (l *lab) ntsd(host string, sections ...string) *daemon {
	l.t.Helper()
	h := l.Host(host)
	d := l.configure(h, sections...)
	d.start(h)
	return d
}

// configure writes the configuration of an ntsd that is yet to start.
func (l *lab) configure(h *Host, sections ...string) *daemon {
	l.t.Helper()
	run := filepath.Join(h.Dir, "run")
	head := Section("ntsd 'main'", "run_dir", run, "state_dir", filepath.Join(h.Dir, "state")) +
		Section("nts", "systemcerts", "no", "trustedcerts", h.writeCA(l.ca))
	return &daemon{
		t: l.t, socket: filepath.Join(run, "ntsd.sock"),
		config: h.writeFile("ntsd.uci", append([]string{head}, sections...)),
	}
}

// start starts the daemon and waits until it answers.
func (d *daemon) start(h *Host) {
	d.t.Helper()
	line := []string{filepath.Join(binDir, "ntsd"), "-x", "-t", lifetime, "-f", d.config}
	if d.mounts != "" {
		line = append([]string{"unshare", "--mount", "sh", "-ec", d.mounts + `exec "$@"`, "sh"}, line...)
	}
	d.Process = h.Start(h.Command(context.Background(), line[0], line[1:]...))
	d.until("an answer", func(*status.Report) bool { return true })
}

// see gives the daemon a file of its own in place of the machine's.
func (d *daemon) see(path string, h *Host, lines ...string) {
	d.t.Helper()
	own := h.writeFile(strings.ReplaceAll(path, "/", "_"), lines)
	d.mounts += fmt.Sprintf("mount --bind %s %s\n", own, path)
	line := []string{"unshare", "--mount", "sh", "-ec", d.mounts}
	if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
		Unavailable(d.t, "interop: mount namespace: %v: %s", err, out)
	}
}

// until waits for the report to be as ok wants it, and returns that report.
func (d *daemon) until(what string, ok func(*status.Report) bool) *status.Report {
	d.t.Helper()
	return AwaitReport(d.t, d.socket, what, patience, d.done, ok)
}

// untilSource waits for a source to be as ok wants it.
func (d *daemon) untilSource(name, what string, ok func(*status.Source) bool) *status.Source {
	d.t.Helper()
	r := d.until(what+" of "+name, func(r *status.Report) bool { return ok(Source(d.t, r, name)) })
	return Source(d.t, r, name)
}

// ask runs ntsctl, wants it to do what it is asked, and returns what it prints.
func (d *daemon) ask(args ...string) string {
	d.t.Helper()
	cmd := exec.Command(filepath.Join(binDir, "ntsctl"), append([]string{"-h", d.socket}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Errorf("ntsctl %v: %v: %s", args, err, out)
	}
	return string(out)
}

// row returns the line of a table that has name among its first two words.
func row(t *testing.T, table, name string) string {
	t.Helper()
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		for _, w := range words[:min(2, len(words))] {
			if w == name {
				return strings.TrimRight(line, "\n")
			}
		}
	}
	t.Fatalf("no row for %s in\n%s", name, table)
	return ""
}

// verdict returns how often replies of a source met a fate.
func verdict(s *status.Source, name string) uint64 {
	for _, v := range s.Counters.Verdicts {
		if v.Name == name {
			return v.Count
		}
	}
	return 0
}

// source returns the section of a server with NTS that is polled every
// 2^poll seconds.
func source(name string, poll int, more ...string) string {
	return plainSource(name, poll, append([]string{"nts", "yes"}, more...)...)
}

// plainSource returns the section of a server without NTS.
func plainSource(name string, poll int, more ...string) string {
	p := strconv.Itoa(poll)
	return Section("server", append([]string{"hostname", name, "minpoll", p, "maxpoll", p}, more...)...)
}

// keys are what an NTS server of a make gives to ntsd.
type keys struct {
	aead      siv.Algorithm
	cookieLen int
}

// Debian's chronyd 4.3 and ntpsec 1.2.2 know AES-SIV-CMAC only.
func ntpsecKeys() keys { return keys{siv.AESSIVCMAC256, 104} }

// chronyKeys are those of the chronyd that FindPeers found.
func chronyKeys(p Peers) keys {
	if p.Newer {
		return keys{siv.AES128GCMSIV, 64}
	}
	return keys{siv.AESSIVCMAC256, 100}
}

// checkAuthdata wants the source's row of authdata to show keys from one key
// establishment, and a full jar of cookies.
func (d *daemon) checkAuthdata(name string, want keys) {
	d.t.Helper()
	var got, line string
	// A cookie may be under way: look again, but not for ever.
	for begin := time.Now(); time.Since(begin) < patience/4; time.Sleep(5 * pollInterval) {
		words := strings.Fields(row(d.t, d.ask("-n", "authdata"), name))
		age := "?"
		if len(words) > 5 {
			age = words[5]
		}
		got = strings.Join(words, " ")
		line = fmt.Sprintf("%s NTS 1 %d %d %s 0 0 %d %d", name, want.aead, 8*want.aead.KeySize(), age, nts.MaxCookies, want.cookieLen)
		if got == line {
			return
		}
	}
	d.t.Errorf("authdata:\n got %s\nwant %s", got, line)
}

// chronyCounters are key establishments and requests as chronyd counts them;
// those of version 4.5 never count the latter.
type chronyCounters struct{ accepted, authenticated int }

// commandSocket returns the line that makes chronyd listen for chronyc, and
// the socket, in a folder that nobody else may enter.
func (h *Host) commandSocket() (line, path string) {
	h.t.Helper()
	dir := filepath.Join(h.Dir, "cmd")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		h.t.Fatal(err)
	}
	path = filepath.Join(dir, "chronyd.sock")
	return "bindcmdaddress " + path, path
}

// chronyc runs chronyc on a command socket.
func (h *Host) chronyc(p Peers, args ...string) string {
	h.t.Helper()
	_, socket := h.commandSocket()
	h.waitFor("command socket", func() bool {
		_, err := os.Stat(socket)
		return err == nil
	})
	cmd := h.Command(context.Background(), p.Chronyc, append([]string{"-h", socket}, args...)...)
	cmd.Env = p.Env
	out, err := cmd.Output()
	if err != nil {
		h.t.Fatalf("chronyc %v: %v: %s", args, err, out)
	}
	return string(out)
}

// counters asks the host's chronyd for its counters.
func (h *Host) counters(p Peers) chronyCounters {
	h.t.Helper()
	return chronyCounters{
		accepted:      h.counter(p, "NTS-KE connections accepted"),
		authenticated: h.counter(p, "Authenticated NTP packets"),
	}
}

func (h *Host) counter(p Peers, name string) int {
	h.t.Helper()
	out := h.chronyc(p, "serverstats")
	for line := range strings.Lines(out) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == name {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				h.t.Fatal(err)
			}
			return n
		}
	}
	h.t.Fatalf("chronyc serverstats: no %q in\n%s", name, out)
	return 0
}

// refid is how an address looks as a reference ID (RFC 5905 section 7.3).
func refid(a netip.Addr) string {
	if a.Is4() {
		return fmt.Sprintf("%X", a.AsSlice())
	}
	sum := md5.Sum(a.AsSlice())
	return fmt.Sprintf("%X", sum[:4])
}

// ntpq runs ntpq -pn on the host's ntpsec.
func (h *Host) ntpq(p Peers) string {
	h.t.Helper()
	cmd := h.Command(context.Background(), p.Ntpq, "-pn")
	cmd.Env = p.Env
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("ntpq: %v: %s", err, out)
	}
	return string(out)
}
