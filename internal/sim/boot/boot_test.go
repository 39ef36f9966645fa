package boot

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"ntsd/internal/bootstrap"
	"ntsd/internal/clock"
	"ntsd/internal/event"
)

// seeds is how many worlds of each scenario are run.
var seeds = flag.Int("seeds", 6, "worlds of each scenario") //nolint:gochecknoglobals // a flag

const (
	ladder = bootstrap.ModeLadder
	// start is when the worlds begin: half a year after the build.
	start = Built + clock.Wall(180*Day)
)

// want is what must have become of a life.
type want struct {
	lost   bool          // not synchronised
	within time.Duration // of the start of the daemon; 0: 3 s
	wrong  time.Duration // at most, at the end; 0: 100 ms
	kes    int           // at most
	writes int           // of flash, at most
}

const many = 1 << 20

// expect compares a life with what must have become of it.
func (w *World) expect(t *testing.T, name string, r *Result, e want) {
	t.Helper()
	if e.wrong == 0 {
		e.wrong = 100 * time.Millisecond
	}
	if e.within == 0 {
		e.within = 3 * time.Second
	}
	switch {
	case e.lost == r.Synchronised:
		t.Errorf("%s: synchronised %t, want %t; waits for %q", name, r.Synchronised, !e.lost, r.Status.Waiting)
	case !e.lost && r.After > e.within:
		t.Errorf("%s: synchronised after %v, want at most %v", name, r.After, e.within)
	case !e.lost && r.Wrong.Abs() > e.wrong:
		t.Errorf("%s: wrong by %v, want at most %v", name, r.Wrong.Duration(), e.wrong)
	}
	if r.KEs > e.kes {
		t.Errorf("%s: %d key establishments, want at most %d", name, r.KEs, e.kes)
	}
	if r.Writes > e.writes {
		t.Errorf("%s: %d writes of flash, want at most %d", name, r.Writes, e.writes)
	}
	if !t.Failed() {
		return
	}
	for _, x := range r.Status.Journal {
		t.Logf("  %v %v %s ok=%t %s", time.Duration(x.At-r.Status.Started.Mono), x.Rung, x.Source, x.OK, x.Text)
	}
	for _, n := range r.Notices {
		t.Logf("  notice %d %s %s", n.Kind, n.Name, n.Text)
	}
}

// scenario is one story, told with many seeds.
type scenario struct {
	name string
	tell func(t *testing.T, seed uint64) *World
}

// lived is a world with a router that ran for an hour, was switched off in
// good order, and stays off for a while.
func lived(t *testing.T, seed uint64, servers int) *World {
	t.Helper()
	w := New(seed, start, servers)
	r := w.Run(Life{Mode: ladder, Lasts: time.Hour})
	w.expect(t, "the first boot", r, want{kes: 2 * servers, writes: 3})
	return w
}

func starts() []scenario {
	return []scenario{
		{"first boot", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 3)
			r := w.Run(Life{Mode: ladder, Lasts: time.Minute})
			w.expect(t, "first boot", r, want{kes: 6, writes: 3})
			if r.Steps != 1 || r.Count(event.NoticeTentative) != 1 || r.Count(event.NoticeTrusted) != 1 {
				t.Errorf("%d steps, notices %+v", r.Steps, r.Notices)
			}
			return w
		}},
		{"clean reboot", func(t *testing.T, seed uint64) *World {
			w := lived(t, seed, 3)
			r := w.Run(Life{Off: time.Minute, Mode: ladder, Lasts: time.Minute})
			// A round trip, the spread of the first requests, the flash.
			w.expect(t, "reboot", r, want{within: 50*time.Millisecond + 300*time.Millisecond, writes: 5})
			r = w.Run(Life{Off: time.Minute, Mode: ladder, Lasts: time.Minute, Cut: true})
			w.expect(t, "until the power goes", r, want{within: 350 * time.Millisecond, writes: 3})
			for _, s := range w.disk.reserve {
				if len(s.Cookies) != bootstrap.Spare {
					t.Errorf("the reserve was not filled again: %d cookies of %s", len(s.Cookies), s.KEName)
				}
			}
			return w
		}},
		{"restart", func(t *testing.T, seed uint64) *World {
			w := lived(t, seed, 3)
			for range 3 {
				r := w.Run(Life{Off: time.Second, Restart: true, Mode: ladder, Lasts: time.Minute})
				w.expect(t, "restart", r, want{within: time.Second, writes: 1})
			}
			return w
		}},
		{"off for 100 days", func(t *testing.T, seed uint64) *World {
			w := lived(t, seed, 3)
			for _, s := range w.Servers {
				s.Lost = []clock.Wall{w.Truth.Add(30 * Day)}
			}
			r := w.Run(Life{Off: 100 * Day, Mode: ladder, Lasts: time.Minute})
			w.expect(t, "100 days later", r, want{kes: 6, writes: 5})
			return w
		}},
		{"servers forgot their cookie keys", func(t *testing.T, seed uint64) *World {
			w := lived(t, seed, 3)
			for i, s := range w.Servers {
				if w.rng.IntN(3) > 0 || i == 0 {
					s.Lost = []clock.Wall{w.Truth.Add(time.Second)}
				}
			}
			r := w.Run(Life{Off: time.Hour, Mode: ladder, Lasts: time.Minute})
			w.expect(t, "reboot", r, want{within: 2 * time.Second, kes: 6, writes: 5})
			return w
		}},
		{"the first reply is lost", func(t *testing.T, seed uint64) *World {
			w := lived(t, seed, 3)
			for _, s := range w.Servers {
				s.Deaf = 500 * time.Millisecond
			}
			r := w.Run(Life{Off: time.Hour, Mode: ladder, Lasts: time.Minute})
			w.expect(t, "reboot", r, want{within: 1900 * time.Millisecond, kes: 6, writes: 5})
			return w
		}},
		{"a slow one is late for the agreement", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 3)
			w.Servers[w.rng.IntN(3)].Trip = 400 * time.Millisecond
			r := w.Run(Life{Mode: ladder, Lasts: time.Minute})
			w.expect(t, "first boot", r, want{kes: 6, writes: 3})
			if len(w.strict) != 3 || len(w.disk.reserve) != 3 {
				t.Errorf("%d of 3 certificates are judged, %d sessions in the reserve", len(w.strict), len(w.disk.reserve))
			}
			return w
		}},
		{"network after a minute", func(t *testing.T, seed uint64) *World {
			w := lived(t, seed, 3)
			r := w.Run(Life{Off: time.Hour, Mode: ladder, Network: time.Minute, Lasts: 5 * time.Minute})
			w.expect(t, "reboot", r, want{within: time.Minute + time.Second + 50*time.Millisecond, kes: many, writes: 5})
			w.disk.reserve = nil
			r = w.Run(Life{Off: time.Hour, Mode: ladder, Network: time.Minute, Lasts: 5 * time.Minute})
			w.expect(t, "without a reserve", r, want{within: time.Minute + 4*time.Second, kes: many, writes: 5})
			return w
		}},
		{"no names", func(t *testing.T, seed uint64) *World {
			w := lived(t, seed, 3)
			for _, s := range w.Servers {
				s.Lost = []clock.Wall{w.Truth.Add(time.Second)} // so the names are needed
			}
			r := w.Run(Life{Off: time.Hour, Mode: ladder, Names: -1, Lasts: time.Minute})
			w.expect(t, "reboot", r, want{kes: 6, writes: 5})
			w.disk.reserve = nil
			r = w.Run(Life{Off: time.Hour, Mode: ladder, Names: -1, Lasts: time.Minute})
			w.expect(t, "without a reserve", r, want{within: 6 * time.Second, kes: 6, writes: 5})
			return w
		}},
		{"clock chips", func(t *testing.T, seed uint64) *World {
			w := lived(t, seed, 3)
			for _, says := range []clock.Wall{
				clock.WallUnix(946684800, 0),  // 2000: the battery is dead
				clock.WallUnix(4070908800, 0), // 2099
				Built.Add(-Day), w.Truth.Add(-3 * time.Second), w.Truth.Add(400 * Day),
			} {
				r := w.Run(Life{Off: time.Hour, Mode: ladder, Clock: says, Lasts: time.Minute})
				w.expect(t, "a chip that says "+says.Time().String(), r, want{within: time.Second, writes: 5})
				w.disk.reserve = nil
				r = w.Run(Life{Off: time.Hour, Mode: ladder, Clock: says, Lasts: time.Minute})
				w.expect(t, "without a reserve, a chip that says "+says.Time().String(), r, want{kes: 6, writes: 5})
			}
			return w
		}},
		{"from the floor", func(t *testing.T, seed uint64) *World {
			w := lived(t, seed, 3)
			for _, s := range w.Servers {
				s.Dead = true
			}
			r := w.Run(Life{Off: time.Hour, Mode: ladder, AtFloor: true, Lasts: time.Minute})
			w.expect(t, "nobody there", r, want{lost: true, kes: many, writes: 1})
			if r.Steps != 1 || r.Wrong.Duration() > time.Hour+2*time.Minute || r.Wrong < 0 {
				t.Errorf("%d steps, wrong by %v; want one, to the time saved an hour ago", r.Steps, r.Wrong.Duration())
			}
			return w
		}},
	}
}

func flashes() []scenario {
	return []scenario{
		{"read-only flash", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 3)
			for range 2 {
				r := w.Run(Life{Off: time.Hour, Mode: ladder, ReadOnly: true, Lasts: time.Minute})
				w.expect(t, "never writable", r, want{kes: 6})
			}
			w = lived(t, seed, 3)
			for range 3 { // the reserve lies there, and is not used
				r := w.Run(Life{Off: time.Hour, Mode: ladder, ReadOnly: true, Lasts: time.Minute})
				w.expect(t, "not writable any more", r, want{kes: 6})
				if len(w.disk.reserve) != 3 {
					t.Errorf("the reserve holds %d sessions, want 3", len(w.disk.reserve))
				}
			}
			return w
		}},
		{"damaged files", func(t *testing.T, seed uint64) *World {
			w := lived(t, seed, 3)
			state, reserve := w.Disk()
			*state = event.Boot{}
			r := w.Run(Life{Off: time.Hour, Mode: ladder, Lasts: time.Minute})
			w.expect(t, "without state", r, want{within: time.Second, writes: 5})
			*reserve = nil
			r = w.Run(Life{Off: time.Hour, Mode: ladder, Lasts: time.Minute})
			w.expect(t, "without reserve", r, want{kes: 6, writes: 5})
			*state, *reserve = event.Boot{}, nil
			r = w.Run(Life{Off: time.Hour, Mode: ladder, Lasts: time.Minute})
			w.expect(t, "without either", r, want{kes: 6, writes: 5})
			return w
		}},
		{"power cuts at any instant", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 3)
			for range 12 {
				w.Run(Life{
					Off: time.Duration(w.rng.Int64N(int64(time.Hour))), Mode: ladder, CutAt: 1 + w.rng.IntN(80), Lasts: 10 * time.Minute,
				})
			}
			r := w.Run(Life{Off: time.Minute, Mode: ladder, Lasts: time.Minute})
			w.expect(t, "in the end", r, want{kes: 6, writes: 5})
			return w
		}},
		{"crashes and power cuts", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 3)
			for range 12 {
				l := Life{Off: time.Duration(w.rng.Int64N(int64(time.Minute))), Mode: ladder, CutAt: 1 + w.rng.IntN(120), Lasts: 10 * time.Minute}
				l.Restart = w.rng.IntN(2) == 0
				w.Run(l)
			}
			return w
		}},
		{"days on end, and power cuts", func(t *testing.T, seed uint64) *World {
			w := lived(t, seed, 3)
			for life := range 2 {
				r := w.Run(Life{Off: time.Minute, Mode: ladder, Lasts: 3*Day + time.Hour, Cut: life == 0})
				w.expect(t, fmt.Sprintf("life %d", life), r, want{within: time.Second, writes: 1 + 2 + 2*3 + 2})
			}
			return w
		}},
	}
}

// caught is a chain whose key an attacker has, valid between two times.
func caught(from, to clock.Wall) []Chain { return []Chain{{NotBefore: from, NotAfter: to}} }

func liars() []scenario {
	year := 365 * Day
	return []scenario{
		{"one of three lies", func(t *testing.T, seed uint64) *World {
			lies := []time.Duration{Day, -Day, year, -year, 2 * time.Second, -10 * time.Second, 50 * year}
			w := New(seed, start, 3)
			liar := w.Servers[w.rng.IntN(3)]
			liar.Lie = clock.Offset(lies[w.rng.IntN(len(lies))])
			if w.rng.IntN(2) == 0 {
				liar.Trip = 5 * time.Millisecond
			}
			r := w.Run(Life{Mode: ladder, Lasts: time.Minute})
			w.expect(t, "first boot", r, want{kes: many, writes: 3})
			r = w.Run(Life{Off: time.Hour, Mode: ladder, Lasts: time.Minute})
			w.expect(t, "reboot", r, want{within: 2 * time.Second, kes: many, writes: 5})
			return w
		}},
		{"all differ", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 3)
			w.Servers[0].Lie, w.Servers[1].Lie = clock.Offset(Day), -clock.Offset(Day)
			r := w.Run(Life{Mode: ladder, Lasts: 10 * time.Minute})
			w.expect(t, "first boot", r, want{lost: true, kes: many})
			if r.Steps != 0 || r.Count(event.NoticeBootstrap) != 1 {
				t.Errorf("%d steps, told %d times what is missing; want 0, 1", r.Steps, r.Count(event.NoticeBootstrap))
			}
			return w
		}},
		{"two names of one operator are one voice", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 3)
			for range 2 {
				s := w.Add(Server{Operator: "operator3", Lie: clock.Offset(Day), Chains: w.Servers[2].Chains})
				s.Trip = 5 * time.Millisecond
			}
			w.Servers[2].Lie = clock.Offset(Day)
			r := w.Run(Life{Mode: ladder, Lasts: time.Minute})
			w.expect(t, "first boot", r, want{wrong: many * time.Hour, kes: many, writes: 3})
			return w
		}},
		{"a single server with an expired certificate", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 0)
			w.Add(Server{Chains: caught(start.Add(-100*Day), start.Add(-10*Day))})
			r := w.Run(Life{Mode: ladder, Lasts: 20 * time.Minute})
			w.expect(t, "expired after the build", r, want{lost: true, kes: many})
			if r.Steps != 0 {
				t.Errorf("%d steps, want none: its time is outside its certificate", r.Steps)
			}
			w.Servers[0].Chains = caught(Built.Add(-100*Day), Built.Add(-Day))
			r = w.Run(Life{Mode: ladder, Lasts: 20 * time.Minute})
			w.expect(t, "expired before the build", r, want{lost: true, kes: many})
			return w
		}},
		{"a certificate that expired before the saved time", func(t *testing.T, seed uint64) *World {
			w := lived(t, seed, 1)
			w.disk.reserve = nil
			s := w.Servers[0]
			s.Chains, s.Lie = caught(w.Truth.Add(-90*Day), w.Truth.Add(-Day)), -clock.Offset(30*Day)
			r := w.Run(Life{Off: 10 * Day, Mode: ladder, Lasts: 20 * time.Minute})
			w.expect(t, "alone", r, want{lost: true, kes: many})
			if r.Steps != 0 {
				t.Errorf("%d steps, want none", r.Steps)
			}
			return w
		}},
		{"an expired certificate is renewed", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 0)
			w.Add(Server{Chains: []Chain{
				{NotBefore: start.Add(-100 * Day), NotAfter: start.Add(-10 * Day)},
				{Since: start.Add(time.Hour), NotBefore: start, NotAfter: start.Add(90 * Day)},
			}})
			r := w.Run(Life{Mode: ladder, Lasts: 12 * time.Hour})
			w.expect(t, "after a while", r, want{within: 6 * time.Hour, kes: 30, writes: 4})
			return w
		}},
		{"a time before the floor", func(t *testing.T, seed uint64) *World {
			w := lived(t, seed, 1)
			if w.rng.IntN(2) == 0 {
				w.disk.reserve = nil
			}
			s := w.Servers[0]
			s.Lie = -clock.Offset(time.Duration(1+w.rng.IntN(20*24)) * time.Hour)
			r := w.Run(Life{Off: time.Minute, Mode: ladder, Lasts: 20 * time.Minute})
			w.expect(t, "alone", r, want{lost: true, kes: many, writes: 1})
			if r.Steps != 0 {
				t.Errorf("%d steps, want none", r.Steps)
			}
			return w
		}},
		{"a stolen key, one of three", func(t *testing.T, seed uint64) *World {
			w := lived(t, seed, 3)
			if w.rng.IntN(2) == 0 {
				w.disk.reserve = nil
			}
			s := w.Servers[w.rng.IntN(3)]
			// Expired after the saved time, and before now.
			s.Chains, s.Lie = caught(w.Truth.Add(-60*Day), w.Truth.Add(30*Day)), -clock.Offset(80*Day)
			s.Lost = []clock.Wall{w.Truth}
			r := w.Run(Life{Off: 100 * Day, Mode: ladder, Lasts: 2 * time.Minute})
			w.expect(t, "reboot", r, want{kes: many, writes: 5})
			if r.Count(event.NoticeRevoked) != 1 {
				t.Errorf("%d revoked, want the one: %+v", r.Count(event.NoticeRevoked), r.Notices)
			}
			return w
		}},
		{"a stolen key of the only operator: the residual risk", func(t *testing.T, seed uint64) *World {
			w := lived(t, seed, 1)
			s := w.Servers[0]
			s.Chains, s.Lie = caught(w.Truth.Add(-60*Day), w.Truth.Add(30*Day)), -clock.Offset(80*Day)
			s.Lost = []clock.Wall{w.Truth}
			r := w.Run(Life{Off: 100 * Day, Mode: ladder, Lasts: 2 * time.Minute})
			w.expect(t, "reboot", r, want{wrong: 81 * Day, kes: many, writes: 5})
			if at := w.Truth.Add(-r.Wrong.Duration()); at < start || at > start.Add(31*Day) {
				t.Errorf("the clock is at %v, want it between the saved time and the certificate's end", at.Time())
			}
			return w
		}},
		{"a certificate that will be valid in ten years", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 3)
			s := w.Servers[w.rng.IntN(3)]
			s.Chains, s.Lie = caught(start.Add(10*year), start.Add(11*year)), clock.Offset(10*year+Day)
			r := w.Run(Life{Mode: ladder, Lasts: 2 * time.Minute})
			w.expect(t, "one of three", r, want{kes: many, writes: 3})
			return w
		}},
		{"plain and unproven servers have no say", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 2)
			for i := range 4 {
				s := w.Add(Server{Plain: i < 2, NoVal: i == 2, Pool: i == 3, Lie: clock.Offset(Day), Chains: w.Servers[0].Chains})
				s.Trip = 5 * time.Millisecond
			}
			if w.rng.IntN(2) == 0 {
				w.Servers[0].Dead = true
				r := w.Run(Life{Mode: ladder, Lasts: 2 * time.Minute})
				w.expect(t, "one of two operators is there", r, want{lost: true, kes: many})
				if r.Steps != 0 {
					t.Errorf("%d steps, want none", r.Steps)
				}
				return w
			}
			r := w.Run(Life{Mode: ladder, Lasts: 2 * time.Second})
			w.expect(t, "both are there", r, want{kes: many, writes: 3})
			return w
		}},
		{"a near plain server is followed, and the strict ones vouch", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 2)
			near := w.Add(Server{Plain: true})
			near.Trip = time.Millisecond
			r := w.Run(Life{Mode: ladder, Lasts: time.Hour})
			w.expect(t, "first boot", r, want{kes: 4, writes: 4})
			if at := w.disk.state.Time; at < start.Add(59*time.Minute) || len(w.disk.reserve) != 2 {
				t.Errorf("saved at the stop: %v, %d sessions in the reserve", at.Time(), len(w.disk.reserve))
			}
			return w
		}},
		{"no NTS at all", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 0)
			for i := range 3 {
				w.Add(Server{Plain: true, Lie: clock.Offset(i/2) * clock.Offset(Day)})
			}
			r := w.Run(Life{Mode: ladder, Lasts: 10 * time.Minute})
			w.expect(t, "a majority of plain ones", r, want{within: 3 * time.Second, writes: 2})
			return w
		}},
		{"trust is revoked", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 3)
			for i, s := range w.Servers {
				if i < 2 {
					s.Again = &Chain{NotBefore: start.Add(-90 * Day), NotAfter: start.Add(-Day)}
				}
			}
			r := w.Run(Life{Mode: ladder, Lasts: 2 * time.Minute})
			w.expect(t, "two of three fail the second look", r, want{lost: true, kes: many})
			if r.Count(event.NoticeRevoked) != 2 || r.Count(event.NoticeSynchronised) != 0 {
				t.Errorf("%d revoked, %d times synchronised; want 2, 0", r.Count(event.NoticeRevoked), r.Count(event.NoticeSynchronised))
			}
			return w
		}},
		{"liars on trial vanish", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 3)
			honest := w.Servers[0].Chains
			for _, s := range w.Servers[:2] {
				s.Chains, s.Lie, s.Trip = caught(start.Add(-90*Day), start.Add(-Day)), -clock.Offset(30*Day), 300*time.Millisecond
			}
			back := Event{After: 1700 * time.Millisecond, Do: func() {
				for _, s := range w.Servers {
					s.Chains, s.Lie, s.Dead = honest, 0, false
				}
			}}
			gone := Event{After: back.After, Do: func() { w.Servers[0].Dead, w.Servers[1].Dead = true, true }}
			if w.rng.IntN(2) == 0 {
				r := w.Run(Life{Mode: ladder, Lasts: 10 * time.Minute, Events: []Event{back}})
				w.expect(t, "the true ones answer", r, want{within: 4 * time.Minute, kes: many, writes: 3})
				return w
			}
			back.After = 8 * time.Minute
			r := w.Run(Life{Mode: ladder, Lasts: 8 * time.Hour, Events: []Event{gone, back}})
			w.expect(t, "nobody answers, then the true ones", r, want{within: 3 * time.Hour, kes: many, writes: 4})
			return w
		}},
		{"delays on the path", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 3)
			for _, s := range w.Servers {
				s.Delay = 500 * time.Millisecond
			}
			r := w.Run(Life{Mode: ladder, Lasts: 2 * time.Minute})
			w.expect(t, "half a second", r, want{within: 5 * time.Second, wrong: 260 * time.Millisecond, kes: 6, writes: 3})
			for _, delay := range []time.Duration{1200 * time.Millisecond, 5 * time.Second} {
				w = New(seed, start, 3)
				for _, s := range w.Servers {
					s.Delay = delay
				}
				r = w.Run(Life{Mode: ladder, Lasts: 10 * time.Minute})
				w.expect(t, delay.String(), r, want{lost: true, kes: many})
				if r.Steps != 0 {
					t.Errorf("%v: %d steps, want none", delay, r.Steps)
				}
			}
			return w
		}},
		{"losses", func(t *testing.T, seed uint64) *World {
			w := lived(t, seed, 3)
			for _, s := range w.Servers {
				s.Loss = 0.3
			}
			r := w.Run(Life{Off: time.Hour, Mode: ladder, Lasts: 5 * time.Minute})
			w.expect(t, "reboot", r, want{within: 2 * time.Minute, kes: many, writes: 5})
			return w
		}},
		{"the worst of all", func(t *testing.T, seed uint64) *World {
			w := New(seed, start, 1+int(seed%5))
			for range 6 {
				for _, s := range w.Servers {
					s.Lie, s.Dead, s.Loss = 0, w.rng.IntN(6) == 0, []float64{0, 0.2}[w.rng.IntN(2)]
					if w.rng.IntN(4) == 0 {
						s.Lie = clock.Offset(w.rng.Int64N(int64(400*Day))) - clock.Offset(200*Day)
					}
					if w.rng.IntN(8) == 0 {
						s.Lost = append(s.Lost, w.Truth)
					}
					if w.rng.IntN(8) == 0 {
						s.Delay = time.Duration(w.rng.Int64N(int64(2 * time.Second)))
					}
				}
				w.Run(Life{
					Off: time.Duration(w.rng.Int64N(int64(40 * Day))), Restart: w.rng.IntN(3) == 0, Mode: ladder,
					Lasts: time.Duration(w.rng.Int64N(int64(20 * time.Minute))), Cut: w.rng.IntN(2) == 0,
					CutAt: w.rng.IntN(2) * w.rng.IntN(100), Network: time.Duration(w.rng.IntN(2)*w.rng.IntN(60)) * time.Second,
					ReadOnly: w.rng.IntN(6) == 0, AtFloor: w.rng.IntN(2) == 0,
				})
			}
			return w
		}},
	}
}

func TestScenarios(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = 1
	}
	for _, list := range [][]scenario{starts(), flashes(), liars()} {
		for _, s := range list {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(n) {
					w := s.tell(t, seed+1)
					for _, b := range w.Broken {
						t.Errorf("never: %s", b)
					}
					if t.Failed() {
						t.Fatalf("seed %d", seed+1)
					}
				}
			})
		}
	}
}
