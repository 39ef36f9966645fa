package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"ntsd/internal/control"
	"ntsd/internal/status"
	"ntsd/internal/wording"
)

// Implementation constants.
const (
	// waitInterval and leastWait are chronyc's.
	waitInterval = 10 * time.Second
	leastWait    = 100 * time.Millisecond
	// waitPatience is how long waitsync says nothing on standard error of what
	// it waits for.
	waitPatience = 10 * time.Second
	// localReference is the reference ID of a clock that is its own reference:
	// not what waitsync waits for.
	localReference = "7F7F0101"
)

// wait holds waitsync's arguments; 0 means unchecked.
type wait struct {
	tries      int
	correction float64 // seconds
	skew       float64 // ppm
	interval   time.Duration
}

// parseWait reads waitsync's arguments.
func parseWait(args []string) (wait, error) {
	numbers := [4]float64{3: waitInterval.Seconds()}
	for i, a := range args {
		x, err := strconv.ParseFloat(a, 64)
		if err != nil || !(x >= 0) || x > math.MaxInt32 {
			return wait{}, failf(ExitUsage, "waitsync: %q is not a number from 0 to %d; see ntsctl help waitsync", a, math.MaxInt32)
		}
		numbers[i] = x
	}
	return wait{
		tries: int(numbers[0]), correction: numbers[1], skew: numbers[2],
		interval: max(leastWait, time.Duration(numbers[3]*float64(time.Second))),
	}, nil
}

// lacks says what is still waited for; it is empty when the clock is as wanted.
// tries ends up after the first words. What changes from try to try stands in
// the line about the try.
func (w wait) lacks(r *status.Report, tries string) string {
	t := &r.Tracking
	switch {
	case t.ReferenceID == localReference:
		return "not synchronised" + tries + ": the clock is its own reference"
	case !t.Synchronised || t.ReferenceID == "00000000":
		return "not synchronised" + tries + ": " + r.Trouble()
	case w.correction > 0 && math.Abs(t.CorrectionS) > w.correction:
		return fmt.Sprintf("synchronised, but%s more than %g s are left to correct", tries, w.correction)
	case w.skew > 0 && t.SkewPPM > w.skew:
		return fmt.Sprintf("synchronised, but%s the skew is above %g ppm", tries, w.skew)
	}
	return ""
}

// waitsync polls tracking until the clock is synchronised. A daemon that is
// not there yet is waited for too: at boot this may be called first. What a
// long wait is for it says on standard error, when it begins and when the
// reason changes.
func (c *invocation) waitsync(words []string) error {
	w, err := parseWait(words[1:])
	if err != nil {
		return err
	}
	told, waited := "", time.Duration(0)
	for try := 1; ; try++ {
		r, err := c.client.Report(context.Background())
		reason, absent := "", err != nil
		if !absent {
			if err := c.printTry(try, &r); err != nil {
				return err
			}
			tries := fmt.Sprintf(" after %d tries", try)
			if try == 1 {
				tries = " after 1 try"
			}
			if reason = w.lacks(&r, tries); reason == "" {
				return nil
			}
			err = failf(ExitFailed, "waitsync: %s; ntsctl sources -v says more", reason)
			reason = w.lacks(&r, "")
		} else {
			reason = wording.Of(err)
		}
		if w.tries > 0 && try >= w.tries || errors.Is(err, control.ErrPermission) {
			return err
		}
		if reason != told && (absent || waited >= waitPatience) {
			fmt.Fprintf(c.stderr, "ntsctl: waiting: %s\n", status.Printable(reason))
			told = reason
		}
		time.Sleep(w.interval)
		waited += w.interval
	}
}

// printTry prints one line about a try, in chronyc's form unless JSON is
// wanted.
func (c *invocation) printTry(try int, r *status.Report) error {
	t := &r.Tracking
	left := math.Abs(t.CorrectionS)
	if c.opts.json {
		line, err := json.Marshal(struct {
			Try          int     `json:"try"`
			Synchronised bool    `json:"synchronised"`
			ReferenceID  string  `json:"reference_id"`
			CorrectionS  float64 `json:"correction_s"`
			SkewPPM      float64 `json:"skew_ppm"`
		}{try, t.Synchronised, t.ReferenceID, left, t.SkewPPM})
		if err != nil {
			return failf(ExitFailed, "waitsync: %v", err)
		}
		return c.print(string(line) + "\n")
	}
	format := "try: %d, refid: %s, correction: %.9f, skew: %.3f\n"
	if c.opts.table.CSV {
		format = "%d,%s,%.9f,%.3f\n"
	}
	return c.print(fmt.Sprintf(format, try, t.ReferenceID, left, t.SkewPPM))
}
