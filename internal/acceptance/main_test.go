package acceptance

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"ntsd/internal/interop"
)

// binDir is the folder that holds ntsd and its symlink ntsctl.
var binDir string //nolint:gochecknoglobals // TestMain has no other way to tell the tests

func TestMain(m *testing.M) {
	moveToOwnNetwork()
	os.Exit(interop.RunTests(m, 24, &binDir))
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
