package advice

import (
	"strings"
	"testing"

	"ntsd/internal/status"
)

// seen is a source as selectdata shows it; times in ms, positive means ahead.
func seen(name, letter string, middle, width float64, nts bool) status.Source {
	s := status.Source{Ident: status.Ident{Name: name}, Sample: status.Sample{Reach: 255}, Stats: status.Stats{Samples: 64}, Auth: status.Auth{Mode: "none"}}
	if nts {
		s.Auth.Mode = "nts"
	}
	s.Selection = status.Selection{Letter: letter, LoS: (middle - width) / 1e3, HiS: (middle + width) / 1e3}
	return s
}

// TestSeen: a near server that far ones outvote is advised to be preferred, but
// none that could be changed on the way where those others could not.
func TestSeen(t *testing.T) {
	far := func(nts bool) []status.Source {
		return []status.Source{seen("far1", "*", 0, 18, nts), seen("far2", "+", 0.5, 22, nts)}
	}
	edit := func(s status.Source, change func(s *status.Source)) status.Source { change(&s); return s }
	near := seen("near", "D", 4, 0.2, false)
	for _, c := range []struct {
		name    string
		near    []status.Source
		far     []status.Source
		want    Code // empty: nothing
		mention string
	}{
		{"outvoted", []status.Source{near}, far(false), NearOutvoted, "near differs by 3.5 ms from the servers that outvote it"},
		{"with NTS", []status.Source{seen("near", "D", 4, 0.2, true)}, far(true), NearOutvoted, "option prefer"},
		{"a clock at this machine", []status.Source{edit(near, func(s *status.Source) { s.Kind = status.KindRefClock })}, far(true), NearOutvoted, "option prefer"},
		{"plain, against one with NTS", []status.Source{near}, append(far(false), seen("far3", "+", 0, 20, true)), NearPlain, "do not prefer it"},
		{"plain, not within what those with NTS agree on", []status.Source{seen("near", "T", 4, 0.2, false)}, far(true), NearPlain, "do not prefer it"},
		{"the nearest of two is named", []status.Source{near, seen("nearer", "D", 4, 0.1, false)}, far(false), NearOutvoted, "nearer differs"},
		{"further off than any line explains", []status.Source{seen("near", "x", 40, 0.2, false)}, far(false), "", ""},
		{"not so much nearer", []status.Source{seen("near", "D", 4, 6, false)}, far(false), "", ""},
		{"one of them is as near", []status.Source{near, seen("other", "+", 0, 0.2, false)}, far(false), "", ""},
		{"less off than anybody notices", []status.Source{seen("near", "D", 0.45, 0.02, false)}, []status.Source{seen("far", "*", 0, 18, false)}, "", ""},
		{"hardly off", []status.Source{seen("near", "D", 0.1, 0.2, false)}, far(false), "", ""},
		{"too far to be combined", []status.Source{seen("farther", "D", 0, 60, false)}, far(false), "", ""},
		{"combined", []status.Source{seen("near", "+", 4, 0.2, false)}, far(false), "", ""},
		{"left out on purpose", []status.Source{seen("near", "N", 4, 0.2, false)}, far(false), "", ""},
		{"silent", []status.Source{edit(near, func(s *status.Source) { s.Reach = 0 })}, far(false), "", ""},
		{"just started", []status.Source{edit(near, func(s *status.Source) { s.Stats.Samples = 8 })}, far(false), "", ""},
		{"nobody is followed", []status.Source{near}, nil, "", ""},
	} {
		r := status.Report{Sources: append(c.near, c.far...), Tracking: status.Tracking{Synchronised: true}}
		got := Seen(&r)
		if c.want == "" {
			if len(got) > 0 {
				t.Errorf("%s: got %+v", c.name, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Code != c.want || !strings.Contains(got[0].Text, c.mention) || len(got[0].About) != 2 {
			t.Errorf("%s: got %+v, want %s with %q", c.name, got, c.want, c.mention)
		}
		r.Tracking.Synchronised = false
		if got := Seen(&r); got != nil {
			t.Errorf("%s, not synchronised: got %+v", c.name, got)
		}
	}
}
