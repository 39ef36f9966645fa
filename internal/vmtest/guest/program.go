//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// stopGrace is how long a program may take to end, as procd has it.
const stopGrace = 5 * time.Second

// program is one that runs beside us.
type program struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and all that it printed was passed on
}

// run runs a program to its end and returns what it printed.
func (m *machine) run(args []string) (string, error) {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return string(out), nil
}

// start starts a program; what it prints goes to the serial line.
func (m *machine) start(args []string) (string, error) {
	if m.programs[args[0]] != nil {
		return "", fmt.Errorf("guest: %s runs already", args[0])
	}
	cmd := exec.Command(args[1], args[2:]...)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	at, err := uptime()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	p := &program{cmd: cmd, done: make(chan struct{})}
	m.programs[args[0]] = p
	go func() {
		err := cmd.Wait()
		fmt.Fprintf(w, "%s ended: %v\n", args[0], err)
		w.Close()
	}()
	go func() {
		defer close(p.done)
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			m.port.line("@| " + lines.Text())
		}
	}()
	return at, nil
}

// stop asks a program to end, waits for that, and says how it ended.
func (m *machine) stop(args []string) (string, error) {
	p := m.programs[args[0]]
	if p == nil {
		return "", fmt.Errorf("guest: %s does not run", args[0])
	}
	delete(m.programs, args[0])
	_ = p.cmd.Process.Signal(unix.SIGTERM) // perhaps it has ended already
	select {
	case <-p.done:
	case <-time.After(stopGrace):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	return p.cmd.ProcessState.String(), nil
}
