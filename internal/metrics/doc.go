// Package metrics turns the daemon's report into metrics for Prometheus and
// those who read its formats. It is layer 3 and pure: a status.Report goes in,
// text comes out.
//
// OpenMetrics is what "ntsctl metrics" prints. Text is the older format of
// Prometheus, which collectors of text files read: there a counter's metadata
// bear the name with "_total", types that the format lacks become gauges, and
// units are not told.
//
// Names begin with ntsd_ and end in their unit; counters end in _total. Signs
// are those of the report (package status). How many series there are is
// bounded by MaxSources and MaxVerdicts, how long a label is by maxLabel:
// whoever stores them pays for each.
//
// Non-goals: serving them by HTTP (net/http is larger than the rest of the
// daemon), histograms, pushing.
package metrics

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Implementation constants.
const (
	// MaxSources bounds the sources that are shown; ntsd_sources_omitted counts
	// the others.
	MaxSources = 64
	// MaxVerdicts bounds the fates of packets that are told apart.
	MaxVerdicts = 64
	// maxLabel bounds a label's value in bytes: a host name is at most 253.
	maxLabel = 253
)

// Format is a way to write metrics.
type Format uint8

// The formats.
const (
	OpenMetrics Format = iota
	Text
)

// kind is the type of a family of metrics.
type kind uint8

const (
	gauge    kind = iota
	counter       // only grows; begins again with the daemon, or with the source
	info          // labels that tell, value 1
	stateset      // one of several is 1
)

// writer appends families. A family without a sample leaves no trace.
type writer struct {
	b      []byte
	format Format
	kind   kind
	name   string
	unit   string
	help   string
	begun  bool // the metadata of the family are written
	first  []string
}

// family begins a family. name has the unit as its end, and neither _total nor
// _info.
func (w *writer) family(k kind, name, unit, help string) {
	w.kind, w.name, w.unit, w.help, w.begun = k, "ntsd_"+name, unit, help, false
}

// one is a family of one sample.
func (w *writer) one(k kind, name, unit, help string, value float64) {
	w.family(k, name, unit, help)
	w.add(value)
}

// always are labels that each sample begins with, until they are changed.
func (w *writer) always(pairs ...string) { w.first = pairs }

// suffix is what samples have behind the family's name.
func (w *writer) suffix() string {
	switch w.kind {
	case counter:
		return "_total"
	case info:
		return "_info"
	}
	return ""
}

// begin writes the metadata.
func (w *writer) begin() {
	w.begun = true
	name, typ := w.name, [...]string{"gauge", "counter", "info", "stateset"}[w.kind]
	if w.format == Text {
		name += w.suffix()
		if w.kind == info || w.kind == stateset {
			typ = "gauge"
		}
	}
	w.b = append(w.b, "# TYPE "+name+" "+typ+"\n"...)
	if w.unit != "" && w.format == OpenMetrics {
		w.b = append(w.b, "# UNIT "+name+" "+w.unit+"\n"...)
	}
	w.b = append(w.b, "# HELP "+name+" "+escapeHelp(w.help, w.format)+"\n"...)
}

// add writes one sample with pairs of labels and values. What is no number is
// left out.
func (w *writer) add(value float64, pairs ...string) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	if !w.begun {
		w.begin()
	}
	w.b = append(w.b, w.name+w.suffix()...)
	comma := byte('{')
	for _, list := range [...][]string{w.first, pairs} {
		for i := 0; i+1 < len(list); i += 2 {
			w.b = append(append(w.b, comma), list[i]+`="`+escapeLabel(list[i+1])+`"`...)
			comma = ','
		}
	}
	if comma == ',' {
		w.b = append(w.b, '}')
	}
	w.b = append(append(append(w.b, ' '), number(value)...), '\n')
}

// flag writes 1 or 0.
func (w *writer) flag(on bool, pairs ...string) {
	if on {
		w.add(1, pairs...)
	} else {
		w.add(0, pairs...)
	}
}

// states writes a stateset: each of all with 1 if it is the one. label is the
// family's name, as OpenMetrics wants it.
func (w *writer) states(is string, all ...string) {
	for _, s := range all {
		w.flag(s == is, w.name, s)
	}
}

// number writes whole numbers without an exponent, for people.
func number(v float64) string {
	const exact = 1 << 53
	if v == math.Trunc(v) && math.Abs(v) < exact {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// escapeLabel makes what people, servers and DNS wrote fit into quotes.
func escapeLabel(s string) string {
	if len(s) > maxLabel {
		s = s[:maxLabel]
	}
	return escape(strings.ToValidUTF8(s, string(utf8.RuneError)), true)
}

// escapeHelp does the same for a line of help, where quotes need it in
// OpenMetrics alone.
func escapeHelp(s string, f Format) string { return escape(s, f == OpenMetrics) }

// escape is made for text that needs none: there are hundreds of labels.
func escape(s string, quotes bool) string {
	if !strings.ContainsAny(s, "\\\"\n") {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
			continue
		case r == '\\', r == '"' && quotes:
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
