package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ntsd/internal/status"
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
	err := RunTop(t.Context(), src, &out, TopOptions{Interval: time.Millisecond, Frames: 4, Table: status.Options{Numeric: true}})
	if err != nil {
		t.Fatal(err)
	}
	got := out.String()
	for _, want := range []string{
		"ntsd 1.0  up 1d 2h  synchronised to ntp1.example.net (NTS), stratum 2\n",
		"^* 10.66.0.1 ", "10.66.0.1                    NTS     1   30", "Reference ID    : 0A420001 (10.66.0.1)",
		"! gone\n", "▁▃█  +1000ns to +4000ns", "error at most 11us",
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
	tp := &top{client: &reports{}, screen: openScreen(&out, nil)}
	defer tp.screen.close()
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
