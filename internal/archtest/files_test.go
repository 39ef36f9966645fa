package archtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// maxFileSize is larger than anything that a person writes or a test records.
const maxFileSize = 256 << 10

// TestNothingBuiltIsKept: what git keeps is what somebody wrote: no program, and
// nothing of a program's size.
func TestNothingBuiltIsKept(t *testing.T) {
	const root = "../.."
	list, err := exec.Command("git", "-C", root, "ls-files", "-z").Output()
	if err != nil {
		t.Skipf("not in a repository, or without git: %v", err)
	}
	for name := range bytes.SplitSeq(bytes.TrimRight(list, "\x00"), []byte{0}) {
		path := filepath.Join(root, string(name))
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue // deleted, and that not committed yet; or a link
		}
		if info.Size() > maxFileSize {
			t.Errorf("%s has %d bytes, more than %d", name, info.Size(), maxFileSize)
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(text, []byte("\x7fELF")) {
			t.Errorf("%s is a program", name)
		}
	}
}
