package foreign

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"ntsd/internal/config"
	"ntsd/internal/uci"
)

// format is whose configuration a file is.
type format int

const (
	formatUCI format = iota
	formatChrony
	formatNTP
)

// detect tells them apart by the name, or else by what stands in the file.
func detect(file string, lines []string) format {
	switch filepath.Base(file) {
	case "chrony.conf":
		return formatChrony
	case "ntp.conf":
		return formatNTP
	}
	ours := []string{"config", "package"}
	ntp := []string{"restrict", "statsdir", "statistics", "filegen", "fudge", "tinker", "tos", "disable", "enable", "nts", "logconfig", "logfile", "refclock", "leapfile", "trustedkey"}
	found := formatChrony
	first := true
	for _, line := range lines {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if first && slices.Contains(ours, words[0]) {
			return formatUCI
		}
		first = false
		// chrony too has refclock, but names its drivers in capitals.
		if slices.Contains(ntp, words[0]) && (words[0] != "refclock" || len(words) > 1 && words[1] == strings.ToLower(words[1])) {
			found = formatNTP
		}
	}
	if first {
		return formatUCI // nothing stands there
	}
	return found
}

// Import reads the configuration of another daemon and returns it as ours: a
// chrony.conf, an ntp.conf, the file of OpenWrt's chrony package, or OpenWrt's
// own time settings. Files that it names are read from there; nil: none are. What
// has no equivalent is in the diagnostics. The result is to last: sources that are
// gone with the next start are left out.
func Import(file string, text []byte, from Files) (*uci.Package, []config.Diagnostic) {
	t := translate(file, text, disks{main: from, sources: from, lasting: true})
	if t == nil {
		return importUCI(file, text)
	}
	_, diagnostics := t.finish()
	return t.pkg, diagnostics
}

// translate returns what another daemon's configuration means, nil where it is
// none.
func translate(file string, text []byte, d disks) *translator {
	if config.Marked(text) {
		return nil // no program reads it, and ours says what to do
	}
	lines := strings.Split(string(text), "\n")
	switch detect(file, lines) {
	case formatChrony:
		return chrony(file, lines, d)
	case formatNTP:
		return ntp(file, lines, d.main)
	}
	return nil
}

// importUCI takes over a file of the same form: sections that we know, and the
// section with which busybox's daemon is set up.
func importUCI(file string, text []byte) (*uci.Package, []config.Diagnostic) {
	p, err := uci.Parse(file, text)
	if err != nil {
		return nil, []config.Diagnostic{config.Malformed(file, text, err)}
	}
	t := newTranslator(file, nil)
	for _, s := range p.Sections {
		known := slices.ContainsFunc(t.schema, func(d *config.Section) bool { return d.Type == s.Type })
		switch {
		case s.Type == "timeserver":
			t.timeServer(&s)
		case s.Type == "system" || s.Type == "led":
		case known:
			t.pkg.Sections = append(t.pkg.Sections, s)
		default:
			t.line = s.Line
			t.ignored(s.Type)
		}
	}
	_, diagnostics := t.finish()
	return t.pkg, diagnostics
}

// timeServer turns the servers of system.ntp into sections.
func (t *translator) timeServer(s *uci.Section) {
	option := func(name, standard string) string {
		if o := s.Option(name); o != nil {
			return strings.Join(o.Values, " ")
		}
		return standard
	}
	t.line = s.Line
	for host := range strings.FieldsSeq(option("server", "")) {
		i := t.open(string(config.Server))
		t.add(i, "hostname", host)
		t.add(i, "iburst", "1")
	}
	if option("use_dhcp", "1") != "0" {
		t.add(t.open(string(config.DHCP)), "iburst", "1")
	}
	if option("enable_server", "0") != "0" {
		i := t.open("allow")
		if name := option("interface", ""); name != "" {
			t.add(i, "interface", name)
		} else {
			t.add(i, "subnet", "0.0.0.0/0", "::/0")
		}
	}
}

// AppendBatch appends p as commands for "uci batch", which add it to what is
// there, and returns dst.
func AppendBatch(dst []byte, p *uci.Package) []byte {
	for i := range p.Sections {
		s := &p.Sections[i]
		name := s.Name
		if name == "" {
			name = "@" + s.Type + "[-1]"
			dst = fmt.Appendf(dst, "add %s %s\n", p.Name, s.Type)
		} else {
			dst = fmt.Appendf(dst, "set %s.%s=%s\n", p.Name, name, s.Type)
		}
		for _, o := range s.Options {
			verb := "set"
			if o.List {
				verb = "add_list"
			}
			for _, v := range o.Values {
				dst = fmt.Appendf(dst, "%s %s.%s.%s=%s\n", verb, p.Name, name, o.Name, quoted(v))
			}
		}
	}
	return fmt.Appendf(dst, "commit %s\n", p.Name)
}

// quoted returns a word as uci's own reader of commands takes it.
func quoted(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, s)
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
