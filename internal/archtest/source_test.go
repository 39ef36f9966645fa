package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// source is one parsed Go file of the module.
type source struct {
	path string // relative to the module's root, with slashes
	dir  string
	test bool
	fset *token.FileSet
	ast  *ast.File
}

// sources parses every Go file below cmd and internal, tests included.
func sources(t *testing.T) []source {
	t.Helper()
	const root = "../.."
	var files []source
	for _, top := range []string{"cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			rel = filepath.ToSlash(rel)
			files = append(files, source{
				path: rel, dir: filepath.ToSlash(filepath.Dir(rel)),
				test: strings.HasSuffix(path, "_test.go"), fset: fset, ast: file,
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) < 20 {
		t.Fatalf("found only %d Go files: the walk is broken", len(files))
	}
	return files
}

func (f *source) imports() []string {
	var paths []string
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

func (f *source) line(p token.Pos) int { return f.fset.Position(p).Line }

// selectors calls visit for every pkg.Name whose pkg is an imported package.
func (f *source) selectors(visit func(path, name string, pos token.Pos)) {
	names := make(map[string]string)
	for _, spec := range f.ast.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		name := p[strings.LastIndexByte(p, '/')+1:]
		if name == "v2" {
			name = "rand"
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && id.Obj == nil && names[id.Name] != "" {
			visit(names[id.Name], sel.Sel.Name, sel.Pos())
		}
		return true
	})
}
