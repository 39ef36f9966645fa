package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// inCore reports whether f is a shipped file of layers 0 to 2.
func inCore(f source) bool {
	pkg, ok := strings.CutPrefix(f.dir, "internal/")
	return ok && !f.test && slices.Contains(core(), pkg)
}

// The core decides from its arguments alone: the same events give the same
// actions in the simulator, under test and on the router.
func TestCoreIsDeterministic(t *testing.T) {
	banned := []string{
		"math/rand", "math/rand/v2", "crypto/rand", "log", "log/slog", "sync", "sync/atomic",
		"os", "os/exec", "os/signal", "net", "context", "syscall", "golang.org/x/sys/unix", "crypto/tls",
	}
	clockReads := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	for _, f := range sources(t) {
		if !inCore(f) {
			continue
		}
		for _, imp := range f.imports() {
			if slices.Contains(banned, imp) {
				t.Errorf("%s imports %s", f.path, imp)
			}
		}
		f.selectors(func(path, name string, pos token.Pos) {
			if path != "time" {
				return
			}
			if slices.Contains(clockReads, name) {
				t.Errorf("%s:%d uses time.%s", f.path, f.line(pos), name)
			}
			if name == "Time" && f.dir != "internal/clock" {
				t.Errorf("%s:%d uses time.Time; the core speaks clock.Wall and clock.Mono", f.path, f.line(pos))
			}
		})
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.GoStmt, *ast.SelectStmt, *ast.ChanType:
				t.Errorf("%s:%d uses goroutines or channels", f.path, f.line(n.Pos()))
			}
			return true
		})
	}
}

// These functions are assembly on some architectures and differ there in the
// last bit; Sqrt, Abs, Floor and the like are exact everywhere.
func TestNumericsAreTheSameEverywhere(t *testing.T) {
	exact := []string{
		"Sqrt", "Abs", "Floor", "Ceil", "Round", "Trunc", "Min", "Max", "Inf", "IsInf", "NaN", "IsNaN", "Copysign",
		"Signbit", "Float64bits", "Float64frombits", "Ldexp", "Frexp", "FMA",
	}
	packages := []string{"internal/filter", "internal/discipline", "internal/selection"}
	for _, f := range sources(t) {
		if f.test || !slices.Contains(packages, f.dir) {
			continue
		}
		f.selectors(func(path, name string, pos token.Pos) {
			constant := strings.HasPrefix(name, "Max") || strings.HasPrefix(name, "Pi") || strings.HasPrefix(name, "Smallest")
			if path == "math" && !constant && !slices.Contains(exact, name) {
				t.Errorf("%s:%d uses math.%s", f.path, f.line(pos), name)
			}
		})
	}
}

// Certificates are verified in VerifyConnection at a time that the engine
// chooses; the switch that leaves it to us may stand in one place only.
func TestInsecureSkipVerifyStandsOnce(t *testing.T) {
	var places []string
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == "InsecureSkipVerify" {
				places = append(places, f.dir)
			}
			return true
		})
	}
	if !slices.Equal(places, []string{"internal/ntske"}) {
		t.Errorf("InsecureSkipVerify stands in %v, want once in internal/ntske", places)
	}
}

func TestNoHiddenStarts(t *testing.T) {
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s:%d: func init", f.path, f.line(fn.Pos()))
			}
		}
		f.selectors(func(path, name string, pos token.Pos) {
			// Only tests use these.
			if strings.HasPrefix(f.dir, "cmd/") || f.dir == "internal/interop" || f.ast.Name.Name == "main" {
				return
			}
			if path == "log" || path == "os" && name == "Exit" || path == "os/exec" {
				t.Errorf("%s:%d uses %s.%s outside cmd", f.path, f.line(pos), path, name)
			}
		})
		for _, imp := range f.imports() {
			if imp == "net/http" {
				t.Errorf("%s imports net/http: its size does not fit a router", f.path)
			}
		}
	}
}
