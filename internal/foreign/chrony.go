package foreign

import (
	"path/filepath"
	"strconv"
	"strings"

	"ntsd/internal/config"
)

// directiveFile stands for the file name in messages about directives; the
// line is the number of the directive.
const directiveFile = "directive"

// Where chronyc, and what is built on its protocol, looks for chronyd unless it is
// told otherwise.
const (
	chronySocket = "/var/run/chrony/chronyd.sock"
	chronyPort   = "323"
)

// chronyComments begin a comment in chrony.conf.
const chronyComments = "!;#%"

// ParseDirectives reads chrony's configuration directives, one per line, as
// they stand on the command line of a one-shot query:
//
//	server time.example iburst nts maxsamples 1
//
// They are turned into the sections of the configuration file that mean the
// same and checked like those. What chrony knows and this daemon has no use
// for gets a warning, anything else is an error. Where chrony's defaults for
// such a run differ they hold: no steps but by makestep, no rtcsync. Files that
// are named are read from there; nil: none are.
func ParseDirectives(lines []string, from Files) (*config.Config, []config.Diagnostic) {
	return chrony(directiveFile, lines, disks{main: from, sources: from}).finish()
}

// chrony translates a chrony.conf.
func chrony(file string, lines []string, d disks) *translator {
	t := newTranslator(file, d.main)
	t.dialect = dialect{comments: chronyComments, directive: t.translate}
	t.add(t.once("makestep"), "limit", "0")
	t.add(t.once("ntsd"), "rtcsync", "0")
	if d.tools {
		t.add(t.once("monitor"), "chrony_socket", chronySocket)
		t.add(t.once("monitor"), "chrony_port", chronyPort)
	}
	t.text(file, lines)
	t.from, t.lasting = d.sources, d.lasting
	t.sources()
	t.spread()
	return t
}

// translate handles one directive.
func (t *translator) translate(name string, args []string) {
	if d, known := simple(name); known {
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
		t.trust(name, args)
	case "hwtimestamp":
		if len(args) == 0 || args[0] == "*" {
			t.note(config.Warning, name, "must name a network card and is ignored")
			return
		}
		if len(args) > 1 {
			t.note(config.Warning, name, "options are not known: all packets are stamped")
		}
		t.translateSimple(name, simpleDirective{section: "hwtimestamp", options: "interface"}, args[:1])
	case "smoothtime":
		t.translateSmooth(args)
	case "log":
		t.translateLog(args)
	case "ratelimit":
		t.add(t.once("serve"), name, t.rateLimit(name, args))
	case "ntsratelimit":
		t.add(t.once("nts_server"), "ratelimit", t.rateLimit(name, args))
	case "initstepslew":
		t.firstStep(name, args)
	case "binddevice":
		if len(args) != 1 {
			t.note(config.Error, name, "takes 1 argument, not "+strconv.Itoa(len(args)))
			return
		}
		t.all.server = args[0]
		t.once("serve")
	case "keyfile":
		t.keyFile(name, args)
	case "broadcast":
		t.noBroadcast(name)
	case "bindcmdaddress":
		t.commandAddress(name, args)
	default:
		if t.translateFiles(name, args) || t.sayOfAll(name, args) {
			return
		}
		if irrelevant(name) {
			t.ignored(name)
			return
		}
		t.note(config.Error, name, "is not a directive"+config.Nearest(name, directiveNames()))
	}
}

// leapList is where distributions put the list of leap seconds that belongs to
// their data base of time zones.
const leapList = "/usr/share/zoneinfo/leap-seconds.list"

// leapZone handles leapsectz: a time zone that counts leap seconds. The list that
// lies beside it says the same, and until when.
func (t *translator) leapZone(name string) {
	if t.from != nil {
		if _, err := t.from.ReadFile(leapList); err == nil {
			t.add(t.once("systemclock"), "leapfile", leapList)
			return
		}
	}
	t.note(config.Warning, name, "has no equivalent and is ignored; leapseclist names a file that says the same")
}

// translateFiles handles the directives that are about files; false: it is none of
// them.
func (t *translator) translateFiles(name string, args []string) bool {
	switch name {
	case "include":
		t.includePattern(name, args)
	case "confdir":
		t.confDir(name, args)
	case "sourcedir":
		t.sourceDir(name, args)
	case "leapsectz":
		t.leapZone(name)
	case "ntsdumpdir", "ntscachedir": // the second is its first name
		// Where it is chronyd's own folder its files stay as they are: some of ours
		// have the same names, and ntsctl looks for the socket in its usual place.
		if len(args) != 1 || filepath.Base(args[0]) != "chrony" {
			t.translateSimple(name, simpleDirective{section: "ntsd", options: "run_dir"}, args)
		}
	case "driftfile": // the frequency is kept anyway
	default:
		return false
	}
	return true
}

// simpleDirective is a directive whose arguments are options in a fixed order.
type simpleDirective struct {
	section string
	options string // names, parted by blanks
	value   string // of an option that takes no argument
}

// simpleDirectives are a line each: the directive, our section, and the options that
// its arguments are, or the option with the value that it stands for. As text they
// take a fifth of the room.
const simpleDirectives = `
makestep makestep threshold limit
user ntsd user
rtcsync ntsd rtcsync=1
nosystemcert nts systemcerts=0
minsources selection minsources
authselectmode selection authselectmode
maxdistance selection maxdistance
combinelimit selection combinelimit
reselectdist selection reselectdist
stratumweight selection stratumweight
logchange logging logchange
leapseclist systemclock leapfile
logdir statistics dir
leapsecmode systemclock leapsecmode
maxslewrate systemclock maxslewrate
clockprecision systemclock precision
port serve port
noclientlog serve clients=0
cmdport monitor chrony_port
ntsserverkey nts_server key
ntsservercert nts_server cert
ntsport nts_server port
ntsntpserver nts_server ntp_server
ntsrotate nts_server rotate
maxntsconnections nts_server max_connections
nocerttimecheck bootstrap mode=nocerttimecheck
`

// simple returns the directive of that name; false: it is not so simple.
func simple(name string) (simpleDirective, bool) {
	_, rest, known := strings.Cut(simpleDirectives, "\n"+name+" ")
	if !known {
		return simpleDirective{}, false
	}
	line, _, _ := strings.Cut(rest, "\n")
	section, options, _ := strings.Cut(line, " ")
	options, value, _ := strings.Cut(options, "=")
	return simpleDirective{section, options, value}, true
}
