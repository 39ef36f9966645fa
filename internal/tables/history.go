package tables

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"ntsd/internal/clock"
	"ntsd/internal/status"
)

// History writes a line for each point.
func History(w io.Writer, h status.History, o Options) error {
	b := bufio.NewWriter(w)
	if !o.CSV {
		b.WriteString("Time (UTC)             Offset   Lowest  Highest   Bound        Frequency\n======================================================================\n")
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
		at := status.Time(clock.WallUnix(int64(p[0]), 0))
		fmt.Fprintf(b, "%s  %s  %s  %s  %s  %s ppm\n", at, status.Signed(p[1]), status.Signed(p[2]), status.Signed(p[3]), status.Magnitude(p[4]), ppm(p[5], "+"))
	}
	return flush(b)
}
