package captured

import (
	"os"
	"strings"
	"testing"
)

// Printed returns what a peer's tool printed of that state: the file
// testdata/peer-outputs/NAME.txt without its first line, the command, and its
// last, the exit status. Only tests of packages two folders deep find it.
func Printed(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile("../../testdata/peer-outputs/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(raw), "\n")
	i := strings.LastIndex(text, "# rc=")
	if i < 0 {
		t.Fatalf("%s: no exit status line", name)
	}
	return text[:i]
}
