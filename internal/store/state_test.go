//go:build linux

package store

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/nts"
)

func TestReserve(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reserve")
	if all, err := LoadReserve(path); all != nil || err != nil {
		t.Errorf("missing: got %v %v, want nothing", all, err)
	}
	first, second := session(t, "192.0.2.1:4460"), session(t, "[2001:db8::1]:443")
	tentative, timeless, empty := first, first, first
	tentative.Strict = false
	timeless.NotBefore, timeless.NotAfter = 0, 0
	empty.Cookies = nil
	if err := SaveReserve(path, []nts.Session{tentative, first, timeless, empty, second}); err != nil {
		t.Fatal(err)
	}
	want := []nts.Session{first, second}
	for i := range want {
		want[i].Cookies = want[i].Cookies[:ReserveCookies]
	}
	got, err := LoadReserve(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v %v\nwant %+v", got, err, want)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode() != PrivatePerm {
		t.Errorf("mode %v, want %v", fi.Mode(), PrivatePerm)
	}
	if len(first.Cookies) != nts.MaxCookies {
		t.Errorf("the caller's session lost cookies: %d left", len(first.Cookies))
	}

	// Spending: the file loses the cookie before anybody sends it.
	cookie, _ := got[0].TakeCookie()
	if err := SaveReserve(path, got); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || strings.Contains(string(b), hex.EncodeToString(cookie)) {
		t.Error("the spent cookie is still in the file")
	}
	if again, err := LoadReserve(path); err != nil || len(again) != 2 || len(again[0].Cookies) != 1 || bytes.Equal(again[0].Cookies[0], cookie) {
		t.Errorf("after spending one: %+v %v", again, err)
	}
	if err := SaveReserve(path, []nts.Session{empty}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("an empty reserve: %v, want no file", err)
	}
}

func TestReserveIsReadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reserve")
	var all []nts.Session
	for i := range maxTogether + 1 {
		s := session(t, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 4460).String())
		for j := range s.Cookies {
			s.Cookies[j] = make([]byte, nts.MaxCookieLen)
		}
		all = append(all, s)
	}
	if err := SaveReserve(path, all); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadReserve(path); err != nil || len(got) == 0 {
		t.Errorf("the largest reserve: %d sessions, %v", len(got), err)
	}
}

func TestReserveDamaged(t *testing.T) {
	s := session(t, "192.0.2.1:4460")
	s.Cookies = s.Cookies[:1]
	one := AppendSession(nil, s)
	two := AppendSession(bytes.Clone(one), s)
	for n := 1; n < len(two); n++ {
		if n == len(one) {
			continue
		}
		if _, err := ParseReserve(two[:n]); err == nil {
			t.Fatalf("cut to %d bytes: accepted", n)
		}
	}
	for i := range two {
		c := bytes.Clone(two)
		c[i] ^= 1 << (i % 8)
		if _, err := ParseReserve(c); err == nil {
			t.Fatalf("bit turned in byte %d: accepted", i)
		}
	}
	s.Strict = false
	p := put(t, "reserve", 0o600, string(AppendSession(nil, s)))
	_, err := LoadReserve(p)
	refused(t, err, p, Damaged)
	s = session(t, "192.0.2.1:4460")
	p = put(t, "reserve", 0o600, string(AppendSession(nil, s)))
	_, err = LoadReserve(p) // eight cookies
	refused(t, err, p, Damaged)
	if _, err := ParseReserve(bytes.Repeat(one, maxTogether+1)); err == nil {
		t.Errorf("%d sessions: accepted", maxTogether+1)
	}
}

func fullState() State {
	return State{
		Drift: Drift{clock.RatePPM(-248.761), clock.RatePPM(1.271)}, DriftKnown: true,
		Time: clock.WallUnix(1<<33, 7), TimeError: time.Millisecond,
		Hosts: []Host{
			{"time.example", []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}},
			{"other.example", []netip.Addr{netip.MustParseAddr("192.0.2.9")}},
		},
		Backoffs: []Backoff{{netip.MustParseAddrPort("192.0.2.1:4460"), 3, clock.WallUnix(1<<32, 5)}},
	}
}

func TestState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	for _, want := range []State{{}, fullState()} {
		got, err := LoadState(path) // missing at first, then the zero State
		if err != nil || !reflect.DeepEqual(got, State{}) {
			t.Errorf("got %+v %v, want nothing", got, err)
		}
		if err := SaveState(path, want); err != nil {
			t.Fatal(err)
		}
		if got, err = LoadState(path); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v %v\nwant %+v", got, err, want)
		}
	}
}

func TestStateBounds(t *testing.T) {
	s := State{Hosts: []Host{{Name: "bad name", Addrs: fullState().Hosts[0].Addrs}, {Name: "none.example"}}}
	for range maxHosts + 5 {
		h := Host{Name: strings.Repeat("x", maxName)}
		for range maxHostAddrs + 5 {
			h.Addrs = append(h.Addrs, netip.MustParseAddr("2001:db8:1111:2222:3333:4444:5555:6666"))
		}
		s.Hosts = append(s.Hosts, h)
		s.Backoffs = append(s.Backoffs, fullState().Backoffs...)
	}
	b := AppendState(nil, s)
	got, err := ParseState(b)
	if err != nil || len(got.Hosts) != maxHosts || len(got.Hosts[0].Addrs) != maxHostAddrs || len(got.Backoffs) != MaxBackoffs {
		t.Errorf("%d hosts, %d backoffs, %v; want the bounds", len(got.Hosts), len(got.Backoffs), err)
	}
	if len(b) > maxStateFile {
		t.Errorf("the largest state has %d bytes, the limit is %d", len(b), maxStateFile)
	}
}

func TestStateDamaged(t *testing.T) {
	b := AppendState(nil, fullState())
	for n := range b {
		if _, err := ParseState(b[:n]); err == nil {
			t.Fatalf("cut to %d bytes: accepted", n)
		}
	}
	for _, line := range []string{
		"", "drift 1", "drift 1 -1", "time 1", "time x 1", "time 1 -1", "time 1 1\ntime 2 2", "drift 1 1\ndrift 1 1",
		"host", "host x", "host x y", "host x 192.0.2.1 ", "ke", "ke x 1 1", "future 1",
	} {
		p := put(t, "state", 0o600, string(appendSum([]byte(magicState+"\n"+line+"\n"))))
		_, err := LoadState(p)
		refused(t, err, p, Damaged)
	}
}

func FuzzParseState(f *testing.F) {
	b := AppendState(nil, fullState())
	f.Add(b[:bytes.LastIndex(b, []byte("sum "))])
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = ParseState(body)
		s, err := ParseState(appendSum(bytes.Clone(body)))
		if err != nil {
			return
		}
		// The drift is rounded by the first writing, then it stays.
		written := AppendState(nil, s)
		again, err := ParseState(written)
		if err != nil || !bytes.Equal(AppendState(nil, again), written) {
			t.Errorf("%+v became %+v (%v)", s, again, err)
		}
	})
}

func FuzzParseReserve(f *testing.F) {
	s := session(f, "192.0.2.1:4460")
	s.Cookies = s.Cookies[:1]
	one := AppendSession(nil, s)
	f.Add(one)
	f.Add(append(bytes.Clone(one), one...))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := ParseReserve(b)
		if err != nil {
			return
		}
		var out []byte
		for _, s := range all {
			out = AppendSession(out, s)
		}
		if again, err := ParseReserve(out); err != nil || !reflect.DeepEqual(again, all) {
			t.Errorf("%+v became %+v (%v)", all, again, err)
		}
	})
}
