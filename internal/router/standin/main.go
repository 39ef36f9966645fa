// Command standin is what the package's scripts find instead of the programs of
// an OpenWrt router: called as uci it edits /etc/config, as flock it does nothing,
// as ubus it tells whether ntsd runs, and else it writes its command line to /calls.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ntsd/internal/uci"
)

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	switch {
	case name == "flock":
		return
	case name == "ubus" && len(args) > 3 && args[2] == "list":
		if _, err := os.Stat("/running/ntsd"); err == nil {
			fmt.Println("\t\t\t\t\"running\": true,") // as ubus prints it
		}
		return
	}
	if name != "uci" {
		if name == "nft" && len(args) > 0 && args[0] == "-f" {
			text, _ := io.ReadAll(os.Stdin)
			args = append(args, strings.Join(strings.Fields(string(text)), " "))
		}
		call(name, args)
		return
	}
	args = slices.DeleteFunc(args, func(a string) bool { return a == "-q" })
	if len(args) == 1 && args[0] == "batch" {
		text, _ := io.ReadAll(os.Stdin)
		for line := range strings.Lines(string(text)) {
			if words := strings.Fields(line); len(words) > 0 {
				edit(words)
			}
		}
		return
	}
	os.Exit(edit(args))
}

// call writes down a command line.
func call(name string, args []string) {
	f, err := os.OpenFile("/calls", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(f, strings.Join(append([]string{name}, args...), " "))
	_ = f.Close()
}

// edit does what one line for uci says, at once: nothing waits for commit.
func edit(args []string) (status int) {
	verb, rest := args[0], args[1:]
	if verb == "commit" || verb == "revert" {
		call("uci", args)
		return 0
	}
	if verb == "changes" { // made by somebody, not committed yet
		text, _ := os.ReadFile("/changes")
		fmt.Print(string(text))
		return 0
	}
	if verb == "shell" {
		shell(load(rest[0]))
		return 0
	}
	path, value, _ := strings.Cut(rest[0], "=")
	parts := append(strings.SplitN(path, ".", 3), "", "")
	p := load(parts[0])
	i := slices.IndexFunc(p.Sections, func(s uci.Section) bool { return s.Name == parts[1] })
	if verb == "get" {
		return get(p, i, parts[2])
	}
	call("uci", args)
	if i < 0 {
		if verb != "set" || parts[2] != "" {
			return 1
		}
		p.Sections = append(p.Sections, uci.Section{Type: value, Name: parts[1]})
		save(parts[0], p)
		return 0
	}
	s := &p.Sections[i]
	o := s.Option(parts[2])
	switch {
	case verb == "delete" && parts[2] == "":
		p.Sections = slices.Delete(p.Sections, i, i+1)
	case verb == "delete":
		s.Options = slices.DeleteFunc(s.Options, func(o uci.Option) bool { return o.Name == parts[2] })
	case verb == "set" && parts[2] != "":
		s.Options = append(s.Options, uci.Option{Name: parts[2], Values: []string{value}})
	case verb == "add_list" && o != nil:
		o.Values = append(o.Values, value)
	case verb == "add_list":
		s.Options = append(s.Options, uci.Option{Name: parts[2], List: true, Values: []string{value}})
	case verb == "del_list" && o != nil:
		o.Values = slices.DeleteFunc(o.Values, func(v string) bool { return v == value })
		if len(o.Values) == 0 {
			s.Options = slices.DeleteFunc(s.Options, func(o uci.Option) bool { return o.Name == parts[2] })
		}
	}
	save(parts[0], p)
	return 0
}

func get(p *uci.Package, section int, option string) (status int) {
	if section < 0 {
		return 1
	}
	s := &p.Sections[section]
	if option == "" {
		fmt.Println(s.Type)
		return 0
	}
	o := s.Option(option)
	if o == nil {
		return 1
	}
	fmt.Println(strings.Join(o.Values, " "))
	return 0
}

// shell prints a package as assignments for the shell's config_get.
func shell(p *uci.Package) {
	var names []string
	for i, s := range p.Sections {
		name := s.Name
		if name == "" {
			name = fmt.Sprintf("cfg%02d", i)
		}
		names = append(names, name)
		fmt.Printf("CONFIG_%s_TYPE='%s'\n", name, s.Type)
		for _, o := range s.Options {
			fmt.Printf("CONFIG_%s_%s='%s'\n", name, o.Name, strings.Join(o.Values, " "))
		}
	}
	fmt.Printf("CONFIG_SECTIONS='%s'\n", strings.Join(names, " "))
}

func load(name string) *uci.Package {
	file := "/etc/config/" + name
	text, err := os.ReadFile(file)
	if err != nil {
		return &uci.Package{File: file}
	}
	p, err := uci.Parse(file, text)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return p
}

func save(name string, p *uci.Package) {
	var b strings.Builder
	for _, s := range p.Sections {
		fmt.Fprintf(&b, "config %s '%s'\n", s.Type, s.Name)
		for _, o := range s.Options {
			for _, v := range o.Values {
				word := "option"
				if o.List {
					word = "list"
				}
				fmt.Fprintf(&b, "\t%s %s '%s'\n", word, o.Name, v)
			}
		}
	}
	if err := os.WriteFile("/etc/config/"+name, []byte(b.String()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
