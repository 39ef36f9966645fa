package status

import "ntsd/internal/smooth"

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
