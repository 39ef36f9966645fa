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

// parallel is how many tests run at once: they wait for polls, they do not
// compute.
const parallel = 8

// binDir is the folder that holds ntsd and its symlink ntsctl.
var binDir string //nolint:gochecknoglobals // TestMain has no other way to tell the tests

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set(fmt.Sprint(parallel))
	}
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "ntsd-interop-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	binDir = dir
	if err := provide(filepath.Join(dir, "ntsd")); err != nil {
		return 0, err
	}
	if err := os.Symlink("ntsd", filepath.Join(dir, "ntsctl")); err != nil {
		return 0, err
	}
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
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=interop", "-o", path, "./cmd/ntsd")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFIPS140=v1.0.0")
	if out, err := build.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("go build: %w", err), errors.New(string(out)))
	}
	return nil
}
