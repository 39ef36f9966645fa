package archtest

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// fast names the packages that are compiled for speed: they answer clients, take
// stamps, or compute with every sample. All others are compiled for size: they
// stand in scripts/package/cold.
func fast() []string {
	return []string{
		"clock", "ntptime", "cmac", "siv", "wire", "mac", "nts", "order", "event", "filter", "selection", "discipline",
		"smooth", "server", "responder", "linux/sysclock", "linux/udp", "linux/serving",
	}
}

// TestColdOrFast: every package that may be part of the program is one of the two.
func TestColdOrFast(t *testing.T) {
	text, err := os.ReadFile("../../scripts/package/cold")
	if err != nil {
		t.Fatal(err)
	}
	var cold []string
	for _, name := range strings.Fields(string(text)) {
		if pkg, ours := strings.CutPrefix(name, "ntsd/internal/"); ours {
			if rank(pkg) < 0 {
				t.Errorf("scripts/package/cold names %s, which is no package", name)
			}
			cold = append(cold, pkg)
		}
	}
	all := layers()
	for _, l := range all[:len(all)-1] { // the last is never in it
		for _, pkg := range l.packages {
			if slices.Contains(cold, pkg) == slices.Contains(fast(), pkg) {
				t.Errorf("package %s must stand either in scripts/package/cold or among the fast ones here", pkg)
			}
		}
	}
}
