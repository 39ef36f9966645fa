package uci

import (
	"bytes"
	"fmt"
)

// Reasons of refusal, in libuci's words where it has them.
const (
	reasonCommand   = "invalid command"
	reasonMissing   = "insufficient arguments"
	reasonTooMany   = "too many arguments"
	reasonName      = "invalid character in name field"
	reasonType      = "invalid character in type field"
	reasonRetype    = "section of different type overwrites prior section with same name"
	reasonNoSection = "option/list command found before the first section"
)

// Parse reads one configuration file. file names it in messages; its last
// element becomes the package's name, whatever a `package` line says. A file
// that libuci refuses gives a *SyntaxError and no package.
func Parse(file string, text []byte) (*Package, error) {
	if len(text) > MaxSize {
		return nil, &SyntaxError{File: file, Reason: fmt.Sprintf("longer than %d bytes", MaxSize)}
	}
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return nil, &SyntaxError{File: file, Line: 1 + bytes.Count(text[:i], []byte{'\n'}), Reason: "NUL byte"}
	}
	p := &parser{
		scanner:  scanner{file: file, text: text},
		pkg:      &Package{File: file, Name: baseName(file)},
		sections: map[string]int{},
		options:  map[optionKey]int{},
		current:  -1,
	}
	for p.err == nil && p.fetch() {
		p.parseLine()
	}
	if p.err != nil {
		return nil, p.err
	}
	return p.pkg, nil
}

// optionKey finds an option without walking the section, so that a long one
// costs linear time.
type optionKey struct {
	section int
	name    string
}

type parser struct {
	scanner
	pkg      *Package
	sections map[string]int // by name, given or generated; the first one wins
	options  map[optionKey]int
	current  int // index of the open section, -1 before the first
	values   int
}

// parseLine reads the commands of one logical line.
func (p *parser) parseLine() {
	p.skipSpace()
	for p.err == nil {
		word, argument := p.keyword()
		if word == "" || word[0] == '#' {
			return
		}
		switch word {
		case "package", "p":
			p.parsePackage(argument)
		case "config", "c":
			p.parseConfig(argument)
		case "option", "o":
			p.parseOption(argument, false)
		case "list", "l":
			p.parseOption(argument, true)
		default:
			p.fail(p.line, reasonCommand)
		}
	}
}

// endCommand refuses a further argument.
func (p *parser) endCommand() {
	line := p.line
	if p.argument() != "" {
		p.fail(line, reasonTooMany)
	}
}

// parsePackage checks a `package` line. Its name counts for nothing: the file
// alone decides, as in uci_load.
func (p *parser) parsePackage(argument bool) {
	if !argument {
		p.fail(p.line, "package without name")
		return
	}
	name := p.argument()
	switch {
	case name == "":
		p.fail(p.line, reasonMissing)
	case !validName(name, true):
		p.fail(p.line, reasonName)
	}
	p.endCommand()
}

func (p *parser) parseConfig(argument bool) {
	line := p.line
	if !argument {
		p.fail(line, "config without name")
		return
	}
	typ := p.argument()
	switch {
	case typ == "":
		p.fail(line, reasonMissing)
	case !validType(typ):
		p.fail(line, reasonType)
	}
	name := p.argument()
	if name != "" && !validName(name, false) {
		p.fail(line, reasonName)
	}
	p.endCommand()
	if p.err != nil {
		return
	}
	if i, known := p.sections[name]; known && name != "" {
		if p.pkg.Sections[i].Type != typ {
			p.fail(line, reasonRetype)
		}
		p.current = i
		return
	}
	p.addSection(Section{Type: typ, Name: name, Line: line})
}

func (p *parser) addSection(s Section) {
	if len(p.pkg.Sections) == MaxSections {
		p.fail(s.Line, fmt.Sprintf("more than %d sections", MaxSections))
		return
	}
	p.current = len(p.pkg.Sections)
	p.pkg.Sections = append(p.pkg.Sections, s)
	id := s.Name
	if id == "" {
		id = generatedName(p.current+1, s.Type)
	}
	if _, taken := p.sections[id]; !taken {
		p.sections[id] = p.current
	}
}

// generatedName is what libuci calls the n-th section (from 1) when it is
// anonymous. A later section that is given this very name adds to it.
func generatedName(n int, typ string) string {
	hash := uint32(5381)
	for i := 0; i < len(typ); i++ {
		hash = hash*33 + uint32(typ[i])
	}
	return fmt.Sprintf("cfg%02x%04x", n, hash&0xffff)
}

func (p *parser) parseOption(argument, list bool) {
	line := p.line
	switch {
	case p.current < 0:
		p.fail(line, reasonNoSection)
		return
	case !argument:
		p.fail(line, "option without name")
		return
	}
	name := p.argument()
	switch {
	case name == "":
		p.fail(line, reasonMissing)
	case !validName(name, false):
		p.fail(line, reasonName)
	}
	value := p.argument()
	p.endCommand()
	// An option set to nothing is no option, and does not unset an earlier one.
	if p.err != nil || value == "" && !list {
		return
	}
	if p.values++; p.values > MaxValues {
		p.fail(line, fmt.Sprintf("more than %d values", MaxValues))
		return
	}
	p.set(name, value, list, line)
}

// set merges one value into the open section: an option replaces what was
// there, a list adds to it.
func (p *parser) set(name, value string, list bool, line int) {
	s := &p.pkg.Sections[p.current]
	key := optionKey{p.current, name}
	i, known := p.options[key]
	if !known {
		p.options[key] = len(s.Options)
		s.Options = append(s.Options, Option{Name: name, List: list, Values: []string{value}, Line: line})
		return
	}
	o := &s.Options[i]
	o.Line, o.List = line, list
	if !list {
		o.Values = o.Values[:0]
	}
	o.Values = append(o.Values, value)
}

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// validName reports whether s may name a section or an option, or a package,
// which may have hyphens too. The caller has dealt with the empty name.
func validName(s string, pkg bool) bool {
	for i := 0; i < len(s); i++ {
		if !isWordByte(s[i]) && !(pkg && s[i] == '-') {
			return false
		}
	}
	return true
}

// validType reports whether s may be the type of a section: any printable
// ASCII without blanks.
func validType(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 33 || s[i] > 126 {
			return false
		}
	}
	return true
}
