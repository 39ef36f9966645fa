package ctl

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/probe"
)

// TestTestAlone: without a daemon the program itself asks, once; what the
// arguments say reaches it.
func TestTestAlone(t *testing.T) {
	for _, c := range []struct {
		args []string
		name string
		nts  bool
		code int
	}{
		{[]string{"test", "time.example:4461"}, "time.example", true, ExitDone},
		{[]string{"test", "-6", "time.example"}, "time.example", true, ExitDone},
		{[]string{"test", "server", "time.example", "port", "1123"}, "time.example", false, ExitDone},
		{[]string{"test", "server time.example"}, "time.example", false, ExitDone},
		{[]string{"test", "broken.example"}, "broken.example", true, ExitFailed},
		{[]string{"test", "-5", "time.example"}, "", false, ExitUsage},
		{[]string{"test", "-4"}, "", false, ExitUsage},
	} {
		var asked []probe.Target
		var out, errs strings.Builder
		code := Main(append([]string{"-h", t.TempDir() + "/none"}, c.args...), Program{
			Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
			Test: func(_ context.Context, target probe.Target, _ func(probe.Result)) probe.Result {
				asked = append(asked, target)
				r := probe.Result{Server: target.Source.Name, OK: target.Source.Name == "time.example"}
				if !r.OK {
					r.Error = "it is broken"
				}
				return r
			},
		})
		if code != c.code {
			t.Errorf("%q: got %d, want %d: %s", c.args, code, c.code, errs.String())
		}
		if c.name == "" {
			continue
		}
		if len(asked) != 1 || asked[0].Source.Name != c.name || asked[0].Source.NTS != c.nts {
			t.Errorf("%q: asked %+v", c.args, asked)
		}
		if (code == ExitFailed) != strings.Contains(errs.String(), "test: broken.example: it is broken") {
			t.Errorf("%q: stderr %q", c.args, errs.String())
		}
	}
}

// told is what was written, by whatever goroutine.
type told struct {
	mu  sync.Mutex
	all strings.Builder
}

func (b *told) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *told) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}

// TestProgress: what a test does is told when it takes longer than a second,
// each step once, and nothing after its end.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := new(told)
		p := newProgress(out)
		say := func(step string) {
			p.Say(probe.Result{Step: step})
			synctest.Wait()
		}
		say("one")
		time.Sleep(testPatience / 2)
		say("two")
		if out.String() != "" {
			t.Errorf("told at once: %q", out.String())
		}
		time.Sleep(testPatience)
		synctest.Wait()
		say("two")
		say("three")
		p.Stop()
		say("four")
		if got, want := out.String(), "ntsctl: two ...\nntsctl: three ...\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		p = newProgress(out)
		p.Stop()
		time.Sleep(time.Minute)
		if strings.Count(out.String(), "\n") != 2 {
			t.Errorf("a short one is told of: %q", out.String())
		}
	})
}
