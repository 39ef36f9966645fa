package advice

import (
	"fmt"
	"math"

	"ntsd/internal/status"
)

// Implementation constants of what is said about a near server.
const (
	// muchNearer: its own bound is so many times narrower than that of each of
	// those that are followed instead.
	muchNearer = 4
	// knownSamples must have come of it, and of them, so that the first minutes
	// say nothing.
	knownSamples = 16
	// leastAway (seconds): by less nobody's clock is noticeably wrong, and noisy far
	// servers may differ by as much for a while.
	leastAway = 0.5e-3
)

// Seen returns the advice on what the daemon reports, nil without any.
//
// A line that is slower one way than the other makes all servers behind it wrong
// by as much, within their bounds, and a majority of them outvotes a near server
// that is right. Nobody but the owner can tell that from a near server that lies:
// it is advised to prefer it only if he knows, and not at all where it could be
// changed on the way and those others could not.
func Seen(r *status.Report) []Piece {
	if !r.Tracking.Synchronised {
		return nil
	}
	var near *status.Source
	away := 0.0
	for i := range r.Sources {
		s := &r.Sources[i]
		if near != nil && width(s) >= width(near) {
			continue
		}
		if d, ok := outvoted(r, s); ok {
			near, away = s, d
		}
	}
	if near == nil {
		return nil
	}
	by := fmt.Sprintf("%.1f ms", away*1e3)
	for i := range r.Sources {
		if s := &r.Sources[i]; followed(s) && authentic(s) && !authentic(near) {
			return piece(NearPlain, "%s differs by %s from the authenticated servers, which are much farther away: a line is slower one way, or somebody changes its replies, so do not prefer it, but add authenticated servers as near.", near.Name, by)
		}
	}
	return piece(NearOutvoted, "%s differs by %s from the servers that outvote it, which are much farther away, as where a line is slower one way: give it option prefer if you know that it is right, or add servers as near.", near.Name, by)
}

// outvoted reports whether s is much nearer than all that are followed, which
// measure something else although both may be right by their bounds; and by how
// many seconds.
func outvoted(r *status.Report, s *status.Source) (away float64, ok bool) {
	switch s.Selection.Letter {
	case "D", "T", "x":
	default:
		return 0, false
	}
	if s.Reach == 0 || s.Stats.Samples < knownSamples || width(s) <= 0 {
		return 0, false
	}
	away = math.Inf(1)
	for i := range r.Sources {
		o := &r.Sources[i]
		if !followed(o) {
			continue
		}
		between := math.Abs(middle(s) - middle(o))
		if width(o) < muchNearer*width(s) || between > width(s)+width(o) || o.Stats.Samples < knownSamples {
			return 0, false
		}
		away = math.Min(away, between)
	}
	return away, away > max(width(s), leastAway) && !math.IsInf(away, 1)
}

func followed(s *status.Source) bool { return s.Selection.Letter == "*" || s.Selection.Letter == "+" }

// authentic reports whether nobody on the way can change what a source says.
func authentic(s *status.Source) bool { return s.Auth.Mode != "none" || s.Kind == status.KindRefClock }

// width is how far the truth may be from the middle of a source's interval, in
// seconds.
func width(s *status.Source) float64 { return (s.Selection.HiS - s.Selection.LoS) / 2 }

func middle(s *status.Source) float64 { return (s.Selection.HiS + s.Selection.LoS) / 2 }
