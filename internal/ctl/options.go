package ctl

import (
	"encoding/json"
	"fmt"
	"strings"

	"ntsd/internal/config"
)

// sectionInfo is a type of section in JSON.
type sectionInfo struct {
	Type    string       `json:"type"`
	Name    string       `json:"name,omitempty"` // what it is usually called
	Doc     string       `json:"doc"`
	Many    bool         `json:"many"`
	Options []optionInfo `json:"options"`
}

// optionInfo is an option in JSON.
type optionInfo struct {
	Name    string `json:"name"`
	Default string `json:"default,omitempty"`
	Allowed string `json:"allowed"` // completes "must be"
	Doc     string `json:"doc"`
	List    bool   `json:"list"`
	Flag    bool   `json:"flag"`
}

// options lists what can stand in /etc/config/ntsd, or in one type of section:
// routers have no manual pages.
func (c *invocation) options(words []string) error {
	var all []sectionInfo
	var known []string
	for _, s := range config.Schema() {
		known = append(known, s.Type)
		if len(words) < 2 || words[1] == s.Type {
			all = append(all, describeSection(s))
		}
	}
	if len(all) == 0 {
		return failf(ExitUsage, "options: no section %q%s; there are %s", words[1], config.Nearest(words[1], known), strings.Join(known, ", "))
	}
	if c.opts.json {
		text, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			return err
		}
		return c.print(string(text) + "\n")
	}
	var b strings.Builder
	for _, s := range all {
		s.write(&b, len(words) > 1)
	}
	return c.print(b.String())
}

func describeSection(s *config.Section) sectionInfo {
	info := sectionInfo{Type: s.Type, Name: s.Name, Doc: s.Doc, Many: s.Many}
	for _, o := range s.Options {
		info.Options = append(info.Options, optionInfo{
			Name: o.Name, Default: o.Default, Allowed: o.Allowed, Doc: o.Doc, List: o.List, Flag: o.Flag,
		})
	}
	return info
}

// optionWidth is the first column; option names are shorter.
const optionWidth = 18

// write prints a section, with what each option may be where it is the only one.
func (s sectionInfo) write(b *strings.Builder, full bool) {
	fmt.Fprintf(b, "config %s: %s\n", s.Type, s.Doc)
	for _, o := range s.Options {
		doc := o.Doc
		if o.Default != "" {
			doc += " [" + o.Default + "]"
		}
		fmt.Fprintf(b, "  %-*s %s\n", optionWidth, o.Name, doc)
		if full && !o.Flag {
			values := o.Allowed
			if o.List {
				values = "list; each " + values
			}
			fmt.Fprintf(b, "  %-*s   %s\n", optionWidth, "", values)
		}
	}
}
