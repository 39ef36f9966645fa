package acceptance

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// parallel is how many tests run at once: they wait for polls, they do not
// compute.
const parallel = 24

// binDir is the folder that holds ntsd and its symlink ntsctl.
var binDir string //nolint:gochecknoglobals // TestMain has no other way to tell the tests

func TestMain(m *testing.M) {
	flag.Parse()
	moveToOwnNetwork()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set(fmt.Sprint(parallel))
	}
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "acceptance:", err)
		code = 1
	}
	os.Exit(code)
}

// moved marks a process that has a network of its own.
const moved = "NTSD_ACCEPTANCE_MOVED"

// moveToOwnNetwork starts this program again where it is alone with its
// loopback interface, so that every port is free, also NTP's. Where that cannot
// be it returns, and the tests share the machine's.
func moveToOwnNetwork() {
	path, err := exec.LookPath("unshare")
	if err != nil || os.Geteuid() != 0 || os.Getenv(moved) != "" {
		return
	}
	line := []string{path, "--net", "--", "sh", "-c", `ip link set lo up && exec "$@"`, "sh"}
	if exec.Command(line[0], append(line[1:], "true")...).Run() != nil {
		return
	}
	line = append(line, os.Args...)
	// Its error is that of a machine where the tests run as they are.
	_ = syscall.Exec(path, line, append(os.Environ(), moved+"=1"))
}

func runTests(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "ntsd-acceptance-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	// Other users run the binary too.
	if err := os.Chmod(dir, 0o755); err != nil {
		return 0, err
	}
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
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=acceptance", "-o", path, "./cmd/ntsd")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFIPS140=v1.0.0")
	if out, err := build.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("go build: %w", err), errors.New(string(out)))
	}
	return nil
}
