package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDecisionsAreListed: every decision record has a number of its own, which
// its title begins with, and a line in the list of them.
func TestDecisionsAreListed(t *testing.T) {
	const dir = "../adr"
	list, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	records, err := filepath.Glob(filepath.Join(dir, "[0-9]*.md"))
	if err != nil || len(records) == 0 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for i, path := range records {
		name := filepath.Base(path)
		number := i + 1
		if want := fmt.Sprintf("%04d-", number); !strings.HasPrefix(name, want) {
			t.Errorf("%s: the next record is %s", name, want)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		title, ok := strings.CutPrefix(first, fmt.Sprintf("# %d. ", number))
		if line := fmt.Sprintf("\n%d. [%s](%s)\n", number, title, name); !ok || !strings.Contains(string(list), line) {
			t.Errorf("%s begins %q; README.md beside it has no line %q", name, first, line)
		}
	}
}
