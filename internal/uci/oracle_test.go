package uci

import (
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	gouci "github.com/digineo/go-uci"
)

// goUCI loads text as the package "x" with go-uci.
func goUCI(t *testing.T, text []byte) (gouci.Tree, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	tree := gouci.NewTree(dir)
	return tree, tree.LoadConfig("x", true)
}

// disagreement compares go-uci's reading of a file with ours, and returns ""
// where they agree.
func disagreement(t *testing.T, text []byte) string {
	p, ourErr := Parse("x", text)
	tree, err := goUCI(t, text)
	switch {
	case ourErr != nil && err != nil:
		return ""
	case ourErr != nil:
		return "accepts"
	case err != nil:
		return "refuses"
	}
	seen := map[string]int{}
	for _, s := range p.Sections {
		names, _ := tree.GetSections("x", s.Type)
		i := seen[s.Type]
		seen[s.Type]++
		if i >= len(names) || s.Name != "" && names[i] != s.Name {
			return "sections differ"
		}
		for _, o := range s.Options {
			if got, _ := tree.Get("x", names[i], o.Name); !reflect.DeepEqual(got, o.Values) {
				return "values differ"
			}
		}
	}
	for typ, n := range seen {
		if names, _ := tree.GetSections("x", typ); len(names) != n {
			return "sections differ"
		}
	}
	return ""
}

// TestGoUCIAgrees: on the subset that go-uci knows (quoted values on one line,
// no escapes, nothing repeated) an independent reader finds the same.
func TestGoUCIAgrees(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewSource(seed))
	for range 300 {
		text := randomPlainFile(rng)
		if d := disagreement(t, text); d != "" {
			t.Errorf("go-uci: %s on %q", d, text)
		}
	}
}

func randomPlainFile(rng *rand.Rand) []byte {
	value := func() string {
		const letters = "abcXYZ019 .:/%_-"
		b := make([]byte, 1+rng.Intn(12))
		for i := range b {
			b[i] = letters[rng.Intn(len(letters))]
		}
		quote := []string{"'", `"`}[rng.Intn(2)]
		return quote + string(b) + quote
	}
	var b strings.Builder
	for i := range rng.Intn(5) {
		typ := []string{"server", "pool", "allow"}[rng.Intn(3)]
		if rng.Intn(2) == 0 {
			fmt.Fprintf(&b, "config %s\n", typ)
		} else {
			fmt.Fprintf(&b, "config %s 'name%d'\n", typ, i)
		}
		for j := range rng.Intn(4) {
			fmt.Fprintf(&b, "\toption o%d %s\n", j, value())
		}
		for j := range rng.Intn(4) { // a list per item: go-uci drops repeated ones
			fmt.Fprintf(&b, "\tlist l%d %s\n", j, value())
		}
		b.WriteString("\n")
	}
	return []byte(b.String())
}

// TestGoUCIFaults pins where go-uci leaves libuci, and so why it does not
// ship: a router's own files are among these cases.
func TestGoUCIFaults(t *testing.T) {
	want := goUCIFaults()
	got := map[string]string{}
	for _, c := range libuciCases(t) {
		if d := disagreement(t, c.text(t)); d != "" {
			got[c.Name] = d
		}
	}
	for name, d := range got {
		if want[name] != d {
			t.Errorf("%s: got %q, want %q", name, d, want[name])
		}
	}
	for name, d := range want {
		if got[name] == "" {
			t.Errorf("%s: got agreement, want %q", name, d)
		}
	}
}

// TestGoUCIWritesInjection: a quote in a value ends it, and what follows is
// read back as options of their own.
func TestGoUCIWritesInjection(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x")
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("config s 'n'\n\toption a 'b'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, file); err != nil {
		t.Fatal(err)
	}
	tree := gouci.NewTree(dir)
	tree.SetType("x", "n", "a", gouci.TypeOption, "1'\n\toption evil 'yes")
	if err := tree.Commit(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse("x", text)
	if err != nil {
		t.Fatal(err)
	}
	if p.Sections[0].Option("evil") == nil {
		t.Errorf("got %q, want the injected option", text)
	}
	fi, err := os.Lstat(file)
	if err != nil {
		t.Fatal(err)
	}
	if fi.Mode() != 0o644 {
		t.Errorf("mode: got %v, want a plain 0644 file where a link to a 0600 one was", fi.Mode())
	}
	// Ours, from the same value.
	ours := &Package{Name: "x", Sections: []Section{{
		Type: "s", Name: "n",
		Options: []Option{{Name: "a", Values: []string{"1'\n\toption evil 'yes"}}},
	}}}
	again, err := Parse("x", ours.AppendExport(nil))
	if err != nil || len(again.Sections[0].Options) != 1 {
		t.Errorf("our export: got %+v, %v, want one option", again, err)
	}
}

// goUCIFaults are the cases that go-uci gets wrong, by what it does.
func goUCIFaults() map[string]string {
	faults := map[string]string{}
	for d, names := range map[string]string{
		"accepts": "dot_sec hyphen_opt nul retyped space_sec two_configs_same_line",
		"refuses": "concat concat2 crlf crlf_anon dot_type empty_extra_arg empty_keeps_earlier empty_then_concat " +
			"empty_value_dq empty_value_sq esc_sq_close formfeed hash_unq_start list_empty missing_value " +
			"multiline_dq multiline_sq no_eol_unq optname_quoted pkg_line pkg_line_q second_package " +
			"semicolon_after_quote semicolon_apart short_kw sq_trailing_bs type_dq vertical_tab",
		"values differ": "esc_in_dq generated_name joined_line list_dup semicolon semicolon_unq unq_bs unq_escape_space",
	} {
		for _, name := range strings.Fields(names) {
			faults[name] = d
		}
	}
	return faults
}
