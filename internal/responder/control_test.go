package responder

import (
	"bytes"
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/config"
	"ntsd/internal/server"
)

func (b *bed) listenLocal(port uint16) ([]Port, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		return nil, b.refuse
	}
	p := newFakePort()
	b.local = append(b.local, p)
	return []Port{p}, nil
}

// control answers a question of mode 6 with itself, as soon as the test lets it.
func (b *bed) control(ctx context.Context, question []byte) [][]byte {
	b.mu.Lock()
	wait := b.answering
	b.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
		}
	}
	return [][]byte{append([]byte("answer to "), question...)}
}

func (b *bed) question(from, to string) server.Request {
	r := b.request(from, plain())
	r.Data, r.Local = []byte("\x16\x02123456789a"), netip.MustParseAddr(to)
	return r
}

func ntpq(c *config.Config) { c.Monitor.NTPQ = true }

// TestControl: mode 6 on the port that serves the network is answered for this
// machine alone, and only if that is wanted; it is counted, but not among the
// requests for the time.
func TestControl(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		p := b.ports[123][0]
		own := b.question("127.0.0.1:4000", "127.0.0.1")
		if r := b.ask(t, p, own); r != nil {
			t.Errorf("off: got %v", r)
		}
		b.change(func() { b.cfg = configuration(ntpq) })
		pass(1500 * time.Millisecond)
		r := b.ask(t, p, own)
		if len(r) != 1 || r[0].to != own.From || !bytes.Equal(r[0].data, append([]byte("answer to "), own.Data...)) {
			t.Errorf("on: got %v", r)
		}
		for _, c := range [][2]string{{"198.51.100.7:4000", "192.0.2.1"}, {"127.0.0.1:4000", "192.0.2.1"}, {"198.51.100.7:4000", "127.0.0.1"}} {
			if r := b.ask(t, p, b.question(c[0], c[1])); r != nil {
				t.Errorf("from %s to %s: got %v", c[0], c[1], r)
			}
		}
		s := b.ServerStats()
		if s.Received != 4 || s.Dropped != 4 || s.Verdicts["control"] != 1 || s.Verdicts["drop_short"] != 3 || s.Verdicts["drop_source"] != 1 {
			t.Errorf("stats: got %+v", s)
		}
		b.change(func() { b.cfg = configuration(nil) })
		pass(1500 * time.Millisecond)
		if r := b.ask(t, p, own); r != nil {
			t.Errorf("off again: got %v", r)
		}
	})
}

// TestControlDoesNotHoldUp: while a question waits for the daemon, the time is
// served; more questions than there is room for are dropped and counted.
func TestControlDoesNotHoldUp(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		b.change(func() { b.cfg, b.answering = configuration(ntpq), make(chan struct{}) })
		pass(1500 * time.Millisecond)
		p := b.ports[123][0]
		for range maxQuestions + 4 {
			b.ask(t, p, b.question("127.0.0.1:4000", "127.0.0.1"))
		}
		parse(t, b.ask(t, p, b.request("198.51.100.7:4000", plain())))
		if tally, _ := b.tally(); tally.unasked != 3 { // one is being answered
			t.Errorf("%d dropped, want 3", tally.unasked)
		}
		p.left = make(chan []fakeReply, maxQuestions+1)
		close(b.answering)
		synctest.Wait()
		if n := len(p.left); n != maxQuestions+1 {
			t.Errorf("%d answers, want %d", n, maxQuestions+1)
		}
	})
}

// TestControlWithoutServing: where nobody is served, port 123 is opened on the
// loopback addresses for ntpq; and closed before it is opened for the network.
func TestControlWithoutServing(t *testing.T) {
	run(t, 2, func(t *testing.T, b *bed) {
		change := func(f func(*config.Config)) {
			b.change(func() { b.cfg = configuration(f) })
			pass(1500 * time.Millisecond)
		}
		alone := func(c *config.Config) { c.Allow, c.Monitor.NTPQ = nil, true }
		change(alone)
		if len(b.local) != 1 {
			t.Fatalf("%d local ports, want 1", len(b.local))
		}
		if r := b.ask(t, b.local[0], b.question("[::1]:4000", "::1")); len(r) != 1 {
			t.Errorf("got %v", r)
		}
		if s := b.ServerStats(); len(s.Ports) != 0 || b.CheckAccess(netip.MustParseAddr("198.51.100.7")).Serving {
			t.Errorf("the network is served: got %+v", s)
		}
		change(ntpq)
		select {
		case <-b.local[0].closed:
		default:
			t.Error("the local port is still open")
		}
		parse(t, b.ask(t, b.ports[123][2], b.request("198.51.100.7:4000", plain())))
		if r := b.ask(t, b.ports[123][3], b.question("127.0.0.1:4000", "127.0.0.1")); len(r) != 1 {
			t.Errorf("on the network's port: got %v", r)
		}
		change(func(c *config.Config) { c.Serve.Ports, c.Monitor.NTPQ = []uint16{1123}, true })
		if len(b.local) != 2 {
			t.Errorf("%d local ports beside port 1123, want another", len(b.local))
		}
		if s := b.ServerStats(); s.Verdicts["control"] != 2 {
			t.Errorf("stats: got %+v", s.Verdicts)
		}
		change(func(c *config.Config) { c.Allow = nil })
		select {
		case <-b.local[1].closed:
		default:
			t.Error("the local port is still open after it was switched off")
		}
	})
}
