package config

import (
	"fmt"
	"slices"
	"strings"

	"ntsd/internal/mac"
)

// notShown stands for a secret where the configuration is printed.
const notShown = "(not shown)"

// Secret returns the symmetric key with that id, nil where there is none.
func (c *Config) Secret(id uint32) *mac.Secret {
	for i := range c.Secrets {
		if c.Secrets[i].ID == id {
			return &c.Secrets[i]
		}
	}
	return nil
}

// Lacks reports whether a source wants a symmetric key that is not there.
func (c *Config) Lacks(s *Source) bool { return s.Key != 0 && !s.NTS && c.Secret(s.Key) == nil }

// LoadKeys reads the symmetric keys that c speaks of into c.Secrets. read
// returns the contents of a file, and refuses one that others may read; what it
// says stands in the message. A key that cannot be used is left out, and so is a
// source that wants one that is not there: it must not go on without. file is
// where the configuration is from.
func LoadKeys(c *Config, file string, read func(name string) ([]byte, error)) []Diagnostic {
	if c == nil {
		return nil
	}
	l := &keyLoader{c: c, file: file, read: read}
	for i := range c.Keys {
		l.add(&c.Keys[i])
	}
	for i := range c.KeyFiles {
		l.addFile(&c.KeyFiles[i])
	}
	c.Sources = slices.DeleteFunc(c.Sources, l.lacks)
	c.Peers = slices.DeleteFunc(c.Peers, l.lacks)
	if c.DHCP != nil && l.lacks(*c.DHCP) {
		c.DHCP = nil
	}
	return l.diagnostics
}

type keyLoader struct {
	c           *Config
	file        string
	read        func(string) ([]byte, error)
	diagnostics []Diagnostic
}

func (l *keyLoader) tell(d Diagnostic) {
	d.File = l.file
	l.c.Places.weigh(&d)
	l.c.Places.locate(&d)
	if len(l.diagnostics) < maxDiagnostics {
		l.diagnostics = append(l.diagnostics, d)
	}
}

// take adds a key, unless its id is taken, and says what is doubtful about it.
// d says where it stands.
func (l *keyLoader) take(s mac.Secret, d Diagnostic) {
	which := ""
	if d.Option == "file" { // of many keys
		which = fmt.Sprintf("key %d: ", s.ID)
	}
	d.Severity = Error
	if l.c.Secret(s.ID) != nil {
		d.Message = fmt.Sprintf("the id %d stands twice", s.ID)
		l.tell(d)
		return
	}
	l.c.Secrets = append(l.c.Secrets, s)
	d.Severity = Warning
	if s.Type == mac.MD5 {
		d.Message = which + "MD5 is deprecated (RFC 8573): use AES128 where the other side has it"
		l.tell(d)
	}
	if s.Bits() < mac.WeakBits {
		d.Message = fmt.Sprintf("%s%d bits are fewer than %d: it can be guessed", which, s.Bits(), mac.WeakBits)
		l.tell(d)
	}
}

// add reads one section `key`.
func (l *keyLoader) add(k *Key) {
	d := Diagnostic{Severity: Error, Line: k.Line, Section: fmt.Sprintf("key %d", k.ID), Option: "secret"}
	text := k.Secret
	if k.SecretFile != "" {
		d.Option, d.Value = "secret_file", k.SecretFile
		b, err := l.read(k.SecretFile)
		if err != nil {
			d.Message = "cannot be read: " + reason(err)
			l.tell(d)
			return
		}
		words := strings.Fields(string(b))
		if len(words) == 3 && words[0] == fmt.Sprint(k.ID) && words[1] == k.Type {
			words = words[2:] // a line of a key file
		}
		if len(words) != 1 {
			d.Message = fmt.Sprintf("must hold one word, the secret, or three: %d %s and the secret; a file of several keys goes into a section 'keyfile'", k.ID, k.Type)
			l.tell(d)
			return
		}
		text = words[0]
	}
	if text == notShown {
		d.Message = "is missing: this configuration was printed, which shows no secrets"
		l.tell(d)
		return
	}
	value, err := mac.ParseSecret(text)
	s := mac.Secret{ID: k.ID, Value: value}
	if err == nil {
		s.Type, err = mac.ParseType(k.Type)
	}
	if err == nil {
		err = s.Check()
	}
	if err != nil {
		d.Message = strings.TrimPrefix(err.Error(), "mac: ")
		l.tell(d)
		return
	}
	d.Option, d.Value = "", ""
	l.take(s, d)
}

// addFile reads one section `keyfile`. A line that is wrong costs its key, no
// more: only a source that wants one of them has an error.
func (l *keyLoader) addFile(f *KeyFile) {
	d := Diagnostic{Severity: Warning, Line: f.Line, Section: "keyfile", Option: "file", Value: f.File}
	text, err := l.read(f.File)
	if err != nil {
		d.Message = "cannot be read: " + reason(err)
		l.tell(d)
		return
	}
	format := mac.FormatChrony
	if f.Format == KeysNTP {
		format = mac.FormatNTP
	}
	keys, wrong := mac.ParseFile(string(text), format)
	for _, w := range wrong {
		d.Message = fmt.Sprintf("line %d: %s", w.Line, strings.TrimPrefix(w.Err.Error(), "mac: "))
		l.tell(d)
	}
	for _, s := range keys {
		if len(f.Trusted) == 0 || slices.Contains(f.Trusted, s.ID) {
			l.take(s, d)
		}
	}
	for _, id := range f.Trusted {
		if !slices.ContainsFunc(keys, func(s mac.Secret) bool { return s.ID == id }) {
			d.Message = fmt.Sprintf("there is no usable key %d in it", id)
			l.tell(d)
		}
	}
}

// lacks is Lacks with a message.
func (l *keyLoader) lacks(s Source) bool {
	if !l.c.Lacks(&s) {
		return false
	}
	label := string(s.Kind)
	if s.Name != "" {
		label += " " + Quote(s.Name)
	}
	l.tell(Diagnostic{
		Severity: Error, Line: s.Line, Section: label,
		Option: "key", Value: fmt.Sprint(s.Key), Message: "there is no usable key of that id; this section is left out",
	})
	return true
}
