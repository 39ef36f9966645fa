package probe

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ntsd/internal/config"
	"ntsd/internal/control"
)

// Bounds on tests in a running daemon.
const (
	// MaxRunning is how many tests run at once; each may hold the certificate
	// authorities, which take megabytes while they are parsed.
	MaxRunning = 2
	// A test is granted every refill, and up to granted in a row: whoever
	// clicks must not make of the router a load on somebody's server.
	granted = 6
	refill  = 5 * time.Second
	// maxKept is how many tests are remembered, running ones among them, so
	// that whoever asked can have the result.
	maxKept = 8
	// answerTime is how long an answer waits for the end of the test. Short:
	// over ubus nothing else is heard meanwhile.
	answerTime = 400 * time.Millisecond
)

// Desk runs tests for whoever asks through the control socket or ubus. A test
// takes longer than an answer may, so it is answered as it stands, and asked
// for again by its number. Make it with NewDesk.
type Desk struct {
	run     func(ctx context.Context, t Target, tell func(Result)) Result
	inForce func(ctx context.Context) (*config.Config, error)
	now     func() time.Duration // on a clock that nobody sets

	jobs  chan func(context.Context) // unbuffered: whoever starts a test waits for Run to take it
	ended chan struct{}              // closed when Run ends

	mu     sync.Mutex
	kept   []*entry // oldest first
	last   int64    // number of the newest test
	tokens int
	filled time.Duration // when tokens was right
}

// entry is one test.
type entry struct {
	result Result
	done   chan struct{}
}

// NewDesk returns a desk that lets p do the tests. inForce is the daemon's
// configuration; now a clock that nobody sets.
func NewDesk(p *Prober, inForce func(context.Context) (*config.Config, error), now func() time.Duration) *Desk {
	return &Desk{
		run: p.Run, inForce: inForce, now: now, tokens: granted, filled: now(),
		jobs: make(chan func(context.Context)), ended: make(chan struct{}),
	}
}

// Run does the tests until ctx ends, and waits for those under way. It is to be
// called once.
func (d *Desk) Run(ctx context.Context) {
	defer close(d.ended)
	var tests sync.WaitGroup
	defer tests.Wait()
	for {
		select {
		case job := <-d.jobs:
			tests.Go(func() { job(ctx) })
		case <-ctx.Done():
			return
		}
	}
}

// Answering answers the command test, and leaves the rest to next.
func (d *Desk) Answering(next control.Handler) control.Handler {
	return func(ctx context.Context, req control.Request) control.Response {
		if req.Cmd != control.CmdTest {
			return next(ctx, req)
		}
		return d.answer(ctx, req.Args)
	}
}

// answer starts a test, or tells of one that was started.
func (d *Desk) answer(ctx context.Context, args []string) control.Response {
	var e *entry
	if len(args) == 2 && args[0] == control.ArgTestID {
		id, err := strconv.ParseInt(args[1], 10, 64)
		if e = d.find(id); err != nil || e == nil {
			return control.Fail(control.CodeFailed, "there is no such test any more: start it again")
		}
	} else {
		var failed control.Response
		if e, failed = d.start(ctx, strings.Join(args, " ")); e == nil {
			return failed
		}
	}
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	select {
	case <-e.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return control.Reply(e.result)
}

func (d *Desk) find(id int64) *entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.IndexFunc(d.kept, func(e *entry) bool { return e.result.ID == id }); i >= 0 {
		return d.kept[i]
	}
	return nil
}

// start begins a test, or says why not.
func (d *Desk) start(ctx context.Context, text string) (*entry, control.Response) {
	target, err := ParseTarget(text)
	if err != nil {
		return nil, control.Fail(control.CodeArguments, err.Error())
	}
	cfg, err := d.inForce(ctx)
	if err != nil {
		return nil, control.Fail(control.CodeFailed, err.Error())
	}
	target, configured := target.In(cfg, text)
	e, err := d.enter(Result{
		Running: true, Server: target.Source.Name, NTS: target.Source.NTS, Configured: configured, Addresses: []Address{},
	})
	if err != nil {
		return nil, control.Fail(control.CodeFailed, err.Error())
	}
	note := func(r Result) {
		d.mu.Lock()
		defer d.mu.Unlock()
		r.ID, r.Configured = e.result.ID, configured
		e.result = r
	}
	select {
	case d.jobs <- func(ctx context.Context) {
		defer close(e.done)
		note(d.run(ctx, target, note))
	}:
		return e, control.Response{}
	case <-d.ended:
		return nil, control.Fail(control.CodeFailed, "the daemon stops")
	case <-ctx.Done():
		note(Result{Error: "not started"})
		return nil, control.Fail(control.CodeFailed, ctx.Err().Error())
	}
}

// errBusy says that a test is not granted now.
var errBusy = errors.New("too many tests at once or in a row; try again in some seconds")

// enter makes an entry for one more test, or says why there is to be none.
func (d *Desk) enter(first Result) (*entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if n := int((now - d.filled) / refill); n > 0 {
		d.tokens, d.filled = min(granted, d.tokens+n), d.filled+time.Duration(n)*refill
	}
	running := 0
	for _, e := range d.kept {
		if e.result.Running {
			running++
		}
	}
	if d.tokens == 0 || running >= MaxRunning {
		return nil, errBusy
	}
	if d.tokens == granted {
		d.filled = now
	}
	d.tokens--
	if len(d.kept) >= maxKept { // the oldest that is done makes room
		i := slices.IndexFunc(d.kept, func(e *entry) bool { return !e.result.Running })
		d.kept = slices.Delete(d.kept, i, i+1)
	}
	d.last++
	first.ID = d.last
	e := &entry{done: make(chan struct{}), result: first}
	d.kept = append(d.kept, e)
	return e, nil
}
