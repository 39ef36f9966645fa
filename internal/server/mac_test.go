package server

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"ntsd/internal/mac"
	"ntsd/internal/wire"
)

// secrets are a symmetric key of every type, numbered from 1: AES128 first.
func secrets() []mac.Secret {
	var all []mac.Secret
	for i, kind := range []mac.Type{mac.AES128, mac.AES256, mac.MD5, mac.SHA1, mac.SHA256, mac.SHA384, mac.SHA512} {
		value := bytes.Repeat([]byte{byte(i)}, 16)
		if kind == mac.AES256 {
			value = append(value, value...)
		}
		all = append(all, mac.Secret{ID: uint32(1 + i), Type: kind, Value: value})
	}
	return all
}

func symmetricKeys() *mac.Ring { return mac.NewRing(secrets()) }

// signed puts the MAC of key 1 behind a request.
func signed(request func(testing.TB, *pathBed) []byte) func(testing.TB, *pathBed) []byte {
	return func(t testing.TB, b *pathBed) []byte {
		return symmetricKeys().Find(1).Append(request(t, b))
	}
}

// wholeDigest is the length of a MAC with a whole digest.
func wholeDigest(kind mac.Type) int {
	return map[mac.Type]int{
		mac.MD5: 20, mac.SHA1: 24, mac.SHA256: 36, mac.SHA384: 52, mac.SHA512: 68, mac.AES128: 20, mac.AES256: 20,
	}[kind]
}

// TestMACReply: a reply is authenticated by the key of its request, as long as
// that, and whatever is appended to.
func TestMACReply(t *testing.T) {
	ring, s := symmetricKeys(), New(Config{Keys: symmetricKeys()})
	for _, secret := range secrets() {
		k := ring.Find(secret.ID)
		for _, c := range []struct {
			name        string
			version     uint8
			mode, reply wire.Mode
			fields      []byte
			length      int
		}{
			{"client", 4, wire.ModeClient, wire.ModeServer, nil, k.Len()},
			{"version 3", 3, wire.ModeClient, wire.ModeServer, nil, k.Len()},
			{"version 3, whole digest", 3, wire.ModeClient, wire.ModeServer, nil, wholeDigest(secret.Type)},
			{"behind an extension field", 4, wire.ModeClient, wire.ModeServer, wire.AppendExtension(nil, 0x2005, make([]byte, 12)), k.Len()},
			{"peer", 4, wire.ModeSymmetricActive, wire.ModeSymmetricPassive, nil, k.Len()},
		} {
			req := from("198.51.100.7:40000")
			hdr := request(c.version, c.mode)
			req.Data = k.AppendLike(append(hdr.Append(nil), c.fields...), c.length)
			for _, before := range [][]byte{nil, []byte("before"), make([]byte, 0, 2048)} {
				out, v := s.Reply(before, req, arrival(), goodSystem())
				if v != AnsweredMAC || !bytes.HasPrefix(out, before) {
					t.Fatalf("%v, %s: got %v", secret, c.name, v)
				}
				pkt := out[len(before):]
				h, err := wire.ParseHeader(pkt)
				if err != nil || h.Mode != c.reply || h.Origin != hdr.Transmit || h.Version != c.version {
					t.Errorf("%v, %s: got %+v, %v", secret, c.name, h, err)
				}
				if len(pkt) != wire.HeaderLen+c.length || !k.Verify(pkt, pkt[wire.HeaderLen:]) {
					t.Errorf("%v, %s: got %d octets that verify: %v; want %d", secret, c.name, len(pkt), k.Verify(pkt, mac.Of(pkt)), wire.HeaderLen+c.length)
				}
			}
		}
	}
}

// TestMACTampered: of every request that is authenticated, each variant with a
// bit changed, cut, or with more behind it draws no reply that claims to be
// authenticated, and none that is longer than it.
func TestMACTampered(t *testing.T) {
	const seed = 20
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	ring, s := symmetricKeys(), New(Config{Keys: symmetricKeys()})
	for _, secret := range secrets() {
		good := ring.Find(secret.ID).Append(request(4, wire.ModeClient).Append(nil))
		var forged [][]byte
		for bit := range 8 * len(good) {
			b := bytes.Clone(good)
			b[bit/8] ^= 1 << (bit % 8)
			forged = append(forged, b)
		}
		for n := range good {
			forged = append(forged, good[:n])
		}
		for n := range 40 {
			b := bytes.Clone(good)
			for range n + 1 {
				b = append(b, byte(r.Uint32()))
			}
			forged = append(forged, b)
		}
		for _, b := range forged {
			req := from("198.51.100.7:40000")
			req.Data = b
			pkt, v := s.Reply(nil, req, arrival(), goodSystem())
			if v == AnsweredMAC || v == AnsweredMACInterleaved || len(mac.Of(pkt)) > 0 || len(pkt) > len(b) {
				t.Fatalf("%v: %x: got %v and %x", secret, b, v, pkt)
			}
		}
	}
}

// TestMACWithoutKeys: where there are none, and of keys that we do not have, no
// reply is given, not even a crypto-NAK.
func TestMACWithoutKeys(t *testing.T) {
	s := New(Config{})
	req := from("198.51.100.7:40000")
	req.Data = symmetricKeys().Find(1).Append(request(4, wire.ModeClient).Append(nil))
	if pkt, v := s.Reply(nil, req, arrival(), goodSystem()); v != DropKey || len(pkt) > 0 {
		t.Errorf("no keys: got %v and %x", v, pkt)
	}
	s.SetKeys(symmetricKeys())
	if _, v := s.Reply(nil, req, arrival(), goodSystem()); v != AnsweredMAC {
		t.Errorf("with keys: got %v", v)
	}
	req.Data = append(request(4, wire.ModeClient).Append(nil), 0, 0, 0, 0)
	if pkt, v := s.Reply(nil, req, arrival(), goodSystem()); v != DropKey || len(pkt) > 0 {
		t.Errorf("crypto-NAK: got %v and %x", v, pkt)
	}
}

// TestMACKiss: whoever proves to have a key gets an authenticated kiss; nobody
// else gets one.
func TestMACKiss(t *testing.T) {
	kissing := Policy{RateLimit: RateLimit{Enabled: true, Interval: 12, Burst: 1, Leak: 62, Kiss: 1}}
	k := symmetricKeys().Find(4)
	good := k.Append(request(4, wire.ModeClient).Append(nil))
	bad := bytes.Clone(good)
	bad[50] ^= 1
	for _, c := range []struct {
		name string
		data []byte
		want Verdict
	}{{"good", good, KissRate}, {"unknown id", bad, DropKey}} {
		s := New(Config{Policy: &kissing, Keys: symmetricKeys()})
		req := from("198.51.100.7:40000")
		req.Clients, req.Data = NewClients(64, seed()), c.data
		var counts Counts
		for range 64 {
			pkt, v := s.Reply(nil, req, arrival(), goodSystem())
			counts[v]++
			if v != KissRate {
				continue
			}
			if h, _ := wire.ParseHeader(pkt); h.ReferenceID != wire.KissRate.ReferenceID() || !k.Verify(pkt, mac.Of(pkt)) {
				t.Errorf("%s: got %+v, which verifies: %v", c.name, h, k.Verify(pkt, mac.Of(pkt)))
			}
		}
		if (counts[KissRate] > 0) != (c.want == KissRate) || counts[c.want] == 0 {
			t.Errorf("%s: got %v, want some %v", c.name, counts, c.want)
		}
	}
}
