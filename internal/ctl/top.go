package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"ntsd/internal/order"
	"ntsd/internal/status"
	"ntsd/internal/tables"
	"ntsd/internal/terminal"
	"ntsd/internal/wording"
)

// Implementation constants.
const (
	topInterval = time.Second
	// topHistory is how many of the clock's errors the sparkline can show.
	topHistory = 60
	// rangeWidth is what stands beside the sparkline, and leastSpark what is
	// left of that at least.
	rangeWidth = 34
	leastSpark = 8
	// wideEnough is the width of the table of sources.
	wideEnough = 80
)

// reporter is where top has its reports from: the daemon or its socket.
type reporter interface {
	Report(ctx context.Context) (status.Report, error)
}

// TopOptions configure RunTop. The zero value shows one frame a second until
// the context ends, as plain text when the output is no terminal.
type TopOptions struct {
	Interval time.Duration // between frames; 0: a second
	Frames   int           // stop after so many; 0: never
	Table    tables.Options
	Keyboard *os.File // a terminal to read keys from; nil: none
}

// top is one run of the live view.
type top struct {
	client  reporter
	opts    TopOptions
	screen  *terminal.Screen
	report  status.Report
	err     error     // of the last fetch
	history []float64 // the clock's error in seconds, newest last
	order   int       // index of topOrders
}

// topOrders are what the key s goes through.
func topOrders() []topOrder {
	return []topOrder{
		{"as configured", func(a, b *status.Source) int { return 0 }},
		{"by state", func(a, b *status.Source) int { return markRank(a.Mark) - markRank(b.Mark) }},
		{"by name", func(a, b *status.Source) int { return strings.Compare(a.Name, b.Name) }},
		{"by offset", func(a, b *status.Source) int {
			return cmp.Compare(math.Abs(a.AdjustedOffsetS), math.Abs(b.AdjustedOffsetS))
		}},
		{"by error", func(a, b *status.Source) int { return cmp.Compare(a.ErrorBoundS, b.ErrorBoundS) }},
	}
}

type topOrder struct {
	name    string
	compare func(a, b *status.Source) int
}

// markRank orders the marks of sources, best first.
func markRank(mark string) int {
	if i := strings.Index("*+-~x?", mark); i >= 0 {
		return i
	}
	return math.MaxInt8
}

// RunTop shows the daemon's state again and again on out: redrawn in place on
// a terminal, otherwise one frame after the other. It returns nil when ctx
// ends, the frames are used up or q is pressed, and an error when the first
// report cannot be had or out cannot be written. Later a missing daemon is
// shown and waited for.
func RunTop(ctx context.Context, client reporter, out io.Writer, o TopOptions) error {
	if o.Interval <= 0 {
		o.Interval = topInterval
	}
	t := &top{client: client, opts: o}
	if t.fetch(ctx); t.err != nil {
		return t.err
	}
	t.screen = terminal.Open(out, o.Keyboard)
	defer t.screen.Close()
	t.opts.Table.Color = t.screen.Live && terminal.Colorful(out)
	tick := time.NewTicker(o.Interval)
	defer tick.Stop()
	for frames := 1; ; frames++ {
		if err := t.screen.Draw(t.frame(), t.footer()); err != nil {
			return fmt.Errorf("top: %w", err)
		}
		if o.Frames > 0 && frames >= o.Frames {
			return nil
		}
		if !t.wait(ctx, tick.C) {
			return nil
		}
	}
}

// wait returns when the next frame is due; false means the end.
func (t *top) wait(ctx context.Context, tick <-chan time.Time) bool {
	select {
	case <-ctx.Done():
		return false
	case key := <-t.screen.Keys:
		return t.press(key)
	case <-tick:
		t.fetch(ctx)
		return !errors.Is(t.err, context.Canceled)
	}
}

// press acts on a key; false means the end.
func (t *top) press(key byte) bool {
	o := &t.opts.Table
	switch key {
	case 'q', 'Q', 3, 4: // also Ctrl-C and Ctrl-D
		return false
	case 'n':
		o.Numeric = !o.Numeric
	case 'v':
		o.Verbose = !o.Verbose
	case 's':
		t.order = (t.order + 1) % len(topOrders())
	}
	return true
}

// fetch gets the next report and notes the clock's error.
func (t *top) fetch(ctx context.Context) {
	r, err := t.client.Report(ctx)
	if t.err = err; err != nil {
		return
	}
	t.report = r
	if r.Tracking.Updates > 0 || r.Tracking.Synchronised {
		t.history = append(t.history, r.Tracking.CorrectionS)
		t.history = t.history[max(0, len(t.history)-topHistory):]
	}
}

// frame draws one picture.
func (t *top) frame() string {
	var b strings.Builder
	r := t.report
	r.Sources = slices.Clone(r.Sources)
	by := topOrders()[t.order]
	order.Stable(r.Sources, func(x, y status.Source) int { return by.compare(&x, &y) })
	cols, _ := t.screen.Size()
	narrow := cols > 0 && cols < wideEnough
	if line := headline(&r); narrow {
		b.WriteString(terminal.Wrap(line, cols))
	} else {
		b.WriteString(line)
	}
	for _, line := range r.Troubles() {
		b.WriteString(terminal.Wrap(line, cols))
	}
	for _, a := range r.Advice {
		b.WriteString(terminal.Wrap(a.Text, cols))
	}
	if t.err != nil {
		_, clock, _ := strings.Cut(r.Time.String(), "T")
		b.WriteString(terminal.Wrap(fmt.Sprintf("! %s; what follows is of %s", status.Printable(wording.Of(t.err)), clock), cols))
	}
	b.WriteString(t.clockLines(cols))
	o := t.opts.Table
	o.CSV, o.All = false, true
	// Writing to a strings.Builder cannot fail.
	b.WriteString("\n")
	if narrow {
		_ = tables.Narrow(&b, r, o, cols)
	} else {
		_ = tables.Sources(&b, r, o)
	}
	o.Verbose = false
	if slices.ContainsFunc(r.Sources, func(s status.Source) bool { return s.Auth.Mode == "nts" || s.Auth.Mode == status.ModeSymmetric }) {
		b.WriteString("\n")
		if narrow {
			_ = tables.NarrowAuth(&b, r, o, cols)
		} else {
			_ = tables.Authdata(&b, r, o)
		}
	}
	b.WriteString("\n")
	_ = tables.Tracking(&b, r, o)
	return b.String()
}

// footer is what stays in sight on a screen that is too small: what the daemon
// said last, and the keys.
func (t *top) footer() []string {
	var lines []string
	if text := lastWords(&t.report); text != "" {
		lines = append(lines, text)
	}
	if t.screen.Live && t.opts.Keyboard != nil {
		keys := "q quit  n names/addresses  s sort (" + topOrders()[t.order].name + ")  v words"
		if cols, _ := t.screen.Size(); cols > 0 && cols < len(keys) {
			keys = "q quit  n names  s sort  v words"
		}
		lines = append(lines, keys)
	}
	return lines
}

// lastWords is the daemon's last log line, and before it what is wrong in the
// configuration, which may be long past.
func lastWords(r *status.Report) string {
	var parts []string
	switch n := len(r.Daemon.Warnings); {
	case n == 1:
		parts = append(parts, r.Daemon.Warnings[0])
	case n > 1:
		parts = append(parts, fmt.Sprintf("%d remarks on the configuration: see ntsctl tracking -v", n))
	}
	if n := len(r.Daemon.Log); n > 0 {
		line := r.Daemon.Log[n-1]
		text := line.Level + " " + line.Text
		if age := time.Duration(r.Time - line.Time); age >= 0 { // the clock may have been stepped since
			text = tables.Duration(age.Seconds()) + " ago: " + text
		}
		// The newest first: the end of a long line is cut.
		parts = append([]string{text}, parts...)
	}
	return strings.Join(parts, " | ")
}

// headline says the most important things in one line.
func headline(r *status.Report) string {
	t := &r.Tracking
	text := "NOT SYNCHRONISED for " + tables.Duration(t.SinceAgo)
	if t.Synchronised {
		by, how := t.ReferenceName, "plain NTP"
		if by == "" {
			by = t.ReferenceAddress
		}
		if t.Authenticated {
			how = "NTS"
		}
		if slices.ContainsFunc(r.Sources, func(s status.Source) bool { return s.Mark == "*" && s.Auth.Mode == status.ModeSymmetric }) {
			how = "symmetric key"
		}
		text = fmt.Sprintf("synchronised to %s (%s), stratum %d", by, how, t.Stratum)
	}
	text += "  ntsd " + r.Daemon.Version + "  up " + tables.Duration(r.Daemon.UptimeS)
	if r.Daemon.DryRun {
		text += "  dry run"
	}
	return text + "\n"
}

// clockLines tell how far off the clock is, now and lately.
func (t *top) clockLines(cols int) string {
	k := &t.report.Tracking
	bound := "not known"
	if k.Synchronised {
		bound = "at most " + strings.TrimPrefix(plain(math.Abs(k.CorrectionS)+k.RootDispersionS+k.RootDelayS/2), "+")
	}
	text := terminal.Wrap(fmt.Sprintf("left to correct %s, error %s, oscillator %+.3f ppm (+/- %.3f)",
		plain(k.CorrectionS), bound, k.FreqPPM, k.SkewPPM), cols)
	lately := t.history
	if cols > 0 {
		lately = lately[max(0, len(lately)-max(leastSpark, cols-rangeWidth)):]
	}
	if len(lately) < 2 {
		return text
	}
	return text + fmt.Sprintf("last %d s  %s  %s to %s\n", int(float64(len(lately))*t.opts.Interval.Seconds()),
		sparkline(lately), plain(slices.Min(lately)), plain(slices.Max(lately)))
}

// plain is a time with its sign and unit, without the columns' padding.
func plain(seconds float64) string { return strings.TrimSpace(status.Signed(seconds)) }

// sparkline draws values as a row of bars, the smallest lowest.
func sparkline(values []float64) string {
	bars := []rune("▁▂▃▄▅▆▇█")
	low, high := slices.Min(values), slices.Max(values)
	out := make([]rune, len(values))
	for i, v := range values {
		step := 0
		if high > low {
			step = int((v - low) / (high - low) * float64(len(bars)-1))
		}
		out[i] = bars[step]
	}
	return string(out)
}
