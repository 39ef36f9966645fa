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
	Options []*Option

	// open returns a copy to fill, commit puts it into the configuration, each
	// returns what is there to print.
	open   func(*Config) any
	commit func(*Config, any)
	each   func(*Config) []any
	// bind returns Options once more, with the fields of one of these.
	bind  func(target any) []*Option
	check func(*section, any) // what no option can see alone; may be nil
}

// Option describes one option of a section, and the field that it fills.
type Option struct {
	Name    string
	Default string // as it would be written; empty: not set
	Allowed string // completes "must be ..."
	Doc     string // one line
	List    bool   // several values: as a list, or in one option, parted by blanks
	Flag    bool   // a truth value, which chrony's directives write as a bare word

	set func(values []string) (bad string, ok bool)
	get func() []string
}

// option returns the description of an option with one value.
func option[T any](name string, k value.Kind[T], standard, doc string, field *T) *Option {
	_, flag := any(field).(*bool)
	return &Option{
		Name: name, Default: standard, Allowed: k.Want, Doc: doc, Flag: flag,
		set: func(values []string) (string, bool) {
			v, ok := k.Parse(values[0])
			if ok {
				*field = v
			}
			return values[0], ok
		},
		get: func() []string {
			if s := k.Print(*field); s != "" {
				return []string{s}
			}
			return nil
		},
	}
}

// list returns the description of an option with any number of values.
func list[T any](name string, k value.Kind[T], standard, doc string, field *[]T) *Option {
	return &Option{
		Name: name, Default: standard, Allowed: k.Want, Doc: doc, List: true,
		set: func(values []string) (string, bool) {
			var vs []T
			for _, s := range values {
				v, ok := k.Parse(s)
				if !ok {
					return s, false
				}
				vs = append(vs, v)
			}
			*field = vs
			return "", true
		},
		get: func() []string {
			var values []string
			for _, v := range *field {
				values = append(values, k.Print(v))
			}
			return values
		},
	}
}

// single returns the description of a section that is a part of Config. It is
// filled in a copy of the whole.
func single(typ, doc string, options func(*Config) []*Option) *Section {
	return &Section{
		Type: typ, Doc: doc, Options: options(new(Config)),
		open:   func(c *Config) any { copied := *c; return &copied },
		commit: func(c *Config, filled any) { *c = *filled.(*Config) },
		each:   func(c *Config) []any { return []any{c} },
		bind:   func(target any) []*Option { return options(target.(*Config)) },
	}
}

// many returns the description of a section that is one element of a list.
func many[S any](typ, doc string, field func(*Config) *[]S, options func(*S) []*Option) *Section {
	return &Section{
		Type: typ, Doc: doc, Many: true, Options: options(new(S)),
		open: func(*Config) any { s := new(S); setDefaults(options(s)); return s },
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
		bind: func(target any) []*Option { return options(target.(*S)) },
	}
}

// setDefaults fills the fields of options. That the defaults are all valid is a
// test's affair.
func setDefaults(options []*Option) {
	for _, o := range options {
		if o.Default != "" {
			o.set(o.split(o.Default))
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
func Schema() []*Section {
	sections := []*Section{
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
			setDefaults(s.bind(c))
		}
	}
	return c
}
