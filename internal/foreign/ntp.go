package foreign

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ntsd/internal/config"
	"ntsd/internal/uci"
)

// ntp translates an ntp.conf, ntpsec's or the older one's.
func ntp(file string, lines []string, from Files) *translator {
	t := newTranslator(file, from)
	r, d := &restrictions{translator: t}, &devices{translator: t}
	t.dialect = dialect{comments: "#", inline: true, directive: func(name string, args []string) {
		switch name {
		case "server", "pool", "peer":
			t.ntpSource(name, args)
		case "refclock":
			t.ntpRefClock(args)
		case "nts":
			t.ntpNTS(args)
		case "restrict":
			r.add(args)
		case "fudge":
			t.ntpFudge(args)
		case "keys":
			t.keyFile(name, args)
		case "trustedkey":
			t.trustedKeys(args)
		case "broadcast", "broadcastclient", "multicastclient", "manycastclient", "manycastserver":
			t.noBroadcast(name)
		case "statistics":
			for _, a := range args {
				t.ntpStatistics(a)
			}
		case "interface", "nic":
			d.add(name, args)
		case "extra":
			t.extraPort(name, args)
		case "includefile":
			t.includeFile(name, args)
		default:
			t.ntpSimple(name, args)
		}
	}}
	t.text(file, lines)
	t.include(ntpFolder, config.Warning, t.search(ntpFolder, []string{beside(file, ntpFolder)}, confSuffix)...)
	r.finish()
	d.finish()
	t.finishKeys()
	return t
}

// ntpSimple handles what is one option, or nothing.
func (t *translator) ntpSimple(name string, args []string) {
	const nothing = " controlkey crypto disable discard dscp enable leapsmearinterval logconfig logfile monitor mru" +
		" nonvolatile phone pidfile requestkey rlimit setvar tinker unpeer "
	section, option := "", ""
	switch name {
	case "tos":
		t.ntpTos(args)
		return
	case "driftfile", "filegen":
		return // the frequency is kept anyway, and files of statistics by day
	case "statsdir":
		section, option = "statistics", "dir"
	case "leapfile":
		section, option = "systemclock", "leapfile"
	default:
		if strings.Contains(nothing, " "+name+" ") {
			t.ignored(name)
			return
		}
		t.note(config.Error, name, "is not a directive of ntp.conf")
		return
	}
	if len(args) != 1 {
		t.note(config.Error, name, "takes 1 argument, not "+strconv.Itoa(len(args)))
		return
	}
	t.add(t.once(section), option, args[0])
}

// ntpSource handles server, pool and peer. An address of the local network of
// pseudo-addresses, 127.127.TYPE.UNIT, is a reference clock of that type.
func (t *translator) ntpSource(name string, args []string) {
	// ntpd's own switches for the family of addresses.
	if len(args) > 0 && (args[0] == "-4" || args[0] == "-6") {
		args = append(args[1:], map[string]string{"-4": "ipv4", "-6": "ipv6"}[args[0]])
	}
	if len(args) == 0 {
		t.note(config.Error, name, "names no host")
		return
	}
	if clock, unit, ok := pseudoAddress(args[0]); ok {
		t.pseudoClock(clock, unit, args[1:])
		return
	}
	t.translateKeywords(t.open(name), args, "hostname")
}

// Types of reference clocks by their numbers in ntp.conf.
const (
	clockLocal = 1
	clockPPS   = 22
	clockSHM   = 28
)

func pseudoAddress(s string) (clock, unit byte, ok bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() || a.As4()[0] != 127 || a.As4()[1] != 127 {
		return 0, 0, false
	}
	return a.As4()[2], a.As4()[3], true
}

func (t *translator) pseudoClock(clock, unit byte, keywords []string) {
	switch clock {
	case clockLocal:
		t.add(t.once("local"), "enabled", "1")
	case clockPPS, clockSHM:
		driver, parameter := clockDriver(clock, unit)
		t.translateKeywords(t.open("refclock"), append([]string{driver, parameter}, onlyKnown(keywords)...), "driver", "parameter")
	default:
		t.note(config.Warning, "server", "reference clocks of type "+strconv.Itoa(int(clock))+" are read by gpsd: give it the device, and us refclock SHM")
	}
}

// clockDriver returns what we call a reference clock of ntpd's.
func clockDriver(clock, unit byte) (driver, parameter string) {
	if clock == clockPPS {
		return "PPS", "/dev/pps" + strconv.Itoa(int(unit))
	}
	return "SHM", strconv.Itoa(int(unit))
}

// onlyKnown leaves of the keywords of a reference clock what has a meaning here.
func onlyKnown(words []string) []string {
	var known []string
	for i, w := range words {
		if w == "prefer" || w == "noselect" {
			known = append(known, w)
		} else if ours := clockKeyword(w); ours != "" && i+1 < len(words) {
			known = append(known, ours, words[i+1])
		}
	}
	return known
}

// clockKeyword returns what we call a keyword with a value; empty: nothing.
func clockKeyword(theirs string) string {
	return map[string]string{"refid": "refid", "time1": "offset", "stratum": "stratum"}[theirs]
}

// ntpRefClock handles ntpsec's form: refclock NAME unit N ...
func (t *translator) ntpRefClock(args []string) {
	clocks := map[string]byte{"local": clockLocal, "pps": clockPPS, "shm": clockSHM}
	var unit uint64
	for i, w := range args {
		if w == "unit" && i+1 < len(args) {
			unit, _ = strconv.ParseUint(args[i+1], 10, 7)
		}
	}
	name := strings.ToLower(strings.Join(args[:min(1, len(args))], ""))
	clock, known := clocks[name]
	if !known {
		t.note(config.Warning, "refclock", "the driver "+config.Quote(name)+" is gpsd's affair: give it the device, and us refclock SHM")
		return
	}
	t.pseudoClock(clock, byte(unit), args[1:])
}

// ntpFudge handles fudge: of all that it can change, the stratum of the local
// clock, and what the keywords of a reference clock can.
func (t *translator) ntpFudge(args []string) {
	clock, unit, ok := pseudoAddress(strings.Join(args[:min(1, len(args))], ""))
	for i := 1; i+1 < len(args); i += 2 {
		to, ours := -1, clockKeyword(args[i])
		switch {
		case !ok:
		case clock == clockLocal && ours == "stratum":
			to = t.once("local")
		case clock != clockLocal:
			to = t.refClock(clock, unit)
		}
		if to < 0 || ours == "" {
			t.note(config.Warning, "fudge", "the keyword "+config.Quote(args[i])+" has no equivalent and is ignored")
			continue
		}
		t.add(to, ours, args[i+1])
	}
}

// refClock returns the section of a reference clock, -1 when there is none.
func (t *translator) refClock(clock, unit byte) int {
	driver, parameter := clockDriver(clock, unit)
	return slices.IndexFunc(t.pkg.Sections, func(s uci.Section) bool {
		is := func(option, value string) bool {
			o := s.Option(option)
			return o != nil && len(o.Values) == 1 && o.Values[0] == value
		}
		return s.Type == "refclock" && is("driver", driver) && is("parameter", parameter)
	})
}

// ntpNTS handles "nts enable", "nts cert FILE" and the like; several may stand
// in one line.
func (t *translator) ntpNTS(args []string) {
	options := map[string][2]string{
		"cert": {"nts_server", "cert"}, "key": {"nts_server", "key"}, "port": {"nts_server", "port"},
		"ca": {"nts", "trustedcerts"},
	}
	for len(args) > 0 {
		word := strings.ToLower(args[0])
		args = args[1:]
		if word == "enable" {
			t.add(t.once("nts_server"), "enabled", "1")
			continue
		}
		if word == "disable" {
			continue
		}
		if len(args) == 0 {
			t.note(config.Error, "nts", "the keyword "+config.Quote(word)+" takes a value")
			return
		}
		if target, known := options[word]; known {
			t.add(t.once(target[0]), target[1], args[0])
		} else {
			t.note(config.Warning, "nts", "the keyword "+config.Quote(word)+" has no equivalent and is ignored")
		}
		args = args[1:]
	}
}

// ntpTos handles the options of selection.
func (t *translator) ntpTos(args []string) {
	for i := 0; i+1 < len(args); i += 2 {
		switch args[i] {
		case "minsane":
			t.add(t.once("selection"), "minsources", args[i+1])
		case "maxdist":
			t.add(t.once("selection"), "maxdistance", args[i+1])
		case "orphan":
			s := t.once("local")
			t.add(s, "enabled", "1")
			t.add(s, "orphan", "1")
			t.add(s, "stratum", args[i+1])
		default:
			t.note(config.Warning, "tos", "the keyword "+config.Quote(args[i])+" has no equivalent and is ignored")
		}
	}
}

func (t *translator) ntpStatistics(name string) {
	switch name {
	case "loopstats", "peerstats", "clockstats", "rawstats":
		t.add(t.once("statistics"), "log", name)
	default:
		t.note(config.Warning, "statistics", "files of "+config.Quote(name)+" are not written")
	}
}

// restrictions turn ntpd's rules for everybody into ours for nobody: without a
// rule ntpd answers all.
type restrictions struct {
	*translator
	closed bool // "restrict default ignore" or noserve
}

// add handles restrict [-4|-6] (default | source | ADDRESS [mask MASK]) FLAG...
func (r *restrictions) add(args []string) {
	if len(args) > 0 && (args[0] == "-4" || args[0] == "-6") {
		args = args[1:]
	}
	if len(args) == 0 {
		r.note(config.Error, "restrict", "names no address")
		return
	}
	who, mask, flags := args[0], "", args[1:]
	if len(flags) > 1 && flags[0] == "mask" {
		mask, flags = flags[1], flags[2:]
	}
	refused := false
	for _, f := range flags {
		switch f {
		case "ignore", "noserve":
			refused = true
		case "limited":
			r.translator.add(r.once("serve"), "ratelimit", "1")
		}
	}
	switch who {
	case "source": // what may come from servers is not a question here
	case "default":
		r.closed = r.closed || refused
	default:
		prefix, ok := masked(who, mask)
		if !ok {
			r.note(config.Error, "restrict", config.Quote(strings.TrimSpace(who+" "+mask))+" is not a network")
			return
		}
		if !prefix.Addr().IsLoopback() {
			typ := "allow"
			if refused {
				typ = "deny"
			}
			r.translator.add(r.open(typ), "subnet", prefix.String())
		}
	}
}

// masked returns the network of an address and its mask, which is written out
// for IPv4; without one it is a single host.
func masked(address, mask string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(address); err == nil {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(address)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	bits := a.BitLen()
	if mask != "" {
		m, err := netip.ParseAddr(mask)
		if err != nil || m.BitLen() != a.BitLen() {
			return netip.Prefix{}, false
		}
		bits = 0
		for _, b := range m.AsSlice() {
			for ; b&0x80 != 0; b <<= 1 {
				bits++
			}
		}
	}
	return netip.PrefixFrom(a, bits).Masked(), true
}

// finish writes the rule for everybody.
func (r *restrictions) finish() {
	if !r.closed {
		r.translator.add(r.open("allow"), "subnet", "0.0.0.0/0", "::/0")
	}
}
