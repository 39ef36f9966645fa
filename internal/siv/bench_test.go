package siv

import (
	"fmt"
	"testing"
)

// benchAdditional is about what precedes the sealed field in an NTS packet:
// header, unique identifier, cookie.
const benchAdditional = 150

// benchSizes are an NTP packet, one with NTS and one cookie, and a reply with
// eight cookies.
func benchSizes() []int { return []int{48, 228, 900} }

func benchEach(b *testing.B, f func(b *testing.B, x AEAD, nonce, additional []byte, size int)) {
	for _, a := range algorithms() {
		for _, size := range benchSizes() {
			b.Run(fmt.Sprintf("%v/%d", a, size), func(b *testing.B) {
				x := mustNew(b, a, make([]byte, a.KeySize()))
				b.SetBytes(int64(size))
				b.ReportAllocs()
				f(b, x, make([]byte, a.NonceSize()), make([]byte, benchAdditional), size)
			})
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	benchEach(b, func(b *testing.B, x AEAD, nonce, additional []byte, size int) {
		text, room := make([]byte, size), make([]byte, 0, size+blockSize)
		for b.Loop() {
			x.Seal(room, nonce, additional, text)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	benchEach(b, func(b *testing.B, x AEAD, nonce, additional []byte, size int) {
		sealed := x.Seal(nil, nonce, additional, make([]byte, size))
		room := make([]byte, 0, size)
		for b.Loop() {
			if _, err := x.Open(room, nonce, additional, sealed); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkNew(b *testing.B) {
	for _, a := range algorithms() {
		b.Run(a.String(), func(b *testing.B) {
			key := make([]byte, a.KeySize())
			b.ReportAllocs()
			for b.Loop() {
				mustNew(b, a, key)
			}
		})
	}
}

// BenchmarkPolyval hashes what a reply with eight cookies has, on this
// processor and by portable code.
func BenchmarkPolyval(b *testing.B) {
	var p polyval
	key, data := make([]byte, blockSize), make([]byte, 66*blockSize)
	p.init(key)
	p.initMultipliers(key)
	for name, f := range map[string]func([]byte){"this": p.blocks, "portable": p.portableBlocks} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				f(data)
			}
		})
	}
}

// BenchmarkPolyvalInit keys POLYVAL, which GCM-SIV does for each message.
func BenchmarkPolyvalInit(b *testing.B) {
	var p polyval
	key := make([]byte, blockSize)
	for b.Loop() {
		p.init(key)
	}
}
