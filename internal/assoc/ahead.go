package assoc

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/filter"
	"ntsd/internal/interleave"
	"ntsd/internal/wire"
)

// ahead is what is believed until the next reply tells when the last one left:
// the filter with a sample of the last exchange, in which the server is taken to
// have answered as quickly as it lately did at best. Such a sample is about as
// good as one in basic mode, and as honest: had the server been slower, the round
// trip is longer by that. Without it all that is known would be one interval old.
// The zero value is none.
type ahead struct {
	valid     bool
	filter    *filter.Filter
	responses filter.Quickest // from receipt to departure
}

// responseSDs deviations of the quickest response are put into the sample's
// dispersion: the filter takes a quarter of a dispersion for its usual error.
const responseSDs = 4

// lookAhead estimates with the exchange whose reply has just come; response is
// how long the server took for the one before.
func (a *Assoc) lookAhead(now clock.Reading, ev *event.Received, hdr wire.Header, response time.Duration) {
	h := &a.ahead
	least, gap, ok := h.responses.Note(response)
	if !ok || a.cfg.Filter > 1 { // with that option a sample alone does not count
		return
	}
	t := interleave.Timing{Now: now, Sent: ev.Sent, Received: ev.Received, There: hdr.Receive, Response: least}
	x, s := a.measure(t, ev, hdr)
	if a.path(&t, &x) != VerdictAccepted {
		return
	}
	if h.filter == nil {
		h.filter = new(filter.Filter)
	}
	s.Dispersion += responseSDs * min(gap, maxDistance)
	h.valid = a.filter.Ahead(s, h.filter)
}
