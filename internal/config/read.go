package config

import (
	"fmt"
	"slices"
	"strings"

	"ntsd/internal/order"
	"ntsd/internal/uci"
)

// FromUCI checks a configuration file section by section. A section with an
// error is left out, all others count; what is not known or has no effect gets
// a warning. The result is never nil; see Usable.
func FromUCI(p *uci.Package) (*Config, []Diagnostic) {
	r := newReader(p.File)
	r.byIndex = true
	return r.read(p), r.finish()
}

// FromTranslation checks sections that another daemon's configuration was turned
// into, like those of a file. They are named by their types, because nobody
// wrote them; told is what the translation had to say already. Lines are counted
// through all the files that it comes from.
func FromTranslation(p *uci.Package, told []Diagnostic, from Places) (*Config, []Diagnostic) {
	r := newReader(p.File)
	r.places = from
	for _, d := range told {
		r.tell(d)
	}
	c := r.read(p)
	c.Places = from
	diagnostics := r.finish()
	for i := range diagnostics {
		from.weigh(&diagnostics[i])
		from.locate(&diagnostics[i])
	}
	return c, diagnostics
}

// maxDiagnostics bounds what is said about one configuration: a file of
// rubbish must not fill the log.
const maxDiagnostics = 100

// reader reads one package.
type reader struct {
	file        string
	byIndex     bool // name anonymous sections as `uci` does: @server[0]
	schema      []*Section
	places      Places
	diagnostics []Diagnostic
	untold      []Severity     // of diagnostics beyond maxDiagnostics
	count       map[string]int // sections seen, by type
}

func newReader(file string) *reader {
	return &reader{file: file, schema: Schema(), count: map[string]int{}}
}

// tell adds a diagnostic.
func (r *reader) tell(d Diagnostic) {
	if len(r.diagnostics) >= maxDiagnostics {
		r.places.weigh(&d)
		r.untold = append(r.untold, d.Severity)
		return
	}
	r.diagnostics = append(r.diagnostics, d)
}

// finish returns the diagnostics in the order of the file.
func (r *reader) finish() []Diagnostic {
	order.Stable(r.diagnostics, func(a, b Diagnostic) int { return a.Line - b.Line })
	if n := len(r.untold); n > 0 {
		r.diagnostics = append(r.diagnostics,
			Diagnostic{Severity: slices.Max(r.untold), File: r.file, Message: fmt.Sprintf("%d more like these", n)})
	}
	return r.diagnostics
}

func (r *reader) read(p *uci.Package) *Config {
	c := Default()
	modeGiven := false
	var ntsServer *section
	for i := range p.Sections {
		s := &section{Section: &p.Sections[i], reader: r}
		s.label = r.label(s.Section)
		r.count[s.Type]++
		d := r.find(s.Type)
		if d == nil {
			s.note(Warning, nil, "this section type is not known"+Nearest(s.Type, sectionNames(r.schema)))
			continue
		}
		if d.Many && r.count[s.Type] > maxSources {
			s.note(Error, nil, fmt.Sprintf("more than %d sections of this type", maxSources))
			continue
		}
		if !s.readInto(c, d) {
			continue
		}
		switch s.Type {
		case "bootstrap":
			modeGiven = modeGiven || s.Option("mode") != nil
		case "nts_server":
			ntsServer = s
		}
	}
	if ntsServer != nil && c.NTSServer.Enabled && !c.chained() {
		ntsServer.warn("enabled", "its clients trust a time that is not authenticated itself: no source has nts or a key")
	}
	if !modeGiven && !c.NTS.RTCCheck {
		c.Bootstrap.Mode = BootstrapStrict
	}
	return c
}

// chained reports whether the time comes from a source that proves who it is, or
// from none: then it is this clock's own.
func (c *Config) chained() bool {
	return len(c.Sources) == 0 || slices.ContainsFunc(c.Sources, func(s Source) bool { return s.Authentic() })
}

func (r *reader) find(typ string) *Section {
	for _, d := range r.schema {
		if d.Type == typ {
			return d
		}
	}
	return nil
}

// label names a section in messages.
func (r *reader) label(s *uci.Section) string {
	typ := clip(s.Type)
	switch {
	case s.Name != "":
		return typ + " " + Quote(s.Name)
	case r.byIndex:
		return fmt.Sprintf("@%s[%d]", typ, r.count[s.Type])
	}
	return typ
}

// section is one section of the file while it is read.
type section struct {
	*uci.Section
	reader *reader
	label  string
	failed bool
}

// note adds a diagnostic about an option, or about the section where it is nil.
func (s *section) note(severity Severity, o *uci.Option, message string) {
	d := Diagnostic{Severity: severity, File: s.reader.file, Line: s.Line, Section: s.label, Message: message}
	if o != nil {
		d.Line, d.Option, d.Value = o.Line, o.Name, o.Values[0]
		if o.Name == "secret" {
			d.Value = ""
		}
	}
	s.reader.tell(d)
	s.failed = s.failed || severity == Error
}

// about is note for an option by its name, which need not be there.
func (s *section) about(severity Severity, name, message string) {
	o := s.Option(name)
	switch {
	case name == "":
		s.note(severity, nil, message)
	case o == nil:
		s.note(severity, &uci.Option{Name: name, Values: []string{""}, Line: s.Line}, message)
	default:
		s.note(severity, o, message)
	}
}

func (s *section) fail(name, message string) { s.about(Error, name, message) }
func (s *section) warn(name, message string) { s.about(Warning, name, message) }

// value returns what is written for an option that has one value.
func (s *section) value(name string) string {
	if o := s.Option(name); o != nil {
		return o.Values[0]
	}
	return ""
}

// readInto reads the section by its description and puts it into c; it
// reports whether the section counts.
func (s *section) readInto(c *Config, d *Section) bool {
	target := d.open(c)
	first := len(s.reader.diagnostics)
	options := d.bind(target)
	for i := range s.Options {
		s.readOption(d, &s.Options[i], options)
	}
	if !s.failed && d.check != nil {
		d.check(s, target)
	}
	if s.failed {
		// Of a section that is left out only the reasons are worth reading: what
		// is misspelt may be what is missed.
		s.reader.keepReasons(first)
		return false
	}
	d.commit(c, target)
	if source, isSource := target.(*draft); isSource && source.Disabled {
		s.reader.diagnostics = s.reader.diagnostics[:first]
		return true
	}
	return true
}

// readOption reads one option into the field of options that it names.
func (s *section) readOption(d *Section, u *uci.Option, options []*Option) {
	i := slices.IndexFunc(options, func(o *Option) bool { return o.Name == u.Name })
	if i < 0 {
		s.reader.unknown(s, u, d)
		return
	}
	o := options[i]
	values, ok := o.values(u)
	if !ok {
		s.note(Error, u, "takes one value, not a list")
		return
	}
	if bad, ok := o.set(values); !ok {
		s.note(Error, &uci.Option{Name: u.Name, Values: []string{bad}, Line: u.Line}, "must be "+o.Allowed)
		return
	}
}

func (r *reader) unknown(s *section, u *uci.Option, d *Section) {
	s.note(Warning, u, unknownOption+Nearest(u.Name, d.OptionNames()))
}

// unknownOption begins what is said of an option that there is not.
const unknownOption = "is not known"

// keepReasons drops the warnings from index first on, but for those of unknown
// options.
func (r *reader) keepReasons(first int) {
	kept := r.diagnostics[:first]
	for _, d := range r.diagnostics[first:] {
		if d.Severity == Error || strings.HasPrefix(d.Message, unknownOption) {
			kept = append(kept, d)
		}
	}
	r.diagnostics = kept
}

// Option returns the option of that name, or nil.
func (d *Section) Option(name string) *Option {
	for _, o := range d.Options {
		if o.Name == name {
			return o
		}
	}
	return nil
}

// OptionNames returns the names of all options.
func (d *Section) OptionNames() []string {
	var names []string
	for _, o := range d.Options {
		names = append(names, o.Name)
	}
	return names
}

func sectionNames(schema []*Section) []string {
	var names []string
	for _, d := range schema {
		names = append(names, d.Type)
	}
	return names
}

// maxDistance is how many letters may differ for a name to be suggested.
const maxDistance = 2

// maxMisspelt bounds the names that are compared at all.
const maxMisspelt = 64

// Nearest suggests the known name that was probably meant, or nothing.
func Nearest(name string, known []string) string {
	best, distance := "", min(maxDistance, len(name)/2)+1
	if len(name) > maxMisspelt {
		return ""
	}
	for _, k := range known {
		if d := editDistance(name, k); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean '" + best + "'?"
}

// editDistance counts the bytes to insert, delete or replace to make a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		corner := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := corner
			if a[i-1] != b[j-1] {
				replace++
			}
			corner = row[j]
			row[j] = min(replace, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
