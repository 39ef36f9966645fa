package config

import (
	"path/filepath"
	"slices"
	"strings"

	"ntsd/internal/uci"
)

// systemName is the file with OpenWrt's own time settings, beside ours, and
// systemSection its section, which LuCI's page System writes.
const (
	systemName    = "system"
	systemSection = "ntp"
)

// addSystem adds the servers of system.ntp, and those of DHCP where it says so,
// to a configuration with use_system_servers. They are plain servers; one that
// the configuration has already keeps the options it has there.
func addSystem(c *Config, file string, read func(string) ([]byte, error)) []Diagnostic {
	file = filepath.Join(filepath.Dir(file), systemName)
	p, diagnostics := parseFile(file, read)
	if p == nil {
		for i := range diagnostics {
			diagnostics[i].Severity = Warning
		}
		return diagnostics
	}
	i := slices.IndexFunc(p.Sections, func(s uci.Section) bool { return s.Name == systemSection })
	if i < 0 {
		return []Diagnostic{{Severity: Warning, File: file, Message: "has no section 'ntp', so use_system_servers adds none"}}
	}
	s := &p.Sections[i]
	found, diagnostics := readServers(file, s)
	for _, server := range found {
		if !slices.ContainsFunc(c.Sources, func(o Source) bool { return strings.EqualFold(o.Name, server.Name) }) {
			c.Sources = append(c.Sources, server)
		}
	}
	if o := s.Option("use_dhcp"); c.DHCP == nil && (o == nil || o.Values[0] != "0") {
		pattern := []uci.Section{{Type: string(DHCP), Line: s.Line, Options: burst(s.Line)}}
		c.DHCP = newReader(file).read(&uci.Package{File: file, Sections: pattern}).DHCP
	}
	return diagnostics
}

// readServers reads the list 'server' as if each stood in a section of its own.
func readServers(file string, s *uci.Section) ([]Source, []Diagnostic) {
	list := s.Option("server")
	if list == nil {
		return nil, nil
	}
	r := newReader(file)
	p := &uci.Package{File: file}
	for _, value := range list.Values {
		for host := range strings.FieldsSeq(value) {
			name := uci.Option{Name: "hostname", Values: []string{host}, Line: list.Line}
			p.Sections = append(p.Sections, uci.Section{
				Type: string(Server), Name: systemSection, Line: list.Line, Options: append(burst(list.Line), name),
			})
		}
	}
	c := r.read(p)
	for i := range r.diagnostics { // one bad name is no reason to start without the good ones
		r.diagnostics[i].Severity = Warning
	}
	return c.Sources, r.finish()
}

func burst(line int) []uci.Option {
	return []uci.Option{{Name: "iburst", Values: []string{"1"}, Line: line}}
}
