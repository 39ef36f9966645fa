package po

import (
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const page = `'use strict';
'require view'; // _('not me')
/* _('nor me') */
return view.extend({
	render: function() {
		var re = /_\('nor' + "/g, half = total / 2, t = x.length / _('after a division');
		var s = _('Hello, %s').format(name) + _("it\'s \"here\"", 'greeting');
		return E('p', {}, [ _('two ' +
			'parts,   one text'), this._('not ours'), N_(n.count(1, 'x'), '%d server', '%d servers'),
			` + "`text _('no') ${ { a: _('inside') }.a } '` + _('after')" + `, _(name), _('x' + y), f(_('Hello, %s')) ]);
	},
	_: function(s) { return s; }
});
function _(s, c) { return s; }
`

// TestScan: texts where they are written, nowhere else.
func TestScan(t *testing.T) {
	found, err := Scan("htdocs/a.js", []byte(page))
	if err != nil {
		t.Fatal(err)
	}
	menu, err := Scan("root/usr/share/luci/menu.d/a.json", []byte(`{"admin/a": {"title": "Time", "order": 1}, "admin/b": {"order": 2}}`))
	if err != nil {
		t.Fatal(err)
	}
	acl, err := Scan("root/usr/share/rpcd/acl.d/a.json", []byte(`{"a": {"description": "May look"}}`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Template(slices.Concat(found, menu, acl))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range c.Messages {
		got = append(got, strings.Join([]string{m.Context, m.ID, m.Plural, strings.Join(m.Refs, ",")}, "|"))
	}
	want := []string{
		"|%d server|%d servers|htdocs/a.js",
		"|Hello, %s||htdocs/a.js",
		"|May look||root/usr/share/rpcd/acl.d/a.json",
		"|Time||root/usr/share/luci/menu.d/a.json",
		"|after||htdocs/a.js",
		"|after a division||htdocs/a.js",
		"|inside||htdocs/a.js",
		"|two parts, one text||htdocs/a.js",
		`greeting|it's "here"||htdocs/a.js`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if _, err := Scan("root/usr/share/luci/menu.d/a.json", []byte(`{`)); !errors.Is(err, ErrSyntax) {
		t.Errorf("half an object: got %v, want ErrSyntax", err)
	}
	if _, err := Template([]Message{{ID: "a"}, {ID: "a", Plural: "as"}}); err == nil {
		t.Error("a text with and without plural: got no error")
	}
}

const german = `# a comment
msgid ""
msgstr ""
"Language: de\n"
"Plural-Forms: nplurals=2; plural=n != 1;\n"

#: htdocs/a.js
msgid "Hello, %s"
msgstr "Hallo, %s"

msgid ""
"Long "
"text"
msgstr ""
"Langer \"Text\" "
"äöü"

msgctxt "greeting"
msgid "abc"
msgstr "xyz\\"
msgid "%d server"
msgid_plural "%d servers"
msgstr[0] "%d Server"
msgstr[1] "%d Server, mehrere"

msgid "same"
msgstr "same"

#, fuzzy
msgid "NTS"
msgstr ""
`

// TestLMO: byte for byte what LuCI's own compiler (po2lmo of LuCI's git of
// March 2026) makes of the same file.
func TestLMO(t *testing.T) {
	const want = "6e706c7572616c733d323b20706c7572616c3d6e20213d20313b000048616c6c6f2c2025730000004c616e6765722022546578742220c3a4c3b6c3bc78797a5c2564205365727665720000002564205365727665722c206d65687265726500000000000000000000000000000000001a0af6d26a000000010000001c00000009469db9220000000100000028000000148983707c000000010000003c00000004960d2a2c000000020000004c000000129ba3985a00000002000000400000000900000060"
	c, err := Parse([]byte(german))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(LMO(c)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := LMO(&Catalog{Messages: []Message{{ID: "a"}}}); got != nil {
		t.Errorf("nothing translated: got %x", got)
	}
}

// TestAppend: what is written is read the same.
func TestAppend(t *testing.T) {
	c, err := Parse([]byte(german))
	if err != nil {
		t.Fatal(err)
	}
	text := c.Append(nil)
	again, err := Parse(text)
	if err != nil || !reflect.DeepEqual(again, c) {
		t.Errorf("got %v, %v, want %v, from\n%s", again, err, c, text)
	}
	if m := c.find("\x01NTS"); m == nil || !m.Fuzzy {
		t.Errorf("got %v, want it marked", m)
	}
}

func TestParseErrors(t *testing.T) {
	for _, text := range []string{
		"msgid x\n", "msgid \"x\n", "\"x\"\n", "hello \"x\"\n", "msgid \"a\"b\"\n", "msgstr[x] \"\"\n", "msgid \"x\\\"\n", "msgstr[12] \"\"\n",
	} {
		if c, err := Parse([]byte(text)); !errors.Is(err, ErrSyntax) || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: got %v, %v, want ErrSyntax in line 1", text, c, err)
		}
	}
}

// TestOrder: "%2$s" is for words.js alone, and every number must be there.
func TestOrder(t *testing.T) {
	const header = "Plural-Forms: nplurals=1; plural=0;\n"
	for _, tt := range []struct {
		ref, text string
		ok        bool
	}{
		{"ntsd/words.js", "%2$s, %1$s", true},
		{"ntsd/words.js", "%s, %s", true},
		{"ntsd/words.js", "%2$s, %2$s", false},
		{"ntsd/words.js", "%2$s, %s", false},
		{"ntsd/status.js", "%2$s, %1$s", false},
	} {
		template := &Catalog{Messages: []Message{{ID: "%s and %s", Refs: []string{tt.ref}}}}
		wrong := Check(template, &Catalog{Header: header, Messages: []Message{{ID: "%s and %s", Strings: []string{tt.text}}}})
		if (len(wrong) == 0) != tt.ok {
			t.Errorf("%s %q: got %q, want ok: %v", tt.ref, tt.text, wrong, tt.ok)
		}
	}
}

// TestCheck: everything that a translator can forget is named.
func TestCheck(t *testing.T) {
	template := &Catalog{Messages: []Message{
		{ID: "%d server", Plural: "%d servers"},
		{ID: "Hello, %s"},
		{ID: "Step by <b>%.3f</b> %%"},
		{ID: "{name} is late"},
		{ID: "missing"},
		{ID: "empty"},
		{ID: "fuzzy"},
		{ID: "lines"},
	}}
	good := &Catalog{Header: "Plural-Forms: nplurals=2; plural=n != 1;\n", Messages: []Message{
		{ID: "%d server", Plural: "%d servers", Strings: []string{"ein Server", "%d Server"}},
		{ID: "Hello, %s", Strings: []string{"%s, hallo"}},
	}}
	if wrong := Check(&Catalog{Messages: template.Messages[:1]}, &Catalog{Header: good.Header, Messages: good.Messages[:1]}); len(wrong) != 1 {
		t.Errorf("a singular without its number: got %q, want one complaint", wrong)
	}
	good.Messages[0].Strings[0] = "%d Server"
	if wrong := Check(&Catalog{Messages: template.Messages[:2]}, good); len(wrong) != 0 {
		t.Errorf("got %q, want none", wrong)
	}
	bad := &Catalog{Messages: []Message{
		{ID: "%d server", Plural: "%d servers", Strings: []string{"%s Server", ""}},
		{ID: "Hello, %s", Strings: []string{"Hallo"}},
		{ID: "Step by <b>%.3f</b> %%", Strings: []string{"Sprung um <i>%.3f</i> %%"}},
		{ID: "{name} is late", Strings: []string{"{nme} kommt"}},
		{ID: "empty", Strings: []string{""}},
		{ID: "fuzzy", Fuzzy: true, Strings: []string{"x"}},
		{ID: "lines", Strings: []string{"a\nb"}},
		{ID: "old", Strings: []string{"alt"}},
	}}
	got := Check(template, bad)
	for _, want := range []string{
		"the header has no Plural-Forms", `"%d server": is not translated`, `"Hello, %s": form 0 has the placeholders []`,
		`"Step by <b>%.3f</b> %%": form 0`, `"{name} is late": form 0`, `"missing": is not`, `"empty": is not`, `"fuzzy": is marked`,
		`"lines": form 0 has blanks`, `"old": is in no page`,
	} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("no complaint %q in\n%s", want, strings.Join(got, "\n"))
		}
	}
	if len(got) != 10 {
		t.Errorf("got %d complaints, want 10:\n%s", len(got), strings.Join(got, "\n"))
	}
}

func TestMerge(t *testing.T) {
	template := &Catalog{Messages: []Message{{ID: "a"}, {ID: "b", Plural: "bs"}, {ID: "c"}}}
	old := &Catalog{Header: "Language: de\n", Messages: []Message{{ID: "c", Strings: []string{"C"}}, {ID: "b", Strings: []string{"B"}}, {ID: "d", Strings: []string{"D"}}}}
	got := Merge(template, old)
	want := &Catalog{Header: "Language: de\n", Messages: []Message{{ID: "a"}, {ID: "b", Plural: "bs"}, {ID: "c", Strings: []string{"C"}}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// FuzzParse: whatever is read can be written and read again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(german))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		LMO(c)
		again, err := Parse(c.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Messages) != len(c.Messages) {
			t.Errorf("got %d messages, want %d", len(again.Messages), len(c.Messages))
		}
	})
}

// FuzzScan: any source comes to an end.
func FuzzScan(f *testing.F) {
	f.Add(page)
	f.Fuzz(func(_ *testing.T, src string) { scanJS(src) })
}
