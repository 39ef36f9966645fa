package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ntsd/internal/control"
	"ntsd/internal/status"
)

// Implementation constants.
const (
	// waitInterval and leastWait are chronyc's.
	waitInterval = 10 * time.Second
	leastWait    = 100 * time.Millisecond
	// localReference is the reference ID of a clock that is its own reference:
	// not what waitsync waits for.
	localReference = "7F7F0101"
)

// table shows one of chronyc's reports.
func (c *ctl) table(words []string) error {
	name, target := words[0], ""
	if len(words) > 1 {
		target = words[1]
	}
	r, err := c.client.Report(context.Background())
	if err != nil {
		return err
	}
	if target != "" && !known(r, target) {
		return ctlFailure(exitFailed, "no source %s; ntsctl sources lists them", target)
	}
	if c.opts.json {
		err = status.JSON(c.stdout, r, name, target)
	} else {
		err = c.render(r, name, target)
	}
	if err != nil {
		return ctlFailure(exitFailed, "%v", err)
	}
	if o := c.opts.table; name == "sources" && !c.opts.json && !o.CSV && !o.All && !o.Verbose {
		c.missing(r)
	}
	return nil
}

// missing names on standard error what chronyc's table leaves out: a script
// that reads the table is not disturbed, and a person is not left wondering.
func (c *ctl) missing(r status.Report) {
	if len(r.Sources) == 0 {
		fmt.Fprintln(c.stderr, "no sources are configured; see /etc/config/ntsd")
	}
	for i := range r.Sources {
		if s := &r.Sources[i]; s.Address == "" {
			fmt.Fprintf(c.stderr, "no address yet for %s: %s\n", s.Name, s.Selection.Why)
		}
	}
}

// render calls the table's writer.
func (c *ctl) render(r status.Report, name, target string) error {
	o := c.opts.table
	switch name {
	case "sources":
		return status.RenderSources(c.stdout, r, o)
	case "sourcestats":
		return status.RenderSourcestats(c.stdout, r, o)
	case "selectdata":
		return status.RenderSelectdata(c.stdout, r, o)
	case "authdata":
		return status.RenderAuthdata(c.stdout, r, o)
	case "tracking":
		return status.RenderTracking(c.stdout, r, o)
	case "activity":
		return status.RenderActivity(c.stdout, r, o)
	}
	_, err := status.RenderNTPdata(c.stdout, r, o, target)
	return err
}

// known reports whether the report has a source that target means.
func known(r status.Report, target string) bool {
	for i := range r.Sources {
		if r.Sources[i].Is(target) {
			return true
		}
	}
	return false
}

// report prints everything as JSON.
func (c *ctl) report([]string) error {
	r, err := c.client.Report(context.Background())
	if err != nil {
		return err
	}
	if err := status.JSON(c.stdout, r, "", ""); err != nil {
		return ctlFailure(exitFailed, "%v", err)
	}
	return nil
}

// action has the daemon do something and says that it did.
func (c *ctl) action(words []string) error {
	if words[0] == control.CmdBurst {
		if _, _, err := control.ParseBurst(words[1]); err != nil {
			return ctlFailure(exitUsage, "burst: %s is not GOOD/MAX, as in ntsctl burst 4/8", words[1])
		}
	}
	if _, err := c.client.do(context.Background(), words[0], words[1:]...); err != nil {
		return err
	}
	return c.done()
}

// done says that it worked, in chronyc's words.
func (c *ctl) done() error {
	switch {
	case c.opts.json:
		return c.print("{\"ok\": true}\n")
	case c.opts.table.CSV:
		return nil
	}
	return c.print("200 OK\n")
}

// makestep steps the clock, after asking whoever sits at a terminal: programs
// that see the time jump can break.
func (c *ctl) makestep([]string) error {
	if c.interactive() && !c.opts.yes {
		r, err := c.client.Report(context.Background())
		if err != nil {
			return err
		}
		left := r.Tracking.CorrectionS
		way := "forward"
		if left < 0 {
			way = "back"
		}
		fmt.Fprintf(c.stdout, "Step the clock %s by %.9f seconds now? [y/N] ", way, math.Abs(left))
		answer, err := bufio.NewReader(c.stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return ctlFailure(exitFailed, "makestep: %v", err)
		}
		if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
			return ctlFailure(exitFailed, "makestep: not confirmed, nothing done")
		}
	}
	if _, err := c.client.do(context.Background(), control.CmdMakeStep); err != nil {
		return err
	}
	return c.done()
}

// interactive reports whether a person sits at both ends.
func (c *ctl) interactive() bool {
	in, ok := c.stdin.(*os.File)
	return ok && isTerminal(in) && isTerminal(c.stdout)
}

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
			return wait{}, ctlFailure(exitUsage, "waitsync: %q is not a number; see ntsctl help waitsync", a)
		}
		numbers[i] = x
	}
	return wait{
		tries: int(numbers[0]), correction: numbers[1], skew: numbers[2],
		interval: max(leastWait, time.Duration(numbers[3]*float64(time.Second))),
	}, nil
}

// reached reports whether t is what is waited for.
func (w wait) reached(t *status.Tracking) bool {
	return t.Synchronised && t.ReferenceID != "00000000" && t.ReferenceID != localReference &&
		(w.correction == 0 || math.Abs(t.CorrectionS) <= w.correction) &&
		(w.skew == 0 || t.SkewPPM <= w.skew)
}

// waitsync polls tracking until the clock is synchronised. A daemon that is
// not there yet is waited for too: at boot this may be called first.
func (c *ctl) waitsync(words []string) error {
	w, err := parseWait(words[1:])
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		r, err := c.client.Report(context.Background())
		if err == nil {
			t := &r.Tracking
			format := "try: %d, refid: %s, correction: %.9f, skew: %.3f\n"
			if c.opts.table.CSV {
				format = "%d,%s,%.9f,%.3f\n"
			}
			if err := c.print(fmt.Sprintf(format, try, t.ReferenceID, math.Abs(t.CorrectionS), t.SkewPPM)); err != nil {
				return err
			}
			if w.reached(t) {
				return nil
			}
			err = ctlFailure(exitFailed, "waitsync: not synchronised after %d tries; ntsctl sources -v says why", try)
		}
		if w.tries > 0 && try >= w.tries || errors.Is(err, control.ErrPermission) {
			return err
		}
		if try == 1 && r.Time == 0 {
			fmt.Fprintf(c.stderr, "ntsctl: waiting for the daemon: %v\n", err)
		}
		time.Sleep(w.interval)
	}
}

// top shows the live view until q, Ctrl-C or a hang-up.
func (c *ctl) top([]string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	o := TopOptions{Table: c.opts.table}
	if c.interactive() && os.Getenv("TERM") != "dumb" {
		o.Keyboard, _ = c.stdin.(*os.File)
	}
	return RunTop(ctx, c.client, c.stdout, o)
}
