package config

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/siv"
	"ntsd/internal/uci"
)

// parse reads text as /etc/config/ntsd.
func parse(t testing.TB, text string) (*Config, []Diagnostic) {
	t.Helper()
	return Load("/etc/config", func(name string) ([]byte, error) {
		if name != "/etc/config/ntsd" {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	})
}

// lines returns the diagnostics as they are shown, the severity first.
func lines(ds []Diagnostic) []string {
	var out []string
	for _, d := range ds {
		out = append(out, d.Severity.String()+": "+d.String())
	}
	return out
}

func diff(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// withoutLines forgets positions, which printing does not keep.
func withoutLines(c *Config) *Config {
	c.Digest = ""
	for i := range c.Sources {
		c.Sources[i].Line = 0
	}
	for i := range c.Peers {
		c.Peers[i].Line = 0
	}
	if c.DHCP != nil {
		c.DHCP.Line = 0
	}
	for i := range c.Keys {
		c.Keys[i].Line = 0
	}
	for i := range c.KeyFiles {
		c.KeyFiles[i].Line = 0
	}
	return c
}

// TestGuideFile: the file of the OpenWrt guide works unchanged but for its
// name.
func TestGuideFile(t *testing.T) {
	c, ds := Load("testdata/config/guide", os.ReadFile)
	if HasErrors(ds) {
		t.Errorf("got errors: %s", strings.Join(lines(ds), "\n"))
	}
	want := Source{
		Kind: Server, Name: "time.cloudflare.com", Operator: "cloudflare.com", Line: 1,
		Family: event.FamilyAny, Port: 123, NTSPort: 4460, NTS: true, IBurst: true,
		AEADs:   []siv.Algorithm{siv.AES128GCMSIV, siv.AESSIVCMAC256, siv.AESSIVCMAC512, siv.AESSIVCMAC384},
		MinPoll: 6, MaxPoll: 12, MaxDelay: 3 * time.Second, MaxUnreach: 100000,
	}
	if len(c.Sources) != 1 || !reflect.DeepEqual(c.Sources[0], want) {
		t.Errorf("sources:\n got %+v\nwant [%+v]", c.Sources, want)
	}
	if c.DHCP == nil || !c.DHCP.IBurst || c.DHCP.NTS {
		t.Errorf("DHCP: got %+v, want iburst without nts", c.DHCP)
	}
	if got, want := c.MakeStep, (MakeStep{Threshold: time.Second, Limit: 3}); got != want {
		t.Errorf("makestep: got %+v, want %+v", got, want)
	}
	if !c.NTS.RTCCheck || !c.NTS.SystemCerts || c.Bootstrap.Mode != BootstrapLadder {
		t.Errorf("nts: got %+v, mode %s, want both and ladder", c.NTS, c.Bootstrap.Mode)
	}
	if len(c.Allow) != 1 || !reflect.DeepEqual(c.Allow[0].Interfaces, []string{"lan"}) {
		t.Errorf("allow: got %+v, want lan", c.Allow)
	}
	if !c.Usable() {
		t.Error("not usable")
	}
}

func TestDefaults(t *testing.T) {
	c, ds := parse(t, "")
	diff(t, "empty file", lines(ds), nil)
	if c.Usable() {
		t.Error("an empty file is usable")
	}
	if got, want := c.Main, (Main{
		Enabled: true, LogLevel: slog.LevelInfo, StateDir: "/etc/ntsd/state",
		RunDir: "/var/run/ntsd", Clock: ClockKernel, RTCSync: true,
	}); got != want {
		t.Errorf("main: got %+v, want %+v", got, want)
	}
	if got, want := c.Selection, (Selection{
		MinSources: 1, AuthMode: AuthMix, MaxDistance: 3 * time.Second, CombineLimit: 3,
		ReselectDist: 100 * time.Microsecond, StratumWeight: time.Millisecond,
	}); got != want {
		t.Errorf("selection: got %+v, want %+v", got, want)
	}
	if got, want := c.Serve.RateLimit.Enabled, false; got != want {
		t.Errorf("rate limit: got %v, want %v", got, want)
	}
}

// TestEverything: a file that uses all there is has no errors, keeps its
// values and survives printing.
func TestEverything(t *testing.T) {
	c, ds := Load("testdata/config/everything", os.ReadFile)
	for _, d := range ds {
		if d.Severity == Error || strings.Contains(d.Message, "not known") {
			t.Errorf("got %s: %s", d.Severity, d)
		}
	}
	used := map[string]bool{}
	text, err := os.ReadFile("testdata/config/everything/ntsd")
	if err != nil {
		t.Fatal(err)
	}
	p, err := uci.Parse("ntsd", text)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Sections {
		for _, o := range s.Options {
			used[s.Type+"."+o.Name] = true
		}
	}
	for _, s := range Schema() {
		for _, o := range s.Options {
			if !used[s.Type+"."+o.Name] && o.Name != "secret" { // is not printed
				t.Errorf("testdata/config/everything does not use %s.%s", s.Type, o.Name)
			}
		}
	}
	checkPrint(t, c)
}

// checkPrint: what is printed reads back as the same configuration, without
// complaint.
func checkPrint(t *testing.T, c *Config) {
	t.Helper()
	printed := c.AppendUCI(nil)
	p, err := uci.Parse("printed", printed)
	if err != nil {
		t.Fatalf("printed configuration: %v\n%s", err, printed)
	}
	again, ds := FromUCI(p)
	if HasErrors(ds) {
		t.Fatalf("printed configuration: %s\n%s", strings.Join(lines(ds), "\n"), printed)
	}
	if !reflect.DeepEqual(withoutLines(again), withoutLines(c)) {
		t.Fatalf("printed and read\n got %+v\nwant %+v\n%s", again, c, printed)
	}
}

func TestPrint(t *testing.T) {
	c, _ := Load("testdata/config/guide", os.ReadFile)
	checkPrint(t, c)
	want, err := os.ReadFile("testdata/config/guide/printed")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.AppendUCI(nil); string(got) != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPrintHidesSecrets(t *testing.T) {
	c, ds := parse(t, "config key\n\toption id 1\n\toption type SHA1\n\toption secret 'HEX:0123'\n")
	ds = append(ds, LoadKeys(c, "f", nil)...)
	if len(c.Secrets) != 1 || string(c.Secrets[0].Value) != "\x01\x23" {
		t.Fatalf("got %v", c.Secrets)
	}
	again, more := parse(t, string(c.AppendUCI(nil)))
	if HasErrors(more) || len(again.Keys) != 1 || again.Keys[0].ID != 1 || again.Keys[0].Secret == "" {
		t.Errorf("read again: got %+v, %v", again.Keys, more)
	}
	for _, l := range append(lines(ds), string(c.AppendUCI(nil))) {
		if strings.Contains(l, "0123") {
			t.Errorf("%q shows the secret", l)
		}
	}
}

// TestUnits: times, sizes and limits are read as written and printed exactly.
func TestUnits(t *testing.T) {
	c, ds := parse(t, `
config ntsd main
	option log_level warn
config selection
	option maxdistance 250ms
config logging
	option logchange 0.000000001
config makestep
	option threshold 1e-1
config nts_server
	option rotate 1w
config statistics
	option max_size 2M
config serve
	option ratelimit 'burst 16 interval -4'
config smoothtime
	option maxppm 400
	option maxwander 0.01
`)
	if HasErrors(ds) {
		t.Fatalf("got %s", strings.Join(lines(ds), "\n"))
	}
	checks := []struct {
		name      string
		got, want any
	}{
		{"log_level", c.Main.LogLevel, slog.LevelWarn},
		{"maxdistance", c.Selection.MaxDistance, 250 * time.Millisecond},
		{"logchange", c.Logging.LogChange, time.Nanosecond},
		{"threshold", c.MakeStep.Threshold, 100 * time.Millisecond},
		{"rotate", c.NTSServer.Rotate, 7 * 24 * time.Hour},
		{"max_size", c.Statistics.MaxSize, int64(2 << 20)},
		{"ratelimit", c.Serve.RateLimit, RateLimit{Enabled: true, Interval: -4, Burst: 16, Leak: 2}},
		{"maxppm", c.SmoothTime.MaxRate, clock.RatePPM(400)},
	}
	for _, k := range checks {
		if k.got != k.want {
			t.Errorf("%s: got %v, want %v", k.name, k.got, k.want)
		}
	}
	checkPrint(t, c)
}

func TestPolls(t *testing.T) {
	tests := []struct {
		options  string
		min, max int
	}{
		{"", 6, 10},
		{"option minpoll 12", 12, 12},
		{"option maxpoll 4", 4, 4},
		{"option minpoll 3\n option maxpoll 6", 3, 6},
		{"option minpoll -7\n option maxpoll 24", -7, 24},
	}
	for _, tt := range tests {
		c, ds := parse(t, "config server\n option hostname a.example\n "+tt.options+"\n")
		if len(ds) > 0 || int(c.Sources[0].MinPoll) != tt.min || int(c.Sources[0].MaxPoll) != tt.max {
			t.Errorf("%q: got %d..%d, %v, want %d..%d", tt.options, c.Sources[0].MinPoll, c.Sources[0].MaxPoll, ds, tt.min, tt.max)
		}
	}
}

func TestHostForms(t *testing.T) {
	tests := []struct {
		hostname, nts string
		name          string
		ntp, ke       uint16
	}{
		{"time.example", "1", "time.example", 123, 4460},
		{"time.example.", "1", "time.example", 123, 4460},
		{"time.example:443", "1", "time.example", 123, 443},
		{"time.example:1123", "0", "time.example", 1123, 4460},
		{"192.0.2.1:443", "1", "192.0.2.1", 123, 443},
		{"2001:db8::1", "1", "2001:db8::1", 123, 4460},
		{"[2001:db8::1]", "1", "2001:db8::1", 123, 4460},
		{"[2001:db8::1]:443", "1", "2001:db8::1", 123, 443},
		{"fe80::1%eth0", "0", "fe80::1%eth0", 123, 4460},
	}
	for _, tt := range tests {
		c, ds := parse(t, "config server\n option hostname '"+tt.hostname+"'\n option nts "+tt.nts+"\n")
		if len(ds) > 0 || len(c.Sources) != 1 {
			t.Errorf("%s: got %v", tt.hostname, lines(ds))
			continue
		}
		if s := c.Sources[0]; s.Name != tt.name || s.Port != tt.ntp || s.NTSPort != tt.ke {
			t.Errorf("%s: got %q ntp %d ke %d, want %q %d %d", tt.hostname, s.Name, s.Port, s.NTSPort, tt.name, tt.ntp, tt.ke)
		}
	}
}

// TestListForms: a list may be written as one option, or one value as a list.
func TestListForms(t *testing.T) {
	want := []string{"lan", "guest"}
	for _, text := range []string{"option interface 'lan guest'", "list interface lan\n list interface guest"} {
		c, _ := parse(t, "config allow\n "+text+"\n")
		if len(c.Allow) != 1 || !reflect.DeepEqual(c.Allow[0].Interfaces, want) {
			t.Errorf("%q: got %+v, want %v", text, c.Allow, want)
		}
	}
	c, ds := parse(t, "config server\n list hostname a.example\n")
	if len(ds) > 0 || len(c.Sources) != 1 {
		t.Errorf("hostname as a list of one: got %+v, %v", c.Sources, ds)
	}
}

// TestSectionsAddUp: several sections of a type that stands once are one.
func TestSectionsAddUp(t *testing.T) {
	c, ds := parse(t, "config nts\n option systemcerts 0\nconfig nts\n option trustedcerts /a\nconfig nts\n option systemcerts 1\n option rtccheck x\n")
	if c.NTS.SystemCerts || len(c.NTS.TrustedCerts) != 1 || len(ds) != 1 {
		t.Errorf("got %+v, %v, want the first two sections and one error", c.NTS, lines(ds))
	}
}

func TestUsable(t *testing.T) {
	for text, want := range map[string]bool{
		"config server\n option hostname a.example\n":                        true,
		"config server\n option hostname a.example\n option disabled 1\n":    false,
		"config server\n option hostname a.example\n option minpoll x\n":     false,
		"config peer\n option hostname a.example\n":                          true,
		"config dhcp_ntp_server\n":                                           true,
		"config dhcp_ntp_server\n option disabled 1\n":                       false,
		"config local\n option enabled 1\n":                                  true,
		"config allow\n option interface lan\n":                              false,
		"config nts_server\n option enabled 1\n option selfsigned 1\n":       true,
		"config refclock\n option driver PPS\n option parameter /dev/pps0\n": true,
		"config ntsd main\n option use_system_servers 1\n":                   true,
	} {
		c, _ := parse(t, text)
		if got := c.Usable(); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
	if (*Config)(nil).Usable() {
		t.Error("no configuration at all is usable")
	}
}

// TestChained: a warning tells of an NTS server that passes on a time which nobody
// has proved.
func TestChained(t *testing.T) {
	for text, want := range map[string]bool{
		"": false,
		"config server\n option hostname a.example\n":                                                true,
		"config server\n option hostname a.example\n option nts 1\n":                                 false,
		"config server\n option hostname a.example\n option key 1\n":                                 false,
		"config server\n option hostname a.example\n option nts 1\n option noval 1\n":                true,
		"config server\n option hostname a.example\n option nts 1\n option noval 1\n option key 1\n": true, // the key has no effect
	} {
		_, ds := parse(t, text+"config nts_server\n option enabled 1\n option selfsigned 1\n")
		if got := strings.Contains(strings.Join(lines(ds), "\n"), "not authenticated itself"); got != want {
			t.Errorf("%q: warned: %v, want %v", text, got, want)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ntsd")
	c, ds := Load(dir, os.ReadFile)
	if c != nil {
		t.Errorf("missing file: got %+v, want no configuration", c)
	}
	diff(t, "missing file", lines(ds), []string{"error: " + file + ": cannot be read: no such file or directory"})
	_, ds = Load(dir, func(string) ([]byte, error) { return nil, errors.New("flash is gone") })
	diff(t, "bad file", lines(ds), []string{"error: " + file + ": cannot be read: flash is gone"})
	c, ds = parse(t, "config server\n\toption hostname 'a\n")
	if c != nil {
		t.Errorf("syntax error: got %+v, want no configuration", c)
	}
	diff(t, "syntax error", lines(ds), []string{"error: /etc/config/ntsd:2: a quote ' opens here and never closes, or one is missing on a line before"})
	var pathError error = &fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission}
	if got, want := reason(pathError), "permission denied"; got != want {
		t.Errorf("reason: got %q, want %q", got, want)
	}
}

// TestSchema: the table is complete and consistent.
func TestSchema(t *testing.T) {
	types := map[string]bool{}
	for _, s := range Schema() {
		if types[s.Type] || s.Type == "" || s.Doc == "" {
			t.Errorf("section %q: twice, or without type or documentation", s.Type)
		}
		types[s.Type] = true
		names := map[string]bool{}
		target := s.open(Default())
		for _, o := range s.bind(target) {
			if names[o.Name] || o.Name == "" || o.Doc == "" || o.Allowed == "" {
				t.Errorf("%s.%s: twice, or without name, documentation or what is allowed", s.Type, o.Name)
			}
			names[o.Name] = true
			if o.Default == "" {
				if got := o.get(); !o.List && len(got) > 0 && o.Name != "hostname" {
					t.Errorf("%s.%s: got %q without a default, want nothing", s.Type, o.Name, got)
				}
				continue
			}
			if bad, ok := o.set(o.split(o.Default)); !ok {
				t.Errorf("%s.%s: default %q is not allowed: must be %s", s.Type, o.Name, bad, o.Allowed)
			}
		}
	}
}

// TestBoundedDiagnostics: a file of rubbish does not fill the log.
func TestBoundedDiagnostics(t *testing.T) {
	text := "config server\n option hostname a.example\n" + strings.Repeat(" option nonsense 1\n config other\n", 300) +
		"config server\n option minpoll x\n"
	_, ds := parse(t, text)
	if last := ds[len(ds)-1]; len(ds) != maxDiagnostics+1 || last.Severity != Error {
		t.Errorf("got %d, the last %q of severity %s, want %d and an error", len(ds), last, last.Severity, maxDiagnostics+1)
	}
}

// TestBoundedSources: a file cannot make the daemon poll the whole world.
func TestBoundedSources(t *testing.T) {
	c, ds := parse(t, strings.Repeat("config server\n option hostname a.example\n", maxSources+2))
	if len(c.Sources) != maxSources || len(ds) != 2 {
		t.Errorf("got %d sources and %d diagnostics, want %d and 2", len(c.Sources), len(ds), maxSources)
	}
}

func FuzzFromUCI(f *testing.F) {
	for _, name := range []string{"guide", "everything"} {
		text, err := os.ReadFile("testdata/config/" + name + "/ntsd")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, b := range broken() {
		f.Add([]byte(b.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := uci.Parse("fuzz", text)
		if err != nil {
			return
		}
		c, ds := FromUCI(p)
		for _, d := range ds {
			if strings.ContainsAny(d.String(), "\n\r") {
				t.Fatalf("diagnostic %q has more than one line", d)
			}
		}
		for _, k := range c.Keys {
			if k.Secret != "" {
				return // is not printed
			}
		}
		checkPrint(t, c)
	})
}

func TestDigest(t *testing.T) {
	text := "config server\n option hostname 'one.example'\n"
	load := func(s string) string {
		c, _ := LoadFile("ntsd", func(string) ([]byte, error) { return []byte(s), nil })
		return c.Digest
	}
	if got, want := load(text), Digest([]byte(text)); got != want || len(got) != 16 {
		t.Errorf("got %q, want %q of 16 digits", got, want)
	}
	if load(text) == load(text+" ") {
		t.Error("two texts have the same digest")
	}
}

// TestFolder: OpenWrt's folder, unless only the other one has the file.
func TestFolder(t *testing.T) {
	for _, c := range []struct {
		there []string
		want  string
	}{
		{nil, "/etc/config"},
		{[]string{"/etc/config/ntsd"}, "/etc/config"},
		{[]string{"/etc/ntsd/ntsd"}, "/etc/ntsd"},
		{[]string{"/etc/ntsd/ntsd", "/etc/config/ntsd"}, "/etc/config"},
		{[]string{"/etc/ntsd", "/etc/ntsd/state"}, "/etc/config"}, // OpenWrt's state
	} {
		if got := Folder(func(path string) bool { return slices.Contains(c.there, path) }); got != c.want {
			t.Errorf("%v: got %s, want %s", c.there, got, c.want)
		}
	}
}
