package interop

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// RunTests is the body of a TestMain whose tests start the built binary: it
// provides ntsd and its symlink ntsctl in a folder that everybody can read,
// puts the folder's path into binDir, and runs the tests, so many at once
// unless the command line says otherwise: they wait for polls, they do not
// compute. It returns the exit status.
func RunTests(m *testing.M, parallel int, binDir *string) int {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set(fmt.Sprint(parallel))
	}
	code, err := runTests(m, binDir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tests of the built binary:", err)
		return 1
	}
	return code
}

func runTests(m *testing.M, binDir *string) (int, error) {
	dir, err := os.MkdirTemp("", "ntsd-test-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	// Other users run the binary too.
	if err := os.Chmod(dir, 0o755); err != nil {
		return 0, err
	}
	if err := provide(filepath.Join(dir, "ntsd")); err != nil {
		return 0, err
	}
	if err := os.Symlink("ntsd", filepath.Join(dir, "ntsctl")); err != nil {
		return 0, err
	}
	*binDir = dir
	return m.Run(), nil
}

// provide puts the binary at path: the one that NTSD_BINARY names, or one
// built with the Makefile's flags.
func provide(path string) error {
	if given := os.Getenv("NTSD_BINARY"); given != "" {
		data, err := os.ReadFile(given)
		if err != nil {
			return fmt.Errorf("NTSD_BINARY: %w", err)
		}
		return os.WriteFile(path, data, 0o755)
	}
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=test", "-o", path, "./cmd/ntsd")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFIPS140=v1.0.0")
	if out, err := build.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("go build: %w", err), errors.New(string(out)))
	}
	return nil
}
