package daemon

import (
	"context"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/config"
	"ntsd/internal/statlog"
)

// pages are files of statistics in memory.
type pages map[string]string

func (p pages) Append(name string, text []byte) error       { p[name] += string(text); return nil }
func (p pages) Each(func(name string, size int64)) error    { return nil }
func (p pages) Link(string, string) error                   { return nil }
func (p pages) Remove(name string) error                    { delete(p, name); return nil }
func (p pages) open(dir string) (f statlog.Folder, e error) { return p, nil }

// rows returns the columns of a file's lines, over all its days, without
// banners.
func (p pages) rows(file string) (rows [][]string) {
	for _, day := range []string{"19991231", "20000101", "20000102"} {
		for line := range strings.Lines(p[file+"."+day]) {
			if line[0] >= '0' && line[0] <= '9' {
				rows = append(rows, strings.Fields(line))
			}
		}
	}
	return rows
}

func float(t *testing.T, row []string, column int) float64 {
	t.Helper()
	x, err := strconv.ParseFloat(row[column], 64)
	if err != nil {
		t.Fatalf("column %d of %q: %v", column, row, err)
	}
	return x
}

func near(t *testing.T, what string, row []string, column int, want, tolerance float64) {
	t.Helper()
	if got := float(t, row, column); math.Abs(got-want) > tolerance {
		t.Errorf("%s, column %d: got %v, want %v: %q", what, column, got, want, row)
	}
}

// TestStatisticsTellTheTruth: a clock that is 250 ms slow and gains 30 ppm, behind
// a path of 10 ms, is found in every file, with the sign that its format has; the
// day's file is that of the clock before the reply has set it.
func TestStatisticsTellTheTruth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.addPeer("192.0.2.1:123", "nts.example")
		written := pages{}
		cfg := settings(t, "server nts.example iburst nts", "makestep 0.1 3")
		cfg.Statistics = config.Statistics{Dir: "/x", Keep: 7, Logs: []string{
			"loopstats", "peerstats", "clockstats", "rawstats", "measurements", "statistics", "tracking",
		}}
		d := New(Options{
			Config: cfg, Clock: w, Network: w, KE: w, Resolver: w, Store: &w.files, Rand: chacha(7), Log: slog.New(w.log),
		})
		stats := statlog.New(written.open, slog.New(w.log))
		d.opt.Stats = stats
		ctx, cancel := context.WithCancel(t.Context())
		done, joined := make(chan struct{}), make(chan struct{})
		go func() { defer close(done); _, _ = d.Run(ctx) }()
		go func() { defer close(joined); stats.Run(ctx) }()
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		report := w.report(d)
		cancel()
		<-done
		<-joined
		const offset, delay, ppm = 0.250, 0.010, 30
		raw, peers, loop := written.rows("rawstats"), written.rows("peerstats"), written.rows("loopstats")
		meas, stat, track := written.rows("measurements.log"), written.rows("statistics.log"), written.rows("tracking.log")
		if n := int(report.Sources[0].Counters.Valid); len(raw) != n || len(meas) != n || len(peers) != len(stat) || len(peers) < n-2 {
			t.Fatalf("%d replies: %d in rawstats, %d in measurements, %d in peerstats, %d in statistics", n, len(raw), len(meas), len(peers), len(stat))
		}
		if n := int(report.Tracking.Updates); len(loop) != n || len(track) != n {
			t.Fatalf("%d updates: %d in loopstats, %d in tracking", n, len(loop), len(track))
		}
		// The first reply, before the step.
		var at [4]float64
		for i := range at {
			at[i] = float(t, raw[0], 4+i) - float(t, raw[0], 4)
		}
		if got := (at[1] + at[2] - at[3]) / 2; math.Abs(got-offset) > 1e-4 || math.Abs(at[3]-delay) > 1e-4 {
			t.Errorf("rawstats: offset %v, delay %v: %q", got, at[3], raw[0])
		}
		near(t, "measurements: slow is positive", meas[0], 11, offset, 1e-4)
		near(t, "measurements: delay", meas[0], 12, delay, 1e-4)
		near(t, "peerstats: delay", peers[0], 5, delay, 1e-4)
		near(t, "tracking: fast is positive", track[0], 6, -offset, 1e-3)
		// The last ones: the clock is right, and its frequency is known.
		last := len(loop) - 1
		near(t, "loopstats: what is added to the frequency", loop[last], 3, -ppm, 0.5)
		near(t, "tracking: the frequency of the oscillator", track[last], 4, ppm, 0.5)
		near(t, "loopstats: offset", loop[last], 2, 0, 1e-4)
		near(t, "peerstats: offset", peers[len(peers)-1], 4, 0, 1e-4)
		near(t, "statistics: offset", stat[len(stat)-1], 4, 0, 1e-4)
		near(t, "statistics: frequency", stat[len(stat)-1], 6, 0, 1e-6)
		if f := track[last]; f[2] != "192.0.2.1" || f[3] != "2" || f[7] != "N" || f[8] != "1" {
			t.Errorf("tracking: got %q", f)
		}
		if f := peers[len(peers)-1]; f[2] != "192.0.2.1" || f[3] != "f61a" {
			t.Errorf("peerstats: got %q", f)
		}
		if written["loopstats.20000101"] == "" || written["loopstats.20000102"] == "" || written["clockstats.20000101"] != "" {
			t.Errorf("files: got %d and %d bytes", len(written["loopstats.20000101"]), len(written["loopstats.20000102"]))
		}
		for _, rows := range [][][]string{raw, peers, loop} {
			if rows[0][0] != "51543" || rows[1][0] != "51544" || rows[len(rows)-1][0] != "51545" {
				t.Errorf("days: got %s, %s to %s, want 51543, 51544 to 51545", rows[0][0], rows[1][0], rows[len(rows)-1][0])
			}
		}
	})
}
