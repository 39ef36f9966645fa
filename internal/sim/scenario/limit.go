package scenario

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"ntsd/internal/event"
	"ntsd/internal/sim"
)

// Limit is what a run must keep to, or should.
type Limit struct {
	Metric string // one of metrics
	Op     string // "<=" or ">="
	Value  float64
	// Goal: not reached by every run yet, and reported only.
	Goal bool
}

// unit says how a metric is written.
type unit uint8

const (
	unitCount    unit = iota
	unitDuration      // nanoseconds
	unitShare
)

// metric is a figure of a run.
type metric struct {
	unit unit
	of   func(*sim.Result) float64
}

// notices are the kinds that can be counted, by name.
func notices() map[string]event.NoticeKind {
	return map[string]event.NoticeKind{
		"selected": event.NoticeSelected, "unselectable": event.NoticeUnselectable,
		"synchronised": event.NoticeSynchronised, "unsynchronised": event.NoticeUnsynchronised,
		"wrongclock": event.NoticeWrongClock, "interference": event.NoticeInterference,
		"kedone": event.NoticeKEDone, "kefailed": event.NoticeKEFailed, "nak": event.NoticeNAK,
		"replaced": event.NoticeReplaced, "falseticker": event.NoticeFalseticker,
		"truechimer": event.NoticeTruechimer, "leap": event.NoticeLeap,
		"pathshort": event.NoticePathShort, "pathopen": event.NoticePathOpen,
	}
}

// metrics are what limits can be set on.
func metrics() map[string]metric {
	span := func(of func(*sim.Result) time.Duration) metric {
		return metric{unitDuration, func(r *sim.Result) float64 { return float64(of(r)) }}
	}
	count := func(of func(*sim.Result) int) metric {
		return metric{unitCount, func(r *sim.Result) float64 { return float64(of(r)) }}
	}
	m := map[string]metric{
		"rms":       span(func(r *sim.Result) time.Duration { return r.RMSOffset }),
		"max":       span(func(r *sim.Result) time.Duration { return r.Max }),
		"p99":       span(func(r *sim.Result) time.Duration { return r.P99 }),
		"bound":     span(func(r *sim.Result) time.Duration { return r.Bound }),
		"interval":  span(func(r *sim.Result) time.Duration { return r.Interval }),
		"gap":       span(func(r *sim.Result) time.Duration { return r.Gap }),
		"first10ms": span(func(r *sim.Result) time.Duration { return r.First10ms }),
		"first1ms":  span(func(r *sim.Result) time.Duration { return r.First1ms }),
		"stay1ms":   span(func(r *sim.Result) time.Duration { return r.Stay1ms }),
		"packets":   count(func(r *sim.Result) int { return r.Packets }),
		"steps":     count(func(r *sim.Result) int { return r.Steps }),
		"unlogged":  count(func(r *sim.Result) int { return r.Unlogged }),
		"backward":  count(func(r *sim.Result) int { return r.Backward }),
		"covered":   {unitShare, func(r *sim.Result) float64 { return r.Covered }},
		"synced":    {unitShare, func(r *sim.Result) float64 { return r.Synced }},
		"oracle": {unitCount, func(r *sim.Result) float64 {
			return float64(r.RMSOffset) / math.Max(float64(r.OracleOffset), 1)
		}},
	}
	for name, kind := range notices() {
		m[name] = count(func(r *sim.Result) int { return r.Count(kind) })
	}
	return m
}

// What of the seconds the stated bound has to cover.
const covered, leastCovered, fewRuns = 0.999, 0.95, 10

// implied are the limits of every scenario that says nothing else: the clock
// goes back only by a step that is told, and what it says of its own error is
// true: of the runs together to one in a thousand (CheckAll), of each to a few
// in a hundred, since an unlucky start or one bad hour weighs much in it.
func implied() []Limit {
	return []Limit{
		{Metric: "backward", Op: "<=", Value: 0},
		{Metric: "unlogged", Op: "<=", Value: 0},
		{Metric: "covered", Op: ">=", Value: leastCovered},
		{Metric: "covered", Op: ">=", Value: covered, Goal: true},
	}
}

// limit reads a limit: a metric, an operator and a value.
func (w *words) limit() (l Limit) {
	l.Metric = w.next("metric")
	m, known := metrics()[l.Metric]
	if !known {
		w.fail("unknown metric %q", l.Metric)
	}
	if l.Op = w.next("operator"); l.Op != "<=" && l.Op != ">=" {
		w.fail("operator: got %q, want <= or >=", l.Op)
	}
	if m.unit == unitDuration {
		l.Value = float64(w.duration("value"))
		return l
	}
	word := w.next("value")
	number, percent := strings.CutSuffix(word, "%")
	var err error
	if l.Value, err = strconv.ParseFloat(number, 64); err != nil || math.IsNaN(l.Value) {
		w.fail("value: got %q, want a number", word)
	}
	if percent {
		l.Value /= 100
	}
	return l
}

// Check says which limits a run went beyond, and which goals it missed, one
// line each.
func Check(limits []Limit, r *sim.Result) (broken, missed []string) {
	known := metrics()
	for _, l := range limits {
		m := known[l.Metric]
		got := m.of(r)
		if l.Op == "<=" && got <= l.Value || l.Op == ">=" && got >= l.Value {
			continue
		}
		text := fmt.Sprintf("%s is %s, want %s %s", l.Metric, m.text(got), l.Op, m.text(l.Value))
		if l.Metric == "covered" {
			text += fmt.Sprintf(" (from %v to %v, the error up to %.2f of the bound)", r.Exposed, r.Bare, r.Beyond)
		}
		if l.Goal {
			missed = append(missed, text)
		} else {
			broken = append(broken, text)
		}
	}
	return broken, missed
}

// CheckAll judges what must hold of a scenario's runs together: the share of
// the seconds that the stated bound covered. Of few runs one may be unlucky:
// they are judged as if all the others of fewRuns were covered.
func (s *Scenario) CheckAll(shares []float64) (broken string) {
	missing := 0.0
	for _, x := range shares {
		missing += (1 - x) / float64(max(len(shares), fewRuns))
	}
	if s.implied && missing > 1-covered {
		return fmt.Sprintf("the bound missed %.3f%% of the seconds of all runs, want %.1f%%", missing*100, (1-covered)*100)
	}
	return ""
}

func (m metric) text(v float64) string {
	switch m.unit {
	case unitDuration:
		return time.Duration(v).String()
	case unitShare:
		return strconv.FormatFloat(v*100, 'f', 3, 64) + "%"
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}
