// Package bootstrap decides what a machine without a trustworthy clock may
// believe while it looks for its first time: at which time certificates are
// judged, how many operators must agree before the clock is touched, and when
// that trust is complete. It is layer 2 and sans-IO.
//
// The ladder, rung by rung:
//
//  1. A floor T0 that has certainly passed: the build, or the time saved under
//     trust. Nothing else raises or replaces it: neither the kernel's clock nor
//     a real-time clock, so that one in 2099 locks nobody out.
//  2. Cookies set aside at the last run: their replies need no certificate.
//  3. Else a tentative key establishment, its certificates judged at a time of
//     their own.
//  4. A reply counts inside the validity of its chain, not before T0, after a
//     round trip of a second at most.
//  5. A majority of the operators must agree.
//  6. Then the clock is set, and certificates are checked again, strictly, at
//     the time found. Only then the clock is synchronised.
//  7. What a majority agreed on raises T0.
//
// Non-goals: it measures nothing (assoc), weighs no samples (selection), steers
// nothing (discipline) and verifies no chain (ntske). Where names are looked up
// meanwhile is the engine's and the resolver's.
package bootstrap

import (
	"fmt"
	"slices"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

// MaxTrip is the longest round trip of a reply that may place the clock. The
// sender of a reply cannot shift it by more than half of that.
const MaxTrip = time.Second

// confirmFor is how long a time on trial waits for certificates: many attempts
// of a key establishment.
const confirmFor = 5 * time.Minute

// Mode says how certificates are judged before the clock is trusted.
type Mode uint8

// The modes.
const (
	ModeStrict          Mode = iota // by the clock as it is
	ModeLadder                      // tentatively, then again in full
	ModeNoCertTimeCheck             // without their dates: chrony's nocerttimecheck
)

// String returns the mode as it is configured.
func (m Mode) String() string {
	switch m {
	case ModeLadder:
		return "ladder"
	case ModeNoCertTimeCheck:
		return "nocerttimecheck"
	}
	return "strict"
}

// Config is what the ladder is made from.
type Config struct {
	Mode Mode
	// Agree is how many operators must agree; 0: a majority of Operators. More
	// than there are count as all.
	Agree int
	// Deadline is when people are told what is missing; 0: never.
	Deadline time.Duration
	// Floor is T0, and FloorFrom says in words where it comes from.
	Floor     clock.Wall
	FloorFrom string
	// Operators are those that count, each once. Without any there is no
	// ladder.
	Operators []string
}

// Phase is how far up the ladder is.
type Phase uint8

// The phases.
const (
	PhaseOff        Phase = iota // another mode, or nobody that could agree
	PhaseSearching               // the time is not known
	PhaseConfirming              // a majority agreed; strict certificates are missing
	PhaseDone                    // a majority agreed under strict certificates
)

// String says the phase in one word.
func (p Phase) String() string {
	return [...]string{"off", "searching", "confirming", "done"}[p&3]
}

// Ladder is the state. It is not safe for concurrent use; make one with New.
type Ladder struct {
	cfg       Config
	phase     Phase
	floor     clock.Wall
	floorFrom string
	started   clock.Reading
	since     clock.Mono // of the phase
	told      bool       // what is missing at the deadline
	judged    Judgement
	others    []string // operators that tell another time than those who agree
	journal   journal
}

// New returns a ladder at its foot.
func New(cfg Config, now clock.Reading) *Ladder {
	l := &Ladder{started: now, floor: cfg.Floor, floorFrom: cfg.FloorFrom}
	l.HandleConfig(cfg, false)
	if l.phase != PhaseOff {
		l.Note(now.Mono, Entry{Rung: RungFloor, OK: true, Text: fmt.Sprintf("no time before %s counts (%s); the clock says %s",
			stamp(l.floor), l.floorFrom, stamp(now.Wall))})
	}
	return l
}

// HandleConfig replaces the configuration. What was learnt stays; a clock that
// is synchronised when the ladder comes into force need not climb it.
func (l *Ladder) HandleConfig(cfg Config, synchronised bool) {
	l.cfg = cfg
	l.cfg.Operators = slices.Compact(slices.Sorted(slices.Values(cfg.Operators)))
	switch on := cfg.Mode == ModeLadder && len(cfg.Operators) > 0; {
	case !on:
		l.phase = PhaseOff
	case l.phase == PhaseOff && synchronised:
		l.phase = PhaseDone
	case l.phase == PhaseOff:
		l.phase = PhaseSearching
	}
	l.judged, l.others = Judgement{}, nil
}

// Phase returns how far up the ladder is.
func (l *Ladder) Phase() Phase { return l.phase }

// Climbing reports whether the time is not trusted yet.
func (l *Ladder) Climbing() bool { return l.phase == PhaseSearching || l.phase == PhaseConfirming }

// Floor is T0.
func (l *Ladder) Floor() clock.Wall { return l.floor }

// Need is how many operators must agree.
func (l *Ladder) Need() int {
	n := len(l.cfg.Operators)
	if l.cfg.Agree > 0 {
		return min(l.cfg.Agree, n)
	}
	return n/2 + 1
}

// Counts reports whether an operator's word counts.
func (l *Ladder) Counts(operator string) bool {
	_, ok := slices.BinarySearch(l.cfg.Operators, operator)
	return ok
}

// Verify says how certificates are judged by a key establishment that starts
// now. believed is the clock with what is still to be corrected; updated says
// whether the clock was ever set.
func (l *Ladder) Verify(now clock.Reading, believed clock.Wall, updated bool) event.Verify {
	switch {
	case l.phase == PhaseSearching, l.cfg.Mode == ModeNoCertTimeCheck && !updated:
		return event.Verify{Tentative: true, At: now.Wall, Floor: l.floor}
	case l.phase == PhaseOff:
		return event.Verify{At: now.Wall}
	}
	return event.Verify{At: believed}
}

// Judge finds who agrees, and keeps the answer.
func (l *Ladder) Judge(votes []Vote) Judgement {
	counted := make([]Vote, len(votes))
	for i, v := range votes {
		counted[i] = v
		counted[i].Mute = v.Mute || !l.Counts(v.Operator)
	}
	l.judged, l.others = agree(counted, l.Need()), nil
	for i := range counted {
		if o := counted[i].Operator; !counted[i].Mute && !slices.Contains(l.judged.Operators, o) && !slices.Contains(l.others, o) {
			l.others = append(l.others, o)
		}
	}
	return l.judged
}

// Decides reports whether several operators agree, so that no other's word need
// be waited for.
func (l *Ladder) Decides() bool { return l.Climbing() && l.judged.Agreed && l.Need() > 1 }

// OnTrial reports whether the time that was agreed on must still be confirmed.
func (l *Ladder) OnTrial() bool { return l.Climbing() && !l.judged.Confirmed }

// Climb draws the conclusion of the last judgement, once the clock has been
// told of it, and reports whether the phase is a new one.
func (l *Ladder) Climb(now clock.Reading) bool {
	was, j := l.phase, &l.judged
	switch {
	case !l.Climbing() || !j.Agreed:
		return false
	case j.Confirmed:
		l.phase = PhaseDone
	default:
		l.phase = PhaseConfirming
	}
	// A certificate cannot have been issued in the future. On trial that proves
	// nothing: who fails the second look must not have raised the floor.
	if l.phase == PhaseDone && j.Latest > l.floor {
		l.floor, l.floorFrom = j.Latest, "certificates of those who agree"
	}
	if l.phase == was {
		return false
	}
	l.since = now.Mono
	l.Note(now.Mono, Entry{Rung: RungAgreement, OK: true, Text: l.Agreement()})
	if l.phase == PhaseDone {
		l.Note(now.Mono, Entry{Rung: RungTrust, OK: true, Text: "the time is trusted"})
	}
	return true
}

// HandleReference ends the climb: a clock at this machine that the owner trusts
// has told the time. It reports whether there was one.
func (l *Ladder) HandleReference(now clock.Reading, name string) bool {
	if !l.Climbing() {
		return false
	}
	l.phase = PhaseDone
	l.Note(now.Mono, Entry{Rung: RungTrust, Source: name, OK: true, Text: "a reference clock with option trust tells the time"})
	return true
}

// HandleRevoked takes back the trust in one source: votes are those that are
// left. It reports whether too few are left to go on.
func (l *Ladder) HandleRevoked(votes []Vote) bool {
	if l.phase != PhaseConfirming && l.phase != PhaseDone {
		return false
	}
	j := l.Judge(votes)
	if j.Agreed && (l.phase == PhaseConfirming || j.Confirmed) {
		return false
	}
	l.phase = PhaseSearching
	return true
}

// NextDeadline is when HandleTimer wants to be called.
func (l *Ladder) NextDeadline() clock.Mono { return min(l.deadline(), l.patience()) }

// deadline is when to say what is missing.
func (l *Ladder) deadline() clock.Mono {
	if l.told || l.cfg.Deadline <= 0 || !l.Climbing() {
		return clock.Never
	}
	return l.started.Mono.Add(l.cfg.Deadline)
}

// patience is when a time on trial is given up.
func (l *Ladder) patience() clock.Mono {
	if l.phase != PhaseConfirming {
		return clock.Never
	}
	return l.since.Add(confirmFor)
}

// HandleTimer says at the deadline what is missing, which forces nothing, and
// gives up a time that nobody confirms: those who placed the clock may be gone,
// and by a wrong time no honest certificate is valid.
func (l *Ladder) HandleTimer(now clock.Reading, out []event.Action) []event.Action {
	if now.Mono >= l.deadline() {
		l.told = true
		out = append(out, event.Notice{Kind: event.NoticeBootstrap, Text: l.Waiting()})
	}
	if now.Mono >= l.patience() {
		l.phase = PhaseSearching
		l.Note(now.Mono, Entry{Rung: RungTrust, Text: fmt.Sprintf("given up: not confirmed within %v", confirmFor)})
	}
	return out
}
