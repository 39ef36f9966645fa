package demo_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/demo"
	"ntsd/internal/interop"
	"ntsd/internal/nts"
	"ntsd/internal/server"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// tolerance is how far an offset measured over loopback may be off while the
// machine is busy.
const tolerance = 200 * time.Millisecond

// Replies that must come are waited for up to deadline; for those that must not
// come, silence has to do.
const (
	deadline = 10 * time.Second
	silence  = 50 * time.Millisecond
)

func loopback() netip.AddrPort { return netip.MustParseAddrPort("127.0.0.1:0") }

func newTestCA(t *testing.T) *demo.CA {
	t.Helper()
	ca, err := demo.NewCA("test CA", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// startServer starts a server on the loopback interface that ends with the test.
func startServer(t *testing.T, ca *demo.CA, cfg demo.ServerConfig) *demo.Server {
	t.Helper()
	cert, err := ca.Issue(demo.CertSpec{
		Addrs:     []netip.Addr{loopback().Addr()},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Cert, cfg.KEAddr, cfg.NTPAddr = cert, loopback(), loopback()
	s, err := demo.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func mustEstablish(t *testing.T, ca *demo.CA, s *demo.Server, aeads ...siv.Algorithm) nts.Session {
	t.Helper()
	session, err := interop.Establish(t.Context(), ca.Pool(), s.KEAddr(), aeads...)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func TestRoundTrip(t *testing.T) {
	ca := newTestCA(t)
	const ahead = clock.Offset(5 * time.Second)
	s := startServer(t, ca, demo.ServerConfig{Offset: ahead, Stratum: 3})
	for _, alg := range []siv.Algorithm{siv.AESSIVCMAC256, siv.AESSIVCMAC384, siv.AESSIVCMAC512, siv.AES128GCMSIV} {
		session := mustEstablish(t, ca, s, alg)
		if session.AEAD != alg || len(session.Cookies) != nts.MaxCookies || session.NTPAddr != s.NTPAddr() {
			t.Fatalf("%v: got %v, %d cookies, %v; want 8 cookies, %v", alg, session.AEAD,
				len(session.Cookies), session.NTPAddr, s.NTPAddr())
		}
		for range 3 {
			got, err := interop.Exchange(&session, deadline)
			if err != nil {
				t.Fatalf("%v: %v", alg, err)
			}
			if got.Header.Stratum != 3 || (got.Offset-ahead).Abs() > tolerance {
				t.Errorf("%v: got stratum %d, offset %v; want 3, %v", alg, got.Header.Stratum,
					got.Offset.Duration(), ahead.Duration())
			}
			if len(session.Cookies) != nts.MaxCookies {
				t.Errorf("%v: got %d cookies, want %d", alg, len(session.Cookies), nts.MaxCookies)
			}
		}
	}
	s.Close() // so that the last connection is counted to its end
	if st := s.Stats(); st.KEConnections != 4 || st.KEDone != 4 || st.Requests != 12 || st.Replies != 12 ||
		st.Verdicts[server.AnsweredNTS] != 12 || st.NAKs != 0 {
		t.Errorf("stats: got %+v", st)
	}
}

func TestLoseKeys(t *testing.T) {
	ca := newTestCA(t)
	s := startServer(t, ca, demo.ServerConfig{})
	session := mustEstablish(t, ca, s, siv.AESSIVCMAC256)
	if err := s.LoseKeys(); err != nil {
		t.Fatal(err)
	}
	var kiss *interop.KissError
	if _, err := interop.Exchange(&session, deadline); !errors.As(err, &kiss) || kiss.Code != wire.KissNTSN {
		t.Errorf("after LoseKeys: got %v, want %v", err, wire.KissNTSN)
	}
	if got := s.Stats().NAKs; got != 1 {
		t.Errorf("NAKs: got %d, want 1", got)
	}
	session = mustEstablish(t, ca, s, siv.AESSIVCMAC256)
	if _, err := interop.Exchange(&session, deadline); err != nil {
		t.Errorf("with new keys: %v", err)
	}
}

func TestRotateKeys(t *testing.T) {
	ca := newTestCA(t)
	seen := 0 // Stats orders it after the requests
	s := startServer(t, ca, demo.ServerConfig{Seen: func([]byte) { seen++ }})
	session := mustEstablish(t, ca, s, siv.AESSIVCMAC256)
	for i, wantNAK := range []bool{false, true} {
		held := session // the cookies of the first key
		held.Cookies = slices.Clone(session.Cookies)
		if err := s.RotateKeys(); err != nil {
			t.Fatal(err)
		}
		_, err := interop.Exchange(&held, deadline)
		var kiss *interop.KissError
		if got := errors.As(err, &kiss); got != wantNAK || err != nil && !got {
			t.Errorf("after rotation %d: got %v, want a NAK: %v", i+1, err, wantNAK)
		}
	}
	if got := s.Stats().Requests; got != 2 || seen != 2 {
		t.Errorf("got %d requests, %d seen, want 2", got, seen)
	}
}

func TestSetDelay(t *testing.T) {
	ca := newTestCA(t)
	s := startServer(t, ca, demo.ServerConfig{})
	session := mustEstablish(t, ca, s, siv.AESSIVCMAC256)
	const delay = 100 * time.Millisecond
	s.SetDelay(delay)
	begin := time.Now()
	if _, err := interop.Exchange(&session, deadline); err != nil || time.Since(begin) < delay {
		t.Errorf("got %v after %v, want a reply after %v", err, time.Since(begin), delay)
	}
	s.SetDelay(time.Hour)
	if _, err := interop.Exchange(&session, silence); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want no reply", err)
	}
	s.Close() // does not wait for the hour
}

func TestFaults(t *testing.T) {
	ca := newTestCA(t)
	s := startServer(t, ca, demo.ServerConfig{})
	session := mustEstablish(t, ca, s, siv.AES128GCMSIV)
	works := func(when string) {
		t.Helper()
		if _, err := interop.Exchange(&session, deadline); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	silent := func(when string) {
		t.Helper()
		if _, err := interop.Exchange(&session, silence); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: got %v, want no reply", when, err)
		}
	}
	s.DropReplies(1)
	silent("DropReplies")
	works("after DropReplies")
	s.NoReply(true)
	silent("NoReply")
	if _, err := interop.Establish(t.Context(), ca.Pool(), s.KEAddr(), siv.AESSIVCMAC256); err != nil {
		t.Errorf("key establishment with NoReply: %v", err)
	}
	s.NoReply(false)
	works("after NoReply")
	s.Tamper(1)
	if _, err := interop.Exchange(&session, deadline); !errors.Is(err, nts.ErrAuthentic) {
		t.Errorf("Tamper: got %v, want %v", err, nts.ErrAuthentic)
	}
	works("after Tamper")
	s.Pause()
	silent("Pause")
	if _, err := interop.Establish(t.Context(), ca.Pool(), s.KEAddr(), siv.AESSIVCMAC256); err == nil {
		t.Error("key establishment while paused: got none, want an error")
	}
	s.Resume()
	works("after Resume")
	if st := s.Stats(); st.Withheld != 2 || st.Tampered != 1 {
		t.Errorf("stats: got %d withheld, %d tampered; want 2, 1", st.Withheld, st.Tampered)
	}
}

func TestPlain(t *testing.T) {
	s, err := demo.Start(t.Context(), demo.ServerConfig{NTPAddr: loopback(), ReferenceID: wire.ReferenceID{'T', 'E', 'S', 'T'}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := interop.ExchangePlain(s.NTPAddr(), deadline)
	if h := got.Header; err != nil || h.Stratum != 1 || h.ReferenceID.String() != "TEST" {
		t.Errorf("got %+v, %v; want stratum 1, TEST", h, err)
	}
	if s.KEAddr().IsValid() {
		t.Errorf("KE address: got %v, want none", s.KEAddr())
	}
}

func TestRefusals(t *testing.T) {
	ca := newTestCA(t)
	s := startServer(t, ca, demo.ServerConfig{AEADs: []siv.Algorithm{siv.AESSIVCMAC256}})
	if _, err := interop.Establish(t.Context(), ca.Pool(), s.KEAddr(), siv.AESSIVCMAC512); err == nil {
		t.Error("without a common algorithm: got keys, want an error")
	}
	if _, err := interop.Establish(t.Context(), newTestCA(t).Pool(), s.KEAddr(), siv.AESSIVCMAC256); err == nil {
		t.Error("with another authority: got keys, want an error")
	}
	for name, cfg := range map[string]demo.ServerConfig{
		"wildcard NTP": {NTPAddr: netip.MustParseAddrPort("0.0.0.0:0")},
		"wildcard KE":  {NTPAddr: loopback(), KEAddr: netip.MustParseAddrPort("[::]:0")},
		"no cert":      {NTPAddr: loopback(), KEAddr: loopback()},
		"bad AEAD":     {NTPAddr: loopback(), AEADs: []siv.Algorithm{1}},
		"taken":        {NTPAddr: s.NTPAddr()},
	} {
		if s, err := demo.Start(t.Context(), cfg); err == nil {
			s.Close()
			t.Errorf("%s: got a server, want an error", name)
		}
	}
}

// Close must end connections that never send anything, and every goroutine.
func TestCloseJoins(t *testing.T) {
	before := runtime.NumGoroutine()
	s := startServer(t, newTestCA(t), demo.ServerConfig{})
	conn, err := net.Dial("tcp", s.KEAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := interop.ExchangePlain(s.NTPAddr(), deadline); err != nil {
		t.Fatal(err)
	}
	s.Close()
	// A goroutine that has done its last work may still be on its way out.
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if runtime.NumGoroutine() <= before {
			return
		}
	}
	buf := make([]byte, 1<<16)
	t.Errorf("goroutines: got %d, want %d\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
}
