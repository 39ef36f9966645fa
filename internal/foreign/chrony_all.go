package foreign

import (
	"slices"
	"strconv"
	"strings"

	"ntsd/internal/config"
)

// everywhere is what chrony's directives say once for all sources.
type everywhere struct {
	options []saying
	certs   map[uint64][]string // files of certificates by the number of their set
	set     map[int]uint64      // which set the source of a line wants
	server  string              // network device to serve on
}

// saying is one option of all sources of some types that do not say it themselves.
type saying struct {
	name   string
	values []string
	line   int
	types  string
	nts    bool // only of those with nts
}

// sayOfAll handles the directives whose argument is an option of each source here;
// false: it is none of them.
func (t *translator) sayOfAll(name string, args []string) bool {
	s := saying{name: name, values: args, line: t.line, types: " server pool peer refclock "}
	switch name {
	case "minsamples", "maxsamples":
	case "bindacqdevice":
		s.name, s.types = "interface", " server pool "
	case "ntsaeads":
		s.name, s.types, s.nts = "aead", " server pool ", true
		s.values = slices.DeleteFunc(slices.Clone(args), func(id string) bool { return !slices.Contains([]string{"15", "16", "17", "30"}, id) })
		if len(s.values) == 0 {
			t.note(config.Error, name, "names no algorithm that is known: there are 15, 16, 17 and 30")
		} else {
			t.all.options = append(t.all.options, s)
		}
		return true
	default:
		return false
	}
	if len(args) != 1 {
		t.note(config.Error, name, "takes 1 argument, not "+strconv.Itoa(len(args)))
		return true
	}
	t.all.options = append(t.all.options, s)
	return true
}

// trust handles ntstrustedcerts. Set 0 is trusted by all sources that name no set.
func (t *translator) trust(name string, args []string) {
	var set uint64
	var err error
	if len(args) == 2 {
		set, err = strconv.ParseUint(args[0], 10, 32)
		args = args[1:]
	}
	switch {
	case err != nil:
		t.note(config.Error, name, "takes the number of a set, and a file or folder")
	case set == 0:
		t.translateSimple(name, simpleDirective{section: "nts", options: "trustedcerts"}, args)
	case len(args) == 1:
		if t.all.certs == nil {
			t.all.certs = make(map[uint64][]string)
		}
		t.all.certs[set] = append(t.all.certs[set], args[0])
	}
}

// certSet handles the keyword certset of a source.
func (t *translator) certSet(number string) (problem string) {
	set, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return "takes a number"
	}
	if t.all.set == nil {
		t.all.set = make(map[int]uint64)
	}
	t.all.set[t.line] = set
	return ""
}

// spread gives the sources what was said of all of them.
func (t *translator) spread() {
	for i := range t.pkg.Sections {
		s := &t.pkg.Sections[i]
		at := t.line
		for _, o := range t.all.options {
			nts := s.Option("nts") != nil
			if strings.Contains(o.types, " "+s.Type+" ") && s.Option(o.name) == nil && (nts || !o.nts) {
				t.line = o.line
				t.add(i, o.name, o.values...)
			}
		}
		if set := t.all.set[s.Line]; set != 0 {
			t.line = s.Line
			if certs := t.all.certs[set]; len(certs) > 0 {
				t.add(i, "trustedcerts", certs...)
			} else {
				t.note(config.Warning, s.Type, "the set of certificates "+strconv.FormatUint(set, 10)+" is empty: no ntstrustedcerts names it")
			}
		}
		if t.all.server != "" && (s.Type == "serve" || s.Type == "nts_server") {
			t.add(i, "interface", t.all.server)
		}
		t.line = at
	}
}

// rateLimit returns the arguments of ratelimit that mean something here: how often
// a client is told to slow down is not to be set.
func (t *translator) rateLimit(name string, args []string) string {
	if i := slices.Index(args, "kod"); i >= 0 && i+1 < len(args) {
		t.note(config.Warning, name, "the keyword 'kod' has no equivalent and is ignored")
		args = slices.Delete(slices.Clone(args), i, i+2)
	}
	return orOn(strings.Join(args, " "))
}

// firstStep handles initstepslew, which has other servers asked before the rest: here
// the first measurement steps the clock, unless makestep says when.
func (t *translator) firstStep(name string, args []string) {
	if len(args) == 0 {
		t.note(config.Error, name, "takes a number of seconds")
		return
	}
	i := t.once("makestep")
	if t.pkg.Sections[i].Option("threshold") == nil {
		t.add(i, "threshold", args[0])
		t.add(i, "limit", "1")
	}
	if len(args) > 1 {
		t.note(config.Warning, name, "its servers are not asked; the first measurement of the sources steps the clock")
	}
}

// subnet completes the short form of a network, of which the first one to three
// numbers are written: 192.168, or 10/8.
func subnet(text string) string {
	numbers, bits, has := strings.Cut(text, "/")
	parts := strings.Split(numbers, ".")
	if len(parts) > 3 || slices.ContainsFunc(parts, func(p string) bool { _, err := strconv.ParseUint(p, 10, 8); return err != nil }) {
		return text
	}
	if !has {
		bits = strconv.Itoa(8 * len(parts))
	}
	return numbers + strings.Repeat(".0", 4-len(parts)) + "/" + bits
}
