package responder

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ntsd/internal/config"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/server"
	"ntsd/internal/siv"
	"ntsd/internal/snapshot"
	"ntsd/internal/status"
	"ntsd/internal/wire"
)

// keys is the file of cookie keys.
type keys struct {
	path    string
	saved   []server.Rotation
	refused error
}

// Load returns what was saved last.
func (b *bed) Load(string) (server.Rotation, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.keys.refused != nil:
		return server.Rotation{}, b.keys.refused
	case len(b.keys.saved) == 0:
		return server.Rotation{}, fs.ErrNotExist
	}
	return b.keys.saved[len(b.keys.saved)-1], nil
}

func (b *bed) Save(path string, r server.Rotation) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys.path = path
	b.keys.saved = append(b.keys.saved, r)
	return nil
}

func (b *bed) Written() (int, uint64) { return 1, 2 }

// fakeKE stands for an NTS-KE server.
type fakeKE struct {
	cfg     config.NTSServer
	grants  *Grants
	closed  bool
	reloads int
	err     error
}

func (k *fakeKE) Reload() error { k.reloads++; return k.err }
func (k *fakeKE) Counts() (uint64, uint64, status.KECounts) {
	return 5, 2, status.KECounts{Good: 4, Slow: 1, Crowded: 2}
}
func (k *fakeKE) Close() error { k.closed = true; return nil }

func (b *bed) listenKE(cfg config.NTSServer, g *Grants) (KE, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		return nil, b.refuse
	}
	k := &fakeKE{cfg: cfg, grants: g}
	b.kes = append(b.kes, k)
	return k, nil
}

func withNTS(change func(*config.Config)) *config.Config {
	return configuration(func(c *config.Config) {
		c.NTSServer.Enabled = true
		if change != nil {
			change(c)
		}
	})
}

// client holds the keys of a key establishment.
type client struct {
	alg      siv.Algorithm
	c2s, s2c []byte
	random   *rand.ChaCha8
}

func newClient() *client {
	c := &client{alg: siv.AESSIVCMAC256, random: rand.NewChaCha8([32]byte{5})}
	c.c2s, c.s2c = c.bytes(32), c.bytes(32)
	return c
}

func (c *client) bytes(n int) []byte {
	b := make([]byte, n)
	c.random.Read(b)
	return b
}

func (c *client) request(t *testing.T, cookie []byte) []byte {
	t.Helper()
	aead, err := siv.New(c.alg, c.c2s)
	if err != nil {
		t.Fatal(err)
	}
	return nts.AppendClientRequest(nil, plain(), nts.UniqueID(c.bytes(nts.UniqueIDLen)), cookie, 0, aead, c.bytes(16))
}

// authentic sends a request with the cookie and reports whether it was served.
func (b *bed) authentic(t *testing.T, c *client, cookie []byte) bool {
	t.Helper()
	req := b.request("198.51.100.7:4000", plain())
	req.Data = c.request(t, cookie)
	h := parse(t, b.ask(t, b.ports[123][0], req))
	return h.Stratum != 0
}

func TestNTS(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		b.change(func() {
			b.cfg = withNTS(func(c *config.Config) { c.NTSServer.Keep, c.NTSServer.Rotate = 2, time.Hour })
		})
		pass(1500 * time.Millisecond)
		if len(b.kes) != 1 || len(b.keys.saved) != 1 {
			t.Fatalf("got %d KE servers, %d files; want one of each", len(b.kes), len(b.keys.saved))
		}
		g := b.kes[0].grants
		for addr, want := range map[string]bool{"198.51.100.1:9": true, "203.0.113.1:9": false, "127.0.0.1:9": true} {
			if got := g.Admit(netip.MustParseAddrPort(addr)); got != want {
				t.Errorf("admit %s: got %v, want %v", addr, got, want)
			}
		}
		c := newClient()
		cookie, err := g.AppendCookie(nil, c.alg, c.c2s, c.s2c)
		if err != nil {
			t.Fatal(err)
		}
		if !b.authentic(t, c, cookie) {
			t.Error("a fresh cookie is refused")
		}
		pass(2 * time.Hour) // two rotations
		if !b.authentic(t, c, cookie) {
			t.Error("a cookie of the key before last is refused")
		}
		pass(time.Hour)
		if b.authentic(t, c, cookie) {
			t.Error("a cookie of a dropped key is accepted")
		}
		if n := len(b.keys.saved); n != 4 {
			t.Errorf("got %d files, want 4", n)
		}
		s := b.ServerStats()
		if s.Authenticated != 2 || s.Verdicts["nak"] != 1 || s.KEAccepted != 5 || s.KEDropped != 2 || s.KE.Good != 4 || s.KE.Crowded != 2 {
			t.Errorf("stats: got %+v", s)
		}
		if b.kes[0].reloads < 100 {
			t.Errorf("certificates were looked at %d times in 3 h", b.kes[0].reloads)
		}
		b.change(func() { b.cfg = configuration(nil) })
		pass(1500 * time.Millisecond)
		if !b.kes[0].closed {
			t.Error("the KE server is not closed")
		}
		if s := b.ServerStats(); s.KEAccepted != 5 {
			t.Errorf("connections after the end: got %d, want 5", s.KEAccepted)
		}
		req := b.request("198.51.100.7:4000", plain())
		req.Data = c.request(t, cookie)
		if r := b.ask(t, b.ports[123][0], req); len(r) != 0 {
			t.Error("NTS is answered though it is off")
		}
	})
}

// The keys survive a restart; nothing rotates before the time is known.
func TestCookieKeysAreKept(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		old := server.Rotation{Made: base().Add(-100 * time.Hour), Keys: []nts.CookieKey{{ID: 7}}}
		b.change(func() {
			b.keys.saved = []server.Rotation{old}
			b.sys = snapshot.System{Leap: event.LeapUnsynchronised}
			b.cfg = withNTS(nil)
		})
		for _, unknown := range []snapshot.System{{Leap: event.LeapUnsynchronised}, {Local: true, Stratum: 10}, {Orphan: true, Stratum: 11}} {
			b.change(func() { b.sys = unknown })
			pass(time.Hour)
			if len(b.keys.saved) != 1 {
				t.Errorf("rotated %d times by the time of %+v", len(b.keys.saved)-1, unknown)
			}
		}
		ring, err := nts.NewKeyring(old.Keys[0])
		if err != nil {
			t.Fatal(err)
		}
		c := newClient()
		cookie, err := b.kes[0].grants.AppendCookie(nil, c.alg, c.c2s, c.s2c)
		if err != nil {
			t.Fatal(err)
		}
		var opened nts.Keys
		if err := ring.Open(cookie, &opened); err != nil {
			t.Errorf("a new cookie is not sealed under the kept key: %v", err)
		}
		b.change(func() { b.sys = goodSystem() })
		pass(3 * time.Second)
		if n := len(b.keys.saved); n != 2 || len(b.keys.saved[1].Keys) != 2 || b.keys.saved[1].Keys[1].ID != 7 {
			t.Errorf("after synchronisation: got %v, want one rotation that keeps key 7", b.keys.saved)
		}
	})
}

func TestDamagedKeyFile(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		b.change(func() { b.keys.refused, b.cfg = errors.New("permissions too open"), withNTS(nil) })
		pass(time.Minute)
		if n := strings.Count(b.log.String(), "permissions too open"); n != 1 {
			t.Errorf("told %d times, want once:\n%s", n, b.log.String())
		}
		if len(b.keys.saved) != 1 {
			t.Errorf("got %d new keys, want 1", len(b.keys.saved))
		}
	})
}

// A fleet's file that is refused is not overwritten: the other members have the
// keys that are in it. Once it is in order it is used.
func TestDamagedFleetFile(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		b.change(func() {
			b.keys.refused = errors.New("permissions too open")
			b.cfg = withNTS(func(c *config.Config) { c.NTSServer.KeysFile = "/shared" })
		})
		pass(time.Hour)
		if n := strings.Count(b.log.String(), "permissions too open"); n != 1 || len(b.keys.saved) != 0 {
			t.Errorf("told %d times, want once; overwritten %d times, want never:\n%s", n, len(b.keys.saved), b.log.String())
		}
		now, _ := b.Now()
		b.change(func() {
			b.keys.refused = nil
			b.keys.saved = []server.Rotation{{Made: now.Wall, Keys: []nts.CookieKey{{ID: 7}}}}
		})
		pass(time.Minute)
		ring := keyring(b.state.Load().keys, true)
		if ring == nil || len(b.keys.saved) != 1 {
			t.Errorf("got ring %v, %d saved; want the keys of the file", ring, len(b.keys.saved))
		}
	})
}

func TestKECannotListen(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		b.change(func() { b.refuse, b.cfg = errors.New("key is open to everybody"), withNTS(nil) })
		pass(time.Minute)
		if n := strings.Count(b.log.String(), "open to everybody"); n != 1 {
			t.Errorf("told %d times, want once:\n%s", n, b.log.String())
		}
		b.change(func() { b.refuse = nil })
		pass(11 * time.Second)
		if len(b.kes) != 1 {
			t.Fatalf("got %d KE servers, want 1", len(b.kes))
		}
		b.change(func() { b.kes[0].err = errors.New("does not fit the key") })
		pass(time.Minute)
		b.change(func() { b.kes[0].err = nil })
		pass(time.Minute)
		for _, line := range []string{"does not fit the key", "the change is followed now"} {
			if n := strings.Count(b.log.String(), line); n != 1 {
				t.Errorf("%q told %d times, want once:\n%s", line, n, b.log.String())
			}
		}
	})
}

// What keeps the server from listening once the time is known is told, too.
func TestKECannotListenAfterWaiting(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		b.change(func() { b.refuse, b.cfg = ErrNotYet, withNTS(nil) })
		pass(time.Minute)
		b.change(func() { b.refuse = errors.New("another program listens there") })
		pass(time.Minute)
		for _, line := range []string{"once the clock is right", "another program listens there"} {
			if n := strings.Count(b.log.String(), line); n != 1 {
				t.Errorf("%q told %d times, want once:\n%s", line, n, b.log.String())
			}
		}
	})
}

// A KE server beside an NTP server on another port names that port; a KE-only
// instance opens no NTP port.
func TestKEAlone(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		b.change(func() { b.cfg = withNTS(func(c *config.Config) { c.Serve.Ports = []uint16{1123} }) })
		pass(1500 * time.Millisecond)
		if got := b.kes[0].cfg.NTPPort; got != 1123 {
			t.Errorf("NTP port named: got %d, want 1123", got)
		}
		b.change(func() {
			b.cfg = withNTS(func(c *config.Config) {
				c.Serve.Enabled, c.NTSServer.NTPServer, c.NTSServer.NTPPort = false, "ntp.example.net", 123
			})
		})
		pass(1500 * time.Millisecond)
		if s := b.ServerStats(); len(s.Ports) != 0 {
			t.Errorf("got ports %v, want none", s.Ports)
		}
		if len(b.kes) != 2 || !b.kes[0].closed || b.kes[1].closed || b.kes[1].cfg.NTPServer != "ntp.example.net" {
			t.Errorf("the KE server was not restarted with the new name")
		}
	})
}

func TestKERateLimit(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		b.change(func() {
			b.cfg = withNTS(func(c *config.Config) {
				c.NTSServer.RateLimit = config.RateLimit{Enabled: true, Interval: 6, Burst: 8, Leak: 4}
			})
		})
		pass(1500 * time.Millisecond)
		admitted := 0
		for range 100 {
			if b.kes[0].grants.Admit(netip.MustParseAddrPort("198.51.100.1:9")) {
				admitted++
			}
		}
		if admitted < 8 || admitted > 25 {
			t.Errorf("admitted %d of 100 at once, want 8 and what leaks", admitted)
		}
	})
}

// Clients are counted in one table, whatever they ask for.
func TestClientsOfBoth(t *testing.T) {
	for _, workers := range []int{1, 3} {
		run(t, workers, func(t *testing.T, b *bed) {
			b.change(func() { b.cfg = withNTS(nil) })
			pass(1500 * time.Millisecond)
			for i := range 3 {
				b.kes[0].grants.Admit(netip.MustParseAddrPort("198.51.100.1:9"))
				if i < 2 {
					parse(t, b.ask(t, b.ports[123][0], b.request("198.51.100.2:4000", plain())))
				}
				pass(4 * time.Second)
			}
			b.kes[0].grants.Admit(netip.MustParseAddrPort("198.51.100.2:9"))
			check := func(what string, got []status.Client, want ...string) {
				t.Helper()
				var rows []string
				for _, c := range got {
					rows = append(rows, fmt.Sprintf("%s %d %g %d %g %g", c.Address, c.Requests, c.LastS, c.KE, c.KEIntervalS, c.KELastS))
				}
				if !slices.Equal(rows, want) {
					t.Errorf("%s: got %q, want %q", what, rows, want)
				}
			}
			first, second := "198.51.100.1 0 -1 3 4 4", "198.51.100.2 2 8 1 0 0"
			check("all", b.Clients(0, false), first, second)
			check("three times or more", b.Clients(3, true), first)
			check("after these were reset", b.Clients(0, false), "198.51.100.1 0 -1 0 4 4", second)
			check("twice or more", b.Clients(2, false), second)
			b.Clients(0, true)
			check("after all were reset", b.Clients(1, false))
		})
	}
}

// Whoever asks in interleaved mode with NTS is told when the reply before left.
func TestInterleavedNTSRequest(t *testing.T) {
	run(t, 2, func(t *testing.T, b *bed) {
		b.change(func() { b.cfg = withNTS(nil) })
		pass(1500 * time.Millisecond)
		c := newClient()
		cookie, err := b.kes[0].grants.AppendCookie(nil, c.alg, c.c2s, c.s2c)
		if err != nil {
			t.Fatal(err)
		}
		req := b.request("198.51.100.7:4000", plain())
		req.Data = c.request(t, cookie)
		first := parse(t, b.ask(t, b.ports[123][0], req))
		aead, err := siv.New(c.alg, c.c2s)
		if err != nil {
			t.Fatal(err)
		}
		h := wire.Header{Version: 4, Mode: wire.ModeClient, Origin: first.Receive, Receive: 9, Transmit: 10}
		req.Data = nts.AppendClientRequest(nil, h, nts.UniqueID(c.bytes(32)), cookie, 0, aead, c.bytes(16))
		second := parse(t, b.ask(t, b.ports[123][1], req))
		if second.Origin != 9 || second.Transmit != first.Transmit {
			t.Errorf("got %+v, want interleaved", second)
		}
	})
}

// A fleet's keys move on by the clock, from the file; a member that serves NTP
// only has them too, and a mad clock does not move them.
func TestFleetKeys(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		now, _ := b.Now()
		first := server.Rotation{}.Next(now.Wall.Add(-90*time.Minute), [nts.CookieKeyLen]byte{9}, 2)
		b.change(func() {
			b.keys.saved = []server.Rotation{first}
			b.cfg = configuration(func(c *config.Config) {
				c.NTSServer.KeysFile, c.NTSServer.Rotate = "/shared", time.Hour
			})
		})
		pass(1500 * time.Millisecond)
		if len(b.kes) != 0 {
			t.Error("keys are established though that is off")
		}
		want := first.Step(time.Hour, 10)
		if n := len(b.keys.saved); n != 2 || b.keys.saved[1].Keys[0] != want.Keys[0] || b.keys.path != "/shared" {
			t.Fatalf("got %v in %q, want one step to %v", b.keys.saved, b.keys.path, want.Keys[0])
		}
		// Another member is a step ahead already.
		other, err := nts.NewKeyring(want.Step(time.Hour, 10).Keys[0])
		if err != nil {
			t.Fatal(err)
		}
		c := newClient()
		cookie := other.Seal(nil, c.alg, c.c2s, c.s2c, [nts.CookieNonceLen]byte{})
		if !b.authentic(t, c, cookie) {
			t.Error("a cookie of the next key is refused")
		}
		b.change(func() { b.keys.saved[1].Made = base().Add(-30 * 365 * 24 * time.Hour) })
		b.change(func() {
			b.cfg = configuration(func(c *config.Config) {
				c.NTSServer.KeysFile, c.NTSServer.Rotate = "/shared", time.Hour
			})
		})
		pass(1500 * time.Millisecond)
		if len(b.keys.saved) != 2 || strings.Count(b.log.String(), "this clock is mad") != 1 {
			t.Errorf("a mad clock moved the keys on:\n%s", b.log.String())
		}
	})
}
