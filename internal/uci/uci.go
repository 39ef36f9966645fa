// Package uci reads OpenWrt's configuration files: text to sections and
// options with their line numbers. It is layer 1 and imports only the standard
// library.
//
// The rules are libuci's own in its strict mode, quirks included, because a
// file that `uci` accepts must mean here what it means there; the tests hold
// the text and libuci's answer side by side. Only three things differ: a NUL
// byte is an error (libuci's answer to it depends on the size of its buffer),
// sizes have limits, and an error inside a quoted string names the line where
// the string began.
//
// Not here: writing to /etc/config (the daemon never does), the uncommitted
// changes under /tmp/.uci, and what the options mean (package config).
package uci

import (
	"fmt"
	"path"
	"strings"
)

// Implementation limits. libuci has none; these are far above any file that a
// router needs and keep a damaged one from eating the memory of a small one.
const (
	// MaxSize is the length of the longest accepted file in bytes.
	MaxSize = 256 << 10
	// MaxSections is the largest number of sections in a file.
	MaxSections = 2048
	// MaxValues is the largest number of values, over all options and lists.
	MaxValues = 16384
)

// Package is one configuration file. The zero value is an empty file. It is
// not safe for concurrent changes; nothing in it is shared with the input.
type Package struct {
	File     string    // the name given to Parse, for messages
	Name     string    // its last element: what `uci` calls the package
	Sections []Section // in the order of the file
}

// Section is one `config` block, or several that share a name.
type Section struct {
	Type    string
	Name    string   // empty if anonymous
	Line    int      // of the first `config` line, from 1
	Options []Option // in the order of first appearance
}

// Option is one `option`, or all the `list` lines of one name.
type Option struct {
	Name   string
	List   bool
	Values []string // at least one; exactly one unless List
	Line   int      // of the line that set it last, from 1
}

// Option returns the option of that name, or nil.
func (s *Section) Option(name string) *Option {
	for i := range s.Options {
		if s.Options[i].Name == name {
			return &s.Options[i]
		}
	}
	return nil
}

// SyntaxError says where and why a file was refused.
type SyntaxError struct {
	File   string
	Line   int // from 1; 0 where no single line is to blame
	Reason string
}

// Error returns one line that can be shown as it is.
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("uci: %s: %s", e.File, e.Reason)
	}
	return fmt.Sprintf("uci: %s:%d: %s", e.File, e.Line, e.Reason)
}

// Bool reads a truth value by the words of OpenWrt's config_get_bool; ok is
// false for any other word.
func Bool(s string) (value, ok bool) {
	switch s {
	case "1", "yes", "on", "true", "enabled":
		return true, true
	case "0", "no", "off", "false", "disabled":
		return false, true
	}
	return false, false
}

// AppendExport appends p in the form of `uci export` and returns dst. Parsing
// the result gives the same sections and options. To hold that promise a type
// with characters that mean something to the reader is quoted, which libuci
// omits.
func (p *Package) AppendExport(dst []byte) []byte {
	dst = append(append(dst, "package "...), p.Name...)
	dst = append(dst, '\n')
	for i := range p.Sections {
		s := &p.Sections[i]
		dst = append(dst, "\nconfig "...)
		if strings.ContainsAny(s.Type, `'"\#;`) {
			dst = appendQuoted(dst, s.Type)
		} else {
			dst = append(dst, s.Type...)
		}
		if s.Name != "" {
			dst = appendQuoted(append(dst, ' '), s.Name)
		}
		dst = append(dst, '\n')
		for _, o := range s.Options {
			dst = o.appendExport(dst)
		}
	}
	return append(dst, '\n')
}

func (o *Option) appendExport(dst []byte) []byte {
	word := "\toption "
	if o.List {
		word = "\tlist "
	}
	for _, v := range o.Values {
		dst = append(append(append(dst, word...), o.Name...), ' ')
		dst = append(appendQuoted(dst, v), '\n')
	}
	return dst
}

// appendQuoted appends s in single quotes. Nothing is special inside them, so
// a single quote has to stand outside.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '\'')
	for i := 0; i < len(s); i++ {
		if s[i] == '\'' {
			dst = append(dst, `'\''`...)
			continue
		}
		dst = append(dst, s[i])
	}
	return append(dst, '\'')
}

// baseName returns the package name that belongs to a file name.
func baseName(file string) string { return path.Base(file) }
