package config

import (
	"slices"

	"ntsd/internal/uci"
)

// PackageName is the name of the file below /etc/config.
const PackageName = "ntsd"

// The folders of the configuration: OpenWrt's, and that of the package for systems
// with systemd.
const (
	UCIFolder   = "/etc/config"
	otherFolder = "/etc/ntsd"
)

// Folder returns the folder of the configuration of this machine, by what is there:
// OpenWrt's, unless only the other one has a file of ours.
func Folder(exists func(path string) bool) string {
	if !exists(UCIFolder+"/"+PackageName) && exists(otherFolder+"/"+PackageName) {
		return otherFolder
	}
	return UCIFolder
}

// AppendUCI appends the effective configuration in the form of `uci export`
// and returns dst. Reading it gives the same configuration, but for secrets:
// something else stands for those, because this output gets pasted into bug
// reports.
//
// Sections that stand once are spelled out as far as this version acts on
// them. Of the others, servers above all, only what differs from the defaults
// is printed, and who is taken to operate them.
func (c *Config) AppendUCI(dst []byte) []byte {
	p := uci.Package{Name: PackageName}
	standard := Default()
	if !c.NTS.RTCCheck {
		standard.Bootstrap.Mode = BootstrapStrict // what reading it back gives
	}
	for _, d := range Schema() {
		for _, target := range d.each(c) {
			s := uci.Section{Type: d.Type, Name: d.Name}
			s.Options = d.print(d.bind(target), d.bind(d.open(standard)))
			if len(s.Options) > 0 || d.Many || d.Type == string(DHCP) {
				p.Sections = append(p.Sections, s)
			}
		}
	}
	return p.AppendExport(dst)
}

// print returns the options of a section that are worth printing: those that differ
// from the usual ones and, where the section stands once, all.
func (d *Section) print(given, usual []*Option) []uci.Option {
	var options []uci.Option
	for i, o := range given {
		values := o.get()
		if o.Name == "disabled" || len(values) == 0 {
			continue
		}
		if o.Name == "secret" {
			values = []string{notShown}
		}
		if !d.Many || !slices.Equal(values, usual[i].get()) {
			options = append(options, uci.Option{Name: o.Name, List: o.List, Values: values})
		}
	}
	return options
}
