package engine

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"runtime"
	"testing"
	"time"

	"ntsd/internal/bootstrap"
	"ntsd/internal/clock"
	"ntsd/internal/discipline"
	"ntsd/internal/event"
	"ntsd/internal/local"
	"ntsd/internal/ntptime"
	"ntsd/internal/nts"
	"ntsd/internal/smooth"
	"ntsd/internal/upstream"
	"ntsd/internal/wire"
)

// TestChaos: whatever servers say, whoever else sets the clock, whatever the
// operator does: nothing panics, time passes (world.run sees to it), and what
// the kernel and people are told are numbers within bounds.
func TestChaos(t *testing.T) {
	lives := uint64(12)
	if runtime.GOARCH != "amd64" { // most likely emulated
		lives = 2
	}
	for seed := range lives {
		chaos(t, seed)
		if t.Failed() {
			return
		}
	}
}

// moments are times that arithmetic may stumble over.
func moments() []clock.Wall {
	return []clock.Wall{
		0, epoch, epoch.Add(1500 * time.Millisecond),
		clock.WallUnix(-2208988800, 0), clock.WallUnix(-1, 5e8), // 1900, right before 1970
		clock.WallUnix(2085978496, 0).Add(-time.Second),    // right before NTP's second era
		clock.WallUnix(1<<31, 0), clock.WallUnix(1<<32, 0), // 2038, 2106
		clock.WallUnix(4102444800, 0), // 2100
	}
}

func chaos(t *testing.T, seed uint64) {
	w := newWorld(t, seed, 0)
	pick := func(n int) int { return w.rng.IntN(n) }
	w.now.Wall = moments()[pick(len(moments()))]
	w.persisted = func(event.Persist) {}
	var all []*server
	for i, name := range []string{"a.test", "b.test", "c.test", "d.test", "p.test", "p.test", "p.test"} {
		all = append(all, w.serve(name, addr(i+1), server{nts: i < 3, keyID: 1}))
	}
	w.start(someConfig(w.rng))
	for range 40 {
		s := all[pick(len(all))]
		switch pick(12) {
		case 0:
			*s = server{nts: s.nts, keyID: s.keyID, delay: 10 * time.Millisecond}
		case 1:
			s.change = anyHeader(w.rng)
		case 2:
			s.offset = moments()[pick(len(moments()))].Sub(epoch).Duration()
		case 3:
			s.offset = time.Duration(w.rng.NormFloat64() * float64(time.Second))
		case 4:
			s.kiss = []wire.KissCode{0, wire.KissRate, wire.KissDeny, wire.KissRSTR}[pick(4)]
		case 5:
			s.loss, s.dead = w.rng.Float64(), pick(4) == 0
		case 6:
			s.keFails, s.keWhy, s.keyID = nts.FailureClass(pick(4)), "chaos", uint32(1+pick(2))
		case 7:
			w.now.Wall = moments()[pick(len(moments()))] // somebody sets the clock
		case 8:
			w.now.Mono = w.now.Mono.Add(time.Duration(pick(1e6)) * time.Second) // and nobody wakes us up
		case 9:
			w.perform(w.eng.HandleConfig(w.now, someConfig(w.rng), nil))
		case 10:
			out, err := w.eng.HandleCommand(w.now, event.Command{
				Kind: event.CommandKind(pick(int(event.CommandOtherFamily) + 1)), Good: pick(5), Max: pick(40),
				Target: []string{"", "a.test", addr(4)}[pick(3)],
			}, nil)
			_ = err // there may be no such source now
			w.perform(out)
		case 11:
			s.delay = time.Duration(w.rng.ExpFloat64() * float64(100*time.Millisecond))
		}
		w.run(time.Duration(w.rng.ExpFloat64() * float64(10*time.Minute)))
		sane(t, w)
		if t.Failed() {
			return
		}
	}
}

func someConfig(rng *rand.Rand) Config {
	pool := plainSource("p.test")
	pool.Kind, pool.MaxSources = upstream.Pool, 3
	var some []upstream.Source
	for _, s := range []upstream.Source{ntsSource("a.test"), ntsSource("b.test"), ntsSource("c.test"), plainSource("d.test"), pool} {
		if rng.IntN(3) > 0 {
			s.XLeave, s.Operator = rng.IntN(2) == 0, s.Name
			s.MinPoll = ntptime.Exponent(rng.IntN(7))
			some = append(some, s)
		}
	}
	cfg := with(some...)
	cfg.MakeStep = MakeStep{time.Duration(rng.IntN(2)) * time.Second, rng.IntN(4) - 1}
	cfg.Bootstrap = Bootstrap{Mode: bootstrap.Mode(rng.IntN(3)), Deadline: time.Minute}
	cfg.Floor = clock.WallUnix(1767225600, 0) // 2026
	cfg.LeapMode = discipline.LeapMode(rng.IntN(4))
	cfg.MaxSlew = clock.Rate(83333e-6)
	if rng.IntN(2) == 0 {
		cfg.Smooth = smooth.Config{MaxRate: 1e-4, MaxWander: 1e-7, LeapOnly: rng.IntN(2) == 0}
	}
	if rng.IntN(2) == 0 {
		cfg.Local = local.Config{Enabled: true, Stratum: 10, Orphan: rng.IntN(2) == 0, Distance: time.Second}
	}
	return cfg
}

// anyHeader makes a reply say something mad.
func anyHeader(rng *rand.Rand) func(*wire.Header) {
	mad := func() ntptime.Timestamp {
		switch rng.IntN(4) {
		case 0:
			return ntptime.Timestamp(rng.Uint64())
		case 1:
			return ntptime.Timestamp(rng.IntN(3)) - 1
		default:
			return ntptime.FromWall(moments()[rng.IntN(len(moments()))])
		}
	}
	which := rng.IntN(256)
	return func(h *wire.Header) {
		for i, change := range []func(){
			func() { h.Receive = mad() },
			func() { h.Transmit = mad() },
			func() { h.ReferenceTime = mad() },
			func() { h.RootDelay, h.RootDispersion = ntptime.Short(rng.Uint32()), ntptime.Short(rng.Uint32()) },
			func() { h.Precision, h.Poll = ntptime.Exponent(rng.IntN(256)-128), ntptime.Exponent(rng.IntN(256)-128) },
			func() { h.Stratum = uint8(rng.IntN(256)) },
			func() { h.Leap = wire.Leap(rng.IntN(4)) },
			func() { h.Transmit = h.Receive + ntptime.Timestamp(rng.Int64N(1<<33)) },
		} {
			if which>>i&1 != 0 && rng.IntN(2) == 0 {
				change()
			}
		}
	}
}

// sane looks at all that the world is told.
func sane(t *testing.T, w *world) {
	t.Helper()
	if r := float64(w.rate); math.IsNaN(r) || math.Abs(r) > 0.1 {
		t.Errorf("rate %v", r)
	}
	if s := w.status; s.MaxError < 0 || s.EstError < 0 {
		t.Errorf("status %+v", s)
	}
	if d := w.drift; d != nil && (math.IsNaN(float64(d.Rate)) || math.IsNaN(float64(d.Skew)) || math.Abs(float64(d.Rate)) > 500e-6) {
		t.Errorf("drift %+v", d)
	}
	finite(t, "snapshot", reflect.ValueOf(w.eng.Snapshot(w.now)))
	sys := w.eng.System(w.now)
	finite(t, "system", reflect.ValueOf(sys))
	if sys.RootDelay < 0 || sys.RootDispersion < 0 {
		t.Errorf("system %+v", sys)
	}
}

// finite visits every number of a value.
func finite(t *testing.T, name string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		if x := v.Float(); math.IsNaN(x) || math.IsInf(x, 0) {
			t.Errorf("%s is %v", name, x)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[netip.Addr]() {
			return
		}
		for i := range v.NumField() {
			finite(t, name+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			finite(t, name, v.Index(i))
		}
	case reflect.Int64:
		if v.Type() == reflect.TypeFor[time.Duration]() && v.Int() == math.MinInt64 {
			t.Errorf("%s has run over", name)
		}
	}
}
