package assoc

import (
	"ntsd/internal/event"
	"ntsd/internal/ntptime"
	"ntsd/internal/wire"
)

// honoured reports whether a kiss code changes what a client does. RFC 5905
// §7.4 has a dozen more (INIT, STEP, ...) that only say why a server has no
// time: to us it is not synchronised, no more.
func honoured(code wire.KissCode) bool {
	switch code {
	case wire.KissRate, wire.KissDeny, wire.KissRSTR, wire.KissNTSN:
		return true
	}
	return false
}

// kiss honours a kiss-o'-death that belongs to the request: its origin
// timestamp matched, and with NTS its identifier. RFC 5905 §7.4: it is never
// time, whatever its timestamps say.
//
// Somebody on the path can forge one even for an NTS request, so no kiss stops
// an association for good: DENY and RSTR make it rare, and a usable reply
// lifts that again.
func (a *Assoc) kiss(code wire.KissCode, poll ntptime.Exponent, out []event.Action) ([]event.Action, Verdict) {
	verdict := VerdictKiss
	switch code {
	case wire.KissRate:
		verdict = VerdictRate
	case wire.KissDeny, wire.KissRSTR:
		verdict = VerdictDenied
	}
	if a.request.kissed {
		return out, verdict // a flood of kisses is one kiss
	}
	a.request.kissed = true
	a.problem = verdict.String()
	switch verdict {
	case VerdictRate:
		a.burst, a.settling = burst{}, settling{}
		// RFC 5905 §7.4: "the client MUST immediately reduce its polling
		// interval to that server and continue to reduce it each time".
		top := max(a.cfg.MaxPoll, rateMaxPoll)
		a.minPoll = max(a.minPoll, min(max(a.poll+1, poll), top))
		a.clampPoll()
		a.schedule(a.request.asked)
	case VerdictDenied:
		a.burst, a.settling, a.denied = burst{}, settling{}, true
		a.schedule(a.request.asked)
	}
	if a.kissed != code {
		a.kissed = code
		out = append(out, a.notice(event.NoticeKiss, code.String()))
	}
	return out, verdict
}
