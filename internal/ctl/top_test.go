package ctl

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ntsd/internal/status"
	"ntsd/internal/tables"
	"ntsd/internal/terminal"
)

// reports answers with the canned report, its n-th time changed by change.
type reports struct {
	n      int
	change func(n int, r *status.Report) error
}

func (s *reports) Report(context.Context) (status.Report, error) {
	r := cannedReport()
	s.n++
	if s.change != nil {
		if err := s.change(s.n, &r); err != nil {
			return status.Report{}, err
		}
	}
	return r, nil
}

func TestTopPlainFrames(t *testing.T) {
	var out strings.Builder
	src := &reports{change: func(n int, r *status.Report) error {
		r.Tracking.CorrectionS = float64(n) * 1e-6
		if n == 3 {
			return errors.New("gone")
		}
		return nil
	}}
	err := RunTop(t.Context(), src, &out, TopOptions{Interval: time.Millisecond, Frames: 4, Table: tables.Options{Numeric: true}})
	if err != nil {
		t.Fatal(err)
	}
	got := out.String()
	for _, want := range []string{
		"synchronised to ntp1.example.net (NTS), stratum 2  ntsd 1.0  up 1d 2h\n",
		"^* 10.66.0.1 ", "10.66.0.1                    NTS     1   30", "Reference ID    : 0A420001 (10.66.0.1)",
		"! gone; what follows is of 23:15:19Z\n", "▁▃█  +1000ns to +4000ns", "error at most 11us",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "\x1b") {
		t.Errorf("escape sequences without a terminal:\n%q", got)
	}
	if n := strings.Count(got, "MS Name"); n != 4 {
		t.Errorf("got %d frames, want 4", n)
	}
}

func TestTopEnds(t *testing.T) {
	var out strings.Builder
	gone := errors.New("gone")
	src := &reports{change: func(int, *status.Report) error { return gone }}
	if err := RunTop(t.Context(), src, &out, TopOptions{}); !errors.Is(err, gone) {
		t.Errorf("first report missing: got %v, want %v", err, gone)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := RunTop(ctx, &reports{}, &out, TopOptions{Interval: time.Hour}); err != nil {
		t.Errorf("cancelled: got %v, want nil", err)
	}
}

func TestTopKeys(t *testing.T) {
	var out strings.Builder
	tp := &top{client: &reports{}, screen: terminal.Open(&out, nil)}
	defer tp.screen.Close()
	tp.fetch(t.Context())
	first := func() string { // the first source's row
		lines := strings.Split(tp.frame(), "\n")
		for i, l := range lines {
			if strings.HasPrefix(l, "MS ") {
				return lines[i+2]
			}
		}
		return ""
	}
	if got := first(); !strings.Contains(got, "ntp1.example.net") {
		t.Errorf("got %q, want the first configured source", got)
	}
	tp.press('n')
	if got := first(); !strings.Contains(got, "10.66.0.1") {
		t.Errorf("after n: got %q, want an address", got)
	}
	for range 4 { // configured, state, name, offset, error
		tp.press('s')
	}
	if got := first(); !strings.Contains(got, "10.66.1.1") {
		t.Errorf("by error: got %q, want the source with the smaller bound", got)
	}
	if tp.press('q') {
		t.Error("q does not quit")
	}
}

// TestTopSaysWhy: a clock that is not synchronised has its reason in sight, and
// so have the daemon's last words.
func TestTopSaysWhy(t *testing.T) {
	var out strings.Builder
	src := &reports{change: func(_ int, r *status.Report) error {
		r.Tracking = status.Tracking{SinceAgo: 5}
		for i := range r.Sources {
			r.Sources[i].Selection = status.Selection{Letter: "M", State: "has too few samples yet", Why: "certificate expired"}
		}
		r.Daemon.Warnings = []string{"warning: /etc/config/ntsd:7: something"}
		r.Daemon.Log = []status.LogLine{{Level: "INFO", Text: "old"}, {Time: r.Time - 61e9, Level: "WARN", Text: "NTS key establishment failed"}}
		return nil
	}}
	if err := RunTop(t.Context(), src, &out, TopOptions{Frames: 1}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"NOT SYNCHRONISED for 5s  ntsd 1.0  up 1d 2h\neach of 2 sources: certificate expired\n",
		"\n\n1m 1s ago: WARN NTS key establishment failed | warning: /etc/config/ntsd:7: something\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), " old") {
		t.Errorf("an old line is shown:\n%s", out.String())
	}
	r := status.Report{Daemon: status.Daemon{Warnings: []string{"a", "b"}, Log: []status.LogLine{{Time: 1, Level: "INFO", Text: "x"}}}}
	if got, want := lastWords(&r), "INFO x | 2 remarks on the configuration: see ntsctl tracking -v"; got != want {
		t.Errorf("after a step back: got %q, want %q", got, want)
	}
}

func TestSparkline(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want string
	}{
		{[]float64{1, 1}, "▁▁"},
		{[]float64{-1, 0, 1}, "▁▄█"},
	} {
		if got := sparkline(c.in); got != c.want {
			t.Errorf("sparkline(%v) = %s, want %s", c.in, got, c.want)
		}
	}
}
