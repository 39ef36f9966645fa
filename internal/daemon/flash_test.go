package daemon

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/event"
	"ntsd/internal/nts"
)

// slowFlash writes when it is let.
type slowFlash struct {
	let chan error // the result of each write

	mu      sync.Mutex
	written []event.Persist
}

func (*slowFlash) Load() (event.Boot, []nts.Session, []error) { return event.Boot{}, nil, nil }
func (*slowFlash) TakeReserve([]nts.Session) error            { return nil }
func (f *slowFlash) Written() (int, uint64)                   { return f.writes(), 0 }

func (f *slowFlash) Persist(p event.Persist) error {
	err := <-f.let
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written = append(f.written, p)
	return err
}

func (f *slowFlash) writes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.written)
}

// TestFlashHangs: while the flash takes no write the time is kept and commands are
// answered, but for those that ask for the write; then the latest state is written,
// and what went wrong is told once.
func TestFlashHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.addPeer("192.0.2.1:123", "one.example")
		flash := &slowFlash{let: make(chan error)}
		w.flash = flash
		d, stop := w.run(settings(t, "server one.example iburst", "makestep 0.1 3"), nil)
		time.Sleep(72 * time.Hour) // it was to be written three times at least
		synctest.Wait()
		before := w.requests()
		time.Sleep(time.Hour)
		r := w.report(d)
		if !r.Tracking.Synchronised || w.wrong().Abs() > time.Millisecond || w.requests() == before {
			t.Errorf("clock wrong by %v, %d requests after %d", w.wrong(), w.requests(), before)
		}
		dumped := make(chan error, 1)
		go func() { dumped <- d.Dump(t.Context()) }()
		synctest.Wait()
		if len(dumped) != 0 || flash.writes() != 0 {
			t.Fatalf("%d writes, dumped: %v; want neither", flash.writes(), len(dumped) != 0)
		}
		asked := w.truth()
		flash.let <- errors.New("worn out")
		flash.let <- nil
		if err := <-dumped; err != nil || flash.writes() != 2 {
			t.Fatalf("dumped: %v after %d writes, want 2: that under way and the latest", err, flash.writes())
		}
		if age := asked.Sub(flash.written[1].State.Time).Duration(); age.Abs() > time.Minute {
			t.Errorf("written is the state from %v before it was asked for", age)
		}
		log := strings.Join(w.log.lines, "\n")
		if strings.Count(log, "cannot save the state for the next boot reason=worn out") != 1 || !strings.Contains(log, "can save the state for the next boot again") {
			t.Errorf("log:\n%s", log)
		}
		ended := make(chan struct{})
		go func() { defer close(ended); stop() }()
		flash.let <- nil // the stop waits for its own
		<-ended
		if flash.writes() != 3 {
			t.Errorf("%d writes after the stop, want 3", flash.writes())
		}
	})
}

// TestReserveIsNotLost: a state that is to be written after another one takes on the
// reserve that was to go with it.
func TestReserveIsNotLost(t *testing.T) {
	flash := &slowFlash{let: make(chan error, 2)}
	d := New(Options{Flash: flash, Log: discard()})
	reserve := []nts.Session{{KEName: "one"}}
	for i, p := range []event.Persist{{}, {Reserve: reserve, Fill: true}, {}} {
		p.State.Time = event.Boot{}.Time.Add(time.Duration(i))
		d.keeper.persist(p)
	}
	flash.let <- nil
	flash.let <- nil
	d.settle()
	if got := flash.written; len(got) != 2 || !got[1].Fill || len(got[1].Reserve) != 1 || got[1].State.Time != 2 {
		t.Errorf("got %+v, want the first and the third with the second's reserve", got)
	}
}
