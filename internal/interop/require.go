package interop

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// capSysTime is the number of CAP_SYS_TIME (capabilities(7)).
const capSysTime = 25

// withoutSysTime returns the beginning of a command line whose program, and
// whatever that starts, cannot set the clock.
func withoutSysTime() []string {
	return []string{"setpriv", "--bounding-set=-sys_time", "--inh-caps=-sys_time", "--"}
}

// Unavailable skips the test; with NTSD_CI set it fails the test instead: there
// everything must be there.
func Unavailable(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("NTSD_CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// require checks that namespaces can be made, and that programs in them cannot
// set the clock.
func require(t testing.TB) {
	t.Helper()
	for _, tool := range []string{"ip", "nsenter", "setpriv"} {
		if _, err := exec.LookPath(tool); err != nil {
			Unavailable(t, "interop: %v", err)
		}
	}
	if os.Geteuid() != 0 {
		Unavailable(t, "interop: network namespaces need root")
	}
	args := append(withoutSysTime(), "cat", "/proc/self/status")
	out, err := exec.Command(args[0], args[1:]...).Output()
	if err != nil {
		Unavailable(t, "interop: setpriv: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		if canSetClock(line) {
			t.Fatalf("interop: programs could set the clock: %s", line)
		}
	}
}

// canSetClock reports whether a line of /proc/PID/status shows the capability
// to set the clock. What it cannot read, it fears.
func canSetClock(line string) bool {
	name, value, _ := strings.Cut(line, ":")
	switch name {
	case "CapPrm", "CapEff", "CapBnd":
		caps, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		return err != nil || caps>>capSysTime&1 != 0
	}
	return false
}
