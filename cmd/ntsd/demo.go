//go:build !router

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ntsd/internal/config"
	"ntsd/internal/control"
	"ntsd/internal/ctl"
	"ntsd/internal/demo"
	"ntsd/internal/tables"
	"ntsd/internal/terminal"
)

const demoUsage = `       ntsd demo                                        show it at work on this machine
`

// demoConfig is the file that the demonstration's daemon reads.
//
//go:embed testdata/demo/ntsd
var demoConfig []byte //nolint:gochecknoglobals // go:embed wants a variable

// demoPatience is how long the daemon may take to answer after its start.
const demoPatience = 10 * time.Second

// demoMain shows the daemon at work: NTS servers of our own on loopback, one
// of them wrong, and a daemon that watches them, until Ctrl-C or for
// DEMO_SECONDS.
func demoMain(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		return fail(stderr, exitUsage, "demo takes no arguments; DEMO_SECONDS=20 in the environment ends it by itself")
	}
	seconds, err := demoSeconds(os.Getenv("DEMO_SECONDS"))
	if err != nil {
		return fail(stderr, exitUsage, "%v", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := runDemo(ctx, seconds, stdout); err != nil {
		return fail(stderr, exitFailed, "%v", err)
	}
	return exitDone
}

// demoSeconds reads DEMO_SECONDS; empty means until Ctrl-C.
func demoSeconds(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("DEMO_SECONDS=%q: must be a positive whole number", s)
	}
	return n, nil
}

// runDemo sets the stage in a temporary folder and clears it afterwards.
func runDemo(ctx context.Context, seconds int, stdout io.Writer) error {
	dir, err := os.MkdirTemp("", "ntsd-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, config.PackageName), demoConfig, 0o644); err != nil {
		return err
	}
	cfg, diagnostics := config.Load(dir, os.ReadFile)
	if config.HasErrors(diagnostics) {
		return fmt.Errorf("its own configuration: %v", diagnostics[0])
	}
	fleet, err := demo.StartFor(ctx, cfg.Sources, dir, nil)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; is another demonstration running?", err)
	}
	if err != nil {
		return err
	}
	defer fleet.Close()
	fmt.Fprintf(stdout, "%d NTS servers on loopback; the clock of %s is %v ahead. The daemon measures, it sets nothing.\n",
		len(fleet.Servers), cfg.Sources[len(cfg.Sources)-1].Name, demo.WrongBy.Duration())
	stopDaemon, err := startDaemon(dir)
	if err != nil {
		return err
	}
	client := ctl.Client{Client: control.Client{Path: filepath.Join(dir, cfg.Main.RunDir, ctl.SocketName)}}
	err = watch(ctx, client, seconds, stdout)
	if daemonErr := stopDaemon(); err == nil {
		err = daemonErr
	}
	if err == nil {
		summarise(stdout, fleet, cfg.Sources)
	}
	return err
}

// startDaemon starts this very program as a router would, on the folder's
// configuration. The returned function ends it; its error has the log's end.
func startDaemon(dir string) (stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	logPath := filepath.Join(dir, "log")
	logFile, err := os.Create(logPath)
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer nothing.Close()
	process, err := os.StartProcess(self, []string{"ntsd", "-x", "-c", dir},
		&os.ProcAttr{Dir: dir, Files: []*os.File{nothing, logFile, logFile}})
	if err != nil {
		return nil, err
	}
	return func() error {
		_ = process.Signal(syscall.SIGTERM) // it may have ended by itself: Wait tells
		state, err := process.Wait()
		if err != nil {
			return err
		}
		if state.Success() {
			return nil
		}
		text, _ := os.ReadFile(logPath)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		return fmt.Errorf("the daemon: %v: %s", state, lines[len(lines)-1])
	}, nil
}

// watch waits for the daemon and shows its tables.
func watch(ctx context.Context, client ctl.Client, seconds int, stdout io.Writer) error {
	if seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
		defer cancel()
	}
	ready, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	for {
		_, err := client.Report(ready)
		if err == nil {
			break
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ready.Done():
			return fmt.Errorf("the daemon did not answer: %w", err)
		}
	}
	opts := ctl.TopOptions{Table: tables.Options{Color: terminal.Colorful(stdout)}}
	if terminal.Is(stdout) {
		opts.Keyboard = os.Stdin
	}
	err := ctl.RunTop(ctx, client, stdout, opts)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// summarise tells what the servers saw.
func summarise(w io.Writer, fleet *demo.Fleet, sources []config.Source) {
	fmt.Fprintln(w, "\nWhat the servers saw:")
	for i, s := range fleet.Servers {
		st := s.Stats()
		plural := "s"
		if st.KEDone == 1 {
			plural = ""
		}
		fmt.Fprintf(w, "  %-12s %d key establishment%s, %d requests, %d replies\n",
			sources[i].Name, st.KEDone, plural, st.Requests, st.Replies)
	}
}
