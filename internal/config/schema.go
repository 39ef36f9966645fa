package config

import (
	"strings"

	"ntsd/internal/config/value"
	"ntsd/internal/uci"
)

// Section describes one type of section.
type Section struct {
	Type    string
	Name    string // what it is usually called; empty: anonymous
	Doc     string // one line
	Many    bool   // each such section is one more; else they add up to one
	Acted   bool   // whether this version acts on it at all
	Options []Option

	// open returns a copy to fill, commit puts it into the configuration, each
	// returns what is there to print.
	open   func(*Config) any
	commit func(*Config, any)
	each   func(*Config) []any
	check  func(*section, any) // what no option can see alone; may be nil
}

// Option describes one option of a section.
type Option struct {
	Name    string
	Default string // as it would be written; empty: not set
	Allowed string // completes "must be ..."
	Doc     string // one line
	List    bool   // several values: as a list, or in one option, parted by blanks
	Flag    bool   // a truth value, which chrony's directives write as a bare word
	Acted   bool   // whether this version acts on it

	set func(target any, values []string) (bad string, ok bool)
	get func(target any) []string
}

// status says whether this version acts on a section or an option. To put one
// into service, change its word in the table.
type status bool

const acted status = true // false: it is read, and a warning says that it changes nothing yet

// option returns the description of an option with one value in a field of S.
// What it does is done by valueOption and listOption, which the sections share:
// code for each option of each section would be 150 kB of the binary.
func option[S, T any](st status, name string, k value.Kind[T], standard, doc string, field func(*S) *T) Option {
	return valueOption(Option{Name: name, Default: standard, Doc: doc, Acted: bool(st)}, k,
		func(target any) *T { return field(target.(*S)) })
}

// list returns the description of an option with any number of values.
func list[S, T any](st status, name string, k value.Kind[T], standard, doc string, field func(*S) *[]T) Option {
	return listOption(Option{Name: name, Default: standard, Doc: doc, List: true, Acted: bool(st)}, k,
		func(target any) *[]T { return field(target.(*S)) })
}

//go:noinline
func valueOption[T any](o Option, k value.Kind[T], field func(target any) *T) Option {
	_, o.Flag = any(*new(T)).(bool)
	o.Allowed = k.Want
	o.set = func(target any, values []string) (string, bool) {
		v, ok := k.Parse(values[0])
		if ok {
			*field(target) = v
		}
		return values[0], ok
	}
	o.get = func(target any) []string {
		if s := k.Print(*field(target)); s != "" {
			return []string{s}
		}
		return nil
	}
	return o
}

//go:noinline
func listOption[T any](o Option, k value.Kind[T], field func(target any) *[]T) Option {
	o.Allowed = k.Want
	o.set = func(target any, values []string) (string, bool) {
		var vs []T
		for _, s := range values {
			v, ok := k.Parse(s)
			if !ok {
				return s, false
			}
			vs = append(vs, v)
		}
		*field(target) = vs
		return "", true
	}
	o.get = func(target any) []string {
		var values []string
		for _, v := range *field(target) {
			values = append(values, k.Print(v))
		}
		return values
	}
	return o
}

// single returns the description of a section that is one field of Config.
func single[S any](st status, typ, doc string, field func(*Config) *S, options ...Option) Section {
	return Section{
		Type: typ, Doc: doc, Acted: bool(st), Options: options,
		open:   func(c *Config) any { s := *field(c); return &s },
		commit: func(c *Config, s any) { *field(c) = *s.(*S) },
		each:   func(c *Config) []any { return []any{field(c)} },
	}
}

// many returns the description of a section that is one element of a list.
func many[S any](st status, typ, doc string, field func(*Config) *[]S, options ...Option) Section {
	return Section{
		Type: typ, Doc: doc, Many: true, Acted: bool(st), Options: options,
		open: func(*Config) any { s := new(S); setDefaults(options, s); return s },
		commit: func(c *Config, s any) {
			all := field(c)
			*all = append(*all, *s.(*S))
		},
		each: func(c *Config) []any {
			var targets []any
			for i := range *field(c) {
				targets = append(targets, &(*field(c))[i])
			}
			return targets
		},
	}
}

// setDefaults fills target with the defaults of its options. That they are
// all valid is a test's affair.
func setDefaults(options []Option, target any) {
	for _, o := range options {
		if o.Default != "" {
			o.set(target, o.split(o.Default))
		}
	}
}

// split returns the values that one written option holds.
func (o *Option) split(s string) []string {
	if o.List {
		return strings.Fields(s)
	}
	return []string{s}
}

// values returns what u holds for o, and false if it holds several values for
// one.
func (o *Option) values(u *uci.Option) ([]string, bool) {
	switch {
	case !u.List:
		return o.split(u.Values[0]), true
	case o.List || len(u.Values) == 1:
		return u.Values, true
	}
	return nil, false
}

// Schema returns the description of every section and option, in the order in
// which they are documented and printed. The caller owns the result.
func Schema() []Section {
	sections := []Section{
		mainSection(), sourceSection(Server), sourceSection(Pool), sourceSection(Peer), sourceSection(DHCP),
		makeStepSection(), ntsSection(), bootstrapSection(), selectionSection(),
		accessSection("allow", "clients that are answered", func(c *Config) *[]Access { return &c.Allow }),
		accessSection("deny", "clients that are not answered, though allowed", func(c *Config) *[]Access { return &c.Deny }),
		serveSection(), localSection(), ntsServerSection(),
		systemClockSection(), hwTimestampSection(), smoothTimeSection(), loggingSection(), statisticsSection(), monitorSection(),
		keySection(), keyFileSection(), refClockSection(),
	}
	return sections
}

// Default returns the configuration of an empty file. It is not Usable.
func Default() *Config {
	c := new(Config)
	for _, s := range Schema() {
		if !s.Many && s.Type != string(DHCP) {
			target := s.open(c)
			setDefaults(s.Options, target)
			s.commit(c, target)
		}
	}
	return c
}
