package leaplist

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
)

// list returns the list of the IERS of July 2025.
func list(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/leap-seconds.list")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func at(text string) clock.Wall {
	x, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return clock.WallTime(x)
}

// TestIERS: the hash is the IERS's own.
func TestIERS(t *testing.T) {
	l, err := Parse(list(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := at("2026-06-28T00:00:00Z"); l.Expires() != want || len(l.entries) != 28 {
		t.Errorf("expires %v with %d entries, want %v, 28", l.Expires().Time(), len(l.entries), want.Time())
	}
	for _, c := range []struct {
		at   string
		tai  int32
		leap int
	}{
		{"1971-12-31T23:59:59Z", 0, 0},
		{"1972-01-01T00:00:00Z", 10, 0},
		{"1972-06-30T00:00:00Z", 10, 1},
		{"2016-12-30T23:59:59Z", 36, 0},
		{"2016-12-31T00:00:00Z", 36, 1},
		{"2016-12-31T23:59:59Z", 36, 1},
		{"2017-01-01T00:00:00Z", 37, 0},
		{"2026-06-27T23:59:59Z", 37, 0},
		{"2026-06-28T00:00:00Z", 0, 0}, // expired
		{"2100-01-01T00:00:00Z", 0, 0},
	} {
		tai, ok := l.TAI(at(c.at))
		if tai != c.tai || ok != (c.tai != 0) {
			t.Errorf("%s: TAI-UTC %d (%t), want %d", c.at, tai, ok, c.tai)
		}
		// Of the day on which it ends it does not know how TAI-UTC goes on.
		_, still := l.TAI(at(c.at).Midnight())
		if by, known := l.Leap(at(c.at)); by != c.leap || known != (ok && still) {
			t.Errorf("%s: leap %d (%t), want %d", c.at, by, known, c.leap)
		}
	}
	var none *List
	if _, ok := none.TAI(at("2020-01-01T00:00:00Z")); ok || none.Expires() != 0 {
		t.Error("a list that is not there knows something")
	}
	if by, known := none.Leap(0); by != 0 || known {
		t.Error("a list that is not there knows of a leap second")
	}
}

// TestDeletedSecond: there was none yet.
func TestDeletedSecond(t *testing.T) {
	l, err := Parse(signed("3692217600", "3991593600", "3644697600 36", "3692217600 35"))
	if err != nil {
		t.Fatal(err)
	}
	if got, known := l.Leap(at("2016-12-31T12:00:00Z")); got != -1 || !known {
		t.Errorf("got %d, want -1", got)
	}
}

// signed returns a list with its hash.
func signed(updated, expires string, lines ...string) []byte {
	digits := updated + expires + strings.ReplaceAll(strings.Join(lines, ""), " ", "")
	sum := sha1.Sum([]byte(digits))
	var b bytes.Buffer
	fmt.Fprintf(&b, "#$ %s\n#@ %s\n%s\n#h", updated, expires, strings.Join(lines, "\n"))
	for i := 0; i < len(sum); i += 4 {
		fmt.Fprintf(&b, " %x", uint32(sum[i])<<24|uint32(sum[i+1])<<16|uint32(sum[i+2])<<8|uint32(sum[i+3]))
	}
	return append(b.Bytes(), '\n')
}

func TestRefused(t *testing.T) {
	good := string(list(t))
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"another second":     {strings.Replace(good, "3692217600\t37", "3692217600\t38", 1), ErrHash},
		"a year earlier":     {strings.Replace(good, "#@\t3991593600", "#@\t3991593601", 1), ErrHash},
		"a line less":        {strings.Replace(good, "3644697600\t36\n", "", 1), ErrHash},
		"another hash":       {strings.Replace(good, "39b8e49e", "39b8e49f", 1), ErrHash},
		"no hash":            {strings.Replace(good, "#h", "#", 1), ErrFormat},
		"no end":             {strings.Replace(good, "#@", "#", 1), ErrFormat},
		"four words":         {strings.Replace(good, " 39b8e49e", "", 1), ErrFormat},
		"no word":            {strings.Replace(good, "39b8e49e", "39b8e49g", 1), ErrFormat},
		"not in order":       {string(signed("3692217600", "3991593600", "3692217600 37", "3644697600 36")), ErrFormat},
		"offset zero":        {string(signed("3692217600", "3991593600", "3692217600 0")), ErrFormat},
		"offset huge":        {string(signed("3692217600", "3991593600", "3692217600 1001")), ErrFormat},
		"three fields":       {string(signed("3692217600", "3991593600", "3692217600 37 1")), ErrFormat},
		"before 1970":        {string(signed("3692217600", "3991593600", "2208988799 37")), ErrFormat},
		"too far":            {string(signed("3692217600", "99999999999999", "3692217600 37")), ErrFormat},
		"no lines":           {string(signed("3692217600", "3991593600")), ErrFormat},
		"empty":              {"", ErrFormat},
		"another file":       {"hello world again\n", ErrFormat},
		"longer than a list": {good + strings.Repeat("#\n", MaxSize/2), ErrFormat},
	} {
		if l, err := Parse([]byte(c.text)); !errors.Is(err, c.want) || l != nil {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	many := make([]string, maxEntries+1)
	for i := range many {
		many[i] = fmt.Sprintf("%d 37", int64(3692217600)+int64(i))
	}
	if _, err := Parse(signed("3692217600", "3991593600", many...)); !errors.Is(err, ErrFormat) {
		t.Errorf("%d entries: got %v, want %v", len(many), err, ErrFormat)
	}
	// Lines may end as on other systems.
	if _, err := Parse([]byte(strings.ReplaceAll(good, "\n", "\r\n"))); err != nil {
		t.Errorf("CR LF: %v", err)
	}
}

// FuzzParse: whatever the file holds, what is accepted is in order and can be
// asked.
func FuzzParse(f *testing.F) {
	f.Add(list(f))
	f.Add(signed("3692217600", "3991593600", "3644697600 36", "3692217600 35"))
	f.Add([]byte("#$ 1\n#@ 2\n#h 0 0 0 0 0\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := Parse(text)
		if err != nil {
			return
		}
		for i, e := range l.entries {
			if i > 0 && e.at <= l.entries[i-1].at || e.tai < 1 || e.tai > maxOffset {
				t.Fatalf("entry %d: %+v after %+v", i, e, l.entries)
			}
			_, _ = l.Leap(e.at)
			_, _ = l.Leap(e.at - 1)
		}
	})
}
