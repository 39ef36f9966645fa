//go:build linux

package sysclock

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"ntsd/internal/clock"
)

// recorder is a kernel that keeps what it was told and has its own clocks:
// mono advances by cost with each reading, wall follows at rate.
type recorder struct {
	line    clock.Line
	now     clock.Mono
	cost    time.Duration
	state   timex // what modes 0 reads
	set     []timex
	settime []clock.Wall
	refuse  func(timex) error
}

func newRecorder() *recorder {
	r := &recorder{cost: 100, now: 5e9, state: timex{tick: 10001, freq: -12 << 16, status: staUnsync | staPLL | staIns}}
	r.line = clock.Line{At: clock.Reading{Mono: 5e9, Wall: clock.WallUnix(3e9, 0)}} // 2065
	return r
}

func (r *recorder) calls() calls {
	return calls{
		mono: func() clock.Mono { r.now = r.now.Add(r.cost); return r.now },
		wall: func() clock.Wall { r.now = r.now.Add(r.cost); return r.line.WallAt(r.now) },
		settime: func(w clock.Wall) error {
			r.settime = append(r.settime, w)
			r.line = r.line.From(r.now)
			r.line.At.Wall = w
			return nil
		},
		adjtime: func(t *timex) error {
			if r.refuse != nil {
				if err := r.refuse(*t); err != nil {
					return err
				}
			}
			if t.modes == 0 {
				*t = r.state
				return nil
			}
			r.set = append(r.set, *t)
			return nil
		},
	}
}

func openRecorded(t *testing.T) (*Kernel, *recorder) {
	t.Helper()
	r := newRecorder()
	k, err := open(r.calls())
	if err != nil {
		t.Fatal(err)
	}
	r.set = nil
	return k, r
}

func TestOpenTakesOver(t *testing.T) {
	r := newRecorder()
	k, err := open(r.calls())
	if err != nil {
		t.Fatal(err)
	}
	want := []timex{
		{modes: 0x8001},
		{modes: adjStatus | adjOffset, status: staPLL | staUnsync},
		{modes: adjStatus, status: staUnsync},
	}
	if len(r.set) != len(want) {
		t.Fatalf("set %+v, want %+v", r.set, want)
	}
	for i := range want {
		if r.set[i] != want[i] {
			t.Errorf("call %d: %+v, want %+v", i, r.set[i], want[i])
		}
	}
	if rate, err := k.Rate(); err != nil || rate != clock.RatePPM(88) {
		t.Errorf("rate %v %v, want 88 ppm", rate.PPM(), err)
	}
}

func TestSetRateRecords(t *testing.T) {
	k, r := openRecorded(t)
	got, err := k.SetRate(clock.RatePPM(700.00001))
	if err != nil || got != clock.RatePPM(700+1.0/(1<<16)) {
		t.Errorf("set %v ppm, %v", got.PPM(), err)
	}
	want := timex{modes: adjFrequency | adjTick, tick: 10007, freq: 1}
	if len(r.set) != 1 || r.set[0] != want {
		t.Errorf("recorded %+v, want %+v", r.set, want)
	}
}

func TestStepRecords(t *testing.T) {
	for _, c := range []struct {
		o         clock.Offset
		sec, nsec int64
	}{
		{1500000000, 1, 500000000},
		{-1, -1, 999999999},
		{-2000000000, -2, 0},
		{1 << 62, 4611686018, 427387904}, // 146 years
	} {
		k, r := openRecorded(t)
		if err := k.Step(c.o); err != nil {
			t.Fatal(err)
		}
		want := timex{modes: adjSetOffset | adjNano, sec: c.sec, frac: c.nsec}
		if len(r.set) != 1 || r.set[0] != want || len(r.settime) != 0 {
			t.Errorf("step %d: recorded %+v, want %+v", c.o, r.set, want)
		}
	}
}

func TestStepFallsBackToSettime(t *testing.T) {
	k, r := openRecorded(t)
	r.refuse = func(t timex) error {
		if t.modes&adjSetOffset != 0 {
			return syscall.EINVAL
		}
		return nil
	}
	if err := k.Step(-5e9); err != nil {
		t.Fatal(err)
	}
	want := r.line.At.Wall
	if len(r.settime) != 1 || r.settime[0] != want || want.Sub(clock.WallUnix(3e9-5, 0)).Abs() > time.Microsecond {
		t.Errorf("settime %v, want %v", r.settime, want)
	}
}

func TestStatusRecords(t *testing.T) {
	for _, c := range []struct {
		s    Status
		want timex
	}{
		{Status{}, timex{modes: 0x1c, status: staUnsync}},
		{Status{Synchronised: true, MaxError: 1500, EstError: 1000}, timex{modes: 0x1c, maxError: 2, estError: 1}},
		{Status{Synchronised: true, Leap: LeapInsert, TAI: 37}, timex{modes: 0x9c, status: staIns, constant: 37}},
		{Status{Synchronised: true, Leap: LeapDelete}, timex{modes: 0x1c, status: staDel}},
		{Status{Synchronised: true, MaxError: time.Hour}, timex{modes: 0x1c, status: staUnsync, maxError: 16000000}},
		{Status{Synchronised: true, MaxError: 1<<63 - 1, EstError: -5}, timex{modes: 0x1c, status: staUnsync, maxError: 16000000}},
	} {
		k, r := openRecorded(t)
		if err := k.SetStatus(c.s); err != nil {
			t.Fatal(err)
		}
		if len(r.set) != 1 || r.set[0] != c.want {
			t.Errorf("%+v: recorded %+v, want %+v", c.s, r.set, c.want)
		}
	}
}

func TestReadTakesTheTightestWindow(t *testing.T) {
	r := newRecorder()
	c := r.calls()
	slow := map[int]time.Duration{1: 9000, 2: 400, 4: 9000} // an interrupt in the first and third try
	n := 0
	mono := c.mono
	c.mono = func() clock.Mono { r.now = r.now.Add(slow[n]); n++; return mono() }
	got := readPair(c)
	if n != 1+readTries {
		t.Errorf("%d monotonic reads, want %d", n, 1+readTries)
	}
	if e := r.line.WallAt(got.Mono).Sub(got.Wall).Abs(); e > 300 {
		t.Errorf("reading is off by %v, want at most half the window of 600 ns", e)
	}
}

func TestReadStopsEarly(t *testing.T) {
	r := newRecorder()
	c := r.calls()
	start := r.now
	readPair(c)
	if used := r.now.Sub(start); used != 3*r.cost {
		t.Errorf("%v of reads, want three of %v", used, r.cost)
	}
}

func TestMonoAt(t *testing.T) {
	k, r := openRecorded(t)
	rate, err := k.SetRate(clock.RatePPM(300))
	if err != nil {
		t.Fatal(err)
	}
	r.line = r.line.From(r.now)
	r.line.Rate = rate
	r.now = r.now.Add(10 * time.Second)
	for _, age := range []time.Duration{0, time.Millisecond, 5 * time.Second} {
		want := r.now.Add(-age)
		if got := k.MonoAt(r.line.WallAt(want)); got.Sub(want).Abs() > 200 {
			t.Errorf("stamp %v old: off by %v", age, got.Sub(want))
		}
	}
}

func TestMonoAtOverAStep(t *testing.T) {
	for _, step := range []time.Duration{50 * 365 * 24 * time.Hour, -time.Hour} {
		k, r := openRecorded(t)
		stampAt := r.now
		stamp := r.line.WallAt(stampAt)
		r.now = r.now.Add(time.Millisecond)
		if err := k.Step(clock.Offset(step)); err != nil {
			t.Fatal(err)
		}
		r.line = r.line.From(r.now)
		r.line.At.Wall = r.line.At.Wall.Add(step)
		r.now = r.now.Add(time.Millisecond)
		// The recorder's clock advances at 0 ppm, the Kernel believes 88: 50 years
		// times 88 ppm must not enter.
		if got := k.MonoAt(stamp); got.Sub(stampAt).Abs() > time.Microsecond {
			t.Errorf("step %v: stamp from before it is off by %v", step, got.Sub(stampAt))
		}
	}
}

func TestDryRun(t *testing.T) {
	r := newRecorder()
	d, err := openDryRun(r.calls(), -7e9)
	if err != nil {
		t.Fatal(err)
	}
	a := d.Read()
	if off := a.Wall.Sub(r.line.WallAt(a.Mono)) + 7e9; off.Abs() > time.Microsecond {
		t.Errorf("starts at %v from the asked offset", off)
	}
	if rate, _ := d.Rate(); rate != clock.RatePPM(88) {
		t.Errorf("starts at %v ppm, want the kernel's 88", rate.PPM())
	}
	set, err := d.SetRate(clock.RatePPM(-2000))
	if err != nil || set != clock.RatePPM(-2000) {
		t.Fatalf("set %v %v", set.PPM(), err)
	}
	a = d.Read()
	r.now = r.now.Add(100 * time.Second)
	b := d.Read()
	gain := b.Wall.Sub(a.Wall).Duration() - b.Mono.Sub(a.Mono)
	if want := -200 * time.Millisecond; (gain - want).Abs() > time.Microsecond {
		t.Errorf("gained %v in 100 s, want %v", gain, want)
	}
	if err := d.Step(3e9); err != nil {
		t.Fatal(err)
	}
	c := d.Read()
	if e := c.Wall.Sub(b.Wall).Duration() - 3*time.Second; e.Abs() > time.Microsecond {
		t.Errorf("step of 3 s was off by %v", e)
	}
	if err := d.SetStatus(Status{Synchronised: true}); err != nil || !d.Status().Synchronised {
		t.Errorf("status %+v, %v", d.Status(), err)
	}
	if len(r.set)+len(r.settime) != 0 {
		t.Errorf("the kernel was told %+v %v", r.set, r.settime)
	}
	// Socket stamps are on the kernel's scale, whatever the virtual clock says.
	r.state = timex{tick: 10000}
	want := r.now.Add(-time.Second)
	if got := d.MonoAt(r.line.WallAt(want)); got.Sub(want).Abs() > time.Microsecond {
		t.Errorf("stamp maps %v beside its time", got.Sub(want))
	}
}

// TestDryRunLeaps: the virtual clock makes the leap second that the kernel would
// make, once.
func TestDryRunLeaps(t *testing.T) {
	for leap, by := range map[Leap]time.Duration{LeapInsert: -time.Second, LeapDelete: time.Second, LeapNone: 0} {
		r := newRecorder()
		r.state = timex{tick: 10000}
		r.line.At.Wall = clock.WallUnix(3e9, 0).Midnight().Add(-10 * time.Second)
		d, err := openDryRun(r.calls(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.SetStatus(Status{Synchronised: true, Leap: leap}); err != nil {
			t.Fatal(err)
		}
		a := d.Read()
		for _, c := range []struct {
			pass, want time.Duration // since a, and how much of a leap second is in it
		}{{8 * time.Second, 0}, {3 * time.Second, by}, {2 * time.Second, by}} {
			r.now = r.now.Add(c.pass)
			b := d.Read()
			if got := b.Wall.Sub(a.Wall).Duration() - b.Mono.Sub(a.Mono); (got - c.want).Abs() > time.Microsecond {
				t.Errorf("leap %d: moved by %v after %v, want %v", leap, got, b.Mono.Sub(a.Mono), c.want)
			}
		}
	}
}

// TestRealClocks reads this machine's clocks, and never sets them.
func TestRealClocks(t *testing.T) {
	d, err := OpenDryRun(0)
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	k := d.KernelWall()
	if now := clock.WallTime(before); now.Sub(k).Abs() > time.Minute {
		t.Errorf("kernel wall %v, time.Now %v", k.Time(), before)
	}
	a := d.Read()
	m := d.MonoAt(k)
	if age := a.Mono.Sub(m); age < -time.Millisecond || age > time.Minute {
		t.Errorf("a stamp read just now maps to %v ago", age)
	}
	if b := d.Read(); b.Mono < a.Mono || b.Wall < a.Wall {
		t.Errorf("clock went back: %+v then %+v", a, b)
	}
}

// TestOldCalls forces the calls of kernels before 5.1 on 32-bit machines.
func TestOldCalls(t *testing.T) {
	if len(abis) == 1 {
		t.Skip("64-bit kernels have one kind of call")
	}
	fresh, old := new(native), new(native)
	old.old.Store(true)
	w := fresh.wall()
	if d := old.wall().Sub(w).Abs(); d > time.Minute {
		t.Errorf("old and new wall clock are %v apart", d)
	}
	if fresh.old.Load() {
		t.Log("this kernel has no 64-bit time calls")
	}
	var a, b timex
	if err := fresh.adjtime(&a); err != nil {
		t.Fatal(err)
	}
	if err := old.adjtime(&b); err != nil {
		t.Fatal(err)
	}
	if a.tick != b.tick || a.freq != b.freq || a.status != b.status {
		t.Errorf("new call reads %+v, old call %+v", a, b)
	}
	if err := old.settime(clock.WallUnix(1<<31, 0)); err != syscall.EOVERFLOW {
		t.Errorf("old settime of 2038: %v, want EOVERFLOW before any call", err)
	}
}

// childEnv marks the process that TestNoPrivilege starts in a user namespace.
const childEnv = "SYSCLOCK_TEST_CHILD"

// TestNoPrivilege opens the real kernel clock where CAP_SYS_TIME cannot exist:
// in a child with its own user namespace.
func TestNoPrivilege(t *testing.T) {
	if parent := os.Getenv(childEnv); parent != "" {
		ns, err := os.Readlink("/proc/self/ns/user")
		if err != nil || ns == parent {
			t.Fatalf("not in a user namespace of its own: %v %v", ns, err)
		}
		_, err = Open()
		if !errors.Is(err, fs.ErrPermission) || !errors.Is(err, syscall.EPERM) {
			t.Fatalf("got %v, want EPERM", err)
		}
		if got, want := err.Error(), "sysclock: take over kernel clock: operation not permitted"; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		return
	}
	ns, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		t.Skip(err)
	}
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" || strings.Contains(os.Args[0], "qemu") {
		t.Skip("an emulated process cannot start itself in a namespace")
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestNoPrivilege$", "-test.v")
	cmd.Env = append(os.Environ(), childEnv+"="+ns)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
		t.Skipf("no user namespaces here: %v", err)
	}
	if err != nil {
		t.Fatalf("child: %v\n%s", err, out)
	}
}

func TestReadDoesNotAllocate(t *testing.T) {
	d, err := OpenDryRun(0)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { readPair(d.calls); d.Read() }); n != 0 {
		t.Errorf("%v allocations per reading, want 0", n)
	}
}

func BenchmarkKernelRead(b *testing.B) {
	c := kernelCalls()
	for b.Loop() {
		readPair(c)
	}
}

func BenchmarkDryRunRead(b *testing.B) {
	d, err := OpenDryRun(0)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		d.Read()
	}
}

func BenchmarkMonoAt(b *testing.B) {
	d, err := OpenDryRun(0)
	if err != nil {
		b.Fatal(err)
	}
	w := d.KernelWall()
	for b.Loop() {
		d.MonoAt(w)
	}
}

func BenchmarkTimeNow(b *testing.B) {
	for b.Loop() {
		_ = time.Now()
	}
}

// TestReadDiscipline: units follow the kernel's own word, and nothing is set.
func TestReadDiscipline(t *testing.T) {
	r := newRecorder()
	r.state = timex{offset: -1500, freq: -12 << 15, maxError: 193516, estError: 16, status: staPLL | staNano, constant: 4}
	want := Discipline{
		Offset: -1500, Frequency: clock.RatePPM(-6), MaxError: 193516 * time.Microsecond, EstError: 16 * time.Microsecond,
		Flags: staPLL | staNano, Constant: 4,
	}
	if got, err := readDiscipline(r.calls()); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	r.state.status = staUnsync
	if got, err := readDiscipline(r.calls()); err != nil || got.Offset != -1500*1000 || len(r.set) != 0 {
		t.Errorf("in microseconds: got %+v, %v, set %v", got, err, r.set)
	}
	r.refuse = func(timex) error { return syscall.ENOSYS }
	if _, err := readDiscipline(r.calls()); !errors.Is(err, syscall.ENOSYS) {
		t.Errorf("got %v", err)
	}
}
