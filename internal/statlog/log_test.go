package statlog

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/event"
	"ntsd/internal/filter"
	"ntsd/internal/selection"
	"ntsd/internal/snapshot"
	"ntsd/internal/standing"
	"ntsd/internal/upstream"
)

// bench is a log with its writer, and a folder in memory.
type bench struct {
	*Log
	folder *memory
	out    bytes.Buffer
	end    func()
	opened []string
	now    clock.Reading
	snap   snapshot.Snapshot
}

func everything(dir string) config.Statistics {
	return config.Statistics{Dir: dir, Logs: []string{"loopstats", "peerstats", "clockstats", "rawstats", "measurements", "statistics", "tracking"}}
}

// start runs a log in a bubble of virtual time.
func start(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{folder: newMemory(), now: clock.Reading{Mono: clock.Mono(time.Hour), Wall: second(10, 0, 0, 0)}}
		b.Log = New(func(dir string) (Folder, error) {
			b.opened = append(b.opened, dir)
			if dir == "/nowhere" {
				return nil, errors.New("no such folder")
			}
			return b.folder, nil
		}, slog.New(slog.NewTextHandler(&b.out, nil)))
		b.snap.Sources = []snapshot.Source{{}, {
			ID: 4, Name: "ntp.example", Addr: netip.MustParseAddr("192.0.2.1"), Mark: '*', State: selection.StateSelected,
			Poll: 6, SD: time.Microsecond, Stats: filter.Stats{Skew: clock.RatePPM(2)}, Last: standing.Exchange{Tests: [3]uint16{7, 7, 15}},
		}}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); b.Run(ctx) }()
		b.end = func() { cancel(); <-done }
		defer b.end()
		test(t, b)
	})
}

// reply has the source answer, and the clock be set by it.
func (b *bench) reply(accepted bool) {
	b.now.Mono, b.now.Wall = b.now.Mono.Add(64*time.Second), b.now.Wall.Add(64*time.Second)
	s := &b.snap.Sources[1]
	s.Counters.Valid++
	s.Counters.Received++
	s.Reach = s.Reach<<1 | 1
	s.Stats.Samples++
	if accepted {
		s.LastRx = b.now.Mono
		b.snap.Tracking.Updates++
	}
	got := event.Received{Source: 4}
	got.Sent.At, got.Received.At = b.now.Mono.Add(-30*time.Millisecond), b.now.Mono.Add(-10*time.Millisecond)
	b.snap.Now = b.now
	b.Record(b.now, &b.snap, &got)
}

func (b *bench) lines(file string) int {
	synctest.Wait()
	n := 0
	for name, text := range b.folder.files {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(name, file+".2026") && line[0] >= '0' && line[0] <= '9' { // neither a banner nor its rule
				n++
			}
		}
	}
	return n
}

// TestRecords: each file has what it should, and no event is told twice.
func TestRecords(t *testing.T) {
	start(t, func(t *testing.T, b *bench) {
		if b.Wanted() {
			t.Error("wanted before it is configured")
		}
		b.Configure(everything("/tmp/stats"))
		b.reply(true)
		b.reply(false) // an outlier
		b.snap.Sources[1].Last.Tests[1] = 0b101
		b.reply(false)                   // not synchronised
		b.Record(b.now, &b.snap, nil)    // nothing happened
		b.snap.Sources[1].Reach <<= 2    // two replies missing
		b.snap.Sources[1].Stats.Rate = 1 // and a jump
		b.reply(true)
		b.end()
		for file, want := range map[string]int{
			"rawstats": 4, "measurements.log": 2, "peerstats": 2, "statistics.log": 2, "tracking.log": 2, "loopstats": 2, "clockstats": 0,
		} {
			if n := b.lines(file); n != want {
				t.Errorf("%s: %d lines, want %d:\n%s", file, n, want, b.folder.files[file+".20261122"])
			}
		}
		raw := strings.Split(b.folder.files["rawstats.20261122"], "\n")
		f := strings.Fields(raw[3])
		if sent, arrived := f[4], f[7]; sent != "4004330655.970000000" || arrived != "4004330655.990000000" {
			t.Errorf("sent %s, arrived %s", sent, arrived)
		}
		if lost := f[17]; lost != "2" {
			t.Errorf("%s lost, want 2: %q", lost, raw[3])
		}
		if f := strings.Fields(strings.Split(b.folder.files["statistics.log.20261122"], "\n")[4]); f[8] != "5.0e+05" {
			t.Errorf("stress: got %s, want a jump of 1 in bounds of 2 ppm: 5.0e+05", f[8])
		}
	})
}

// TestReferenceClock: of a clock of this machine there is no packet; it has a line
// in clockstats, and its name where others have an address.
func TestReferenceClock(t *testing.T) {
	start(t, func(t *testing.T, b *bench) {
		b.Configure(everything("/tmp/stats"))
		s := &b.snap.Sources[1]
		s.Kind, s.Name, s.Addr = upstream.RefClock, "GPS", netip.AddrFrom4([4]byte{'G', 'P', 'S', 0})
		b.reply(true)
		b.end()
		for file, want := range map[string]int{
			"rawstats": 0, "measurements.log": 0, "clockstats": 1, "peerstats": 1, "statistics.log": 1, "tracking.log": 1, "loopstats": 1,
		} {
			text := b.folder.files[file+".20261122"]
			if n := b.lines(file); n != want || want == 1 && file != "loopstats" && !strings.Contains(text, " GPS ") {
				t.Errorf("%s: %d lines, want %d:\n%s", file, n, want, text)
			}
		}
	})
}

// TestMaxError is chrony's: what was unknown until now, and what has been found.
func TestMaxError(t *testing.T) {
	start(t, func(t *testing.T, b *bench) {
		b.Configure(config.Statistics{Dir: "/x", Logs: []string{"tracking"}})
		tr := &b.snap.Tracking
		tr.LastOffset, tr.Correction, tr.RootDelay, tr.RootDisp = -1e6, 2e6, 20e6, 1e6
		b.reply(true)
		b.reply(true)
		b.end()
		lines := strings.Split(strings.TrimSpace(b.folder.files["tracking.log.20261122"]), "\n")
		for i, want := range []string{"1.504e+00", "1.506e-02"} { // 1.5 s + 1 ms + 3 ms; 11 ms + 4 ms + 64 us
			if f := strings.Fields(lines[3+i]); f[len(f)-1] != want || f[6] != "1.000e-03" || f[10] != "3.000e-03" {
				t.Errorf("line %d: got %q, want a maximum error of %s", i, lines[3+i], want)
			}
		}
	})
}

// TestReconfigured: files and folder follow a reload.
func TestReconfigured(t *testing.T) {
	start(t, func(t *testing.T, b *bench) {
		b.Configure(config.Statistics{Dir: "/one", Logs: []string{"peerstats"}})
		synctest.Wait()
		b.reply(true)
		synctest.Wait()
		b.Configure(config.Statistics{Dir: "/two", Logs: []string{"loopstats"}})
		synctest.Wait()
		b.reply(true)
		if p, l := b.lines("peerstats"), b.lines("loopstats"); p != 1 || l != 1 || strings.Join(b.opened, " ") != "/one /two" {
			t.Errorf("%d and %d lines, opened %q", p, l, b.opened)
		}
		for _, off := range []config.Statistics{{Dir: "/two"}, {Logs: []string{"loopstats"}}} {
			b.Configure(off)
			if synctest.Wait(); b.Wanted() {
				t.Errorf("%+v: wanted", off)
			}
		}
		b.reply(true)
		if l := b.lines("loopstats"); l != 1 {
			t.Errorf("switched off: %d lines", l)
		}
		b.Configure(everything("/nowhere"))
		synctest.Wait()
		b.reply(true)
		synctest.Wait()
		if n := strings.Count(b.out.String(), "no such folder"); n != 1 {
			t.Errorf("told %d times:\n%s", n, b.out.String())
		}
	})
}

// stuck is a folder that takes its time.
type stuck struct {
	*memory
	until chan struct{}
}

func (s stuck) Append(name string, text []byte) error {
	<-s.until
	return s.memory.Append(name, text)
}

// TestNeverWaits: while the folder hangs the daemon goes on; what finds no room is
// dropped, counted, and told once.
func TestNeverWaits(t *testing.T) {
	start(t, func(t *testing.T, b *bench) {
		s := stuck{b.folder, make(chan struct{})}
		b.open = func(string) (Folder, error) { return s, nil }
		b.Configure(config.Statistics{Dir: "/x", Logs: []string{"peerstats"}})
		synctest.Wait()
		b.snap.Tracking.Updates = 1
		const replies = 3*maxWaiting + maxBuffer/64 // more than there is room for, in the queue and for one write
		for range replies {
			b.reply(true)
			b.snap.Tracking.Updates = 1 // peerstats alone
		}
		synctest.Wait()
		if b.Dropped() == 0 {
			t.Error("nothing dropped")
		}
		close(s.until)
		b.end()
		if n := b.lines("peerstats"); uint64(n)+b.Dropped() != replies {
			t.Errorf("%d written, %d dropped of %d", n, b.Dropped(), replies)
		}
		if n := strings.Count(b.out.String(), "records of statistics dropped"); n != 1 {
			t.Errorf("told %d times:\n%s", n, b.out.String())
		}
	})
}

// TestMemoryIsBounded: sources that come and go leave nothing behind, and what is
// known of the others stays.
func TestMemoryIsBounded(t *testing.T) {
	start(t, func(t *testing.T, b *bench) {
		b.Configure(everything("/x"))
		b.reply(true)
		stays := b.snap.Sources[1]
		b.snap.Sources = append(b.snap.Sources, stays)
		for id := range event.SourceID(100) {
			b.snap.Sources[1].ID = id + 10
			b.reply(false)
			if len(b.seen) > len(b.snap.Sources) {
				t.Fatalf("%d sources remembered of %d", len(b.seen), len(b.snap.Sources))
			}
		}
		if _, ok := b.seen[stays.ID]; !ok {
			t.Error("one that stays is forgotten")
		}
		b.end()
		if n := b.lines("rawstats"); n != 1 {
			t.Errorf("%d lines, want the one of the reply that was one", n)
		}
	})
}

// TestSwitchedOnLater: what came before is past.
func TestSwitchedOnLater(t *testing.T) {
	start(t, func(t *testing.T, b *bench) {
		s := &b.snap.Sources[1]
		s.Counters.Valid, s.Counters.Received, s.LastRx, b.snap.Tracking.Updates = 100, 104, b.now.Mono, 50
		b.now.Mono = b.now.Mono.Add(time.Second)
		b.Configure(everything("/x"))
		b.Record(b.now, &b.snap, nil) // a timer
		b.reply(true)
		b.end()
		for _, file := range []string{"rawstats", "peerstats", "loopstats"} {
			if n := b.lines(file); n != 1 {
				t.Errorf("%s: %d lines, want 1:\n%s", file, n, b.folder.files[file+".20261122"])
			}
		}
		if raw := b.folder.files["rawstats.20261122"]; !strings.HasSuffix(raw, " 0 0 0\n") {
			t.Errorf("false replies of before are counted: %q", raw)
		}
	})
}

// TestRecordAllocates nothing where nothing has happened: it is called for every
// event.
func TestRecordAllocates(t *testing.T) {
	start(t, func(t *testing.T, b *bench) {
		b.reply(true)
		if n := testing.AllocsPerRun(100, func() { b.Record(b.now, &b.snap, nil) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
