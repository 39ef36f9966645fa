package tables

import (
	"bufio"
	"fmt"
	"io"

	"ntsd/internal/status"
)

// Smoothing writes chronyc's smoothing.
func Smoothing(w io.Writer, r status.Report, o Options) error {
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
