package status

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"

	"ntsd/internal/bootstrap"
	"ntsd/internal/engine"
)

// Bootstrap is how the first time was found, or what is missing for it.
type Bootstrap struct {
	Mode      string   `json:"mode"`  // as configured
	Phase     string   `json:"phase"` // off, searching, confirming or done
	Started   Time     `json:"started"`
	Floor     Time     `json:"floor"`
	FloorFrom string   `json:"floor_from"`
	Operators []string `json:"operators"` // that count
	Needed    int      `json:"needed"`    // of them
	Agreeing  []string `json:"agreeing"`
	Confirmed int      `json:"confirmed"` // of those, under strict certificates
	Waiting   string   `json:"waiting_for,omitempty"`
	Warning   string   `json:"warning,omitempty"`
	Rungs     []Rung   `json:"rungs"` // what was tried, oldest first
}

// Rung is one thing that was tried.
type Rung struct {
	AfterS float64 `json:"after_s"` // the start
	Rung   string  `json:"rung"`
	Source string  `json:"source,omitempty"` // none: it is about all
	OK     bool    `json:"ok"`
	Text   string  `json:"text"`
}

func bootstrapFrom(s *engine.Snapshot) Bootstrap {
	b := &s.Bootstrap
	out := Bootstrap{
		Mode: b.Mode.String(), Phase: b.Phase.String(), Started: Time(b.Started.Wall),
		Floor: Time(b.Floor), FloorFrom: b.FloorFrom, Operators: cleanAll(b.Operators), Needed: b.Need,
		Agreeing: cleanAll(b.Agreeing), Confirmed: b.Strict, Waiting: clean(b.Waiting), Warning: b.Warning,
		Rungs: make([]Rung, 0, len(b.Journal)),
	}
	if b.Phase == bootstrap.PhaseOff {
		out.Needed = 0
	}
	for _, e := range b.Journal {
		out.Rungs = append(out.Rungs, Rung{
			AfterS: math.Round(e.At.Sub(b.Started.Mono).Seconds()*1000) / 1000,
			Rung:   e.Rung.String(), Source: clean(e.Source), OK: e.OK, Text: clean(e.Text),
		})
	}
	return out
}

// RenderBootstrap writes how far the first time is, and the way there.
func RenderBootstrap(w io.Writer, r Report, o Options) error {
	s := &r.Bootstrap
	b := bufio.NewWriter(w)
	if o.CSV {
		writeCSV(b, []string{
			s.Mode, s.Phase, s.Floor.decimal(), fmt.Sprint(len(s.Operators)), fmt.Sprint(s.Needed),
			fmt.Sprint(len(s.Agreeing)), fmt.Sprint(s.Confirmed), s.Waiting,
		})
		return flush(b)
	}
	l := list{w: b}
	l.same("Mode", s.Mode)
	l.same("State", s.phase())
	if s.Phase != bootstrap.PhaseOff.String() {
		l.same("No time before", fmt.Sprintf("%s (%s)", date(s.Floor), s.FloorFrom))
		l.same("Clock at start", date(s.Started))
		l.same("Operators", fmt.Sprintf("%d of %d must agree: %s", s.Needed, len(s.Operators), strings.Join(s.Operators, ", ")))
		l.same("Agreeing", fmt.Sprintf("%d, of them %d under strict certificates%s", len(s.Agreeing), s.Confirmed, listed(s.Agreeing)))
	}
	if s.Waiting != "" {
		l.same("Waiting for", s.Waiting)
	}
	if s.Warning != "" {
		l.same("Warning", s.Warning)
	}
	if len(s.Rungs) > 0 {
		b.WriteString("\n   After  Rung       Source                     What was tried, and what came of it\n")
		b.WriteString(strings.Repeat("=", 79) + "\n")
	}
	for _, e := range s.Rungs {
		mark := '-'
		if e.OK {
			mark = '+'
		}
		fmt.Fprintf(b, "%7.3fs %c %-9s  %-25s  %s\n", e.AfterS, mark, e.Rung, shorten(e.Source, 25), e.Text)
	}
	return flush(b)
}

// phase says how far it is in a sentence.
func (s *Bootstrap) phase() string {
	switch s.Phase {
	case bootstrap.PhaseSearching.String():
		return "searching: the time is not known"
	case bootstrap.PhaseConfirming.String():
		return "confirming: the clock is set on trial, certificates are checked again"
	case bootstrap.PhaseDone.String():
		return "done: the time is trusted"
	}
	if s.Mode == bootstrap.ModeLadder.String() {
		return "off: no NTS server by name counts, so certificates are judged by the clock as it is"
	}
	return "off: " + map[string]string{
		bootstrap.ModeStrict.String():          "certificates are judged by the clock as it is",
		bootstrap.ModeNoCertTimeCheck.String(): "certificates count whatever their dates until the clock is first set",
	}[s.Mode]
}

func listed(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ": " + strings.Join(names, ", ")
}
