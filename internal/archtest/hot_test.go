package archtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestHotPackages: what is compiled with inlining for routers exists, under the
// name that it has now: others would become slow without a word.
func TestHotPackages(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "scripts", "package", "hot"))
	if err != nil {
		t.Fatal(err)
	}
	ours := 0
	for _, pkg := range strings.Fields(string(text)) {
		name, inside := strings.CutPrefix(pkg, "ntsd/internal/")
		if !inside {
			continue
		}
		ours++
		if !slices.ContainsFunc(layers(), func(l layer) bool { return slices.Contains(l.packages, name) }) {
			t.Errorf("scripts/package/hot: there is no package %s", pkg)
		}
	}
	if ours == 0 {
		t.Error("scripts/package/hot names no package of ours")
	}
}
