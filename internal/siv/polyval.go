package siv

import (
	"encoding/binary"
	"math/bits"
)

// polyval is POLYVAL, RFC 8452 §3: sum of blocks times powers of a key in
// GF(2^128), where octet 0's lowest bit is the coefficient of x^0.
//
// Where the processor multiplies without carries it does so; elsewhere the
// code is portable. Both are constant time: no tables, no branches on data.
type polyval struct {
	running          block
	powers           [aggregate]block // of the key from the first on; only if carryless
	key0, key1, keyX multiplier       // of the key's halves, and of their sum (Karatsuba); only if not
}

// aggregate is how many blocks are multiplied, each by its power of the key,
// between two reductions. Four hide the latency of the instruction, and more
// powers would cost a short message more than they save.
const aggregate = 4

// init keys p with 16 octets and empties it.
func (p *polyval) init(key []byte) {
	p.running = block{}
	if carryless() {
		p.initPowers(key)
	} else {
		p.initMultipliers(key)
	}
}

// initPowers prepares polyvalBlocks.
func (p *polyval) initPowers(key []byte) {
	p.powers[0] = block(key)
	for i := range aggregate - 1 {
		p.powers[i+1] = block{}
		polyvalBlocks(&p.powers[i+1], &p.powers, &p.powers[i][0], 1)
	}
}

// initMultipliers prepares portableBlocks.
func (p *polyval) initMultipliers(key []byte) {
	lo, hi := binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[8:])
	p.key0.init(lo)
	p.key1.init(hi)
	p.keyX.init(lo ^ hi)
}

// update adds data, padded with zeros to whole blocks.
func (p *polyval) update(data []byte) {
	rest := len(data) % blockSize
	p.blocks(data[:len(data)-rest])
	if rest > 0 {
		var b block
		copy(b[:], data[len(data)-rest:])
		p.blocks(b[:])
	}
}

// blocks adds whole blocks.
func (p *polyval) blocks(data []byte) {
	if len(data) == 0 {
		return
	}
	if carryless() {
		polyvalBlocks(&p.running, &p.powers, &data[0], len(data)/blockSize)
	} else {
		p.portableBlocks(data)
	}
}

// portableBlocks adds whole blocks on any processor.
func (p *polyval) portableBlocks(data []byte) {
	lo, hi := binary.LittleEndian.Uint64(p.running[:]), binary.LittleEndian.Uint64(p.running[8:])
	for len(data) >= blockSize {
		lo ^= binary.LittleEndian.Uint64(data)
		hi ^= binary.LittleEndian.Uint64(data[8:])
		lo, hi = p.dotKey(lo, hi)
		data = data[blockSize:]
	}
	binary.LittleEndian.PutUint64(p.running[:], lo)
	binary.LittleEndian.PutUint64(p.running[8:], hi)
}

// dotKey returns dot of hi:lo and the key, RFC 8452 §3.
func (p *polyval) dotKey(lo, hi uint64) (uint64, uint64) {
	// Karatsuba: three multiplications instead of four give the 256-bit
	// product w3:w2:w1:w0.
	w1, w0 := p.key0.mul(lo)
	w3, w2 := p.key1.mul(hi)
	m1, m0 := p.keyX.mul(lo ^ hi)
	m0 ^= w0 ^ w2
	m1 ^= w1 ^ w3
	w1 ^= m0
	w2 ^= m1
	// dot(a, b) = a*b*x^-128 modulo x^128+x^127+x^126+x^121+1. Adding w0
	// times the modulus clears w0, likewise w1; what is left is the product
	// divided by x^128.
	w1 ^= w0<<63 ^ w0<<62 ^ w0<<57
	w2 ^= w0 ^ w0>>1 ^ w0>>2 ^ w0>>7
	w2 ^= w1<<63 ^ w1<<62 ^ w1<<57
	w3 ^= w1 ^ w1>>1 ^ w1>>2 ^ w1>>7
	return w2, w3
}

// Every fourth bit, from bit 0, 1, 2 or 3 on.
const (
	every0 = 0x1111111111111111
	every1 = every0 << 1
	every2 = every0 << 2
	every3 = every0 << 3
)

// multiplier multiplies by one polynomial of 64 coefficients in GF(2), by means
// of the integer multiplier. When only every fourth bit of both factors is set,
// a column of the integer product counts at most 16 ones; were it at most 15,
// no carry would reach the next column that matters, and the lowest bit of each
// column would be the coefficient. So the lowest four bits of the polynomial
// are left out (15 ones at most) and multiplied apart.
type multiplier struct {
	every [4]uint64 // bits 4..63, split by bit number modulo 4
	low   [4]uint64 // bits 0..3, each as all ones or zero
}

// init makes m the multiplier by h.
func (m *multiplier) init(h uint64) {
	for i := range m.low {
		m.low[i] = -(h >> i & 1)
		m.every[i] = h &^ 0xf & (every0 << i)
	}
}

// mul returns the 127-bit product of x and m's polynomial.
func (m *multiplier) mul(x uint64) (hi, lo uint64) {
	x0, x1, x2, x3 := x&every0, x&every1, x&every2, x&every3
	y0, y1, y2, y3 := m.every[0], m.every[1], m.every[2], m.every[3]
	// Column c of the product takes the pairs whose numbers add up to c
	// modulo 4.
	h00, l00 := bits.Mul64(x0, y0)
	h13, l13 := bits.Mul64(x1, y3)
	h22, l22 := bits.Mul64(x2, y2)
	h31, l31 := bits.Mul64(x3, y1)
	hi = (h00 ^ h13 ^ h22 ^ h31) & every0
	lo = (l00 ^ l13 ^ l22 ^ l31) & every0
	h01, l01 := bits.Mul64(x0, y1)
	h10, l10 := bits.Mul64(x1, y0)
	h23, l23 := bits.Mul64(x2, y3)
	h32, l32 := bits.Mul64(x3, y2)
	hi |= (h01 ^ h10 ^ h23 ^ h32) & every1
	lo |= (l01 ^ l10 ^ l23 ^ l32) & every1
	h02, l02 := bits.Mul64(x0, y2)
	h11, l11 := bits.Mul64(x1, y1)
	h20, l20 := bits.Mul64(x2, y0)
	h33, l33 := bits.Mul64(x3, y3)
	hi |= (h02 ^ h11 ^ h20 ^ h33) & every2
	lo |= (l02 ^ l11 ^ l20 ^ l33) & every2
	h03, l03 := bits.Mul64(x0, y3)
	h12, l12 := bits.Mul64(x1, y2)
	h21, l21 := bits.Mul64(x2, y1)
	h30, l30 := bits.Mul64(x3, y0)
	hi |= (h03 ^ h12 ^ h21 ^ h30) & every3
	lo |= (l03 ^ l12 ^ l21 ^ l30) & every3
	// The lowest four bits.
	lo ^= x&m.low[0] ^ x<<1&m.low[1] ^ x<<2&m.low[2] ^ x<<3&m.low[3]
	hi ^= x>>63&m.low[1] ^ x>>62&m.low[2] ^ x>>61&m.low[3]
	return hi, lo
}
