package acceptance

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"ntsd/internal/status"
)

// TestFootprint reports the memory of the daemon as a client of four NTS
// servers, with the system's certificate authorities loaded for each key
// establishment. The bound is generous: memory is a figure to read (go test -v
// -run TestFootprint ./internal/acceptance), a leak is what fails.
func TestFootprint(t *testing.T) {
	w := newWorld(t)
	config := strings.Replace(w.config(), "option systemcerts 'no'", "option systemcerts 'yes'", 1)
	for range 4 {
		config += source(w.nts(nil))
	}
	d := w.start(config)
	d.until("full reach", func(r *status.Report) bool {
		for _, s := range r.Sources {
			if s.Reach != 0o377 {
				return false
			}
		}
		return len(r.Sources) == 4
	})
	peak, now := d.memory("VmHWM"), d.memory("VmRSS")
	t.Logf("client of 4 NTS servers: %d kB resident (%d of its own, %d pages of the binary), %d kB at the peak",
		now, d.memory("RssAnon"), d.memory("RssFile"), peak)
	if peak > 20000 {
		t.Errorf("peak of %d kB: something holds on to memory", peak)
	}
}

// memory returns a line of /proc/PID/status in kB.
func (d *daemon) memory(field string) (kB int) {
	d.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			fmt.Sscan(rest, &kB)
		}
	}
	if kB == 0 {
		d.t.Fatalf("no %s in the process's status", field)
	}
	return kB
}
