package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"ntsd/internal/ctl"
	"ntsd/internal/foreign"
	"ntsd/internal/logbook"
)

// options are the daemon's command line.
type options struct {
	dir        string // folder of the UCI file "ntsd"
	file       string // the UCI file itself, instead
	dryRun     bool
	debug      bool
	printOnly  bool
	version    bool
	setOnce    bool
	queryOnce  bool
	restore    bool
	user       string
	log        string // where to; empty: standard error
	timeout    time.Duration
	directives []string
	loader     *foreign.Loader // of the configuration, once it was read
	hangup     <-chan os.Signal
}

const usageText = `usage: ntsd [-x] [-d] [-t SEC] [-c DIR | -f FILE]       keep the clock, in the foreground
       ntsd -p [-c DIR | -f FILE]                       print the effective configuration
       ntsd -Q [-t SEC] 'server HOST nts iburst' ...    measure once, change nothing
       ntsd -q [-t SEC] 'server HOST nts iburst' ...    set the clock once
` + demoUsage + `       ntsctl help                                      the client: sources, tracking, ...

`

// parseFlags reads the command line. It has already told the user when it
// returns an error: in one line on stderr, or all flags on stdout when asked.
func parseFlags(args []string, stdout, stderr io.Writer) (options, error) {
	var o options
	seconds := 0
	fs := flag.NewFlagSet("ntsd", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.StringVar(&o.dir, "c", ctl.ConfigFolder(), "`folder` that holds the UCI file ntsd")
	fs.StringVar(&o.file, "f", "", "UCI `file` to read instead")
	fs.BoolVar(&o.dryRun, "x", false, "never touch the clock")
	fs.BoolVar(&o.debug, "d", false, "log at level debug")
	fs.BoolVar(&o.printOnly, "p", false, "print the effective configuration and exit")
	fs.BoolVar(&o.version, "v", false, "print the version and exit")
	fs.BoolVar(&o.setOnce, "q", false, "set the clock once and exit")
	fs.BoolVar(&o.queryOnce, "Q", false, "measure the clock's error once and exit")
	fs.IntVar(&seconds, "t", 0, "stop after `SEC` seconds; with -q and -Q: give up (10)")
	fs.StringVar(&o.user, "u", "", "run as `USER`, with the right to set the clock and to open low ports, and no other")
	fs.StringVar(&o.log, "l", "", "log to `syslog` instead of standard error")
	fs.BoolVar(&o.restore, "s", false, "start from the time saved at the last stop where the clock is behind it")
	if len(args) == 1 && args[0] == "--version" {
		args = []string{"-v"}
	}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usageText)
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return o, err
	case err != nil:
		fail(stderr, 0, "%v; see ntsd -h", err)
		return o, err
	}
	o.timeout = time.Duration(seconds) * time.Second
	o.directives = fs.Args()
	return o, o.check(stderr)
}

func (o *options) check(stderr io.Writer) error {
	var err error
	switch {
	case o.setOnce && o.queryOnce:
		err = errors.New("-q and -Q exclude each other")
	case o.setOnce && o.dryRun:
		err = errors.New("-q sets the clock and -x forbids it; to measure only, use -Q")
	case o.timeout < 0:
		err = errors.New("-t takes a positive number of seconds")
	case o.log != "" && o.log != logbook.Syslog:
		err = fmt.Errorf("-l %q: only %q is allowed; without -l the log goes to standard error", o.log, logbook.Syslog)
	case len(o.directives) > 0 && !o.setOnce && !o.queryOnce && !o.printOnly:
		err = fmt.Errorf("%q: directives on the command line go with -q, -Q or -p", o.directives[0])
	}
	if err != nil {
		fail(stderr, 0, "%v; see ntsd -h", err)
	}
	return err
}

// banner names the program, its version and what it was built with.
func banner() string {
	return fmt.Sprintf("ntsd version %s (+NTS +IPV6 +PQ, %s %s/%s)",
		version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
