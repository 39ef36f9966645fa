// Package po makes the translations of LuCI's pages: it finds the texts in the
// pages' sources, keeps the .po files of the languages, says what is missing in
// them, and compiles them to what LuCI reads. It is a tool for developers and
// builders and belongs to no layer: nothing of it is on a router.
//
// Of gettext's format it knows what LuCI's own tools know. Texts are one line,
// with single blanks: so LuCI looks them up.
package po

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrSyntax is wrapped by the errors of Parse and Scan.
var ErrSyntax = errors.New("po: syntax error")

// Message is one text to be translated.
type Message struct {
	Context string   // tells equal texts apart; usually empty
	ID      string   // the text itself
	Plural  string   // what it is for another number, or empty
	Refs    []string // the files that it stands in, sorted
	Fuzzy   bool     // somebody should look at the translation
	Strings []string // the translation; with Plural one for each of the language's forms
}

// key tells messages apart.
func (m *Message) key() string { return m.Context + "\x01" + m.ID }

// translated reports whether there is a translation, in all the forms.
func (m *Message) translated() bool {
	return len(m.Strings) > 0 && !slices.Contains(m.Strings, "")
}

// Catalog is a file: a template, or the texts in one language.
type Catalog struct {
	Header   string // lines "Name: value"; empty: none
	Messages []Message
}

// find returns the message of that key, or nil.
func (c *Catalog) find(key string) *Message {
	i := slices.IndexFunc(c.Messages, func(m Message) bool { return m.key() == key })
	if i < 0 {
		return nil
	}
	return &c.Messages[i]
}

// field returns a field of the header.
func (c *Catalog) field(name string) string {
	for line := range strings.Lines(c.Header) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Parse reads a .po file. The error wraps ErrSyntax and names the line.
func Parse(text []byte) (*Catalog, error) {
	p := parser{catalog: new(Catalog)}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if err := p.line(strings.TrimSpace(line)); err != nil {
			return nil, fmt.Errorf("%w in line %d: %s", ErrSyntax, n, err)
		}
	}
	p.finish()
	return p.catalog, nil
}

// parser collects one message after the other.
type parser struct {
	catalog *Catalog
	m       Message
	started bool    // msgid was there
	done    bool    // msgstr, too
	current *string // what a line with nothing but a string goes on
}

// line reads one line.
func (p *parser) line(line string) error {
	switch {
	case line == "" || strings.HasPrefix(line, "#") && p.done:
		p.finish()
		if line != "" {
			return p.line(line)
		}
		return nil
	case strings.HasPrefix(line, "#"):
		p.comment(line)
		return nil
	case strings.HasPrefix(line, `"`):
		return p.extend(line)
	}
	word, rest, _ := strings.Cut(line, " ")
	form := 0
	if digits, ok := strings.CutPrefix(word, "msgstr["); ok {
		if len(digits) != 2 || digits[0] < '0' || digits[0] > '9' || digits[1] != ']' {
			return fmt.Errorf("%q", word)
		}
		word, form = "msgstr", int(digits[0]-'0')
	}
	if p.done && word != "msgstr" {
		p.finish()
	}
	switch word {
	case "msgctxt":
		p.current = &p.m.Context
	case "msgid":
		p.started, p.current = true, &p.m.ID
	case "msgid_plural":
		p.current = &p.m.Plural
	case "msgstr":
		for len(p.m.Strings) <= form {
			p.m.Strings = append(p.m.Strings, "")
		}
		p.done, p.current = true, &p.m.Strings[form]
	default:
		return fmt.Errorf("%q", word)
	}
	return p.extend(rest)
}

// comment takes what is of use in a comment.
func (p *parser) comment(line string) {
	if refs, ok := strings.CutPrefix(line, "#: "); ok {
		p.m.Refs = append(p.m.Refs, strings.Fields(refs)...)
	}
	if flags, ok := strings.CutPrefix(line, "#,"); ok && strings.Contains(flags, "fuzzy") {
		p.m.Fuzzy = true
	}
}

// extend appends a quoted string to what is being read.
func (p *parser) extend(quoted string) error {
	text, ok := unquote(quoted)
	if !ok || p.current == nil {
		return fmt.Errorf("%.40q", quoted)
	}
	*p.current += text
	return nil
}

// finish ends a message: the first, without a text, is the header.
func (p *parser) finish() {
	switch {
	case p.m.ID == "":
		if len(p.m.Strings) > 0 {
			p.catalog.Header = p.m.Strings[0]
		}
	case p.started:
		p.catalog.Messages = append(p.catalog.Messages, p.m)
	}
	*p = parser{catalog: p.catalog}
}

// unquote reads a string in quotes with its escapes.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		c := s[i]
		if c == '"' {
			return "", false
		}
		if c == '\\' {
			i++
			switch {
			case i == len(s)-1:
				return "", false
			case s[i] == 'n':
				c = '\n'
			case s[i] == 't':
				c = '\t'
			default:
				c = s[i]
			}
		}
		b.WriteByte(c)
	}
	return b.String(), true
}

// quote writes a string in quotes.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(s) + `"`
}

// Append writes the file.
func (c *Catalog) Append(b []byte) []byte {
	out := bytes.NewBuffer(b)
	if c.Header != "" {
		fmt.Fprint(out, "msgid \"\"\nmsgstr \"\"\n")
		for line := range strings.Lines(c.Header) {
			fmt.Fprintln(out, quote(line))
		}
	}
	for i := range c.Messages {
		c.Messages[i].write(out)
	}
	return out.Bytes()
}

// write writes one message after an empty line.
func (m *Message) write(out *bytes.Buffer) {
	out.WriteByte('\n')
	for _, ref := range m.Refs {
		fmt.Fprintf(out, "#: %s\n", ref)
	}
	if m.Fuzzy {
		fmt.Fprintln(out, "#, fuzzy")
	}
	if m.Context != "" {
		fmt.Fprintf(out, "msgctxt %s\n", quote(m.Context))
	}
	fmt.Fprintf(out, "msgid %s\n", quote(m.ID))
	if m.Plural == "" {
		text := ""
		if len(m.Strings) > 0 {
			text = m.Strings[0]
		}
		fmt.Fprintf(out, "msgstr %s\n", quote(text))
		return
	}
	fmt.Fprintf(out, "msgid_plural %s\n", quote(m.Plural))
	for i := range max(2, len(m.Strings)) {
		text := ""
		if i < len(m.Strings) {
			text = m.Strings[i]
		} else if len(m.Strings) > 0 {
			break // a language with one form
		}
		fmt.Fprintf(out, "msgstr[%d] %s\n", i, quote(text))
	}
}
