package selection

import "bytes"

// Orphan is the election among servers that serve their own time because no
// other is to be had (chrony's "local orphan", ntpd's "tos orphan"): all claim
// the same stratum, poll each other, and follow the one with the smallest
// address, as replies name it.
type Orphan struct {
	Stratum uint8 // of an orphan; 0: sources of any stratum are taken as they are
	// Minor says that this host may not serve its own time now. It then follows
	// an orphan with a larger address, too: whoever comes back to a house takes
	// the time over that is kept there before it claims to be the keeper.
	Minor bool
}

// is reports whether a source is an orphan, or has its time from one.
func (o Orphan) is(c Candidate) bool { return o.Stratum > 0 && c.Stratum >= o.Stratum }

// elect puts the orphans among the candidates left aside. Where there is no
// other candidate, the reachable one with the smallest address is the only one,
// unless this host comes before it.
func (r *Result) elect(o Orphan, cands []Candidate) {
	best, others := -1, false
	for i, c := range cands {
		switch {
		case r.States[i] != undecided:
		case !o.is(c):
			others = true
		default:
			r.States[i] = StateOrphan
			if c.Stratum == o.Stratum && c.Reachable &&
				(best < 0 || bytes.Compare(c.Address[:], cands[best].Address[:]) < 0) {
				best = i
			}
		}
	}
	if others || best < 0 {
		return
	}
	if c := &cands[best]; o.Minor || bytes.Compare(c.Address[:], c.Own[:]) < 0 {
		r.States[best] = undecided
	}
}
