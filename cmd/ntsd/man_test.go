package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"ntsd/internal/config"
	"ntsd/internal/ctl"
	"ntsd/internal/foreign"
	"ntsd/internal/selection"
	"ntsd/internal/status"
	"ntsd/internal/tables"
)

// The pages are written by hand. These tests keep them from drifting away from
// the tables that the program is driven by.

// manBlock is what stands under one heading of a page.
type manBlock struct {
	part, title string // of .Sh and .Ss
	text        string // before the first list
	items       []manItem
}

// manItem is one entry of a tagged list: its name, the rest of its line, and
// its text.
type manItem struct{ macro, name, args, text string }

// readMan parses a page as far as these tests need it.
func readMan(t *testing.T, page string) []manBlock {
	t.Helper()
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := []manBlock{{}}
	depth := 0
	for line := range strings.SplitSeq(string(raw), "\n") {
		b := &blocks[len(blocks)-1]
		macro, rest, _ := strings.Cut(line, " ")
		switch {
		case macro == ".Sh":
			blocks = append(blocks, manBlock{part: rest})
		case macro == ".Ss":
			blocks = append(blocks, manBlock{part: b.part, title: rest})
		case macro == ".Bl":
			depth++
		case macro == ".El":
			depth--
		case macro == ".It" && depth == 1:
			words := append(strings.SplitN(rest, " ", 3), "", "")
			b.items = append(b.items, manItem{macro: words[0], name: words[1], args: words[2]})
		case len(b.items) > 0:
			last := &b.items[len(b.items)-1]
			last.text += line + "\n"
		default:
			b.text += line + "\n"
		}
	}
	return blocks
}

// manItems returns the entries of a page that are marked up with macro, by
// name; a page that has one twice fails.
func manItems(t *testing.T, page, macro string) map[string]manItem {
	t.Helper()
	all := make(map[string]manItem)
	for _, b := range readMan(t, page) {
		for _, item := range b.items {
			if item.macro != macro {
				continue
			}
			if _, twice := all[item.name]; twice {
				t.Errorf("%s: %s %s has two entries", page, macro, item.name)
			}
			all[item.name] = item
		}
	}
	return all
}

const configPage = "ntsd.conf.5"

// TestManConfig: every section and option of the schema has its entry with its
// default, and there is nothing else.
func TestManConfig(t *testing.T) {
	schema := config.Schema()
	documented := make(map[string]bool)
	entries := make(map[string]manItem) // by "section.option"
	for _, b := range readMan(t, configPage) {
		if b.title == "" || b.part == "DESCRIPTION" {
			continue
		}
		sections := titleSections(schema, b.title)
		if len(sections) == 0 {
			t.Errorf("%q is not about a section of the schema", b.title)
		}
		for _, s := range sections {
			documented[s.Type] = true
		}
		for _, item := range b.items {
			known := false
			for _, s := range sections {
				entries[s.Type+"."+item.name] = item
				known = known || slices.ContainsFunc(s.Options, func(o *config.Option) bool { return o.Name == item.name })
			}
			if !known {
				t.Errorf("%q: option %q is not in the schema", b.title, item.name)
			}
		}
	}
	for _, s := range schema {
		if !documented[s.Type] {
			t.Errorf("section %s has no heading", s.Type)
		}
		for _, o := range s.Options {
			item, ok := entries[s.Type+"."+o.Name]
			if !ok {
				t.Errorf("option %s.%s has no entry", s.Type, o.Name)
				continue
			}
			checkOption(t, s, o, item)
		}
	}
}

// titleSections returns the sections that a heading names.
func titleSections(schema []*config.Section, title string) []*config.Section {
	var sections []*config.Section
	for word := range strings.FieldsSeq(strings.ReplaceAll(title, ",", " ")) {
		for _, s := range schema {
			if s.Type == word {
				sections = append(sections, s)
			}
		}
	}
	return sections
}

// defaultText is the line of an entry that ends with its default.
var defaultText = regexp.MustCompile(`(?m)^Default: (.+)\.$`)

// rangeText and choiceText match what Option.Allowed says of numbers and of
// words.
var (
	rangeText  = regexp.MustCompile(`a (?:whole )?number(?: of ppm)? from (\S+) to (\S+)`)
	choiceText = regexp.MustCompile(`^[A-Za-z0-9_]+(, [A-Za-z0-9_]+)* or [A-Za-z0-9_]+$`)
)

func checkOption(t *testing.T, s *config.Section, o *config.Option, item manItem) {
	t.Helper()
	name := s.Type + "." + o.Name
	got := ""
	if m := defaultText.FindStringSubmatch(item.text); m != nil {
		got = m[1]
	}
	if got != o.Default {
		t.Errorf("%s: default in the page %q, want %q", name, got, o.Default)
	}
	var words []string
	if m := rangeText.FindStringSubmatch(o.Allowed); m != nil {
		words = m[1:]
	} else if choiceText.MatchString(o.Allowed) {
		words = strings.Fields(strings.ReplaceAll(strings.ReplaceAll(o.Allowed, ",", ""), " or ", " "))
	}
	for _, w := range words {
		if !strings.Contains(item.text, w) {
			t.Errorf("%s: must be %s, and the page does not say %q", name, o.Allowed, w)
		}
	}
	if o.List != strings.Contains(item.text, "List ") {
		t.Errorf("%s: a list: %v, the page says otherwise", name, o.List)
	}
}

// manExamples returns the literal displays of the part EXAMPLES.
func manExamples(t *testing.T, page string) []string {
	t.Helper()
	var all []string
	for _, b := range readMan(t, page) {
		if b.part != "EXAMPLES" {
			continue
		}
		for i, display := range strings.Split(b.text, ".Bd -literal") {
			if i > 0 {
				_, display, _ = strings.Cut(display, "\n")
				text, _, _ := strings.Cut(display, ".Ed")
				all = append(all, strings.NewReplacer(`\(aq`, "'", `\-`, "-", `\e`, `\`).Replace(text))
			}
		}
	}
	if len(all) == 0 {
		t.Errorf("%s: no examples", page)
	}
	return all
}

func TestManConfigExamples(t *testing.T) {
	for _, text := range manExamples(t, configPage) {
		cfg, diagnostics := config.LoadFile("example", func(string) ([]byte, error) { return []byte(text), nil })
		for _, d := range diagnostics {
			if d.Severity == config.Error || strings.Contains(d.Message, "not known") {
				t.Errorf("%s: %s\n%s", d.Severity, d, text)
			}
		}
		if !cfg.Usable() {
			t.Errorf("not usable:\n%s", text)
		}
	}
}

// TestManDaemon: the page has the flags of ntsd, and directives that exist.
func TestManDaemon(t *testing.T) {
	const page = "ntsd.8"
	var help bytes.Buffer
	_, _ = parseFlags([]string{"-h"}, &help, io.Discard) // flag.ErrHelp, by its nature
	var want []string
	for _, m := range regexp.MustCompile(`(?m)^  -(\w+)`).FindAllStringSubmatch(help.String(), -1) {
		want = append(want, m[1])
	}
	checkNames(t, page+": flags", manItems(t, page, "Fl"), want)
	directives := manItems(t, page, "Ic")
	if len(directives) == 0 {
		t.Errorf("%s: no directives", page)
	}
	for name := range directives {
		_, diagnostics := foreign.ParseDirectives([]string{name}, nil)
		for _, d := range diagnostics {
			if strings.Contains(d.Message, "is not a directive") || strings.Contains(d.Message, "no equivalent") {
				t.Errorf("%s: %s", page, d)
			}
		}
	}
}

// TestManClient: the page has the commands and flags of ntsctl.
func TestManClient(t *testing.T) {
	const page = "ntsctl.8"
	commands := manItems(t, page, "Ic")
	var want []string
	for _, c := range ctl.Commands() {
		want = append(want, c.Name)
		for _, arg := range regexp.MustCompile(`[A-Z]{3,}`).FindAllString(c.Args, -1) {
			if !strings.Contains(strings.ToUpper(commands[c.Name].args), arg) {
				t.Errorf("%s: the entry of %s lacks the argument %s", page, c.Name, arg)
			}
		}
	}
	checkNames(t, page+": commands", commands, want)

	want = nil
	for letter := byte('A'); letter <= 'z'; letter++ {
		if ctl.KnowsFlag(string(letter)) {
			want = append(want, string(letter))
		}
	}
	for _, m := range regexp.MustCompile(`--[a-z]+`).FindAllString(ctl.Summary(), -1) {
		want = append(want, strings.TrimPrefix(m, "-"))
	}
	flags := manItems(t, page, "Fl")
	for name := range flags {
		// Flags that are words are not in a table: ask for each.
		if long, isLong := strings.CutPrefix(name, "-"); isLong && ctl.KnowsFlag(long) {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	checkNames(t, page+": flags", flags, slices.Compact(want))
}

// TestManColumns: the page explains every column, line and state that the
// tables show.
func TestManColumns(t *testing.T) {
	raw, err := os.ReadFile("ntsctl.8")
	if err != nil {
		t.Fatal(err)
	}
	explained := make(map[string]bool) // words of entries
	for _, m := range regexp.MustCompile(`(?m)^\.It (.+)$`).FindAllStringSubmatch(string(raw), -1) {
		for word := range strings.FieldsSeq(m[1]) {
			explained[word] = true
		}
	}
	// One source with an address, so that ntpdata has something to show.
	report := status.Report{Sources: []status.Source{{Ident: status.Ident{Address: "192.0.2.1"}}}}
	var headers, lists bytes.Buffer
	for _, render := range []func(io.Writer, status.Report, tables.Options) error{
		tables.Sources, tables.Sourcestats, tables.Selectdata, tables.Authdata,
	} {
		var b bytes.Buffer
		err = errors.Join(err, render(&b, report, tables.Options{}))
		header, _, _ := strings.Cut(b.String(), "\n")
		// The two first columns of sources are one letter each.
		fmt.Fprintln(&headers, strings.Replace(header, "MS ", "M S ", 1))
	}
	_, ntpErr := tables.NTPdata(&lists, report, tables.Options{}, "192.0.2.1")
	if err := errors.Join(err, ntpErr, tables.Tracking(&lists, report, tables.Options{})); err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(regexp.MustCompile(`Name/IP [Aa]ddress`).ReplaceAllString(headers.String(), "Name"))
	for line := range strings.Lines(lists.String()) {
		label, _, _ := strings.Cut(line, " :")
		label, _, _ = strings.Cut(label, ":")
		words = append(words, strings.Fields(strings.ReplaceAll(label, "(UTC)", ""))...)
	}
	for s := selection.State(0); s.String() != "unknown"; s++ {
		words = append(words, string(s.Letter()), string(s.Mark()))
	}
	if len(words) < 60 {
		t.Errorf("only %d words to explain: %q", len(words), words)
	}
	for _, w := range words {
		if !explained[w] {
			t.Errorf("ntsctl.8: no entry explains %q", w)
		}
	}
}

func checkNames(t *testing.T, what string, got map[string]manItem, want []string) {
	t.Helper()
	for _, name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("%s: %s has no entry", what, name)
		}
	}
	for name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("%s: %s is in the page only", what, name)
		}
	}
}

// TestThreatsNameTests: every test that the threat model calls as a witness
// exists.
func TestThreatsNameTests(t *testing.T) {
	const root = "../../internal/"
	text, err := os.ReadFile(root + "THREATS.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z/]+): ((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(text), -1)
	if len(named) == 0 {
		t.Error("no test is named")
	}
	for _, m := range named {
		folder := root + m[1]
		if strings.HasPrefix(m[1], "cmd/") {
			folder = "../../" + m[1]
		}
		files, err := filepath.Glob(folder + "/*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(file string) bool {
			source, _ := os.ReadFile(file) // one that is gone has no tests
			return bytes.Contains(source, []byte("\nfunc "+m[2]+"("))
		}) {
			t.Errorf("package %s has no %s", m[1], m[2])
		}
	}
}

// TestTourNamesPackages: the tour of the code leaves no package out.
func TestTourNamesPackages(t *testing.T) {
	const root = "../../internal"
	tour, err := os.ReadFile(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "testdata":
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		if pkg, _ := filepath.Rel(root, filepath.Dir(path)); !bytes.Contains(tour, []byte("`"+filepath.ToSlash(pkg)+"`")) {
			t.Errorf("package %s is not in internal/README.md", pkg)
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// terminalWidth is what a page must fit into.
const terminalWidth = 80

func TestManFormat(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	switch {
	case err == nil:
	case os.Getenv("NTSD_CI") != "":
		t.Fatal("mandoc is not installed")
	default:
		t.Skip("mandoc is not installed: pages not checked")
	}
	for _, page := range []string{"ntsd.8", "ntsctl.8", configPage} {
		if out, err := exec.Command(mandoc, "-T", "lint", "-W", "warning", page).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", page, err, out)
		}
		cmd := exec.Command(mandoc, "-T", "utf8", page)
		cmd.Stderr = io.Discard
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v", page, err)
		}
		// Bold and underlined letters are struck over.
		text := regexp.MustCompile(`.\x08`).ReplaceAllString(string(out), "")
		for line := range strings.SplitSeq(text, "\n") {
			if utf8.RuneCountInString(line) > terminalWidth {
				t.Errorf("%s: wider than %d columns: %s", page, terminalWidth, line)
			}
		}
	}
}
