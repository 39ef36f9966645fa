package status

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Implementation constants.
const (
	// nameWidth is the longest name that chronyc's tables show unless asked
	// for whole names or addresses.
	nameWidth = 25
	// narrowName is what RenderNarrow leaves of a name at least.
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
	hosts  bool // a reference clock has no row, unless words say why
	row    func(s *Source, name string) string
	csv    func(s *Source, name string) []string
	words  func(r *Report, s *Source) []string
}

// write prints the table for the report's sources.
func (t table) write(w io.Writer, r Report, o Options) error {
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
		if t.hosts && s.Kind == KindRefClock && (o.CSV || !o.Verbose) {
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
		return fmt.Errorf("status: write: %w", err)
	}
	return nil
}

// name is how the options want a source to be called.
func (o Options) name(id Ident) string {
	switch {
	case o.NamesOnly || o.CSV && id.Address == "" || id.Kind == KindRefClock:
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

// RenderSources writes chronyc's sources.
func RenderSources(w io.Writer, r Report, o Options) error {
	return table{
		legend: sourcesLegend,
		// The spaces at the end are chronyc's.
		header: "MS Name/IP address         Stratum Poll Reach LastRx Last sample               ",
		row: func(s *Source, name string) string {
			return fmt.Sprintf("%s%s %-27s  %2d  %2d   %3o  %s  %s[%s] +/- %s", s.shape(),
				s.Mark, name, s.Stratum, s.PollLog2, s.Reach, since(s.LastRx),
				Signed(s.AdjustedOffsetS), Signed(s.MeasuredOffsetS), magnitude(s.ErrorBoundS))
		},
		csv: func(s *Source, name string) []string {
			return []string{
				s.shape(), s.Mark, name, fmt.Sprint(s.Stratum), fmt.Sprint(s.PollLog2), fmt.Sprintf("%o", s.Reach),
				csvAgo(s.LastRx), fixed(s.AdjustedOffsetS, 9), fixed(s.MeasuredOffsetS, 9), fixed(s.ErrorBoundS, 9),
			}
		},
		words: sourceWords,
	}.write(w, r, o)
}

// RenderNarrow writes what matters most of sources in so many columns; names
// and addresses are cut to what is left for them.
func RenderNarrow(w io.Writer, r Report, o Options, columns int) error {
	o.CSV = false
	width := max(narrowName, columns-len("MS  Rch  Offset"))
	return table{
		legend: sourcesLegend,
		header: fmt.Sprintf("MS %-*s Rch  Offset", width, "Name/IP address"),
		row: func(s *Source, name string) string {
			return fmt.Sprintf("%s%s %-*s %3o %s", s.shape(), s.Mark, width, shorten(name, width), s.Reach, Signed(s.AdjustedOffsetS))
		},
		words: sourceWords,
	}.write(w, r, o)
}

// RenderSourcestats writes chronyc's sourcestats.
func RenderSourcestats(w io.Writer, r Report, o Options) error {
	return table{
		legend: sourcestatsLegend,
		header: "Name/IP Address            NP  NR  Span  Frequency  Freq Skew  Offset  Std Dev",
		row: func(s *Source, name string) string {
			t := &s.Stats
			return fmt.Sprintf("%-25s %3d %3d  %s %s %s  %s  %s",
				name, t.Samples, t.Runs, since(t.span()), ppm(t.ResidualFreqPPM, "+"),
				ppm(t.SkewPPM, ""), Signed(t.EstimatedOffsetS), magnitude(t.StdDevS))
		},
		csv: func(s *Source, name string) []string {
			t := &s.Stats
			return []string{
				name, fmt.Sprint(t.Samples), fmt.Sprint(t.Runs), csvAgo(t.span()), fixed(t.ResidualFreqPPM, 3),
				fixed(t.SkewPPM, 3), fixed(t.EstimatedOffsetS, 9), fixed(t.StdDevS, 9),
			}
		},
		words: stateWords,
	}.write(w, r, o)
}

// span rounds to whole seconds.
func (t *Stats) span() Ago { return Ago(t.SpanS + 0.5) }

// RenderSelectdata writes chronyc's selectdata.
func RenderSelectdata(w io.Writer, r Report, o Options) error {
	return table{
		legend: selectdataLegend,
		header: "S Name/IP Address        Auth COpts EOpts Last Score     Interval  Leap",
		row: func(s *Source, name string) string {
			t := &s.Selection
			return fmt.Sprintf("%s %-25s %s %s %s %s %5.1f %s %s  %s",
				t.Letter, name, s.authLetter(), strings.Join(t.Configured.letters(), ""),
				strings.Join(t.Effective.letters(), ""), since(t.Last), t.Score,
				Signed(t.LoS), Signed(t.HiS), leapNames[t.Leap&3].letter)
		},
		csv: func(s *Source, name string) []string {
			t := &s.Selection
			out := []string{t.Letter, name, s.authLetter()}
			out = append(append(out, t.Configured.letters()...), t.Effective.letters()...)
			return append(out, csvAgo(t.Last), fixed(t.Score, 1), fixed(t.LoS, 9), fixed(t.HiS, 9), t.Leap.String())
		},
		words: stateWords,
	}.write(w, r, o)
}

func (s *Source) authLetter() string {
	switch s.Auth.Mode {
	case "nts", ModeSymmetric:
		return "Y"
	}
	return "N"
}

// shape is the first column of sources.
func (s *Source) shape() string {
	return cmp.Or(map[string]string{"peer": "=", "refclock": "#"}[s.Kind], "^")
}

// letters are chronyc's five columns; the last is not in use.
func (o SelectOptions) letters() []string {
	out := []string{"-", "-", "-", "-", "-"}
	for i, on := range []bool{o.NoSelect, o.Prefer, o.Trust, o.Require} {
		if on {
			out[i] = string("NPTR"[i])
		}
	}
	return out
}

// RenderAuthdata writes chronyc's authdata, which has no reference clocks.
func RenderAuthdata(w io.Writer, r Report, o Options) error {
	r.Sources = slices.DeleteFunc(slices.Clone(r.Sources), func(s Source) bool { return s.Kind == KindRefClock })
	return table{
		legend: authdataLegend, hosts: true,
		header: "Name/IP address             Mode KeyID Type KLen Last Atmp  NAK Cook CLen",
		row: func(s *Source, name string) string {
			a := &s.Auth
			return fmt.Sprintf("%-27s %4s %5d %4d %4d %s %4d %4d %4d %4d", name, a.mode(), a.KeyID, a.AEAD,
				a.KeyBits, since(a.LastKE), a.Attempts, a.NAKs, a.Cookies, a.CookieBytes)
		},
		csv: func(s *Source, name string) []string {
			a := &s.Auth
			return []string{
				name, a.mode(), fmt.Sprint(a.KeyID), fmt.Sprint(a.AEAD), fmt.Sprint(a.KeyBits), csvAgo(a.LastKE),
				fmt.Sprint(a.Attempts), fmt.Sprint(a.NAKs), fmt.Sprint(a.Cookies), fmt.Sprint(a.CookieBytes),
			}
		},
		words: authWords,
	}.write(w, r, o)
}

// mode is the column of authdata.
func (a *Auth) mode() string {
	switch a.Mode {
	case "nts":
		return "NTS"
	case ModeSymmetric:
		return "SK"
	}
	return "-"
}
