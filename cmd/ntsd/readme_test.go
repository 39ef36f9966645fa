package main

import (
	"flag"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ntsd/internal/ctl"
	"ntsd/internal/interop"
)

// TestReadmeTables: what the tables tell people to type is there.
func TestReadmeTables(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, ok := strings.Cut(string(text), "\n## You used X, now type Y\n")
	if !ok {
		t.Fatal("there is no such part")
	}
	part, _, _ = strings.Cut(part, "\n## ")
	var commands []string
	for _, c := range ctl.Commands() {
		commands = append(commands, c.Name)
	}
	found := make(map[string]bool)
	count := 0
	for _, m := range regexp.MustCompile("`[^`]+`").FindAllString(strings.ReplaceAll(part, "\n", " "), -1) {
		words := strings.Fields(strings.Trim(m, "`"))
		switch words[0] {
		case "ntsctl":
			count++
			found[checkClient(t, words[1:], commands)] = true
		case "ntsd":
			count++
			checkDaemon(t, words[1:])
		}
	}
	if count < 60 {
		t.Errorf("only %d commands are named", count)
	}
	// What has an equivalent elsewhere, or is worth knowing, is named.
	for _, name := range commands {
		if !found[name] && !slices.Contains([]string{"help", "version", "completion", "rpcd"}, name) {
			t.Errorf("ntsctl %s is not in the tables", name)
		}
	}
}

// checkClient returns the command of ntsctl in words.
func checkClient(t *testing.T, words, commands []string) (name string) {
	t.Helper()
	for i, w := range words {
		switch {
		case name == "" && w[0] != '-' && (i == 0 || words[i-1] != "-h"):
			if name = w; name != "COMMAND" && !slices.Contains(commands, w) {
				t.Errorf("%q: there is no such command", words)
			}
		case w[0] == '-' && !(name == "clients" || name == "test" || ctl.KnowsFlag(strings.TrimLeft(w, "-"))):
			t.Errorf("%q: there is no flag %s", words, w)
		}
	}
	return name
}

// checkDaemon tries the flags of ntsd in words, which run nothing.
func checkDaemon(t *testing.T, words []string) {
	t.Helper()
	words = interop.ShellWords(strings.Join(words, " "))
	if len(words) > 0 && words[0] == "demo" {
		return
	}
	if _, err := parseFlags(words, io.Discard, io.Discard); err != nil && err != flag.ErrHelp {
		t.Errorf("ntsd %q: %v", words, err)
	}
}
