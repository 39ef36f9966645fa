package daemon

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/clock"
)

// TestFrequencyInForce: without a drift file a clock goes on as another daemon left
// it until a server answers, and one that was left wrong is put right; with a drift
// file that counts.
func TestFrequencyInForce(t *testing.T) {
	const right = -clock.Rate(oscillator)
	failure := errors.New("no clock")
	for _, c := range []struct {
		name    string
		inForce clock.Rate
		fails   error
		file    bool
		want    clock.Rate
		log     string
	}{
		{"another daemon's", right, nil, false, right, "frequency taken over from the clock: there is no drift file freq_ppm=30"},
		{"none", 0, nil, false, 0, ""},
		{"of a slew", 5000e-6, nil, false, 0, ""},
		{"of a bad crystal", -490e-6, nil, false, -490e-6, "freq_ppm=490"},
		{"not readable", right, failure, false, 0, ""},
		{"beside a drift file", 90e-6, nil, true, right, "frequency read from drift file freq_ppm=30"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			p := w.addPeer("192.0.2.1:123", "one.example")
			p.silent = true
			w.line.Rate, w.rateFails = c.inForce, c.fails
			if c.file {
				w.files.rate, w.files.skew, w.files.haveDrift = right, 1e-7, true
			}
			d, stop := w.run(settings(t, "server one.example iburst", "makestep 0.1 3"), nil)
			defer stop()
			time.Sleep(time.Hour)
			synctest.Wait()
			if got := w.line.Rate; max(got-c.want, c.want-got) > 1e-9 {
				t.Errorf("%s: %.3f ppm in force, want %.3f", c.name, got.PPM(), c.want.PPM())
			}
			log := strings.Join(w.log.lines, "\n")
			if !strings.Contains(log, c.log) || c.log == "" && strings.Contains(log, "frequency") {
				t.Errorf("%s: log\n%s\nwant %q", c.name, log, c.log)
			}
			w.mu.Lock()
			p.silent = false
			w.mu.Unlock()
			time.Sleep(3 * time.Hour)
			synctest.Wait()
			if r := w.report(d); !r.Tracking.Synchronised || w.wrong().Abs() > time.Millisecond {
				t.Errorf("%s: three hours after a server answers the clock is wrong by %v", c.name, w.wrong())
			}
		})
	}
}

// damaged is a store whose drift file cannot be used.
type damaged struct{ *memory }

func (damaged) Drift() (rate, skew clock.Rate, found bool, err error) {
	return 1, 1, true, errors.New("damaged")
}

// TestDriftFileRefused: the frequency on flash is as good as ever.
func TestDriftFileRefused(t *testing.T) {
	d := &Daemon{opt: Options{Store: damaged{new(memory)}, Log: slog.New(slog.DiscardHandler)}}
	d.boot.Rate, d.boot.Skew, d.boot.RateKnown = 30e-6, 1e-7, true
	if rate, skew, known := d.drift(); rate != 30e-6 || skew != 1e-7 || !known {
		t.Errorf("got %v, %v, %v, want what flash has", rate, skew, known)
	}
}
