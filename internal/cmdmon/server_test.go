package cmdmon

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/config"
	"ntsd/internal/status"
)

// memoryPort is a port that is asked in memory.
type memoryPort struct {
	requests chan []byte
	replies  chan []byte
	closed   chan struct{}
	once     sync.Once
}

func newMemoryPort() *memoryPort {
	return &memoryPort{requests: make(chan []byte), replies: make(chan []byte), closed: make(chan struct{})}
}

func (p *memoryPort) Serve(answer func(request, room []byte) []byte) error {
	for {
		select {
		case b := <-p.requests:
			if b == nil {
				return errors.New("the network is down")
			}
			p.replies <- answer(b, nil)
		case <-p.closed:
			return nil
		}
	}
}

func (p *memoryPort) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// counted counts the reports that are taken.
type counted struct {
	*fixed
	reports int
}

func (c *counted) Report(ctx context.Context) (status.Report, error) {
	c.reports++
	return c.fixed.Report(ctx)
}

// bench is a server whose ports and configuration are at hand.
type bench struct {
	*Server
	mu     sync.Mutex // of what follows; a timer's goroutine and the test's are not ordered
	cfg    config.Config
	ports  map[string]*memoryPort
	fail   error // of the next attempts to open
	tried  int
	log    *strings.Builder
	daemon *counted
	cancel context.CancelFunc
	ended  chan struct{}
}

func newBench() *bench {
	b := &bench{
		cfg: *config.Default(), ports: map[string]*memoryPort{}, log: new(strings.Builder),
		daemon: &counted{fixed: crowd()}, ended: make(chan struct{}),
	}
	open := func(name string) (Port, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.tried++
		if b.fail != nil {
			return nil, b.fail
		}
		p := newMemoryPort()
		b.ports[name] = p
		return p, nil
	}
	b.Server = New(Options{
		Daemon: b.daemon, Log: slog.New(slog.NewTextHandler(b.log, nil)),
		InForce:  func(context.Context) (*config.Config, error) { c := b.cfg; return &c, nil },
		Socket:   func(path string) (Port, error) { return open(path) },
		Loopback: func(uint16) (Port, error) { return open("udp") },
	})
	return b
}

func (b *bench) start(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b.cancel = cancel
	go func() { defer close(b.ended); b.Run(ctx) }()
	synctest.Wait()
}

func (b *bench) stop() {
	b.cancel()
	<-b.ended
}

// names lists the open ports.
func (b *bench) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names []string
	for name, p := range b.ports {
		select {
		case <-p.closed:
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (b *bench) port(name string) *memoryPort {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ports[name]
}

func (b *bench) ask(name string, request []byte) []byte {
	p := b.port(name)
	p.requests <- request
	return <-p.replies
}

// TestServerFollowsTheConfiguration: the socket is where run_dir is, or where it
// is told to be; the UDP port comes and goes.
func TestServerFollowsTheConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.cfg.Main.RunDir = "/tmp/here"
		b.start(t)
		usual := filepath.Join("/tmp/here", "chronyd.sock")
		first := b.port(usual)
		for _, c := range []struct {
			socket string
			port   uint16
			want   []string
		}{
			{config.Default().Monitor.ChronySocket, 0, []string{usual}},
			{config.Default().Monitor.ChronySocket, 323, []string{usual, "udp"}},
			{"/run/chrony/chronyd.sock", 323, []string{"/run/chrony/chronyd.sock", "udp"}},
			{NoSocket, 323, []string{"udp"}},
			{NoSocket, 0, nil},
			{"/run/chrony/chronyd.sock", 0, []string{"/run/chrony/chronyd.sock"}},
		} {
			b.cfg.Monitor.ChronySocket, b.cfg.Monitor.ChronyPort = c.socket, c.port
			b.Nudge()
			synctest.Wait()
			if got := b.names(); !slices.Equal(got, c.want) {
				t.Errorf("%s, port %d: got %v, want %v", c.socket, c.port, got, c.want)
			}
		}
		if b.port(usual) != first {
			t.Error("the socket was opened anew although nothing changed")
		}
		if got := resultOf(b.ask("/run/chrony/chronyd.sock", ask(cmdServerStats, 196))); got != success {
			t.Errorf("by the socket: got %d", got)
		}
		b.stop()
		if got := b.names(); got != nil {
			t.Errorf("after the end: open are %v", got)
		}
	})
}

// TestServerByUDP: what comes by UDP has the rights of everybody.
func TestServerByUDP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.cfg.Monitor.ChronyPort = 323
		b.start(t)
		defer b.stop()
		if got := resultOf(b.ask("udp", ask(cmdMakeStep, 28))); got != notAuthorised || len(b.daemon.asked) > 0 {
			t.Errorf("makestep: got %d, the daemon did %v", got, b.daemon.asked)
		}
		if got := resultOf(b.ask("udp", ask(cmdTracking, 104))); got != success {
			t.Errorf("tracking: got %d", got)
		}
	})
}

// TestServerTriesAgain: a port that cannot be opened, or that fails, is told of
// once and tried each minute.
func TestServerTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.fail = errors.New("another program answers on the socket")
		b.start(t)
		defer b.stop()
		time.Sleep(10*lookAgain + time.Second)
		synctest.Wait()
		b.mu.Lock()
		if n := strings.Count(b.log.String(), "another program answers"); n != 1 || b.tried != 11 {
			t.Errorf("got %d lines after %d tries, want 1 after 11", n, b.tried)
		}
		b.fail = nil
		b.mu.Unlock()
		time.Sleep(lookAgain)
		synctest.Wait()
		if len(b.names()) != 1 {
			t.Fatalf("open are %v", b.names())
		}
		first := b.port(b.names()[0])
		first.requests <- nil // it fails
		time.Sleep(lookAgain)
		synctest.Wait()
		if len(b.names()) != 1 || b.port(b.names()[0]) == first {
			t.Errorf("after a failure: open are %v", b.names())
		}
	})
}

// TestReportsAreShared: many questions at one moment cost the daemon one report;
// a command makes it a new one.
func TestReportsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.start(t)
		defer b.stop()
		name := b.names()[0]
		for range 100 {
			b.ask(name, ask(cmdSourceData, 76))
		}
		if b.daemon.reports != 1 {
			t.Errorf("got %d reports, want 1", b.daemon.reports)
		}
		b.ask(name, ask(cmdOnline, 60))
		b.ask(name, ask(cmdActivity, 48))
		if b.daemon.reports != 2 {
			t.Errorf("after a command: got %d reports, want 2", b.daemon.reports)
		}
		time.Sleep(reportFor + 1)
		b.ask(name, ask(cmdActivity, 48))
		if b.daemon.reports != 3 {
			t.Errorf("later: got %d reports, want 3", b.daemon.reports)
		}
	})
}
