package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"ntsd/internal/control"
	"ntsd/internal/status"
	"ntsd/internal/tables"
	"ntsd/internal/terminal"
)

// table shows one of chronyc's reports.
func (c *invocation) table(words []string) error {
	name, target := words[0], ""
	if len(words) > 1 {
		target = words[1]
	}
	r, err := c.client.Report(context.Background())
	if err != nil {
		return err
	}
	if target != "" {
		if err := c.check(r, name, target); err != nil {
			return err
		}
	}
	if name == "smoothing" && !r.Smoothing.Enabled && !c.opts.json {
		return failf(ExitFailed, "505 Facility not enabled in daemon: there is no section smoothtime")
	}
	if c.opts.json {
		err = status.JSON(c.stdout, r, name, target)
	} else {
		err = c.render(r, name, target)
	}
	if err != nil {
		return writeFailure(err)
	}
	perSource := slices.Contains([]string{"sources", "sourcestats", "selectdata", "authdata"}, name)
	if o := c.opts.table; perSource && !c.opts.json && !o.CSV && !o.All && !o.Verbose {
		c.missing(r)
	}
	return nil
}

// check explains why nothing can be shown of target: there is no such source,
// or none of that name has an address, and so no reply.
func (c *invocation) check(r status.Report, name, target string) error {
	why, found := "", false
	for i := range r.Sources {
		s := &r.Sources[i]
		if !s.Is(target) {
			continue
		}
		if s.Address != "" || c.opts.json {
			return nil
		}
		why, found = s.Selection.Why, true
	}
	if !found {
		return failf(ExitFailed, "%s: no source %s; ntsctl sources -a lists them", name, target)
	}
	return failf(ExitFailed, "%s: %s has no address yet: %s", name, target, why)
}

// writeFailure says that the answer could not be written.
func writeFailure(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return failf(ExitFailed, "cannot write the answer: %v", err)
}

// missing names on standard error what chronyc's table leaves out: a script
// that reads the table is not disturbed, and a person is not left wondering.
func (c *invocation) missing(r status.Report) {
	if len(r.Sources) == 0 {
		fmt.Fprintln(c.stderr, here("no sources are configured; see /etc/config/ntsd"))
	}
	for i := range r.Sources {
		if s := &r.Sources[i]; s.Address == "" {
			fmt.Fprintf(c.stderr, "no address yet for %s: %s\n", s.Name, s.Selection.Why)
		}
	}
}

// render calls the table's writer.
func (c *invocation) render(r status.Report, name, target string) error {
	write, plain := map[string]func(io.Writer, status.Report, tables.Options) error{
		"sources": tables.Sources, "sourcestats": tables.Sourcestats, "selectdata": tables.Selectdata, "authdata": tables.Authdata,
		"tracking": tables.Tracking, "activity": tables.Activity, "bootstrap": tables.Bootstrap, "smoothing": tables.Smoothing,
	}[name]
	if plain {
		return write(c.stdout, r, c.opts.table)
	}
	_, err := tables.NTPdata(c.stdout, r, c.opts.table, target)
	return err
}

// report prints everything as JSON.
func (c *invocation) report([]string) error {
	r, err := c.client.Report(context.Background())
	if err != nil {
		return err
	}
	if err := status.JSON(c.stdout, r, "", ""); err != nil {
		return writeFailure(err)
	}
	return nil
}

// action has the daemon do something and says that it did.
func (c *invocation) action(words []string) error {
	if words[0] == control.CmdBurst {
		if _, _, err := control.ParseBurst(words[1]); err != nil {
			return failf(ExitUsage, "burst: %q is not GOOD/MAX with 1 <= GOOD <= MAX <= %d, as in ntsctl burst 4/8",
				words[1], control.MaxBurst)
		}
	}
	each := [][]string{words}
	if last := words[len(words)-1]; takesSubnet(words) && strings.Contains(last, "/") {
		var err error
		if each, err = c.inside(words, last); err != nil {
			return err
		}
	}
	for _, words := range each {
		if _, err := c.client.do(context.Background(), words[0], words[1:]...); err != nil {
			return err
		}
	}
	return c.done()
}

// takesSubnet reports whether the last word is a source, or several.
func takesSubnet(words []string) bool {
	switch words[0] {
	case control.CmdOnline, control.CmdOffline, control.CmdOnOffline:
		return len(words) == 2
	}
	return words[0] == control.CmdBurst && len(words) == 3
}

// inside is a command for each source whose address lies in a subnet, written
// 192.0.2.0/24 or, as chronyc has it, 255.255.255.0/192.0.2.0.
func (c *invocation) inside(words []string, subnet string) (each [][]string, err error) {
	p, err := parseSubnet(subnet)
	if err != nil {
		return nil, failf(ExitUsage, "%s: %q is no subnet such as 192.0.2.0/24", words[0], subnet)
	}
	r, err := c.client.Report(context.Background())
	if err != nil {
		return nil, err
	}
	for i := range r.Sources {
		if a, err := netip.ParseAddr(r.Sources[i].Address); err == nil && p.Contains(a.WithZone("")) {
			each = append(each, append(slices.Clone(words[:len(words)-1]), a.String()))
		}
	}
	if each == nil {
		return nil, failf(ExitFailed, "%s: no source in %s; ntsctl -n sources lists them", words[0], p)
	}
	return each, nil
}

func parseSubnet(text string) (netip.Prefix, error) {
	mask, at, _ := strings.Cut(text, "/")
	m, errMask := netip.ParseAddr(mask)
	a, errAddr := netip.ParseAddr(at)
	if errMask != nil || errAddr != nil || m.BitLen() != a.BitLen() {
		return netip.ParsePrefix(text)
	}
	ones, length := net.IPMask(m.AsSlice()).Size()
	if length == 0 {
		return netip.Prefix{}, errors.New("ctl: a mask with gaps")
	}
	return a.Prefix(ones)
}

// add has the daemon ask one more source.
func (c *invocation) add(words []string) error {
	resp, err := c.client.do(context.Background(), control.CmdAdd, strings.Join(words[1:], " "))
	if err != nil {
		return err
	}
	var added control.Added
	if json.Unmarshal(resp.Body, &added) == nil {
		for _, w := range added.Warnings {
			fmt.Fprintf(c.stderr, "ntsctl: warning: %s\n", status.Printable(w))
		}
	}
	return c.done()
}

// done says that it worked, in chronyc's words.
func (c *invocation) done() error {
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
func (c *invocation) makestep([]string) error {
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
		if !r.Tracking.Synchronised {
			fmt.Fprintf(c.stdout, "The clock is not synchronised: %s.\n", r.Trouble())
		}
		if r.Daemon.DryRun {
			fmt.Fprintln(c.stdout, "The daemon leaves the system clock alone (-x, or clock none): it would only seem to step.")
		}
		if err := c.confirm("makestep", fmt.Sprintf("Step the clock %s by %.9f seconds now? [y/N] ", way, math.Abs(left))); err != nil {
			return err
		}
	}
	if _, err := c.client.do(context.Background(), control.CmdMakeStep); err != nil {
		return err
	}
	return c.done()
}

// confirm asks whoever sits at the terminal; the error says that he does not
// want it.
func (c *invocation) confirm(command, question string) error {
	if err := c.print(question); err != nil {
		return err
	}
	answer, err := c.input().ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return failf(ExitFailed, "%s: %v", command, err)
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return failf(ExitFailed, "%s: not confirmed, nothing done; y says yes, and so does -y", command)
	}
	return nil
}

// interactive reports whether a person sits at both ends.
func (c *invocation) interactive() bool {
	return c.typed() && terminal.Is(c.stdout)
}

// typed reports whether standard input is a terminal.
func (c *invocation) typed() bool {
	in, ok := c.stdin.(*os.File)
	return ok && terminal.Is(in)
}

// top shows the live view until q, Ctrl-C or a hang-up.
func (c *invocation) top([]string) error {
	if c.opts.json || c.opts.table.CSV {
		return failf(ExitUsage, "top shows tables only; ntsctl report has all of it as JSON")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	o := TopOptions{Table: c.opts.table}
	if c.interactive() && os.Getenv("TERM") != "dumb" {
		o.Keyboard, _ = c.stdin.(*os.File)
	}
	return RunTop(ctx, c.client, c.stdout, o)
}
