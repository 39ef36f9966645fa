package nts

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test that REQUIREMENTS.md names is there, in the package it says.
func TestRequirementsNameTests(t *testing.T) {
	doc, err := os.ReadFile("REQUIREMENTS.md")
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{} // the tests of a package
	named := regexp.MustCompile("(?:([a-z/]+) )?`((?:Test|Fuzz)\\w+)`")
	n := 0
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		pkg := "nts" // a package's name counts for the rest of the cell
		for _, m := range named.FindAllStringSubmatch(cells[len(cells)-2], -1) {
			if m[1] != "" {
				pkg = m[1]
			}
			if _, ok := sources[pkg]; !ok {
				sources[pkg] = testsOf(t, filepath.Join("..", pkg))
			}
			if n++; !strings.Contains(sources[pkg], "\nfunc "+m[2]+"(") {
				t.Errorf("%s is not in %s:\n%s", m[2], pkg, line)
			}
		}
	}
	if n < 100 {
		t.Errorf("%d tests found in the table, want more than 100", n)
	}
}

func testsOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s: %v", dir, err)
	}
	var all strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}
