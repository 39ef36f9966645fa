package mac

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"ntsd/internal/wire"
)

// types of all keys.
func allTypes() []Type { return []Type{MD5, SHA1, SHA256, SHA384, SHA512, AES128, AES256} }

// counting returns the secret 00 01 02 ... of the recordings.
func counting(id uint32, t Type) *Secret {
	s := &Secret{ID: id, Type: t, Value: make([]byte, 16)}
	if t == AES256 || t == SHA512 {
		s.Value = make([]byte, 32)
	}
	for i := range s.Value {
		s.Value[i] = byte(i)
	}
	return s
}

func mustNew(t testing.TB, s *Secret) *Key {
	t.Helper()
	k, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func packet(version uint8) []byte {
	return wire.Header{Version: version, Mode: wire.ModeServer, Transmit: 0x0102030405060708}.Append(nil)
}

// TestRecordedReplies: what chronyd and ntpsec sent verifies, and is what we
// would have sent; with any bit changed it does not verify.
func TestRecordedReplies(t *testing.T) {
	text, err := os.ReadFile("../../testdata/mac/replies.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if f[0] == "#" {
			continue
		}
		n++
		kind, err := ParseType(f[1])
		if err != nil {
			t.Fatal(err)
		}
		id, _ := strconv.Atoi(f[2])
		pkt, err := hex.DecodeString(f[3])
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprint(f[0], " ", kind, " version ", pkt[0]>>3&7)
		k := mustNew(t, counting(uint32(id), kind))
		m := Of(pkt)
		if ID(m) != uint32(id) || !k.Verify(pkt, m) {
			t.Errorf("%s: does not verify", name)
			continue
		}
		if got := k.AppendLike(bytes.Clone(pkt[:len(pkt)-len(m)]), len(m)); !bytes.Equal(got, pkt) {
			t.Errorf("%s: got %x, want %x", name, got, pkt)
		}
		for bit := range 8 * len(pkt) {
			forged := bytes.Clone(pkt)
			forged[bit/8] ^= 1 << (bit % 8)
			if k.Verify(forged, forged[len(pkt)-len(m):]) {
				t.Errorf("%s: verifies with bit %d changed", name, bit)
			}
		}
	}
	if n != 25 {
		t.Errorf("got %d recordings, want 25", n)
	}
}

// RFC 8573 section 4 refers to the vectors of RFC 4493: the code of a message
// is that of the packet, without the key in front.
func TestRFC8573(t *testing.T) {
	secret, _ := hex.DecodeString("2b7e151628aed2a6abf7158809cf4f3c")
	message, _ := hex.DecodeString("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411")
	k := mustNew(t, &Secret{ID: 7, Type: AES128, Value: secret})
	got := k.Append(message)[len(message):]
	if want := "00000007dfa66747de9ae63030ca32611497c827"; hex.EncodeToString(got) != want {
		t.Errorf("got %x, want %s", got, want)
	}
}

// TestLengths: RFC 7822 leaves 20 octets to a digest in version 4; cut ones are
// refused, and longer ones but where there are no extension fields.
func TestLengths(t *testing.T) {
	whole := map[Type]int{MD5: 20, SHA1: 24, SHA256: 36, SHA384: 52, SHA512: 68, AES128: 20, AES256: 20}
	for _, kind := range allTypes() {
		k := mustNew(t, counting(1, kind))
		for _, version := range []uint8{3, 4} {
			for n := range maxLen + 1 {
				want := n == min(whole[kind], 24) || version == 3 && n == whole[kind]
				pkt := packet(version)
				full := append(binary.BigEndian.AppendUint32(bytes.Clone(pkt), 1), k.compute(pkt)...)
				if len(pkt)+n > len(full) {
					full = append(full, make([]byte, len(pkt)+n-len(full))...)
				}
				full = full[:len(pkt)+n]
				if got := k.Verify(full, full[len(pkt):]); got != want {
					t.Errorf("%v, version %d, MAC of %d octets: got %v, want %v", kind, version, n, got, want)
				}
			}
		}
	}
}

// TestOtherKeys: a packet verifies under the key that it names and was made
// with, and no other.
func TestOtherKeys(t *testing.T) {
	const seed = 8573
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var keys []*Key
	for i, kind := range append(allTypes(), allTypes()...) {
		s := counting(uint32(1+i%len(allTypes())), kind)
		s.Value[0] = byte(r.Uint32())
		keys = append(keys, mustNew(t, s))
	}
	for i, k := range keys {
		pkt := k.Append(packet(4))
		for j, other := range keys {
			if got := other.Verify(pkt, Of(pkt)); got != (i == j) {
				t.Errorf("packet of %v under %v: got %v", k, other, got)
			}
		}
	}
}

func TestOf(t *testing.T) {
	k := mustNew(t, counting(5, SHA256))
	field := wire.AppendExtension(packet(4), 0x2005, make([]byte, 12))
	pkt := k.Append(field)
	if m := Of(pkt); ID(m) != 5 || !k.Verify(pkt, m) {
		t.Errorf("behind an extension field: got %x", m)
	}
	for _, c := range []struct {
		name string
		pkt  []byte
		nak  bool
	}{
		{"bare", packet(4), false},
		{"nak", append(packet(4), 0, 0, 0, 0), true},
		{"id alone", append(packet(4), 0, 0, 0, 1), false},
		{"too long", append(packet(4), make([]byte, 25)...), false},
		{"short", packet(4)[:47], false},
	} {
		m := Of(c.pkt)
		if IsNAK(m) != c.nak || k.Verify(c.pkt, m) {
			t.Errorf("%s: got %x", c.name, m)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		s    Secret
		want error
	}{
		{Secret{1, SHA1, []byte("x")}, nil},
		{Secret{0, SHA1, []byte("x")}, ErrID},
		{Secret{1, 0, []byte("x")}, ErrType},
		{Secret{1, AES256 + 1, []byte("x")}, ErrType},
		{Secret{1, SHA1, nil}, ErrSecret},
		{Secret{1, SHA1, make([]byte, MaxSecret+1)}, ErrSecret},
		{Secret{1, AES128, make([]byte, 15)}, ErrSecret},
		{Secret{1, AES256, make([]byte, 16)}, ErrSecret},
	} {
		k, err := New(&c.s)
		if !errors.Is(err, c.want) || (err == nil) != (k != nil) {
			t.Errorf("%v of %d octets: got %v, want %v", c.s, len(c.s.Value), err, c.want)
		}
	}
}

// TestNothingShown: neither a key nor its secret can get into a log by accident.
func TestNothingShown(t *testing.T) {
	s := counting(9, AES128)
	for _, v := range []any{*s, s, mustNew(t, s), []Secret{*s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
			if got := fmt.Sprintf(verb, v); !strings.Contains(got, "key 9 (AES128)") || strings.Contains(got, "0001") || strings.Contains(got, "1, 2") {
				t.Errorf("%s: got %q", verb, got)
			}
		}
	}
	if got := fmt.Sprint(NewRing([]Secret{*s})); got != "1 keys" {
		t.Errorf("got %q", got)
	}
}

func TestRing(t *testing.T) {
	var none *Ring
	if none.Find(1) != nil {
		t.Error("a nil ring has a key")
	}
	r := NewRing([]Secret{*counting(30, SHA1), *counting(10, MD5), *counting(20, AES128), *counting(10, SHA1), {ID: 40, Type: SHA1}})
	for id, want := range map[uint32]Type{0: 0, 10: MD5, 15: 0, 20: AES128, 30: SHA1, 40: 0} {
		k := r.Find(id)
		if (k == nil) != (want == 0) || k != nil && (k.Type() != want || k.ID() != id) {
			t.Errorf("id %d: got %v, want %v", id, k, want)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	for _, kind := range allTypes() {
		k := mustNew(t, counting(1, kind))
		buf := make([]byte, 0, 128)
		pkt := k.Append(packet(4))
		ok := false
		if n := testing.AllocsPerRun(100, func() {
			ok = k.Verify(pkt, Of(pkt))
			buf = k.Append(append(buf[:0], pkt[:wire.HeaderLen]...))
		}); n != 0 || !ok {
			t.Errorf("%v: %v allocations, want 0", kind, n)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, kind := range allTypes() {
		b.Run(kind.String(), func(b *testing.B) {
			k := mustNew(b, counting(1, kind))
			pkt := k.Append(packet(4))
			for b.Loop() {
				k.Verify(pkt, pkt[wire.HeaderLen:])
			}
		})
	}
}
