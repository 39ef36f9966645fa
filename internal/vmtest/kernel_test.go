package vmtest

import (
	"strings"
	"testing"
	"time"
)

// TestKernelClock runs the tests of sysclock that set the clock, and those of
// udp, whose timestamps are then those of a kernel of ours, in a machine.
func TestKernelClock(t *testing.T) {
	need(t)
	t.Parallel()
	m := boot(t, machineSpec{flash: newFlash(t, 8)})
	m.do("net")
	m.do("set", "1700000000")
	for _, program := range []struct{ name, tests string }{
		{"sysclock", "TestReal$"},
		{"udp", "."},
	} {
		out := m.do("run", "/bin/"+program.name+".test", "-test.v", "-test.short", "-test.run", program.tests)
		if !strings.Contains(out, "--- PASS") {
			t.Errorf("%s: no test ran:\n%s", program.name, out)
		}
		t.Logf("%s:\n%s", program.name, out)
	}
	if _, bound := m.offset(); bound > time.Second {
		t.Errorf("clock readings are worth %v only", bound)
	}
}
