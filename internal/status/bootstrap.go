package status

import (
	"math"

	"ntsd/internal/bootstrap"
	"ntsd/internal/snapshot"
)

// Bootstrap is how the first time was found, or what is missing for it.
type Bootstrap struct {
	Mode      string   `json:"mode"`  // as configured
	Phase     string   `json:"phase"` // off, searching, confirming or done
	Started   Time     `json:"started"`
	Floor     Time     `json:"floor"`
	FloorFrom string   `json:"floor_from"`
	Operators []string `json:"operators"` // that count
	Needed    int      `json:"needed"`    // of them
	Agreeing  []string `json:"agreeing"`
	Confirmed int      `json:"confirmed"` // of those, under strict certificates
	Waiting   string   `json:"waiting_for,omitempty"`
	Warning   string   `json:"warning,omitempty"`
	Rungs     []Rung   `json:"rungs"` // what was tried, oldest first
}

// Rung is one thing that was tried.
type Rung struct {
	AfterS float64 `json:"after_s"` // the start
	Rung   string  `json:"rung"`
	Source string  `json:"source,omitempty"` // none: it is about all
	OK     bool    `json:"ok"`
	Text   string  `json:"text"`
}

func bootstrapFrom(s *snapshot.Snapshot) Bootstrap {
	b := &s.Bootstrap
	out := Bootstrap{
		Mode: b.Mode.String(), Phase: b.Phase.String(), Started: Time(b.Started.Wall),
		Floor: Time(b.Floor), FloorFrom: b.FloorFrom, Operators: cleanAll(b.Operators), Needed: b.Need,
		Agreeing: cleanAll(b.Agreeing), Confirmed: b.Strict, Waiting: clean(b.Waiting), Warning: b.Warning,
		Rungs: make([]Rung, 0, len(b.Journal)),
	}
	if b.Phase == bootstrap.PhaseOff {
		out.Needed = 0
	}
	for _, e := range b.Journal {
		out.Rungs = append(out.Rungs, Rung{
			AfterS: math.Round(e.At.Sub(b.Started.Mono).Seconds()*1000) / 1000,
			Rung:   e.Rung.String(), Source: clean(e.Source), OK: e.OK, Text: clean(e.Text),
		})
	}
	return out
}
