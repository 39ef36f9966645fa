package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Severity says how bad a Diagnostic is.
type Severity uint8

const (
	// Warning: the configuration is used as written, but for what is named.
	Warning Severity = iota
	// Error: the section, or the whole file where no section is named, is left
	// out.
	Error
)

// String returns "warning" or "error".
func (s Severity) String() string {
	if s == Error {
		return "error"
	}
	return "warning"
}

// Diagnostic is one thing to say about a configuration. Empty fields are left
// out of its text.
type Diagnostic struct {
	Severity Severity
	File     string
	Line     int    // from 1; 0: none
	Section  string // as in "server 'near'", or "@server[0]" when anonymous
	Option   string
	Value    string // as written; empty for a secret
	Message  string
}

// maxQuoted bounds what a message repeats of a value, so that it stays a line
// that people read.
const maxQuoted = 80

// String returns one line without the severity, like
//
//	/etc/config/ntsd:12: server 'near': option 'minpoll' '99': must be a whole number from -7 to 24
func (d Diagnostic) String() string {
	var b strings.Builder
	file := oneLine(d.File)
	switch {
	case file != "" && d.Line > 0:
		fmt.Fprintf(&b, "%s:%d: ", file, d.Line)
	case file != "":
		b.WriteString(file + ": ")
	}
	if d.Section != "" {
		b.WriteString(d.Section + ": ")
	}
	if d.Option != "" {
		b.WriteString("option " + Quote(d.Option))
		switch {
		case strings.HasPrefix(d.Message, "is "), strings.HasPrefix(d.Message, "has "):
			b.WriteString(" ") // a sentence about the option, whatever its value
		case d.Value != "":
			b.WriteString(" " + Quote(d.Value) + ": ")
		default:
			b.WriteString(": ")
		}
	}
	b.WriteString(d.Message)
	return b.String()
}

// Quote returns s in single quotes, on one line, cut to a readable length.
func Quote(s string) string {
	q := strconv.Quote(clip(s))
	return "'" + strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`) + "'"
}

// oneLine returns the name of a file without what would end a line: whoever may
// write a configuration can include a file of any name.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

// clip cuts s to a readable length.
func clip(s string) string {
	if len(s) > maxQuoted {
		return s[:maxQuoted] + "..."
	}
	return s
}

// HasErrors reports whether any diagnostic is an error.
func HasErrors(ds []Diagnostic) bool {
	for _, d := range ds {
		if d.Severity == Error {
			return true
		}
	}
	return false
}
