package engine

import (
	"testing"
	"time"

	"ntsd/internal/event"
)

func TestPlainSynchronises(t *testing.T) {
	w := newWorld(t, 1, -5*time.Second)
	w.serve("a.test", addr(1), server{})
	w.start(sources(plainSource("a.test")))
	w.run(time.Second)
	if got := w.wrong().Abs(); got > time.Millisecond {
		t.Errorf("error after 1 s = %v, want below 1ms", got)
	}
	w.run(20 * time.Minute)
	st := w.source(0)
	if st.Reach != 0o377 || st.Mark != '*' {
		t.Errorf("reach %o mark %c, want 377 *", st.Reach, st.Mark)
	}
	if got := w.wrong().Abs(); got > 100*time.Microsecond {
		t.Errorf("error = %v, want below 100us", got)
	}
	if w.steps != 1 || w.count(event.NoticeSelected) != 1 || w.count(event.NoticeSynchronised) != 1 {
		t.Errorf("steps %d, notices %+v", w.steps, w.notices)
	}
	tr := w.eng.Snapshot(w.now).Tracking
	if !tr.Synchronised || tr.Stratum != 3 || tr.ReferenceName != "a.test" {
		t.Errorf("tracking = %+v", tr)
	}
}

func TestNTSSynchronises(t *testing.T) {
	w := newWorld(t, 2, -5*time.Second)
	s := w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	w.start(sources(ntsSource("a.test")))
	w.run(20 * time.Minute)
	st := w.source(0)
	if st.Reach != 0o377 || st.Mark != '*' || s.kes != 1 {
		t.Errorf("reach %o mark %c, %d key establishments, want 377 * 1", st.Reach, st.Mark, s.kes)
	}
	if a := st.Auth; a.KeyID != 1 || a.Cookies != 8 || a.CookieLen != 64 || a.KeyBits != 128 || a.NAKs != 0 || a.Attempts != 0 {
		t.Errorf("auth = %+v", a)
	}
	if len(w.backoffs) != 0 {
		t.Errorf("backoff kept: %v", w.backoffs)
	}
}
