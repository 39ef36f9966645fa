package assoc

import (
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
)

// onTrial gives the association keys whose certificates are valid for a day
// around the epoch.
func (b *bench) onTrial(strict bool) {
	b.t.Helper()
	b.pass(max(0, b.a.NextDeadline().Sub(b.now.Mono)))
	b.take(b.a.HandleTimer(b.now, nil))
	b.established(strict)
}

func (b *bench) established(strict bool) {
	b.t.Helper()
	b.strict, b.notBefore, b.notAfter = strict, epoch.Add(-12*time.Hour), epoch.Add(12*time.Hour)
	b.establish()
}

func TestOutOfBounds(t *testing.T) {
	for _, c := range []struct {
		name  string
		says  time.Duration // after the epoch
		trip  time.Duration
		noVal bool
		want  Verdict
	}{
		{name: "good", want: VerdictAccepted},
		{name: "before the floor", says: -2 * time.Hour, want: VerdictFloor},
		{name: "after the certificates", says: 13 * time.Hour, want: VerdictValidity},
		{name: "before the certificates and the floor", says: -13 * time.Hour, want: VerdictFloor},
		{name: "just in time", trip: time.Second, want: VerdictAccepted},
		{name: "too late", trip: time.Second + time.Millisecond, want: VerdictTrip},
		{name: "a source without a name is nobody's witness", says: -13 * time.Hour, noVal: true, want: VerdictAccepted},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, Config{NTS: true, NoVal: c.noVal})
			b.env.Bounds = Bounds{On: true, Floor: epoch.Add(-time.Hour), MaxTrip: time.Second}
			b.onTrial(false)
			b.now.Wall = 0 // 1970
			b.env.Pivot = epoch
			req := b.poll()
			was := b.now.Wall
			b.now.Wall = epoch.Add(c.says)
			data := b.authentic(req, b.header(req))
			b.now.Wall = was
			trip := max(c.trip, 10*time.Millisecond)
			b.pass(trip)
			out, v := b.a.HandleReceived(b.now, event.Received{
				Source: 7, Request: req.Request, From: req.To,
				Sent:     event.Stamp{At: b.now.Mono.Add(-trip), Kind: event.StampKernel},
				Received: event.Stamp{At: b.now.Mono, Kind: event.StampKernel}, Data: data,
			}, nil)
			b.take(out)
			if v != c.want {
				t.Errorf("got %v, want %v", v, c.want)
			}
			if good := c.want == VerdictAccepted; b.a.Sampled() != good || (b.a.Reach() != 0) != good {
				t.Errorf("sampled %t, reach %o", b.a.Sampled(), b.a.Reach())
			}
		})
	}
}

// A request that did not leave gives its cookie back, once.
func TestUnsent(t *testing.T) {
	b := newBench(t, Config{NTS: true})
	b.onTrial(true)
	req := b.poll()
	unsent := event.SendFailed{Source: 7, Request: req.Request, Reason: "no route", Unsent: true}
	b.a.HandleSendFailed(unsent)
	b.a.HandleSendFailed(unsent)
	s, _ := b.a.Session()
	if len(s.Cookies) != nts.MaxCookies || string(s.Cookies[0]) != string(mustParse(t, req).Cookie) {
		t.Errorf("%d cookies, want all %d, the unspent one first", len(s.Cookies), nts.MaxCookies)
	}
	req = b.poll()
	b.a.HandleSendFailed(event.SendFailed{Source: 7, Request: req.Request, Reason: "refused"})
	if s, _ := b.a.Session(); len(s.Cookies) != nts.MaxCookies-1 {
		t.Errorf("%d cookies, want %d: a request that was refused had left", len(s.Cookies), nts.MaxCookies-1)
	}
}

// With strict keys the measurement begins anew, and what was asked under those
// on trial does not count any more.
func TestStrictKeysBeginAnew(t *testing.T) {
	b := newBench(t, Config{NTS: true, IBurst: true})
	b.onTrial(false)
	req := b.poll()
	if v := b.reply(req, b.authentic(req, b.header(req))); v != VerdictAccepted || b.a.Strict() || !b.a.OnTrial() {
		t.Fatalf("on trial: %v, strict %t", v, b.a.Strict())
	}
	late := b.poll()
	b.a.Rekey(b.now)
	b.take(b.a.HandleTimer(b.now, nil))
	b.established(true)
	if b.a.Sampled() || b.a.Strict() || b.a.OnTrial() {
		t.Error("samples from before are kept")
	}
	if v := b.reply(late, b.authentic(late, b.header(late))); v != VerdictStale || b.a.Sampled() {
		t.Errorf("a reply from before: got %v, want %v", v, VerdictStale)
	}
	req = b.poll()
	if v := b.reply(req, b.authentic(req, b.header(req))); v != VerdictAccepted || !b.a.Strict() {
		t.Errorf("under strict keys: %v, strict %t", v, b.a.Strict())
	}
	if from, to := b.a.Validity(); from != epoch.Add(-12*time.Hour) || to != epoch.Add(12*time.Hour) {
		t.Errorf("validity: got %v to %v", from.Time(), to.Time())
	}
}

// Cookies that are set aside are out of use; the last one never goes.
func TestSetAside(t *testing.T) {
	b := newBench(t, Config{NTS: true})
	if _, _, ok := b.a.SetAside(2, nil); ok {
		t.Error("set aside without keys")
	}
	b.onTrial(true)
	out, s, ok := b.a.SetAside(2, nil)
	rest, _ := b.a.Session()
	save, saved := out[0].(event.SaveSession)
	if !ok || len(s.Cookies) != 2 || len(rest.Cookies) != 6 || !saved || len(save.Session.Cookies) != 6 {
		t.Fatalf("got %d, left %d, saved %t", len(s.Cookies), len(rest.Cookies), saved)
	}
	for _, c := range rest.Cookies {
		if string(c) == string(s.Cookies[0]) || string(c) == string(s.Cookies[1]) {
			t.Error("a cookie is set aside and in use")
		}
	}
	for _, want := range []int{4, 1, 0} {
		_, s, _ = b.a.SetAside(4, nil)
		if len(s.Cookies) != want {
			t.Errorf("got %d, want %d", len(s.Cookies), want)
		}
	}
}

// A NAK to the last cookie asks for new keys at once; so does a saved session
// that has outlived its certificates.
func TestFallThrough(t *testing.T) {
	one := func() (*bench, nts.Session) {
		b := newBench(t, Config{NTS: true})
		b.onTrial(true)
		s, _ := b.a.Session()
		s.KEName, s.KEAddr, s.KEPort = "a.test", b.a.SourceAddr(), 4460
		s.Cookies = s.Cookies[:1]
		fresh := newBench(t, Config{NTS: true})
		fresh.env.Bounds = Bounds{On: true, MaxTrip: time.Second}
		fresh.a.TakeOver(fresh.now, s)
		return fresh, s
	}
	b, _ := one()
	req := b.poll()
	b.rekey(2)
	if v := b.reply(req, b.authentic(req, b.header(req))); v != VerdictNAK {
		t.Fatalf("got %v, want a NAK", v)
	}
	b.take(b.a.HandleTimer(b.now, nil))
	if count[event.StartKE](b) != 1 {
		t.Error("no key establishment at once after a NAK to the last cookie")
	}
	b, _ = one()
	b.now.Wall = epoch.Add(24 * time.Hour)
	req = b.poll()
	if v := b.reply(req, b.authentic(req, b.header(req))); v != VerdictValidity {
		t.Fatalf("got %v, want %v", v, VerdictValidity)
	}
	b.pass(20 * time.Millisecond)
	b.take(b.a.HandleTimer(b.now, nil))
	if count[event.StartKE](b) != 1 {
		t.Error("no key establishment at once after a reply outside the saved validity")
	}
	b, _ = one()
	req = b.poll()
	if got := b.a.NextDeadline().Sub(b.now.Mono); got > time.Second {
		t.Errorf("the last cookie is waited for %v, want at most a second", got)
	}
	_ = req
}

// Revoked keys are gone, here and on disk, and nothing measured remains.
func TestRevoke(t *testing.T) {
	b := newBench(t, Config{NTS: true})
	b.onTrial(false)
	req := b.poll()
	b.reply(req, b.authentic(req, b.header(req)))
	out := b.a.Revoke(nil)
	if _, known := b.a.Session(); known || b.a.Sampled() || b.a.Reach() != 0 || b.a.OnTrial() {
		t.Error("something is left")
	}
	if _, ok := out[len(out)-1].(event.DropSession); !ok {
		t.Errorf("got %T, want the session dropped", out[len(out)-1])
	}
	if b.a.NextDeadline() == clock.Never {
		t.Error("never asks for keys again")
	}
	for range 2 {
		b.pass(max(0, b.a.NextDeadline().Sub(b.now.Mono)))
		b.take(b.a.HandleTimer(b.now, nil))
	}
	if count[event.StartKE](b) != 2 {
		t.Errorf("%d key establishments, want a second one", count[event.StartKE](b))
	}
}
