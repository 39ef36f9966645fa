package hostname

import "testing"

func TestOperator(t *testing.T) {
	tests := map[string]string{
		"time.cloudflare.com":    "cloudflare.com",
		"Nts.Netnod.SE.":         "netnod.se",
		"ptbtime1.ptb.de":        "ptb.de",
		"ntp.nic.ac.uk":          "nic.ac.uk",
		"ntp.jst.mfeed.ad.jp":    "mfeed.ad.jp",
		"ac.uk":                  "ac.uk",
		"2.openwrt.pool.ntp.org": "ntp.org",
		"router":                 "router",
		"192.0.2.1":              "192.0.2.1",
		"::ffff:192.0.2.1":       "192.0.2.1",
		"fe80::1%eth0":           "fe80::1",
	}
	for name, want := range tests {
		if got := Operator(name); got != want {
			t.Errorf("Operator(%q): got %q, want %q", name, got, want)
		}
	}
}

func TestSplit(t *testing.T) {
	for text, want := range map[string]struct {
		host string
		port uint16
		ok   bool
	}{
		"time.example":        {"time.example", 0, true},
		"time.example.":       {"time.example", 0, true},
		"time.example:4460":   {"time.example", 4460, true},
		"192.0.2.1:123":       {"192.0.2.1", 123, true},
		"2001:db8::1":         {"2001:db8::1", 0, true},
		"[2001:db8::1]":       {"2001:db8::1", 0, true},
		"[2001:db8::1]:123":   {"2001:db8::1", 123, true},
		"_ntp.local_name":     {"_ntp.local_name", 0, true},
		"[192.0.2.1]":         {"", 0, false},
		"[2001:db8::1]123":    {"", 0, false},
		"time.example:0":      {"", 0, false},
		"time.example:65536":  {"", 0, false},
		"time..example":       {"time..example", 0, false},
		"time@example":        {"time@example", 0, false},
		"1.2.3":               {"1.2.3", 0, false},
		"":                    {"", 0, false},
		"time example":        {"time example", 0, false},
		"time.example:4460:1": {"time.example:4460:1", 0, false},
	} {
		host, port, ok := Split(text)
		if host != want.host || port != want.port || ok != want.ok {
			t.Errorf("%q: got %q %d %t, want %q %d %t", text, host, port, ok, want.host, want.port, want.ok)
		}
	}
}

// FuzzSplit: what is taken apart can be put together again.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"time.example:4460", "[2001:db8::1%eth0]:123", "192.0.2.1", "a.:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, _, ok := Split(s)
		if !ok {
			return
		}
		if again, port, ok := Split(host); again != host || port != 0 || !ok {
			t.Errorf("%q: %q became %q %d %t", s, host, again, port, ok)
		}
		Operator(host)
	})
}
