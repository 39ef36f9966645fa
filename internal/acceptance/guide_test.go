package acceptance

import (
	"os"
	"strings"
	"testing"
)

// guideFile is what the guide for OpenWrt has people write. Only the name of
// the file differs: it was chrony's.
const guideFile = `config server
	option hostname 'time.cloudflare.com'
	option maxpoll '12'
	option iburst 'yes'
	option nts 'yes'

config dhcp_ntp_server
	option iburst 'yes'
	option disabled 'no'

config allow
	option interface 'lan'

config makestep
	option threshold '1.0'
	option limit '3'

config nts
	option rtccheck 'yes'
	option systemcerts 'yes'
`

// TestCheck03GuideFileParsesUnchanged: the guide's UCI file is read as it
// stands, with its yes and no, and every section of it is in the effective
// configuration.
func TestCheck03GuideFileParsesUnchanged(t *testing.T) {
	w := newWorld(t)
	w.write("ntsd", guideFile)
	r := ntsd(t, "-p", "-c", w.dir)
	if r.exit != 0 {
		t.Errorf("exit status: got %d, want 0", r.exit)
	}
	if r.stderr != "" {
		t.Errorf("stderr: %q", r.stderr)
	}
	if !inOrder(r.stdout, "config server", "hostname 'time.cloudflare.com'", "nts '1'", "maxpoll '12'", "iburst '1'",
		"config dhcp_ntp_server", "iburst '1'", "config makestep", "threshold '1'", "limit '3'",
		"config nts", "rtccheck '1'", "systemcerts '1'", "config allow", "list interface 'lan'") {
		t.Errorf("the effective configuration is\n%s", r.stdout)
	}
	again := newWorldFile(w, r.stdout)
	if r2 := ntsd(t, "-p", "-f", again); r2.stdout != r.stdout {
		t.Errorf("printed and read again it becomes\n%s", r2.stdout)
	}
}

func newWorldFile(w *world, text string) string { return w.write("again", text) }

// inOrder reports whether the parts occur in text one after the other.
func inOrder(text string, parts ...string) bool {
	for _, p := range parts {
		i := strings.Index(text, p)
		if i < 0 {
			return false
		}
		text = text[i+len(p):]
	}
	return true
}

// TestCheck15NTSAndIburstPerServer: both are options of each server alone.
func TestCheck15NTSAndIburstPerServer(t *testing.T) {
	w := newWorld(t)
	a, b := w.nts(nil), w.plain(nil)
	d := w.start(w.config(
		section("server", "hostname", host(a), "nts", "yes", "iburst", "yes"),
		section("server", "hostname", host(b), "port", portOf(b)),
	))
	r := d.until("a reply of each", replied(t, host(a), host(b)))
	if got := find(t, r, host(a)).Auth.Mode; got != "nts" {
		t.Errorf("with nts: got mode %s", got)
	}
	if got := find(t, r, host(b)).Auth.Mode; got != "none" {
		t.Errorf("without nts: got mode %s", got)
	}
	// A burst is two seconds from request to request, a poll 64.
	d.until("second reply", func(r *report) bool { return find(t, r, host(a)).Counters.Valid > 1 })
	if got := b.Stats().Requests; got != 1 {
		t.Errorf("without iburst: got %d requests, want 1", got)
	}
}

// TestCheck50ShortPolls: minpoll 3 and maxpoll 6 are accepted and in force.
func TestCheck50ShortPolls(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	d := w.start(w.config(section("server", "hostname", host(s), "nts", "yes", "minpoll", "3", "maxpoll", "6")))
	r := d.until("a reply", replied(t, host(s)))
	if got := find(t, r, host(s)).PollLog2; got != 3 {
		t.Errorf("poll: got %d, want 3", got)
	}
	if r := ntsd(t, "-p", "server time.example nts minpoll 3 maxpoll 6"); r.exit != 0 ||
		!inOrder(r.stdout, "minpoll '3'", "maxpoll '6'") {
		t.Errorf("as a directive: exit status %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}

// TestConfigMistakes: a mistake names file, line, option and what is allowed;
// a wrong value takes out its section alone.
func TestConfigMistakes(t *testing.T) {
	w := newWorld(t)
	good := "config server\n\toption hostname 'good.example'\n\toption nts '1'\n"
	for _, c := range []struct {
		name, text string
		exit       int
		want       string // on standard error
	}{
		{"value", good + "config server\n\toption hostname 'bad.example'\n\toption minpoll 'often'\n", 1, ":6: @server[1]: option 'minpoll' 'often': must be a whole number from -7 to 24"},
		{"option", good + "\toption ibursts '1'\n", 0, "did you mean 'iburst'?"},
		{"section", good + "config sever\n", 0, "did you mean 'server'?"},
		{"syntax", good + "config server\n\toption hostname 'unfinished\n", 1, "syntax"},
		{"empty", "", 1, ""},
	} {
		path := w.write(c.name, c.text)
		r := ntsd(t, "-p", "-f", path)
		if r.exit != c.exit || !strings.Contains(r.stderr, c.want) || c.want != "" && !strings.Contains(r.stderr, path) {
			t.Errorf("%s: got exit status %d, stderr %q; want %d and %q", c.name, r.exit, r.stderr, c.exit, c.want)
		}
		if c.name == "value" && (strings.Contains(r.stdout, "bad.example") || !strings.Contains(r.stdout, "good.example")) {
			t.Errorf("%s: the effective configuration is\n%s", c.name, r.stdout)
		}
	}
}

// TestNothingToDo: without a source the daemon ends and says what to add.
func TestNothingToDo(t *testing.T) {
	w := newWorld(t)
	path := w.write("empty", w.config())
	r := ntsd(t, "-x", "-f", path)
	if r.exit != 1 || !strings.Contains(r.stderr, "add a section 'server' to "+path) {
		t.Errorf("got exit status %d, stderr %q", r.exit, r.stderr)
	}
	path = w.write("off", section("ntsd", "enabled", "0")+section("server", "hostname", "time.example"))
	if r := ntsd(t, "-x", "-f", path); r.exit != 0 || !strings.Contains(r.stderr, "switched off") {
		t.Errorf("disabled: got exit status %d, stderr %q", r.exit, r.stderr)
	}
}

// TestCheck26FIPSIsDocumented: that NTS and a machine in FIPS mode exclude each
// other is written where people look first.
func TestCheck26FIPSIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "FIPS") || !strings.Contains(string(text), "AES-SIV") {
		t.Error("README.md does not say why NTS does not work in FIPS mode")
	}
}

// TestLongRunDir: a folder whose name leaves no room for the socket's is
// refused with that reason.
func TestLongRunDir(t *testing.T) {
	w := newWorld(t)
	w.run += strings.Repeat("long", 20)
	path := w.write("long", w.config(section("server", "hostname", "127.0.0.1")))
	r := ntsd(t, "-x", "-t", "5", "-f", path)
	if r.exit != 1 || !strings.Contains(r.stderr, "path is too long") {
		t.Errorf("exit status %d, stderr %q", r.exit, r.stderr)
	}
}
