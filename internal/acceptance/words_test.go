package acceptance

import (
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ntsd/internal/demo"
)

// packageNames matches a text or a cause that begins with the name of a package of
// the program, as errors do in the code.
func packageNames(t *testing.T) *regexp.Regexp {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".go" {
			names[filepath.Base(filepath.Dir(path))] = true
		}
		return err
	})
	if err != nil || len(names) < 60 {
		t.Fatalf("%d packages, %v", len(names), err)
	}
	var all []string
	for n := range names {
		all = append(all, regexp.QuoteMeta(n))
	}
	return regexp.MustCompile(`(?m)(^ntsd: |^ntsctl: |="?|: |; |\()(` + strings.Join(all, "|") + `): `)
}

// troubled is the configuration of a daemon with which all is wrong, and what its
// log must say of that.
func (w *world) troubled() (config string, said []string) {
	now := time.Now()
	certificate := func(ca *demo.CA, spec demo.CertSpec) string {
		return source(w.nts(func(c *demo.ServerConfig) {
			if spec.NotBefore.IsZero() {
				spec.NotBefore, spec.NotAfter = now.Add(-time.Hour), now.Add(time.Hour)
			}
			if len(spec.Names) == 0 {
				spec.Addrs = []netip.Addr{c.KEAddr.Addr()}
			}
			cert, err := ca.Issue(spec)
			if err != nil {
				w.t.Fatal(err)
			}
			c.Cert = cert
		}))
	}
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { taken.Close() })
	port := taken.Addr().(*net.TCPAddr).Port
	udp, err := net.ListenUDP("udp", &net.UDPAddr{Port: port})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { udp.Close() })
	for _, name := range []string{"drift", "backoff", "192.0.2.1.nts"} {
		w.write("run/"+name, "junk\n")
	}
	for _, name := range []string{"state", "reserve"} {
		w.write("state/"+name, "junk\n")
	}
	cert, key := w.keyPair()
	config = w.config(
		certificate(w.ca, demo.CertSpec{NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)}),
		certificate(w.ca, demo.CertSpec{NotBefore: now.Add(time.Hour), NotAfter: now.Add(2 * time.Hour)}),
		certificate(w.ca, demo.CertSpec{Names: []string{"other.example"}}),
		certificate(newCA(w.t), demo.CertSpec{}),
		section("server", quick("hostname", newAddr().String(), "nts", "yes")...),
		section("server", quick("hostname", newAddr().String())...),
		sourceAt(kissing(w.t, "DENY")), sourceAt(kissing(w.t, "RATE")),
		section("refclock", "driver", "PPS", "parameter", w.caFile()),
		serving(uint16(port), "127.0.0.0/8"), w.ntsSection(uint16(port), cert, key),
		section("systemclock", "leapfile", w.write("leap", "junk\n")),
		section("statistics", "dir", "/proc/nothing", "log", "tracking"),
		section("monitor", "chrony_port", fmt.Sprint(port)),
	)
	return config, []string{
		`expired on .*is the clock right\?`, `not valid before .*is the clock right\?`, "is for other.example, not for", "add its CA with trustedcerts",
		"refused the connection: the server may not offer NTS", `source gives no usable reply.*reason="no time server listens at`,
		`reason="DENY: it does not serve this address; name another server"`, `reason="RATE: `,
		"reference clock cannot be read.*is a device or file of another kind", `cannot serve time.*reason="listen on .*another time server runs here`,
		`cannot give NTS keys to clients.*reason="listen .*another program listens there`, `list of leap seconds refused.*not a list of leap seconds`,
		`no statistics are written.*reason="mkdir /proc/nothing`, "chronyc cannot be answered.*has the port",
		`drift file refused.*reason=".*run/drift: refused`, `saved session refused.*192.0.2.1.nts: refused`, `saved backoff refused.*refused`,
		`saved state refused.*state/state: refused`, `saved state refused.*state/reserve: refused`,
	}
}

// TestNoPackagesForPeople: whatever goes wrong, neither the log nor ntsctl names
// a package of the program, as the errors in it do.
func TestNoPackagesForPeople(t *testing.T) {
	w := newWorld(t)
	for _, folder := range []string{"run", "state"} {
		if err := os.Mkdir(filepath.Join(w.dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	config, said := w.troubled()
	d := w.start(config)
	for _, expression := range said {
		d.untilLog(expression)
	}
	named := packageNames(t)
	told := func(what, text string) {
		for _, found := range named.FindAllString(text, -1) {
			t.Errorf("%s: %q in\n%s", what, found, text)
		}
	}
	told("log", d.log())
	for _, words := range [][]string{{"sources", "-v"}, {"tracking", "-v"}, {"bootstrap"}, {"add", "nonsense"}, {"smoothing"}, {"online", "192.0.2.1"}, {"ca"}} {
		r := d.ctl(words...)
		told(strings.Join(words, " "), r.stdout+r.stderr)
	}
	if v := d.ctl("sources", "-v").stdout; !strings.Contains(v, "access denied") || !strings.Contains(v, "another kind") {
		t.Errorf("sources -v does not say why:\n%s", v)
	}
	again := ntsd(t, "-x", "-f", d.config)
	if told("a second daemon", again.stderr); !strings.Contains(again.stderr, "stop that one first") {
		t.Errorf("a second daemon: %s", again.stderr)
	}
	file := w.write("file", "")
	r := ntsd(t, "-x", "-f", w.write("elsewhere", strings.Replace(config, w.run, filepath.Join(file, "run"), 1)))
	if told("no folder", r.stderr); !strings.Contains(r.stderr, "name a folder that can be written") {
		t.Errorf("run_dir in a file: %s", r.stderr)
	}
	r = ntsd(t, "-x", "-f", w.write("broken", "config server\n\toption hostname a.example\n\toption port none\n"))
	if told("broken", r.stderr); !strings.Contains(r.stderr, "broken leaves no source of time; correct it") {
		t.Errorf("nothing left: %s", r.stderr)
	}
	r = ntsd(t, "-x", "-f", w.write("marked", "\ufeff"+config))
	if told("mark", r.stderr); !strings.Contains(r.stderr, "marked:1: the file begins with a byte order mark: save it as UTF-8 without one") {
		t.Errorf("byte order mark: %s", r.stderr)
	}
}
