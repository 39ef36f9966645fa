package po

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Scan finds the texts of one file by its kind: in JavaScript the arguments of
// _(text, context) and N_(count, singular, plural, context), as far as they are
// written there; in menu.d the titles; in acl.d the descriptions. The error wraps
// ErrSyntax.
func Scan(path string, text []byte) ([]Message, error) {
	var found []Message
	var err error
	switch {
	case strings.HasSuffix(path, ".js"):
		found = scanJS(string(text))
	case strings.Contains(path, "/menu.d/"):
		found, err = scanJSON(text, "title")
	case strings.Contains(path, "/acl.d/"):
		found, err = scanJSON(text, "description")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrSyntax, path, err)
	}
	for i := range found {
		found[i].Refs = []string{path}
	}
	return found, nil
}

// scanJSON takes one member of every object in an object.
func scanJSON(text []byte, member string) ([]Message, error) {
	var all map[string]map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	var found []Message
	for _, object := range all {
		var s string
		if json.Unmarshal(object[member], &s) == nil && s != "" {
			found = append(found, Message{ID: canonical(s)})
		}
	}
	return found, nil
}

// canonical is the text as LuCI looks for it.
func canonical(s string) string { return strings.Join(strings.Fields(s), " ") }

// token is a piece of JavaScript: a string's value, or a word or sign.
type token struct {
	literal bool
	text    string
}

// The pieces that matter; all others are single characters. What follows a word,
// a number or a closing bracket is a division, otherwise / begins a regular
// expression.
var (
	jsComment = regexp.MustCompile(`^(?s:/\*.*?\*/|//[^\n]*)`)
	jsString  = regexp.MustCompile(`^(?s:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")`)
	jsWord    = regexp.MustCompile(`^[\p{L}\p{N}_$]+`)
	jsRegexp  = regexp.MustCompile(`^/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*`)
	jsOperand = regexp.MustCompile(`^[\p{L}\p{N}_$)\]]`)
)

// tokens cuts JavaScript into pieces. The inside of a template literal counts as
// code between its ${ and }, otherwise as a string that is no literal to us.
func tokens(src string) []token {
	var all []token
	var templates []int // open braces since each open template
	for src != "" {
		var n int
		last := ""
		if len(all) > 0 {
			last = all[len(all)-1].text
		}
		operand := len(all) > 0 && (all[len(all)-1].literal || jsOperand.MatchString(last) && last != "return")
		switch {
		case strings.ContainsRune(" \t\r\n", rune(src[0])):
			n = 1
		case jsComment.MatchString(src):
			n = len(jsComment.FindString(src))
		case jsString.MatchString(src):
			n = len(jsString.FindString(src))
			all = append(all, token{true, unescape(src[1 : n-1])})
		case !operand && jsRegexp.MatchString(src):
			n = len(jsRegexp.FindString(src))
			all = append(all, token{text: "0"})
		case jsWord.MatchString(src):
			n = len(jsWord.FindString(src))
			all = append(all, token{text: src[:n]})
		case src[0] == '`', src[0] == '}' && len(templates) > 0 && templates[len(templates)-1] == 0:
			if src[0] == '}' {
				templates = templates[:len(templates)-1]
			}
			var inside bool
			if n, inside = templateText(src); inside {
				templates = append(templates, 0)
			}
			all = append(all, token{text: "+"})
		default:
			n = 1
			if k := len(templates) - 1; k >= 0 && src[0] == '{' {
				templates[k]++
			} else if k >= 0 && src[0] == '}' {
				templates[k]--
			}
			all = append(all, token{text: src[:1]})
		}
		src = src[n:]
	}
	return all
}

// templateText returns the length of a template's text up to its end or to the
// next code in it.
func templateText(src string) (n int, code bool) {
	for i := 1; i < len(src); i++ {
		switch {
		case src[i] == '\\':
			i++
		case src[i] == '`':
			return i + 1, false
		case strings.HasPrefix(src[i:], "${"):
			return i + 2, true
		}
	}
	return len(src), false
}

// unescape reads the escapes of JavaScript that a text can want.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			i++
			switch s[i] {
			case 'n', 't', '\n':
				c = ' '
			case 'u':
				var r rune
				if _, err := fmt.Sscanf(s[i:], "u%04x", &r); err == nil {
					b.WriteRune(r)
					i += 4
					continue
				}
				c = s[i]
			default:
				c = s[i]
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// scanJS finds the calls.
func scanJS(src string) []Message {
	all := tokens(src)
	var found []Message
	for i := 0; i+1 < len(all); i++ {
		name := all[i]
		if name.literal || name.text != "_" && name.text != "N_" || all[i+1] != (token{text: "("}) {
			continue
		}
		if i > 0 && (all[i-1] == (token{text: "."}) || all[i-1] == (token{text: "function"})) {
			continue
		}
		args := arguments(all[i+2:])
		if name.text == "N_" {
			args = args[min(1, len(args)):]
		}
		args = append(args, "", "", "")
		m := Message{ID: canonical(args[0]), Context: canonical(args[1])}
		if name.text == "N_" {
			m.Plural, m.Context = canonical(args[1]), canonical(args[2])
		}
		if m.ID != "" {
			found = append(found, m)
		}
	}
	return found
}

// arguments returns the arguments of a call: the texts of those that are strings,
// or strings added up, and nothing for the others.
func arguments(all []token) []string {
	var args []string
	text, plain, depth := "", true, 0
	for _, t := range all {
		switch {
		case t.literal && depth == 0:
			text += t.text
			continue
		case !t.literal && depth == 0 && (t.text == "," || t.text == ")"):
			if !plain {
				text = ""
			}
			args = append(args, text)
			text, plain = "", true
			if t.text == ")" {
				return args
			}
			continue
		case !t.literal && strings.Contains("([{", t.text):
			depth++
		case !t.literal && strings.Contains(")]}", t.text):
			depth--
		}
		if t.literal || t.text != "+" || depth > 0 {
			plain = false
		}
	}
	return nil // never closed
}

// Template merges what was found into one catalog, sorted by text. The error
// says which text stands in two plural forms.
func Template(found []Message) (*Catalog, error) {
	c := &Catalog{Header: "Content-Type: text/plain; charset=UTF-8"}
	slices.SortStableFunc(found, func(a, b Message) int { return strings.Compare(a.key(), b.key()) })
	for _, m := range found {
		if n := len(c.Messages); n > 0 && c.Messages[n-1].key() == m.key() {
			last := &c.Messages[n-1]
			if last.Plural != m.Plural {
				return nil, errors.New("po: with and without plural: " + m.ID)
			}
			last.Refs = append(last.Refs, m.Refs...)
			continue
		}
		c.Messages = append(c.Messages, m)
	}
	for i := range c.Messages {
		m := &c.Messages[i]
		slices.Sort(m.Refs)
		m.Refs = slices.Compact(m.Refs)
	}
	return c, nil
}
