package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Implementation constants.
const (
	// patience is how long a program may take to say what is expected of it.
	patience = 20 * time.Second
	// grace is how long a program may take to end when asked to.
	grace = 5 * time.Second
)

// Command returns a command that runs on the host, in its folder and without
// the capability to set the clock.
func (h *Host) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	line := append(h.ns.enter(), withoutSysTime()...)
	line = append(append(line, name), args...)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Dir = h.Dir
	return cmd
}

// Do runs f on a thread that is on the host: sockets that f itself opens are
// the host's. Goroutines that f starts are elsewhere.
func (h *Host) Do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		// Not unlocked: the thread ends with the goroutine, so that no other
		// one finds itself on the host.
		runtime.LockOSThread()
		done <- h.enterAnd(f)
	}()
	return <-done
}

func (h *Host) enterAnd(f func() error) error {
	ns, err := os.Open(h.ns.path())
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("interop: enter %s: %w", h.Name, err)
	}
	return f()
}

// Process is a program that runs on a host until the test ends.
type Process struct {
	h    *Host
	cmd  *exec.Cmd
	log  *logBuffer
	done chan struct{} // closed when it has ended
	err  error         // how it ended, after done
}

// Start starts cmd, which Command made, and ends it with the test. What it
// prints goes to the test's log if the test fails.
func (h *Host) Start(cmd *exec.Cmd) *Process {
	h.t.Helper()
	p := &Process{h: h, cmd: cmd, log: newLogBuffer(), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.WaitDelay = grace // a program's own children may hold on to its output
	// Should the test process be killed, its programs go with it. The signal
	// comes when the thread that started them ends: it must live as long.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			p.log.close()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		h.t.Fatalf("interop: %v", err)
	}
	h.t.Cleanup(func() {
		p.Stop()
		if h.t.Failed() {
			h.t.Logf("log of %s:\n%s", h.Name, p.log)
		}
	})
	return p
}

// Pid returns the process id of the program itself.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends a signal to the program.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Stop asks the program to end, waits for that and returns how it ended. It may
// be called again.
func (p *Process) Stop() error {
	if err := p.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("interop: %w", err)
	}
	return p.wait(grace)
}

// Kill ends the program at once, like a power cut.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("interop: %w", err)
	}
	return p.wait(grace)
}

func (p *Process) wait(limit time.Duration) error {
	select {
	case <-p.done:
	case <-time.After(limit):
		_ = p.Signal(syscall.SIGKILL)
		<-p.done
	}
	return p.err
}

// WaitLog waits until the program has printed text, since it started, and fails
// the test if it ends before that or takes too long.
func (p *Process) WaitLog(text string) {
	p.h.t.Helper()
	if err := p.log.wait(text, patience); err != nil {
		p.h.t.Fatalf("interop: %s: %v", p.h.Name, err)
	}
}

// Log returns what the program has printed so far.
func (p *Process) Log() string { return p.log.String() }

// logBuffer collects output and lets one wait for a text in it.
type logBuffer struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	closed  bool
	changed chan struct{} // closed and replaced at every write
}

func newLogBuffer() *logBuffer { return &logBuffer{changed: make(chan struct{})} }

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.buf.Write(b)
}

func (l *logBuffer) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBuffer) wait(text string, limit time.Duration) error {
	timeout := time.After(limit)
	for {
		l.mu.Lock()
		found, closed, changed := strings.Contains(l.buf.String(), text), l.closed, l.changed
		l.mu.Unlock()
		switch {
		case found:
			return nil
		case closed:
			return fmt.Errorf("ended without printing %q: %w", text, io.ErrUnexpectedEOF)
		}
		select {
		case <-changed:
		case <-timeout:
			return fmt.Errorf("did not print %q within %v", text, limit)
		}
	}
}
