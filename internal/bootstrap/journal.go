package bootstrap

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
)

// maxJournal bounds what is remembered of the way up.
const maxJournal = 48

// Rung is a step of the ladder.
type Rung uint8

// The rungs.
const (
	RungFloor     Rung = iota // T0
	RungReserve               // cookies set aside
	RungKeys                  // a key establishment
	RungReply                 // an authenticated reply
	RungAgreement             // of operators
	RungStep                  // of the clock
	RungTrust                 // complete, or taken back
)

// String names the rung.
func (r Rung) String() string {
	names := [...]string{"floor", "reserve", "keys", "reply", "agreement", "step", "trust"}
	if int(r) < len(names) {
		return names[r]
	}
	return "rung"
}

// Entry is one thing that was tried.
type Entry struct {
	At     clock.Mono
	Rung   Rung
	Source string // "": all
	OK     bool
	Text   string

	same string // what makes it no news, where Text would
}

// journal is what happened, oldest first. What repeats itself stands once.
type journal []Entry

// Note remembers what was tried, while there is no trust; later only what
// concerns the trust itself.
func (l *Ladder) Note(at clock.Mono, e Entry) {
	if l.phase == PhaseOff || l.phase == PhaseDone && e.Rung < RungAgreement {
		return
	}
	e.At = at
	for i := len(l.journal) - 1; i >= 0; i-- {
		if o := l.journal[i]; o.Source == e.Source && o.Rung == e.Rung {
			if o.OK == e.OK && (o.Text == e.Text || e.same != "" && o.same == e.same) {
				return
			}
			break
		}
	}
	if len(l.journal) == maxJournal {
		// The floor stays: everything else is judged by it.
		l.journal = slices.Delete(l.journal, 1, 2)
	}
	l.journal = append(l.journal, e)
}

// NoteReserve remembers what became of the cookies of one server, or of all.
func (l *Ladder) NoteReserve(now clock.Reading, source string, s *nts.Session, why string) {
	e := Entry{Rung: RungReserve, Source: source, Text: "not used: " + why}
	if s != nil {
		e.OK, e.Text = true, fmt.Sprintf("a cookie for %v; certificates were valid %s", s.NTPAddr, window(s.NotBefore, s.NotAfter))
	}
	l.Note(now.Mono, e)
}

// NoteKE remembers how the certificates of a key establishment are judged.
func (l *Ladder) NoteKE(now clock.Reading, source string, a event.StartKE) {
	how := "strictly at " + stamp(a.Verify.At)
	if a.Verify.Tentative {
		how = "on trial, at a time of their own, none expired before " + day(a.Verify.Floor)
	}
	l.Note(now.Mono, Entry{Rung: RungKeys, Source: source, OK: true, Text: "asking " + a.Addr.String() + "; certificates are judged " + how})
}

// NoteKeys remembers what came of a key establishment.
func (l *Ladder) NoteKeys(now clock.Reading, source string, ev event.KEDone) {
	e := Entry{Rung: RungKeys, Source: source, Text: "no keys: " + ev.Reason}
	if ev.Failure == nts.FailureNone {
		e.OK, e.Text = true, "keys; certificates are valid "+window(ev.Session.NotBefore, ev.Session.NotAfter)
	}
	l.Note(now.Mono, e)
}

// NoteReply remembers what became of a reply; says is its time, 0 when it told
// none.
func (l *Ladder) NoteReply(now clock.Reading, source string, says clock.Wall, verdict string, ok bool) {
	e := Entry{Rung: RungReply, Source: source, OK: ok, Text: verdict, same: verdict}
	if says != 0 {
		e.Text = "says " + stamp(says) + ": " + verdict
	}
	l.Note(now.Mono, e)
}

// NoteStep remembers that the clock was set.
func (l *Ladder) NoteStep(now clock.Reading, a event.Step) {
	l.Note(now.Mono, Entry{Rung: RungStep, OK: true, Text: "the clock was set to " + stamp(now.Wall.Add(a.Offset.Duration()))})
}

// Status is the state for people. It shares no memory with the ladder.
type Status struct {
	Mode      Mode
	Phase     Phase
	Started   clock.Reading // both clocks at the start
	Floor     clock.Wall
	FloorFrom string
	Operators []string // that count
	Need      int      // of them
	Agreeing  []string
	Strict    int    // of those that agree
	Waiting   string // for what; "" when done or off
	Warning   string // what is unwise about the configuration
	Journal   []Entry
}

// Status returns the state for people.
func (l *Ladder) Status() Status {
	s := Status{
		Mode: l.cfg.Mode, Phase: l.phase, Started: l.started, Floor: l.floor, FloorFrom: l.floorFrom,
		Operators: slices.Clone(l.cfg.Operators), Need: l.Need(),
		Agreeing: slices.Clone(l.judged.Operators), Strict: l.judged.Strict,
		Waiting: l.Waiting(), Journal: slices.Clone(l.journal),
	}
	if l.phase != PhaseOff && len(l.cfg.Operators) == 1 {
		s.Warning = "one operator decides alone: configure three"
	}
	return s
}

// Waiting says what is missing, "" when nothing is.
func (l *Ladder) Waiting() string {
	if !l.Climbing() {
		return ""
	}
	n, need := len(l.judged.Operators), l.Need()
	var missing []string
	for _, o := range l.cfg.Operators {
		if !slices.Contains(l.judged.Operators, o) && !slices.Contains(l.others, o) {
			missing = append(missing, o)
		}
	}
	if l.phase == PhaseConfirming && n >= need {
		return fmt.Sprintf("%s; %d of %d needed confirmed by certificates that are valid at that time",
			l.Agreement(), l.judged.Strict, need)
	}
	text := l.Agreement()
	if len(l.others) > 0 {
		text = fmt.Sprintf("%s; another time from %s", text, strings.Join(l.others, ", "))
	}
	if len(missing) > 0 {
		text = fmt.Sprintf("%s; no usable time from %s", text, strings.Join(missing, ", "))
	}
	return text
}

// Agreement says who agrees.
func (l *Ladder) Agreement() string {
	n, need := len(l.judged.Operators), l.Need()
	if n == 0 {
		return fmt.Sprintf("0 of %d operators agree, %d needed", len(l.cfg.Operators), need)
	}
	return fmt.Sprintf("%d of %d operators agree (%s), %d needed",
		n, len(l.cfg.Operators), strings.Join(l.judged.Operators, ", "), need)
}

// stamp writes a time for people.
func stamp(w clock.Wall) string { return w.Time().Format(time.DateTime) }

func day(w clock.Wall) string { return w.Time().Format(time.DateOnly) }

func window(from, to clock.Wall) string { return "from " + day(from) + " to " + day(to) }
