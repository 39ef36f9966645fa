package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"time"

	"ntsd/internal/control"
	"ntsd/internal/probe"
	"ntsd/internal/status"
	"ntsd/internal/wording"
)

// testPatience is how long test says nothing on standard error of what it does.
const testPatience = time.Second

// test asks one server for everything that can be known of it: through the
// daemon, or by itself where none runs.
func (c *invocation) test(words []string) error {
	if c.opts.table.CSV {
		return failf(ExitUsage, "test has no comma-separated form; --json has all of it")
	}
	words, family := words[1:], ""
	if words[0] == "-4" || words[0] == "-6" {
		words, family = words[1:], " ipv"+words[0][1:]
	}
	if len(words) == 0 {
		return failf(ExitUsage, "test: a server is needed; see ntsctl help test")
	}
	text := strings.Join(words, " ") + family
	target, err := probe.ParseTarget(text)
	if err != nil {
		return failf(ExitUsage, "test: %s; see ntsctl help test", wording.Of(err))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	shown := newProgress(c.stderr)
	r, err := c.testByDaemon(ctx, text, shown.Say)
	var f *failure
	if errors.As(err, &f) && f.status == ExitUnreachable && c.probe != nil {
		r, err = c.probe(ctx, target, shown.Say), nil
	}
	shown.Stop()
	switch {
	case ctx.Err() != nil:
		return failf(ExitFailed, "test: interrupted")
	case err != nil:
		return err
	case c.opts.json:
		err = status.WriteJSON(c.stdout, r)
	default:
		err = probe.Render(c.stdout, r)
	}
	if err != nil {
		return writeFailure(err)
	}
	if !r.OK {
		return failf(ExitFailed, "test: %s: %s", r.Server, r.Error)
	}
	return nil
}

// testByDaemon has the daemon do it. An answer that the test still runs comes
// within half a second: it is asked for again.
func (c *invocation) testByDaemon(ctx context.Context, text string, say func(probe.Result)) (r probe.Result, err error) {
	args := []string{text}
	for {
		r, err = ask[probe.Result](ctx, c, control.CmdTest, args...)
		if err != nil || !r.Running || ctx.Err() != nil {
			return r, err
		}
		say(r)
		args = []string{control.ArgTestID, strconv.FormatInt(r.ID, 10)}
	}
}

// progress says on standard error how a long test goes, each step once.
type progress struct {
	mu         sync.Mutex
	out        io.Writer
	step, told string
	late       *time.Timer
	long       bool // it has taken so long that people want to know
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out}
	p.late = time.AfterFunc(testPatience, func() { p.tell("", true) })
	return p
}

// Say takes what is known so far.
func (p *progress) Say(r probe.Result) { p.tell(r.Step, false) }

func (p *progress) tell(step string, long bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.long = p.long || long
	if step != "" {
		p.step = step
	}
	if p.long && p.step != p.told {
		p.told = p.step
		fmt.Fprintf(p.out, "ntsctl: %s ...\n", status.Printable(p.step))
	}
}

// Stop ends it: nothing is said any more.
func (p *progress) Stop() {
	p.late.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told, p.long = p.step, false
}
