package archtest

import (
	"go/ast"
	"testing"
)

// Bounds on what a reader has to hold in mind at once.
const (
	maxFunctionLines = 70
	maxFileLines     = 500
	maxTestLines     = 800
	maxPackageLines  = 2500
)

func TestSizes(t *testing.T) {
	packages := make(map[string]int)
	for _, f := range sources(t) {
		lines := f.fset.File(f.ast.Pos()).LineCount()
		limit := maxFileLines
		if f.test {
			limit = maxTestLines
		} else {
			packages[f.dir] += lines
		}
		if lines > limit {
			t.Errorf("%s has %d lines, more than %d", f.path, lines, limit)
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || f.test {
				continue
			}
			if n := f.line(fn.End()) - f.line(fn.Pos()) + 1; n > maxFunctionLines {
				t.Errorf("%s:%d: %s has %d lines, more than %d", f.path, f.line(fn.Pos()), fn.Name.Name, n, maxFunctionLines)
			}
		}
	}
	for dir, lines := range packages {
		if lines > maxPackageLines {
			t.Errorf("package %s has %d lines, more than %d", dir, lines, maxPackageLines)
		}
	}
}

func TestPackagesAreDocumented(t *testing.T) {
	documented := make(map[string]bool)
	for _, f := range sources(t) {
		if !f.test {
			documented[f.dir] = documented[f.dir] || f.ast.Doc != nil
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}
