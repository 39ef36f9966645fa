// Package foreign reads the configurations of other time daemons, chrony.conf,
// ntp.conf and OpenWrt's packages, into the sections of our own. It belongs to
// layer 3.
//
// Not its business: what options mean and which values they allow; config checks
// what comes out of here like a file that somebody wrote.
package foreign

import (
	"slices"
	"strings"

	"ntsd/internal/config"
	"ntsd/internal/uci"
)

// Implementation limits, so that neither a command line nor a file can say more
// than a person writes.
const (
	maxDirectives = 1024
	maxWords      = 64
)

// translator turns directives into sections.
type translator struct {
	dialect
	schema []*config.Section
	pkg    *uci.Package
	told   []config.Diagnostic
	line   int // of the directive, counted through all files
	all    everywhere
	pieces
}

// dialect is how a daemon's configuration is written.
type dialect struct {
	comments  string // characters that begin one
	inline    bool   // also after a directive
	directive func(name string, args []string)
}

func newTranslator(file string, from Files) *translator {
	return &translator{schema: config.Schema(), pkg: &uci.Package{File: file, Name: config.PackageName}, pieces: pieces{from: from}}
}

// text hands over the words of every line of a file that holds any.
func (t *translator) text(file string, lines []string) {
	t.enter(file)
	defer t.leave()
	for i, line := range lines {
		t.line = t.next(i+1, file)
		words := strings.Fields(line)
		if t.optional && i == len(lines)-1 && len(words) > 0 {
			t.note(config.Error, "", "is cut off: no newline ends it")
			return // who writes it is not done
		}
		if n := slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w[:1], t.comments) }); n == 0 || n > 0 && t.inline {
			words = words[:n]
		}
		switch {
		case i >= maxDirectives || len(words) > maxWords:
			t.note(config.Error, "", "is too long")
			return
		case len(words) > 0:
			t.directive(strings.ToLower(words[0]), words[1:])
		}
	}
}

// finish checks the sections like those of a file.
func (t *translator) finish() (*config.Config, []config.Diagnostic) {
	c, diagnostics := config.FromTranslation(t.pkg, t.told, t.places)
	c.SourceDirs = len(t.folders) > 0
	return c, diagnostics
}

// note tells of the directive at hand. Like once and open it stands in so many places
// that to have it in line would be 30 kB of the binary.
//
//go:noinline
func (t *translator) note(severity config.Severity, name, message string) {
	t.told = append(t.told, config.Diagnostic{Severity: severity, File: t.pkg.File, Line: t.line, Section: name, Message: message})
}

// ignored notes a directive that changes nothing here.
func (t *translator) ignored(name string) {
	t.note(config.Warning, name, "has no equivalent and is ignored")
}

// section returns the description of a type of section.
func (t *translator) section(typ string) *config.Section {
	i := slices.IndexFunc(t.schema, func(s *config.Section) bool { return s.Type == typ })
	return t.schema[i]
}

// open begins a section of its own and returns its index.
//
//go:noinline
func (t *translator) open(typ string) int {
	t.pkg.Sections = append(t.pkg.Sections, uci.Section{Type: typ, Line: t.line})
	return len(t.pkg.Sections) - 1
}

// once returns the index of the only section of that type, which it begins
// where there is none.
//
//go:noinline
func (t *translator) once(typ string) int {
	for i := range t.pkg.Sections {
		if t.pkg.Sections[i].Type == typ {
			return i
		}
	}
	return t.open(typ)
}

// drop leaves out a section that a directive began.
func (t *translator) drop(i int) { t.pkg.Sections = slices.Delete(t.pkg.Sections, i, i+1) }

// add puts an option into section i. Repeated, a list grows and anything else
// is replaced.
func (t *translator) add(i int, name string, values ...string) {
	s := &t.pkg.Sections[i]
	d := t.section(s.Type).Option(name)
	o := s.Option(name)
	if o == nil {
		s.Options = append(s.Options, uci.Option{Name: name})
		o = &s.Options[len(s.Options)-1]
	}
	if !d.List {
		o.Values = nil
	}
	o.List, o.Line, o.Values = d.List, t.line, append(o.Values, values...)
}
