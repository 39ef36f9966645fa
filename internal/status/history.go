package status

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"ntsd/internal/clock"
	"ntsd/internal/history"
)

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

// RenderHistory writes a line for each point.
func RenderHistory(w io.Writer, h History, o Options) error {
	b := bufio.NewWriter(w)
	if !o.CSV {
		b.WriteString("Time (UTC)             Offset   Lowest  Highest   Bound    Frequency\n==================================================================\n")
	}
	for _, p := range h.Points {
		if o.CSV {
			row := make([]string, 0, len(p))
			for i, v := range p {
				format, digits := byte('e'), 6
				if i == 0 {
					format, digits = 'f', 3
				}
				row = append(row, strconv.FormatFloat(v, format, digits, 64))
			}
			writeCSV(b, row)
			continue
		}
		at := Time(clock.WallUnix(int64(p[0]), 0))
		fmt.Fprintf(b, "%s  %s  %s  %s  %s  %s ppm\n", at, Signed(p[1]), Signed(p[2]), Signed(p[3]), magnitude(p[4]), ppm(p[5], "+"))
	}
	return flush(b)
}
