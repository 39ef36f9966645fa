package tables

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"ntsd/internal/bootstrap"
	"ntsd/internal/status"
)

// Bootstrap writes how far the first time is, and the way there.
func Bootstrap(w io.Writer, r status.Report, o Options) error {
	s := &r.Bootstrap
	b := bufio.NewWriter(w)
	if o.CSV {
		writeCSV(b, []string{
			s.Mode, s.Phase, decimal(s.Floor), fmt.Sprint(len(s.Operators)), fmt.Sprint(s.Needed),
			fmt.Sprint(len(s.Agreeing)), fmt.Sprint(s.Confirmed), s.Waiting,
		})
		return flush(b)
	}
	l := list{w: b}
	l.same("Mode", s.Mode)
	l.same("State", phase(s))
	if s.Phase != bootstrap.PhaseOff.String() {
		l.same("No time before", fmt.Sprintf("%s (%s)", date(s.Floor), s.FloorFrom))
		l.same("Clock at start", date(s.Started))
		l.same("Operators", fmt.Sprintf("%d of %d must agree: %s", s.Needed, len(s.Operators), strings.Join(s.Operators, ", ")))
	}
	if s.Phase == bootstrap.PhaseSearching.String() || s.Phase == bootstrap.PhaseConfirming.String() {
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
func phase(s *status.Bootstrap) string {
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
