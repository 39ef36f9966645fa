package foreign

import (
	"slices"
	"strconv"
	"strings"

	"ntsd/internal/config"
)

func (t *translator) translateSimple(name string, d simpleDirective, args []string) {
	options := strings.Fields(d.options)
	switch {
	case name == "nocerttimecheck":
		// chrony's argument, the number of clock updates, has no meaning for a
		// one-shot run; 0 asks for nothing.
		if n, err := strconv.Atoi(strings.Join(args, " ")); len(args) > 0 && (err != nil || n < 0) {
			t.note(config.Error, name, "takes a number of clock updates")
			return
		} else if len(args) > 0 && n == 0 {
			return
		}
		t.add(t.once(d.section), d.options, d.value)
	case name == "port" && len(args) == 1 && args[0] == "0":
		t.add(t.once(d.section), "enabled", "0")
	case d.value != "" && len(args) > 0:
		t.note(config.Error, name, "takes no argument")
	case d.value != "":
		t.add(t.once(d.section), d.options, d.value)
	case len(args) != len(options):
		t.note(config.Error, name, "takes "+strconv.Itoa(len(options))+" argument"+plural(len(options))+", not "+strconv.Itoa(len(args)))
	default:
		for i, o := range options {
			t.add(t.once(d.section), o, args[i])
		}
		if d.section == "nts_server" {
			t.add(t.once(d.section), "enabled", "1")
		}
	}
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// orOn is what a directive without arguments means where they are optional.
func orOn(args string) string {
	if args == "" {
		return "1"
	}
	return args
}

// translateKeywords reads the arguments of a directive into section i: first
// the values of the options named, then keywords. A keyword is the name of an
// option: a flag stands alone, others are followed by a value. What is missing
// is for the check of the section to say.
func (t *translator) translateKeywords(i int, args []string, first ...string) {
	for ; len(first) > 0 && len(args) > 0; first, args = first[1:], args[1:] {
		t.add(i, first[0], args[0])
	}
	d := t.section(t.pkg.Sections[i].Type)
	for len(args) > 0 {
		used, problem := t.keyword(i, d, strings.ToLower(args[0]), args[1:])
		if problem != "" {
			t.note(config.Error, d.Type, "the keyword "+config.Quote(args[0])+" "+problem)
			t.drop(i)
			return
		}
		args = args[1+used:]
	}
}

// keyword reads one keyword and returns how many of the arguments after it
// belong to it, or what is wrong with it.
func (t *translator) keyword(i int, d *config.Section, word string, after []string) (used int, problem string) {
	name := chronyOption(word)
	o := d.Option(name)
	switch {
	case name == "family":
		t.add(i, name, word)
		return 0, ""
	case name == "certset" && len(after) > 0:
		return 1, t.certSet(after[0])
	case o == nil, name == "disabled", name == "enabled", name == "hostname":
		n, known := unusedKeyword(word)
		switch {
		case known && n > len(after):
			return 0, "takes a value"
		case !known && o == nil:
			return 0, "is not known" + config.Nearest(word, d.OptionNames())
		case !known: // an option of the section, but not said this way
			return 0, "is not known"
		}
		t.note(config.Warning, d.Type, "the keyword "+config.Quote(word)+" has no equivalent and is ignored")
		return n, ""
	case o.Flag:
		t.add(i, name, "1")
		return 0, ""
	case len(after) == 0:
		return 0, "takes a value"
	case name == "aead": // ntpsec parts them by colons
		t.add(i, name, strings.Split(after[0], ":")...)
	default:
		t.add(i, name, after[0])
	}
	return 1, ""
}

// chronyOption returns our name for a keyword of chrony or ntpsec.
func chronyOption(word string) string {
	switch word {
	case "ca":
		return "trustedcerts"
	case "ipv4", "ipv6":
		return "family"
	}
	return word
}

// unusedKeyword knows the keywords of chrony's sources that have no
// equivalent, and how many arguments each takes.
func unusedKeyword(word string) (args int, known bool) {
	switch word {
	case "burst", "auto_offline", "copy":
		return 0, true
	case "presend", "polltarget", "minstratum", "version", "asymmetry", "maxdelayquant", "extfield":
		return 1, true
	}
	return 0, false
}

// translateAccess handles allow and deny: without a subnet they mean everyone.
func (t *translator) translateAccess(name string, args []string) {
	i := t.open(name)
	if len(args) > 0 && strings.EqualFold(args[0], "all") {
		t.note(config.Warning, name, "the keyword 'all' makes no difference: a narrower rule decides")
		args = args[1:]
	}
	switch {
	case len(args) == 0:
		t.add(i, "subnet", "0.0.0.0/0", "::/0")
	case len(args) == 1:
		t.add(i, "subnet", subnet(args[0]))
	default:
		t.note(config.Error, name, "takes one subnet")
		t.drop(i)
	}
}

// commandAddress handles bindcmdaddress: a path is chronyc's socket. By UDP
// chronyc is answered on the loopback addresses whatever stands here.
func (t *translator) commandAddress(name string, args []string) {
	if len(args) == 1 && (args[0] == "127.0.0.1" || args[0] == "::1") {
		return
	}
	if len(args) == 1 && !strings.HasPrefix(args[0], "/") {
		t.note(config.Warning, name, "chronyc is answered on the loopback addresses only")
		return
	}
	t.translateSimple(name, simpleDirective{section: "monitor", options: "chrony_socket"}, args)
}

// translateSmooth handles smoothtime.
func (t *translator) translateSmooth(args []string) {
	if len(args) == 3 && strings.EqualFold(args[2], "leaponly") {
		t.add(t.once("smoothtime"), "leaponly", "1")
		args = args[:2]
	}
	t.translateSimple("smoothtime", simpleDirective{section: "smoothtime", options: "maxppm maxwander"}, args)
}

// translateLog handles log: which files of statistics are written.
func (t *translator) translateLog(args []string) {
	for _, name := range args {
		switch name {
		case "measurements", "statistics", "tracking":
			t.add(t.once("statistics"), "log", name)
		default:
			t.note(config.Warning, "log", "files of "+config.Quote(name)+" are not written")
		}
	}
}

// irrelevant reports whether name is a directive of chrony, be it of old releases,
// that this daemon has no use for.
func irrelevant(name string) bool {
	const names = " acquisitionport bindacqaddress bindaddress bindcmddevice" +
		" clientloglimit cmdallow cmddeny cmdratelimit commandkey corrtimeratio dscp dumpdir dumponexit" +
		" fallbackdrift generatecommandkey hwclockfile hwtstimeout linux_freq_scale linux_hz" +
		" lock_all logbanner mailonchange manual maxchange maxclockerror maxdrift maxjitter" +
		" maxstratum maxtxbuffers maxupdateskew minstratum ntpsigndsocket ntsprocesses ntsrefresh" +
		" opencommands pidfile ptpdomain ptpport refresh rtcautotrim rtcdevice rtcfile rtconutc sched_priority smoothtime" +
		" tempcomp "
	return strings.Contains(names, " "+name+" ")
}

func directiveNames() []string {
	names := []string{"server", "pool", "peer", "refclock", "local", "allow", "deny", "ntstrustedcerts", "ratelimit", "ntsratelimit", "bindcmdaddress", "include", "confdir", "sourcedir", "ntsdumpdir"}
	for line := range strings.Lines(simpleDirectives[1:]) {
		name, _, _ := strings.Cut(line, " ")
		names = append(names, name)
	}
	slices.Sort(names) // of names that are equally near the first is suggested
	return names
}
