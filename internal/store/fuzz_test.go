//go:build linux

package store

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"ntsd/internal/clock"
)

func FuzzParseSession(f *testing.F) {
	whole := AppendSession(nil, session(f, "192.0.2.1:4460"))
	f.Add(bytes.TrimRight(whole[:bytes.LastIndex(whole, []byte("sum "))], ""))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = ParseSession(body)
		s, err := ParseSession(appendSum(bytes.Clone(body))) // behind the sum
		if err != nil {
			return
		}
		if again, err := ParseSession(AppendSession(nil, s)); err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("%+v became %+v (%v)", s, again, err)
		}
	})
}

func FuzzParseChronySession(f *testing.F) {
	for _, name := range []string{"chrony-aead15.nts.txt", "chrony-aead30.nts.txt"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseChronySession(b)
		if err != nil {
			return
		}
		s.KEAddr, s.KEPort = netip.IPv6Loopback(), 4460
		if checkSession(s) != nil {
			return
		}
		if again, err := ParseSession(AppendSession(nil, s)); err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("%+v became %+v (%v)", s, again, err)
		}
	})
}

func FuzzParseDrift(f *testing.F) {
	f.Add(AppendDrift(nil, Drift{clock.RatePPM(-248.761), clock.RatePPM(1.271)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDrift(b)
		if err != nil {
			return
		}
		again, err := ParseDrift(AppendDrift(nil, d))
		if err != nil || (again.Frequency-d.Frequency).PPM() > 1e-6 {
			t.Errorf("%v became %v (%v)", d, again, err)
		}
	})
}

func FuzzParseBackoffs(f *testing.F) {
	f.Add([]byte(magicBackoff + "\nke 192.0.2.1:4460 3 1795304179.000000000\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = ParseBackoffs(body)
		all, err := ParseBackoffs(appendSum(bytes.Clone(body)))
		if err != nil {
			return
		}
		if again, err := ParseBackoffs(AppendBackoffs(nil, all)); err != nil || !reflect.DeepEqual(again, all) {
			t.Errorf("%v became %v (%v)", all, again, err)
		}
	})
}

func FuzzSessionName(f *testing.F) {
	f.Add("192.0.2.1_443.nts")
	f.Add("fe80::1%a_1.nts")
	f.Fuzz(func(t *testing.T, name string) {
		if ke, err := parseSessionName(name); err == nil && SessionName(ke) != name {
			t.Errorf("%q: %v has the name %q", name, ke, SessionName(ke))
		}
	})
}
