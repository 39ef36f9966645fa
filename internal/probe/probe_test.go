package probe

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/event"
	"ntsd/internal/mac"
	"ntsd/internal/wire"
)

// run tests "time.example" in w, or what the directive says.
func (w *world) run(t *testing.T, text string, tell func(Result)) Result {
	t.Helper()
	target, err := ParseTarget(text)
	if err != nil {
		t.Fatal(err)
	}
	return w.prober().Run(t.Context(), target, tell)
}

// TestGoodServer: everything is found out with a dozen packets at most, of which
// no two spend the same cookie.
func TestGoodServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var steps []string
		r := w.run(t, "time.example", func(r Result) { steps = append(steps, r.Step) })
		if !r.OK || r.Running || r.Error != "" || r.Address != "192.0.2.1" || !r.Addresses[0].Tried {
			t.Errorf("got %+v", r)
		}
		if k := r.KE; k.ConnectS != 0.001 || k.AEAD != 15 || k.Cookies != 8 || k.CookieBytes != 96 || k.NTPServer != "192.0.2.1" || k.NTPPort != 123 || k.NextProtocol != "NTPv4" {
			t.Errorf("key establishment: got %+v", k)
		}
		if c := r.Certificate; c.Subject != "leaf" || !c.Verified || len(c.Chain) != 1 {
			t.Errorf("certificate: got %+v", c)
		}
		n := r.NTP
		if !n.Authenticated || n.Stratum != 2 || n.Reference != "10.0.0.1" || n.RequestBytes != 224 || n.ReplyBytes != 224 || n.Cookies != 1 || n.Sent != "Kernel" {
			t.Errorf("measurement: got %+v", n)
		}
		if got, want := n.OffsetS, ahead.Seconds(); !near(got, want) {
			t.Errorf("offset: got %v, want %v", got, want)
		}
		if got, want := n.ErrorBoundS, 0.002+0.005+0.003; !near(got, want) || !near(n.DelayS, 0.004) {
			t.Errorf("bound %v, want %v; delay %v", got, want, n.DelayS)
		}
		var lengths []int
		for _, l := range r.Lengths {
			lengths = append(lengths, l.Bytes)
		}
		if want := []int{224, 324, 524, 724, 924}; !slices.Equal(lengths, want) || r.SizeLoss == nil || r.SizeLoss.Suspected {
			t.Errorf("lengths: got %v, %+v; want %v", lengths, r.SizeLoss, want)
		}
		if len(w.requests) != 5 || len(steps) != 4 {
			t.Errorf("%d requests, steps %q", len(w.requests), steps)
		}
		cookies := make(map[string]bool)
		for _, q := range w.requests {
			exts := wire.PacketExtensions(q)
			for x, ok := exts.Next(); ok; x, ok = exts.Next() {
				if x.Type == 0x0204 { // NTS cookie, RFC 8915 section 7.5
					if cookies[string(x.Body)] {
						t.Error("a cookie was spent twice")
					}
					cookies[string(x.Body)] = true
				}
			}
		}
	})
}

// near allows for the short format, in which root delay and dispersion travel.
func near(a, b float64) bool { return a-b < 32e-6 && b-a < 32e-6 }

// TestFailures: each failure has its words, ends in time, and what was known
// before it is there.
func TestFailures(t *testing.T) {
	second := netip.MustParseAddr("2001:db8::2")
	for _, c := range []struct {
		name  string
		text  string
		edit  func(*world)
		error string // empty: it works
		check func(t *testing.T, w *world, r Result)
	}{
		{"no such name", "nowhere.example", nil, "nowhere.example has no address: no such host", nil},
		{"nobody establishes keys", "time.example", func(w *world) { w.dead = map[netip.Addr]bool{w.addrs[0]: true} }, "refused the connection", func(t *testing.T, _ *world, r Result) {
			if r.KE == nil || r.KE.ConnectS != 0 || r.NTP != nil || r.Addresses[0].Error == "" {
				t.Errorf("got %+v", r)
			}
		}},
		{"the other family works", "time.example", func(w *world) {
			w.dead = map[netip.Addr]bool{w.addrs[0]: true}
			w.addrs = append(w.addrs, netip.MustParseAddr("192.0.2.9"), second)
		}, "", func(t *testing.T, w *world, r Result) {
			if r.Address != second.String() || w.kes != 2 || r.Addresses[0].Error == "" || r.Addresses[1].Tried || !r.Addresses[2].Tried {
				t.Errorf("got %+v after %d key establishments", r.Addresses, w.kes)
			}
		}},
		{"the one that came furthest is told of", "time.example", func(w *world) {
			w.dead = map[netip.Addr]bool{second: true}
			w.addrs = append(w.addrs, second)
			w.sys.Stratum = 16
		}, "not synchronised itself", func(t *testing.T, w *world, r Result) {
			if r.Address != "192.0.2.1" || r.NTP == nil || !r.Addresses[1].Tried || !strings.Contains(r.Addresses[1].Error, "refused") {
				t.Errorf("got %+v", r)
			}
		}},
		{"a negotiated server", "time.example", func(w *world) {
			w.host, w.hosts = "ntp.example", map[string][]netip.Addr{"ntp.example": {second}}
		}, "", func(t *testing.T, _ *world, r Result) {
			if r.NTP.Address != second.String() || r.NTP.Port != 1123 || r.KE.NTPServer != "ntp.example" {
				t.Errorf("got %+v, %+v", r.NTP, r.KE)
			}
		}},
		{"a negotiated server that is nowhere", "time.example", func(w *world) { w.host = "ntp.example" }, "ntp.example that the key establishment named has no address", nil},
		{"nothing comes back", "time.example", func(w *world) {
			w.path = func(_, _ []byte) []byte { return nil }
		}, "does not answer: UDP may be blocked", func(t *testing.T, w *world, r Result) {
			if len(w.requests) != firstTries+1 || r.SizeLoss == nil || r.SizeLoss.Suspected {
				t.Errorf("%d requests, %+v", len(w.requests), r.SizeLoss)
			}
		}},
		{"nothing comes back from anywhere", "time.example", func(w *world) {
			for i := range byte(maxAsked) {
				w.addrs = append(w.addrs, netip.AddrFrom4([4]byte{192, 0, 2, 100 + i}))
			}
			w.path = func(_, _ []byte) []byte { return nil }
		}, "does not answer: UDP may be blocked", func(t *testing.T, w *world, _ Result) {
			if len(w.requests) != maxRequests {
				t.Errorf("%d requests, want the bound to be reached", len(w.requests))
			}
		}},
		{"only plain NTP passes", "time.example", func(w *world) {
			w.path = func(q, reply []byte) []byte { return reply[:len(reply)*min(1, 100/len(q))] }
		}, "answers plain NTP, but no NTS request: requests longer than 48 bytes get no reply", func(t *testing.T, _ *world, r Result) {
			if !r.SizeLoss.Suspected || r.SizeLoss.Above != 48 || r.NTP != nil {
				t.Errorf("got %+v", r.SizeLoss)
			}
		}},
		{"long requests get lost", "time.example", func(w *world) {
			w.path = func(q, reply []byte) []byte {
				if len(q) > 600 {
					return nil
				}
				return reply
			}
		}, "", func(t *testing.T, w *world, r Result) {
			if s := r.SizeLoss; s == nil || !s.Suspected || s.Above != 524 || len(w.requests) != 7 {
				t.Errorf("got %+v after %d requests", s, len(w.requests))
			}
		}},
		{"keys exported the old way", "time.example", func(w *world) { w.alternate = true }, "", func(t *testing.T, w *world, r Result) {
			if !r.NTP.Authenticated || len(w.requests) != 6 || r.Lengths[0].Sent != 1 {
				t.Errorf("got %+v after %d requests, lengths %+v", r.NTP, len(w.requests), r.Lengths)
			}
		}},
		{"other cookie keys", "time.example", func(w *world) {
			w.path = func(_, reply []byte) []byte {
				if len(w.requests) > 1 {
					return reply
				}
				w.core.SetCookies(newRing())
				return nil
			}
		}, "does not know its own cookies", nil},
		{"forged", "time.example", func(w *world) { w.path = forged }, "not authentic", nil},
		{"stripped", "time.example", func(w *world) {
			w.path = func(_, reply []byte) []byte { return reply[:wire.HeaderLen] }
		}, "has no NTS fields", nil},
		{"rate", "server time.example", func(w *world) {
			w.path = func(_, reply []byte) []byte {
				return withHeader(reply, func(h *wire.Header) { h.Stratum, h.ReferenceID = 0, wire.ReferenceID{'R', 'A', 'T', 'E'} })
			}
		}, "limits how often it is asked", nil},
		{"the first address limits, the second answers", "time.example", func(w *world) {
			w.addrs = append(w.addrs, second)
			w.path = func(_, reply []byte) []byte {
				if len(w.requests) > 1 {
					return reply
				}
				kiss := withHeader(reply, func(h *wire.Header) { h.Stratum, h.ReferenceID = 0, wire.ReferenceID{'R', 'A', 'T', 'E'} })
				return append(kiss, reply[wire.HeaderLen:wire.HeaderLen+36]...) // and the unique identifier
			}
		}, "", func(t *testing.T, _ *world, r Result) {
			if r.Address != second.String() || !strings.Contains(r.Addresses[0].Error, "RATE") {
				t.Errorf("got %+v", r.Addresses)
			}
			if len(r.Lengths) != 5 || r.SizeLoss == nil || r.SizeLoss.Verdict != "requests of 224 to 924 bytes got replies" {
				t.Errorf("lengths: got %+v, %+v; want all of them tried at the second address", r.Lengths, r.SizeLoss)
			}
		}},
		{"denied", "server time.example", func(w *world) {
			w.path = func(_, reply []byte) []byte {
				return withHeader(reply, func(h *wire.Header) { h.Stratum, h.ReferenceID = 0, wire.ReferenceID{'D', 'E', 'N', 'Y'} })
			}
		}, "refuses to answer (DENY)", nil},
		{"not synchronised", "server time.example", func(w *world) { w.sys.Stratum = 16 }, "not synchronised itself", func(t *testing.T, _ *world, r Result) {
			if r.NTP == nil || !near(r.NTP.OffsetS, ahead.Seconds()) {
				t.Errorf("got %+v", r.NTP)
			}
		}},
		{"a key that is not known", "server time.example key 7", nil, "key 7 is not known here", func(t *testing.T, w *world, _ Result) {
			if len(w.requests) != 0 {
				t.Error("a request was sent without it")
			}
		}},
		{"plain", "server time.example", nil, "", func(t *testing.T, w *world, r Result) {
			if r.KE != nil || r.NTP.Authenticated || w.kes != 0 || len(w.requests) != 1 || r.SizeLoss != nil {
				t.Errorf("got %+v, %d requests", r, len(w.requests))
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				if c.edit != nil {
					c.edit(w)
				}
				began := time.Now()
				r := w.run(t, c.text, nil)
				if took := time.Since(began); took > Timeout {
					t.Errorf("took %v", took)
				}
				if r.OK != (c.error == "") || !strings.Contains(r.Error, c.error) {
					t.Errorf("got %v, %q; want %q", r.OK, r.Error, c.error)
				}
				if len(w.requests) > maxRequests {
					t.Errorf("%d requests", len(w.requests))
				}
				if c.check != nil {
					c.check(t, w, r)
				}
				var text strings.Builder
				if err := Render(&text, r); err != nil || !strings.Contains(text.String(), "Result          : ") {
					t.Errorf("%v\n%s", err, text.String())
				}
			})
		})
	}
}

// TestSymmetricKey: requests carry a MAC under the key that the source names, and
// only replies with one count.
func TestSymmetricKey(t *testing.T) {
	secret := func(text string) *mac.Secret {
		key, err := mac.ParseSecret(text)
		if err != nil {
			t.Fatal(err)
		}
		return &mac.Secret{ID: 7, Type: mac.AES128, Value: key}
	}
	right, wrong := secret("HEX:00112233445566778899aabbccddeeff"), secret("HEX:ffeeddccbbaa99887766554433221100")
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			key   *mac.Secret
			forge func(_, reply []byte) []byte
			error string
		}{{right, nil, ""}, {right, forged, "not authentic"}, {wrong, nil, "does not know the symmetric key"}} {
			w := newWorld()
			w.path = func(request, _ []byte) []byte {
				k, err := mac.New(right)
				if err != nil {
					t.Fatal(err)
				}
				reply := w.answer(request[:wire.HeaderLen])
				if !k.Verify(request, mac.Of(request)) {
					return append(reply, 0, 0, 0, 0) // crypto-NAK
				}
				reply = k.Append(reply)
				if c.forge != nil {
					reply = c.forge(nil, reply)
				}
				return reply
			}
			target, err := ParseTarget("server time.example key 7")
			if err != nil {
				t.Fatal(err)
			}
			target.Key = c.key
			r := w.prober().Run(t.Context(), target, nil)
			if r.OK != (c.error == "") || !strings.Contains(r.Error, c.error) || r.OK && !r.NTP.Authenticated {
				t.Errorf("got %+v", r)
			}
		}
	})
}

// TestConclude: loss is by length only when everything up to one length got
// through and nothing above it, twice.
func TestConclude(t *testing.T) {
	for _, c := range []struct {
		name      string
		all       []Length
		suspected bool
		above     int
		words     string
	}{
		{"nothing", nil, false, 0, ""},
		{"one", []Length{{Bytes: 48, Sent: 1, Answered: 1}}, false, 0, ""},
		{"all", []Length{{Bytes: 100, Sent: 1, Answered: 1}, {Bytes: 200, Sent: 2, Answered: 2}}, false, 0, "requests of 100 to 200 bytes got replies"},
		{"above one", []Length{{Bytes: 100, Sent: 1, Answered: 1}, {Bytes: 200, Sent: 2}, {Bytes: 300, Sent: 2}}, true, 100, "longer than 100 bytes"},
		{"one packet is no proof", []Length{{Bytes: 100, Sent: 1, Answered: 1}, {Bytes: 200, Sent: 1}}, false, 0, "1 of 2 requests got no reply"},
		{"a longer one came", []Length{{Bytes: 100, Sent: 1, Answered: 1}, {Bytes: 200, Sent: 2}, {Bytes: 300, Sent: 1, Answered: 1}}, false, 0, "whatever their length"},
		{"even the shortest", []Length{{Bytes: 100, Sent: 2}, {Bytes: 200, Sent: 2}}, false, 0, "4 of 4"},
		{"some luck", []Length{{Bytes: 100, Sent: 2, Answered: 1}, {Bytes: 200, Sent: 2}}, true, 100, "longer than 100 bytes"},
	} {
		got := conclude(c.all, "")
		switch {
		case got == nil && c.words == "":
		case got == nil || got.Suspected != c.suspected || got.Above != c.above || !strings.Contains(got.Verdict, c.words):
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}

// TestParseTarget: a name means NTS, a directive what it says, and what is no
// server is refused in words.
func TestParseTarget(t *testing.T) {
	for _, c := range []struct {
		text    string
		name    string
		nts     bool
		ntsPort uint16
		port    uint16
		family  event.Family
		err     string
	}{
		{"time.example", "time.example", true, 4460, 123, event.FamilyAny, ""},
		{"time.example:123", "time.example", true, 123, 123, event.FamilyAny, ""},
		{"[2001:db8::1]:4461", "2001:db8::1", true, 4461, 123, event.FamilyAny, ""},
		{"time.example ipv6", "time.example", true, 4460, 123, event.FamilyIPv6, ""},
		{"server time.example", "time.example", false, 4460, 123, event.FamilyAny, ""},
		{"server time.example nts ntsport 4461 ipv4", "time.example", true, 4461, 123, event.FamilyIPv4, ""},
		{"server time.example port 11123", "time.example", false, 4460, 11123, event.FamilyAny, ""},
		{"", "", false, 0, 0, 0, "a server is needed"},
		{"server", "", false, 0, 0, 0, "hostname"},
		{"time.example nonsense", "", false, 0, 0, 0, "'nonsense'"},
		{"server time.example nts ntsport 0", "", false, 0, 0, 0, "ntsport"},
		{"bad_name!", "", false, 0, 0, 0, "bad_name!"},
	} {
		got, err := ParseTarget(c.text)
		s := got.Source
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: got %+v, %v; want %q", c.text, s, err, c.err)
			}
			continue
		}
		if err != nil || s.Name != c.name || s.NTS != c.nts || s.NTSPort != c.ntsPort || s.Port != c.port || s.Family != c.family || !got.System {
			t.Errorf("%q: got %+v, %v", c.text, s, err)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"time.example", "[::1]:4460", "server x nts", "pool x", "\x00", "server x nts ca /a noval"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := ParseTarget(s); err == nil && got.Source.Name == "" {
			t.Errorf("%q: a target without a name", s)
		}
	})
}
