package bootstrap

import (
	"net/netip"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
)

func aside(name string, cookies ...string) nts.Session {
	s := nts.Session{
		KEName: name, KEAddr: netip.MustParseAddr("192.0.2.1"), KEPort: 4460, Strict: true,
		NTPAddr: netip.MustParseAddrPort("192.0.2.1:123"),
	}
	for _, c := range cookies {
		s.Cookies = append(s.Cookies, []byte(c))
	}
	return s
}

func all(*nts.Session) bool { return true }

// spell writes sessions as "name:cookies".
func spell(sessions []nts.Session) (text string) {
	for _, s := range sessions {
		text += s.KEName + ":"
		for _, c := range s.Cookies {
			text += string(c)
		}
		text += " "
	}
	return text
}

func TestTaking(t *testing.T) {
	now := clock.Reading{Mono: 100e9}
	tentative := aside("t", "7")
	tentative.Strict = false
	r := NewReserve([]nts.Session{aside("a", "1", "2"), aside("b", "3"), aside("c", "4", "5"), tentative})
	r.Start(now, func(s *nts.Session) bool { return s.KEName != "c" })
	if !r.Holds("a") || r.Holds("c") || r.Holds("t") {
		t.Error("holds: want a and b only")
	}
	wanted, rest := r.HandleTimer(now)
	if got, want := spell(wanted)+"| "+spell(rest), "a:1 b:3 | a:2 c:45 t:7 "; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	if w, _ := r.HandleTimer(now); w != nil {
		t.Error("asked twice")
	}
	if got := spell(r.HandleTaken(now, event.ReserveTaken{OK: true})); got != "a:1 b:3 " {
		t.Errorf("taken: got %q", got)
	}
	if got := r.HandleTaken(now, event.ReserveTaken{OK: true}); got != nil {
		t.Errorf("taken twice: got %q", spell(got))
	}
	if r.Holds("a") || r.NextDeadline() != clock.Never || !r.Low() {
		t.Error("after the taking: it holds, waits, or is not low")
	}
	got := r.Fill([]nts.Session{aside("a", "8", "9")}, func(s *nts.Session) bool { return s.KEName != "t" })
	if got, want := spell(got), "a:89 c:45 "; got != want || r.Low() {
		t.Errorf("filled: got %q, want %q; low %t", got, want, r.Low())
	}
}

// Without a route it is tried again, soon for a while, and the servers are
// held back only at first.
func TestTakingOffline(t *testing.T) {
	now := clock.Reading{Mono: 100e9}
	r := NewReserve([]nts.Session{aside("a", "1", "2")})
	r.Start(now, all)
	asked := 0
	var released clock.Mono
	for now.Mono < 100e9+clock.Mono(time.Hour) {
		if w, _ := r.HandleTimer(now); w != nil {
			asked++
			if got := r.HandleTaken(now, event.ReserveTaken{Offline: true}); got != nil {
				t.Fatalf("taken without a route: %q", spell(got))
			}
		}
		if released == 0 && !r.Holds("a") {
			released = now.Mono
		}
		next := r.NextDeadline()
		if next <= now.Mono {
			t.Fatalf("the deadline %v stands still", next)
		}
		now.Mono = next
	}
	if released != 103e9 {
		t.Errorf("released at %v, want after 3 s", released)
	}
	if asked < 1700 || asked > 1900 {
		t.Errorf("asked %d times in an hour, want 1200 and then 600", asked)
	}
	r.HandleTimer(now)
	if got := spell(r.HandleTaken(now, event.ReserveTaken{OK: true})); got != "a:1 " {
		t.Errorf("with a route: got %q", got)
	}
}

// What could not be taken off the flash is not used: it would be sent again.
func TestTakingFails(t *testing.T) {
	now := clock.Reading{Mono: 1e9}
	r := NewReserve([]nts.Session{aside("a", "1", "2")})
	r.Start(now, all)
	r.HandleTimer(now)
	if got := r.HandleTaken(now, event.ReserveTaken{Reason: "read-only file system"}); got != nil {
		t.Errorf("used all the same: %q", spell(got))
	}
	if r.Holds("a") || r.NextDeadline() != clock.Never {
		t.Error("still waits for it")
	}
	r = NewReserve([]nts.Session{aside("a", "1")})
	r.Start(now, all)
	r.HandleTimer(now)
	r.Abandon()
	if got := r.HandleTaken(now, event.ReserveTaken{OK: true}); got != nil || r.NextDeadline() != clock.Never {
		t.Errorf("abandoned: got %q", spell(got))
	}
}
