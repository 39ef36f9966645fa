package foreign

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ntsd/internal/config"
	"ntsd/internal/event"
	"ntsd/internal/siv"
)

// lines returns the diagnostics as they are shown, the severity first.
func lines(ds []config.Diagnostic) []string {
	var out []string
	for _, d := range ds {
		out = append(out, d.Severity.String()+": "+d.String())
	}
	return out
}

func diff(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// checkPrint: what is printed of a configuration reads as the same.
func checkPrint(t *testing.T, c *config.Config) {
	t.Helper()
	printed := c.AppendUCI(nil)
	again, ds := config.Load("", func(string) ([]byte, error) { return printed, nil })
	if config.HasErrors(ds) || string(again.AppendUCI(nil)) != string(printed) {
		t.Fatalf("printed and read: %s\n%s\n%s", strings.Join(lines(ds), "\n"), printed, again.AppendUCI(nil))
	}
}

// TestOneShot: the query of the guides.
func TestOneShot(t *testing.T) {
	c, ds := ParseDirectives([]string{"server time.example iburst nts maxsamples 1"}, nil)
	diff(t, "diagnostics", lines(ds), nil)
	want := config.Source{
		Kind: config.Server, Name: "time.example", Operator: "time.example", Line: 1,
		Family: event.FamilyAny, Port: 123, NTSPort: 4460, NTS: true, IBurst: true,
		AEADs:   []siv.Algorithm{siv.AES128GCMSIV, siv.AESSIVCMAC256, siv.AESSIVCMAC512, siv.AESSIVCMAC384},
		MinPoll: 6, MaxPoll: 10, MaxDelay: 3 * time.Second, MaxSamples: 1, MaxUnreach: 100000,
	}
	if len(c.Sources) != 1 || !reflect.DeepEqual(c.Sources[0], want) {
		t.Errorf("sources:\n got %+v\nwant [%+v]", c.Sources, want)
	}
	if c.MakeStep.Limit != 0 || c.Main.RTCSync {
		t.Errorf("got makestep limit %d and rtcsync %v, want none", c.MakeStep.Limit, c.Main.RTCSync)
	}
}

func TestDirectives(t *testing.T) {
	c, ds := ParseDirectives([]string{
		"# a comment", "", "! another", "  ",
		"Server 192.0.2.1:443 NTS minpoll 3 maxpoll 6 ca /etc/ca.pem aead AES_SIV_CMAC_256:AES_SIV_CMAC_512",
		"pool pool.example maxsources 2 ipv4",
		"makestep 0.1 3", "nosystemcert", "rtcsync", "authselectmode require",
		"ntstrustedcerts /a", "ntstrustedcerts /b", "minsources 2", "ntsdumpdir /tmp/run", "maxdistance 0.5",
	}, nil)
	diff(t, "diagnostics", lines(ds), nil)
	if len(c.Sources) != 2 {
		t.Fatalf("got %d sources, want 2", len(c.Sources))
	}
	s, p := c.Sources[0], c.Sources[1]
	checks := []struct {
		name      string
		got, want any
	}{
		{"name", s.Name, "192.0.2.1"},
		{"ntsport", s.NTSPort, uint16(443)},
		{"trustedcerts", s.TrustedCerts, []string{"/etc/ca.pem"}},
		{"aead", s.AEADs, []siv.Algorithm{siv.AESSIVCMAC256, siv.AESSIVCMAC512}},
		{"maxpoll", int(s.MaxPoll), 6},
		{"kind", p.Kind, config.Pool},
		{"maxsources", p.MaxSources, 2},
		{"family", p.Family, event.FamilyIPv4},
		{"makestep", c.MakeStep, config.MakeStep{Threshold: 100 * time.Millisecond, Limit: 3}},
		{"run_dir", c.Main.RunDir, "/tmp/run"},
		{"rtcsync", c.Main.RTCSync, true},
		{"nts", c.NTS, config.NTS{TrustedCerts: []string{"/a", "/b"}}},
		{"minsources", c.Selection.MinSources, 2},
		{"maxdistance", c.Selection.MaxDistance, 500 * time.Millisecond},
		{"authselectmode", c.Selection.AuthMode, config.AuthRequire},
	}
	for _, k := range checks {
		if !reflect.DeepEqual(k.got, k.want) {
			t.Errorf("%s: got %v, want %v", k.name, k.got, k.want)
		}
	}
	checkPrint(t, c)
}

// TestServerDirectives: what a server's chrony.conf holds is read too.
func TestServerDirectives(t *testing.T) {
	c, ds := ParseDirectives([]string{
		"ntsserverkey /k", "ntsservercert /c", "local stratum 8 orphan", "allow", "allow 192.168.1.0/24", "deny 192.168.1.9",
		"ratelimit interval 1 burst 16", "ntsratelimit", "refclock PPS /dev/pps0 lock NMEA refid GPS", "nocerttimecheck 1",
		"cmdport 323", "bindcmdaddress /run/chrony/chronyd.sock",
	}, nil)
	if config.HasErrors(ds) {
		t.Errorf("got %s", strings.Join(lines(ds), "\n"))
	}
	if !c.NTSServer.Enabled || c.Local.Stratum != 8 || !c.Local.Orphan || len(c.Allow) != 2 || len(c.Deny) != 1 || len(c.RefClocks) != 1 ||
		c.Bootstrap.Mode != config.BootstrapNoCertTimeCheck || c.Serve.RateLimit.Burst != 16 || c.Monitor.ChronyPort != 323 || c.Monitor.ChronySocket != "/run/chrony/chronyd.sock" || !c.NTSServer.RateLimit.Enabled {
		t.Errorf("got %+v", c)
	}
}

func TestDirectiveDiagnostics(t *testing.T) {
	tests := []struct {
		line    string
		want    []string
		sources int
	}{
		{"servr a.example", []string{"error: directive:1: servr: is not a directive; did you mean 'server'?"}, 0},
		{"frobnicate", []string{"error: directive:1: frobnicate: is not a directive"}, 0},
		{"driftfile /var/lib/drift", nil, 0},
		{"dumpdir /var/lib", []string{"warning: directive:1: dumpdir: has no equivalent and is ignored"}, 0},
		{"maxsamples 16", nil, 0},
		{"maxsamples", []string{"error: directive:1: maxsamples: takes 1 argument, not 0"}, 0},
		{"ntsaeads 1 2", []string{"error: directive:1: ntsaeads: names no algorithm that is known: there are 15, 16, 17 and 30"}, 0},
		{"initstepslew", []string{"error: directive:1: initstepslew: takes a number of seconds"}, 0},
		{"binddevice", []string{"error: directive:1: binddevice: takes 1 argument, not 0"}, 0},
		{"server a.example certset x", []string{"error: directive:1: server: the keyword 'certset' takes a number"}, 0},
		{"server a.example nts certset 1", []string{"warning: directive:1: server: the set of certificates 1 is empty: no ntstrustedcerts names it"}, 1},
		{"ntstrustedcerts x /a", []string{"error: directive:1: ntstrustedcerts: takes the number of a set, and a file or folder"}, 0},
		{"ratelimit interval 3 kod 2", []string{"warning: directive:1: ratelimit: the keyword 'kod' has no equivalent and is ignored"}, 0},
		{"linux_hz 100", []string{"warning: directive:1: linux_hz: has no equivalent and is ignored"}, 0},
		{"ntscachedir /var/lib/ntsd", nil, 0},
		{"ntsdumpdir", []string{"error: directive:1: ntsdumpdir: takes 1 argument, not 0"}, 0},
		{"server", []string{"error: directive:1: server: option 'hostname' is missing"}, 0},
		{"server a.example minpol 6", []string{"error: directive:1: server: the keyword 'minpol' is not known; did you mean 'minpoll'?"}, 0},
		{"server a.example minpoll", []string{"error: directive:1: server: the keyword 'minpoll' takes a value"}, 0},
		{"server a.example minpoll 99", []string{"error: directive:1: server: option 'minpoll' '99': must be a whole number from -7 to 24"}, 0},
		{"server a.example disabled", []string{"error: directive:1: server: the keyword 'disabled' is not known"}, 0},
		{"server a.example presend 9 iburst", []string{"warning: directive:1: server: the keyword 'presend' has no equivalent and is ignored"}, 1},
		{"server a.example presend", []string{"error: directive:1: server: the keyword 'presend' takes a value"}, 0},
		{"server a.example key 1", nil, 1},
		{"keyfile /etc/chrony/chrony.keys", nil, 0},
		{"keyfile", []string{"error: directive:1: keyfile: takes 1 argument, not 0"}, 0},
		{"broadcast 60 192.0.2.255", []string{"warning: directive:1: broadcast: is not offered: nobody can authenticate or measure the delay of a broadcast"}, 0},
		{"cmdport 323", nil, 0},
		{"cmdport 70000", []string{"error: directive:1: monitor: option 'chrony_port' '70000': must be a whole number from 0 to 65535"}, 0},
		{"bindcmdaddress /run/chrony/chronyd.sock", nil, 0},
		{"bindcmdaddress /", nil, 0},
		{"bindcmdaddress ::1", nil, 0},
		{"bindcmdaddress 0.0.0.0", []string{"warning: directive:1: bindcmdaddress: chronyc is answered on the loopback addresses only"}, 0},
		{"bindcmdaddress", []string{"error: directive:1: bindcmdaddress: takes 1 argument, not 0"}, 0},
		{"hwtimestamp eth0", nil, 0},
		{"hwtimestamp eth0 minpoll -1", []string{"warning: directive:1: hwtimestamp: options are not known: all packets are stamped"}, 0},
		{"hwtimestamp *", []string{"warning: directive:1: hwtimestamp: must name a network card and is ignored"}, 0},
		{"leapseclist /usr/share/zoneinfo/leap-seconds.list", nil, 0},
		{"makestep 1", []string{"error: directive:1: makestep: takes 2 arguments, not 1"}, 0},
		{"user root", nil, 0},
		{"user", []string{"error: directive:1: user: takes 1 argument, not 0"}, 0},
		{"nosystemcert 1", []string{"error: directive:1: nosystemcert: takes no argument"}, 0},
		{"nocerttimecheck x", []string{"error: directive:1: nocerttimecheck: takes a number of clock updates"}, 0},
		{"nocerttimecheck 0", nil, 0},
		{"ntstrustedcerts 1 /a", nil, 0},
		{"allow a b", []string{"error: directive:1: allow: takes one subnet"}, 0},
		{strings.Repeat("x ", maxWords+1), []string{"error: directive:1: is too long"}, 0},
	}
	for _, tt := range tests {
		c, ds := ParseDirectives([]string{tt.line}, nil)
		diff(t, tt.line, lines(ds), tt.want)
		if len(c.Sources) != tt.sources {
			t.Errorf("%s: got %d sources, want %d", tt.line, len(c.Sources), tt.sources)
		}
	}
}

func FuzzParseDirectives(f *testing.F) {
	f.Add("server time.example iburst nts maxsamples 1\nmakestep 1 3\nuser root")
	f.Add("pool a.example ipv6 aead 15:30\nlocal orphan\nrefclock SHM 0\nallow\nratelimit\nntstrustedcerts 1 /a")
	f.Add("local bad\nnocerttimecheck 1\nport 0\nntsserverkey /k\nntsservercert /c")
	f.Fuzz(func(t *testing.T, text string) {
		c, ds := ParseDirectives(strings.Split(text, "\n"), nil)
		for _, d := range ds {
			if strings.ContainsAny(d.String(), "\n\r") {
				t.Fatalf("diagnostic %q has more than one line", d)
			}
		}
		checkPrint(t, c)
	})
}

// TestOfAllSources: what chrony says once holds for every source that does not say
// otherwise, before and after it, and for no other kind of section.
func TestOfAllSources(t *testing.T) {
	c, ds := ParseDirectives([]string{
		"server a.example nts", "maxsamples 9", "ntsaeads 30 99 15", "bindacqdevice eth1", "binddevice eth0", "ntstrustedcerts 1 /one",
		"local stratum 5", "server b.example nts certset 1 maxsamples 5 interface eth2", "local nonsense", "pool c.example certset 2", "ntstrustedcerts /all",
		"ntstrustedcerts 2 /two", "ntstrustedcerts 2 /three", "peer d.example", "refclock SHM 0", "ntsserverkey /k", "ntsservercert /c",
	}, nil)
	if len(ds) != 3 || ds[0].Section != "local" || len(c.Sources) != 3 || len(c.Peers) != 1 || len(c.RefClocks) != 1 {
		t.Fatalf("got %s, %+v", strings.Join(lines(ds), "\n"), c)
	}
	both := []siv.Algorithm{siv.AES128GCMSIV, siv.AESSIVCMAC256}
	a, b, p := c.Sources[0], c.Sources[1], c.Sources[2]
	for _, x := range []struct {
		what      string
		got, want any
	}{
		{"a's samples", a.MaxSamples, 9},
		{"b's samples", b.MaxSamples, 5},
		{"c's samples", p.MaxSamples, 9},
		{"the peer's samples", c.Peers[0].MaxSamples, 9},
		{"the clock's samples", c.RefClocks[0].MaxSamples, 9},
		{"a's algorithms", a.AEADs, both},
		{"b's algorithms", b.AEADs, both},
		{"c's algorithms", len(p.AEADs), 4},
		{"a's interface", a.Interface, "eth1"},
		{"b's interface", b.Interface, "eth2"},
		{"the peer's interface", c.Peers[0].Interface, ""},
		{"a's certificates", len(a.TrustedCerts), 0},
		{"b's certificates", b.TrustedCerts, []string{"/one"}},
		{"c's certificates", p.TrustedCerts, []string{"/two", "/three"}},
		{"all certificates", c.NTS.TrustedCerts, []string{"/all"}},
		{"where is served", c.Serve.Interfaces, []string{"eth0"}},
		{"where keys are served", c.NTSServer.Interfaces, []string{"eth0"}},
	} {
		if !reflect.DeepEqual(x.got, x.want) {
			t.Errorf("%s: got %v, want %v", x.what, x.got, x.want)
		}
	}
	checkPrint(t, c)
}

// TestShortSubnets: chrony's short forms of a network.
func TestShortSubnets(t *testing.T) {
	for text, want := range map[string]string{
		"192.168": "192.168.0.0/16", "10": "10.0.0.0/8", "1.2.3": "1.2.3.0/24", "0/0": "0.0.0.0/0", "1.2/12": "1.2.0.0/12",
		"1.2.3.4": "1.2.3.4", "1.2.3.4/24": "1.2.3.4/24", "2001:db8::/32": "2001:db8::/32", "host": "host", "1.300": "1.300", "1.2.": "1.2.", "": "",
	} {
		if got := subnet(text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

// TestFirstStep: initstepslew steps once, and makestep says more.
func TestFirstStep(t *testing.T) {
	for text, want := range map[string]config.MakeStep{
		"initstepslew 30 a b":               {Threshold: 30 * time.Second, Limit: 1},
		"initstepslew 30\nmakestep 0.5 3":   {Threshold: time.Second / 2, Limit: 3},
		"makestep 0.5 3\ninitstepslew 30 a": {Threshold: time.Second / 2, Limit: 3},
	} {
		c, ds := ParseDirectives(strings.Split(text, "\n"), nil)
		if c.MakeStep != want || config.HasErrors(ds) {
			t.Errorf("%q: got %+v, %v", text, c.MakeStep, ds)
		}
	}
}
