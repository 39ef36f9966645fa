// Package names is what is known of the resolution of names: when one is asked
// for again, and where it was found before. It is layer 2 and sans-IO.
//
// Non-goals: asking (resolve), and which address is used (sources).
package names

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

// Implementation constants.
const (
	retryMin     = 2 * time.Second
	retryMax     = 64 * time.Second
	retryMaxGone = 17 * time.Minute // for a name that does not exist
	maxFailures  = 32               // where the wait has long reached its bound
	// standInAfter is how long a name may be looked up before the addresses that
	// it had stand in.
	standInAfter = 3 * time.Second
)

// Lookup is the resolution of one name. Sources of the same name share it.
type Lookup struct {
	Name    string
	Family  event.Family
	Wanted  bool
	Running bool
	Last    clock.Mono // of the last answer with addresses
	Reason  string     // of the last failure, "" after a success

	failures  int
	notBefore clock.Mono
	asked     clock.Mono
	stoodIn   bool // by the addresses that it had
}

// Deadline is when to ask, or to let the old addresses stand in.
func (l *Lookup) Deadline() clock.Mono {
	switch {
	case l.Running && !l.stoodIn:
		return l.asked.Add(standInAfter)
	case !l.Wanted || l.Running:
		return clock.Never
	}
	return l.notBefore
}

// Hurry ends the wait.
func (l *Lookup) Hurry() { l.notBefore = 0 }

// StandIn reports whether the old addresses should stand in now, once per
// question.
func (l *Lookup) StandIn(now clock.Reading) bool {
	if !l.Running || now.Mono < l.Deadline() {
		return false
	}
	l.stoodIn = true
	return true
}

// Ask reports whether to ask now, and notes that it is done.
func (l *Lookup) Ask(now clock.Reading) bool {
	if l.Running || !l.Wanted || now.Mono < l.notBefore {
		return false
	}
	l.Running, l.asked, l.stoodIn = true, now.Mono, false
	return true
}

// Answered notes an answer with addresses.
func (l *Lookup) Answered(now clock.Reading) {
	l.Running, l.Wanted, l.failures, l.Reason, l.Last = false, false, 0, "", now.Mono
	l.notBefore = now.Mono.Add(retryMin)
}

// Failed notes an answer without: the next question waits longer. It reports
// whether the reason is news.
func (l *Lookup) Failed(now clock.Reading, ev event.Resolved) bool {
	l.Running = false
	l.failures = min(l.failures+1, maxFailures)
	limit := retryMax
	if !ev.Temporary {
		limit = retryMaxGone
	}
	d := retryMin
	for range l.failures - 1 {
		d = min(2*d, limit)
	}
	l.notBefore = now.Mono.Add(d)
	news := l.Reason != ev.Reason
	l.Reason = ev.Reason
	return news
}
