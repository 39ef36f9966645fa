package status

import (
	"bufio"
	"fmt"
	"io"

	"ntsd/internal/smooth"
)

// Smoothing describes how the time that clients are served is smoothed, as
// chronyc smoothing does. A positive offset means that they are ahead of true
// time.
type Smoothing struct {
	Enabled     bool    `json:"enabled"` // configured
	Active      bool    `json:"active"`
	LeapOnly    bool    `json:"leap_only"`
	OffsetS     float64 `json:"offset_s"`
	FreqPPM     float64 `json:"freq_ppm"`         // positive: their time gains
	WanderPPM   float64 `json:"wander_ppm_per_s"` // change of FreqPPM
	LastUpdateS float64 `json:"last_update_s"`    // ago
	RemainingS  float64 `json:"remaining_s"`
}

func smoothingFrom(s smooth.Report) Smoothing {
	return Smoothing{
		Enabled: s.Enabled, Active: s.Active, LeapOnly: s.LeapOnly, OffsetS: seconds(s.Offset),
		FreqPPM: millionths(s.Rate.PPM()), WanderPPM: s.Wander.PPM(),
		LastUpdateS: seconds(s.LastUpdate), RemainingS: seconds(s.Remaining),
	}
}

// RenderSmoothing writes chronyc's smoothing.
func RenderSmoothing(w io.Writer, r Report, o Options) error {
	s := &r.Smoothing
	b := bufio.NewWriter(w)
	only := ""
	if s.LeapOnly {
		only = "(leap second only)"
	}
	if o.CSV {
		writeCSV(b, []string{
			yesNo(s.Active), only, fixed(s.OffsetS, 9), fixed(s.FreqPPM, 6), fixed(s.WanderPPM, 6),
			fixed(s.LastUpdateS, 1), fixed(s.RemainingS, 1),
		})
		return flush(b)
	}
	fmt.Fprintf(b, "Active         : %s %s\n", yesNo(s.Active), only) // the space is chronyc's
	fmt.Fprintf(b, "Offset         : %+.9f seconds\n", s.OffsetS)
	fmt.Fprintf(b, "Frequency      : %+.6f ppm\n", s.FreqPPM)
	fmt.Fprintf(b, "Wander         : %+.6f ppm per second\n", s.WanderPPM)
	fmt.Fprintf(b, "Last update    : %.1f seconds ago\n", s.LastUpdateS)
	fmt.Fprintf(b, "Remaining time : %.1f seconds\n", s.RemainingS)
	return flush(b)
}
