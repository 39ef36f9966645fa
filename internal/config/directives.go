package config

import (
	"slices"
	"strings"

	"ntsd/internal/uci"
)

// directiveFile stands for the file name in messages about directives; the
// line is the number of the directive.
const directiveFile = "directive"

// Implementation limits, so that a command line cannot say more than a file.
const (
	maxDirectives = 256
	maxWords      = 64
)

// ParseDirectives reads chrony's configuration directives, one per line, as
// they stand on the command line of a one-shot query:
//
//	server time.example iburst nts maxsamples 1
//
// They are turned into the sections of the configuration file that mean the
// same and checked like those. What chrony knows and this daemon has no use
// for gets a warning, anything else is an error. Where chrony's defaults for
// such a run differ they hold: no steps but by makestep, no rtcsync.
func ParseDirectives(lines []string) (*Config, []Diagnostic) {
	t := &translator{reader: newReader(directiveFile), pkg: &uci.Package{File: directiveFile, Name: PackageName}}
	t.add(t.once("makestep"), "limit", "0")
	t.add(t.once("ntsd"), "rtcsync", "0")
	for i, line := range lines {
		t.line = i + 1
		words := strings.Fields(line)
		switch {
		case i >= maxDirectives || len(words) > maxWords:
			t.note(Error, "", "is too long")
			return t.finish()
		case len(words) > 0 && !strings.ContainsAny(words[0][:1], "!;#%"):
			t.translate(strings.ToLower(words[0]), words[1:])
		}
	}
	return t.finish()
}

// translator turns directives into sections.
type translator struct {
	reader *reader
	pkg    *uci.Package
	line   int
}

// finish checks the sections like those of a file.
func (t *translator) finish() (*Config, []Diagnostic) {
	c := t.reader.read(t.pkg)
	return c, t.reader.finish()
}

func (t *translator) note(severity Severity, name, message string) {
	t.reader.tell(Diagnostic{Severity: severity, File: directiveFile, Line: t.line, Section: name, Message: message})
}

// open begins a section of its own and returns its index.
func (t *translator) open(typ string) int {
	t.pkg.Sections = append(t.pkg.Sections, uci.Section{Type: typ, Line: t.line})
	return len(t.pkg.Sections) - 1
}

// once returns the index of the only section of that type, which it begins
// where there is none.
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
	d := t.reader.find(s.Type).option(name)
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

// translate handles one directive.
func (t *translator) translate(name string, args []string) {
	if d, known := simpleDirectives()[name]; known {
		t.translateSimple(name, d, args)
		return
	}
	switch name {
	case "server", "pool", "peer":
		t.translateKeywords(t.open(name), args, "hostname")
	case "refclock":
		t.translateKeywords(t.open(name), args, "driver", "parameter")
	case "local":
		i := t.once(name)
		t.add(i, "enabled", "1")
		t.translateKeywords(i, args)
	case "allow", "deny":
		t.translateAccess(name, args)
	case "ntstrustedcerts":
		// The number of a set of certificates may come first.
		if len(args) == 2 {
			t.note(Warning, name, "sets of certificates are not known: trusted for all sources")
			args = args[1:]
		}
		t.translateSimple(name, simpleDirective{section: "nts", options: "trustedcerts"}, args)
	case "hwtimestamp":
		if len(args) == 0 || args[0] == "*" {
			t.note(Warning, name, "must name a network card and is ignored")
			return
		}
		if len(args) > 1 {
			t.note(Warning, name, "options are not known: all packets are stamped")
		}
		t.translateSimple(name, simpleDirective{section: "hwtimestamp", options: "interface"}, args[:1])
	case "ratelimit":
		t.add(t.once("serve"), name, orOn(strings.Join(args, " ")))
	case "ntsratelimit":
		t.add(t.once("nts_server"), "ratelimit", orOn(strings.Join(args, " ")))
	default:
		if irrelevant(name) {
			t.note(Warning, name, "has no equivalent and is ignored")
			return
		}
		t.note(Error, name, "is not a directive"+nearest(name, directiveNames()))
	}
}

// simpleDirective is a directive whose arguments are options in a fixed order.
type simpleDirective struct {
	section string
	options string // names, parted by blanks
	value   string // of an option that takes no argument
}

func simpleDirectives() map[string]simpleDirective {
	return map[string]simpleDirective{
		"makestep":          {section: "makestep", options: "threshold limit"},
		"user":              {section: "ntsd", options: "user"},
		"ntsdumpdir":        {section: "ntsd", options: "run_dir"},
		"rtcsync":           {section: "ntsd", options: "rtcsync", value: "1"},
		"nosystemcert":      {section: "nts", options: "systemcerts", value: "0"},
		"minsources":        {section: "selection", options: "minsources"},
		"authselectmode":    {section: "selection", options: "authselectmode"},
		"maxdistance":       {section: "selection", options: "maxdistance"},
		"combinelimit":      {section: "selection", options: "combinelimit"},
		"reselectdist":      {section: "selection", options: "reselectdist"},
		"stratumweight":     {section: "selection", options: "stratumweight"},
		"logchange":         {section: "logging", options: "logchange"},
		"leapseclist":       {section: "systemclock", options: "leapfile"},
		"leapsecmode":       {section: "systemclock", options: "leapsecmode"},
		"clockprecision":    {section: "systemclock", options: "precision"},
		"port":              {section: "serve", options: "port"},
		"noclientlog":       {section: "serve", options: "clients", value: "0"},
		"ntsserverkey":      {section: "nts_server", options: "key"},
		"ntsservercert":     {section: "nts_server", options: "cert"},
		"ntsport":           {section: "nts_server", options: "port"},
		"ntsntpserver":      {section: "nts_server", options: "ntp_server"},
		"ntsrotate":         {section: "nts_server", options: "rotate"},
		"maxntsconnections": {section: "nts_server", options: "max_connections"},
		"nocerttimecheck":   {section: "bootstrap", options: "mode", value: string(BootstrapNoCertTimeCheck)},
	}
}
