package status

import (
	"fmt"
	"strings"

	"ntsd/internal/order"
	"ntsd/internal/selection"
)

// maxTroubles bounds how many reasons for a missing synchronisation are named.
const maxTroubles = 3

// Trouble says in one line why the clock is not synchronised; it is empty when
// the clock is.
func (r *Report) Trouble() string { return strings.Join(r.Troubles(), "; ") }

// Troubles says why the clock is not synchronised, one reason per line, those
// of most sources first and at most maxTroubles. It is empty when the clock is
// synchronised.
func (r *Report) Troubles() []string {
	if r.Tracking.Synchronised {
		return nil
	}
	if len(r.Sources) == 0 {
		return []string{"no sources are configured"}
	}
	var whys []string // in the order of the list
	names := make(map[string][]string)
	weight := make(map[string]int)
	for i := range r.Sources {
		s := &r.Sources[i]
		why := s.trouble()
		if len(names[why]) == 0 {
			whys = append(whys, why)
		}
		names[why] = append(names[why], s.Name)
		if !s.Selection.Configured.NoSelect && s.Online { // others are left out on purpose
			weight[why]++
		}
	}
	order.Stable(whys, func(a, b string) int { return weight[b] - weight[a] })
	var out []string
	if r.Bootstrap.Waiting != "" {
		out = append(out, "the first time: "+r.Bootstrap.Waiting)
	}
	for i, why := range whys {
		if i == maxTroubles {
			return append(out, fmt.Sprintf("and %d more", len(whys)-i))
		}
		who := names[why][0]
		switch n := len(names[why]); {
		case n == len(r.Sources) && n > 1:
			who = fmt.Sprintf("each of %d sources", n)
		case n > 1:
			who = fmt.Sprintf("%d of %d sources", n, len(r.Sources))
		}
		out = append(out, who+": "+why)
	}
	return out
}

// trouble says why the source does not set the clock.
func (s *Source) trouble() string {
	t := &s.Selection
	switch {
	case t.Letter == "*" || t.Letter == "+":
		return "selected, but has not set the clock yet"
	case t.Why == "" || t.Why == t.State || s.Address == "":
		return s.Explain()
	}
	return t.Why
}

// Explain says what the selection made of the source, and why.
func (s *Source) Explain() string {
	text := s.Selection.State
	if text == selection.StateNotReady.String() && s.LastRx == Never {
		text = "has no sample yet"
	}
	why := s.Selection.Why
	if why == s.Selection.State {
		why = ""
	}
	if s.Address == "" {
		text = "no address known yet"
	} else if why == "" {
		why = s.reason()
	}
	if why != "" {
		text += ": " + why
	}
	if !s.Online && s.Selection.State != selection.StateOffline.String() {
		text += " (offline)"
	}
	return text
}

// reason adds to a state what the report knows of its cause.
func (s *Source) reason() string {
	t := &s.Selection
	switch t.Letter {
	case letter(selection.StateNoSelect.Letter()):
		if t.Configured.NoSelect {
			return "option noselect"
		}
		return "authselectmode leaves out what is not authenticated"
	case letter(selection.StateDistant.Letter()):
		return "its error bound " + strings.TrimSpace(Magnitude(s.ErrorBoundS)) + " is above maxdistance"
	case letter(selection.StateJittery.Letter()):
		return "its standard deviation " + strings.TrimSpace(Magnitude(s.Stats.StdDevS)) + " is above maxjitter"
	}
	return ""
}

// Doubted reports whether the error bound is mostly that of a majority of the
// sources, because none of them vouches for what the reference claims: it is more
// than twice what the reference's own would be.
func (t *Tracking) Doubted() bool {
	return t.Synchronised && t.RootDispersionS+t.RootDelayS/2 > 2*(t.OwnDispersionS+t.RootDelayS/2)
}
