package tables

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"

	"ntsd/internal/status"
)

// Implementation constants.
const (
	// nameWidth is the longest name that chronyc's tables show unless asked
	// for whole names or addresses.
	nameWidth = 25
	// narrowName is what Narrow leaves of a name at least.
	narrowName = len("Name/IP address")
)

// Options choose the form of the tables. The zero value is chronyc's default,
// with configured names in place of reverse look-ups.
type Options struct {
	Numeric   bool // addresses
	NamesOnly bool // configured names, never shortened
	CSV       bool // chronyc's comma-separated values; addresses unless NamesOnly
	All       bool // sources without an address too
	Verbose   bool // a legend above, words below each row, and All; not with CSV
	Color     bool
}

// table is one of chronyc's tables.
type table struct {
	legend string
	header string
	hosts  bool // a reference clock has no row
	row    func(s *status.Source, name string) string
	csv    func(s *status.Source, name string) []string
	words  func(r *status.Report, s *status.Source) []string
}

// write prints the table for the report's sources.
func (t table) write(w io.Writer, r status.Report, o Options) error {
	b := bufio.NewWriter(w)
	if !o.CSV {
		if o.Verbose {
			b.WriteString(t.legend)
		}
		fmt.Fprintf(b, "%s\n%s\n", t.header, strings.Repeat("=", len(t.header)))
	}
	for i := range r.Sources {
		s := &r.Sources[i]
		if s.Address == "" && !o.All && (o.CSV || !o.Verbose) {
			continue
		}
		if t.hosts && s.Kind == status.KindRefClock {
			continue
		}
		name := o.name(s.Ident)
		if o.CSV {
			writeCSV(b, t.csv(s, name))
			continue
		}
		fmt.Fprintln(b, o.Paint(s.Mark, t.row(s, name)))
		if o.Verbose {
			for _, line := range t.words(&r, s) {
				fmt.Fprintf(b, "     %s\n", line)
			}
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("tables: write: %w", err)
	}
	return nil
}

// name is how the options want a source to be called.
func (o Options) name(id status.Ident) string {
	switch {
	case o.NamesOnly || o.CSV && id.Address == "" || id.Kind == status.KindRefClock:
		return id.Name
	case (o.Numeric || o.CSV) && id.Address != "":
		return id.Address
	}
	return shorten(id.Name, nameWidth)
}

// shorten cuts a name as chronyc does, with a mark in its last column.
func shorten(name string, width int) string {
	if letters := []rune(name); len(letters) > width {
		return string(letters[:width-1]) + ">"
	}
	return name
}

// writeCSV writes one line of comma-separated values. chronyc's never need
// quotes; a name or a reference ID that a server chose can hold a comma, and
// must not move the fields after it (RFC 4180 section 2).
func writeCSV(b *bufio.Writer, fields []string) {
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		if strings.ContainsAny(f, "\",\r\n") {
			f = `"` + strings.ReplaceAll(f, `"`, `""`) + `"`
		}
		b.WriteString(f)
	}
	b.WriteByte('\n')
}

// Paint colours a row by the source's mark.
func (o Options) Paint(mark, line string) string {
	if !o.Color {
		return line
	}
	color := ""
	switch mark {
	case "*":
		color = "\x1b[1;32m" // bold green
	case "+":
		color = "\x1b[32m"
	case "x", "~":
		color = "\x1b[31m"
	case "?":
		color = "\x1b[33m"
	default:
		return line
	}
	return color + line + "\x1b[0m"
}

// Sources writes chronyc's sources.
func Sources(w io.Writer, r status.Report, o Options) error {
	return table{
		legend: sourcesLegend,
		// The spaces at the end are chronyc's.
		header: "MS Name/IP address         Stratum Poll Reach LastRx Last sample               ",
		row: func(s *status.Source, name string) string {
			return fmt.Sprintf("%s%s %-27s  %2d  %2d   %3o  %s  %s[%s] +/- %s", shape(s),
				s.Mark, name, s.Stratum, s.PollLog2, s.Reach, since(s.LastRx),
				status.Signed(s.AdjustedOffsetS), status.Signed(s.MeasuredOffsetS), status.Magnitude(s.ErrorBoundS))
		},
		csv: func(s *status.Source, name string) []string {
			return []string{
				shape(s), s.Mark, name, fmt.Sprint(s.Stratum), fmt.Sprint(s.PollLog2), fmt.Sprintf("%o", s.Reach),
				csvAgo(s.LastRx), fixed(s.AdjustedOffsetS, 9), fixed(s.MeasuredOffsetS, 9), fixed(s.ErrorBoundS, 9),
			}
		},
		words: sourceWords,
	}.write(w, r, o)
}

// Narrow writes what matters most of sources in so many columns; names
// and addresses are cut to what is left for them.
func Narrow(w io.Writer, r status.Report, o Options, columns int) error {
	o.CSV = false
	width := max(narrowName, columns-len("MS  Rch  Offset"))
	return table{
		legend: sourcesLegend,
		header: fmt.Sprintf("MS %-*s Rch  Offset", width, "Name/IP address"),
		row: func(s *status.Source, name string) string {
			return fmt.Sprintf("%s%s %-*s %3o %s", shape(s), s.Mark, width, shorten(name, width), s.Reach, status.Signed(s.AdjustedOffsetS))
		},
		words: sourceWords,
	}.write(w, r, o)
}

// Sourcestats writes chronyc's sourcestats.
func Sourcestats(w io.Writer, r status.Report, o Options) error {
	return table{
		legend: sourcestatsLegend,
		header: "Name/IP Address            NP  NR  Span  Frequency  Freq Skew  Offset  Std Dev",
		row: func(s *status.Source, name string) string {
			t := &s.Stats
			skew, spread := t.Bounds()
			return fmt.Sprintf("%-25s %3d %3d  %s %s %s  %s  %s",
				name, t.Samples, t.Runs, since(span(t)), ppm(t.ResidualFreqPPM, "+"),
				ppm(skew, ""), status.Signed(t.EstimatedOffsetS), status.Magnitude(spread))
		},
		csv: func(s *status.Source, name string) []string {
			t := &s.Stats
			skew, spread := t.Bounds()
			return []string{
				name, fmt.Sprint(t.Samples), fmt.Sprint(t.Runs), csvAgo(span(t)), fixed(t.ResidualFreqPPM, 3),
				fixed(skew, 3), fixed(t.EstimatedOffsetS, 9), fixed(spread, 9),
			}
		},
		words: stateWords,
	}.write(w, r, o)
}

// span rounds to whole seconds.
func span(t *status.Stats) status.Ago { return status.Ago(t.SpanS + 0.5) }

// Selectdata writes chronyc's selectdata.
func Selectdata(w io.Writer, r status.Report, o Options) error {
	return table{
		legend: selectdataLegend,
		header: "S Name/IP Address        Auth COpts EOpts Last Score     Interval  Leap",
		row: func(s *status.Source, name string) string {
			t := &s.Selection
			return fmt.Sprintf("%s %-25s %s %s %s %s %5.1f %s %s  %s",
				t.Letter, name, authLetter(s), strings.Join(letters(t.Configured), ""),
				strings.Join(letters(t.Effective), ""), since(t.Last), t.Score,
				status.Signed(t.LoS), status.Signed(t.HiS), leapLetter(t.Leap))
		},
		csv: func(s *status.Source, name string) []string {
			t := &s.Selection
			out := []string{t.Letter, name, authLetter(s)}
			out = append(append(out, letters(t.Configured)...), letters(t.Effective)...)
			return append(out, csvAgo(t.Last), fixed(t.Score, 1), fixed(t.LoS, 9), fixed(t.HiS, 9), t.Leap.String())
		},
		words: stateWords,
	}.write(w, r, o)
}

func authLetter(s *status.Source) string {
	switch s.Auth.Mode {
	case "nts", status.ModeSymmetric:
		return "Y"
	}
	return "N"
}

// shape is the first column of sources.
func shape(s *status.Source) string {
	return cmp.Or(map[string]string{"peer": "=", "refclock": "#"}[s.Kind], "^")
}

// letters are chronyc's five columns; the last is not in use.
func letters(o status.SelectOptions) []string {
	out := []string{"-", "-", "-", "-", "-"}
	for i, on := range []bool{o.NoSelect, o.Prefer, o.Trust, o.Require} {
		if on {
			out[i] = string("NPTR"[i])
		}
	}
	return out
}

// Authdata writes chronyc's authdata, which has no reference clocks.
func Authdata(w io.Writer, r status.Report, o Options) error {
	return table{
		legend: authdataLegend, hosts: true,
		header: "Name/IP address             Mode KeyID Type KLen Last Atmp  NAK Cook CLen",
		row: func(s *status.Source, name string) string {
			a := &s.Auth
			return fmt.Sprintf("%-27s %4s %5d %4d %4d %s %4d %4d %4d %4d", name, mode(a), a.KeyID, a.AEAD,
				a.KeyBits, since(a.LastKE), a.Attempts, a.NAKs, a.Cookies, a.CookieBytes)
		},
		csv: func(s *status.Source, name string) []string {
			a := &s.Auth
			return []string{
				name, mode(a), fmt.Sprint(a.KeyID), fmt.Sprint(a.AEAD), fmt.Sprint(a.KeyBits), csvAgo(a.LastKE),
				fmt.Sprint(a.Attempts), fmt.Sprint(a.NAKs), fmt.Sprint(a.Cookies), fmt.Sprint(a.CookieBytes),
			}
		},
		words: authWords,
	}.write(w, r, o)
}

// NarrowAuth writes what matters most of authdata in so many columns.
func NarrowAuth(w io.Writer, r status.Report, o Options, columns int) error {
	o.CSV = false
	width := max(narrowName, columns-len(" Mode  NAK Cook"))
	return table{
		legend: authdataLegend, hosts: true,
		header: fmt.Sprintf("%-*s Mode  NAK Cook", width, "Name/IP address"),
		row: func(s *status.Source, name string) string {
			return fmt.Sprintf("%-*s %4s %4d %4d", width, shorten(name, width), mode(&s.Auth), s.Auth.NAKs, s.Auth.Cookies)
		},
		words: authWords,
	}.write(w, r, o)
}

// mode is the column of authdata.
func mode(a *status.Auth) string {
	switch a.Mode {
	case "nts":
		return "NTS"
	case status.ModeSymmetric:
		return "SK"
	}
	return "-"
}

func flush(b *bufio.Writer) error {
	if err := b.Flush(); err != nil {
		return fmt.Errorf("tables: write: %w", err)
	}
	return nil
}
