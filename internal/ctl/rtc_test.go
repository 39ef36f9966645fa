package ctl

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ntsd/internal/clock"
	"ntsd/internal/status"
)

// TestRTCData: without a chip it says so in chrony's words; with one it waits
// for a second to begin and compares that with the daemon's clock.
func TestRTCData(t *testing.T) {
	f := startFake(t)
	run := func(chip string, args ...string) (int, string, string) {
		var out, errs strings.Builder
		status := Main(append([]string{"-h", f.socket}, args...), Program{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Version: testVersion, ClockChip: chip})
		return status, out.String(), errs.String()
	}
	dir := t.TempDir()
	if code, _, errs := run(dir, "rtcdata"); code != ExitFailed || !strings.Contains(errs, "513 RTC driver not running") {
		t.Errorf("no chip: got %d, %q", code, errs)
	}
	path := filepath.Join(dir, "since_epoch")
	set := func(second int64) {
		if err := os.WriteFile(path+".new", fmt.Appendln(nil, second), 0o644); err != nil {
			t.Error(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Error(err)
		}
	}
	set(5)
	if code, _, errs := run(dir, "rtcdata"); code != ExitFailed || !strings.Contains(errs, "stands still") {
		t.Errorf("a dead chip: got %d, %q", code, errs)
	}
	// A chip that is 100 s ahead, and whose next second begins whenever it is
	// looked at.
	sec, _ := clock.Wall(f.report.Time).Unix()
	stop, done := make(chan struct{}), make(chan struct{})
	set(sec + 100)
	go func() {
		defer close(done)
		for n := int64(0); ; n++ {
			select {
			case <-stop:
				return
			default:
				set(sec + 100 + n%2)
			}
		}
	}()
	code, out, errs := run(dir, "--json", "rtcdata")
	var got rtc
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != ExitDone || got.FastS < 99 || got.FastS > 103 {
		t.Errorf("got %d, %s%s: %v", code, out, errs, err)
	}
	code, out, _ = run(dir, "-c", "rtcdata")
	if fields := strings.Split(strings.TrimSpace(out), ","); code != ExitDone || len(fields) != 6 {
		t.Errorf("-c: got %d, %q", code, out)
	}
	close(stop)
	<-done
	text := rtc{ReferenceTime: status.Time(clock.WallUnix(1795302919, 0)), FastS: -1.632736}.text(false)
	want := "RTC ref time (UTC) : Sat Nov 21 23:15:19 2026\nNumber of samples  : 1\nNumber of runs     : 1\nSample span period :    0\nRTC is fast by     :    -1.632736 seconds\nRTC gains time at  : unknown\n"
	if text != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
}
