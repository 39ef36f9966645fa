package siv

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// vectorsDir holds the vectors, each file with its source in it.
const vectorsDir = "../../testdata/siv"

// hexOctets is octets written as hexadecimal digits in JSON.
type hexOctets []byte

func (h *hexOctets) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// vector is one sealed message.
type vector struct {
	Name       string    `json:"name"`
	Algorithm  Algorithm `json:"algorithm"`
	Key        hexOctets `json:"key"`
	Nonce      hexOctets `json:"nonce"`
	Additional hexOctets `json:"additional"`
	Plaintext  hexOctets `json:"plaintext"`
	Ciphertext hexOctets `json:"ciphertext"`
}

// vectors reads one file of vectorsDir.
func vectors(t testing.TB, file string) []vector {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(vectorsDir, file))
	if err != nil {
		t.Fatal(err)
	}
	var content struct{ Vectors []vector }
	if err := json.Unmarshal(text, &content); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return content.Vectors
}

// unhex decodes hexadecimal digits, ignoring spaces.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkVector seals and opens v.
func checkVector(t *testing.T, x AEAD, v vector) {
	t.Helper()
	got := x.Seal(nil, v.Nonce, v.Additional, v.Plaintext)
	if !bytes.Equal(got, v.Ciphertext) {
		t.Errorf("%s: Seal:\n got %x\nwant %x", v.Name, got, []byte(v.Ciphertext))
	}
	got, err := x.Open(nil, v.Nonce, v.Additional, v.Ciphertext)
	if err != nil || !bytes.Equal(got, v.Plaintext) {
		t.Errorf("%s: Open:\n got %x, %v\nwant %x", v.Name, got, err, []byte(v.Plaintext))
	}
}

func TestVectors(t *testing.T) {
	for file, want := range map[string]int{
		"nettle-siv-cmac.json": 12, // GNU Nettle's, with short nonces and empty parts
		"rfc8452-c1.json":      24, // all of Appendix C.1
		"openssl.json":         43, // nonces of 0 to 100 octets, messages to 1100, AES-192, a counter wrap with AES-128
	} {
		list := vectors(t, file)
		if len(list) != want {
			t.Errorf("%s: got %d vectors, want %d", file, len(list), want)
		}
		for _, v := range list {
			x, err := New(v.Algorithm, v.Key)
			if err != nil {
				t.Fatalf("%s: New: %v", v.Name, err)
			}
			checkVector(t, x, v)
		}
	}
}

// TestRFC8452C3 has the counter wraps of Appendix C.3. They need AES-256,
// which New does not offer, but the code under it is the same.
func TestRFC8452C3(t *testing.T) {
	list := vectors(t, "rfc8452-c2-c3.json")
	if got, want := len(list), 26; got != want {
		t.Errorf("got %d vectors, want %d", got, want)
	}
	for _, v := range list {
		x, err := newGCMSIV(v.Key)
		if err != nil {
			t.Fatal(err)
		}
		checkVector(t, x, v)
	}
}

func TestRFC5297A1(t *testing.T) {
	x, err := newCMACSIV(AESSIVCMAC256, unhex(t, "fffefdfc fbfaf9f8 f7f6f5f4 f3f2f1f0 f0f1f2f3 f4f5f6f7 f8f9fafb fcfdfeff"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := x.start[:], unhex(t, "0e04dfaf c1efbf04 01405828 59bf073a"); !bytes.Equal(got, want) {
		t.Errorf("CMAC(zero):\n got %x\nwant %x", got, want)
	}
	// A.1 is deterministic encryption: no nonce among the components.
	text := unhex(t, "11223344 55667788 99aabbcc ddee")
	x.s2v(text, unhex(t, "10111213 14151617 18191a1b 1c1d1e1f 20212223 24252627"))
	if got, want := x.mac.Sum[:], unhex(t, "85632d07 c6e8f37f 950acd32 0a2ecc93"); !bytes.Equal(got, want) {
		t.Errorf("S2V:\n got %x\nwant %x", got, want)
	}
	x.xorKeyStream(text, x.mac.Sum)
	if want := unhex(t, "40c02b96 90c4dc04 daef7f6a fe5c"); !bytes.Equal(text, want) {
		t.Errorf("CTR:\n got %x\nwant %x", text, want)
	}
}

func TestRFC5297A2(t *testing.T) {
	x, err := newCMACSIV(AESSIVCMAC256, unhex(t, "7f7e7d7c 7b7a7978 77767574 73727170 40414243 44454647 48494a4b 4c4d4e4f"))
	if err != nil {
		t.Fatal(err)
	}
	// A.2 has two additional strings before the nonce.
	text := unhex(t, "74686973 20697320 736f6d65 20706c61 696e7465 78742074 6f20656e 63727970 74207573 696e6720 5349562d 414553")
	x.s2v(text,
		unhex(t, "00112233 44556677 8899aabb ccddeeff deaddada deaddada ffeeddcc bbaa9988 77665544 33221100"),
		unhex(t, "10203040 50607080 90a0"),
		unhex(t, "09f91102 9d74e35b d84156c5 635688c0"))
	if got, want := x.mac.Sum[:], unhex(t, "7bdb6e3b 432667eb 06f4d14b ff2fbd0f"); !bytes.Equal(got, want) {
		t.Errorf("S2V:\n got %x\nwant %x", got, want)
	}
	x.xorKeyStream(text, x.mac.Sum)
	if want := unhex(t, "cb900f2f ddbe4043 26601965 c889bf17 dba77ceb 094fa663 b7a3f748 ba8af829 ea64ad54 4a272e9c 485b62a3 fd5c0d"); !bytes.Equal(text, want) {
		t.Errorf("CTR:\n got %x\nwant %x", text, want)
	}
}

func TestRFC8452AppendixA(t *testing.T) {
	// Appendix A gives POLYVAL of two blocks as an example of the field.
	var p polyval
	p.init(unhex(t, "25629347589242761d31f826ba4b757b"))
	p.update(unhex(t, "4f4f95668c83dfb6401762bb2d01a262d1a24ddd2721d006bbe45f20d3c9f362"))
	got, want := p.running, unhex(t, "f7a3b47b846119fae5b7866cf5e5b77e")
	if !bytes.Equal(got[:], want) {
		t.Errorf("POLYVAL:\n got %x\nwant %x", got, want)
	}
}

// TestPolyvalPortable compares what this processor does with the portable
// code, at every length and alignment.
func TestPolyvalPortable(t *testing.T) {
	const seed = 8453
	t.Logf("seed %d, carry-less multiplication: %v", seed, carryless())
	r := rand.New(rand.NewPCG(seed, 0))
	for blocks := range 40 {
		key := randomOctets(r, blockSize)
		data := randomOctets(r, blocks*blockSize+blocks)[blocks:]
		var this, portable polyval
		this.init(key)
		portable.initMultipliers(key)
		for round := range 2 {
			this.blocks(data)
			portable.portableBlocks(data)
			if this.running != portable.running {
				t.Fatalf("%d blocks, round %d: got %x, want %x", blocks, round, this.running, portable.running)
			}
		}
	}
}

// slowMul multiplies bit by bit, the definition.
func slowMul(x, y uint64) (hi, lo uint64) {
	for i := range 64 {
		if y>>i&1 != 0 {
			lo ^= x << i
			hi ^= x >> 1 >> (63 - i)
		}
	}
	return hi, lo
}

// TestMultiplier aims at what could carry from column to column: factors of
// almost only ones.
func TestMultiplier(t *testing.T) {
	const seed = 8452
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	factors := []uint64{0, 1, 2, 4, 8, 16, 1 << 63, 1<<63 | 1, ^uint64(0), ^uint64(0) >> 4, ^uint64(15), every0, every1, every2, every3, ^uint64(every0)}
	for range 500 {
		factors = append(factors, r.Uint64(), r.Uint64()|r.Uint64()|r.Uint64())
	}
	var m multiplier
	for _, y := range factors {
		m.init(y)
		for _, x := range factors {
			gotHi, gotLo := m.mul(x)
			wantHi, wantLo := slowMul(x, y)
			if gotHi != wantHi || gotLo != wantLo {
				t.Fatalf("%#x * %#x: got %#016x%016x, want %#016x%016x", x, y, gotHi, gotLo, wantHi, wantLo)
			}
		}
	}
}

// TestCTRSIVCounter shows what no message reaches by chance: the lower half of
// the counter all ones but for the two bits that are cleared.
func TestCTRSIVCounter(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	x, err := newCMACSIV(AESSIVCMAC256, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := aes.NewCipher(key[16:])
	if err != nil {
		t.Fatal(err)
	}
	tag := block(bytes.Repeat([]byte{0xff}, blockSize))
	got := make([]byte, scratchSize+5*blockSize)
	x.xorKeyStream(got, tag)
	// RFC 5297 §2.5 clears bits 31 and 63; the first increment carries into
	// bit 31 and no further.
	lo := uint64(0x7fffffff7fffffff)
	for i := 0; i < len(got); i += blockSize {
		var want block
		binary.BigEndian.PutUint64(want[:8], ^uint64(0))
		binary.BigEndian.PutUint64(want[8:], lo)
		c.Encrypt(want[:], want[:])
		if !bytes.Equal(got[i:i+blockSize], want[:]) {
			t.Fatalf("block %d: got %x, want %x", i/blockSize, got[i:i+blockSize], want)
		}
		lo++
	}
}
