package status

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"ntsd/internal/clock"
)

// Time is a civil time. In text it is RFC 3339 in UTC with as many decimals as
// it needs, because a JSON number could not hold the nanoseconds. The zero
// value is 1970 and stands for "never".
type Time clock.Wall

// MarshalText renders t as RFC 3339.
func (t Time) MarshalText() ([]byte, error) {
	return clock.Wall(t).Time().AppendFormat(nil, time.RFC3339Nano), nil
}

// UnmarshalText parses RFC 3339.
func (t *Time) UnmarshalText(b []byte) error {
	v, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("status: time: %w", err)
	}
	*t = Time(clock.WallTime(v))
	return nil
}

// String is the time as in JSON, in whole seconds.
func (t Time) String() string { return clock.Wall(t).Time().Format(time.RFC3339) }

// Ago is a number of whole seconds between now and an event, or Never. Never is
// null in JSON.
type Ago int64

// Never is the Ago of what did not happen or is not known.
const Never Ago = -1

// MarshalJSON renders a as a number or null.
func (a Ago) MarshalJSON() ([]byte, error) {
	if a < 0 {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, int64(a), 10), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (a *Ago) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*a = Never
		return nil
	}
	var n int64
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("status: seconds: %w", err)
	}
	*a = Ago(n)
	return nil
}

// Leap is the leap status; in JSON it is one of the words normal, insert,
// delete, unsynchronised.
type Leap uint8

// The leap states, numbered as on the wire.
const (
	LeapNormal Leap = iota
	LeapInsert
	LeapDelete
	LeapUnsynchronised
)

// leapNames are the words and the long form of chronyc.
var leapNames = [...]struct{ word, long string }{
	{"normal", "Normal"},
	{"insert", "Insert second"},
	{"delete", "Delete second"},
	{"unsynchronised", "Not synchronised"},
}

// MarshalText renders l as a word.
func (l Leap) MarshalText() ([]byte, error) { return []byte(leapNames[l&3].word), nil }

// UnmarshalText reads a word.
func (l *Leap) UnmarshalText(b []byte) error {
	for i, n := range leapNames {
		if n.word == string(b) {
			*l = Leap(i)
			return nil
		}
	}
	return fmt.Errorf("status: unknown leap status %q", b)
}

// String is chronyc's long form.
func (l Leap) String() string { return leapNames[l&3].long }

// AddressID is the reference ID by which servers name an address (RFC 5905
// section 7.3): the IPv4 address, or the first four bytes of the MD5 of an
// IPv6 address. MD5 protects nothing here.
func AddressID(addr string) string {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return "00000000"
	}
	if a.Is4() {
		b := a.As4()
		return strings.ToUpper(hex.EncodeToString(b[:]))
	}
	b := a.As16()
	sum := md5.Sum(b[:])
	return strings.ToUpper(hex.EncodeToString(sum[:4]))
}
