package status

import "ntsd/internal/history"

// History is how the clock was over a span of time. Rows are arrays, because
// there are hundreds: time in seconds since 1970, mean, lowest and highest offset
// in seconds (positive: the clock was slow), bound of the error in seconds,
// frequency of the oscillator in ppm.
type History struct {
	Span      string       `json:"span"`
	IntervalS float64      `json:"interval_s"`
	Points    [][6]float64 `json:"points"`
}

// FromHistory puts the points of a span into the terms of this package.
func FromHistory(s history.Span, all []history.Point) History {
	h := History{Span: s.String(), IntervalS: s.Interval().Seconds(), Points: make([][6]float64, 0, len(all))}
	for _, p := range all {
		h.Points = append(h.Points, [6]float64{
			float64(p.At) / 1e9, p.Offset.Seconds(), p.Low.Seconds(), p.High.Seconds(), p.Bound.Seconds(), p.Frequency.PPM(),
		})
	}
	return h
}
