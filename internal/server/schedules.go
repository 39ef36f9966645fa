package server

import (
	"crypto/subtle"
	"encoding/binary"

	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

// Implementation constants.
const (
	// maxSchedules bounds the clients whose expanded keys are kept: four AES
	// key schedules each, some 3 KB. Expanding them anew is a third of what an
	// NTS request costs, so it pays for those who ask in quick succession, and
	// busy servers have memory.
	maxSchedules = 256
	scheduleWays = 2
)

// schedules keeps the expanded keys of recent NTS clients. Its memory does not
// grow with the number of clients. The zero value is ready.
type schedules struct {
	sets [][scheduleWays]schedule // the more recent first; made when first needed
}

// schedule is the two keys of a cookie, in both forms.
type schedule struct {
	algorithm siv.Algorithm // 0: free
	keys      []byte
	c2s, s2c  siv.AEAD
}

// of returns the expanded keys, which are good until the next call.
func (x *schedules) of(keys *nts.Keys) (c2s, s2c siv.AEAD, err error) {
	if x.sets == nil {
		x.sets = make([][scheduleWays]schedule, maxSchedules/scheduleWays)
	}
	// The keys are a TLS exporter's output: as good as a hash.
	set := &x.sets[binary.LittleEndian.Uint32(keys.C2S())%uint32(len(x.sets))]
	if set[0].holds(keys) {
		return set[0].c2s, set[0].s2c, nil
	}
	set[0], set[1] = set[1], set[0]
	if set[0].holds(keys) {
		return set[0].c2s, set[0].s2c, nil
	}
	if c2s, err = siv.New(keys.Algorithm, keys.C2S()); err != nil {
		return nil, nil, err
	}
	if s2c, err = siv.New(keys.Algorithm, keys.S2C()); err != nil {
		return nil, nil, err
	}
	both := append(append(set[0].keys[:0], keys.C2S()...), keys.S2C()...)
	set[0] = schedule{keys.Algorithm, both, c2s, s2c}
	return c2s, s2c, nil
}

func (x *schedule) holds(keys *nts.Keys) bool {
	n := len(keys.C2S())
	return x.algorithm == keys.Algorithm && len(x.keys) == 2*n &&
		subtle.ConstantTimeCompare(x.keys[:n], keys.C2S())&
			subtle.ConstantTimeCompare(x.keys[n:], keys.S2C()) == 1
}
