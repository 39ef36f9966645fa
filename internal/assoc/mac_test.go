package assoc

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"ntsd/internal/mac"
	"ntsd/internal/wire"
)

// withKey returns a configuration with a key, and the server's copy of that.
func withKey(t testing.TB, kind mac.Type) (Config, *mac.Key) {
	t.Helper()
	s := &mac.Secret{ID: 7, Type: kind, Value: []byte("0123456789abcdef")}
	if kind == mac.AES256 {
		s.Value = append(s.Value, s.Value...)
	}
	k, err := mac.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return Config{Key: s}, k
}

// TestSymmetricKey: requests carry a MAC and samples of replies with one count
// as authenticated, by no certificate.
func TestSymmetricKey(t *testing.T) {
	for _, kind := range []mac.Type{mac.MD5, mac.SHA1, mac.SHA256, mac.SHA384, mac.SHA512, mac.AES128, mac.AES256} {
		cfg, k := withKey(t, kind)
		b := newBench(t, cfg)
		req := b.poll()
		if m := mac.Of(req.Data); len(req.Data) != wire.HeaderLen+k.Len() || !k.Verify(req.Data, m) {
			t.Fatalf("%v: request % x", kind, req.Data)
		}
		if v := b.reply(req, k.Append(b.header(req).Append(nil))); v != VerdictAccepted {
			t.Errorf("%v: got %v", kind, v)
		}
		if a := b.a; !a.Authenticated() || a.Certified() || a.Strict() || !a.Last().Authenticated {
			t.Errorf("%v: authenticated %v, certified %v, strict %v", kind, a.Authenticated(), a.Certified(), a.Strict())
		}
		if got := b.a.Auth(); !got.Symmetric || got.NTS || got.KeyID != 7 || got.KeyType != kind || got.KeyBits != 8*len(cfg.Key.Value) {
			t.Errorf("%v: got %+v", kind, got)
		}
	}
}

// TestSymmetricVerdicts: nothing but a reply under the key counts, not even a
// kiss.
func TestSymmetricVerdicts(t *testing.T) {
	cfg, k := withKey(t, mac.AES128)
	other, _ := withKey(t, mac.SHA1)
	id8 := *cfg.Key
	id8.ID = 8
	wrong := *cfg.Key
	wrong.Value = []byte("0123456789abcdeF")
	under := func(s *mac.Secret) func(*wire.Header) []byte {
		return func(h *wire.Header) []byte { return newKey(s).Append(h.Append(nil)) }
	}
	kiss := func(h *wire.Header) { h.Stratum, h.ReferenceID = 0, wire.KissDeny.ReferenceID() }
	for _, c := range []struct {
		name string
		want Verdict
		data func(*wire.Header) []byte
	}{
		{"plain", VerdictUnsigned, func(h *wire.Header) []byte { return h.Append(nil) }},
		{"extension field only", VerdictUnsigned, func(h *wire.Header) []byte { return wire.AppendExtension(h.Append(nil), 0x104, make([]byte, 32)) }},
		{"crypto-NAK", VerdictCryptoNAK, func(h *wire.Header) []byte { return append(h.Append(nil), 0, 0, 0, 0) }},
		{"zeros", VerdictMAC, func(h *wire.Header) []byte { return append(h.Append(nil), make([]byte, 20)...) }},
		{"key id only", VerdictMAC, func(h *wire.Header) []byte { return append(h.Append(nil), 0, 0, 0, 7) }},
		{"another secret", VerdictMAC, under(&wrong)},
		{"another id", VerdictMAC, under(&id8)},
		{"another type", VerdictMAC, under(other.Key)},
		{"plain kiss", VerdictUnsigned, func(h *wire.Header) []byte { kiss(h); return h.Append(nil) }},
		{"true kiss", VerdictDenied, func(h *wire.Header) []byte { kiss(h); return k.Append(h.Append(nil)) }},
		{"behind a field", VerdictAccepted, func(h *wire.Header) []byte { return k.Append(wire.AppendExtension(h.Append(nil), 0x2005, nil)) }},
		{"version 3", VerdictAccepted, func(h *wire.Header) []byte { h.Version = 3; return k.Append(h.Append(nil)) }},
		{"nonsense behind the header", VerdictUnsigned, func(h *wire.Header) []byte { return append(h.Append(nil), 1, 2, 3) }},
	} {
		b := newBench(t, cfg)
		req := b.poll()
		h := b.header(req)
		if v := b.reply(req, c.data(&h)); v != c.want {
			t.Errorf("%s: got %v, want %v", c.name, v, c.want)
		}
		if c.want == VerdictAccepted || c.want == VerdictDenied {
			continue
		}
		if b.a.Reach() != 0 || b.a.denied {
			t.Errorf("%s: it had an effect", c.name)
		}
		// The true one may still come.
		if v := b.reply(req, k.Append(b.header(req).Append(nil))); v != VerdictAccepted {
			t.Errorf("%s: then the true reply is %v", c.name, v)
		}
		if want := 0; c.want == VerdictCryptoNAK {
			want = 1
			if got := b.a.Auth().NAKs; got != want {
				t.Errorf("%s: %d NAKs, want %d", c.name, got, want)
			}
		}
	}
}

// TestSymmetricTampered: an attacker on the path who sees everything, and
// changes, cuts, lengthens or replays replies, is never believed.
func TestSymmetricTampered(t *testing.T) {
	const seed = 8573
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, kind := range []mac.Type{mac.AES128, mac.SHA256} {
		cfg, k := withKey(t, kind)
		b := newBench(t, cfg)
		var old [][]byte
		for range 40 {
			req := b.poll()
			good := k.Append(b.header(req).Append(nil))
			forged := bytes.Clone(good)
			switch n := r.IntN(4); {
			case n == 0:
				for range 1 + r.IntN(3) {
					forged[r.IntN(len(forged))] ^= byte(1 + r.IntN(255))
				}
			case n == 1:
				forged = forged[:r.IntN(len(forged))]
			case n == 2:
				forged = append(forged, make([]byte, 4*(1+r.IntN(12)))...)
			case len(old) > 0:
				forged = old[r.IntN(len(old))]
			}
			if bytes.Equal(forged, good) {
				continue
			}
			before := b.a.Counters().Valid
			if v := b.reply(req, forged); v == VerdictAccepted || b.a.Counters().Valid != before {
				t.Fatalf("%v: % x instead of % x: %v", kind, forged, good, v)
			}
			if v := b.reply(req, good); v != VerdictAccepted {
				t.Fatalf("%v: the true reply is %v", kind, v)
			}
			old = append(old, good)
		}
	}
}

// TestKeyHasNoEffectBesideNTS: requests are NTS's.
func TestKeyHasNoEffectBesideNTS(t *testing.T) {
	cfg, _ := withKey(t, mac.AES128)
	cfg.NTS = true
	b := newBench(t, cfg)
	if b.a.key != nil || b.a.Auth().Symmetric {
		t.Error("a source with NTS uses a symmetric key")
	}
}
