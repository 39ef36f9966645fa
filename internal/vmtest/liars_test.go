package vmtest

import (
	"testing"
	"time"

	"ntsd/internal/clock"
)

// liars are those where somebody says a wrong time.
func liars() []scenario {
	const year = 365 * day
	one := func(by time.Duration) func(*testing.T) *world {
		return func(t *testing.T) *world { return oneLies(t, by) }
	}
	return []scenario{
		{"one of three lies by a day", false, one(-day)},
		{"one of three lies by a year", true, one(year)},
		{"one lies by a year, beyond its certificate", false, liesBeyondCertificate},
		{"one lies by a year after a reboot", false, liesAfterReboot},
		{"plain and unverified servers lie by a year", false, strangersLie},
		{"only server, certificate expired", false, expiredOnly},
		{"expired before the saved time, only server", false, expiredBeforeSaved},
		{"expired since the saved time, alone", false, func(t *testing.T) *world { return expiredSince(t, 3, true) }},
		{"expired since the saved time, one of three", false, func(t *testing.T) *world { return expiredSince(t, 3, false) }},
		{"expired since the saved time, only: the risk", false, residualRisk},
		{"valid in ten years, alone", false, func(t *testing.T) *world { return fromTheFuture(t, true) }},
		{"valid in ten years, one of three", false, func(t *testing.T) *world { return fromTheFuture(t, false) }},
	}
}

// lie makes a server's clock wrong and gives it a certificate that is valid
// around its time.
func (w *world) lie(h *host, by time.Duration) {
	w.t.Helper()
	w.certify(h, by-40*day, by+40*day)
	w.restart(h)
	h.SetOffset(clock.Offset(by))
}

// silence switches servers off.
func silence(hosts []*host) {
	for _, h := range hosts {
		h.Pause()
	}
}

// oneLies: the certificate of the liar is valid at both times.
func oneLies(t *testing.T, by time.Duration) *world {
	w := newWorld(t, 3, 0)
	w.certify(w.servers[0], min(by, 0)-30*day, max(by, 0)+30*day)
	w.restart(w.servers[0])
	w.servers[0].SetOffset(clock.Offset(by))
	w.configure()
	r := w.boot()
	r.startDaemon()
	r.wantSync(6, 0)
	return w
}

func liesBeyondCertificate(t *testing.T) *world {
	w := newWorld(t, 3, 0)
	w.servers[0].SetOffset(clock.Offset(365 * day))
	w.configure()
	r := w.boot()
	r.startDaemon()
	r.wantSync(6, 0)
	return w
}

// liesAfterReboot: the cookies set aside are the liar's, too.
func liesAfterReboot(t *testing.T) *world {
	w := lived(t, 3, 0, false)
	w.servers[0].SetOffset(clock.Offset(365 * day))
	again(w, 6, 0)
	return w
}

// strangersLie has servers without authentication or without a verified name,
// as a DHCP server may hand them out: they have no voice in the first time.
func strangersLie(t *testing.T) *world {
	w := newWorld(t, 6, 0)
	honest, strangers := w.servers[:3], w.servers[3:]
	for _, h := range strangers {
		w.lie(h, 365*day)
	}
	var more string
	for _, h := range strangers[:2] {
		more += "config server\n\toption hostname '" + h.addr.String() + "'\n\toption iburst 'yes'\n"
	}
	more += source(strangers[2], "noval 'yes'")
	w.servers = honest
	w.configure(more)
	w.servers = append(honest, strangers...)
	r := w.boot()
	r.startDaemon()
	r.wantSync(7, 0)
	return w
}

// expiredOnly: the server says the right time, at which its certificate has
// been invalid for long.
func expiredOnly(t *testing.T) *world {
	w := newWorld(t, 1, 0)
	w.certify(w.servers[0], -100*day, -10*day)
	w.restart(w.servers[0])
	w.configure()
	r := w.boot()
	r.startDaemon()
	r.wantNoTime()
	return w
}

// expiredBeforeSaved: somebody has the key of a certificate that had expired
// when the router last knew the time.
func expiredBeforeSaved(t *testing.T) *world {
	w := lived(t, 1, 0, false)
	w.certify(w.servers[0], -60*day, -10*day)
	w.restart(w.servers[0])
	w.servers[0].SetOffset(clock.Offset(-20 * day))
	r := w.boot()
	r.startDaemon()
	r.wantNoTime()
	return w
}

// attacked is a world that was off for 100 days. Since then the certificate of
// the first server has expired, and somebody has its key; the others have new
// ones.
func attacked(t *testing.T, servers int) *world {
	t.Helper()
	w := lived(t, servers, 100*day, false)
	w.lie(w.servers[0], -60*day)
	for _, h := range w.servers[1:] {
		w.certify(h, -20*day, 70*day)
		w.restart(h)
	}
	return w
}

func expiredSince(t *testing.T, servers int, alone bool) *world {
	w := attacked(t, servers)
	r := w.boot()
	if alone {
		silence(w.servers[1:])
		r.startDaemon()
		r.wantNoTime()
		return w
	}
	r.startDaemon()
	r.wantSync(6, 2) // his certificate is not valid at the right time
	return w
}

// residualRisk is what the threat model says: who is the only operator, and
// has the key of such a certificate, places the clock inside its validity.
func residualRisk(t *testing.T) *world {
	w := attacked(t, 1)
	r := w.boot()
	r.startDaemon()
	r.await()
	if got, want := w.figures.offset, clock.Offset(-60*day); (got - want).Abs() > time.Second {
		t.Errorf("the clock is off by %v, want %v, inside the certificate's validity", got.Duration(), want.Duration())
	}
	return w
}

func fromTheFuture(t *testing.T, alone bool) *world {
	w := newWorld(t, 3, 0)
	w.lie(w.servers[0], 3650*day)
	w.configure()
	r := w.boot()
	if alone {
		silence(w.servers[1:])
		r.startDaemon()
		r.wantNoTime()
		return w
	}
	r.startDaemon()
	r.wantSync(6, 2)
	return w
}
