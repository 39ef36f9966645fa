package ctl

import (
	"encoding/json"
	"strings"
	"testing"

	"ntsd/internal/config"
)

func TestOptions(t *testing.T) {
	got := runCtl(t, "options", "makestep")
	want := `config makestep: when the clock is stepped instead of slewed
  threshold          offset above which it is stepped [1]
                       a time from 0 to 31622400 in seconds, or with a unit (us, ms, s, m, h, d, w)
  limit              updates in which that may happen; 0: never, -1: always [3]
                       a whole number from -1 to 2147483647
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	var sections []sectionInfo
	if err := json.Unmarshal([]byte(runCtl(t, "options", "--json")), &sections); err != nil {
		t.Fatal(err)
	}
	for i, s := range config.Schema() {
		if i >= len(sections) || sections[i].Type != s.Type || len(sections[i].Options) != len(s.Options) {
			t.Fatalf("section %d of the JSON is not %s with %d options", i, s.Type, len(s.Options))
		}
		for _, o := range s.Options {
			if len(o.Name) > optionWidth {
				t.Errorf("%s.%s is longer than its column", s.Type, o.Name)
			}
		}
	}
}

func TestOptionsOfUnknownSection(t *testing.T) {
	var out, errs strings.Builder
	if got := Main([]string{"options", "sever"}, Program{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Version: "1"}); got != ExitUsage {
		t.Errorf("exit status %d, want %d", got, ExitUsage)
	}
	if !strings.Contains(errs.String(), "did you mean 'server'") {
		t.Errorf("got %q", errs.String())
	}
}

func runCtl(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs strings.Builder
	if got := Main(args, Program{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Version: "1"}); got != ExitDone {
		t.Fatalf("%q: exit status %d: %s", args, got, errs.String())
	}
	return out.String()
}
