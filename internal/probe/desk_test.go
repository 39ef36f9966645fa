package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/config"
	"ntsd/internal/control"
)

// newDesk returns a desk whose tests take that long, and how to ask it.
func newDesk(t *testing.T, each time.Duration) (ask func(args ...string) (Result, control.Response)) {
	began := time.Now()
	d := NewDesk(&Prober{}, func(context.Context) (*config.Config, error) {
		return &config.Config{Sources: []config.Source{{Name: "mine.example", NTSPort: 7, NTS: true}}}, nil
	}, func() time.Duration { return time.Since(began) })
	d.run = func(ctx context.Context, target Target, tell func(Result)) Result {
		tell(Result{Running: true, Step: "at work", Server: target.Source.Name})
		select {
		case <-time.After(each):
		case <-ctx.Done():
			return Result{Error: "ended"}
		}
		return Result{OK: true, Server: fmt.Sprintf("%s:%d", target.Source.Name, target.Source.NTSPort)}
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { d.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })
	handle := d.Answering(func(context.Context, control.Request) control.Response {
		return control.Fail(control.CodeUnknown, "next")
	})
	if resp := handle(ctx, control.Request{Cmd: "report"}); resp.Message != "next" {
		t.Errorf("report: got %+v, want it passed on", resp)
	}
	return func(args ...string) (r Result, resp control.Response) {
		resp = handle(ctx, control.Request{Cmd: control.CmdTest, Args: args})
		if resp.OK {
			if err := json.Unmarshal(resp.Body, &r); err != nil {
				t.Error(err)
			}
		}
		return r, resp
	}
}

// TestDesk: an answer comes soon; the test is asked for by its number until it
// is done, and for a while after.
func TestDesk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ask := newDesk(t, 3*time.Second)
		began := time.Now()
		r, _ := ask("time.example:99")
		if took := time.Since(began); took != answerTime || !r.Running || r.Step != "at work" || r.ID != 1 {
			t.Errorf("after %v got %+v", took, r)
		}
		for range 10 {
			r, _ = ask("id", "1")
		}
		if r.Running || !r.OK || r.Server != "time.example:99" || r.Configured || r.ID != 1 {
			t.Errorf("got %+v", r)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("took %v: the last answer was to come with the result", took)
		}
		// A name of the configuration has its options.
		r, _ = ask("mine.example")
		for r.Running {
			r, _ = ask("id", "2")
		}
		if r.Server != "mine.example:7" || !r.Configured {
			t.Errorf("got %+v", r)
		}
		if _, resp := ask("id", "77"); resp.OK || !strings.Contains(resp.Message, "start it again") {
			t.Errorf("unknown number: got %+v", resp)
		}
		if _, resp := ask("two words"); resp.Code != control.CodeArguments {
			t.Errorf("nonsense: got %+v", resp)
		}
	})
}

// TestDeskIsBounded: so many at once, so many in a row, so many remembered.
func TestDeskIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ask := newDesk(t, time.Minute)
		for range MaxRunning {
			if _, resp := ask("time.example"); !resp.OK {
				t.Fatalf("got %+v", resp)
			}
		}
		if _, resp := ask("time.example"); resp.OK || !strings.Contains(resp.Message, "too many tests") {
			t.Errorf("one more at once: got %+v", resp)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ask := newDesk(t, time.Millisecond)
		began, ok := time.Now(), 0
		const most = 40
		for range most {
			if _, resp := ask("time.example"); resp.OK {
				ok++
			}
			time.Sleep(time.Second)
		}
		allowed := granted + int(time.Since(began)/refill)
		if ok > allowed || ok < allowed-1 {
			t.Errorf("%d tests in %v, want %d", ok, time.Since(began), allowed)
		}
		if _, resp := ask("id", "1"); resp.OK {
			t.Error("the first test is still remembered")
		}
		if r, resp := ask("id", fmt.Sprint(ok)); !resp.OK || !r.OK {
			t.Errorf("the last test: got %+v", resp)
		}
	})
}
