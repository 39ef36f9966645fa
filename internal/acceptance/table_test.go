package acceptance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// checks is how many the guides come to.
const checks = 63

// wait is a check that no test here can make yet.
type wait struct {
	number int
	needs  string
}

// waiting lists the checks that are not tests, and what each of them waits
// for. A check leaves this table when its test is written and passes.
func waiting() []wait {
	return nil
}

// TestEveryCheckIsAccountedFor: each number is either a test or in the table,
// once; the table is printed with -v.
func TestEveryCheckIsAccountedFor(t *testing.T) {
	found := make(map[int][]string)
	for _, name := range testNames(t) {
		if m := regexp.MustCompile(`^TestCheck(\d\d)`).FindStringSubmatch(name); m != nil {
			n, _ := strconv.Atoi(m[1])
			found[n] = append(found[n], name)
		}
	}
	for _, w := range waiting() {
		found[w.number] = append(found[w.number], "waits for "+w.needs)
	}
	for n := 1; n <= checks; n++ {
		if len(found[n]) != 1 {
			t.Errorf("check %d: got %d entries %q, want one", n, len(found[n]), found[n])
			continue
		}
		t.Logf("%2d  %s", n, found[n][0])
		delete(found, n)
	}
	for n, names := range found {
		if n < 1 || n > checks {
			t.Errorf("there is no check %d: %q", n, names)
		}
	}
}

// testNames returns the names of the tests in this folder.
func testNames(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}
