package engine

import (
	"testing"
	"time"

	"ntsd/internal/event"
)

// TestClosedPathChangesTheFamily: one family's path is closed to long packets,
// and the second address of the name belongs to it, too. The source ends up
// with the other family, and stays there.
func TestClosedPathChangesTheFamily(t *testing.T) {
	w := newWorld(t, 31, 0)
	w.serve("a.test", addr(1), server{nts: true, keyID: 1, longest: 100})
	w.serve("a.test", addr(2), server{nts: true, keyID: 1, longest: 100})
	six := w.serve("a.test", "2001:db8::1", server{nts: true, keyID: 1})
	w.start(with(ntsSource("a.test")))
	w.run(time.Hour)
	if s := w.source(0); !s.Addr.Is6() || s.Reach != 0xff || six.kes != 1 {
		t.Errorf("%v, reach %o, %d key establishments", s.Addr, s.Reach, six.kes)
	}
	if n := w.count(event.NoticeReplaced); n > 2 {
		t.Errorf("%d addresses were tried in the place of others, want 2 at most", n)
	}
}

// TestClosedPathIsTold: where there is no other address people learn why there
// is no time, once.
func TestClosedPathIsTold(t *testing.T) {
	w := newWorld(t, 32, 0)
	s := w.serve("a.test", addr(1), server{nts: true, keyID: 1, longest: 100})
	cfg := ntsSource("a.test")
	cfg.MaxPoll = 6
	w.start(with(cfg))
	w.run(3 * time.Hour)
	if got := w.source(0); got.Why != "requests longer than 48 bytes get no reply" || !got.Auth.Path.Closed || got.Reach != 0 {
		t.Errorf("%q, %+v, reach %o", got.Why, got.Auth.Path, got.Reach)
	}
	if n := w.count(event.NoticePathShort); n != 1 {
		t.Errorf("%d notices, want 1", n)
	}
	s.longest = 0
	w.run(2 * time.Hour)
	if got := w.source(0); got.Auth.Path.Found() || got.Reach != 0xff || w.count(event.NoticePathOpen) != 1 {
		t.Errorf("when the path is open: %+v, reach %o", got.Auth.Path, got.Reach)
	}
}

// TestTrialGoesOnWithTheNextAddress: all addresses of a name are behind the same
// firewall, and each is given up before anything is certain about it.
func TestTrialGoesOnWithTheNextAddress(t *testing.T) {
	w := newWorld(t, 33, 0)
	for i := range 4 {
		w.serve("a.test", addr(i+1), server{nts: true, keyID: 1, longest: 100})
	}
	cfg := ntsSource("a.test")
	cfg.MaxPoll = 6
	w.start(with(cfg))
	w.run(3 * time.Hour)
	if n := w.count(event.NoticePathShort); n == 0 {
		t.Error("nobody was told")
	}
}
