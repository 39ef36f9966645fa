package ctl

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/status"
)

// Implementation constants.
const (
	// clockChip is where the kernel tells what the first clock chip says, in
	// whole seconds, to everybody.
	clockChip = "/sys/class/rtc/rtc0"
	// chipPatience is how long the chip may take to begin a second, and
	// chipGlance how often it is looked at: the error of what is found.
	chipPatience = 1500 * time.Millisecond
	chipGlance   = 2 * time.Millisecond
)

// rtc is what rtcdata shows. chrony measures the chip again and again; here the
// kernel sets it every 11 minutes, so one look says all there is.
type rtc struct {
	ReferenceTime status.Time `json:"reference_time"` // of the look, by the system clock
	FastS         float64     `json:"fast_s"`         // positive: the chip is ahead
}

// rtcdata compares the clock chip with the system clock.
func (c *invocation) rtcdata([]string) error {
	second, began, err := c.tick(c.chip)
	if err != nil {
		return err
	}
	asked := time.Now()
	r, err := c.client.Report(context.Background())
	if err != nil {
		return err
	}
	// The report was made about in the middle of the call.
	age := asked.Sub(began) + time.Since(asked)/2
	then := clock.Wall(r.Time).Add(-age)
	x := rtc{ReferenceTime: status.Time(then), FastS: clock.WallUnix(second, 0).Sub(then).Seconds()}
	if c.opts.json {
		if err := status.WriteJSON(c.stdout, x); err != nil {
			return writeFailure(err)
		}
		return nil
	}
	return c.print(x.text(c.opts.table.CSV))
}

// text is chronyc's table. How fast the chip gains is not measured.
func (x rtc) text(csv bool) string {
	at := clock.Wall(x.ReferenceTime)
	if csv {
		sec, _ := at.Unix()
		return fmt.Sprintf("%d.000000000,1,1,0,%.6f,0.000\n", sec, x.FastS)
	}
	return fmt.Sprintf("RTC ref time (UTC) : %s\nNumber of samples  : 1\nNumber of runs     : 1\nSample span period :    0\n"+
		"RTC is fast by     : %12.6f seconds\nRTC gains time at  : unknown\n", at.Time().Format("Mon Jan 02 15:04:05 2006"), x.FastS)
}

// tick waits for the chip to begin a second and returns it, and when that was.
func (c *invocation) tick(folder string) (second int64, began time.Time, err error) {
	first, err := readChip(folder)
	if err != nil {
		return 0, began, failf(ExitFailed, "513 RTC driver not running: no clock chip can be read in %s; this device has none, or its driver is not loaded", folder)
	}
	for start := time.Now(); time.Since(start) < chipPatience; time.Sleep(chipGlance) {
		began = time.Now()
		if second, err = readChip(folder); err == nil && second != first {
			return second, began, nil
		}
	}
	return 0, began, failf(ExitFailed, "rtcdata: the clock chip in %s stands still: is its battery empty?", folder)
}

// readChip returns the chip's time in seconds since 1970.
func readChip(folder string) (int64, error) {
	text, err := os.ReadFile(filepath.Join(folder, "since_epoch"))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}
