package rpcd

import (
	"fmt"
	"io/fs"

	"ntsd/internal/advice"
	"ntsd/internal/config"
	"ntsd/internal/foreign"
	"ntsd/internal/uci"
)

// Message is what is to be said about a configuration.
type Message struct {
	Severity string `json:"severity"` // error or warning
	Line     int    `json:"line,omitempty"`
	Section  string `json:"section,omitempty"` // server 'near', or @server[0]
	Option   string `json:"option,omitempty"`
	Message  string `json:"message"`
	Text     string `json:"text"` // all of it, as the daemon logs it
}

// Section is one section of an imported configuration.
type Section struct {
	Type    string         `json:"type"`
	Name    string         `json:"name,omitempty"`
	Options map[string]any `json:"options"` // a string, or strings where it is a list
}

// check says what the daemon would say about a configuration, by default about
// the one in force; and what it would advise. The digest is that which the
// daemon's report has of the configuration in force.
func check(text string, read func(string) ([]byte, error)) any {
	source := func(file string) ([]byte, error) {
		switch {
		case text != "" && file == configFile:
			return []byte(text), nil
		case file == configFile, file == systemFile:
			return read(file)
		}
		return nil, fs.ErrPermission // whatever the text names is not read
	}
	c, diagnostics := config.LoadFile(configFile, source)
	answer := map[string]any{"ok": c != nil && !config.HasErrors(diagnostics), "messages": messages(diagnostics)}
	if c != nil {
		answer["digest"], answer["advice"] = c.Digest, advice.On(c)
	}
	return answer
}

// The files that are read.
const (
	configFile = "/etc/config/ntsd"
	chronyFile = "/etc/config/chrony"
	systemFile = "/etc/config/system"
)

// imports turns another daemon's configuration into sections of ours.
func (p *Plugin) imports(args Args) (any, error) {
	file, text := "", []byte(args.Text)
	var err error
	switch args.From {
	case "chrony":
		file = chronyFile
	case "system":
		file = systemFile
	case "text":
	default:
		return nil, fmt.Errorf("%.40q: only chrony, system and text can be imported", args.From)
	}
	if file == "" {
		file = "text"
	} else if text, err = p.ReadFile(file); err != nil {
		return nil, err
	}
	pkg, diagnostics := foreign.Import(file, text, nil)
	if pkg == nil {
		return nil, fmt.Errorf("%s cannot be read: %s", file, first(diagnostics))
	}
	return map[string]any{"sections": Sections(pkg), "messages": messages(diagnostics)}, nil
}

func first(ds []config.Diagnostic) string {
	if len(ds) == 0 {
		return "unknown form"
	}
	return ds[0].String()
}

func messages(ds []config.Diagnostic) []Message {
	list := make([]Message, 0, len(ds))
	for _, d := range ds {
		list = append(list, Message{
			Severity: d.Severity.String(), Line: d.Line, Section: d.Section, Option: d.Option,
			Message: d.Message, Text: d.String(),
		})
	}
	return list
}

// Sections returns the sections of a configuration as JSON has them.
func Sections(p *uci.Package) []Section {
	list := make([]Section, 0, len(p.Sections))
	for _, s := range p.Sections {
		out := Section{Type: s.Type, Name: s.Name, Options: make(map[string]any, len(s.Options))}
		for _, o := range s.Options {
			if o.List {
				out.Options[o.Name] = o.Values
			} else {
				out.Options[o.Name] = o.Values[0]
			}
		}
		list = append(list, out)
	}
	return list
}
