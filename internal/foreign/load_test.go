package foreign

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"ntsd/internal/config"
	"ntsd/internal/event"
)

// The configurations that the guides for other daemons show, as they stand.
const (
	// guideChrony is a client and server of NTS by chrony.
	guideChrony = `# Use NTS servers
server time.cloudflare.com iburst nts
server nts.netnod.se iburst nts
! a comment of the old form
sourcedir /run/chrony-dhcp
driftfile /var/lib/chrony/drift
makestep 1.0 3
rtcsync
keyfile /etc/chrony.keys
ntsdumpdir /var/lib/chrony
leapsectz right/UTC
logdir /var/log/chrony
log measurements statistics tracking
allow 192.168.0.0/16
ntsserverkey /etc/pki/tls/private/a.key
ntsservercert /etc/pki/tls/certs/a.crt
smoothtime 400 0.01 leaponly
`
	// guideNTP is a client and server of NTS by ntpsec.
	guideNTP = `driftfile /var/lib/ntpsec/ntp.drift
leapfile /usr/share/zoneinfo/leap-seconds.list
statsdir /var/log/ntpsec/
statistics loopstats peerstats clockstats rawstats
filegen loopstats file loopstats type day enable
logfile /var/log/ntp.log
logconfig =syncall +clockall
tos maxclock 11 minsane 2
pool 0.ntpsec.pool.ntp.org iburst
server time.cloudflare.com:4460 nts iburst minpoll 3 maxpoll 6 # with a comment
server ntp.example:443 nts ca /etc/ca.pem aead AES_SIV_CMAC_512 noval
server -4 a.example iburst
server 127.127.1.0
fudge 127.127.1.0 stratum 10
refclock shm unit 2 refid GPS time1 0.2
nts enable
nts cert /etc/letsencrypt/live/a/fullchain.pem key /etc/letsencrypt/live/a/privkey.pem
nts cookie /var/lib/ntpsec/nts-keys
restrict default kod nomodify nopeer noquery limited
restrict 127.0.0.1
restrict ::1
restrict 10.0.0.0 mask 255.0.0.0 ignore
`
)

// TestNTPClocks: reference clocks in both of ntpsec's forms, with what fudge says
// of them.
func TestNTPClocks(t *testing.T) {
	c, ds := load("/etc/ntp.conf", given(`server 127.127.28.0 prefer
server 127.127.22.1
fudge 127.127.28.0 time1 0.2 refid GPS flag1 1
fudge 127.127.22.1 stratum 3
fudge 127.127.28.9 time1 1
refclock shm unit 2 refid NMEA time1 -0.25
refclock pps unit 0 flag3 1 prefer
server 127.127.1.0
fudge 127.127.1.0 stratum 12 refid LOCL
`))
	diff(t, "diagnostics", lines(ds), []string{
		"warning: /etc/ntp.conf:3: fudge: the keyword 'flag1' has no equivalent and is ignored",
		"warning: /etc/ntp.conf:5: fudge: the keyword 'time1' has no equivalent and is ignored",
		"warning: /etc/ntp.conf:9: fudge: the keyword 'refid' has no equivalent and is ignored",
	})
	var got []string
	for i := range c.RefClocks {
		r := &c.RefClocks[i]
		got = append(got, fmt.Sprint(r.Driver, " ", r.Parameter, " ", r.Name(i), " ", r.Offset.Seconds(), " ", r.Stratum, " ", r.Prefer))
	}
	diff(t, "clocks", got, []string{
		"SHM 0 GPS 0.2 0 true", "PPS /dev/pps1 PPS1 0 3 false", "SHM 2 NMEA -0.25 0 false", "PPS /dev/pps0 PPS3 0 0 true",
	})
	if !c.Local.Enabled || c.Local.Stratum != 12 {
		t.Errorf("got %+v", c.Local)
	}
}

// given returns a reader of one file.
func given(text string) func(string) ([]byte, error) {
	return func(string) ([]byte, error) { return []byte(text), nil }
}

func TestChronyFile(t *testing.T) {
	c, ds := load("/etc/chrony.conf", given(guideChrony))
	diff(t, "diagnostics", lines(ds), []string{
		"warning: /etc/chrony.conf:11: leapsectz: has no equivalent and is ignored; leapseclist names a file that says the same",
	})
	if len(c.Sources) != 2 || !c.Sources[0].NTS || c.MakeStep.Limit != 3 || !c.Main.RTCSync || !c.NTSServer.Enabled ||
		!c.SmoothTime.LeapOnly || len(c.Statistics.Logs) != 3 || len(c.Allow) != 1 {
		t.Errorf("got %+v", c)
	}
}

func TestNTPFile(t *testing.T) {
	for _, file := range []string{"/etc/ntp.conf", "/etc/ntpsec/ntp.conf", "/tmp/anything"} {
		c, ds := load(file, given(guideNTP))
		diff(t, file, lines(ds), []string{
			"warning: " + file + ":6: logfile: has no equivalent and is ignored",
			"warning: " + file + ":7: logconfig: has no equivalent and is ignored",
			"warning: " + file + ":8: tos: the keyword 'maxclock' has no equivalent and is ignored",
			"warning: " + file + ":11: server: option 'noval' '1': whoever answers is believed, so this source never counts as authenticated",
			"warning: " + file + ":18: nts: the keyword 'cookie' has no equivalent and is ignored",
		})
		var names []string
		for _, s := range c.Sources {
			names = append(names, s.Name)
		}
		if got := strings.Join(names, " "); got != "0.ntpsec.pool.ntp.org time.cloudflare.com ntp.example a.example" {
			t.Errorf("sources: got %s", got)
		}
		if s := c.Sources[2]; s.NTSPort != 443 || !s.NoVal || len(s.TrustedCerts) != 1 || len(s.AEADs) != 1 {
			t.Errorf("got %+v", s)
		}
		if c.Sources[3].Family != event.FamilyIPv4 || !c.Local.Enabled || c.Local.Stratum != 10 || c.Selection.MinSources != 2 ||
			!c.Serve.RateLimit.Enabled || !c.NTSServer.Enabled || len(c.RefClocks) != 1 || c.RefClocks[0].RefID != "GPS" {
			t.Errorf("got %+v", c)
		}
		if len(c.Deny) != 1 || c.Deny[0].Subnets[0].String() != "10.0.0.0/8" || len(c.Allow) != 1 || len(c.Allow[0].Subnets) != 2 {
			t.Errorf("access: got %+v but %+v", c.Allow, c.Deny)
		}
	}
}

// TestRestrictions: who is answered by ntpd is answered here, nobody else.
func TestRestrictions(t *testing.T) {
	for text, want := range map[string]string{
		"restrict default ignore\nrestrict 192.168.1.0 mask 255.255.255.0 nomodify": "allow 192.168.1.0/24",
		"restrict -6 default noserve\nrestrict 2001:db8:: mask ffff:ffff::\n":       "allow 2001:db8::/32",
		"restrict source notrap\nrestrict 192.0.2.1 noserve\n":                      "allow 0.0.0.0/0 ::/0, deny 192.0.2.1/32",
		"tinker panic 0\n":         "allow 0.0.0.0/0 ::/0",
		"restrict 10.0.0.1/8\n":    "allow 10.0.0.0/8, allow 0.0.0.0/0 ::/0",
		"restrict host.example.\n": "error",
	} {
		c, ds := load("ntp.conf", given(text))
		var got []string
		for _, a := range c.Allow {
			s := "allow"
			for _, p := range a.Subnets {
				s += " " + p.String()
			}
			got = append(got, s)
		}
		for _, a := range c.Deny {
			got = append(got, "deny "+a.Subnets[0].String())
		}
		if config.HasErrors(ds) {
			got = []string{"error"}
		}
		if g := strings.Join(got, ", "); g != want {
			t.Errorf("%q: got %s, want %s", text, g, want)
		}
	}
}

// TestDevices: where ntpd listens.
func TestDevices(t *testing.T) {
	for text, want := range map[string]string{
		"interface ignore wildcard\ninterface listen lan\n":          "[] [123] true 0",
		"interface ignore all\ninterface listen lan\nnic listen wg0": "[lan wg0] [123] true 0",
		"interface ignore all\n":                                     "[] [123] false 0",
		"interface drop all\ninterface listen all\n":                 "[] [123] true 0",
		"interface ignore ipv6\ninterface listen 192.0.2.1/24\n":     "[] [123] true 2",
		"extra port 1123\n":                                          "[] [123 1123] true 0",
		"extra\ninterface listen\n":                                  "[] [123] true 2",
	} {
		c, ds := load("ntp.conf", given("server a.example\n"+text))
		if got := fmt.Sprint(c.Serve.Interfaces, c.Serve.Ports, c.Serve.Enabled, len(ds)); got != want {
			t.Errorf("%q: got %s, want %s: %v", text, got, want, ds)
		}
	}
}

// TestOurOwn: a UCI file of any name, empty ones and none.
func TestOurOwn(t *testing.T) {
	c, ds := load("/tmp/x", given("\n# time\nconfig server\n\toption hostname 'a.example'\n"))
	if len(ds) > 0 || len(c.Sources) != 1 {
		t.Errorf("got %v, %v", c.Sources, ds)
	}
	if c, ds := load("/tmp/x", given("")); len(ds) > 0 || c == nil {
		t.Errorf("empty: got %v, %v", c, ds)
	}
	c, ds = load("/tmp/x", func(string) ([]byte, error) { return nil, &fs.PathError{Err: errors.New("gone")} })
	if c != nil || len(ds) != 1 || !strings.Contains(ds[0].String(), "/tmp/x: cannot be read: gone") {
		t.Errorf("gone: got %v, %v", c, ds)
	}
}

// TestImport: what comes out is a file of ours that means the same.
func TestImport(t *testing.T) {
	chronyUCI, err := os.ReadFile("../config/testdata/config/guide/ntsd")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file, text string
		want       []string // lines of the batch
	}{
		{"chrony.conf", guideChrony, []string{"add ntsd server", "set ntsd.@server[-1].hostname='time.cloudflare.com'", "add_list ntsd.@allow[-1].subnet='192.168.0.0/16'"}},
		{"ntp.conf", guideNTP, []string{"add ntsd pool", "add_list ntsd.@server[-1].trustedcerts='/etc/ca.pem'", "set ntsd.@local[-1].stratum='10'"}},
		{"chrony", string(chronyUCI), []string{"set ntsd.@server[-1].hostname='time.cloudflare.com'", "set ntsd.@nts[-1].rtccheck='yes'"}},
		{
			"system", "config system\n\toption hostname 'x'\n\nconfig timeserver 'ntp'\n\toption enable_server '1'\n\toption interface 'lan'\n\tlist server 'a.example'\n\tlist server 'b.example'\n",
			[]string{"set ntsd.@server[-1].hostname='a.example'", "add ntsd dhcp_ntp_server", "add_list ntsd.@allow[-1].interface='lan'"},
		},
	} {
		p, ds := Import(tt.file, []byte(tt.text), nil)
		if config.HasErrors(ds) {
			t.Errorf("%s: got %s", tt.file, strings.Join(lines(ds), "\n"))
		}
		batch := string(AppendBatch(nil, p))
		for _, line := range tt.want {
			if !strings.Contains("\n"+batch, "\n"+line+"\n") {
				t.Errorf("%s: no %q in\n%s", tt.file, line, batch)
			}
		}
		direct, _ := config.FromTranslation(p, nil, nil)
		printed := p.AppendExport(nil)
		again, ds := config.Load("", func(string) ([]byte, error) { return printed, nil })
		if config.HasErrors(ds) || string(again.AppendUCI(nil)) != string(direct.AppendUCI(nil)) {
			t.Errorf("%s: %s\n%s", tt.file, strings.Join(lines(ds), "\n"), printed)
		}
	}
}

func TestQuoted(t *testing.T) {
	if got, want := quoted("it's\na 'test'"), `'it'\''sa '\''test'\'''`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzImport(f *testing.F) {
	f.Add("chrony.conf", guideChrony)
	f.Add("ntp.conf", guideNTP)
	f.Add("\n", "0")
	f.Add("chrony.conf", "include /i\nsourcedir /s\nntstrustedcerts 1 /a\nserver a certset 1\nallow 10/8\nmaxsamples 3\n")
	f.Add("x", "config timeserver ntp\n\tlist server a\n")
	f.Fuzz(func(t *testing.T, file, text string) {
		p, ds := Import(file, []byte(text), nil)
		for _, d := range ds {
			if strings.ContainsAny(d.String(), "\n\r") {
				t.Fatalf("diagnostic %q has more than one line", d)
			}
		}
		if p == nil {
			return
		}
		AppendBatch(nil, p)
		NewLoader(file, given(text), disk{"/i": text, "/c/a.conf": text, "/s/a.sources": text}).Load()
	})
}
