package backlog

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// reader is a handler that takes records while it is let.
type reader struct {
	slog.Handler
	let chan struct{} // closed: all
	got []string
}

func (r *reader) Enabled(context.Context, slog.Level) bool { return true }

func (r *reader) Handle(_ context.Context, rec slog.Record) error {
	<-r.let
	text := rec.Message
	rec.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	r.got = append(r.got, rec.Level.String()+" "+text)
	return nil
}

// TestReaderHangs: whoever logs does not wait for a reader that hangs. What was
// queued comes in its order, what found no room is counted, and then all is as
// before.
func TestReaderHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &reader{let: make(chan struct{})}
		l := New(next)
		log := slog.New(l)
		log.Info("first")
		synctest.Wait() // the reader has it
		for i := range maxWaiting + 7 {
			log.Info(strconv.Itoa(i))
		}
		close(next.let)
		synctest.Wait()
		if got, want := len(next.got), 1+maxWaiting+1; got != want {
			t.Fatalf("%d lines, want %d", got, want)
		}
		for i, got := range next.got[1 : 1+maxWaiting] {
			if want := "INFO " + strconv.Itoa(i); got != want {
				t.Fatalf("line %d: got %q, want %q", i, got, want)
			}
		}
		if got := next.got[1+maxWaiting]; !strings.HasPrefix(got, "WARN ") || !strings.HasSuffix(got, " lines=7") {
			t.Errorf("after them: got %q, want word of 7 lines", got)
		}
		next.got = nil
		log.Warn("read again", "a", 1)
		l.Close(func() { next.got = append(next.got, "the end") })
		if got, want := strings.Join(next.got, ", "), "WARN read again a=1, the end"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestCloseWhileReaderHangs: an end waits for the reader, but not for ever.
func TestCloseWhileReaderHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &reader{let: make(chan struct{})}
		l := New(next)
		slog.New(l).Info("it ends")
		called := false
		l.Close(func() { called = true }) // or synctest reports a deadlock
		if called || len(next.got) != 0 {
			t.Errorf("last called: %v, read: %q; want neither", called, next.got)
		}
		close(next.let) // for the goroutine, which else ends with the process
		synctest.Wait()
		if !called || len(next.got) != 1 {
			t.Errorf("last called: %v, read: %q; want both", called, next.got)
		}
	})
}
