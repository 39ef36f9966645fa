package po

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// placeholder is what LuCI's format replaces, in the order of the arguments, and
// what our pages replace by name; markup must survive, too.
var placeholder = regexp.MustCompile(`%\d\$[sd]|%[-0 ']*\d*(?:\.\d+)?[%a-zA-Z]|\{\w+\}|</?\w+[^<>]*>`)

// placeholders returns the placeholders and the markup of a text, in order.
func placeholders(text string) []string { return placeholder.FindAllString(text, -1) }

// nplurals finds how many forms a language's plurals have.
var nplurals = regexp.MustCompile(`nplurals=(\d)`)

// Check says what is wrong with the translations of c, one line each: texts of
// the template that are missing or untranslated, texts that the template has no
// more, other placeholders than the text has.
func Check(template, c *Catalog) []string {
	var wrong []string
	say := func(m *Message, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("%q: "+format, append([]any{m.ID}, args...)...))
	}
	forms := 1
	if n := nplurals.FindStringSubmatch(c.field("Plural-Forms")); n != nil {
		forms, _ = strconv.Atoi(n[1])
	} else {
		wrong = append(wrong, "the header has no Plural-Forms")
	}
	for i := range template.Messages {
		want := &template.Messages[i]
		m := c.find(want.key())
		switch {
		case m == nil || !m.translated():
			say(want, "is not translated")
			continue
		case m.Fuzzy:
			say(want, "is marked as fuzzy")
		case m.Plural != want.Plural:
			say(want, "has the plural %q, want %q", m.Plural, want.Plural)
		case want.Plural == "" && len(m.Strings) != 1 || want.Plural != "" && len(m.Strings) != forms:
			say(want, "has %d forms", len(m.Strings))
		}
		for form, text := range m.Strings {
			checkText(want, form, text, say)
		}
	}
	for i := range c.Messages {
		if m := &c.Messages[i]; template.find(m.key()) == nil {
			say(m, "is in no page any more")
		}
	}
	return wrong
}

// checkText compares a translation with its text.
func checkText(want *Message, form int, text string, say func(*Message, string, ...any)) {
	got := placeholders(text)
	if reorders(want.Refs) {
		got = inOrder(got)
	}
	ok := slices.Equal(got, placeholders(want.ID))
	if want.Plural != "" { // "one server" may have fewer than "%d servers"
		ok = ok || slices.Equal(got, placeholders(want.Plural))
	}
	if !ok {
		say(want, "form %d has the placeholders %q", form, got)
	}
	if text != strings.TrimSpace(text) || strings.ContainsAny(text, "\n\t") {
		say(want, "form %d has blanks round it, or lines", form)
	}
}

// reorders reports whether a text is put together by words.js, which takes
// "%2$s" for its second argument. LuCI's own format does not.
func reorders(refs []string) bool {
	return len(refs) > 0 && !slices.ContainsFunc(refs, func(ref string) bool {
		return !strings.HasSuffix(ref, "/words.js") && !strings.HasSuffix(ref, "/messages.js")
	})
}

// inOrder sorts placeholders that have all their number, and takes it away.
func inOrder(all []string) []string {
	if slices.ContainsFunc(all, func(p string) bool { return !strings.Contains(p, "$") }) {
		return all
	}
	all = slices.Sorted(slices.Values(all))
	for i, p := range all {
		number, verb, _ := strings.Cut(p, "$")
		if number != "%"+strconv.Itoa(i+1) {
			return all
		}
		all[i] = "%" + verb
	}
	return all
}

// Merge brings a language's file up to date: the template's texts in its order,
// with the translations that there are; what no page has any more goes.
func Merge(template, c *Catalog) *Catalog {
	merged := &Catalog{Header: c.Header}
	for _, m := range template.Messages {
		m.Strings = nil
		if old := c.find(m.key()); old != nil && old.Plural == m.Plural {
			m.Strings, m.Fuzzy = old.Strings, old.Fuzzy
		}
		merged.Messages = append(merged.Messages, m)
	}
	return merged
}
