package tables

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"

	"ntsd/internal/status"
)

// list prints "label: value" lines, or with CSV the values alone on one line.
// A line can hold several values.
type list struct {
	w   *bufio.Writer
	csv bool
	row []string
}

// line adds one line: text is its form for people, values those for CSV.
func (l *list) line(label, text string, values ...string) {
	if l.csv {
		l.row = append(l.row, values...)
		return
	}
	fmt.Fprintf(l.w, "%-16s: %s\n", label, text)
}

// same adds a line whose text and only value are equal.
func (l *list) same(label string, value any) {
	text := fmt.Sprint(value)
	l.line(label, text, text)
}

// seconds adds a line with a number of seconds.
func (l *list) seconds(label string, x float64, decimals int, sign string) {
	l.line(label, fmt.Sprintf("%"+sign+".*f seconds", decimals, x), fixed(x, decimals))
}

// end finishes a record.
func (l *list) end() error {
	if l.csv {
		writeCSV(l.w, l.row)
		l.row = nil
	}
	if err := l.w.Flush(); err != nil {
		return fmt.Errorf("tables: write: %w", err)
	}
	return nil
}

// Tracking writes chronyc's tracking.
func Tracking(w io.Writer, r status.Report, o Options) error {
	t := &r.Tracking
	l := list{w: bufio.NewWriter(w), csv: o.CSV}
	name := o.name(status.Ident{Name: t.ReferenceName, Address: t.ReferenceAddress})
	switch {
	case t.ReferenceAddress == "" && t.ReferenceName == "":
		name = idText(t.ReferenceID)
	case !o.Numeric && !o.CSV:
		name = t.ReferenceName // the line has room for the whole name
	}
	l.line("Reference ID", t.ReferenceID+" ("+name+")", t.ReferenceID, name)
	l.same("Stratum", t.Stratum)
	l.line("Ref time (UTC)", date(t.ReferenceTime), decimal(t.ReferenceTime))
	l.line("System time", fmt.Sprintf("%.9f seconds %s of NTP time", math.Abs(t.CorrectionS), fastSlow(t.CorrectionS > 0)),
		fixed(t.CorrectionS, 9))
	l.seconds("Last offset", t.LastOffsetS, 9, "+")
	l.seconds("RMS offset", t.RMSOffsetS, 9, "")
	l.line("Frequency", fmt.Sprintf("%.3f ppm %s", math.Abs(t.FreqPPM), fastSlow(!(t.FreqPPM > 0))), fixed(t.FreqPPM, 3))
	l.line("Residual freq", fmt.Sprintf("%+.3f ppm", t.ResidualFreqPPM), fixed(t.ResidualFreqPPM, 3))
	l.line("Skew", fmt.Sprintf("%.3f ppm", t.SkewPPM), fixed(t.SkewPPM, 3))
	l.seconds("Root delay", t.RootDelayS, 9, "")
	l.seconds("Root dispersion", t.RootDispersionS, 9, "")
	l.seconds("Update interval", t.UpdateIntervalS, 1, "")
	l.same("Leap status", t.Leap.String())
	if t.Doubted() && !o.CSV {
		fmt.Fprintf(l.w, "%-16s: %.9f seconds of dispersion; no majority vouches for so little\n", "Reference alone", t.OwnDispersionS)
	}
	if o.Verbose && !o.CSV {
		for _, line := range trackingWords(&r) {
			fmt.Fprintln(l.w, line)
		}
	}
	return l.end()
}

// Activity writes chronyc's activity.
func Activity(w io.Writer, r status.Report, o Options) error {
	a := &r.Activity
	b := bufio.NewWriter(w)
	if o.CSV {
		fmt.Fprintf(b, "%d,%d,%d,%d,%d\n", a.Online, a.Offline, a.BurstOnline, a.BurstOffline, a.Unresolved)
	} else {
		fmt.Fprintf(b, "200 OK\n%d sources online\n%d sources offline\n%d sources doing burst (return to online)\n"+
			"%d sources doing burst (return to offline)\n%d sources with unknown address\n",
			a.Online, a.Offline, a.BurstOnline, a.BurstOffline, a.Unresolved)
	}
	return flush(b)
}

// NTPdata writes chronyc's ntpdata of every server with a known address,
// or of the one source that target names by address or name. It reports
// whether there was one.
func NTPdata(w io.Writer, r status.Report, o Options, target string) (bool, error) {
	found := false
	for i := range r.Sources {
		s := &r.Sources[i]
		if s.Address == "" || target != "" && !s.Is(target) || target == "" && s.Kind == status.KindRefClock {
			continue
		}
		found = true
		if target == "" && !o.CSV {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return true, fmt.Errorf("tables: write: %w", err)
			}
		}
		if err := renderNTP(w, &r, s, o); err != nil {
			return true, err
		}
	}
	return found, nil
}

// renderNTP writes one source's ntpdata.
func renderNTP(w io.Writer, r *status.Report, s *status.Source, o Options) error {
	n := s.NTP
	if n == nil { // as chronyc before the first reply
		n = &status.NTPData{ReferenceID: "00000000", Tests: "000 000 0000", Sent: "Invalid", Received: "Invalid"}
	}
	l := list{w: bufio.NewWriter(w), csv: o.CSV}
	l.address("Remote address", s.Address)
	l.same("Remote port", s.Port)
	l.address("Local address", n.LocalAddress)
	l.same("Leap status", n.Leap.String())
	l.same("Version", n.Version)
	l.same("Mode", modeName(n.Mode))
	l.same("Stratum", n.Stratum)
	l.exponent("Poll interval", n.PollLog2, 0)
	l.exponent("Precision", n.PrecisionLog2, 9)
	l.seconds("Root delay", n.RootDelayS, 6, "")
	l.seconds("Root dispersion", n.RootDispersionS, 6, "")
	text := ""
	if n.Stratum <= 1 {
		text = idText(n.ReferenceID)
	}
	l.line("Reference ID", n.ReferenceID+" ("+text+")", n.ReferenceID, text)
	l.line("Reference time", date(n.ReferenceTime), decimal(n.ReferenceTime))
	l.seconds("Offset", n.OffsetS, 9, "+")
	l.seconds("Peer delay", n.DelayS, 9, "")
	l.seconds("Peer dispersion", n.DispersionS, 9, "")
	l.seconds("Response time", n.ResponseS, 9, "")
	l.line("Jitter asymmetry", fmt.Sprintf("%+.2f", n.Asymmetry), fixed(n.Asymmetry, 2))
	l.line("NTP tests", n.Tests, strings.Fields(n.Tests)...)
	l.same("Interleaved", yesNo(n.Interleaved))
	l.same("Authenticated", yesNo(n.Authenticated))
	l.same("TX timestamping", n.Sent)
	l.same("RX timestamping", n.Received)
	c := &s.Counters
	l.same("Total TX", c.Sent)
	l.same("Total RX", c.Received)
	l.same("Total valid RX", c.Valid)
	l.same("Total good RX", c.Good)
	l.same("Total kernel TX", c.KernelSent)
	l.same("Total kernel RX", c.KernelRecv)
	l.same("Total HW TX", c.CardSent)
	l.same("Total HW RX", c.CardRecv)
	if o.Verbose && !o.CSV {
		for _, line := range ntpWords(r, s) {
			fmt.Fprintln(l.w, line)
		}
	}
	return l.end()
}

// address adds an address and the reference ID that stands for it.
func (l *list) address(label, addr string) {
	id := status.AddressID(addr)
	if addr == "" {
		addr = "[UNSPEC]" // chronyc's word
	}
	l.line(label, addr+" ("+id+")", addr, id)
}

// exponent adds a power of two of seconds.
func (l *list) exponent(label string, e, decimals int) {
	x := exponentSeconds(e)
	l.line(label, fmt.Sprintf("%d (%.*f seconds)", e, decimals, x), fmt.Sprint(e), fixed(x, decimals))
}

// modeName is chronyc's word for an NTP mode.
func modeName(mode int) string {
	switch mode {
	case 1:
		return "Symmetric active"
	case 2:
		return "Symmetric passive"
	case 4:
		return "Server"
	}
	return "Invalid"
}
