package uci

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// libuciCase is a file's text and what libuci of December 2025 answers: its
// export of the package "x", or why it refuses.
type libuciCase struct {
	Name         string
	File         string
	FileBase64   string `json:"file_base64"`
	Export       string
	ExportBase64 string `json:"export_base64"`
	Refused      string
}

func (c libuciCase) text(t testing.TB) []byte   { return either(t, c.File, c.FileBase64) }
func (c libuciCase) export(t testing.TB) string { return string(either(t, c.Export, c.ExportBase64)) }

func either(t testing.TB, plain, encoded string) []byte {
	if encoded == "" {
		return []byte(plain)
	}
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func libuciCases(t testing.TB) []libuciCase {
	text, err := os.ReadFile("testdata/uci/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []libuciCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	return append(cases, moreCases()...)
}

// moreCases are corners found by comparing this package with libuci (commit
// of 2025-12-02) on random files; the answers are libuci's.
func moreCases() []libuciCase {
	return []libuciCase{
		{
			Name: "semicolon_after_quote", File: "config s 'n'\n\toption a '1'; option b 2\n",
			Export: "package x\n\nconfig s 'n'\n\toption a '1'\n\toption b '2'\n\n",
		},
		{
			Name: "semicolon_apart", File: "config s 'n'\n\toption a 1 ; option b 2\n",
			Export: "package x\n\nconfig s 'n'\n\toption a '1'\n\toption b '2'\n\n",
		},
		{Name: "semicolon_last", File: "config s 'n'\n\toption a '1';\n", Refused: "Parse error (invalid command) at line 2, byte 13"},
		{
			Name: "empty_keeps_earlier", File: "config s 'n'\n\toption a 1\n\toption a ''\n\toption a\n",
			Export: "package x\n\nconfig s 'n'\n\toption a '1'\n\n",
		},
		{Name: "empty_extra_arg", File: "config s 'n'\n\toption a 1 ''\n", Export: "package x\n\nconfig s 'n'\n\toption a '1'\n\n"},
		{Name: "joined_line", File: "config s 'n'\n\toption a x\\\ny\n", Export: "package x\n\nconfig s 'n'\n\toption a 'xy'\n\n"},
		{Name: "bare_config", File: "config\n", Refused: "Parse error (invalid command) at line 1, byte 0"},
		{Name: "bare_config_eof", File: "config", Refused: "Parse error (config without name) at line 0, byte 0"},
		{Name: "bare_config_blank", File: "config \n", Refused: "Parse error (insufficient arguments) at line 1, byte 8"},
		{Name: "option_first", File: "option a b\n", Refused: "Parse error (option/list command found before the first section) at line 1, byte 0"},
		{Name: "retyped", File: "config s 'n'\nconfig t 'n'\n", Refused: "Parse error (section of different type overwrites prior section with same name) at line 2, byte 13"},
		{Name: "unterminated_far", File: "config s 'n'\n\toption a 'b\n\n\n", Refused: "Parse error (EOF with unterminated ') at line 4, byte 15"},
		{
			Name: "generated_name", File: "config s\n\toption a 1\nconfig t\nconfig s 'cfg01b618'\n\toption b 2\n",
			Export: "package x\n\nconfig s\n\toption a '1'\n\toption b '2'\n\nconfig t\n\n",
		},
	}
}

// refusedAt takes libuci's reason and line out of its message.
func refusedAt(t *testing.T, message string) (reason string, line int) {
	m := regexp.MustCompile(`^Parse error \((.*)\) at line (\d+), byte \d+$`).FindStringSubmatch(message)
	if m == nil {
		t.Fatalf("unexpected form of libuci's message: %q", message)
	}
	line, err := strconv.Atoi(m[2])
	if err != nil {
		t.Fatal(err)
	}
	return m[1], line
}

// ourLines are the cases whose line number is ours: a quoted string is reported
// where it began, not at the end of the file, and a file without a single
// newline has a line 1.
func ourLines() map[string]int {
	return map[string]int{"unterminated_far": 2, "cr_only": 1, "bare_config_eof": 1}
}

func TestLibuciCases(t *testing.T) {
	cases := libuciCases(t)
	if len(cases) < 85 {
		t.Fatalf("got %d cases, want at least 85", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			p, err := Parse("x", c.text(t))
			if c.Refused == "" {
				if err != nil {
					t.Fatalf("got error %v, want %q", err, c.export(t))
				}
				if got, want := string(p.AppendExport(nil)), c.export(t); got != want {
					t.Errorf("export\n got %q\nwant %q", got, want)
				}
				return
			}
			var se *SyntaxError
			if p != nil || !errors.As(err, &se) {
				t.Fatalf("got %v, %v, want refusal %q", p, err, c.Refused)
			}
			reason, line := refusedAt(t, c.Refused)
			if c.Name == "nul" {
				reason, line = "NUL byte", 2
			}
			if l, ours := ourLines()[c.Name]; ours {
				line = l
			}
			if se.Reason != reason || se.Line != line {
				t.Errorf("got %q at line %d, want %q at line %d", se.Reason, se.Line, reason, line)
			}
			if strings.ContainsRune(err.Error(), '\n') {
				t.Errorf("message %q has more than one line", err)
			}
		})
	}
}

func TestPositions(t *testing.T) {
	text := "# one\n\nconfig server 'near'\n\toption a 'first\nsecond'\n\tlist l 1\n\n\tlist l 2\n\n" +
		"config server\n\toption a 1\n\nconfig server 'near'\n\toption a 'new'\n"
	p, err := Parse("/etc/config/ntsd", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := &Package{File: "/etc/config/ntsd", Name: "ntsd", Sections: []Section{
		{Type: "server", Name: "near", Line: 3, Options: []Option{
			{Name: "a", Values: []string{"new"}, Line: 14},
			{Name: "l", List: true, Values: []string{"1", "2"}, Line: 8},
		}},
		{Type: "server", Line: 10, Options: []Option{{Name: "a", Values: []string{"1"}, Line: 11}}},
	}}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got\n%+v\nwant\n%+v", p, want)
	}
	if o := p.Sections[0].Option("l"); o == nil || len(o.Values) != 2 {
		t.Errorf("Option(l): got %+v, want two values", o)
	}
	if o := p.Sections[0].Option("none"); o != nil {
		t.Errorf("Option(none): got %+v, want nil", o)
	}
}

func TestSyntaxErrorLine(t *testing.T) {
	_, err := Parse("/etc/config/ntsd", []byte("config server\n\toption maxpoll 10 11\n"))
	if got, want := err.Error(), "uci: /etc/config/ntsd:2: too many arguments"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBool(t *testing.T) {
	for _, w := range []string{"1", "yes", "on", "true", "enabled"} {
		if v, ok := Bool(w); !v || !ok {
			t.Errorf("Bool(%q): got %v, %v, want true, true", w, v, ok)
		}
	}
	for _, w := range []string{"0", "no", "off", "false", "disabled"} {
		if v, ok := Bool(w); v || !ok {
			t.Errorf("Bool(%q): got %v, %v, want false, true", w, v, ok)
		}
	}
	for _, w := range []string{"", "2", "Yes", "TRUE", "y", " 1"} {
		if _, ok := Bool(w); ok {
			t.Errorf("Bool(%q): got ok, want unknown", w)
		}
	}
}

func TestBounds(t *testing.T) {
	tests := []struct {
		name, text, reason string
	}{
		{"size", strings.Repeat("#", MaxSize+1), "longer than 262144 bytes"},
		{"sections", strings.Repeat("config s\n", MaxSections+1), "more than 2048 sections"},
		{"values", "config s\n" + strings.Repeat("list l 1\n", MaxValues+1), "more than 16384 values"},
		{"options", "config s\n" + strings.Repeat("option l 1\n", MaxValues+1), "more than 16384 values"},
	}
	for _, tt := range tests {
		_, err := Parse("x", []byte(tt.text))
		var se *SyntaxError
		if !errors.As(err, &se) || se.Reason != tt.reason {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.reason)
		}
	}
	if _, err := Parse("x", []byte(strings.Repeat("config s\n", MaxSections))); err != nil {
		t.Errorf("%d sections: got %v, want none", MaxSections, err)
	}
}

// TestQuotedType: libuci exports such a type bare, and cannot read it back.
func TestQuotedType(t *testing.T) {
	for _, typ := range []string{`a'b`, `a"b`, `a\b`, `a#b`, `a;b`} {
		p := &Package{Name: "x", Sections: []Section{{Type: typ, Name: "n", Line: 3}}}
		got, err := Parse("x", p.AppendExport(nil))
		if err != nil || len(got.Sections) != 1 || got.Sections[0].Type != typ {
			t.Errorf("type %q: got %+v, %v, want it back", typ, got, err)
		}
	}
}

// stripLines forgets positions, which an export does not keep.
func stripLines(p *Package) *Package {
	p.File = ""
	for i := range p.Sections {
		p.Sections[i].Line = 0
		for j := range p.Sections[i].Options {
			p.Sections[i].Options[j].Line = 0
		}
	}
	return p
}

func FuzzParse(f *testing.F) {
	for _, c := range libuciCases(f) {
		f.Add(c.text(f))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse("x", text)
		if err != nil {
			if p != nil {
				t.Fatalf("got a package beside the error %v", err)
			}
			return
		}
		export := p.AppendExport(nil)
		again, err := Parse("x", export)
		if len(export) > MaxSize {
			return // quoting may lengthen a file beyond the limit
		}
		if err != nil {
			t.Fatalf("export does not parse: %v\n%q", err, export)
		}
		if !reflect.DeepEqual(stripLines(again), stripLines(p)) {
			t.Fatalf("round trip\n got %+v\nwant %+v", again, p)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := []byte(strings.Repeat("config server\n\toption hostname 'time.example'\n\toption nts '1'\n\n", 20))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("ntsd", text); err != nil {
			b.Fatal(err)
		}
	}
}
